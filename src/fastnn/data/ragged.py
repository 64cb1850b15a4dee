"""Sequences of any length: the steps of all of them, one sequence after the other, and where each begins.

Nothing is padded. Lists, object arrays, and list columns of Arrow and polars become `Sequences`; the numbers of a list
column are not copied.
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


def as_sequences(X, name="X", numeric=True):
    """Whatever holds sequences, other than an array of numbers, as Sequences; None for anything else.

    A list of lists that could be an array is not one of sequences, but that array: a table, if they have numbers. So is
    a list of arrays of numbers, all of one length.

    Parameters
    ----------
    X : object
    name : str, default="X"
        The user's name for it, for messages.
    numeric : bool, default=True
        Whether to refuse what the engine cannot read.

    Returns
    -------
    Sequences or None

    Raises
    ------
    ValueError
        For sequences that `Sequences.from_list` refuses.
    """
    if isinstance(X, Sequences):
        return X
    if package_of(X) in _COLUMNS:
        column = _of_columns(X, name)
        return _readable(column, name) if column is not None and numeric else column
    listed = as_list(X)
    return None if listed is None else Sequences.from_list(listed, name, numeric)


def as_list(X):
    """The sequences of a list, a tuple, an object array or a column of objects; None for anything else."""
    if isinstance(X, (list, tuple)):
        return X if _are_sequences(X) else None
    if package_of(X) == "pandas" or (isinstance(X, np.ndarray) and X.dtype == object):
        X = np.asarray(X)
        if X.dtype == object and X.size and X.size == len(X) and any(map(_n_axes, X.flat)):
            return X.reshape(-1)
    return None


def holds_ragged(X):
    """Whether a list, or an object array, holds arrays of 1 or 2 axes with different lengths."""
    listed = as_list(X)
    return listed is not None and all(_n_axes(each) in (1, 2) for each in listed) and len(set(map(len, listed))) > 1


def package_of(X):
    """The name of the package that an object's class is of."""
    return type(X).__module__.partition(".")[0]


def are_objects(X):
    """Whether X is an array, or a column, of objects, as results for it should be."""
    return package_of(X) == "pandas" or (isinstance(X, np.ndarray) and X.dtype == object and X.size == len(X))


def in_form_of(X, flat, starts):
    """What there is for each step, in the form that the user's X has.

    Parameters
    ----------
    X : object
        As the user gave it.
    flat : ndarray of shape (n_steps_of_all, ...)
    starts : ndarray of intp of shape (n_sequences + 1,)

    Returns
    -------
    list of ndarray, or ndarray
        A list for a list; an object array for one, or where sequences in an array have not kept one length; else an
        array of shape (n_sequences, n_steps, ...).
    """
    lengths = np.diff(starts)
    is_array = hasattr(X, "__array__") and package_of(X) not in _COLUMNS
    if is_array and not are_objects(X) and (lengths == lengths[0]).all():
        return flat[starts[0] : starts[-1]].reshape(len(lengths), lengths[0], *flat.shape[1:])
    parts = [flat[start:end] for start, end in pairwise(starts)]
    return as_objects(parts) if is_array else parts


def as_objects(parts):
    """An object array with one array in each place, even where all have one shape."""
    array = np.empty(len(parts), dtype=object)
    for i, part in enumerate(parts):
        array[i] = part
    return array


# -- one sequence -----------------------------------------------------------------------------------------------------


def _n_axes(each):
    """The number of axes of one sequence: of a nested list as far as its first item says."""
    if isinstance(each, np.ndarray):
        return each.ndim
    if isinstance(each, (list, tuple)):
        return 1 + (_n_axes(each[0]) if len(each) else 0)
    return getattr(each, "ndim", 0) if hasattr(each, "__array__") else 0


def _are_sequences(X):
    """Whether a list has a sequence in each place: an array of 2 axes, or anything of different lengths.

    Lists in lists that could be an array are that array, as they are to scikit-learn.
    """
    n_axes = set(map(_n_axes, X))
    if n_axes <= {0}:
        return False
    if 0 in n_axes:
        return True  # of which some are refused
    has_arrays = max(n_axes) > 1 and not all(isinstance(each, (list, tuple)) for each in X)
    return has_arrays or len(set(map(len, X))) > 1


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
        array = _numbers(array, name)
    return readable(array, name) if numeric else array


_REAL = int, float, np.bool_, np.integer, np.floating


def _numbers(array, name):
    """An array of objects that are all real numbers as one of numbers."""
    are_odd = [not (array.dtype == object and isinstance(value, _REAL)) for value in array.flat]
    if any(are_odd):
        odd = array.flat[are_odd.index(True)]
        raise ValueError(f"{name} must be numbers, got {quoted(odd)} in an array of type {array.dtype}")
    with refusing(f"{name} must be numbers that float64 holds"):
        return array.astype(np.float64)


