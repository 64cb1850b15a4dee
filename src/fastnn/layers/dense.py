"""The dense layer."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from fastnn.layers.spec import Layer


@dataclass(frozen=True)
class Dense(Layer):
    """A dense layer: each unit is a function of a weighted sum of all its inputs and a bias.

    Parameters
    ----------
    units : int
        The number of outputs.
    activation : str, default="relu"
        The function of the sum.

    Examples
    --------
    >>> from fastnn.layers import Dense
    >>> Dense(100).description()
    ('dense', 100, 'relu')
    """

    units: int
    activation: str = "relu"

    kind: ClassVar[str] = "dense"

    def initial_weights(self, input_shape, random_state, gain):
        """Draw scikit-learn's initial weights: uniform, of variance gain / 3 / (fan_in + fan_out).

        They are Glorot and Bengio's (2010). Biases are drawn likewise. The gain is 6, or 2 where all of the network's
        activations are logistic.
        """
        bound = np.sqrt(gain / (input_shape[-1] + self.units))
        return [
            random_state.uniform(-bound, bound, (input_shape[-1], self.units)),
            random_state.uniform(-bound, bound, self.units),
        ]
