"""Checks of sparse matrices of any of SciPy's formats, whose arrays a user may have changed.

SciPy does not check them: to convert a broken one, it reads and writes outside of its arrays.
"""

from itertools import chain
from numbers import Integral, Number

import numpy as np
import scipy.sparse as sp

from fastnn.data.quoted import quoted
from fastnn.engine.arrays import check_indices


def check_sparse(X, name="X"):
    """Refuse a sparse matrix whose indices lead out of its arrays, before SciPy or scikit-learn reads it.

    Parameters
    ----------
    X : object
        Anything but a sparse matrix is accepted.
    name : str, default="X"
        The user's name for it.

    Raises
    ------
    ValueError
    """
    if not sp.issparse(X):
        return
    if len(X.shape) != 2:
        raise ValueError(f"{name} must have 2 axes, got {len(X.shape)}")
    _CHECKS[X.format](X, name)


def check_dense(y):
    """Refuse a sparse y that is not an indicator matrix: its zeros are values like any other.

    Raises
    ------
    TypeError
    """
    if sp.issparse(y):
        raise TypeError(
            f"y must be an array unless it is an indicator matrix of zeros and ones, got a sparse {y.format} matrix: "
            "pass y.toarray()"
        )


def _check_compressed(X, name):
    n_axes = {"data": 3 if X.format == "bsr" else 1, "indices": 1, "indptr": 1}
    for part, n in n_axes.items():
        _check_array(getattr(X, part), n, f"{name}.{part}")
        if part != "data" and getattr(X, part).dtype.kind not in "iu":  # check_indices would round them
            raise ValueError(f"{name}.{part} must be whole numbers, got {getattr(X, part).dtype}")
    if X.format == "bsr" and any(size < 1 or n % size for n, size in zip(X.shape, X.data.shape[1:], strict=True)):
        raise ValueError(
            f"{name}.data must be blocks that divide the shape {X.shape}, got blocks of {X.data.shape[1:]}"
        )
    check_indices(X, name)
    if X.indptr[0] != 0:  # fastnn would not mind, but SciPy writes beyond the columns or rows that it selects
        raise ValueError(f"{name}.indptr must begin with 0, got {X.indptr[0]}")
    # SciPy ignores numbers and indices beyond those of the rows, but not blocks.
    if X.format == "bsr" and not len(X.data) == len(X.indices) == X.indptr[-1] - X.indptr[0]:
        n_blocks = X.indptr[-1] - X.indptr[0]
        raise ValueError(
            f"{name}.data and {name}.indices must have {n_blocks} blocks, the number in {name}.indptr, "
            f"got {len(X.data)} and {len(X.indices)}"
        )


def _check_coo(X, name):
    _check_array(X.data, 1, f"{name}.data")
    if len(X.coords) != 2:
        raise ValueError(f"{name}.coords must be 2 arrays, got {len(X.coords)}")
    for axis, (indices, size) in enumerate(zip(X.coords, X.shape, strict=True)):
        _check_array(indices, 1, f"{name}.coords[{axis}]")
        if len(indices) != len(X.data) or not _are_in_range(indices, 0, size):
            raise ValueError(
                f"{name}.coords[{axis}] must be {len(X.data)} indices from 0 to {size - 1}, got {_range(indices)}"
            )


def _check_dia(X, name):
    n_rows, n_columns = X.shape
    _check_array(X.data, 2, f"{name}.data")
    _check_array(X.offsets, 1, f"{name}.offsets")
    if len(X.data) != len(X.offsets):
        raise ValueError(f"{name}.data must have a row for each of {len(X.offsets)} offsets, got {len(X.data)}")
    if not _are_in_range(X.offsets, 1 - n_rows, n_columns) or len(np.unique(X.offsets)) < len(X.offsets):
        raise ValueError(
            f"{name}.offsets must be different whole numbers from {1 - n_rows} to {n_columns - 1}, "
            f"got {quoted(X.offsets, str)}"
        )


def _check_dok(X, name):
    keys = list(X.keys())
    for key in keys:
        if type(key) is not tuple or len(key) != 2:
            raise ValueError(f"the keys of {name} must be pairs of indices, got {quoted(key)}")
    for axis, (indices, size) in enumerate(zip(zip(*keys, strict=True), X.shape, strict=False)):
        if not _are_indices(indices, size):
            wrong = next(index for index in indices if not _are_indices([index], size))
            raise ValueError(f"the keys of {name} must be from 0 to {size - 1} on axis {axis}, got {quoted(wrong)}")


def _check_lil(X, name):
    n_rows, n_columns = X.shape
    for part, lists in (("rows", X.rows), ("data", X.data)):
        _check_array(lists, 1, f"{name}.{part}")
        if len(lists) != n_rows or not all(type(each) is list for each in lists):
            types = " and ".join(sorted({type(each).__name__ for each in lists}))
            raise ValueError(f"{name}.{part} must be {n_rows} lists, got {len(lists)} of type {types}")
    if list(map(len, X.rows)) != list(map(len, X.data)):
        i = next(i for i in range(n_rows) if len(X.rows[i]) != len(X.data[i]))
        raise ValueError(
            f"{name}.rows and {name}.data must be lists of the same lengths, got {len(X.rows[i])} and {len(X.data[i])} "
            f"in row {i}"
        )
    for number_type in set(map(type, chain.from_iterable(X.data))):
        if not issubclass(number_type, (Number, np.generic)):
            raise ValueError(f"{name}.data must be lists of numbers, got {number_type.__name__}")
    indices = list(chain.from_iterable(X.rows))
    if not _are_indices(indices, n_columns):
        wrong = next(index for index in indices if not _are_indices([index], n_columns))
        raise ValueError(f"{name}.rows must be lists of indices from 0 to {n_columns - 1}, got {quoted(wrong)}")


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
    if not isinstance(array, np.ndarray):
        raise ValueError(f"{name} must be an array, got {type(array).__name__}")
    if array.ndim != n_axes:
        raise ValueError(f"{name} must be an array of {n_axes} axes, got {array.ndim}")


def _range(indices):
    """What indices there are, for an error message."""
    if not len(indices) or indices.dtype.kind not in "iu":
        return f"{len(indices)} of type {indices.dtype}"
    return f"{len(indices)} from {indices.min()} to {indices.max()}"


def _are_in_range(numbers, start, stop):
    """Whether an array holds only whole numbers from start on, below stop."""
    return numbers.dtype.kind in "iu" and (not len(numbers) or start <= numbers.min() <= numbers.max() < stop)


def _are_indices(indices, size):
    """Whether all of these are whole numbers from 0 on, below size."""
    if not all(issubclass(index_type, Integral) for index_type in set(map(type, indices))):
        return False
    return not indices or (min(indices) >= 0 and max(indices) < size)
