"""A fitted perceptron as a dict of simple values and arrays, and a fitted perceptron made of such a dict."""

import numpy as np
from scipy.sparse import issparse

from fastnn.estimators.perceptron_state import Averages, Running, check_learnt
from fastnn.persistence.checks import (
    ANYTHING,
    ARRAY,
    BOOL,
    CLASSES,
    COUNT,
    DICT,
    FEATURE_NAMES,
    NUMBER,
    Rule,
    check,
    check_finite,
    is_array,
    or_none,
    set_features,
)


def perceptron_parts(model):
    """What a fitted perceptron has learnt, and all that learning needs to resume.

    Parameters
    ----------
    model : Perceptron

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
    """Make a new model a fitted one.

    Parameters
    ----------
    model : Perceptron
    parts : object
        A dict that `perceptron_parts` has returned; any other value is refused.

    Raises
    ------
    ValueError
        When no model can be made of the parts.
    """
    check(
        "the model",
        parts,
        {
            "classes": CLASSES,
            "coef": Rule("a matrix of float32 or float64 with at least 1 column", _is_coef),
            "intercept": ARRAY,
            "sparse": BOOL,
            "n_iter": COUNT,
            "n_mistakes": Rule("an array of int64 with 1 axis", lambda value: is_array(value, np.int64, 1)),
            "separable": BOOL,
            "t": NUMBER,
            "feature_names": FEATURE_NAMES,
            "running": or_none(DICT),
        },
    )
    coef, intercept, running = parts["coef"], parts["intercept"], parts["running"]
    if intercept.dtype != coef.dtype:
        raise ValueError(f"intercept of the model must have dtype {coef.dtype}, as coef has, got {intercept.dtype}")
    set_features(model, coef.shape[1], parts["feature_names"])
    model.classes_, model.coef_, model.intercept_ = parts["classes"], coef, intercept
    model.n_iter_, model.n_mistakes_ = parts["n_iter"], parts["n_mistakes"]
    model.separable_, model.t_ = parts["separable"], parts["t"]
    if running is not None:
        model._running = _running(running)
    check_learnt(model)
    for name, array in {"coef": coef, "intercept": intercept, **_running_arrays(model)}.items():
        check_finite(name, array)
    if parts["sparse"]:
        model.sparsify()


def _running(parts):
    """The weights, and their averages, from which learning resumes; `check_learnt` checks them."""
    check("running", parts, dict.fromkeys(("coef", "intercept", "averages"), ANYTHING))
    averages = parts["averages"]
    check("running.averages", averages, dict.fromkeys(("coef", "intercept", "counts"), ANYTHING))
    return Running(parts["coef"], parts["intercept"], Averages(**averages))


def _running_arrays(model):
    """The arrays from which learning resumes, by their names; none without averages."""
    running = getattr(model, "_running", None)
    if running is None:
        return {}
    return {
        "running.coef": running.coef,
        "running.intercept": running.intercept,
        "running.averages.coef": running.averages.coef,
        "running.averages.intercept": running.averages.intercept,
    }


def _is_coef(value):
    return (
        isinstance(value, np.ndarray)
        and value.dtype in (np.float32, np.float64)
        and value.ndim == 2
        and value.shape[1] > 0
    )
