"""The dense layer."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from fastnn.layers.activation import ACTIVATION, engine_activation
from fastnn.layers.initializers import INITIALIZERS
from fastnn.layers.rules import BOOL, COUNT, one_of
from fastnn.layers.spec import Layer, Operation, layer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fastnn.layers.rules import Rule
    from fastnn.typing import Initializer, LayerActivation, Shape


@layer
class Dense(Layer):
    # From tools/docstrings: <units>, <activation>, <bias of the sum>, <trainable>
    """A dense layer: each unit is a function of a weighted sum of all its inputs and a bias.

    A map is flattened. In a sequence, each step is a vector of its own.

    Parameters
    ----------
    units : int
        The number of outputs.
    activation : str or None, default="relu"
        The function of the sum: see `Activation`. Keras's default is None.
    use_bias : bool, default=True
        Whether a bias is added to the sum.
    kernel_initializer : str or None, default=None
        The distribution of the initial weights. None is scikit-learn's [1]_, which draws biases, too: uniform, of
        variance 2 / (fan_in + fan_out), or a third of it where all of the network's activations are logistic. With
        "glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "lecun_uniform", "lecun_normal", "orthogonal",
        "zeros" and "ones" the biases are 0.
    trainable : bool, default=True
        Whether training changes the weights.

    References
    ----------
    .. [1] X. Glorot, Y. Bengio: "Understanding the difficulty of training deep feedforward neural networks",
       AISTATS (2010).

    Examples
    --------
    >>> from fastnn.layers import Dense
    >>> Dense(100, "tanh", use_bias=False)
    Dense(100, 'tanh', use_bias=False)
    """

    units: int
    activation: LayerActivation = "relu"
    _: KW_ONLY
    use_bias: bool = True
    kernel_initializer: Initializer | None = None
    trainable: bool = True

    works_stepwise: ClassVar[bool] = True
    rules: ClassVar[dict[str, Rule]] = {
        "units": COUNT,
        "activation": ACTIVATION,
        "use_bias": BOOL,
        "kernel_initializer": one_of([*INITIALIZERS, None]),
        "trainable": BOOL,
    }

    def output_shape(self, shape: Shape, name: str = "the layer") -> Shape:
        return *shape[:-1], self.units

    def operation(self, shape: Shape) -> Operation | None:
        return Operation("dense", (self.units,), engine_activation(self.activation), (self.use_bias, self.trainable))

    def weight_shapes(self, shape: Shape) -> dict[str, tuple[int, ...]]:
        bias = {"bias": (self.units,)} if self.use_bias else {}
        return {"kernel": (shape[-1], self.units), **bias}

    def initial_weights(
        self, shape: Shape, random_state: np.random.RandomState, gain: float
    ) -> list[NDArray[np.float64]]:
        kernel_shape = shape[-1], self.units
        if self.kernel_initializer is None:
            bound = np.sqrt(gain / sum(kernel_shape))
            kernel = random_state.uniform(-bound, bound, kernel_shape)
            return [kernel, random_state.uniform(-bound, bound, self.units)] if self.use_bias else [kernel]
        kernel = INITIALIZERS[self.kernel_initializer](kernel_shape, random_state)
        return [kernel, np.zeros(self.units)] if self.use_bias else [kernel]
