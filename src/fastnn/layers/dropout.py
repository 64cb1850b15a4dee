"""Dropout."""

from dataclasses import dataclass
from typing import ClassVar

from fastnn.layers.rules import RATE
from fastnn.layers.spec import Layer


@dataclass(frozen=True, repr=False)
class Dropout(Layer):
    """Leaves numbers out at random in training; the others count for more [1]_.

    Parameters
    ----------
    rate : float
        The part of the numbers that is left out for each sample, in [0, 1), drawn anew for each step.

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

    rules: ClassVar[dict] = {"rate": RATE}
