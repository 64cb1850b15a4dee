"""Sparse matrices of any of SciPy's formats, as anybody may have changed them: whether they are what they say.

SciPy does not look: converting a broken one, it reads and writes wherever that says.
"""

from itertools import chain
from numbers import Integral, Number

import numpy as np
import scipy.sparse as sp

from fastnn.engine.arrays import check_indices


def check_sparse(X, name="X"):
    """Refuse a sparse matrix whose indices lead out of it, before SciPy, or scikit-learn by it, does anything with it.

    Parameters
    ----------
    X : object
        What is no sparse matrix is let pass.
    name : str, default="X"
        What the user calls it.

    Raises
    ------
    ValueError
    """
    if not sp.issparse(X):
        return
    if len(X.shape) != 2:
        raise ValueError(f"{name} must have 2 axes, not {len(X.shape)}")
    _CHECKS[X.format](X, name)


def check_dense(y):
    """Refuse a sparse y: of what is no indicator, zero is as good a value as any other.

    Raises
    ------
    TypeError
    """
    if sp.issparse(y):
        raise TypeError("`y` must be an array: y.toarray(). Only indicator matrices of zeros and ones may be sparse.")


def _check_compressed(X, name):
    n_axes = {"data": 3 if X.format == "bsr" else 1, "indices": 1, "indptr": 1}
    for part, n in n_axes.items():
        _check_array(getattr(X, part), n, f"{name}.{part}")
        if part != "data" and getattr(X, part).dtype.kind not in "iu":  # which check_indices would make whole
            raise ValueError(f"{name}.{part} must be whole numbers, not {getattr(X, part).dtype}")
    if X.format == "bsr" and any(size < 1 or n % size for n, size in zip(X.shape, X.data.shape[1:], strict=True)):
        raise ValueError(f"{name}.data must be of blocks that {name}, of shape {X.shape}, is made of")
    check_indices(X, name)
    # SciPy can do with more numbers and indices than there are in rows, but not with more blocks.
    if X.format == "bsr" and not len(X.data) == len(X.indices) == X.indptr[-1] - X.indptr[0]:
        n_blocks = X.indptr[-1] - X.indptr[0]
        raise ValueError(f"{name}.data and {name}.indices must have {n_blocks} blocks, as {name}.indptr says")


def _check_coo(X, name):
    _check_array(X.data, 1, f"{name}.data")
    if len(X.coords) != 2:
        raise ValueError(f"{name}.coords must be 2 arrays, not {len(X.coords)}")
    for axis, (indices, size) in enumerate(zip(X.coords, X.shape, strict=True)):
        _check_array(indices, 1, f"{name}.coords[{axis}]")
        if len(indices) != len(X.data) or not _are_in_range(indices, 0, size):
            raise ValueError(f"{name}.coords[{axis}] must be {len(X.data)} indices from 0 to {size - 1}")


def _check_dia(X, name):
    n_rows, n_columns = X.shape
    _check_array(X.data, 2, f"{name}.data")
    _check_array(X.offsets, 1, f"{name}.offsets")
    if len(X.data) != len(X.offsets):
        raise ValueError(f"{name}.data must have a row for each of {len(X.offsets)} offsets, not {len(X.data)}")
    if not _are_in_range(X.offsets, 1 - n_rows, n_columns) or len(np.unique(X.offsets)) < len(X.offsets):
        raise ValueError(f"{name}.offsets must be different ones from {1 - n_rows} to {n_columns - 1}")


def _check_dok(X, name):
    keys = list(X.keys())
    if not all(type(key) is tuple and len(key) == 2 for key in keys):
        raise ValueError(f"the keys of {name} must be pairs of indices")
    for axis, (indices, size) in enumerate(zip(zip(*keys, strict=True), X.shape, strict=False)):
        if not _are_indices(indices, size):
            raise ValueError(f"the keys of {name} must be from 0 to {size - 1} on axis {axis}")


def _check_lil(X, name):
    n_rows, n_columns = X.shape
    for part, lists in (("rows", X.rows), ("data", X.data)):
        _check_array(lists, 1, f"{name}.{part}")
        if len(lists) != n_rows or not all(type(each) is list for each in lists):
            raise ValueError(f"{name}.{part} must be {n_rows} lists")
    if list(map(len, X.rows)) != list(map(len, X.data)):
        raise ValueError(f"{name}.rows and {name}.data must be lists of the same lengths")
    if not all(issubclass(kind, (Number, np.generic)) for kind in set(map(type, chain.from_iterable(X.data)))):
        raise ValueError(f"{name}.data must be lists of numbers")
    if not _are_indices(list(chain.from_iterable(X.rows)), n_columns):
        raise ValueError(f"{name}.rows must be lists of indices from 0 to {n_columns - 1}")


_CHECKS = {
    "bsr": _check_compressed,
    "coo": _check_coo,
    "csc": _check_compressed,
    "csr": _check_compressed,
    "dia": _check_dia,
    "dok": _check_dok,
    "lil": _check_lil,
}


def _check_array(array, n_axes, name):
    if not isinstance(array, np.ndarray) or array.ndim != n_axes:
        raise ValueError(f"{name} must be an array of {n_axes} axes")


def _are_in_range(numbers, start, stop):
    """Whether an array has whole numbers from start on, below stop."""
    return numbers.dtype.kind in "iu" and (not len(numbers) or start <= numbers.min() <= numbers.max() < stop)


def _are_indices(indices, size):
    """The same of Python's numbers, from 0 on."""
    if not all(issubclass(kind, Integral) for kind in set(map(type, indices))):
        return False
    return not indices or (min(indices) >= 0 and max(indices) < size)
