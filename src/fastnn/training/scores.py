"""The scores that `score` returns, computed from a network's outputs.

They have the same bits as scikit-learn's, but make none of its checks, which take far longer. Samples held out are
scored after each epoch, and were checked before training.
"""

import numpy as np


def default_score(estimator, targets):
    """A function that computes an estimator's own `score` from the network's outputs.

    Parameters
    ----------
    estimator : BaseNetwork
    targets : Labels or Numbers
        The encoder of the targets.

    Returns
    -------
    callable or None
        A function of finite outputs, of the encoded targets, of the targets as the user gave them, and of the sample
        weights or None. None is returned when `score` or `predict` is the user's own, or when there are several
        quantiles: then `score` itself must be called.
    """
    if _is_overridden(estimator, "score") or _is_overridden(estimator, "predict"):
        return None
    if not targets.are_numbers:
        return lambda outputs, encoded, y, sample_weight: accuracy(targets.codes(outputs), encoded, sample_weight)
    if len(targets.quantiles) == 1:
        return lambda outputs, encoded, y, sample_weight: r_squared(targets.decode(outputs), y, sample_weight)
    return None


def _is_overridden(estimator, name):
    """Whether an estimator has another method of this name than its class in fastnn has."""
    cls = type(estimator)
    ours = next(base for base in cls.__mro__ if base.__module__.startswith("fastnn."))
    return name in vars(estimator) or getattr(cls, name) is not getattr(ours, name)


def accuracy(predicted, targets, sample_weight):
    """The fraction of the samples for which all columns are predicted correctly.

    Parameters
    ----------
    predicted, targets : ndarray of shape (n_samples,) or (n_samples, n_columns)
    sample_weight : ndarray of shape (n_samples,) or None

    Returns
    -------
    float
    """
    correct = predicted == targets
    return float(np.average(correct if correct.ndim == 1 else correct.all(axis=1), weights=sample_weight))


def r_squared(predicted, y, sample_weight):
    """R squared: the mean over targets, of which a constant one counts 1 if all predictions are exact, and 0 if not.

    Parameters
    ----------
    predicted, y : ndarray of shape (n_samples,) or (n_samples, n_targets)
        All numbers are finite.
    sample_weight : ndarray of shape (n_samples,) or None

    Returns
    -------
    float
        NaN if there is a single sample.
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
