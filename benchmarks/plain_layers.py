"""Layers as one would write them in NumPy, forward and back: what fastnn's are timed beside.

Samples are (n, height, width, channels); sequences have a height of 1. `make` says which of fastnn's layers have one.
"""

from math import prod

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


class _Learnt:
    """A layer with arrays W and b, and their gradients."""

    def take(self, weights):
        """Take over the weights of one of fastnn's, by their names."""
        W, b, *_ = weights.values()
        self.W[:], self.b[:] = W.reshape(self.W.shape), b

    def step(self, rate):
        self.W -= rate * self.grad_W
        self.b -= rate * self.grad_b


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
    """The mean or the largest of each window, or of all positions; windows lie side by side and leave nothing over."""

    def __init__(self, size, largest):
        self.size, self.largest = size, largest

    def forward(self, x):
        n, height, width, channels = x.shape
        rows, columns = self.size or (height, width)
        self.x = x.reshape(n, height // rows, rows, width // columns, columns, channels)
        self.out = self.x.max(axis=(2, 4), keepdims=True) if self.largest else self.x.mean(axis=(2, 4), keepdims=True)
        return self.out[:, :, 0, :, 0]

    def back(self, delta):
        delta = delta.reshape(self.out.shape)
        n, rows, _, columns, _, channels = delta.shape
        if self.largest:  # of several that are equal each has the gradient, which costs less than a choice
            delta = delta * (self.x == self.out)
        else:
            delta = np.broadcast_to(delta / self.x.dtype.type(self.x.shape[2] * self.x.shape[4]), self.x.shape)
        return delta.reshape(n, rows * self.x.shape[2], columns * self.x.shape[4], channels)


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


# -- sequences --------------------------------------------------------------------------------------------------------
#
# A cell is two functions. One makes a new state of the inputs' sums x, the old state's sums h, and the old state; it
# also returns what the other one needs. That makes, of the gradient by the new state, those by x and by h, and that by
# the old state as far as it does not come from h. A state is (parts, n, units), of which the first part is the output.


def simple_cell(x, h, state):
    output = np.tanh(x + h)
    return output[None], output


def simple_cell_back(memory, state, delta):
    by_sums = delta[0] * (1 - memory**2)
    return by_sums, by_sums, np.zeros_like(delta)


def gru_cell(x, h, state):
    units = state.shape[2]
    gates = sigmoid(x[:, : 2 * units] + h[:, : 2 * units])
    update, reset, of_state = gates[:, :units], gates[:, units:], h[:, 2 * units :]
    candidate = np.tanh(x[:, 2 * units :] + reset * of_state)
    return candidate + update * (state - candidate), (update, reset, candidate, of_state)


def gru_cell_back(memory, state, delta):
    update, reset, candidate, of_state = memory
    by_candidate = delta[0] * (1 - update) * (1 - candidate**2)
    by_update = delta[0] * (state[0] - candidate) * update * (1 - update)
    by_reset = by_candidate * of_state * reset * (1 - reset)
    by_gates = [by_update, by_reset]
    return np.hstack([*by_gates, by_candidate]), np.hstack([*by_gates, by_candidate * reset]), delta * update


def lstm_cell(x, h, state):
    units, sums = state.shape[2], x + h
    entering, forget = np.split(sigmoid(sums[:, : 2 * units]), 2, axis=1)
    candidate, leaving = np.tanh(sums[:, 2 * units : 3 * units]), sigmoid(sums[:, 3 * units :])
    kept = forget * state[1] + entering * candidate
    shown = np.tanh(kept)
    return np.stack([leaving * shown, kept]), (entering, forget, candidate, leaving, shown)


def lstm_cell_back(memory, state, delta):
    entering, forget, candidate, leaving, shown = memory
    by_kept = delta[1] + delta[0] * leaving * (1 - shown**2)
    by_sums = np.hstack(
        [
            by_kept * candidate * entering * (1 - entering),
            by_kept * state[1] * forget * (1 - forget),
            by_kept * entering * (1 - candidate**2),
            delta[0] * shown * leaving * (1 - leaving),
        ]
    )
    return by_sums, by_sums, np.stack([np.zeros_like(by_kept), by_kept * forget])


#: Forward, back, the number of gates, of biases for each of them, and of parts of the state.
CELLS = {
    "SimpleRNN": (simple_cell, simple_cell_back, 1, 1, 1),
    "GRU": (gru_cell, gru_cell_back, 3, 2, 1),
    "LSTM": (lstm_cell, lstm_cell_back, 4, 1, 2),
}


class Recurrent(_Learnt):
    """Cells over the steps of sequences, to the output after the last one. Inputs are multiplied for all steps at once.

    W is of the inputs and U of the state; b has a row for each of them that has biases.
    """

    def __init__(self, cell, channels, units, rng, dtype, backwards=False):
        self.cell, self.cell_back, n_gates, n_biases, self.n_parts = CELLS[cell]
        self.order, columns = slice(None, None, -1 if backwards else 1), n_gates * units
        self.W, self.U = (rng.normal(0, n**-0.5, (n, columns)).astype(dtype) for n in (channels, units))
        self.b = np.zeros((n_biases, columns), dtype)

    def take(self, weights):
        self.W[:], self.U[:], self.b[:] = weights.values()

    def forward(self, x):
        self.x = np.ascontiguousarray(x[:, 0].swapaxes(0, 1)[self.order])  # (steps, n, channels)
        sums = (self.x.reshape(-1, len(self.W)) @ self.W + self.b[0]).reshape(*self.x.shape[:2], -1)
        state = np.zeros((self.n_parts, len(x), len(self.U)), x.dtype)
        self.states, self.memory = [], []
        for of_inputs in sums:
            of_state = state[0] @ self.U + sum(self.b[1:])
            self.states.append(state)
            state, memory = self.cell(of_inputs, of_state, state)
            self.memory.append(memory)
        return state[0]

    def back(self, delta):
        by_inputs, by_states = np.empty((2, *self.x.shape[:2], self.W.shape[1]), self.x.dtype)
        delta = np.stack([delta, *[np.zeros_like(delta)] * (self.n_parts - 1)])
        for t in reversed(range(len(self.x))):
            by_inputs[t], by_states[t], delta = self.cell_back(self.memory[t], self.states[t], delta)
            delta[0] += by_states[t] @ self.U.T
        outputs = np.concatenate([state[0] for state in self.states])
        of_inputs, of_states = (by.reshape(len(outputs), -1) for by in (by_inputs, by_states))
        self.grad_W = self.x.reshape(len(outputs), -1).T @ of_inputs
        self.grad_U = outputs.T @ of_states
        self.grad_b = np.stack([by.sum(axis=0) for by in (of_inputs, of_states)[: len(self.b)]])
        return (by_inputs @ self.W.T)[self.order].swapaxes(0, 1)[:, None]

    def step(self, rate):
        super().step(rate)
        self.U -= rate * self.grad_U


class Bidirectional:
    """Cells in both directions, whose outputs are side by side."""

    def __init__(self, cell, channels, units, rng, dtype):
        self.parts = [Recurrent(cell, channels, units, rng, dtype, backwards) for backwards in (False, True)]

    def take(self, weights):
        for way, part in zip(("forward_", "backward_"), self.parts, strict=True):
            part.take({name: array for name, array in weights.items() if name.startswith(way)})

    def forward(self, x):
        return np.hstack([part.forward(x) for part in self.parts])

    def back(self, delta):
        return sum(part.back(half) for part, half in zip(self.parts, np.split(delta, 2, axis=1), strict=True))

    def step(self, rate):
        for part in self.parts:
            part.step(rate)


class Masking(_Fixed):
    """Without the steps of which all numbers are a certain one: the same number of steps in each sequence."""

    def __init__(self, value):
        self.value = value

    def forward(self, x):
        return x[(x != self.value).any(-1)].reshape(len(x), 1, -1, x.shape[-1])

    def back(self, delta, further):
        """Nothing comes before it."""


def sigmoid(z):
    """1 / (1 + exp(-z)), without overflow."""
    return 0.5 * np.tanh(0.5 * z) + z.dtype.type(0.5)


def make(layer, shape, rng, dtype):
    """The layer in NumPy for one of fastnn's, which reads samples (height, width, channels) of this shape.

    None where nobody wrote it yet.
    """
    name, (height, _, channels) = type(layer).__name__, shape
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
            return Pooling(None, name == "GlobalMaxPooling")
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
        case "SimpleRNN" | "GRU" | "LSTM":
            return Recurrent(name, channels, layer.units, rng, dtype)
        case "Bidirectional":
            return Bidirectional(type(layer.layer).__name__, channels, layer.layer.units, rng, dtype)
        case "Masking":
            return Masking(layer.mask_value)
    return None
