"""What a network is made of, as users write it."""

from fastnn.layers.dense import Dense
from fastnn.layers.spec import Layer

__all__ = ["Dense", "Layer"]
