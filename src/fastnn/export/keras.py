"""Networks of Keras, taken over: nothing here imports it, since a model has its layers and weights with it."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

import numpy as np

from fastnn import layers
from fastnn.data.quoted import quoted
from fastnn.export.takeover import Takeover, along_axes, check_settings, unknown

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import ArrayLike

    from fastnn.estimators.sequential_classifier import SequentialClassifier
    from fastnn.estimators.sequential_regressor import SequentialRegressor

# Settings that a layer of Keras may have, and the values of which fastnn has the function.
_EXPECTED = {
    "data_format": ("channels_last", None),
    "reset_after": True,
    "stateful": False,
    "return_state": False,
    "rms_scaling": False,
    "keepdims": False,
    "noise_shape": None,
    "max_value": None,
    "threshold": (0, 0.0, None),
    "renorm": False,
    "synchronized": False,
    "quantization_config": None,
    "lora_rank": None,
}
# Keras's names of activations, where fastnn has others. Its leaky_relu has a slope of 0.2.
_ACTIVATIONS = {"exponential": "exp", "leaky_relu": "leaky_relu with a slope of 0.2"}


def from_keras(
    model: Any,
    *,
    classes: ArrayLike | None = None,
    multilabel: bool = False,
    **parameters: Any,
) -> SequentialClassifier | SequentialRegressor:
    # From tools/docstrings: <networks taken over>
    """A trained network of Keras's as a fitted network of layers, which predicts the same and can be trained further.

    Layers that Keras does not train become layers with ``trainable=False``.

    Parameters
    ----------
    model : keras.Sequential
        A built one of layers that fastnn has. Their names and settings are Keras's.
    classes : array-like, default=None
        The labels of the outputs, sorted: with them the network is a classifier, whose last layer may give logits.
        None: it is one if it ends in softmax or sigmoid, of the classes 0, 1, ...; else it predicts numbers.
    multilabel : bool, default=False
        Whether each output is a label of its own.
    **parameters
        The estimator's, such as ``learning_rate_init=1e-4`` for training further.

    Returns
    -------
    SequentialClassifier or SequentialRegressor

    Raises
    ------
    ValueError
        For a layer that fastnn lacks, or that has settings which fastnn lacks. The message names it.

    Notes
    -----
    Two probabilities become one output, of the difference of their logits. The optimizer's state, regularizers and
    constraints are not taken over.

    Examples
    --------
    >>> import keras  # doctest: +SKIP
    >>> from fastnn.export import from_keras
    >>> network = keras.Sequential([keras.Input((20, 3)), keras.layers.GRU(8), keras.layers.Dense(2, "softmax")])
    ... # doctest: +SKIP
    >>> from_keras(network, classes=["down", "up"])  # doctest: +SKIP
    SequentialClassifier(input_shape=(20, 3), layers=[GRU(8)])
    """
    if "Sequential" not in [cls.__name__ for cls in type(model).__mro__]:
        raise ValueError(f"model must be a Sequential of Keras's, got {quoted(type(model))}")
    if not model.built:
        raise ValueError("model must be built, so that its layers have weights, got one without")
    shape = tuple(model.input_shape[1:])
    takeover = Takeover((None, 1) if shape == (None,) else shape)
    for what, layer in _flattened(model, "model"):
        kind = type(layer).__name__
        KINDS.get(kind, _unknown)(takeover, f"{what}, a {kind},", layer, layer.get_config())
    return takeover.finished(classes, multilabel, parameters)


def _flattened(model, what):
    """The layers of nested sequences, with their names."""
    for i, layer in enumerate(model.layers):
        if type(layer).__name__ == "Sequential":
            yield from _flattened(layer, f"{what}.layers[{i}]")
        elif type(layer).__name__ != "InputLayer":
            yield f"{what}.layers[{i}]", layer


def _unknown(takeover, what, layer, config):
    unknown(what.split(",")[0], type(layer).__name__, ["Sequential", *KINDS])


def _name(value):
    """An activation of a configuration as fastnn's name of it."""
    if isinstance(value, dict):  # a layer or a function of the user's
        value = value.get("config", value)
        value = value.get("name", value) if isinstance(value, dict) else value
    return _ACTIVATIONS.get(value, value)


