"""Small networks, and data to train them on."""

from itertools import pairwise

import numpy as np

from fastnn.engine.network import Network
from fastnn.engine.optimizer import Optimizer
from fastnn.engine.trainer import Trainer

# Settings that tell every part of an optimizer's formula from every other. epsilon is large enough that gradients that
# are zero but for rounding do not move weights by whole steps.
SETTINGS = {
    "gradient": {"learning_rate": 1.0},
    "sgd": {"learning_rate": 0.1},
    "momentum": {"learning_rate": 0.05, "decay_1": 0.9},
    "nesterov": {"learning_rate": 0.05, "decay_1": 0.9},
    "rmsprop": {"learning_rate": 0.01, "decay_1": 0.9, "epsilon": 1e-3},
    "adam": {"learning_rate": 0.01, "decay_1": 0.9, "decay_2": 0.99, "epsilon": 1e-3},
}


def random_weights(rng, sizes, dtype="float64"):
    """Lists of W and of b, no bias zero, that keep sums of order 1."""
    coefs = [rng.normal(0, n**-0.5, (n, m)).astype(dtype) for n, m in pairwise(sizes)]
    return coefs, [rng.normal(0, 0.5, m).astype(dtype) for m in sizes[1:]]


def random_targets(rng, head, n_samples, n_outputs):
    if head == "softmax":
        return rng.integers(0, n_outputs, n_samples, dtype=np.int32)
    return rng.integers(0, 2, (n_samples, n_outputs), dtype=np.uint8)


def make_trainer(weights, activations, head, optimizer, batch_size, n_threads=1, level=None, **settings):
    """A network with these weights, of their type, and a trainer for it."""
    coefs, intercepts = weights
    sizes = [len(coefs[0]), *map(len, intercepts)]
    network = Network(sizes, activations, head, coefs[0].dtype, level)
    network.set_weights(coefs, intercepts)
    return Trainer(network, Optimizer(optimizer, **settings), batch_size, n_threads)


def all_weights(network):
    """Every W and b of a network, one after the other."""
    coefs, intercepts = network.weights()
    return np.concatenate([p.ravel() for p in coefs + intercepts])
