"""What every layer has: settings that never change, the shapes that follow from them, and its initial weights."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields, replace
from typing import TYPE_CHECKING, ClassVar, TypeVar, dataclass_transform

from fastnn.data.quoted import quoted
from fastnn.estimators.suggestions import with_setting_advice
from fastnn.layers.rules import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    import numpy as np
    from numpy.typing import NDArray

    from fastnn.layers.rules import Rule
    from fastnn.typing import Shape


C = TypeVar("C", bound=type)


@dataclass(frozen=True)
class Operation:
    """What the engine does for a layer.

    Attributes
    ----------
    kind : str
        The name of the engine's kind of layer.
    settings : tuple
        The kind's settings before the activation.
    activation : str or None
        The engine's name of the activation; None for a kind that has none.
    flags : tuple of bool
        The settings after the activation. The default of each is True. The last one is whether the weights are learnt.
    pool_size : tuple of int or None
        The windows, side by side, of which a convolution passes on the largest numbers; None: it passes on all.
    """

    kind: str
    settings: tuple[Any, ...] = ()
    activation: str | None = None
    flags: tuple[bool, ...] = ()
    pool_size: tuple[int, ...] | None = None

    def with_trainable(self, trainable: bool) -> Operation:
        """The same operation, whose weights, if it has any, are learnt or not."""
        return replace(self, flags=(*self.flags[:-1], trainable)) if self.flags else self

    def description(self) -> tuple[Any, ...]:
        """The kind and the settings, as the engine reads them, without the last flags that are their defaults."""
        activation = () if self.activation is None else (self.activation,)
        if self.pool_size is not None:
            return self.kind, *self.settings, *activation, *self.flags, self.pool_size
        flags = list(self.flags)
        while flags and flags[-1]:
            flags.pop()
        return self.kind, *self.settings, *activation, *flags


@dataclass_transform(frozen_default=True)
def layer(cls: C) -> C:
    """Make a class of layers: a frozen dataclass, whose errors know what its settings are called elsewhere."""
    return with_setting_advice(dataclass(frozen=True, repr=False)(cls))


class Layer:
    """A layer of a network: each kind is a frozen dataclass, whose fields are its settings.

    NumPy's scalars become Python's, and lists tuples. Nothing is refused before `check`, which `fit` calls, so that
    a grid search reports a setting as it reports any other parameter.

    Attributes
    ----------
    reads : {"anything", "map", "sequence"}
        What the layer takes: a map is (height, width, channels), a sequence (steps, channels). The number of steps
        is None where sequences differ in it.
    comes_after : tuple of type or None
        Of a layer that reads X itself, the layers that may come before it; None for all other layers.
    removes_steps : bool
        Whether the layer leaves steps out of sequences where X is read.
    couples : bool
        Whether in training what the layer makes of a sample depends on other samples, or on chance.
    works_stepwise : bool
        Whether the layer makes of each step of a sequence one step, from it and from earlier ones.
    drops : bool
        Whether the layer leaves numbers out at random in training.
    reshapes : bool
        Whether the layer makes another shape of anything, so that layers after it say nothing about X.
    rules : dict of str to Rule
        The rule for each setting.

    Examples
    --------
    >>> from fastnn.layers import Dense, Layer
    >>> isinstance(Dense(10), Layer)
    True
    >>> Dense(10) == Dense(units=10)
    True
    """

    reads: ClassVar[str] = "anything"
    comes_after: ClassVar[tuple[type[Layer], ...] | None] = None
    removes_steps: ClassVar[bool] = False
    works_stepwise: ClassVar[bool] = False
    drops: ClassVar[bool] = False
    reshapes: ClassVar[bool] = False
    rules: ClassVar[dict[str, Rule]] = {}

    @property
    def couples(self) -> bool:
        return self.drops

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            object.__setattr__(self, name, plain(value))

    def __repr__(self) -> str:
        """The call that makes this layer, with the settings that are not their defaults."""
        shown, by_place = [], True
        for field in fields(self):
            value = getattr(self, field.name)
            if field.default is not MISSING and type(value) is type(field.default) and value == field.default:
                by_place = False
                continue
            by_place = by_place and not field.kw_only
            shown.append(repr(value) if by_place else f"{field.name}={value!r}")
        return f"{type(self).__name__}({', '.join(shown)})"

    def check(self, name: str) -> None:
        """Refuse settings that break a rule.

        Parameters
        ----------
        name : str
            The layer's name in messages, as ``layers[0]``.

        Raises
        ------
        ValueError
        """
        for setting, rule in self.rules.items():
            if not rule.holds(getattr(self, setting)):
                raise ValueError(f"{name}.{setting} must be {rule.text}, got {quoted(getattr(self, setting))}")

    def output_shape(self, shape: Shape, name: str = "the layer") -> Shape:
        """The shape of one sample of what the layer makes.

        Parameters
        ----------
        shape : tuple of int
            The shape of one sample of what the layer reads.
        name : str, default="the layer"
            The layer's name in messages.

        Returns
        -------
        tuple of int

        Raises
        ------
        ValueError
            If the layer cannot read this shape. The message has the layer's name, the rule and the shape.
        """
        return shape

    def output_steps(self, steps: Any) -> Any:
        """The number of steps that the layer makes of a sequence.

        Parameters
        ----------
        steps : int or ndarray of int
            The number of steps that it reads: of a sequence, or of each of several.

        Returns
        -------
        int or ndarray of int or None
            None if it makes no sequence.
        """
        return steps

    def operation(self, shape: Shape) -> Operation | None:
        """The Operation of this layer for what it reads; None if it only says something of the layer before."""
        return None

    def weight_shapes(self, shape: Shape) -> dict[str, tuple[int, ...]]:
        """The shapes of the layer's weights and of its state, by their names in Keras, in the engine's order."""
        return {}

    def state(self) -> tuple[str, ...]:
        """The names of those of `weight_shapes` that no optimizer changes."""
        return ()

    def to_engine(self, weights: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """The arrays of the engine's layer, from the weights by their names: kernels as matrices of the last axis."""
        return [array.reshape(-1, array.shape[-1]) if array.ndim > 1 else array for array in weights.values()]

    def from_engine(self, arrays: Iterator[NDArray[Any]], shape: Shape) -> dict[str, NDArray[Any]]:
        """The weights by their names, from the next of the engine's arrays.

        Parameters
        ----------
        arrays : iterator of ndarray
        shape : tuple of int
            The shape of one sample of what the layer reads.

        Returns
        -------
        dict of str to ndarray
        """
        return {name: next(arrays).reshape(its_shape) for name, its_shape in self.weight_shapes(shape).items()}

    def initial_weights(
        self, shape: Shape, random_state: np.random.RandomState, gain: float
    ) -> list[NDArray[np.float64]]:
        """Draw the weights that training starts from.

        Parameters
        ----------
        shape : tuple of int
            The shape of one sample of what the layer reads.
        random_state : numpy.random.RandomState
        gain : float
            The network's gain, by which dense layers scale their weights: see `Dense`.

        Returns
        -------
        list of ndarray
            As the engine lists them: see `to_engine`.
        """
        return []
