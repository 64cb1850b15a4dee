"""Convolutional layers."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from fastnn.layers.activation import ACTIVATION, engine_activation
from fastnn.layers.initializers import INITIALIZER, INITIALIZERS
from fastnn.layers.rules import BOOL, COUNT, counts, one_of
from fastnn.layers.spec import Operation, layer
from fastnn.layers.windows import Windowed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any, Literal

    from numpy.typing import NDArray

    from fastnn.layers.rules import Rule
    from fastnn.typing import Initializer, LayerActivation, Shape


@layer
class _Convolution(Windowed):
    """What convolutions along any number of axes share."""

    filters: int
    kernel_size: int | Sequence[int]
    _: KW_ONLY
    strides: int | Sequence[int] = 1
    padding: Literal["valid", "same", "causal"] = "valid"
    dilation_rate: int | Sequence[int] = 1
    groups: int = 1
    activation: LayerActivation = "relu"
    use_bias: bool = True
    kernel_initializer: Initializer = "glorot_uniform"
    trainable: bool = True

    most_positions: ClassVar[int] = 2**20  # each of which the engine plans for
    size_setting: ClassVar[str] = "kernel_size"

    def movement(self) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        window, strides, _ = super().movement()
        return window, strides, self.along(self.dilation_rate)

    def output_shape(self, shape: Shape, name: str = "the layer") -> Shape:
        for what in ("channels", "filters"):
            n = shape[-1] if what == "channels" else self.filters
            if n % self.groups:
                raise ValueError(
                    f"{name}.groups must divide the {n} {what} of {type(self).__name__}, which reads shape {shape}, "
                    f"got {self.groups}"
                )
        return *self.moved(shape, name), self.filters

    def operation(self, shape: Shape) -> Operation | None:
        window, strides, dilation = self.movement()
        settings = self.filters, window, strides, self.padding, dilation, self.groups
        flags = self.use_bias, self.trainable
        return Operation("convolution", settings, engine_activation(self.activation), flags)

    def weight_shapes(self, shape: Shape) -> dict[str, tuple[int, ...]]:
        bias = {"bias": (self.filters,)} if self.use_bias else {}
        return {"kernel": (*self.along(self.kernel_size), shape[-1] // self.groups, self.filters), **bias}

    def initial_weights(
        self, shape: Shape, random_state: np.random.RandomState, gain: float
    ) -> list[NDArray[np.float64]]:
        kernel_shape = self.weight_shapes(shape)["kernel"]
        weights = {"kernel": INITIALIZERS[self.kernel_initializer](kernel_shape, random_state)}
        if self.use_bias:
            weights["bias"] = np.zeros(self.filters)
        return self.to_engine(weights)

    def to_engine(self, weights: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """The engine has a kernel and a bias for each group, one group after the other."""
        by_name = [np.split(array, self.groups, axis=-1) for array in super().to_engine(weights)]
        return [array for of_group in zip(*by_name, strict=True) for array in of_group]

    def from_engine(self, arrays: Iterator[NDArray[Any]], shape: Shape) -> dict[str, NDArray[Any]]:
        shapes = self.weight_shapes(shape)
        groups = [[next(arrays) for _ in shapes] for _ in range(self.groups)]
        joined = (np.concatenate(parts, axis=-1) for parts in zip(*groups, strict=True))
        return super().from_engine(joined, shape)


def _rules(n_axes, paddings):
    return {
        "filters": COUNT,
        "kernel_size": counts(n_axes),
        "strides": counts(n_axes),
        "padding": one_of(paddings),
        "dilation_rate": counts(n_axes),
        "groups": COUNT,
        "activation": ACTIVATION,
        "use_bias": BOOL,
        "kernel_initializer": INITIALIZER,
        "trainable": BOOL,
    }


@layer
class Conv2D(_Convolution):
    # From tools/docstrings: <filters>, <activation>, <biases of filters>, <trainable>
    """Filters over images: each output is a function of a weighted sum of a window of the map, and a bias [1]_.

    It reads maps (height, width, channels) and makes (new height, new width, filters).

    Parameters
    ----------
    filters : int
        The number of outputs at each position.
    kernel_size : int or (int, int)
        The height and width of the window.
    strides : int or (int, int), default=1
        The distance from one window to the next.
    padding : {"valid", "same"}, default="valid"
        "valid": the windows stay inside the map. "same": the map is continued by zeros, so that with ``strides=1``
        height and width stay the same; they are divided by the strides, rounded up.
    dilation_rate : int or (int, int), default=1
        The distance between the positions of a window that are read.
    groups : int, default=1
        The number of parts of the channels, each of which has filters of its own. As many groups as channels make a
        depthwise convolution.
    activation : str or None, default="relu"
        The function of the sum: see `Activation`. Keras's default is None.
    use_bias : bool, default=True
        Whether each filter has a bias.
    kernel_initializer : str, default="glorot_uniform"
        The distribution of the initial weights: "glorot_uniform", "glorot_normal" [2]_, "he_uniform", "he_normal"
        [3]_, "lecun_uniform", "lecun_normal", "orthogonal", "zeros" or "ones". The biases are 0.
    trainable : bool, default=True
        Whether training changes the weights.

    References
    ----------
    .. [1] Y. LeCun et al.: "Gradient-based learning applied to document recognition", Proceedings of the IEEE 86
       (1998).
    .. [2] X. Glorot, Y. Bengio: "Understanding the difficulty of training deep feedforward neural networks",
       AISTATS (2010).
    .. [3] K. He et al.: "Delving deep into rectifiers: surpassing human-level performance on ImageNet
       classification", ICCV (2015).

    Examples
    --------
    >>> from fastnn.layers import Conv2D
    >>> Conv2D(32, 3, padding="same").output_shape((28, 28, 1))
    (28, 28, 32)
    """

    n_axes: ClassVar[int] = 2
    reads: ClassVar[str] = "map"
    rules: ClassVar[dict[str, Rule]] = _rules(2, ["valid", "same"])


@layer
class Conv1D(_Convolution):
    # From tools/docstrings: <filters>, <activation>, <biases of filters>, <trainable>
    """Filters over sequences: each output is a function of a weighted sum of a window of steps, and a bias.

    It reads sequences (steps, channels) and makes (new steps, filters).

    Parameters
    ----------
    filters : int
        The number of outputs at each position.
    kernel_size : int
        The number of steps of the window.
    strides : int, default=1
        The distance from one window to the next.
    padding : {"valid", "same", "causal"}, default="valid"
        "valid": the windows stay inside the sequence. "same": the sequence is continued by zeros at both ends, so
        that with ``strides=1`` there are as many steps after as before. "causal": all zeros are at the beginning, so
        that no output depends on later steps [1]_.
    dilation_rate : int, default=1
        The distance between the steps of a window that are read.
    groups : int, default=1
        The number of parts of the channels, each of which has filters of its own.
    activation : str or None, default="relu"
        The function of the sum: see `Activation`. Keras's default is None.
    use_bias : bool, default=True
        Whether each filter has a bias.
    kernel_initializer : str, default="glorot_uniform"
        The distribution of the initial weights, as in `Conv2D`. The biases are 0.
    trainable : bool, default=True
        Whether training changes the weights.

    References
    ----------
    .. [1] A. van den Oord et al.: "WaveNet: a generative model for raw audio" (2016).

    Examples
    --------
    >>> from fastnn.layers import Conv1D
    >>> Conv1D(8, 5, strides=2).output_shape((100, 3))
    (48, 8)
    """

    n_axes: ClassVar[int] = 1
    reads: ClassVar[str] = "sequence"
    rules: ClassVar[dict[str, Rule]] = _rules(1, ["valid", "same", "causal"])

    @property
    def works_stepwise(self) -> bool:
        return self.along(self.kernel_size) == self.along(self.strides) == (1,)
