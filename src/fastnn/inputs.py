"""Samples, numbers and weights as users give them, made into what the engine reads: rarely a copy."""

import math
from contextlib import contextmanager
from numbers import Integral, Real

import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import _check_sample_weight, validate_data

from fastnn.engine.arrays import source_dtypes
from fastnn.intervals import as_float
from fastnn.sparse_checks import check_sparse


@contextmanager
def refusing(what, *named, errors=(OverflowError, TypeError)):
    """Make ValueErrors that say what is wrong of errors that Python and NumPy raise: they do not know what it was.

    What is named goes into the braces of `what` only then: to print an array of classes takes as long as a small fit.
    """
    try:
        yield
    except (*errors, ValueError) as error:
        if not isinstance(error, errors) and not str(error).startswith("could not convert"):  # NumPy's; others name it
            raise
        raise ValueError(f"{what.format(*named)}: {error}") from error


def validated(estimator, X, y="no_validation", **checks):
    """X, or X and y, as scikit-learn's `validate_data` takes them; sparse ones as CSR.

    Raises
    ------
    ValueError
        For what that refuses; for sparse matrices whose indices lead out of them, which it would have SciPy follow; and
        for whole numbers that no float can hold.
    """
    for name, given in (("X", X), ("y", y)):
        check_sparse(given, name)
    with refusing("X, or y, has what is no number, or none that a float can hold", errors=(OverflowError,)):
        return validate_data(estimator, X, y, accept_sparse="csr", **checks)


def scored(score, X, y, sample_weight):
    """What a `score` of scikit-learn's returns: it follows the indices of any sparse y, and knows few formats.

    Raises
    ------
    ValueError
        As for `validated`.
    """
    check_sparse(y, "y")
    with refusing("y, or sample_weight, has what is no number that a float can hold", errors=(OverflowError,)):
        return score(X, y.tocsr() if sp.issparse(y) else y, sample_weight)


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


def checked_weights(sample_weight, X, dtype=np.float64, negative=False):
    """Sample weights for the rows of X, as an array of finite numbers of that type.

    Raises
    ------
    ValueError
        For weights that are negative, unless they may be, all zero, not numbers, or not one for each row.
    """
    with refusing("sample_weight must be a number for each sample"):
        weights = _check_sample_weight(sample_weight, X, dtype=dtype)
    if not negative and (weights < 0).any():
        raise ValueError("sample_weight must not be negative.")
    return weights


def check_class_weight(class_weight, negative=False):
    """Refuse a dict of weights that are not finite numbers; or negative, unless they may be.

    Raises
    ------
    ValueError
    """
    for weight in class_weight.values() if isinstance(class_weight, dict) else ():
        if not isinstance(weight, Real) or not math.isfinite(as_float(weight)) or (weight < 0 and not negative):
            kind = "finite" if negative else "finite and not negative"
            raise ValueError(f"class_weight must be {kind}, got {class_weight}.")


def checked_epochs(epochs):
    """The number of epochs, if it is one."""
    if not isinstance(epochs, Integral) or epochs < 1:
        raise ValueError(f"epochs must be an integer of at least 1, got {epochs!r}.")
    return int(epochs)
