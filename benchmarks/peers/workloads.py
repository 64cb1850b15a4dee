"""What the peers are compared on: networks and how they are trained, described once for all of them.

A peer's file builds its network from `Workload.chain`. A new row of WORKLOADS needs no other change; a new kind of
layer needs its class here, and a line in the file of each peer that has it.
"""

from dataclasses import dataclass, replace
from itertools import accumulate
from math import prod

#: Every solver's, in all peers; a workload may have a learning rate of its own.
LEARNING_RATE, EPSILON = 1e-3, 1e-8
RMSPROP_DECAY = 0.9
ADAM_DECAYS = 0.9, 0.999


class CannotRun(Exception):
    """A peer cannot run a workload; the message says why, in one line."""


# -- layers: names and arguments are Keras's; images are of shape (height, width, channels), sequences (steps, features)


class Layer:
    """What most layers without weights say of themselves."""

    def shape_after(self, shape):
        return shape

    def multiply_adds(self, shape):
        """Those of the products forward, for an input of that shape."""
        return 0

    def input_multiply_adds(self, shape):
        """Of these, those with the layer's input, whose gradient the first layer does not need."""
        return self.multiply_adds(shape)


@dataclass(frozen=True)
class Dense(Layer):
    """A map is flattened first."""

    units: int
    activation: str = "relu"

    def shape_after(self, shape):
        return (self.units,)

    def multiply_adds(self, shape):
        return prod(shape) * self.units


@dataclass(frozen=True)
class Conv2D(Layer):
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
class Conv1D(Layer):
    """Its stride is 1, and its sequences keep their lengths."""

    filters: int
    kernel_size: int
    activation: str = "relu"
    padding: str = "same"

    def shape_after(self, shape):
        return shape[0], self.filters

    def multiply_adds(self, shape):
        return prod(shape) * self.kernel_size * self.filters


@dataclass(frozen=True)
class _Pooling2D(Layer):
    """Its strides are its size."""

    pool_size: int

    def shape_after(self, shape):
        return shape[0] // self.pool_size, shape[1] // self.pool_size, shape[2]


class MaxPooling2D(_Pooling2D):
    pass


class AveragePooling2D(_Pooling2D):
    pass


@dataclass(frozen=True)
class GlobalMaxPooling1D(Layer):
    def shape_after(self, shape):
        return shape[1:]


@dataclass(frozen=True)
class Embedding(Layer):
    """A vector for each token, of which there are `input_dim`."""

    input_dim: int
    output_dim: int

    def shape_after(self, shape):
        return shape[0], self.output_dim


@dataclass(frozen=True)
class _Recurrent(Layer):
    units: int
    return_sequences: bool = False

    n_products = 1  # of the input, and as many of the state

    def shape_after(self, shape):
        return (shape[0], self.units) if self.return_sequences else (self.units,)

    def multiply_adds(self, shape):
        return self.input_multiply_adds((shape[0], shape[1] + self.units))

    def input_multiply_adds(self, shape):
        return shape[0] * self.n_products * self.units * shape[1]


class SimpleRNN(_Recurrent):
    pass


class GRU(_Recurrent):
    """A GRU whose reset gate is applied after the product."""

    n_products = 3


class LSTM(_Recurrent):
    n_products = 4


@dataclass(frozen=True)
class Bidirectional(Layer):
    """The layer, and another one from the last step to the first; what they make is concatenated."""

    layer: _Recurrent

    def shape_after(self, shape):
        *steps, units = self.layer.shape_after(shape)
        return *steps, 2 * units

    def multiply_adds(self, shape):
        return 2 * self.layer.multiply_adds(shape)

    def input_multiply_adds(self, shape):
        return 2 * self.layer.input_multiply_adds(shape)


@dataclass(frozen=True)
class Dropout(Layer):
    rate: float


def named_in(module, layer):
    """The layer of the same name and with the same arguments, of a package that has Keras's names."""
    arguments = {name: named_in(module, value) if name == "layer" else value for name, value in vars(layer).items()}
    return getattr(module, type(layer).__name__)(**arguments)


