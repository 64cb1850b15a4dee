"""Small networks, and data to train them on."""

from itertools import chain, pairwise

import numpy as np

from fastnn.engine.loss import Loss
from fastnn.engine.network import Network
from fastnn.engine.optimizer import Optimizer
from fastnn.engine.trainer import Trainer

# Settings that tell every part of an optimizer's formula from every other. epsilon is large enough that gradients that
# are zero but for rounding do not move weights by whole steps.
SETTINGS = {
    "gradient": {"learning_rate": 1.0},
    "accumulate": {"learning_rate": 1.0},
    "sgd": {"learning_rate": 0.1},
    "momentum": {"learning_rate": 0.05, "decay_1": 0.9},
    "nesterov": {"learning_rate": 0.05, "decay_1": 0.9},
    "rmsprop": {"learning_rate": 0.01, "decay_1": 0.9, "epsilon": 1e-3},
    "adam": {"learning_rate": 0.01, "decay_1": 0.9, "decay_2": 0.99, "epsilon": 1e-3},
    "adagrad": {"learning_rate": 0.05, "epsilon": 0.1},
}

# Each loss, with a head that it is for, and settings that tell every part of its formula from every other.
LOSSES = {
    "softmax": ("softmax", 0.0),
    "logistic": ("logistic", 0.0),
    "poisson": ("exp", 0.0),
    "squared_error": ("identity", 0.0),
    "absolute_error": ("identity", 0.0),
    "huber": ("tanh", 0.7),
    "quantile": ("gelu", 0.8),
}


def random_weights(rng, sizes, dtype="float64"):
    """Lists of W and of b, no bias zero, that keep sums of order 1."""
    coefs = [rng.normal(0, n**-0.5, (n, m)).astype(dtype) for n, m in pairwise(sizes)]
    return coefs, [rng.normal(0, 0.5, m).astype(dtype) for m in sizes[1:]]


def random_targets(rng, loss, n_samples, n_outputs):
    if loss == "softmax":
        return rng.integers(0, n_outputs, n_samples, dtype=np.int32)
    if loss == "logistic":
        return rng.integers(0, 2, (n_samples, n_outputs), dtype=np.uint8)
    if loss == "poisson":
        return rng.poisson(1.5, (n_samples, n_outputs))
    return rng.normal(size=(n_samples, n_outputs))


def make_loss(name, n_outputs):
    head, settings = LOSSES[name]
    return Loss(name, head, n_outputs, settings)


def dense_layers(sizes, activations):
    """The description of dense layers of so many units, the last one's activation being identity."""
    return [("dense", units, name) for units, name in zip(sizes, [*activations, "identity"], strict=True)]


def joined(coefs, intercepts):
    """The weights of dense layers as networks list them: W and b of the first, and so on."""
    return list(chain(*zip(coefs, intercepts, strict=True)))


def parted(weights):
    """The reverse: every W, and every b."""
    return weights[::2], weights[1::2]


def make_network(weights, activations, head, level=None, groups=None):
    """A network of dense layers with these weights, of their type."""
    coefs, intercepts = weights
    layers, shape = dense_layers(list(map(len, intercepts)), activations), coefs[0].shape[:1]
    return Network(layers, shape, head, coefs[0].dtype, level, groups, joined(coefs, intercepts))


def make_trainer(
    weights,
    activations,
    loss,
    optimizer,
    batch_size,
    n_threads=1,
    level=None,
    *,
    dropout=(),
    clip_norm=None,
    seed=0,
    **settings,
):
    """A trainer, for a loss or the name of one, of a network with these weights, of their type."""
    if isinstance(loss, str):
        loss = make_loss(loss, len(weights[1][-1]))
    groups = loss.groups if loss.name == "softmax" else None
    network = make_network(weights, activations, loss.head, level, groups)
    return Trainer(
        network,
        loss,
        Optimizer(optimizer, **settings),
        batch_size,
        n_threads,
        dropout=dropout,
        clip_norm=clip_norm,
        seed=seed,
    )


def all_weights(network):
    """Every W and b of a network, one after the other."""
    coefs, intercepts = parted(network.weights())
    return np.concatenate([p.ravel() for p in coefs + intercepts])
