"""A convolutional network in NumPy, with which fastnn is compared.

A convolution is a product of matrices: every window of the images is a row (im2col), and BLAS does the rest on all of
its threads. There are no further optimizations.
"""

from itertools import product

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from fastnn.cli.numpy_training import NumpyHidden, relu

KERNEL_SIZE, POOL_SIZE = 3, 2


class NumpyConvnet(NumpyHidden):
    """Convolutions with ReLU, each followed by max pooling, then dropout and a dense output layer with softmax.

    Parameters
    ----------
    image_shape : (int, int)
        The height and width of an image.
    filters : sequence of int
        The number of filters of each convolution, of 3 x 3. The windows of pooling are 2 x 2.
    n_classes : int
    padding : {"valid", "same"}, default="valid"
        Whether convolutions read a border of zeros, so that images keep their size.
    dropout : float, default=0.0
        The rate of dropout before the output layer. The masks are not fastnn's.
    solver, learning_rate, batch_size, dtype, random_state
        See `NumpyTraining`. With one seed, `fastnn.SequentialClassifier` has the same initial weights and batches.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn.cli.numpy_convnet import NumpyConvnet
    >>> X, y = np.zeros((2, 6, 6), np.float32), np.arange(2)
    >>> X[0, 3], X[1, :, 3] = 1, 1
    >>> network = NumpyConvnet((6, 6), [8], 2, learning_rate=0.05, random_state=0)
    >>> losses = [network.train_epoch(X, y) for _ in range(20)]
    >>> network.predict(X)
    array([0, 1])
    """

    def __init__(
        self,
        image_shape,
        filters,
        n_classes,
        padding="valid",
        dropout=0.0,
        solver="adam",
        learning_rate=0.001,
        batch_size=64,
        dtype=np.float32,
        random_state=None,
    ):
        self.border = KERNEL_SIZE // 2 if padding == "same" else 0
        shapes, height, width, channels = [], *image_shape, 1
        for n in filters:
            shapes += [(KERNEL_SIZE, KERNEL_SIZE, channels, n), (n,)]
            height, width = ((size + 2 * self.border - KERNEL_SIZE + 1) // POOL_SIZE for size in (height, width))
            channels = n
        shapes += [(height * width * channels, n_classes), (n_classes,)]
        super().__init__(shapes, solver, learning_rate, batch_size, dtype, random_state)
        self.kernels, self.biases = self.arrays[::2], self.arrays[1::2]
        for kernel, bias in zip(self.kernels[:-1], self.biases[:-1], strict=True):
            bound = np.sqrt(6 / (KERNEL_SIZE**2 * sum(kernel.shape[2:])))  # Glorot and Bengio (2010)
            kernel[:] = self.rng.uniform(-bound, bound, kernel.shape)
            bias[:] = 0
        self.draw_dense(*self.arrays[-2:])
        self.dropout = dropout
        self.masks = np.random.default_rng(self.rng.randint(2**31 - 1)) if dropout else None

    def forward(self, images):
        """The numbers before the output layer, and for each convolution its windows, outputs, and pooled outputs."""
        x, memory = images[..., np.newaxis], []
        for kernel, bias in zip(self.kernels[:-1], self.biases[:-1], strict=True):
            rows = windows(x, self.border)
            n, height, width = len(x), *(size + 2 * self.border - KERNEL_SIZE + 1 for size in x.shape[1:3])
            outputs = (rows @ kernel.reshape(-1, len(bias))).reshape(n, height, width, -1)
            outputs += bias
            relu(outputs, out=outputs)
            x = largest(outputs)
            memory.append((rows, outputs, x))
        return x.reshape(len(x), -1), memory

    def backward(self, images, y):
        """The mean cross-entropy of a batch; its gradient is written to `grad`."""
        x, memory = self.forward(images)
        mask = 1
        if self.dropout:
            mask = (self.masks.random(x.shape, x.dtype) >= self.dropout) / x.dtype.type(1 - self.dropout)
            x = x * mask
        loss, delta = self.output_backward(x, y)
        delta = delta * mask
        for i, (rows, outputs, pooled) in reversed([*enumerate(memory)]):
            delta = to_largest(delta.reshape(pooled.shape), outputs, pooled)
            delta *= outputs > 0
            by_position = delta.reshape(-1, delta.shape[-1])
            np.matmul(rows.T, by_position, out=self.grads[2 * i].reshape(rows.shape[1], -1))
            np.sum(by_position, axis=0, out=self.grads[2 * i + 1])
            if i:  # by the images the gradient is not needed; by their like it is a convolution with the kernel turned
                turned = self.kernels[i][::-1, ::-1].swapaxes(2, 3)
                delta = windows(delta, KERNEL_SIZE - 1 - self.border) @ turned.reshape(-1, turned.shape[-1])
        return loss

    def hidden(self, X):
        return self.forward(X)[0]


def windows(x, border):
    """Every window of maps (n, height, width, channels) inside a border of zeros, as a row of a matrix."""
    x = np.pad(x, ((0, 0), (border, border), (border, border), (0, 0)))
    view = sliding_window_view(x, (KERNEL_SIZE, KERNEL_SIZE), axis=(1, 2))  # (n, height, width, channels, 3, 3)
    return view.transpose(0, 1, 2, 4, 5, 3).reshape(-1, KERNEL_SIZE**2 * x.shape[-1])


def corners(x):
    """The first, the second, ... number of every window of pooling: views of maps (n, height, width, channels)."""
    height, width = (size // POOL_SIZE * POOL_SIZE for size in x.shape[1:3])
    return [x[:, i:height:POOL_SIZE, j:width:POOL_SIZE] for i, j in product(range(POOL_SIZE), repeat=2)]


def largest(x):
    """Max pooling."""
    return np.maximum.reduce(corners(x))


def to_largest(delta, x, pooled):
    """The gradient by what was pooled: that of each window goes to the first of its largest numbers."""
    out, is_left = np.zeros_like(x), np.ones(delta.shape, bool)
    for part, numbers in zip(corners(out), corners(x), strict=True):
        is_first = is_left & (numbers == pooled)
        np.multiply(delta, is_first, out=part)
        is_left &= ~is_first
    return out
