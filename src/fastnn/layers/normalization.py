"""Normalization: layers that shift and scale what they read to a mean of 0 and a variance of 1."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from fastnn.layers.rules import BOOL, POSITIVE, RATE
from fastnn.layers.spec import Layer, Operation, layer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fastnn.layers.rules import Rule
    from fastnn.typing import Shape


@layer
class BatchNormalization(Layer):
    # From tools/docstrings: <epsilon of variances>
    """Each channel with the mean 0 and the variance 1 over a batch, then scaled by gamma and shifted by beta [1]_.

    Each position of each sample counts once. Predictions use moving averages of the batches' means and variances.
    Where the layer before is a Dense or a convolution without an activation, predictions fold this layer into its
    kernel and bias.

    Parameters
    ----------
    momentum : float, default=0.99
        What a moving average keeps of its value in each step, in [0, 1).
    epsilon : float, default=0.001
        What is added to each variance.
    trainable : bool, default=True
        Whether training changes gamma and beta, and uses the means and variances of batches.

    References
    ----------
    .. [1] S. Ioffe, C. Szegedy: "Batch normalization: accelerating deep network training by reducing internal
       covariate shift", ICML (2015).

    Examples
    --------
    >>> from fastnn.layers import BatchNormalization
    >>> BatchNormalization(momentum=0.9)
    BatchNormalization(momentum=0.9)
    """

    _: KW_ONLY
    momentum: float = 0.99
    epsilon: float = 1e-3
    trainable: bool = True

    couples: ClassVar[bool] = True
    works_stepwise: ClassVar[bool] = True
    rules: ClassVar[dict[str, Rule]] = {"momentum": RATE, "epsilon": POSITIVE, "trainable": BOOL}

    def operation(self, shape: Shape) -> Operation | None:
        settings = float(self.momentum), float(self.epsilon)
        return Operation("batch_normalization", settings, "identity", (self.trainable,))

    def weight_shapes(self, shape: Shape) -> dict[str, tuple[int, ...]]:
        return dict.fromkeys(("gamma", "beta", *self.state()), shape[-1:])

    def state(self) -> tuple[str, ...]:
        return "moving_mean", "moving_variance"

    def initial_weights(
        self, shape: Shape, random_state: np.random.RandomState, gain: float
    ) -> list[NDArray[np.float64]]:
        n = shape[-1]
        return [np.ones(n), np.zeros(n), np.zeros(n), np.ones(n)]


@layer
class LayerNormalization(Layer):
    # From tools/docstrings: <epsilon of variances>
    """Gives the channels of each position the mean 0 and the variance 1, scales them by gamma and adds beta [1]_.

    A vector is one position. gamma and beta are learnt, with a number for each channel.

    Parameters
    ----------
    epsilon : float, default=0.001
        What is added to each variance.
    trainable : bool, default=True
        Whether training changes gamma and beta.

    References
    ----------
    .. [1] J. Ba, J. Kiros, G. Hinton: "Layer normalization" (2016).

    Examples
    --------
    >>> from fastnn.layers import LayerNormalization
    >>> LayerNormalization().output_shape((100, 8))
    (100, 8)
    """

    _: KW_ONLY
    epsilon: float = 1e-3
    trainable: bool = True

    works_stepwise: ClassVar[bool] = True
    rules: ClassVar[dict[str, Rule]] = {"epsilon": POSITIVE, "trainable": BOOL}

    def operation(self, shape: Shape) -> Operation | None:
        return Operation("layer_normalization", (float(self.epsilon),), "identity", (self.trainable,))

    def weight_shapes(self, shape: Shape) -> dict[str, tuple[int, ...]]:
        return dict.fromkeys(("gamma", "beta"), shape[-1:])

    def initial_weights(
        self, shape: Shape, random_state: np.random.RandomState, gain: float
    ) -> list[NDArray[np.float64]]:
        return [np.ones(shape[-1]), np.zeros(shape[-1])]
