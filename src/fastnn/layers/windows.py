"""Windows that move over maps and sequences: their sizes along each axis, and how often they fit."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from fastnn.layers.spec import Layer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from fastnn.typing import Shape

SIGNALS = {"sequence": "a sequence", "map": "a map"}


class Windowed(Layer):
    """A layer that moves a window over a map, or over a sequence, and keeps the channels apart or not.

    Attributes
    ----------
    n_axes : int
        The number of axes that the window moves along.
    most_positions : int
        The most positions of a window.
    size_setting : str
        The name of the setting that is the window's size.
    """

    n_axes: ClassVar[int]
    most_positions: ClassVar[int]
    size_setting: ClassVar[str]

    def along(self, value: int | Sequence[int]) -> tuple[int, ...]:
        """A setting for each axis."""
        return value if isinstance(value, tuple) else (value,) * self.n_axes

    def movement(self) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        """The size of the window, its strides, and the distance between its positions, along each axis."""
        return self.along(getattr(self, self.size_setting)), self.along(self.strides), (1,) * self.n_axes

    def _positions(self, n, size, stride, rate):
        """How often the window fits into n positions, as Keras counts it; below 1 if it is larger than they are.

        With padding="valid" it stays inside; else there are as many positions as strides fit.
        """
        return (n - (size - 1) * rate - 1) // stride + 1 if self.padding == "valid" else -(-n // stride)

    def output_steps(self, steps: Any) -> Any:
        return np.maximum(self._positions(steps, *(along[0] for along in self.movement())), 0)

    def moved(self, shape: Shape, name: str) -> Shape:
        """How often the window fits along each axis; None where the size is None.

        Raises
        ------
        ValueError
            If the window is larger than what it moves over, or than any network's.
        """
        sizes, (window, strides, dilation) = shape[:-1], self.movement()
        if math.prod(window) > self.most_positions:
            raise ValueError(
                f"{name}.{self.size_setting} must have at most {self.most_positions} positions, got "
                f"{getattr(self, self.size_setting)}"
            )
        if None in sizes:  # each sequence has its own steps: see Chain.check_lengths
            return sizes
        largest = tuple((n - 1) // rate + 1 for n, rate in zip(sizes, dilation, strict=True))
        if self.padding == "valid" and any(k > most for k, most in zip(window, largest, strict=True)):
            wide = f" with dilation_rate={self.dilation_rate}" if max(dilation) > 1 else ""
            raise ValueError(
                f"{name}.{self.size_setting} must be at most {largest if self.n_axes > 1 else largest[0]} for "
                f"{type(self).__name__}{wide} over {SIGNALS[self.reads]} of shape {shape}, got "
                f"{getattr(self, self.size_setting)}"
            )
        return tuple(map(self._positions, sizes, window, strides, dilation))
