"""Fitted networks of layers made from weights."""

import math

import numpy as np

from fastnn.data.quoted import quoted
from fastnn.engine.network import Network
from fastnn.estimators.ineffective import warn_of_ineffective
from fastnn.estimators.sequential import checked_weights
from fastnn.estimators.sequential_data import checked_shape
from fastnn.estimators.sklearn_bridge import checked_array
from fastnn.layers import Reshape
from fastnn.layers.chain import check_layers, deciding_layer, named
from fastnn.training.state import TrainingState


def last_names(weights):
    """The names of the output layer's kernel and bias, for messages."""
    i = len(weights) - 1
    return f"weights[{i}]['kernel']", f"weights[{i}]['bias']"


def n_outputs_of(weights):
    """The number of outputs of a network with these weights.

    Raises
    ------
    ValueError
        If the last of them are not a dense layer's.
    """
    if not isinstance(weights, (list, tuple)) or not weights or not isinstance(weights[-1], dict):
        raise ValueError(f"weights must be a list of dicts, the output layer's last, got {quoted(weights)}")
    if "kernel" not in weights[-1]:
        raise ValueError(
            f"weights[{len(weights) - 1}] must be the output layer's, with the names ['kernel', 'bias'], "
            f"got {quoted(list(weights[-1]))}"
        )
    name = last_names(weights)[0]
    kernel = checked_array(name, weights[-1]["kernel"], "(fan_in, n_outputs)")
    if kernel.ndim != 2 or kernel.shape[1] < 1:
        raise ValueError(f"{name} must have shape (fan_in, n_outputs), got {kernel.shape}")
    return kernel.shape[1]


def _shape_of_sample(model, weights):
    """The shape of a sample: `input_shape`, or as many columns as are reshaped or as the first weights are for."""
    if model.input_shape is not None:
        shape = checked_shape(model.input_shape)
        return shape if None in shape else (math.prod(shape),)
    i = deciding_layer(model.layers)
    if i is not None:
        any_length = ", or (None, channels)," if model.layers[i].reads == "sequence" else ""
        raise ValueError(f"input_shape must be a tuple of integers{any_length} for {named(model.layers, i)}, got None")
    for layer, of_layer in zip((*model.layers, None), weights, strict=False):  # their numbers are checked later
        if isinstance(layer, Reshape):
            return (math.prod(layer.target_shape),)
        if of_layer:
            break
    return np.shape(next(iter(of_layer.values())))[:1]


def fill_from_layers(model, targets, weights):
    """Make a new model a fitted one.

    Parameters
    ----------
    model : BaseSequential
        A model that is not fitted.
    targets : Labels or Numbers
    weights : sequence of dict of str to array-like
        The weights of each layer, the output layer's last.

    Returns
    -------
    BaseSequential

    Raises
    ------
    ValueError
        For weights that do not fit the layers.
    """
    check_layers(model.layers)
    for i, of_layer in enumerate(weights):
        if not isinstance(of_layer, dict):
            raise ValueError(f"weights[{i}] must be a dict of arrays, got {quoted(of_layer)}")
    model._set_input_shape(_shape_of_sample(model, weights))
    chain = model._chain_for(model.input_shape_, targets.n_outputs)
    warn_of_ineffective(model, held_out=True)  # a later fit may hold samples out
    given = [np.asarray(array) for of_layer in weights for array in of_layer.values()]
    dtype = np.result_type(*given, np.float32) if model.dtype is None else np.dtype(model.dtype)
    arrays = checked_weights(weights, chain, dtype)
    network = Network(chain.description, chain.input_shape, targets.head, dtype, None, targets.groups, arrays)
    if None not in model.input_shape_:
        model.n_features_in_ = math.prod(model.input_shape_)  # the network's first layer may leave steps out
    model._set_fitted(network, targets, None, TrainingState.starting(model.random_state), 0)
    return model
