"""Networks of other packages, layer by layer, while they become a chain of fastnn's."""

import math
from dataclasses import replace

import numpy as np

from fastnn.data.quoted import quoted
from fastnn.estimators.sequential_data import checked_shape
from fastnn.layers import Activation, Conv1D, Conv2D, Dense, Flatten, Reshape
from fastnn.layers.activation import engine_activation
from fastnn.layers.embedding import Embedding

_WITH_ACTIVATION = Dense, Conv1D, Conv2D


class Takeover:
    """The layers that were taken over so far.

    Parameters
    ----------
    shape : tuple of int
        Of one sample, with the channels last; the number of steps is None where sequences may differ in it.

    Attributes
    ----------
    layers : list of Layer
    weights : list of dict of str to ndarray
    shape : tuple of int
        Of one sample of what the layers make so far, with the channels last.
    head : str or None
        The activation that the network ends in, where no layer of fastnn's has it.
    """

    def __init__(self, shape):
        self.given = self.shape = checked_shape(shape)
        self.layers, self.weights, self.head = [], [], None
        self._flattened = None  # the shape of a map or sequence that was flattened with the channels first

    def add(self, what, layer, weights=None):
        """Add a layer.

        Parameters
        ----------
        what : str
            The other package's layer, for messages.
        layer : Layer
        weights : dict of str to ndarray or None, default=None

        Raises
        ------
        ValueError
            For settings or weights that do not fit the layer or what comes before it.
        """
        if self.head is not None:
            raise ValueError(f"{self.head} must be the last function of the network, got {what} after it")
        name = what.partition(",")[0]
        layer.check(name)
        if isinstance(layer, Dense) and len(self.shape) == 3:
            raise ValueError(
                f"{what} must read vectors or sequences, got maps of shape {self.shape}: flatten them first"
            )
        if layer.reads != "anything" and len(self.shape) != {"sequence": 2, "map": 3}[layer.reads]:
            if isinstance(layer, Embedding) and len(self.shape) == 1:
                self.given = self.shape = (*self.shape, 1)
            else:
                raise ValueError(f"{what} must read a {layer.reads}, got a sample of shape {self.shape}")
        weights = {name: np.asarray(array) for name, array in (weights or {}).items()}
        if self._flattened is not None:
            weights = self._reordered(layer, weights)
        shapes = layer.weight_shapes(self.shape)
        for name, array in weights.items():
            if array.shape != shapes[name]:
                raise ValueError(f"the weights {name} of {what} must have shape {shapes[name]}, got {array.shape}")
        self.shape = layer.output_shape(self.shape, name)
        self.layers.append(layer)
        self.weights.append(weights)

    def drop(self):
        """Take back the last layer, which has no weights and makes no other shape."""
        self.layers.pop(), self.weights.pop()

    def _reordered(self, layer, weights):
        """The weights for a vector in fastnn's order."""
        *sizes, channels = self._flattened
        if isinstance(layer, (Flatten, Reshape)):
            raise ValueError(f"{quoted(layer)} must not follow on a flattened map, got one of shape {self._flattened}")
        n = math.prod(self._flattened)
        names = [name for name, array in weights.items() if array.shape[:1] == (n,)]
        if isinstance(layer, Dense):
            self._flattened, names = None, [name for name in names if name == "kernel"]
        if not names:
            return weights
        order = np.moveaxis(np.arange(n).reshape(channels, *sizes), 0, -1).reshape(-1)
        return weights | {name: weights[name][order] for name in names}

    def activate(self, what, name):
        """Add an activation, by the name of fastnn or Keras; softmax is that of a last layer alone."""
        if name == "softmax":
            self.head = "softmax"
            return
        last = self.layers[-1] if self.layers else None
        if isinstance(last, _WITH_ACTIVATION) and engine_activation(last.activation) == "identity":
            self.layers[-1] = replace(last, activation=name)
            self.layers[-1].check(what)
        else:
            self.add(what, Activation(name))

    def flatten(self, what, channels_first):
        """Make vectors, of maps or sequences whose channels come first or last."""
        shape = self.shape
        if len(shape) == 1:
            return
        self.add(what, Flatten())
        if channels_first and math.prod(shape[:-1]) > 1 and shape[-1] > 1:
            self._flattened = shape

    def finished(self, classes, multilabel, parameters, numbers=False):
        """The network as a fitted estimator.

        Parameters
        ----------
        classes : array-like or None
            As in `from_weights`; None, and without a head that says that there are classes: it is a regressor.
        multilabel : bool
        parameters : dict
            The estimator's.
        numbers : bool, default=False
            Whether the outputs are numbers even if the head is one of classes.

        Returns
        -------
        SequentialClassifier or SequentialRegressor

        Raises
        ------
        ValueError
        """
        # Not before they are needed: see fastnn's __getattr__.
        from fastnn.estimators.sequential_classifier import SequentialClassifier
        from fastnn.estimators.sequential_regressor import SequentialRegressor

        layers, weights = [*self.layers], [*self.weights]
        while layers and isinstance(layers[-1], Activation) and engine_activation(layers[-1].name) == "identity":
            layers.pop(), weights.pop()
        if not layers or not isinstance(layers[-1], Dense):
            given = quoted(layers[-1]) if layers else "an empty network"
            raise ValueError(f"the network must end in a dense layer, got {given}")
        last, output = layers.pop(), weights.pop()
        head = self.head or engine_activation(last.activation)
        if self.head is not None and engine_activation(last.activation) != "identity":
            raise ValueError(f"the last layer must have one activation, got {last.activation} before {self.head}")
        output = output if "bias" in output else output | {"bias": np.zeros(last.units, output["kernel"].dtype)}
        its = {"input_shape": self.given, **parameters}
        if (numbers or head not in ("softmax", "logistic")) and classes is None and not multilabel:
            activation = {} if head == "identity" else {"output_activation": head}
            return SequentialRegressor.from_weights(layers, [*weights, output], **activation | its)
        if head not in ("softmax", "logistic", "identity"):
            raise ValueError(f"classes must be None for a network that ends in {head}, got {quoted(classes)}")
        if head == "logistic" and last.units > 1 and classes is None:
            multilabel = True
        if head == "logistic" and last.units > 1 and not multilabel:
            raise ValueError(
                f"multilabel must be True for {last.units} outputs, each with a probability of its own, got False"
            )
        if head != "logistic" and last.units == 2 and not multilabel:  # two logits act as one, their difference
            output = {name: array[..., 1:] - array[..., :1] for name, array in output.items()}
        if head == "softmax" and multilabel:
            raise ValueError("multilabel must be False for a network that ends in softmax, got True")
        return SequentialClassifier.from_weights(
            layers, [*weights, output], classes=classes, multilabel=multilabel, **its
        )


