"""Layers as one would write them in NumPy, forward and back: what fastnn's are timed beside.

Samples are (n, height, width, channels); sequences have a height of 1. `make` says which of fastnn's layers have one.
"""

from math import prod

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from . import plain_recurrent
from .plain_recurrent import Learnt


class _Learnt(Learnt):
    """A layer whose arrays are W and b."""

    @property
    def arrays(self):
        return self.W, self.b

    @property
    def grads(self):
        return self.grad_W, self.grad_b


class Dense(_Learnt):
    """relu(x W + b), or without the ReLU, of flattened samples."""

    def __init__(self, fan_in, units, rng, dtype, relu=True):
        self.W = rng.normal(0, fan_in**-0.5, (fan_in, units)).astype(dtype)
        self.b, self.relu = np.zeros(units, dtype), relu

    def forward(self, x):
        self.shape, self.x = x.shape, x.reshape(-1, len(self.W))
        self.out = self.x @ self.W + self.b
        if self.relu:
            np.maximum(self.out, 0, out=self.out)
        return self.out

    def back(self, delta):
        if self.relu:
            delta = delta * (self.out > 0)
        self.grad_W, self.grad_b = self.x.T @ delta, delta.sum(axis=0)
        return (delta @ self.W.T).reshape(self.shape)


class Conv(_Learnt):
    """A convolution with ReLU and strides of 1, as a product with every window (im2col)."""

    def __init__(self, size, border, channels, filters, rng, dtype):
        self.size, self.border = size, border
        self.W = rng.normal(0, (prod(size) * channels) ** -0.5, (*size, channels, filters)).astype(dtype)
        self.b = np.zeros(filters, dtype)

    @staticmethod
    def windows(x, size, border):
        x = np.pad(x, ((0, 0), *((each, each) for each in border), (0, 0)))
        view = sliding_window_view(x, size, axis=(1, 2))  # (n, height, width, channels, *size)
        return view.transpose(0, 1, 2, 4, 5, 3).reshape(*view.shape[:3], -1)

    @staticmethod
    def product(windows, W):
        return (windows.reshape(-1, windows.shape[-1]) @ W.reshape(-1, W.shape[-1])).reshape(*windows.shape[:3], -1)

    def forward(self, x):
        self.x = self.windows(x, self.size, self.border)
        self.out = self.product(self.x, self.W) + self.b
        return np.maximum(self.out, 0, out=self.out)

    def back(self, delta, further=True):
        delta = delta * (self.out > 0)
        by_position = delta.reshape(-1, delta.shape[-1])
        self.grad_W = (self.x.reshape(len(by_position), -1).T @ by_position).reshape(self.W.shape)
        self.grad_b = by_position.sum(axis=0)
        if not further:
            return None
        border = [size - 1 - each for size, each in zip(self.size, self.border, strict=True)]
        return self.product(self.windows(delta, self.size, border), self.W[::-1, ::-1].swapaxes(2, 3))


class Normalization(_Learnt):
    """Numbers with the mean 0 and the variance 1 over some axes, then scaled and shifted for each channel."""

    def __init__(self, axes, channels, dtype):
        self.axes, self.W, self.b = axes, np.ones(channels, dtype), np.zeros(channels, dtype)

    def forward(self, x):
        centred = x - x.mean(self.axes, keepdims=True)
        self.inverse = 1 / np.sqrt(np.square(centred).mean(self.axes, keepdims=True) + x.dtype.type(1e-3))
        self.x = centred * self.inverse
        return self.x * self.W + self.b

    def back(self, delta):
        self.grad_W, self.grad_b = (delta * self.x).sum((0, 1, 2)), delta.sum((0, 1, 2))
        delta = delta * self.W
        along = (delta * self.x).mean(self.axes, keepdims=True)
        return self.inverse * (delta - delta.mean(self.axes, keepdims=True) - self.x * along)


