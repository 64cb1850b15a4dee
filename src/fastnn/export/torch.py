"""Networks of PyTorch, taken over: nothing here imports it, since a module has its weights with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fastnn import layers
from fastnn.data.quoted import quoted
from fastnn.export.takeover import Takeover, along_axes, check_settings, padding_like, unknown

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import ArrayLike

    from fastnn.estimators.sequential_classifier import SequentialClassifier
    from fastnn.estimators.sequential_regressor import SequentialRegressor

_ACTIVATIONS = {
    "ELU": "elu",
    "GELU": "gelu",
    "LeakyReLU": "leaky_relu",
    "ReLU": "relu",
    "SiLU": "silu",
    "Sigmoid": "logistic",
    "Softplus": "softplus",
    "Tanh": "tanh",
}
_OF_ACTIVATIONS = {"alpha": 1.0, "approximate": "none", "negative_slope": 0.01, "beta": 1}
_CELLS = {"RNN": layers.SimpleRNN, "GRU": layers.GRU, "LSTM": layers.LSTM}
# The places of PyTorch's gates in Keras's order: r, z, n of a GRU, which Keras has as z, r, h.
_GATES = {"RNN": [0], "GRU": [1, 0, 2], "LSTM": [0, 1, 2, 3]}


def from_torch(
    module: Any,
    input_shape: Sequence[int | None] | None = None,
    *,
    classes: ArrayLike | None = None,
    multilabel: bool = False,
    **parameters: Any,
) -> SequentialClassifier | SequentialRegressor:
    # From tools/docstrings: <networks taken over>
    """A trained network of PyTorch's as a fitted network of layers, which predicts the same and can be trained further.

    Samples have their channels last: images (height, width, channels), sequences (steps, channels), where PyTorch's
    convolutions have them first. A module whose parameters need no gradient becomes a layer with ``trainable=False``.

    Parameters
    ----------
    module : torch.nn.Sequential, or a list of modules
        Of Linear, Conv1d, Conv2d, RNN, GRU, LSTM, Embedding, pooling, normalization, dropout and activations. A
        recurrent module passes on its outputs at all steps where a module that reads sequences follows, and its last
        state elsewhere.
    input_shape : tuple of int, default=None
        The shape of one sample with the channels last; None as its first number stands for any number of steps. None:
        as the first module says, which must not be a Conv2d.
    classes : array-like, default=None
        The labels of the outputs, sorted: with them the network is a classifier, whose last module may give logits.
        None: it is one if it ends in Softmax or Sigmoid, of the classes 0, 1, ...; else it predicts numbers.
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
        For a module that fastnn lacks, or that has settings which fastnn lacks. The message names it.

    Notes
    -----
    Two logits become one, their difference. The optimizer's state and penalties are not taken over.

    Examples
    --------
    >>> from torch import nn  # doctest: +SKIP
    >>> from fastnn.export import from_torch
    >>> module = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 10))  # doctest: +SKIP
    >>> model = from_torch(module, (8, 8, 1), classes=range(10))  # doctest: +SKIP
    >>> model.set_params(layers__0__trainable=False).partial_fit(images, digits)  # doctest: +SKIP
    """
    modules = list(_flattened(module, "module"))
    reader = _Reader(Takeover(_first_shape(modules) if input_shape is None else input_shape), modules)
    for i, (what, each) in enumerate(modules):
        KINDS.get(type(each).__name__, _unknown)(reader, f"{what}, a {type(each).__name__},", each, i)
    return reader.takeover.finished(classes, multilabel, parameters)


class _Reader:
    """What is known of the signal between two modules.

    Attributes
    ----------
    channels_first : bool or None
        Whether the channels of maps and sequences come first; None as long as no module says so.
    """

    def __init__(self, takeover, modules):
        self.takeover, self.modules, self.channels_first = takeover, modules, None

    def reads(self, what, channels_first):
        """Note that a module reads maps or sequences with the channels first or last; refuse the other."""
        if len(self.takeover.shape) > 1 and self.channels_first not in (None, channels_first):
            order = "before" if channels_first else "after"
            raise ValueError(f"{what} must read channels {order} steps or positions, got them the other way round")
        self.channels_first = channels_first


def _flattened(module, what):
    """The modules of nested sequences, with their names."""
    if isinstance(module, (list, tuple)):
        for i, each in enumerate(module):
            yield from _flattened(each, f"{what}[{i}]")
    elif getattr(type(module), "forward", None) is not None and "Sequential" in _class_names(module):
        if not type(module).forward.__module__.startswith("torch.nn"):
            raise ValueError(f"{what} must be a Sequential with PyTorch's own forward, got {quoted(type(module))}")
        for name, each in module.named_children():
            yield from _flattened(each, f"{what}.{name}" if not name.isdigit() else f"{what}[{name}]")
    else:
        yield what, module


def _class_names(module):
    return [cls.__name__ for cls in type(module).__mro__]


def _unknown(reader, what, module, i):
    unknown(what.split(",")[0], type(module).__name__, ["Sequential", *KINDS])


def _first_shape(modules):
    """The shape of a sample, as far as the first module says what it reads."""
    for _, module in modules:
        kind = type(module).__name__
        if kind == "Linear":
            return (module.in_features,)
        if kind in _CELLS:
            return None, module.input_size
        if kind == "Conv1d":
            return None, module.in_channels
        if kind == "Embedding":
            return None, 1
        if kind.endswith("2d"):
            break
    raise ValueError("input_shape must be a tuple of integers, since the modules do not say it, got None")


def _array(tensor):
    """A tensor as an array of float32 or float64."""
    tensor = tensor.detach().cpu()
    return (tensor if str(tensor.dtype) in ("torch.float32", "torch.float64") else tensor.float()).numpy()


def _arrays(**tensors):
    return {name: _array(tensor) for name, tensor in tensors.items() if tensor is not None}


def _is_trained(module):
    parameters = list(module.parameters())
    return not parameters or any(parameter.requires_grad for parameter in parameters)


# -- the kinds of modules ----------------------------------------------------------------------------------------------


def _linear(reader, what, module, i):
    if len(reader.takeover.shape) > 1:
        reader.reads(what, channels_first=False)
    weights = _arrays(kernel=module.weight.T, bias=module.bias)
    layer = layers.Dense(module.out_features, None, use_bias="bias" in weights, trainable=_is_trained(module))
    reader.takeover.add(what, layer, weights)


def _convolution(reader, what, module, i):
    check_settings(what, vars(module), {"padding_mode": "zeros"})
    reader.reads(what, channels_first=True)
    cls = layers.Conv1D if len(module.kernel_size) == 1 else layers.Conv2D
    weights = _arrays(kernel=module.weight.movedim((0, 1), (-1, -2)), bias=module.bias)
    its = {"strides": along_axes(module.stride), "dilation_rate": along_axes(module.dilation), "groups": module.groups}
    layer = cls(
        module.out_channels, along_axes(module.kernel_size), activation=None, use_bias="bias" in weights,
        trainable=_is_trained(module), **its, padding=_padding(what, reader.takeover.shape, module, module.dilation),
    )  # fmt: skip
    reader.takeover.add(what, layer, weights)


def _each(value, n):
    return tuple(value) if isinstance(value, (tuple, list)) else (value,) * n


def _padding(what, shape, module, dilation=1):
    if isinstance(module.padding, str):
        return module.padding
    n_axes = len(shape) - 1
    pads, *movement = (_each(each, n_axes) for each in (module.padding, module.kernel_size, module.stride, dilation))
    return padding_like(what, shape, [(pad, pad) for pad in pads], movement)


def _pooling(reader, what, module, i):
    its = {"return_indices": False, "ceil_mode": False, "divisor_override": None}
    if any(_each(module.padding, 1)):
        its |= {"count_include_pad": False}
    check_settings(what, vars(module), its | {"dilation": (1, (1,), (1, 1))})
    reader.reads(what, channels_first=True)
    n_axes = int(type(module).__name__[-2])
    cls = getattr(layers, f"{type(module).__name__[:3].replace('Avg', 'Average')}Pooling{n_axes}D")
    size, strides = along_axes(_each(module.kernel_size, n_axes)), along_axes(_each(module.stride, n_axes))
    padding = _padding(what, reader.takeover.shape, module)
    reader.takeover.add(what, cls(size, strides=None if strides == size else strides, padding=padding))


def _global_pooling(reader, what, module, i):
    n_axes = int(type(module).__name__[-2])
    check_settings(what, vars(module), {"output_size": (1, (1,) * n_axes), "return_indices": False})
    reader.reads(what, channels_first=True)
    kind = "Average" if "Avg" in type(module).__name__ else "Max"
    reader.takeover.add(what, getattr(layers, f"Global{kind}Pooling{n_axes}D")())


def _flatten(reader, what, module, i):
    check_settings(what, vars(module), {"start_dim": 1, "end_dim": -1})
    reader.takeover.flatten(what, reader.channels_first)


def _batch_normalization(reader, what, module, i):
    if len(reader.takeover.shape) > 1:
        reader.reads(what, channels_first=True)
    check_settings(what, vars(module), {"track_running_stats": True})
    mean, variance = _array(module.running_mean), _array(module.running_var)
    weights = {"gamma": np.ones_like(mean), "beta": np.zeros_like(mean)}
    weights |= _arrays(gamma=module.weight, beta=module.bias)
    momentum = 0.99 if module.momentum is None else 1 - module.momentum  # of what the average keeps
    layer = layers.BatchNormalization(momentum=momentum, epsilon=module.eps, trainable=_is_trained(module))
    reader.takeover.add(what, layer, weights | {"moving_mean": mean, "moving_variance": variance})


def _layer_normalization(reader, what, module, i):
    if len(reader.takeover.shape) > 1:
        reader.reads(what, channels_first=False)
    n = reader.takeover.shape[-1]
    check_settings(what, {"normalized_shape": tuple(module.normalized_shape)}, {"normalized_shape": ((n,),)})
    weights = {"gamma": np.ones(n, np.float32), "beta": np.zeros(n, np.float32)}
    weights |= _arrays(gamma=module.weight, beta=module.bias)
    layer = layers.LayerNormalization(epsilon=module.eps, trainable=_is_trained(module))
    reader.takeover.add(what, layer, weights)


def _embedding(reader, what, module, i):
    check_settings(what, vars(module), {"max_norm": None})
    reader.channels_first = False
    layer = layers.Embedding(module.num_embeddings, module.embedding_dim, trainable=_is_trained(module))
    reader.takeover.add(what, layer, _arrays(embeddings=module.weight))


def _recurrent(reader, what, module, i):
    reader.reads(what, channels_first=False)
    check_settings(what, vars(module), {"proj_size": 0, "nonlinearity": ("tanh", "relu")})
    passes_on = any(type(each).__name__ in _OF_SEQUENCES for _, each in reader.modules[i + 1 :])
    for k in range(module.num_layers):
        is_last = k == module.num_layers - 1
        its = {"return_sequences": passes_on or not is_last, "use_bias": module.bias, "trainable": _is_trained(module)}
        activation = getattr(module, "nonlinearity", "tanh")
        layer = _CELLS[type(module).__name__](module.hidden_size, activation, **its)
        weights = _cell(module, f"l{k}")
        if module.bidirectional:
            backward = _cell(module, f"l{k}_reverse")
            weights = {f"forward_{name}": array for name, array in weights.items()}
            weights |= {f"backward_{name}": array for name, array in backward.items()}
            layer = layers.Bidirectional(layer)
        reader.takeover.add(what, layer, weights)
        if module.dropout and not is_last:
            reader.takeover.add(what, layers.Dropout(module.dropout))


def _cell(module, suffix):
    """The weights of one layer in one direction, with the gates in Keras's order."""

    def by_gate(name):
        parts = np.split(_array(getattr(module, f"{name}_{suffix}")), len(_GATES[kind]))
        return np.concatenate([parts[i] for i in _GATES[kind]])

    kind = type(module).__name__
    weights = {"kernel": by_gate("weight_ih").T, "recurrent_kernel": by_gate("weight_hh").T}
    if module.bias:
        biases = by_gate("bias_ih"), by_gate("bias_hh")
        weights["bias"] = np.stack(biases) if kind == "GRU" else biases[0] + biases[1]
    return weights


