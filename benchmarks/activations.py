"""Every activation of the registry over an array, on one thread, beside what one would write in NumPy."""

import numpy as np
from scipy.special import erf

from fastnn.engine.activation import activate, activation_names

#: A batch of 64 after a layer of 512: it fits the second-level cache, as it does in training.
SHAPE = (64, 512)

NUMPY = {
    "identity": np.copy,
    "relu": lambda z: np.maximum(z, 0),
    "logistic": lambda z: 1 / (1 + np.exp(-z)),
    "tanh": np.tanh,
    "leaky_relu": lambda z: np.where(z > 0, z, 0.01 * z),
    "elu": lambda z: np.where(z > 0, z, np.expm1(np.minimum(z, 0))),
    "softplus": lambda z: np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z))),
    "exp": np.exp,
    "gelu": lambda z: 0.5 * z * (1 + erf(z * 0.5**0.5)),
    "silu": lambda z: z / (1 + np.exp(-z)),
}


class Activation:
    """f(z)."""

    param_names = ("implementation", "activation", "dtype")
    params = (["fastnn", "numpy"], list(activation_names), ["float32", "float64"])

    def setup(self, implementation, activation, dtype):
        self.z = np.random.default_rng(0).normal(size=SHAPE).astype(dtype)
        if implementation == "fastnn":
            self.function = lambda z: activate(activation, z)
        elif activation in NUMPY:
            self.function = NUMPY[activation]
        else:
            raise NotImplementedError(f"nobody wrote {activation} in NumPy yet")  # asv then shows n/a

    def time_activation(self, implementation, activation, dtype):
        self.function(self.z)