class BatchNormalization(Normalization):
    """The same over a batch; outside of training, by the moving means and variances of the batches."""

    def __init__(self, channels, dtype):
        super().__init__((0, 1, 2), channels, dtype)
        self.mean, self.variance, self.training = np.zeros(channels, dtype), np.ones(channels, dtype), False

    def forward(self, x):
        if not self.training:
            return (x - self.mean) / np.sqrt(self.variance + x.dtype.type(1e-3)) * self.W + self.b
        for moving, of_batch in (self.mean, x.mean(self.axes)), (self.variance, x.var(self.axes)):
            moving += x.dtype.type(0.01) * (of_batch - moving)
        return super().forward(x)


class _Fixed:
    """A layer that learns nothing."""

    def step(self, rate):
        pass


class Elementwise(_Fixed):
    """A function of each number, and its derivative from the number and the function's value."""

    def __init__(self, function, derivative):
        self.function, self.derivative = function, derivative

    def forward(self, x):
        self.x, self.out = x, self.function(x)
        return self.out

    def back(self, delta):
        return delta * self.derivative(self.x, self.out)


class Shaped(_Fixed):
    """The same numbers in another shape."""

    def __init__(self, shape):
        self.shape = shape

    def forward(self, x):
        self.before = x.shape
        return x.reshape(-1, *self.shape)

    def back(self, delta):
        return delta.reshape(self.before)


class Pooling(_Fixed):
    """The mean or the largest of each window; windows lie side by side and leave nothing over."""

    def __init__(self, size, largest):
        self.size, self.largest = size, largest

    def forward(self, x):
        n, height, width, channels = x.shape
        rows, columns = self.size
        self.x = x.reshape(n, height // rows, rows, width // columns, columns, channels)
        self.out = self.x.max(axis=(2, 4), keepdims=True) if self.largest else self.x.mean(axis=(2, 4), keepdims=True)
        return self.out[:, :, 0, :, 0]

    def back(self, delta):
        delta = delta.reshape(self.out.shape)
        n, rows, _, columns, _, channels = delta.shape
        if self.largest:  # of several that are equal each has the gradient, which costs less than a choice
            delta = delta * (self.x == self.out)
        else:
            delta = np.broadcast_to(delta / self.x.dtype.type(prod(self.size)), self.x.shape)
        return delta.reshape(n, rows * self.size[0], columns * self.size[1], channels)


class Dropout(_Fixed):
    """A mask, drawn anew for each batch of training."""

    def __init__(self, rate, rng):
        self.rate, self.rng, self.training = rate, rng, False

    def forward(self, x):
        if not self.training:
            return x
        self.mask = (self.rng.random(x.shape, x.dtype) >= self.rate) / x.dtype.type(1 - self.rate)
        return x * self.mask

    def back(self, delta):
        return delta * self.mask


def make(layer, shape, rng, dtype):
    """The layer in NumPy for one of fastnn's, which reads samples (height, width, channels) of this shape.

    None where nobody wrote it yet.
    """
    name, (height, width, channels) = type(layer).__name__, shape
    if name.endswith("1D"):  # along the width
        name, along = name[:-2], lambda size: (1, size)
    else:
        name, along = name.removesuffix("2D"), lambda size: (size, size)
    match name:
        case "Dense":
            return Dense(channels if height == 1 else prod(shape), layer.units, rng, dtype)
        case "Conv":
            size = along(layer.kernel_size)
            border = [each // 2 if layer.padding == "same" else 0 for each in size]
            return Conv(size, border, channels, layer.filters, rng, dtype)
        case "LayerNormalization":
            return Normalization(-1, channels, dtype)
        case "BatchNormalization":
            return BatchNormalization(channels, dtype)
        case "MaxPooling" | "AveragePooling":
            return Pooling(along(layer.pool_size), name == "MaxPooling")
        case "GlobalMaxPooling" | "GlobalAveragePooling":
            return Pooling((height, width), name == "GlobalMaxPooling")
        case "Flatten":
            return Shaped((prod(shape),))
        case "Reshape":
            return Shaped(layer.target_shape)
        case "Activation":  # tanh
            return Elementwise(np.tanh, lambda x, out: 1 - out * out)
        case "Rescaling":
            scale, offset = dtype.type(layer.scale), dtype.type(layer.offset)
            return Elementwise(lambda x: x * scale + offset, lambda x, out: scale)
        case "Dropout":
            return Dropout(layer.rate, rng)
    return plain_recurrent.make(layer, channels, dtype)
