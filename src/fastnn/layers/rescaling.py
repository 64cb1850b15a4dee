"""Rescaling of inputs."""

from typing import ClassVar

from fastnn.layers.rules import NUMBER
from fastnn.layers.spec import Layer, Operation, layer


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
    rules: ClassVar[dict] = {"scale": NUMBER, "offset": NUMBER}

    def operation(self, shape):
        return Operation("rescaling", (float(self.scale), float(self.offset)))
