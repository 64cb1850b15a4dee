"""Sequences of any length: the steps of all of them, one sequence after the other, and where each begins.

Nothing is padded. `sequence_forms.py` makes `Sequences` of what users have, and `list_columns.py` of list columns.
"""

from itertools import pairwise

import numpy as np

from fastnn.data.inputs import readable, refusing
from fastnn.data.quoted import quoted
from fastnn.engine.steps import starts_of


class Sequences:
    """Sequences of any length, as the engine reads them.

    Parameters
    ----------
    values : ndarray of shape (n_steps_of_all, n_channels)
        The steps of all sequences, one sequence after the other.
    starts : ndarray of intp of shape (n_sequences + 1,)
        The row of `values` that each sequence begins with, and the row after the last one. They ascend.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn.data.ragged import Sequences
    >>> sequences = Sequences.from_list([[[1, 2], [3, 4]], [[5, 6]]])
    >>> sequences.shape, sequences.lengths
    ((2, None, 2), array([2, 1]))
    >>> sequences[1]
    array([[5, 6]])
    """

    ndim = 3

    def __init__(self, values, starts):
        self.values, self.starts = values, starts

    @classmethod
    def from_list(cls, given, name="X", numeric=True):
        """Sequences from a list, or an object array, of one array for each sequence.

        Parameters
        ----------
        given : sequence of array-like of shape (n_steps, n_channels) or (n_steps,)
        name : str, default="X"
            The user's name for it, for messages.
        numeric : bool, default=True
            Whether to refuse what the engine cannot read.

        Raises
        ------
        ValueError
            For other shapes, for different numbers of channels, for a sequence without steps, and for anything but
            numbers. The message has the number of the sequence.
        """
        arrays = [_steps(each, f"{name}[{i}]", numeric) for i, each in enumerate(given)]
        if not arrays:
            raise ValueError(f"{name} must have at least 1 sequence, got 0")
        first = arrays[0].shape[1:]
        for i, array in enumerate(arrays):
            if array.shape[1:] != first:
                raise ValueError(f"{name}[{i}] must have {_features(first, name)}, got {_got(array.shape[1:])}")
        values = joined(arrays)
        return cls(values if values.ndim == 2 else values[:, np.newaxis], starts_of(np.array(list(map(len, arrays)))))

    @classmethod
    def from_array(cls, X):
        """Sequences of one length, from an array of shape (n, n_steps, n_channels) or (n, n_steps): rarely a copy."""
        n_sequences, n_steps = X.shape[:2]
        n_channels = X.shape[2] if X.ndim == 3 else 1
        starts = np.arange(n_sequences + 1, dtype=np.intp) * n_steps
        return cls(X.reshape(n_sequences * n_steps, n_channels), starts)

    @classmethod
    def joined(cls, parts):
        """The sequences of several Sequences, one after the other: a copy."""
        values = np.concatenate([part.values[part.starts[0] : part.starts[-1]] for part in parts])
        return cls(values, starts_of(np.concatenate([part.lengths for part in parts])))

    @property
    def shape(self):
        """(n_sequences, None, n_channels)"""
        return len(self), None, self.values.shape[1]

    @property
    def dtype(self):
        """The type of the values."""
        return self.values.dtype

    @property
    def lengths(self):
        """ndarray of intp of shape (n_sequences,): the number of steps of each sequence."""
        return np.diff(self.starts)

    def __len__(self):
        return len(self.starts) - 1

    def __iter__(self):
        return (self.values[start:end] for start, end in pairwise(self.starts))

    def __getitem__(self, rows):
        """One sequence; or, for a slice, a mask or an array of numbers, a copy of these sequences."""
        if isinstance(rows, (int, np.integer)):
            row = range(len(self))[rows]
            return self.values[self.starts[row] : self.starts[row + 1]]
        return Sequences(self.values[steps_at(self.starts, rows)], starts_of(self.lengths[rows]))

    def kept(self, keep):
        """The sequences of the steps that a mask keeps.

        Parameters
        ----------
        keep : ndarray of bool of shape (n_steps_of_all,)
            For each step, from that of `starts[0]` on.
        """
        begins = np.concatenate([[0], np.cumsum(keep, dtype=np.intp)])
        values = self.values[self.starts[0] : self.starts[-1]]
        return Sequences(values[keep], begins[self.starts - self.starts[0]])

    def check(self, name="X"):
        """Refuse numbers that are not finite.

        Raises
        ------
        ValueError
            The message has the numbers of the sequence and the step.
        """
        values = self.values[self.starts[0] : self.starts[-1]]
        if values.dtype.kind != "f" or np.isfinite(values).all():
            return
        step = int(np.argmin(np.isfinite(values).all(axis=1)))
        i = int(np.searchsorted(self.starts, step + self.starts[0], side="right")) - 1
        value = next(value for value in values[step].tolist() if not np.isfinite(value))
        raise ValueError(f"{name}[{i}] must have finite numbers, got {value} in step {step - self._first(i)}")

    def _first(self, i):
        return int(self.starts[i] - self.starts[0])


def steps_at(starts, rows):
    """The numbers of the steps of some sequences, one sequence after the other.

    Parameters
    ----------
    starts : ndarray of intp of shape (n_sequences + 1,)
    rows : slice, or ndarray of bool or int
        The sequences.

    Returns
    -------
    ndarray of intp
    """
    lengths, own = np.diff(starts)[rows], starts[:-1][rows]
    return np.repeat(own - starts_of(lengths)[:-1], lengths) + np.arange(lengths.sum(), dtype=np.intp)


def joined(arrays):
    """Arrays one after the other: texts and numbers side by side stay what they are, and are not all made texts."""
    if len({array.dtype.kind in "biufc" for array in arrays}) > 1:
        arrays = [array.astype(object) for array in arrays]
    return np.concatenate(arrays)


def as_objects(parts):
    """An object array with one array in each place, even where all have one shape."""
    array = np.empty(len(parts), dtype=object)
    for i, part in enumerate(parts):
        array[i] = part
    return array


def _steps(each, name, numeric):
    """One sequence as an array of 1 or 2 axes."""
    try:
        array = np.asarray(each)
    except ValueError:  # steps of several lengths
        array = np.empty((), dtype=object)
    if array.ndim not in (1, 2):
        got = "steps of several lengths" if array.dtype == object else f"shape {array.shape}"
        raise ValueError(f"{name} must be an array of shape (n_steps, n_features) or (n_steps,), got {got}")
    if not len(array):
        raise ValueError(f"{name} must have at least 1 step, got 0")
    if array.ndim == 2 and not array.shape[1]:
        raise ValueError(f"{name} must have at least 1 feature, got 0")
    if numeric and array.dtype.kind not in "biuf":
        array = as_numbers(array, name)
    return readable(array, name) if numeric else array


_REAL = int, float, np.bool_, np.integer, np.floating


def as_numbers(array, name):
    """An array of objects that are all real numbers as one of numbers.

    Raises
    ------
    ValueError
        For anything else, such as texts.
    """
    are_odd = [not (array.dtype == object and isinstance(value, _REAL)) for value in array.flat]
    if any(are_odd):
        odd = array.reshape(-1).tolist()[are_odd.index(True)]
        raise ValueError(f"{name} must be numbers, got {quoted(odd)} in an array of type {array.dtype}")
    with refusing(f"{name} must be numbers that float64 holds"):
        return array.astype(np.float64)


def _features(shape, name):
    numbers = f"{shape[0]} feature{'s' * (shape[0] != 1)}" if shape else "one number for each step"
    return f"{numbers}, as {name}[0] has"


def _got(shape):
    return shape[0] if shape else "one number for each step"
