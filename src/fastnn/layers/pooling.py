"""Pooling: one number for each window, or for each channel."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import TYPE_CHECKING, ClassVar

from fastnn.layers.rules import MOST, Rule, counts, one_of
from fastnn.layers.spec import Layer, Operation, layer
from fastnn.layers.windows import Windowed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Literal

    from fastnn.typing import Shape


@layer
class _Pooling(Windowed):
    """What pooling along any number of axes shares."""

    pool_size: int | Sequence[int] = 2
    _: KW_ONLY
    strides: int | Sequence[int] | None = None
    padding: Literal["valid", "same"] = "valid"

    kind: ClassVar[str]
    most_positions: ClassVar[int] = MOST  # numbered in 32 bits
    size_setting: ClassVar[str] = "pool_size"

    def movement(self) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        window, strides, dilation = super().movement()
        return window, window if self.strides is None else strides, dilation

    def output_shape(self, shape: Shape, name: str = "the layer") -> Shape:
        return *self.moved(shape, name), shape[-1]

    def operation(self, shape: Shape) -> Operation | None:
        window, strides, _ = self.movement()
        return Operation(self.kind, (window, strides, self.padding))


def _rules(n_axes):
    size = counts(n_axes)
    strides = Rule(f"{size.text}, or None", lambda value: value is None or size.holds(value))
    return {"pool_size": size, "strides": strides, "padding": one_of(["valid", "same"])}


class _Pooling2D(_Pooling):
    n_axes: ClassVar[int] = 2
    reads: ClassVar[str] = "map"
    rules: ClassVar[dict[str, Rule]] = _rules(2)


@layer
class MaxPooling2D(_Pooling2D):
    # From tools/docstrings: <windows over maps>
    """The largest number of each window of a map, for each channel.

    Parameters
    ----------
    pool_size : int or (int, int), default=2
        The height and width of the window.
    strides : int or (int, int) or None, default=None
        The distance from one window to the next. None is `pool_size`.
    padding : {"valid", "same"}, default="valid"
        "valid": the windows stay inside the map. "same": they may reach over its edges, so that height and width are
        divided by the strides, rounded up.

    Examples
    --------
    >>> from fastnn.layers import MaxPooling2D
    >>> MaxPooling2D().output_shape((28, 28, 32))
    (14, 14, 32)
    """

    kind: ClassVar[str] = "max_pooling"


@layer
class AveragePooling2D(_Pooling2D):
    # From tools/docstrings: <windows over maps>
    """The mean of each window of a map, for each channel. What lies beyond an edge is not counted.

    Parameters
    ----------
    pool_size : int or (int, int), default=2
        The height and width of the window.
    strides : int or (int, int) or None, default=None
        The distance from one window to the next. None is `pool_size`.
    padding : {"valid", "same"}, default="valid"
        "valid": the windows stay inside the map. "same": they may reach over its edges, so that height and width are
        divided by the strides, rounded up.

    Examples
    --------
    >>> from fastnn.layers import AveragePooling2D
    >>> AveragePooling2D(3, strides=2, padding="same").output_shape((28, 28, 32))
    (14, 14, 32)
    """

    kind: ClassVar[str] = "average_pooling"


class _Pooling1D(_Pooling):
    n_axes: ClassVar[int] = 1
    reads: ClassVar[str] = "sequence"
    rules: ClassVar[dict[str, Rule]] = _rules(1)


@layer
class MaxPooling1D(_Pooling1D):
    # From tools/docstrings: <windows over sequences>
    """The largest number of each window of a sequence, for each channel.

    Parameters
    ----------
    pool_size : int, default=2
        The number of steps of the window.
    strides : int or None, default=None
        The distance from one window to the next. None is `pool_size`.
    padding : {"valid", "same"}, default="valid"
        "valid": the windows stay inside the sequence. "same": they may reach over its ends, so that the steps are
        divided by the strides, rounded up.

    Examples
    --------
    >>> from fastnn.layers import MaxPooling1D
    >>> MaxPooling1D(3).output_shape((100, 8))
    (33, 8)
    """

    kind: ClassVar[str] = "max_pooling"


@layer
class AveragePooling1D(_Pooling1D):
    # From tools/docstrings: <windows over sequences>
    """The mean of each window of a sequence, for each channel. What lies beyond an end is not counted.

    Parameters
    ----------
    pool_size : int, default=2
        The number of steps of the window.
    strides : int or None, default=None
        The distance from one window to the next. None is `pool_size`.
    padding : {"valid", "same"}, default="valid"
        "valid": the windows stay inside the sequence. "same": they may reach over its ends, so that the steps are
        divided by the strides, rounded up.

    Examples
    --------
    >>> from fastnn.layers import AveragePooling1D
    >>> AveragePooling1D(2).output_shape((100, 8))
    (50, 8)
    """

    kind: ClassVar[str] = "average_pooling"


class _GlobalPooling(Layer):
    """What pooling over all positions shares."""

    kind: ClassVar[str]

    def output_shape(self, shape: Shape, name: str = "the layer") -> Shape:
        return shape[-1:]

    def output_steps(self, steps: Any) -> Any:
        return None

    def operation(self, shape: Shape) -> Operation | None:
        return Operation(self.kind)


@layer
class GlobalMaxPooling2D(_GlobalPooling):
    """The largest number of each channel of a map.

    Examples
    --------
    >>> from fastnn.layers import GlobalMaxPooling2D
    >>> GlobalMaxPooling2D().output_shape((7, 7, 64))
    (64,)
    """

    kind: ClassVar[str] = "global_max_pooling"
    reads: ClassVar[str] = "map"


@layer
class GlobalAveragePooling2D(_GlobalPooling):
    """The mean of each channel of a map [1]_.

    References
    ----------
    .. [1] M. Lin, Q. Chen, S. Yan: "Network in network", ICLR (2014).

    Examples
    --------
    >>> from fastnn.layers import GlobalAveragePooling2D
    >>> GlobalAveragePooling2D().output_shape((7, 7, 64))
    (64,)
    """

    kind: ClassVar[str] = "global_average_pooling"
    reads: ClassVar[str] = "map"


@layer
class GlobalMaxPooling1D(_GlobalPooling):
    """The largest number of each channel of a sequence.

    Examples
    --------
    >>> from fastnn.layers import GlobalMaxPooling1D
    >>> GlobalMaxPooling1D().output_shape((100, 8))
    (8,)
    """

    kind: ClassVar[str] = "global_max_pooling"
    reads: ClassVar[str] = "sequence"


@layer
class GlobalAveragePooling1D(_GlobalPooling):
    """The mean of each channel of a sequence.

    Examples
    --------
    >>> from fastnn.layers import GlobalAveragePooling1D
    >>> GlobalAveragePooling1D().output_shape((100, 8))
    (8,)
    """

    kind: ClassVar[str] = "global_average_pooling"
    reads: ClassVar[str] = "sequence"
