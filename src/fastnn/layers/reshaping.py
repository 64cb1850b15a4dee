"""Other shapes of the same numbers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

from fastnn.data.quoted import quoted
from fastnn.layers.rules import SHAPE
from fastnn.layers.spec import Layer, Operation, layer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastnn.layers.rules import Rule
    from fastnn.typing import Shape


def copied(shape):
    """The engine's copy of a signal in another shape, or in the same, which it has if sequences differ in steps."""
    return Operation("reshape", (None if None in shape else shape,), "identity")


def _check_size(shape, name, advice):
    if None in shape:
        raise ValueError(
            f"{name} must read samples of one size, got sequences that differ in their numbers of steps, of shape "
            f"{shape}: {advice}"
        )


class _Reshaping(Layer):
    reshapes: ClassVar[bool] = True

    def operation(self, shape: Shape) -> Operation | None:
        return copied(self.output_shape(shape))


@layer
class Flatten(_Reshaping):
    """All numbers of a map or a sequence in one vector, in the order of rows, columns and channels.

    `Dense` does so to a map by itself.

    Examples
    --------
    >>> from fastnn.layers import Flatten
    >>> Flatten().output_shape((7, 7, 64))
    (3136,)
    """

    def output_shape(self, shape: Shape, name: str = "the layer") -> Shape:
        _check_size(shape, f"{name}, {quoted(self)},", "use GlobalMaxPooling1D() instead")
        return (math.prod(shape),)


@layer
class Reshape(_Reshaping):
    """The same numbers, in the same order, in another shape.

    Parameters
    ----------
    target_shape : tuple of int
        The shape of a sample: (channels,), (steps, channels) or (height, width, channels), without a -1 for what is
        left.

    Examples
    --------
    >>> from fastnn.layers import Reshape
    >>> Reshape([28, 28, 1])
    Reshape((28, 28, 1))
    """

    target_shape: Sequence[int]

    rules: ClassVar[dict[str, Rule]] = {"target_shape": SHAPE}

    def output_shape(self, shape: Shape, name: str = "the layer") -> Shape:
        _check_size(shape, f"{name}, {quoted(self)},", "add GlobalMaxPooling1D() before it")
        if math.prod(self.target_shape) != math.prod(shape):
            raise ValueError(
                f"{name}.target_shape must have {math.prod(shape)} numbers for Reshape of shape {shape}, got "
                f"{self.target_shape}"
            )
        return self.target_shape
