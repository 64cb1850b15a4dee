"""The three products of a dense layer, beside NumPy's matmul into an array made once.

fastnn reads and writes what it would in training: weights packed once, activations and errors in rows padded to whole
tiles. The gradient of the input includes transposing the error, which in training the layer above does.
"""

import numpy as np

from fastnn.engine.dense import Dense
from fastnn.threads import effective_n_threads

#: (rows, fan_in, fan_out) of a batch and a layer: the reference network's hidden ones, and a large square.
SHAPES = {"64 x 784 x 512": (64, 784, 512), "64 x 512 x 256": (64, 512, 256), "2048 x 2048 x 2048": (2048,) * 3}
DTYPES = ["float32", "float64"]


class Product:
    """A layer and a batch; subclasses time one product of them by each implementation."""

    param_names = ("implementation", "product", "dtype")
    params = (["fastnn", "numpy"], list(SHAPES), DTYPES)
    activation = "identity"

    def setup(self, implementation, product, dtype):
        rows, fan_in, fan_out = SHAPES[product]
        rng = np.random.default_rng(0)
        self.W, self.x, self.delta = (
            rng.uniform(-1, 1, shape).astype(dtype) for shape in ((fan_in, fan_out), (rows, fan_in), (rows, fan_out))
        )
        self.b = rng.uniform(-1, 1, fan_out).astype(dtype)
        self.layer = Dense(self.W, self.b, activation=self.activation, n_threads=effective_n_threads())
        self.make_out()
        self.product = getattr(self, implementation)
        self.product()  # threads started, memory touched


class Forward(Product):
    """relu(x W + b); "numpy_product" is x W alone."""

    params = (["fastnn", "numpy", "numpy_product"], list(SHAPES), DTYPES)
    activation = "relu"

    def make_out(self):
        self.out = np.empty_like(self.delta)
        self.padded = self.layer.empty(*self.delta.shape)

    def fastnn(self):
        self.layer.forward(self.x, out=self.padded)

    def numpy_product(self):
        np.matmul(self.x, self.W, out=self.out)

    def numpy(self):
        np.matmul(self.x, self.W, out=self.out)
        self.out += self.b
        np.maximum(self.out, 0, out=self.out)

    def time_forward(self, implementation, product, dtype):
        self.product()


class GradInput(Product):
    """delta W^T."""

    def make_out(self):
        self.out = np.empty_like(self.x)
        self.padded, self.kept = (self.layer.empty(*self.x.shape) for _ in range(2))

    def fastnn(self):
        self.layer.grad_input(self.delta, self.kept, out=self.padded)

    def numpy(self):
        np.matmul(self.delta, self.W.T, out=self.out)

    def time_grad_input(self, implementation, product, dtype):
        self.product()


class GradWeights(Product):
    """x^T delta, and delta summed over the batch."""

    def make_out(self):
        self.out, self.out_b = np.empty_like(self.W), np.empty_like(self.b)
        self.padded = self.layer.empty(*self.delta.shape)
        self.padded[: len(self.delta), : self.delta.shape[1]] = self.delta

    def fastnn(self):
        self.layer.grad_weights(self.x, self.padded, unpack=False)

    def numpy(self):
        np.matmul(self.x.T, self.delta, out=self.out)
        np.sum(self.delta, axis=0, out=self.out_b)

    def time_grad_weights(self, implementation, product, dtype):
        self.product()
