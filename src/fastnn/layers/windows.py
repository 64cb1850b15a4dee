"""Windows that move over maps and sequences: their sizes along each axis, and how often they fit."""

import math
from typing import ClassVar

from fastnn.layers.spec import Layer

SIGNALS = {"sequence": "a sequence", "map": "a map"}


class Windowed(Layer):
    """A layer that moves a window over a map, or over a sequence, and keeps the channels apart or not.

    Attributes
    ----------
    n_axes : int
        The number of axes that the window moves along.
    most_positions : int
        The most positions of a window.
    """

    n_axes: ClassVar[int]
    most_positions: ClassVar[int]

    def along(self, value):
        """A setting for each axis."""
        return value if isinstance(value, tuple) else (value,) * self.n_axes

    def moved(self, shape, name, setting, strides, dilation=1):
        """How often the window of this setting fits along each axis, as Keras counts it.

        With padding="valid" it stays inside; else there are as many positions as strides fit.

        Raises
        ------
        ValueError
            If the window is larger than what it moves over, or than any network's.
        """
        sizes, strides, dilation = shape[:-1], self.along(strides), self.along(dilation)
        window = self.along(getattr(self, setting))
        if math.prod(window) > self.most_positions:
            raise ValueError(
                f"{name}.{setting} must have at most {self.most_positions} positions, got {getattr(self, setting)}"
            )
        if self.padding != "valid":
            return tuple(-(-n // stride) for n, stride in zip(sizes, strides, strict=True))
        largest = tuple((n - 1) // rate + 1 for n, rate in zip(sizes, dilation, strict=True))
        if any(k > most for k, most in zip(window, largest, strict=True)):
            wide = f" with dilation_rate={self.dilation_rate}" if max(dilation) > 1 else ""
            raise ValueError(
                f"{name}.{setting} must be at most {largest if self.n_axes > 1 else largest[0]} for "
                f"{type(self).__name__}{wide} over {SIGNALS[self.reads]} of shape {shape}, got "
                f"{getattr(self, setting)}"
            )
        each = zip(sizes, window, strides, dilation, strict=True)
        return tuple((n - (k - 1) * rate - 1) // stride + 1 for n, k, stride, rate in each)
