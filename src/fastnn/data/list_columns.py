"""Sequences from the list columns of polars and Arrow, whose numbers are not copied."""

import numpy as np

from fastnn.data.quoted import quoted
from fastnn.data.ragged import Sequences
from fastnn.engine.steps import starts_of


def package_of(X):
    """The name of the package that an object's class is of."""
    return type(X).__module__.partition(".")[0]


def has_list_columns(X):
    """Whether X is of a package whose list columns are read here."""
    return package_of(X) in _COLUMNS


def from_list_columns(X, name):
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


def _from_polars(series, name):
    """Sequences from a polars Series of lists; None for anything else."""
    if not hasattr(series, "list") or not hasattr(series.dtype, "inner") or not hasattr(series.list, "len"):
        return None
    if not str(series.dtype).startswith("List"):  # arrays of one length are the rows of a table
        return None
    lengths = series.list.len()
    _check_lengths(lengths.fill_null(1).to_numpy(), series.is_null().to_numpy(), name)
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
