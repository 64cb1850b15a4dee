"""What `score` returns, from a network's outputs: the same bits as scikit-learn's, whose checks take far longer.

They are for samples held out, which were checked when training began, and are scored after each epoch.
"""

import numpy as np


def default_score(estimator, targets):
    """How an estimator's own `score` goes.

    Parameters
    ----------
    estimator : BaseNetwork
    targets : Labels or Numbers

    Returns
    -------
    callable or None
        Of finite outputs, targets as the engine takes them, and as the user gave them, and the samples' weights, or
        None. None: it takes more than one of these, or is the user's own.
    """
    if _is_overridden(estimator, "score") or _is_overridden(estimator, "predict"):
        return None
    if not targets.are_numbers:
        return lambda outputs, encoded, y, sample_weight: accuracy(targets.codes(outputs), encoded, sample_weight)
    if len(targets.quantiles) == 1:
        return lambda outputs, encoded, y, sample_weight: r_squared(targets.decode(outputs), y, sample_weight)
    return None


def _is_overridden(estimator, name):
    """Whether a method is another one than that of the estimator's class in fastnn."""
    cls = type(estimator)
    ours = next(base for base in cls.__mro__ if base.__module__.startswith("fastnn."))
    return name in vars(estimator) or getattr(cls, name) is not getattr(ours, name)


def accuracy(predicted, targets, sample_weight):
    """The part of the samples of which everything is predicted right.

    Parameters
    ----------
    predicted, targets : ndarray of shape (n_samples,) or (n_samples, n_columns)
    sample_weight : ndarray of shape (n_samples,) or None

    Returns
    -------
    float
    """
    right = predicted == targets
    return float(np.average(right if right.ndim == 1 else right.all(axis=1), weights=sample_weight))


def r_squared(predicted, y, sample_weight):
    """R squared, of several targets the mean; of constant ones 1 where they are predicted, and 0 else.

    Parameters
    ----------
    predicted, y : ndarray of shape (n_samples,) or (n_samples, n_targets)
        Finite.
    sample_weight : ndarray of shape (n_samples,) or None

    Returns
    -------
    float
        NaN of a single sample.
    """
    if len(y) < 2:
        return np.nan
    arrays = [array for array in (predicted, y, sample_weight) if array is not None and array.dtype.kind == "f"]
    y, predicted = (array.astype(np.result_type(*arrays), copy=False).reshape(len(y), -1) for array in (y, predicted))
    weight = 1.0 if sample_weight is None else sample_weight[:, np.newaxis]
    with np.errstate(over="ignore", invalid="ignore"):
        unexplained = (weight * (y - predicted) ** 2).sum(axis=0)
        variance = (weight * (y - np.average(y, axis=0, weights=sample_weight)) ** 2).sum(axis=0)
        scores = np.where(unexplained == 0, 1.0, 0.0).astype(unexplained.dtype)
        is_ratio = (unexplained != 0) & (variance != 0)
        scores[is_ratio] = 1 - unexplained[is_ratio] / variance[is_ratio]
        return float(np.average(scores))
