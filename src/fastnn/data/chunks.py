"""Chunks of samples as users give them: in which order they are read, and errors that name their number."""

from collections.abc import Mapping
from contextlib import contextmanager

import numpy as np

from fastnn.data.quoted import quoted
from fastnn.engine.order import shuffled


class Chunks:
    """Chunks that can be gone through again for each epoch.

    Parameters
    ----------
    given : iterable, or callable that returns an iterator
        As the user gave them. A sequence is read in an order that is drawn for each epoch. So is what has a method
        `shuffled`, which is given a RandomState, draws what it needs, and returns a generator of pairs of a number and
        a chunk. Anything else is read in its own order.

    Raises
    ------
    ValueError
        For an iterator, which can be gone through once only, and for what cannot be iterated over.
    """

    def __init__(self, given):
        self.given = given
        if hasattr(given, "__next__"):
            raise ValueError(
                "chunks must be something that can be gone through again for each epoch, such as a list, or a function "
                f"that returns an iterator, got an iterator, which can be gone through once only: {quoted(given)}"
            )
        self.is_function = callable(given) and not hasattr(given, "__iter__")
        if not self.is_function and not hasattr(given, "__iter__") and not self._is_sequence():
            raise ValueError(
                f"chunks must be an iterable of chunks, or a function that returns an iterator, got {quoted(given)}"
            )

    def _is_sequence(self):
        given = self.given
        return hasattr(given, "__len__") and hasattr(given, "__getitem__") and not isinstance(given, Mapping)

    def numbered(self, random_state=None):
        """The chunks with their numbers.

        Parameters
        ----------
        random_state : RandomState, default=None
            What the order of chunks is drawn from: at once, not when they are read. None: it is their own order.

        Returns
        -------
        generator of (int, object)
        """
        if random_state is not None and hasattr(self.given, "shuffled"):
            return self.given.shuffled(random_state)
        if random_state is not None and self._is_sequence():
            order = shuffled(np.arange(len(self.given), dtype=np.intp), random_state)
            return self._picked(order.tolist())
        return self._iterated()

    def _picked(self, order):
        for number in order:
            with noting_chunk(number):
                chunk = self.given[number]
            yield number, chunk
            chunk = None  # it is the reader's now

    def _iterated(self):
        number, end = 0, object()
        with noting_chunk(number):
            iterator = iter(self.given() if self.is_function else self.given)
        try:
            while True:
                with noting_chunk(number):
                    chunk = next(iterator, end)
                if chunk is end:
                    return
                yield number, chunk
                chunk = None
                number += 1
        finally:
            if hasattr(iterator, "close"):
                iterator.close()  # what the user's generator has open

    def targets(self, with_X):
        """The targets with the numbers of their chunks, and weights or None; X is None where it need not be read.

        Parameters
        ----------
        with_X : bool
            Whether X is needed.

        Returns
        -------
        generator of (int, tuple)
        """
        read = getattr(self.given, "targets", None)
        if read is None or with_X:
            return ((number, parts_of(number, chunk)) for number, chunk in self.numbered())
        return ((number, (None, *parts)) for number, parts in enumerate(read()))


def parts_of(number, chunk):
    """X, y and the weights, or None, of a chunk.

    Raises
    ------
    ValueError
    """
    if not isinstance(chunk, (tuple, list)) or len(chunk) not in (2, 3):
        given = f"{len(chunk)} of them" if isinstance(chunk, (tuple, list)) else quoted(chunk)
        raise ValueError(f"chunk {number} must be a tuple of X and y, or of X, y and sample_weight, got {given}")
    return chunk if len(chunk) == 3 else (*chunk, None)


@contextmanager
def naming_chunk(number):
    """Let errors about X, y and sample_weight say of which chunk they are."""
    try:
        yield
    except (TypeError, ValueError) as error:
        if error.args and isinstance(error.args[0], str):
            error.args = (f"chunk {number}: {error.args[0]}", *error.args[1:])
        raise


@contextmanager
def noting_chunk(number):
    """Let what the user's code raises have a note that says with which chunk."""
    try:
        yield
    except Exception as error:
        error.add_note(f"It was raised when chunk {number} was read, counted from 0.")
        raise


def check_like(samples, first):
    """Refuse samples of another kind than those of the first chunk.

    Parameters
    ----------
    samples, first : Samples

    Raises
    ------
    ValueError
    """
    expected, got = type(first.X), type(samples.X)
    if expected is not got and not (issubclass(got, np.ndarray) and issubclass(expected, np.ndarray)):
        raise ValueError(f"X must be {_form(first.X)}, as in the first chunk, got {_form(samples.X)}")
    if not np.can_cast(samples.X.dtype, first.X.dtype, "safe"):
        raise ValueError(
            f"X must be numbers that {first.X.dtype} holds, the type of the first chunk, got {samples.X.dtype}: "
            "pass all chunks in one type"
        )
    if (samples.weights is None) != (first.weights is None):
        raise ValueError(
            f"sample_weight must be given with {'each chunk or with none' if first.weights is None else 'each chunk'}, "
            f"as the first chunk has {'no' if first.weights is None else 'its'} weights, got "
            f"{'None' if samples.weights is None else 'weights'}"
        )


def _form(X):
    if isinstance(X, np.ndarray):
        return "dense"
    return "sequences of any length" if hasattr(X, "starts") else "sparse"