def _features(shape, name):
    numbers = f"{shape[0]} feature{'s' * (shape[0] != 1)}" if shape else "one number for each step"
    return f"{numbers}, as {name}[0] has"


def _got(shape):
    return shape[0] if shape else "one number for each step"


# -- columns of other packages ----------------------------------------------------------------------------------------


def _readable(sequences, name):
    return Sequences(readable(sequences.values, name), sequences.starts)


def _check_lengths(lengths, is_null, name):
    if is_null.any():
        raise ValueError(f"{name}[{int(np.argmax(is_null))}] must be a list, got null")
    if not len(lengths):
        raise ValueError(f"{name} must have at least 1 sequence, got 0")
    if (lengths == 0).any():
        raise ValueError(f"{name}[{int(np.argmin(lengths != 0))}] must have at least 1 step, got 0")


def _in_columns(values, inner_lengths, name):
    """The numbers of lists of lists as a matrix, where all inner lists have one length."""
    if (inner_lengths != inner_lengths[0]).any() or not inner_lengths[0]:
        raise ValueError(
            f"{name} must have steps of one number of features, at least 1, got {quoted(np.unique(inner_lengths), str)}"
        )
    return values.reshape(-1, inner_lengths[0])


def _of_columns(X, name):
    """Sequences from a list column, or from a table with such for each feature; None for anything else."""
    read = _COLUMNS[package_of(X)]
    columns = X.get_columns() if hasattr(X, "get_columns") else getattr(X, "columns", [X])
    features = [read(column, name) for column in columns]
    if len(features) < 2 or any(each is None for each in features):
        return features[0] if len(features) == 1 else None
    first, *others = (each.lengths for each in features)
    for i, lengths in enumerate(others, 1):
        if (lengths != first).any():
            row = int(np.argmax(lengths != first))
            steps = f"{first[row]} step{'s' * int(first[row] != 1)}"
            raise ValueError(
                f"{name}[{row}] must have {steps} in each column, as in the first one, got {lengths[row]} in column {i}"
            )
    return Sequences(np.hstack([each.values[each.starts[0] : each.starts[-1]] for each in features]), starts_of(first))


def _from_polars(series, name):
    """Sequences from a polars Series of lists; None for anything else."""
    if not hasattr(series, "list") or not hasattr(series.dtype, "inner") or not hasattr(series.list, "len"):
        return None
    if not str(series.dtype).startswith("List"):  # arrays of one length are the rows of a table
        return None
    lengths = series.list.len()
    _check_lengths(lengths.fill_null(1).to_numpy(), lengths.is_null().to_numpy(), name)
    values, starts = series.explode(), starts_of(lengths.to_numpy())
    if values.null_count():
        i = int(np.searchsorted(starts, int(np.argmax(values.is_null().to_numpy())), side="right")) - 1
        raise ValueError(f"{name}[{i}] must be numbers, got null")
    if str(values.dtype).startswith("List"):
        inner = values.list.len().to_numpy()
        matrix = _in_columns(values.explode().to_numpy(), inner, name)
    else:
        array = values.to_numpy()  # of two axes, if each step is an array
        matrix = array if array.ndim == 2 else array[:, np.newaxis]
    return Sequences(matrix, starts)


def _from_arrow(column, name):
    """Sequences from an Arrow array of lists; None for anything else."""
    column = column.combine_chunks() if hasattr(column, "combine_chunks") else column
    if not hasattr(column, "offsets") or not hasattr(column, "values"):
        return None
    starts = column.offsets.to_numpy(zero_copy_only=False).astype(np.intp)
    _check_lengths(np.diff(starts), column.is_null().to_numpy(zero_copy_only=False), name)
    values = column.values
    if values.null_count:
        used = values.is_null().to_numpy(zero_copy_only=False)[starts[0] : starts[-1]]
        if used.any():
            i = int(np.searchsorted(starts, starts[0] + int(np.argmax(used)), side="right")) - 1
            raise ValueError(f"{name}[{i}] must be numbers, got null")
    if hasattr(values, "offsets") or hasattr(values.type, "list_size"):
        begins = values.offsets.to_numpy(zero_copy_only=False) if hasattr(values, "offsets") else None
        inner = np.diff(begins) if begins is not None else np.full(len(values), values.type.list_size)
        matrix = _in_columns(values.flatten().to_numpy(zero_copy_only=False), inner, name)
    else:
        matrix = values.to_numpy(zero_copy_only=False)[:, np.newaxis]
    return Sequences(matrix, starts)


# How the columns of each package are read.
_COLUMNS = {"polars": _from_polars, "pyarrow": _from_arrow}