def _settings(what, cls, config):
    """The settings of one of fastnn's layers, from a configuration."""
    check_settings(what, config, _EXPECTED)
    its = {field.name: config[field.name] for field in fields(cls) if field.name in config}
    its = {name: value for name, value in its.items() if not name.endswith("initializer")}
    for name in its.keys() & {"activation", "recurrent_activation"}:
        its[name] = _name(its[name])
    its = {name: along_axes(value) if isinstance(value, (list, tuple)) else value for name, value in its.items()}
    return its | {"strides": None} if its.get("strides") == its.get("pool_size", its) else its


def _alike(takeover, what, layer, config):
    """A layer whose name and settings fastnn has as Keras does."""
    cls = getattr(layers, type(layer).__name__)
    its = _settings(what, cls, config)
    head = its.pop("activation") if cls is layers.Dense and its["activation"] == "softmax" else None
    if head is not None:
        its["activation"] = None
    made = cls(**its)
    made.check(what)
    names = made.weight_shapes((*takeover.shape[:-1], takeover.shape[-1]))
    takeover.add(what, made, dict(zip(names, layer.get_weights(), strict=True)))
    if head is not None:
        takeover.activate(what, head)


def _normalization(takeover, what, layer, config):
    """BatchNormalization and LayerNormalization, which Keras may have without gamma or beta."""
    cls = getattr(layers, type(layer).__name__)
    last = len(takeover.shape)
    axis = config["axis"]
    check_settings(what, {"axis": axis if isinstance(axis, int) else tuple(axis)}, {"axis": (-1, last, (-1,), (last,))})
    arrays, n = layer.get_weights(), takeover.shape[-1]
    weights = {"gamma": arrays.pop(0) if config["scale"] else np.ones(n, np.float32)}
    weights["beta"] = arrays.pop(0) if config["center"] else np.zeros(n, np.float32)
    names = ("moving_mean", "moving_variance") if cls is layers.BatchNormalization else ()
    takeover.add(what, cls(**_settings(what, cls, config)), weights | dict(zip(names, arrays, strict=True)))


def _bidirectional(takeover, what, layer, config):
    cells = [getattr(layer, name) for name in ("forward_layer", "backward_layer")]
    configs = [cell.get_config() for cell in cells]
    cls = {name: getattr(layers, name) for name in _CELLS}.get(type(cells[0]).__name__)
    if cls is None or type(cells[1]) is not type(cells[0]):
        unknown(f"the layer of {what.rstrip(',')}", type(cells[0]).__name__, _CELLS)
    forward, backward = (_settings(what, cls, each) for each in configs)
    check_settings(what, backward | {"go_backwards": not backward["go_backwards"]}, {
        name: (value,) for name, value in forward.items() if name != "trainable"
    })  # fmt: skip
    its = forward | {"trainable": layer.trainable}
    made = layers.Bidirectional(cls(**its), config["merge_mode"])
    takeover.add(what, made, dict(zip(made.weight_shapes(takeover.shape), layer.get_weights(), strict=True)))


def _reshape(takeover, what, layer, config):
    takeover.add(what, layers.Reshape(tuple(layer.output.shape[1:])))


def _activation(takeover, what, layer, config):
    takeover.activate(what, _name(config["activation"]))


def _function(name, **expected):
    """A layer that is an activation alone."""

    def add(takeover, what, layer, config):
        check_settings(what, config, _EXPECTED | expected)
        takeover.activate(what, name)

    return add


_CELLS = "SimpleRNN", "GRU", "LSTM"
_ALIKE = (
    *("AveragePooling1D", "AveragePooling2D", "Conv1D", "Conv2D", "Dense", "Dropout", "Embedding", "Flatten"),
    *("GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalMaxPooling1D", "GlobalMaxPooling2D", "Masking"),
    *("MaxPooling1D", "MaxPooling2D", "Rescaling", *_CELLS),
)
#: A function for each kind of layer, by the name of its class.
KINDS = {
    **dict.fromkeys(_ALIKE, _alike),
    "Activation": _activation,
    "BatchNormalization": _normalization,
    "Bidirectional": _bidirectional,
    "ELU": _function("elu", alpha=1.0),
    "LayerNormalization": _normalization,
    "LeakyReLU": _function("leaky_relu", negative_slope=0.01),
    "ReLU": _function("relu", negative_slope=(0, 0.0, None)),
    "Reshape": _reshape,
    "Softmax": _function("softmax", axis=-1),
}
