"""The layers of networks, as users write them."""

from fastnn.layers.dense import Dense
from fastnn.layers.spec import Layer

__all__ = ["Dense", "Layer"]
