"""Layers that read X itself: vectors for tokens, and steps that are left out."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from fastnn.layers.initializers import INITIALIZERS
from fastnn.layers.rules import BOOL, COUNT, NUMBER, one_of
from fastnn.layers.spec import Layer, Operation, layer

if TYPE_CHECKING:
    from typing import Any, Literal

    from numpy.typing import NDArray

    from fastnn.layers.rules import Rule
    from fastnn.typing import Initializer, Shape

_INITIALIZERS = {"uniform": lambda shape, random_state: random_state.uniform(-0.05, 0.05, shape), **INITIALIZERS}
_BLOCK = 2**16  # tokens that are looked at at a time, so that little memory is needed beside X


@layer
class Masking(Layer):
    """Leaves out the steps of which all numbers are a certain one, such as padding.

    They are left out where X is read: later layers never see them, and targets for them are ignored. Keras passes
    them on, with a mask. No layer can come before it.

    Parameters
    ----------
    mask_value : float, default=0.0
        The number that all channels of a step are, if it is left out. X has no NaN: where that is the padding,
        `fastnn.sequences.from_padded` takes it away.

    Examples
    --------
    >>> from fastnn import SequentialClassifier
    >>> from fastnn.layers import GRU, Masking
    >>> SequentialClassifier([Masking(-1.0), GRU(64)])
    SequentialClassifier(layers=[Masking(-1.0), GRU(64)])
    """

    mask_value: float = 0.0

    reads: ClassVar[str] = "sequence"
    comes_after: ClassVar[tuple[type[Layer], ...] | None] = ()
    removes_steps: ClassVar[bool] = True
    works_stepwise: ClassVar[bool] = True
    rules: ClassVar[dict[str, Rule]] = {"mask_value": NUMBER}

    def steps_to_keep(self, values: NDArray[Any]) -> NDArray[np.bool_]:
        """Which steps of X the layer reads.

        Parameters
        ----------
        values : ndarray of shape (..., channels)
            Any number of steps.

        Returns
        -------
        ndarray of bool of shape (...)
        """
        return (values != self.mask_value).any(axis=-1)


@layer
class Embedding(Layer):
    """A vector for each token: a row of a matrix that is learnt [1]_.

    It reads sequences of tokens (steps,) or (steps, 1), which are whole numbers of any type, and makes sequences
    (steps, output_dim). No layer but `Masking` can come before it.

    Parameters
    ----------
    input_dim : int
        The number of tokens: they are from 0 to ``input_dim - 1``.
    output_dim : int
        The number of channels of each vector.
    mask_zero : bool, default=False
        Whether the token 0 is padding: its steps are left out where X is read, and no layer sees them.
    embeddings_initializer : str, default="uniform"
        The distribution of the initial vectors: "uniform" is from -0.05 to 0.05; the others are those of `Conv2D`.
    trainable : bool, default=True
        Whether training changes the vectors.

    References
    ----------
    .. [1] Y. Bengio et al.: "A neural probabilistic language model", JMLR 3 (2003).

    Examples
    --------
    >>> from fastnn.layers import Embedding
    >>> Embedding(10_000, 100).output_shape((40, 1))
    (40, 100)
    """

    input_dim: int
    output_dim: int
    _: KW_ONLY
    mask_zero: bool = False
    embeddings_initializer: Initializer | Literal["uniform"] = "uniform"
    trainable: bool = True

    reads: ClassVar[str] = "sequence"
    comes_after: ClassVar[tuple[type[Layer], ...] | None] = (Masking,)
    works_stepwise: ClassVar[bool] = True
    rules: ClassVar[dict[str, Rule]] = {
        "input_dim": COUNT,
        "output_dim": COUNT,
        "mask_zero": BOOL,
        "embeddings_initializer": one_of(_INITIALIZERS),
        "trainable": BOOL,
    }

    @property
    def removes_steps(self) -> bool:
        return self.mask_zero

    def steps_to_keep(self, values: NDArray[Any]) -> NDArray[np.bool_]:
        """Which steps of X the layer reads.

        Parameters
        ----------
        values : ndarray of shape (..., 1)
            Any number of steps.

        Returns
        -------
        ndarray of bool of shape (...)
        """
        return (values != 0).any(axis=-1)

    def output_shape(self, shape: Shape, name: str = "the layer") -> Shape:
        if shape[-1] != 1:
            raise ValueError(f"{name} must read one token at each step for Embedding, got {shape[-1]} channels")
        return *shape[:-1], self.output_dim

    def operation(self, shape: Shape) -> Operation | None:
        return Operation("embedding", (self.input_dim, self.output_dim), None, (self.trainable,))

    def weight_shapes(self, shape: Shape) -> dict[str, tuple[int, ...]]:
        return {"embeddings": (self.input_dim, self.output_dim)}

    def initial_weights(
        self, shape: Shape, random_state: np.random.RandomState, gain: float
    ) -> list[NDArray[np.float64]]:
        return [_INITIALIZERS[self.embeddings_initializer]((self.input_dim, self.output_dim), random_state)]


def steps_to_keep(layers, values):
    """Which steps of X the layers read.

    Parameters
    ----------
    layers : sequence of Layer or None
    values : ndarray of shape (..., channels)
        Any number of steps, as X has them.

    Returns
    -------
    ndarray of bool of shape (...) or None
        None if no layer leaves steps out.
    """
    kept = [layer.steps_to_keep(values) for layer in layers if layer is not None and layer.removes_steps]
    return np.logical_and.reduce(kept) if kept else None


def embedding_of(layers):
    """The Embedding that reads X; None if X does not have tokens."""
    return next((layer for layer in layers if isinstance(layer, Embedding)), None)


def check_tokens(values, starts, input_dim, name, given="X"):
    """Refuse what is not a token.

    Parameters
    ----------
    values : ndarray of shape (n_steps, 1) or (n_steps,), or (n_sequences, n_steps[, 1])
        The steps of all sequences, or, where `starts` is None, sequences of one length.
    starts : ndarray of int of shape (n_sequences + 1,) or None
        Where each sequence begins in `values`, and where the last one ends.
    input_dim : int
        The number of tokens.
    name : str
        The layer in messages.
    given : str, default="X"
        The user's name for the tokens, for messages.

    Raises
    ------
    ValueError
        With the sequence's number, the step and what it has.
    """
    n_steps = 1
    if starts is None:
        n_steps = values.shape[1]
        values = values.reshape(len(values), n_steps)
        first, end, rows = 0, len(values), max(1, _BLOCK // max(1, n_steps))
    else:
        values, first, end, rows = values.reshape(-1), starts[0], starts[-1], _BLOCK
    for row in range(first, end, rows):
        block = values[row : min(row + rows, end)]
        wrong = ~_are_tokens(block, input_dim)
        if wrong.any():
            place = int(np.argmax(wrong))
            token = block.reshape(-1)[place]
            if starts is None:
                sequence, step = divmod(row * n_steps + place, n_steps)
            else:
                sequence = int(np.searchsorted(starts, row + place, side="right")) - 1
                step = row + place - starts[sequence]
            raise ValueError(
                f"{given} must have tokens from 0 to {input_dim - 1}, whole numbers, for {name}, got {token} in "
                f"sequence {sequence} at step {step}"
            )


def _are_tokens(block, input_dim):
    if block.dtype.kind == "f":
        block = block.astype(np.float64)  # which holds every token
        return (block >= 0) & (block < input_dim) & (block == np.floor(block))
    return (block >= 0) & (block < input_dim)
