"""The forms that users have sequences in, and get results for them in: lists, object arrays, list columns, arrays."""

from itertools import pairwise

import numpy as np
import scipy.sparse as sp

from fastnn.data.inputs import readable
from fastnn.data.list_columns import from_list_columns, has_list_columns, package_of
from fastnn.data.ragged import Sequences, as_objects


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
    if has_list_columns(X):
        column = from_list_columns(X, name)
        if column is None or not numeric:
            return column
        return Sequences(readable(column.values, name), column.starts)
    listed = as_list(X)
    return None if listed is None else Sequences.from_list(listed, name, numeric)


def as_list(X):
    """The sequences of a list, a tuple, an object array or a column of objects; None for anything else."""
    if type(X) is np.ndarray and X.dtype != object:  # most X; the rest takes a tenth of a small prediction
        return None
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
    is_array = sp.issparse(X) or (hasattr(X, "__array__") and not has_list_columns(X))
    if is_array and not are_objects(X) and (lengths == lengths[0]).all():
        return flat[starts[0] : starts[-1]].reshape(len(lengths), lengths[0], *flat.shape[1:])
    parts = [flat[start:end] for start, end in pairwise(starts)]
    return as_objects(parts) if is_array else parts


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
