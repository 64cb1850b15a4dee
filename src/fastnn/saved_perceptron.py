"""What a fitted perceptron is made of, as plain values and arrays, and one again of parts that may be anything."""

import numpy as np
from scipy.sparse import issparse

from fastnn.perceptron_state import Averages, Running
from fastnn.saved_checks import (
    are_classes,
    are_feature_names,
    check,
    is_array,
    is_count,
    is_number,
    or_none,
    set_features,
)


def perceptron_parts(model):
    """What a fitted Perceptron has learnt, and what it goes on from.

    Returns
    -------
    dict
    """
    sparse = issparse(model.coef_)
    running = getattr(model, "_running", None)
    averages = None if running is None else vars(running.averages)
    return {
        "classes": model.classes_,
        "coef": model.coef_.toarray() if sparse else model.coef_,
        "intercept": model.intercept_,
        "sparse": sparse,
        "n_iter": int(model.n_iter_),
        "n_mistakes": model.n_mistakes_,
        "separable": bool(model.separable_),
        "t": float(model.t_),
        "feature_names": getattr(model, "feature_names_in_", None),
        "running": None if running is None else {**vars(running), "averages": dict(averages)},
    }


def make_perceptron(model, parts):
    """Make a fitted model of a new one.

    Parameters
    ----------
    model : Perceptron
    parts : object
        A dict as `perceptron_parts` returns it, or anything.

    Raises
    ------
    ValueError
        For parts that make no model.
    """
    check(
        "the model",
        parts,
        {
            "classes": are_classes,
            "coef": lambda value: isinstance(value, np.ndarray) and value.dtype in (np.float32, np.float64),
            "intercept": lambda value: isinstance(value, np.ndarray),
            "sparse": lambda value: type(value) is bool,
            "n_iter": is_count,
            "n_mistakes": lambda value: is_array(value, np.int64, 1),
            "separable": lambda value: type(value) is bool,
            "t": lambda value: is_number(value) and 1 <= value < 2**62,
            "feature_names": are_feature_names,
            "running": or_none(lambda value: isinstance(value, dict)),
        },
    )
    coef, intercept, n_classes = parts["coef"], parts["intercept"], len(parts["classes"])
    n_units = n_classes if n_classes > 2 else 1
    if n_classes < 2 or coef.ndim != 2 or len(coef) != n_units or coef.shape[1] == 0:
        raise ValueError(f"{n_classes} classes, and weights of shape {coef.shape}")
    _check_numbers("intercepts", intercept, coef.dtype, (n_units,))
    _check_numbers("weights", coef, coef.dtype, coef.shape)
    running = parts["running"]
    if running is not None:
        model._running = _running(running, coef)
    set_features(model, coef.shape[1], parts["feature_names"])
    model.classes_, model.coef_, model.intercept_ = parts["classes"], coef, intercept
    model.n_iter_, model.n_mistakes_ = parts["n_iter"], parts["n_mistakes"]
    model.separable_, model.t_ = parts["separable"], parts["t"]
    if parts["sparse"]:
        model.sparsify()


def _check_numbers(what, array, dtype, shape):
    if not is_array(array, dtype, len(shape)) or array.shape != shape or not np.isfinite(array).all():
        raise ValueError(f"the {what} are no finite {dtype} of shape {shape}")


def _running(parts, coef):
    """What learning goes on from where weights are averaged."""
    anything = dict.fromkeys(("coef", "intercept", "averages"), lambda value: True)
    check("learning", parts, anything)
    averages = parts["averages"]
    check("averages", averages, dict.fromkeys(("coef", "intercept", "counts"), lambda value: True))
    n_units = (len(coef),)
    _check_numbers("running weights", parts["coef"], coef.dtype, coef.shape)
    _check_numbers("running intercepts", parts["intercept"], coef.dtype, n_units)
    _check_numbers("averaged weights", averages["coef"], coef.dtype, coef.shape)
    _check_numbers("averaged intercepts", averages["intercept"], np.float64, n_units)
    _check_numbers("counts", averages["counts"], np.int64, n_units)
    if not ((averages["counts"] >= 0) & (averages["counts"] < 2**62)).all():
        raise ValueError("the counts are no numbers of steps")
    return Running(parts["coef"], parts["intercept"], Averages(**averages))
