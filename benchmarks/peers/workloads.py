"""What the peers are compared on: networks and how they are trained, described once for all of them.

A peer's file builds its network from `Workload.chain`. A new row of WORKLOADS needs no other change; a new kind of
layer needs its class here, and a line in the file of each peer that has it.
"""

from dataclasses import dataclass
from itertools import accumulate
from math import prod

#: Every solver's, in all peers.
LEARNING_RATE, EPSILON = 1e-3, 1e-8
RMSPROP_DECAY = 0.9
ADAM_DECAYS = 0.9, 0.999


class CannotRun(Exception):
    """A peer cannot run a workload; the message says why, in one line."""


# -- layers: names and arguments are Keras's; images are of shape (height, width, channels) ---------------------------


@dataclass(frozen=True)
class Dense:
    """A map is flattened first."""

    units: int
    activation: str = "relu"

    def shape_after(self, shape):
        return (self.units,)

    def multiply_adds(self, shape):
        return prod(shape) * self.units


@dataclass(frozen=True)
class Conv2D:
    """Its kernel is square, and its strides are 1."""

    filters: int
    kernel_size: int
    activation: str = "relu"
    padding: str = "valid"

    def shape_after(self, shape):
        border = 0 if self.padding == "same" else self.kernel_size - 1
        return shape[0] - border, shape[1] - border, self.filters

    def multiply_adds(self, shape):
        return prod(self.shape_after(shape)) * self.kernel_size**2 * shape[2]


@dataclass(frozen=True)
class _Pooling2D:
    """Its strides are its size."""

    pool_size: int

    def shape_after(self, shape):
        return shape[0] // self.pool_size, shape[1] // self.pool_size, shape[2]

    def multiply_adds(self, shape):
        return 0


class MaxPooling2D(_Pooling2D):
    pass


class AveragePooling2D(_Pooling2D):
    pass


@dataclass(frozen=True)
class Dropout:
    rate: float

    def shape_after(self, shape):
        return shape

    def multiply_adds(self, shape):
        return 0


def named_in(module, layer):
    """The layer of the same name and with the same arguments, of a package that has Keras's names."""
    return getattr(module, type(layer).__name__)(**vars(layer))


# -- workloads --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Workload:
    """A network with softmax and cross-entropy, how it is trained, and on what.

    `layers` are those before the output layer; `data` is a name of `data.DATA`; of its samples `n_samples` are used, or
    all where that is None. `epochs_at_once` are trained by one call, which would else take a part of short epochs.
    """

    layers: tuple
    data: str
    input_shape: tuple
    n_classes: int
    batch_size: int
    solver: str
    n_samples: int | None = None
    epochs_at_once: int = 1

    @property
    def chain(self):
        """Every layer with the shape of its input; the last is the output layer."""
        layers = (*self.layers, Dense(self.n_classes, "softmax"))
        shapes = accumulate(layers, lambda shape, layer: layer.shape_after(shape), initial=self.input_shape)
        return list(zip(layers, shapes, strict=False))

    @property
    def sizes(self):
        """The sizes of a network that has only dense layers with ReLU; None if it has others."""
        if not all(isinstance(layer, Dense) and layer.activation == "relu" for layer in self.layers):
            return None
        return *self.input_shape, *(layer.units for layer in self.layers), self.n_classes

    def flops(self):
        """Floating-point operations of the products in training, for each sample: those with zeros are counted, too.

        A layer has three products: forward, the gradient of its weights, and that of its input. The first layer's input
        needs no gradient.
        """
        multiply_adds = [layer.multiply_adds(shape) for layer, shape in self.chain]
        first = next(filter(None, multiply_adds))
        return 2 * (3 * sum(multiply_adds) - first)


MNIST_ROWS = {"data": "mnist", "input_shape": (784,), "n_classes": 10}
MNIST_IMAGES = {"data": "mnist", "input_shape": (28, 28, 1), "n_classes": 10}

WORKLOADS = {
    # The reference network of README.md
    "reference": Workload((Dense(512), Dense(256)), batch_size=64, solver="rmsprop", **MNIST_ROWS),
    # Weights and the solver's memory are more than the caches hold
    "deep": Workload((Dense(1024),) * 4, batch_size=128, solver="rmsprop", **MNIST_ROWS),
    # Small networks
    "digits": Workload((Dense(100),), "digits", (64,), 10, batch_size=200, solver="adam", epochs_at_once=50),
    "table": Workload((Dense(64), Dense(64)), "table", (50,), 5, batch_size=128, solver="adam", epochs_at_once=5),
    # Keras's "Simple MNIST convnet"
    "convnet": Workload(
        (Conv2D(32, 3), MaxPooling2D(2), Conv2D(64, 3), MaxPooling2D(2), Dropout(0.5)),
        batch_size=128,
        solver="adam",
        n_samples=12_800,
        **MNIST_IMAGES,
    ),
    # LeCun et al. (1998), with softmax in place of Gaussian units
    "lenet": Workload(
        (
            Conv2D(6, 5, "tanh", padding="same"),
            AveragePooling2D(2),
            Conv2D(16, 5, "tanh"),
            AveragePooling2D(2),
            Dense(120, "tanh"),
            Dense(84, "tanh"),
        ),
        batch_size=128,
        solver="adam",
        n_samples=12_800,
        **MNIST_IMAGES,
    ),
}
