"""Samples, numbers and weights as users give them, made into what the engine reads: rarely a copy."""

from numbers import Integral

import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import _check_sample_weight

from fastnn.engine.arrays import check_indices, source_dtypes


def check_sparse(X, name="X"):
    """Refuse a sparse matrix whose indices lead out of it; before scikit-learn has SciPy convert it.

    Neither looks: a broken matrix is read, and written, wherever it says.

    Raises
    ------
    ValueError
    """
    if not sp.issparse(X):
        return
    if X.format in ("csr", "csc", "bsr"):
        check_indices(X, name)
    elif X.format == "coo":
        for axis, (indices, size) in enumerate(zip(X.coords, X.shape, strict=True)):
            if len(indices) != len(X.data) or (len(indices) and not 0 <= indices.min() <= indices.max() < size):
                raise ValueError(f"{name}.coords[{axis}] must be {len(X.data)} indices from 0 to {size - 1}")


def readable(array, name="X"):
    """An array, or a CSR matrix, as the engine can read it: a copy for long doubles and foreign byte orders only.

    Raises
    ------
    ValueError
        For what is not numbers.
    """
    native = array.dtype.newbyteorder("=")
    if native == np.bool_ or native in source_dtypes:
        return array.astype(native, copy=False)
    if native.kind != "f":
        raise ValueError(f"{name} must be numbers, not {native}: {name}.astype(float) makes some, if they are.")
    return array.astype(np.float64)


# Of more numbers the general check is as fast.
_SMALL = 2**20
_FLOATS = np.dtype(np.float32), np.dtype(np.float64)


def is_plain(X):
    """Whether X can be taken as it is: scikit-learn's checks take longer than a small network.

    Samples as a finite array of float32 or float64; anything else is for those checks to take, or to refuse.
    """
    return (
        type(X) is np.ndarray
        and X.dtype in _FLOATS
        and X.ndim == 2
        and 0 < X.size <= _SMALL
        and bool(np.isfinite(X).all())
    )


def is_plain_column(y, n_samples):
    """Likewise of targets: a column of whole numbers, of texts, or of finite numbers, for so many samples."""
    return (
        type(y) is np.ndarray
        and y.shape == (n_samples,)
        and (y.dtype.kind in "biuU" or (y.dtype in _FLOATS and bool(np.isfinite(y).all())))
    )


def check_range(X, dtype):
    """Refuse numbers that are infinite in the type that a network computes in.

    Raises
    ------
    ValueError
    """
    numbers = X.data if sp.issparse(X) else X
    with np.errstate(over="ignore"):
        if not np.isfinite(numbers.astype(dtype)).all():
            raise ValueError(
                f"X has numbers beyond {np.finfo(dtype).max:.3g}, and the model computes in {dtype}. Scale the input, "
                "or fit with dtype='float64'."
            )


def checked_weights(sample_weight, X):
    """Sample weights for the rows of X, as an array of float64.

    Raises
    ------
    ValueError
        For weights that are negative, all zero, not numbers, or not one for each row.
    """
    weights = _check_sample_weight(sample_weight, X, dtype=np.float64)
    if (weights < 0).any():
        raise ValueError("sample_weight must not be negative.")
    return weights


def checked_epochs(epochs):
    """The number of epochs, if it is one."""
    if not isinstance(epochs, Integral) or epochs < 1:
        raise ValueError(f"epochs must be an integer of at least 1, got {epochs!r}.")
    return int(epochs)
