"""The three products of a dense layer, beside NumPy's matmul into an array made once.

fastnn reads and writes what it would in training: weights packed once, activations and errors in rows padded to whole
tiles. The gradient of the input includes transposing the error, which in training the layer above does.
"""

import itertools

import numpy as np

from fastnn.engine.standalone import Dense
from fastnn.runtime.threads import effective_n_threads

from .measuring import _Tracked, figures

#: (rows, fan_in, fan_out) of a batch and a layer: the reference network's hidden ones, and a large square.
SHAPES = {"64 x 784 x 512": (64, 784, 512), "64 x 512 x 256": (64, 512, 256), "2048 x 2048 x 2048": (2048,) * 3}
DTYPES = ["float32", "float64"]


class _Product:
    """A layer and a batch, and one product of them by each implementation."""

    activation = "identity"

    def __init__(self, shape, dtype):
        rows, fan_in, fan_out = SHAPES[shape]
        rng = np.random.default_rng(0)
        self.W, self.x, self.delta = (
            rng.uniform(-1, 1, shape).astype(dtype) for shape in ((fan_in, fan_out), (rows, fan_in), (rows, fan_out))
        )
        self.b = rng.uniform(-1, 1, fan_out).astype(dtype)
        self.layer = Dense(self.W, self.b, activation=self.activation, n_threads=effective_n_threads())
        self.make_out()
        self.fastnn()  # threads started, memory touched


class _Forward(_Product):
    """relu(x W + b); "numpy_product" is x W alone."""

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


class _GradInput(_Product):
    """delta W^T."""

    def make_out(self):
        self.out = np.empty_like(self.x)
        self.padded, self.kept = (self.layer.empty(*self.x.shape) for _ in range(2))

    def fastnn(self):
        self.layer.grad_input(self.delta, self.kept, out=self.padded)

    def numpy(self):
        np.matmul(self.delta, self.W.T, out=self.out)


class _GradWeights(_Product):
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


PRODUCTS = {"forward": _Forward, "grad_input": _GradInput, "grad_weights": _GradWeights}


class Products:
    """Each product by each implementation; NumPy's forward product is timed without bias and ReLU, too."""

    param_names = ("implementation", "product", "shape", "dtype")
    params = (["fastnn", "numpy", "numpy_product"], list(PRODUCTS), list(SHAPES), DTYPES)

    def setup(self, implementation, product, shape, dtype):
        self.work = getattr(PRODUCTS[product](shape, dtype), implementation, None)
        if self.work is None:
            raise NotImplementedError(f"{product} is nothing but a product")  # asv then shows n/a

    def time_product(self, implementation, product, shape, dtype):
        self.work()


class Figures(_Tracked):
    """What each product comes to, on all threads."""

    param_names = ("product", "shape", "dtype")
    params = (list(PRODUCTS), list(SHAPES), DTYPES)

    def setup_cache(self):
        return {
            (name, shape, dtype): self._measured(PRODUCTS[name](shape, dtype), shape, dtype)
            for name, shape, dtype in itertools.product(*self.params)
        }

    @staticmethod
    def _measured(product, shape, dtype):
        return figures(2.0 * np.prod(SHAPES[shape]), product.fastnn, product.numpy, dtype)
