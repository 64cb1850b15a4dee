"""Samples, numbers and weights, from what users give to what the engine reads: rarely a copy."""

import math
import re
import sys
from contextlib import contextmanager, suppress
from numbers import Integral, Real

import numpy as np
import scipy.sparse as sp
from sklearn.exceptions import DataConversionWarning
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.validation import validate_data

from fastnn._sklearn import _check_sample_weight, _check_y
from fastnn.data.quoted import quoted
from fastnn.data.sparse import check_sparse
from fastnn.engine.arrays import source_dtypes
from fastnn.estimators.constraints import as_float
from fastnn.runtime.warnings import warn_user


@contextmanager
def refusing(what, *named, errors=(OverflowError, TypeError)):
    """Replace errors of Python and NumPy, which do not know what was wrong, by ValueErrors that begin with `what`.

    What is `named` replaces the braces in `what` only then, since printing an array of classes takes as long as a small
    fit.
    """
    try:
        yield
    except (*errors, ValueError) as error:
        if not isinstance(error, errors) and not str(error).startswith("could not convert"):  # NumPy's; others name it
            raise
        raise ValueError(f"{what.format(*(quoted(each, str) for each in named))}: {quoted(error, str)}") from error


# What is in quotes is a user's: a class, or the name of a column.
_PARAMETERS = re.compile(r"""(?<!\w)(?:'[^']*'|"[^"]*")(?!\w)|\b(X|y|sample_weight)\b""")


@contextmanager
def named_as_validation():
    """Let errors about X, y and sample_weight speak of X_val, y_val and sample_weight_val, which are checked alike."""
    try:
        yield
    except (TypeError, ValueError) as error:
        if error.args and isinstance(error.args[0], str):
            text, line_break, rest = error.args[0].partition("\n")  # scikit-learn lists values in further lines
            named = _PARAMETERS.sub(lambda found: f"{found[0]}_val" if found[1] else found[0], text)
            if named == text:
                named = f"X_val, y_val and sample_weight_val: {text}"
            error.args = (named + line_break + rest, *error.args[1:])
        raise


def validated(estimator, X, y="no_validation", **checks):
    """X, or X and y, as scikit-learn's `validate_data` returns them, with sparse matrices as CSR.

    Raises
    ------
    ValueError
        For what `validate_data` refuses; for sparse matrices whose indices lead out of their arrays, which SciPy would
        follow; and for whole numbers that no float can hold.
    """
    for name, given in (("X", X), ("y", y)):
        check_sparse(given, name)
    # scikit-learn's sum overflows where finite numbers are very large; it then looks at each of them.
    with (
        np.errstate(over="ignore", invalid="ignore"),
        refusing("X and y must be numbers that a float can hold", errors=(OverflowError,)),
    ):
        return validate_data(estimator, X, y, accept_sparse="csr", **checks)


def validated_y(estimator, y, **checks):
    """y as scikit-learn's `validate_data` returns it, without an X.

    Raises
    ------
    ValueError
        As for `validated`.
    """
    if y is None:
        validate_data(estimator, y=None)  # which says that the estimator needs it
    check_sparse(y, "y")
    with refusing("y must be numbers that a float can hold", errors=(OverflowError,)):
        return _check_y(y, estimator=estimator, **checks)


def as_column(y, name="y"):
    """Targets as they are encoded: a single column as a vector."""
    if y.ndim == 2 and y.shape[1] == 1:
        y = column_or_1d(y)
        warn_user(
            f"A column-vector {name} was passed when a 1d array was expected. Please change the shape of {name} to "
            "(n_samples, ), for example using ravel().",
            DataConversionWarning,
        )
    return native(y)


def as_rows(X):
    """X with a row for each sample, and the shape of a sample; None for the shape where X has rows already.

    An array of more axes is not copied, unless its strides ask for it. Whatever else X is, is left for later checks.

    Raises
    ------
    ValueError
        For more than 4 axes.
    """
    n_axes = getattr(X, "ndim", 0)
    if isinstance(X, (list, tuple)):
        with suppress(ValueError):  # lists of several lengths
            n_axes = np.ndim(X)
    if n_axes <= 2 or sp.issparse(X):  # a sparse X of more axes is refused later
        return X, None
    X = np.asarray(X)
    if n_axes > 4:
        raise ValueError(f"X must have 2 to 4 axes, got shape {X.shape}")
    return X.reshape(len(X), math.prod(X.shape[1:])), X.shape[1:]


