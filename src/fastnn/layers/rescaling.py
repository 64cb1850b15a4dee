"""Rescaling of inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from fastnn.layers.rules import NUMBER
from fastnn.layers.spec import Layer, Operation, layer

if TYPE_CHECKING:
    from fastnn.layers.rules import Rule
    from fastnn.typing import Shape


@layer
class Rescaling(Layer):
    """Multiplies each number, and adds to the product.

    As the first layer it does so while a batch of X is read: images of whole numbers need no copy of floats.

    Parameters
    ----------
    scale : float
        What each number is multiplied by.
    offset : float, default=0.0
        What is added to the product.

    Examples
    --------
    >>> from fastnn.layers import Rescaling
    >>> Rescaling(1 / 255).output_shape((28, 28, 1))
    (28, 28, 1)
    """

    scale: float
    offset: float = 0.0

    works_stepwise: ClassVar[bool] = True
    rules: ClassVar[dict[str, Rule]] = {"scale": NUMBER, "offset": NUMBER}

    def operation(self, shape: Shape) -> Operation | None:
        return Operation("rescaling", (float(self.scale), float(self.offset)))
