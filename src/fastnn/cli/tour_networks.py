"""The networks of fastnn tour, a class for each kind: by fastnn, and the same one in NumPy and in PyTorch."""

from argparse import Namespace
from typing import NamedTuple

import numpy as np

import fastnn
from fastnn.cli.numpy_network import NumpyNetwork
from fastnn.cli.numpy_perceptron import NumpyPerceptron
from fastnn.cli.train import Data, load_data
from fastnn.cli.train_modular import Quarters
from fastnn.cli.trainable import Conv, Mlp, Recurrent

INPUTS = (0, 0), (0, 1), (1, 0), (1, 1)
#: Functions of two inputs, by their values at INPUTS. No line has the 0s of XOR on one side and its 1s on the other.
LOGIC = {"AND": (0, 0, 0, 1), "OR": (0, 1, 1, 1), "NAND": (1, 1, 1, 0), "XOR": (0, 1, 1, 0)}
N_CLASSES = 10  # of the digits


class Settings(NamedTuple):
    """The options of the command that networks depend on."""

    seed: int
    n_threads: int
    dtype: type  # float32 or float64 of NumPy


class TourNetwork:
    """A network, its data, and how it is trained: by Adam where a subclass does not say otherwise.

    A subclass has the methods `model`, `numpy` and `torch`. Each returns the network untrained: fastnn's estimator, or
    an object with `fit(X, y, n_epochs)`, `predict(X)` and `n_parameters`. The argument of `torch` is the module
    `torch_networks`, whose import needs PyTorch.

    Attributes
    ----------
    kind : str
    data : Data
    n_epochs, n_threads : int
    """

    def __init__(self, data, settings):
        self.data, self.settings, self.n_threads = data, settings, settings.n_threads

    def parameters(self):
        """The parameters of fastnn's estimators."""
        return {
            "solver": "adam",
            "alpha": 0,
            "batch_size": self.batch_size,
            "learning_rate_init": self.learning_rate,
            "max_iter": self.n_epochs,
            "n_iter_no_change": np.inf,
            "random_state": self.settings.seed,
            "n_threads": self.n_threads,
        }

    def of_numpy(self, make, *shape):
        """A network in NumPy, with fastnn's initial weights and batches."""
        generator = np.random.RandomState(self.settings.seed)
        return make(*shape, "adam", self.learning_rate, self.batch_size, self.settings.dtype, generator)

    def of_torch(self, networks, make, *shape):
        """A network in PyTorch."""
        training = self.learning_rate, self.batch_size, self.settings.dtype, self.settings.seed
        return networks.TorchTraining(lambda: make(*shape), *training)


class OfLogic(TourNetwork):
    """What networks share that learn a function of LOGIC: all its samples are there, to train on and to test with."""

    def __init__(self, function, settings):
        X, y = np.array(INPUTS, settings.dtype), np.array(LOGIC[function])
        super().__init__(Data(function, X, y, X, y), settings._replace(n_threads=1))  # there is no work to share out


class Perceptron(OfLogic):
    """A perceptron, which takes the samples in the order that they have."""

    kind, n_epochs = "perceptron", 20

    def model(self):
        return fastnn.Perceptron(max_iter=self.n_epochs, tol=None, shuffle=False)

    def numpy(self):
        return NumpyPerceptron(len(INPUTS[0]), self.settings.dtype)

    def torch(self, networks):
        return networks.TorchPerceptron(len(INPUTS[0]), self.settings.dtype)


class FeedForward(OfLogic):
    """A network with one hidden layer."""

    kind, n_epochs, batch_size, learning_rate, sizes = "feed-forward", 100, len(INPUTS), 0.05, (2, 16, 1)

    def model(self):
        return fastnn.MLPClassifier(self.sizes[1:-1], **self.parameters())

    def numpy(self):
        return self.of_numpy(NumpyNetwork, self.sizes)

    def torch(self, networks):
        return self.of_torch(networks, networks.dense_layers, self.sizes)


class OfDigits(TourNetwork):
    """A network of `fastnn train`, on digits: a subclass says which, with which options, and how it reads them."""

    n_epochs, batch_size = 10, 64

    def __init__(self, settings):
        digits = load_data(dtype=settings.dtype)
        defaults, _ = self.trainable.defaults
        self.learning_rate = defaults["learning_rates"]["adam"]
        self.network = self.trainable(Namespace(**defaults | self.options), digits.X.shape[1:], N_CLASSES)
        super().__init__(digits.read_by(self.network)._replace(name=self.reads), settings)

    def model(self):
        return self.network.model(**self.parameters())

    def numpy(self):
        return self.of_numpy(self.network.baseline)


class Multilayer(OfDigits):
    kind, reads, trainable, options = "multilayer", "digits", Mlp, {"hidden": (256, 128)}

    def torch(self, networks):
        return self.of_torch(networks, networks.dense_layers, self.network.sizes)


class Convolutional(OfDigits):
    kind, reads, trainable, options = "convolutional", "digits, as images", Conv, {"filters": (8, 16)}

    def torch(self, networks):
        shape = self.network.image_shape, self.network.filters, N_CLASSES, self.network.padding
        return self.of_torch(networks, networks.convolutions, *shape)


class RecurrentNetwork(OfDigits):
    kind, reads, trainable, options = "recurrent", "digits, row by row", Recurrent, {"units": 64}

    def torch(self, networks):
        shape = self.network.image_shape[1], self.network.units, N_CLASSES
        return self.of_torch(networks, networks.Recurrent, *shape)


class Modular(OfDigits):
    """Four networks, each on a quarter of an image."""

    kind, reads, trainable, options = "modular", "digits, in quarters", Quarters, {"hidden": (256, 128)}

    def numpy(self):
        return Together(self.network, lambda sizes: self.of_numpy(NumpyNetwork, sizes))

    def torch(self, networks):
        return Together(self.network, lambda sizes: self.of_torch(networks, networks.dense_layers, sizes))


class Together:
    """The modules of `Quarters`: the likeliest class is that with the largest product of their probabilities.

    Parameters
    ----------
    quarters : Quarters
    make : callable
        Returns a network of dense layers, of which it takes the sizes.
    """

    def __init__(self, quarters, make):
        self.modules = [
            (columns, make((len(columns), *quarters.of_modules, N_CLASSES))) for columns in quarters.columns().values()
        ]

    @property
    def n_parameters(self):
        return sum(network.n_parameters for _, network in self.modules)

    def fit(self, X, y, n_epochs):
        for columns, network in self.modules:
            network.fit(X[:, columns], y, n_epochs)

    def predict(self, X):
        return np.prod([network.predict_proba(X[:, columns]) for columns, network in self.modules], axis=0).argmax(1)


def networks(settings):
    """The networks in the order of the tour, each made when it is its turn."""
    for function in LOGIC:
        yield Perceptron(function, settings)
    yield FeedForward("XOR", settings)
    for kind in Multilayer, Convolutional, RecurrentNetwork, Modular:
        yield kind(settings)