def scored(score, X, y, sample_weight):
    """What a `score` of scikit-learn's returns for a y that is checked first.

    scikit-learn follows the indices of a sparse y wherever they lead, and takes few sparse formats and byte orders.

    Raises
    ------
    ValueError
        As for `validated`.
    """
    check_sparse(y, "y")
    with refusing("y and sample_weight must be numbers that a float can hold", errors=(OverflowError,)):
        y = y.tocsr() if sp.issparse(y) else native(y) if isinstance(y, np.ndarray) else y
        return score(X, y, sample_weight)


def native(array):
    """An array, or a sparse matrix, in this machine's byte order, which users expect of results: rarely a copy."""
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def readable(array, name="X"):
    """An array, or a CSR matrix, as the engine can read it: long doubles, objects and foreign byte orders are copied.

    Raises
    ------
    ValueError
        For an array of anything but numbers.
    """
    array = native(array)
    if array.dtype == object:  # from a frame of categories, which scikit-learn's check does not convert
        with refusing("{} must be numbers", name):
            return check_array(array, dtype=np.float64, ensure_2d=False, input_name=name)
    if array.dtype == np.bool_ or array.dtype in source_dtypes:
        return array
    if array.dtype.kind != "f":
        raise ValueError(
            f"{name} must be numbers, got {array.dtype}: pass {name}.astype(float) if they stand for numbers"
        )
    return array.astype(np.float64)


# For more numbers than this the general check is as fast.
_SMALL = 2**20
_FLOATS = np.dtype(np.float32), np.dtype(np.float64)


def is_plain(X):
    """Whether X is a finite array of float32 or float64, and not large: scikit-learn's checks would change nothing.

    They take longer than a small network's prediction.
    """
    return (
        type(X) is np.ndarray
        and X.dtype in _FLOATS
        and X.ndim == 2
        and 0 < X.size <= _SMALL
        and bool(np.isfinite(X).all())
    )


# What the engine reads, in this machine's byte order.
_READABLE = frozenset((*source_dtypes, np.dtype(np.bool_)))


def samples_to_read(model, X, n_features):
    """X as an array which scikit-learn's checks would leave as it is, if it is finite; or None if they are needed.

    Whether it is finite is left to whoever reads it: on its own, the look at each number takes up to a tenth of a
    prediction, and the other checks take longer than a small network's prediction. For a model that was fitted on a
    pandas frame, X is such a frame with the same columns, whose look takes a hundred times as long.
    """
    names = getattr(model, "feature_names_in_", None)
    if names is not None:
        pandas = sys.modules.get("pandas")
        if pandas is None or type(X) is not pandas.DataFrame or X.size > _SMALL or list(X.columns) != names.tolist():
            return None
        X = X.to_numpy()  # an array of objects for columns of anything but NumPy's numbers
        if X.dtype not in _FLOATS:
            return None
    elif type(X) is np.memmap:
        X = np.asarray(X)
    is_readable = type(X) is np.ndarray and X.ndim == 2 and X.dtype in _READABLE
    return X if is_readable and X.shape[1] == n_features and X.size > 0 else None


def plain_samples(model, X, n_features):
    """Likewise of X that is finite, floats and not large; else None."""
    X = samples_to_read(model, X, n_features)
    return X if X is not None and is_plain(X) else None


def is_plain_column(y, n_samples):
    """Whether y is a column of whole numbers, texts or finite floats, one for each of the samples."""
    return (
        type(y) is np.ndarray
        and y.shape == (n_samples,)
        and (y.dtype.kind in "biuU" or (y.dtype in _FLOATS and bool(np.isfinite(y).all())))
    )


def check_range(X, dtype):
    """Refuse an X whose numbers are infinite in the type that a network computes in.

    Raises
    ------
    ValueError
    """
    numbers = X.data if sp.issparse(X) else X
    with np.errstate(over="ignore"):
        is_infinite = ~np.isfinite(numbers.astype(dtype))
    if is_infinite.any():
        raise ValueError(
            f"X must be at most {np.finfo(dtype).max:.3g} for a model that computes in {dtype}, "
            f"got {abs(numbers[is_infinite][0]):.3g}: scale the input, or fit with dtype='float64'"
        )


