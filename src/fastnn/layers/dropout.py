"""Dropout."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from fastnn.layers.rules import RATE
from fastnn.layers.spec import Layer, layer

if TYPE_CHECKING:
    from fastnn.layers.rules import Rule


@layer
class Dropout(Layer):
    """Replaces numbers by 0 at random in training, and divides the others by 1 - rate [1]_.

    In predictions it does nothing.

    Parameters
    ----------
    rate : float
        The probability of each number to be replaced, in [0, 1), for each sample in each step.

    References
    ----------
    .. [1] N. Srivastava et al.: "Dropout: a simple way to prevent neural networks from overfitting", JMLR 15 (2014).

    Examples
    --------
    >>> from fastnn import SequentialClassifier
    >>> from fastnn.layers import Dense, Dropout
    >>> SequentialClassifier([Dense(100), Dropout(0.2)])
    SequentialClassifier(layers=[Dense(100), Dropout(0.2)])
    """

    rate: float

    works_stepwise: ClassVar[bool] = True
    rules: ClassVar[dict[str, Rule]] = {"rate": RATE}

    @property
    def drops(self) -> bool:
        return self.rate > 0
