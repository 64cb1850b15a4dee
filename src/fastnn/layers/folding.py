"""Batch normalization folded into the layer before it, for predictions: the two are then one layer."""

from dataclasses import replace
from itertools import pairwise

import numpy as np

from fastnn.layers.activation import engine_activation
from fastnn.layers.convolution import Conv1D, Conv2D
from fastnn.layers.dense import Dense
from fastnn.layers.normalization import BatchNormalization


def foldings(layers):
    """Which layers can be folded into the one before them.

    What a dense or convolutional layer makes without an activation is a sum, and so is a multiple of it, shifted.

    Parameters
    ----------
    layers : sequence of Layer or None

    Returns
    -------
    list of (int, int)
        The numbers of a layer and of the batch normalization that follows it.
    """
    present = [i for i, layer in enumerate(layers) if layer is not None]
    return [
        (i, j) for i, j in pairwise(present) if _makes_sums(layers[i]) and isinstance(layers[j], BatchNormalization)
    ]


def folded(layers, weights):
    """The same function of X with fewer layers, which only predict.

    Parameters
    ----------
    layers : sequence of Layer or None
        The hidden layers.
    weights : sequence of dict
        The weights of each of them by their names, the output layer's last.

    Returns
    -------
    layers : tuple of Layer or None
        None is in the place of each layer that is folded into the one before.
    weights : list of dict
        In the type of the given ones. Numbers beyond its range are infinite.
    """
    layers, weights = [*layers], [*weights]
    for i, j in foldings(layers):
        weights[i], weights[j] = _folded_weights(weights[i], weights[j], layers[j].epsilon), {}
        layers[i], layers[j] = replace(layers[i], use_bias=True), None
    return tuple(layers), weights


def _makes_sums(layer):
    return isinstance(layer, (Dense, Conv1D, Conv2D)) and engine_activation(layer.activation) == "identity"


def _folded_weights(weights, normalization, epsilon):
    """The kernel and the bias of both layers, computed in float64."""
    gamma, beta, mean, variance = (array.astype(np.float64) for array in normalization.values())
    kernel, bias = weights["kernel"], weights.get("bias", 0)
    factor = gamma / np.sqrt(variance + epsilon)
    with np.errstate(over="ignore"):
        parts = {"kernel": kernel * factor, "bias": (bias - mean) * factor + beta}
        return {name: array.astype(kernel.dtype) for name, array in parts.items()}