def _activation(reader, what, module, i):
    check_settings(what, vars(module), _OF_ACTIVATIONS)
    reader.takeover.activate(what, _ACTIVATIONS[type(module).__name__])


def _softmax(reader, what, module, i):
    check_settings(what, vars(module), {"dim": (None, -1, len(reader.takeover.shape))})
    reader.takeover.activate(what, "softmax")


def _dropout(reader, what, module, i):
    reader.takeover.add(what, layers.Dropout(module.p))


#: A function for each kind of module, by the name of its class.
KINDS = {
    **dict.fromkeys(_ACTIVATIONS, _activation),
    **dict.fromkeys(_CELLS, _recurrent),
    **dict.fromkeys(("AvgPool1d", "AvgPool2d", "MaxPool1d", "MaxPool2d"), _pooling),
    **dict.fromkeys((f"Adaptive{kind}Pool{n}d" for kind in ("Avg", "Max") for n in (1, 2)), _global_pooling),
    "BatchNorm1d": _batch_normalization,
    "BatchNorm2d": _batch_normalization,
    "Conv1d": _convolution,
    "Conv2d": _convolution,
    "Dropout": _dropout,
    "Embedding": _embedding,
    "Flatten": _flatten,
    "Identity": lambda *_: None,
    "LayerNorm": _layer_normalization,
    "Linear": _linear,
    "Softmax": _softmax,
}
_OF_SEQUENCES = {name for name, kind in KINDS.items() if kind is _recurrent or name.endswith("1d")} - {"BatchNorm1d"}
