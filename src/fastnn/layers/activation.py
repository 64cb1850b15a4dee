"""Activations of layers by their names, and the layer that is an activation alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from fastnn.engine.activation import activation_names
from fastnn.layers.rules import one_of
from fastnn.layers.spec import Layer, layer

if TYPE_CHECKING:
    from fastnn.layers.rules import Rule
    from fastnn.typing import LayerActivation

#: The names that Keras has for some of the engine's activations.
ALIASES = {None: "identity", "linear": "identity", "sigmoid": "logistic", "swish": "silu"}
ACTIVATION = one_of([*activation_names, *(name for name in ALIASES if name), None])


def engine_activation(name):
    """The engine's name of an activation."""
    return ALIASES.get(name, name)


@layer
class Activation(Layer):
    """A function of each number that the layer before makes.

    Where that layer has no activation of its own, and no dropout follows it, this one costs no pass over memory.

    Parameters
    ----------
    name : str or None
        The function: identity (also None or linear), relu, logistic (also sigmoid), tanh, leaky_relu, elu, softplus,
        exp, gelu or silu (also swish).

    Examples
    --------
    >>> from fastnn.layers import Activation, Dense
    >>> [Dense(100, None), Activation("tanh")]
    [Dense(100, None), Activation('tanh')]
    """

    name: LayerActivation

    works_stepwise: ClassVar[bool] = True
    rules: ClassVar[dict[str, Rule]] = {"name": ACTIVATION}