def checked_weights(sample_weight, X, dtype=np.float64, negative=False):
    """Sample weights as an array of finite numbers of a type, one for each row of X.

    Raises
    ------
    ValueError
        For weights that are not numbers, not one for each row, or negative where they may not be.
    """
    with refusing("sample_weight must be a number for each sample"):
        weights = _check_sample_weight(sample_weight, X, dtype=dtype)
    if not negative and (weights < 0).any():
        raise ValueError(f"sample_weight must be at least 0, got {weights.min()}")
    return weights


def class_weights(class_weight, classes, codes, sample_weight=None, negative=False):
    """The weight of each class, by scikit-learn's rules.

    Parameters
    ----------
    class_weight : dict, "balanced" or None
        A dict may leave classes out, whose weight is then 1, or list classes that there are not. Both at once are an
        error, since a class is then probably misspelt.
    classes : ndarray of shape (n_classes,)
    codes : ndarray of shape (n_samples,)
        The number of the class of each sample, which "balanced" counts.
    sample_weight : ndarray of shape (n_samples,), default=None
        What "balanced" counts each sample for. None is 1 for each.
    negative : bool, default=False
        Whether weights may be negative.

    Returns
    -------
    ndarray of float64 of shape (n_classes,)

    Raises
    ------
    ValueError
        For weights that are not finite numbers, or negative where they may not be; and for a dict with such an error.
    """
    weights = np.ones(len(classes))
    if class_weight is None:
        return weights
    if isinstance(class_weight, str):
        counts = np.bincount(codes, sample_weight, len(classes))
        present = counts > 0  # a class whose samples all have the weight 0 does not count
        with np.errstate(over="ignore", invalid="ignore"):  # training refuses weights that are too large
            weights[present] = counts.sum() / (np.count_nonzero(present) * counts[present])
        return weights
    for label, weight in class_weight.items():
        if not isinstance(weight, Real) or not math.isfinite(as_float(weight)) or (weight < 0 and not negative):
            rule = "finite" if negative else "finite and at least 0"
            raise ValueError(f"class_weight[{quoted(label)}] must be {rule}, got {quoted(weight)}")
    keys = [next((key for key in _keys(label) if key in class_weight), label) for label in classes]
    unknown, lacking = set(class_weight).difference(keys), [key not in class_weight for key in keys]
    if unknown and any(lacking):
        raise ValueError(
            "class_weight must list no other classes than y has, or all that y has, got "
            f"{quoted(sorted(unknown, key=str))}, which y does not have, but not {quoted(classes[lacking].tolist())}"
        )
    weights[:] = [class_weight.get(key, 1.0) for key in keys]
    return weights


def _keys(label):
    """The keys that a dict may list a class by: NumPy's scalar, Python's, and, as in scikit-learn, "1" as the int 1."""
    scalar = np.asarray(label).item()
    yield from (label, scalar)
    if isinstance(scalar, str):
        with suppress(ValueError):
            yield int(scalar)


def counts_classes(class_weight):
    """Whether class weights, or those of one of several columns, depend on how many samples each class has."""
    each = class_weight if isinstance(class_weight, (list, tuple)) else [class_weight]
    return any(isinstance(weight, str) for weight in each)


def check_not_balanced(class_weight):
    """Refuse "balanced", for one column of y or for one of several, where not all samples are seen.

    Raises
    ------
    ValueError
    """
    if counts_classes(class_weight):
        raise ValueError(
            "class_weight must not be 'balanced' for partial_fit, which does not see all samples, "
            f"got {quoted(class_weight)}: "
            "pass dict(zip(classes, sklearn.utils.compute_class_weight('balanced', classes=classes, y=y))), where y is "
            "that of all samples, or of enough of them"
        )


def checked_count(name, value):
    """A number of epochs, samples or rows, which must be a positive integer; `name` is the parameter's."""
    if not isinstance(value, Integral) or value < 1:
        raise ValueError(f"{name} must be an integer of at least 1, got {quoted(value)}")
    return int(value)