# -- workloads --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Workload:
    """A network with softmax and cross-entropy, how it is trained, and on what.

    `layers` are those before the output layer; `data` is a name of `data.DATA`; of its samples `n_samples` are used, or
    all where that is None. `epochs_at_once` are trained by one call, which would else take a part of short epochs. The
    score is that after all epochs that were timed, or after `epochs` where that is more.

    Where `input_shape` begins with None, samples are sequences of different lengths, and one without features is one of
    tokens. Peers that have no such samples put zeros before them, and cut them, so that all have `padded_to` steps;
    None: the peer has a form of its own for them, or cannot run. Where `n_classes` is None, a number is estimated, and
    the loss is the squared error.
    """

    layers: tuple
    data: str
    input_shape: tuple
    n_classes: int | None
    batch_size: int
    solver: str
    n_samples: int | None = None
    epochs_at_once: int = 1
    epochs: int = 1
    learning_rate: float = LEARNING_RATE
    clip_norm: float | None = None
    padded_to: int | None = None

    @property
    def ragged(self):
        """Whether samples have different lengths."""
        return self.input_shape[0] is None

    @property
    def chain(self):
        """Every layer with the shape of its input; the last is the output layer."""
        output = Dense(1, "linear") if self.n_classes is None else Dense(self.n_classes, "softmax")
        layers = (*self.layers, output)
        shapes = accumulate(layers, lambda shape, layer: layer.shape_after(shape), initial=self.input_shape)
        return list(zip(layers, shapes, strict=False))

    @property
    def sizes(self):
        """The sizes of a network that has only dense layers with ReLU; None if it has others."""
        if not all(isinstance(layer, Dense) and layer.activation == "relu" for layer in self.layers):
            return None
        return *self.input_shape, *(layer.units for layer in self.layers), self.n_classes

    def flops(self, n_steps=None):
        """Floating-point operations of the products in training, for each sample: those with zeros are counted, too.

        A layer has three products: forward, the gradient of its weights, and that of its input. The first layer's input
        needs no gradient. Samples have `n_steps` on average, where their lengths differ.
        """
        workload = replace(self, input_shape=(n_steps, *self.input_shape[1:])) if self.ragged else self
        multiply_adds = [layer.multiply_adds(shape) for layer, shape in workload.chain]
        of_inputs = (layer.input_multiply_adds(shape) for layer, shape in workload.chain)
        # An embedding has no products, and learns from the gradient by what it makes.
        not_needed = 0 if isinstance(workload.chain[0][0], Embedding) else next(filter(None, of_inputs))
        return 2 * (3 * sum(multiply_adds) - not_needed)


MNIST_ROWS = {"data": "mnist", "input_shape": (784,), "n_classes": 10}
MNIST_IMAGES = {"data": "mnist", "input_shape": (28, 28, 1), "n_classes": 10}
MNIST_SEQUENCES = {"data": "mnist", "input_shape": (28, 28), "n_classes": 10, "n_samples": 12_800, "batch_size": 128}
REVIEWS = {"data": "reviews", "input_shape": (None,), "n_classes": 2, "padded_to": 40, "epochs": 8, "batch_size": 50}
N_WORDS = 10_000

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
    # The rows of an image as a sequence
    "gru": Workload((GRU(128),), solver="adam", **MNIST_SEQUENCES),
    "lstm": Workload((LSTM(128),), solver="adam", **MNIST_SEQUENCES),
    "rnn": Workload((SimpleRNN(128),), solver="adam", **MNIST_SEQUENCES),
    "bigru": Workload((Bidirectional(GRU(64)),), solver="adam", **MNIST_SEQUENCES),
    # Vowels of nine speakers, from 7 to 29 steps long
    "vowels": Workload(
        (GRU(64),),
        "vowels",
        (None, 12),
        9,
        batch_size=32,
        solver="adam",
        epochs_at_once=5,
        epochs=60,
        learning_rate=3e-3,
        clip_norm=1.0,
    ),
    # Sentences of film reviews, from 1 to 59 words long
    "reviews_conv": Workload(
        (Embedding(N_WORDS, 100), Conv1D(100, 5), GlobalMaxPooling1D(), Dropout(0.5)), solver="adam", **REVIEWS
    ),
    "reviews_gru": Workload(
        (
            Embedding(N_WORDS, 100),
            Bidirectional(GRU(64, return_sequences=True)),
            GlobalMaxPooling1D(),
            Dropout(0.5),
        ),
        solver="adam",
        **REVIEWS,
    ),
    # What padding costs: most sequences are much shorter than the longest
    "lengths": Workload((GRU(64),), "lengths", (None, 8), 4, batch_size=32, solver="adam", padded_to=1000),
    # Hochreiter and Schmidhuber (1997), with a fixed set of sequences
    "adding": Workload(
        (GRU(64),),
        "adding",
        (200, 2),
        None,
        batch_size=50,
        solver="adam",
        epochs=10,
        learning_rate=3e-3,
        clip_norm=1.0,
    ),
}
