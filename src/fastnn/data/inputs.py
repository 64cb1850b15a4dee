"""Samples, numbers and weights as users give them, made into what the engine reads: rarely a copy."""

import math
from contextlib import contextmanager, suppress
from numbers import Integral, Real

import numpy as np
import scipy.sparse as sp
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from fastnn._sklearn import _check_sample_weight
from fastnn.data.sparse import check_sparse
from fastnn.engine.arrays import source_dtypes
from fastnn.estimators.constraints import as_float


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
    """What a `score` of scikit-learn's returns: it follows any sparse y's indices, and knows few formats, byte orders.

    Raises
    ------
    ValueError
        As for `validated`.
    """
    check_sparse(y, "y")
    with refusing("y, or sample_weight, has what is no number that a float can hold", errors=(OverflowError,)):
        y = y.tocsr() if sp.issparse(y) else native(y) if isinstance(y, np.ndarray) else y
        return score(X, y, sample_weight)


def native(array):
    """An array, or a sparse matrix, in this machine's byte order, as what is handed out must be: rarely a copy."""
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def readable(array, name="X"):
    """An array, or a CSR matrix, as the engine can read it: long doubles, objects and foreign byte orders are copied.

    Raises
    ------
    ValueError
        For what is not numbers.
    """
    array = native(array)
    if array.dtype == object:  # of a frame of categories: the only objects that scikit-learn's check leaves as they are
        with refusing("{} must be numbers", name):
            return check_array(array, dtype=np.float64, ensure_2d=False, input_name=name)
    if array.dtype == np.bool_ or array.dtype in source_dtypes:
        return array
    if array.dtype.kind != "f":
        raise ValueError(f"{name} must be numbers, not {array.dtype}: {name}.astype(float) makes some, if they are.")
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


def class_weights(class_weight, classes, codes, sample_weight=None, negative=False):
    """The weight of each class, by scikit-learn's rules.

    Parameters
    ----------
    class_weight : dict, "balanced" or None
        A dict may leave classes out, whose weight is 1, or have others beside those that there are; but not both, by
        which misspelt ones show.
    classes : ndarray of shape (n_classes,)
    codes : ndarray of shape (n_samples,)
        The number of each sample's class: what "balanced" counts.
    sample_weight : ndarray of shape (n_samples,), default=None
        What each sample counts for there. None: 1.
    negative : bool, default=False
        Whether weights may be negative.

    Returns
    -------
    ndarray of float64 of shape (n_classes,)

    Raises
    ------
    ValueError
        For weights that are not finite numbers, or negative unless they may be; and for such a dict.
    """
    weights = np.ones(len(classes))
    if class_weight is None:
        return weights
    if isinstance(class_weight, str):
        counts = np.bincount(codes, sample_weight, len(classes))
        present = counts > 0  # a class whose samples all weigh 0 is as if it were not there
        with np.errstate(over="ignore", invalid="ignore"):  # of weights that are too large, who trains on them says so
            weights[present] = counts.sum() / (np.count_nonzero(present) * counts[present])
        return weights
    for weight in class_weight.values():
        if not isinstance(weight, Real) or not math.isfinite(as_float(weight)) or (weight < 0 and not negative):
            kind = "finite" if negative else "finite and not negative"
            raise ValueError(f"class_weight must be {kind}, got {class_weight}.")
    keys = [next((key for key in _keys(label) if key in class_weight), label) for label in classes]
    unknown, lacking = set(class_weight).difference(keys), [key not in class_weight for key in keys]
    if unknown and any(lacking):
        raise ValueError(
            f"class_weight has weights of {sorted(unknown, key=str)}, which are not classes of y, but no weight of "
            f"{classes[lacking]}, which are."
        )
    weights[:] = [class_weight.get(key, 1.0) for key in keys]
    return weights


def _keys(label):
    """What a dict may call a class: NumPy's scalar, Python's, and, as in scikit-learn, the int that a text is."""
    scalar = np.asarray(label).item()
    yield from (label, scalar)
    if isinstance(scalar, str):
        with suppress(ValueError):
            yield int(scalar)


def checked_epochs(epochs):
    """The number of epochs, if it is one."""
    if not isinstance(epochs, Integral) or epochs < 1:
        raise ValueError(f"epochs must be an integer of at least 1, got {epochs!r}.")
    return int(epochs)
