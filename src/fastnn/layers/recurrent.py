"""Recurrent layers: cells that take one step of a sequence after the other, and remember."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from fastnn.engine.activation import activation_names, keeps_input
from fastnn.layers.activation import ALIASES, engine_activation
from fastnn.layers.initializers import INITIALIZER, INITIALIZERS
from fastnn.layers.rules import BOOL, RATE, Rule, one_of
from fastnn.layers.spec import Layer, Operation, layer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from numpy.typing import NDArray

    from fastnn.typing import CellActivation, Initializer, Shape

MOST_UNITS = 2**16  # the square of which are weights

_NAMES = [name for name in (*activation_names, *ALIASES) if name and not keeps_input(engine_activation(name))]
_CELL_NAMES = one_of([*_NAMES, None])
# A cell keeps its values for the way back, and not the sums that they are of.
CELL_ACTIVATION = Rule(f"{_CELL_NAMES.text}, whose derivatives follow from their values", _CELL_NAMES.holds)

_RULES = {
    "units": Rule("an integer from 1 to 2**16", lambda value: type(value) is int and 1 <= value <= MOST_UNITS),
    "activation": CELL_ACTIVATION,
    "use_bias": BOOL,
    "return_sequences": BOOL,
    "go_backwards": BOOL,
    "dropout": RATE,
    "recurrent_dropout": RATE,
    "kernel_initializer": INITIALIZER,
    "recurrent_initializer": INITIALIZER,
    "trainable": BOOL,
}
_GATED_RULES = _RULES | {"recurrent_activation": CELL_ACTIVATION}


@dataclass(frozen=True, repr=False)
class Recurrent(Layer):
    """What cells of all kinds share: their settings, in Keras's order.

    A cell that lacks one of them declares a ClassVar in its place, which is no field of the dataclass.

    Attributes
    ----------
    cell : str
        The engine's name of the cell.
    n_gates : int
        The number of blocks of `units` columns that the kernels have, in Keras's order.
    has_recurrent_bias : bool
        Whether a bias is added to the product with the state, too.
    """

    units: int
    activation: CellActivation = "tanh"
    _: KW_ONLY
    recurrent_activation: CellActivation = "sigmoid"
    use_bias: bool = True
    unit_forget_bias: bool = True
    return_sequences: bool = False
    go_backwards: bool = False
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    kernel_initializer: Initializer = "glorot_uniform"
    recurrent_initializer: Initializer = "orthogonal"
    trainable: bool = True

    reads: ClassVar[str] = "sequence"
    cell: ClassVar[str]
    n_gates: ClassVar[int]
    has_recurrent_bias: ClassVar[bool] = False

    @property
    def drops(self) -> bool:
        return self.dropout > 0 or self.recurrent_dropout > 0

    @property
    def works_stepwise(self) -> bool:
        return not self.go_backwards

    def output_shape(self, shape: Shape, name: str = "the layer") -> Shape:
        return (*shape[:-1], self.units) if self.return_sequences else (self.units,)

    def output_steps(self, steps: Any) -> Any:
        return steps if self.return_sequences else None

    def operation(self, shape: Shape) -> Operation | None:
        return self.operation_along("backward" if self.go_backwards else "forward")

    def operation_along(self, direction: str) -> Operation:
        """The Operation of this layer in a direction, or in both directions, which are merged in some way."""
        recurrent = engine_activation(self.recurrent_activation)
        settings = (
            self.cell, self.units, engine_activation(self.activation), recurrent, self.return_sequences, direction,
            float(self.dropout), float(self.recurrent_dropout),
        )  # fmt: skip
        return Operation("recurrent", settings, None, (self.use_bias, self.trainable))

    def weight_shapes(self, shape: Shape) -> dict[str, tuple[int, ...]]:
        columns = self.n_gates * self.units
        bias = {"bias": (2, columns) if self.has_recurrent_bias else (columns,)} if self.use_bias else {}
        return {"kernel": (shape[-1], columns), "recurrent_kernel": (self.units, columns), **bias}

    def initial_weights(
        self, shape: Shape, random_state: np.random.RandomState, gain: float
    ) -> list[NDArray[np.float64]]:
        shapes = self.weight_shapes(shape)
        weights = {
            "kernel": INITIALIZERS[self.kernel_initializer](shapes["kernel"], random_state),
            "recurrent_kernel": INITIALIZERS[self.recurrent_initializer](shapes["recurrent_kernel"], random_state),
        }
        if self.use_bias:
            weights["bias"] = self._initial_bias(shapes["bias"])
        return self.to_engine(weights)

    def _initial_bias(self, shape):
        return np.zeros(shape)

    def to_engine(self, weights: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """The engine has matrices of each gate: those of the inputs, each before its bias, then those of the state."""
        operands = [[weights["kernel"]], [weights["recurrent_kernel"]]]
        if self.use_bias:
            biases = weights["bias"] if self.has_recurrent_bias else [weights["bias"]]
            for operand, bias in zip(operands, biases, strict=False):
                operand.append(bias)
        return [part for operand in operands for parts in self._by_gate(operand) for part in parts]

    def _by_gate(self, arrays):
        return zip(*(np.split(array, self.n_gates, axis=-1) for array in arrays), strict=True)

    def from_engine(self, arrays: Iterator[NDArray[Any]], shape: Shape) -> dict[str, NDArray[Any]]:
        has_biases = self.use_bias, self.use_bias and self.has_recurrent_bias
        (kernel, *biases), (recurrent_kernel, *recurrent_biases) = (
            self._joined([[next(arrays) for _ in range(1 + has_bias)] for _ in range(self.n_gates)])
            for has_bias in has_biases
        )
        weights = {"kernel": kernel, "recurrent_kernel": recurrent_kernel}
        if self.use_bias:
            weights["bias"] = np.stack([*biases, *recurrent_biases]) if self.has_recurrent_bias else biases[0]
        return weights

    def _joined(self, gates):
        return [np.concatenate(parts, axis=-1) for parts in zip(*gates, strict=True)]


@layer
class SimpleRNN(Recurrent):
    # From tools/docstrings: <units>, <bias of the sum>, <the way through the steps>, <initial weights of inputs>,
    # <initial weights of outputs>, <trainable>
    """Units that read each step of a sequence together with their own outputs at the step before [1]_.

    It reads sequences (steps, channels) and makes the units' outputs at the last step, or at all of them.

    Parameters
    ----------
    units : int
        The number of outputs.
    activation : str or None, default="tanh"
        The function of the sum: identity (also None or linear), relu, logistic (also sigmoid), tanh, leaky_relu, elu,
        softplus or exp.
    use_bias : bool, default=True
        Whether a bias is added to the sum.
    return_sequences : bool, default=False
        Whether the outputs at all steps are passed on, or those at the last one only.
    go_backwards : bool, default=False
        Whether the last step is read first.
    dropout : float, default=0.0
        The probability of each input to be replaced by 0 in training, in [0, 1).
    recurrent_dropout : float, default=0.0
        The probability of each output to be 0 where the next step reads it in training, in [0, 1). It is the same
        outputs at all steps of a sequence [2]_.
    kernel_initializer : str, default="glorot_uniform"
        The distribution of the initial weights of the inputs, as in `Conv2D`. The biases are 0.
    recurrent_initializer : str, default="orthogonal"
        The distribution of the initial weights of the outputs at the step before.
    trainable : bool, default=True
        Whether training changes the weights.

    See Also
    --------
    GRU, LSTM : Cells that remember longer.

    References
    ----------
    .. [1] J. Elman: "Finding structure in time", Cognitive Science 14 (1990).
    .. [2] Y. Gal, Z. Ghahramani: "A theoretically grounded application of dropout in recurrent neural networks",
       NIPS (2016).

    Examples
    --------
    >>> from fastnn.layers import SimpleRNN
    >>> SimpleRNN(16, return_sequences=True).output_shape((100, 3))
    (100, 16)
    """

    recurrent_activation: ClassVar[None] = None
    unit_forget_bias: ClassVar[bool] = False

    if TYPE_CHECKING:  # written by tools/shared_source.py

        def __init__(
            self,
            units: int,
            activation: CellActivation = "tanh",
            *,
            use_bias: bool = True,
            return_sequences: bool = False,
            go_backwards: bool = False,
            dropout: float = 0.0,
            recurrent_dropout: float = 0.0,
            kernel_initializer: Initializer = "glorot_uniform",
            recurrent_initializer: Initializer = "orthogonal",
            trainable: bool = True,
        ) -> None: ...

    cell: ClassVar[str] = "simple"
    n_gates: ClassVar[int] = 1
    rules: ClassVar[dict[str, Rule]] = _RULES


@layer
class GRU(Recurrent):
    # From tools/docstrings: <activation of gates>, <the way through the steps>, <initial weights of inputs>,
    # <trainable>
    """Gated recurrent units: gates say what of the state each step replaces [1]_.

    It reads sequences (steps, channels) and makes the state after the last step, or after all of them. The reset gate
    multiplies the product of the state and its weights, as in Keras and cuDNN, not the state.

    Parameters
    ----------
    units : int
        The number of outputs, which are the state.
    activation : str or None, default="tanh"
        The function of the sum that is a candidate for the state: see `SimpleRNN`.
    recurrent_activation : str or None, default="sigmoid"
        The function of the gates' sums: any that `activation` may be.
    use_bias : bool, default=True
        Whether biases are added to the sums over inputs and over the state.
    return_sequences : bool, default=False
        Whether the outputs at all steps are passed on, or those at the last one only.
    go_backwards : bool, default=False
        Whether the last step is read first.
    dropout : float, default=0.0
        The probability of each input to be replaced by 0 in training, in [0, 1).
    recurrent_dropout : float, default=0.0
        The probability of each number of the state to be 0 in the products with it in training, in [0, 1). It is the
        same numbers at all steps of a sequence.
    kernel_initializer : str, default="glorot_uniform"
        The distribution of the initial weights of the inputs, as in `Conv2D`. The biases are 0.
    recurrent_initializer : str, default="orthogonal"
        The distribution of the initial weights of the state.
    trainable : bool, default=True
        Whether training changes the weights.

    References
    ----------
    .. [1] K. Cho et al.: "Learning phrase representations using RNN encoder-decoder for statistical machine
       translation", EMNLP (2014).

    Examples
    --------
    >>> from fastnn import SequentialClassifier
    >>> from fastnn.layers import GRU
    >>> SequentialClassifier([GRU(64, return_sequences=True), GRU(64)])
    SequentialClassifier(layers=[GRU(64, return_sequences=True), GRU(64)])
    """

    unit_forget_bias: ClassVar[bool] = False

    if TYPE_CHECKING:  # written by tools/shared_source.py

        def __init__(
            self,
            units: int,
            activation: CellActivation = "tanh",
            *,
            recurrent_activation: CellActivation = "sigmoid",
            use_bias: bool = True,
            return_sequences: bool = False,
            go_backwards: bool = False,
            dropout: float = 0.0,
            recurrent_dropout: float = 0.0,
            kernel_initializer: Initializer = "glorot_uniform",
            recurrent_initializer: Initializer = "orthogonal",
            trainable: bool = True,
        ) -> None: ...

    cell: ClassVar[str] = "gru"
    n_gates: ClassVar[int] = 3
    has_recurrent_bias: ClassVar[bool] = True
    rules: ClassVar[dict[str, Rule]] = _GATED_RULES


@layer
class LSTM(Recurrent):
    # From tools/docstrings: <units>, <activation of gates>, <the way through the steps>, <initial weights of outputs>,
    # <trainable>
    """Long short-term memory: gates say what each step adds to a memory, forgets of it and makes an output of [1]_.

    It reads sequences (steps, channels) and makes the outputs at the last step, or at all of them.

    Parameters
    ----------
    units : int
        The number of outputs.
    activation : str or None, default="tanh"
        The function of the sum that is a candidate for the memory, and of the memory: see `SimpleRNN`.
    recurrent_activation : str or None, default="sigmoid"
        The function of the gates' sums: any that `activation` may be.
    use_bias : bool, default=True
        Whether biases are added to the sums.
    unit_forget_bias : bool, default=True
        Whether the initial biases of the gates that forget are 1 [2]_. All others are 0.
    return_sequences : bool, default=False
        Whether the outputs at all steps are passed on, or those at the last one only.
    go_backwards : bool, default=False
        Whether the last step is read first.
    dropout : float, default=0.0
        The probability of each input to be replaced by 0 in training, in [0, 1).
    recurrent_dropout : float, default=0.0
        The probability of each output to be 0 where the next step reads it in training, in [0, 1). It is the same
        outputs at all steps of a sequence.
    kernel_initializer : str, default="glorot_uniform"
        The distribution of the initial weights of the inputs, as in `Conv2D`.
    recurrent_initializer : str, default="orthogonal"
        The distribution of the initial weights of the outputs at the step before.
    trainable : bool, default=True
        Whether training changes the weights.

    References
    ----------
    .. [1] S. Hochreiter, J. Schmidhuber: "Long short-term memory", Neural Computation 9 (1997).
    .. [2] R. Jozefowicz, W. Zaremba, I. Sutskever: "An empirical exploration of recurrent network architectures",
       ICML (2015).

    Examples
    --------
    >>> from fastnn.layers import LSTM
    >>> LSTM(32).output_shape((None, 8))  # None is the number of steps, where sequences differ in it
    (32,)
    """

    if TYPE_CHECKING:  # written by tools/shared_source.py

        def __init__(
            self,
            units: int,
            activation: CellActivation = "tanh",
            *,
            recurrent_activation: CellActivation = "sigmoid",
            use_bias: bool = True,
            unit_forget_bias: bool = True,
            return_sequences: bool = False,
            go_backwards: bool = False,
            dropout: float = 0.0,
            recurrent_dropout: float = 0.0,
            kernel_initializer: Initializer = "glorot_uniform",
            recurrent_initializer: Initializer = "orthogonal",
            trainable: bool = True,
        ) -> None: ...

    cell: ClassVar[str] = "lstm"
    n_gates: ClassVar[int] = 4
    rules: ClassVar[dict[str, Rule]] = _GATED_RULES | {"unit_forget_bias": BOOL}

    def _initial_bias(self, shape):
        bias = np.zeros(shape)
        if self.unit_forget_bias:
            bias[self.units : 2 * self.units] = 1
        return bias