def padding_like(what, shape, pads, movement):
    """fastnn's padding that continues samples as another package does.

    Parameters
    ----------
    what : str
    shape : tuple of int
        Of one sample, with the channels last.
    pads : list of (int, int)
        How many positions are added before and after, along each axis.
    movement : tuple of tuple of int
        The sizes of the window, its strides and its dilation, along each axis.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        Where fastnn has no such padding.
    """
    if not any(map(any, pads)):
        return "valid"
    for padding in ("same", "causal")[: 3 - len(pads)]:
        each = zip(shape, pads, *movement, strict=False)
        if all(_is_padding(padding, size, *of_axis) for size, *of_axis in each):
            return padding
    raise ValueError(
        f'padding of {what} must add what "same" adds to samples of shape {shape}, got {quoted(pads)} before and after'
    )


def _is_padding(padding, size, pads, window, stride, rate):
    before, after = pads
    reach = (window - 1) * rate
    if padding == "causal":
        return (before, after) == (reach, 0)
    if size is None:
        return stride == 1 and before == reach // 2 and before + after == reach
    n_windows = -(-size // stride)
    total = max((n_windows - 1) * stride + reach + 1 - size, 0)
    return before == total // 2 and (size + before + after - reach - 1) // stride + 1 == n_windows


def along_axes(values):
    """A setting along each axis, in short: one number where all are the same."""
    values = tuple(values)
    return values[0] if len(set(values)) == 1 else values


def unknown(what, kind, kinds):
    """Refuse a layer that fastnn lacks.

    Raises
    ------
    ValueError
    """
    raise ValueError(f"{what} must be one of {', '.join(sorted(kinds))}, got {quoted(kind, str)}")


def check_settings(what, given, expected):
    """Refuse settings that fastnn does not have.

    Parameters
    ----------
    what : str
        The layer, for messages.
    given : dict
    expected : dict
        The values that settings must have, where they are given.

    Raises
    ------
    ValueError
    """
    for name, values in expected.items():
        values = values if isinstance(values, tuple) else (values,)
        if name in given and given[name] not in values:
            one_of = " or ".join(map(repr, values))
            raise ValueError(f"{name} of {what} must be {one_of} for fastnn, got {quoted(given[name])}")
