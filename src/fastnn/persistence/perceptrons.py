"""What a fitted perceptron is made of, as plain values and arrays, and one again of parts that may be anything."""

import numpy as np
from scipy.sparse import issparse

from fastnn.estimators.perceptron_state import Averages, Running, check_learnt
from fastnn.persistence.checks import (
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
    check_learnt(model)
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
            "t": is_number,
            "feature_names": are_feature_names,
            "running": or_none(lambda value: isinstance(value, dict)),
        },
    )
    coef, intercept, running = parts["coef"], parts["intercept"], parts["running"]
    if coef.ndim != 2 or coef.shape[1] == 0 or intercept.dtype != coef.dtype:
        raise ValueError(f"weights of shape {coef.shape} and {coef.dtype}, and intercepts of {intercept.dtype}")
    set_features(model, coef.shape[1], parts["feature_names"])
    model.classes_, model.coef_, model.intercept_ = parts["classes"], coef, intercept
    model.n_iter_, model.n_mistakes_ = parts["n_iter"], parts["n_mistakes"]
    model.separable_, model.t_ = parts["separable"], parts["t"]
    if running is not None:
        model._running = _running(running)
    check_learnt(model)
    for array in (coef, intercept) if running is None else (coef, intercept, *_arrays(model._running)):
        if not np.isfinite(array).all():
            raise ValueError("the weights contain NaN or infinity")
    if parts["sparse"]:
        model.sparsify()


def _running(parts):
    """What learning goes on from where weights are averaged."""
    anything = dict.fromkeys(("coef", "intercept", "averages"), lambda value: True)
    check("learning", parts, anything)
    averages = parts["averages"]
    check("averages", averages, dict.fromkeys(("coef", "intercept", "counts"), lambda value: True))
    return Running(parts["coef"], parts["intercept"], Averages(**averages))


def _arrays(running):
    return running.coef, running.intercept, running.averages.coef, running.averages.intercept
