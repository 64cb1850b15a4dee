"""What a perceptron has learnt, and continues from in the next call: attributes, which a user may have set."""

from dataclasses import dataclass
from numbers import Real

import numpy as np
import scipy.sparse as sp

from fastnn.data.quoted import quoted
from fastnn.data.sparse import check_sparse

DTYPES = (np.dtype(np.float64), np.dtype(np.float32))  # others are converted to the first, once
MOST_STEPS = 2**62  # the engine counts in 64 bits, and one call may take as many again


@dataclass
class Averages:
    """The means of each unit's weights and intercept over its steps, and the number of those steps."""

    coef: np.ndarray
    intercept: np.ndarray
    counts: np.ndarray


@dataclass
class Running:
    """What the next call continues from."""

    coef: np.ndarray
    intercept: np.ndarray
    averages: Averages | None = None


def check_weights(model):
    """Refuse a fitted perceptron whose `classes_`, `coef_` and `intercept_` do not belong together.

    Raises
    ------
    ValueError
    """
    classes, coef, intercept = (getattr(model, name, None) for name in ("classes_", "coef_", "intercept_"))
    if not isinstance(classes, np.ndarray) or classes.ndim != 1 or len(classes) < 2:
        raise ValueError(f"classes_ must be an array of at least 2 classes, got {quoted(classes)}")
    n_units = len(classes) if len(classes) > 2 else 1
    if not (isinstance(coef, np.ndarray) or sp.issparse(coef)) or coef.ndim != 2 or coef.dtype.kind not in "biuf":
        raise ValueError(f"coef_ must be a matrix of numbers, got {_described(coef)}")
    check_sparse(coef, "coef_")
    n_features = getattr(model, "n_features_in_", coef.shape[1])
    if coef.shape != (n_units, n_features):
        raise ValueError(f"coef_ must have shape {(n_units, n_features)} for {len(classes)} classes, got {coef.shape}")
    if not isinstance(intercept, np.ndarray) or intercept.shape != (n_units,) or intercept.dtype.kind not in "biuf":
        raise ValueError(f"intercept_ must be an array of {n_units} numbers, got {_described(intercept)}")


def _described(value):
    """What an attribute is, for an error message."""
    return f"{value.dtype} of shape {value.shape}" if hasattr(value, "dtype") else quoted(value)


def check_learnt(model):
    """Refuse, besides, a perceptron that learning cannot continue from.

    Raises
    ------
    ValueError
    """
    check_weights(model)
    coef, steps, running = model.coef_, getattr(model, "t_", None), getattr(model, "_running", None)
    if coef.dtype not in DTYPES:
        raise ValueError(f"coef_ must be float64 or float32, got {coef.dtype}")
    if not isinstance(steps, Real) or not 1 <= steps < MOST_STEPS:
        raise ValueError(f"t_ must be 1 + the number of samples seen, got {quoted(steps)}")
    if running is None:
        return
    if not isinstance(running, Running) or not isinstance(running.averages, Averages):
        raise ValueError(f"_running must be what learning with `average` keeps, got {quoted(running)}")
    averages, n_units = running.averages, coef.shape[:1]
    for array, dtype, shape in (
        (running.coef, coef.dtype, coef.shape),
        (running.intercept, coef.dtype, n_units),
        (averages.coef, coef.dtype, coef.shape),
        (averages.intercept, np.float64, n_units),
        (averages.counts, np.int64, n_units),
    ):
        if not isinstance(array, np.ndarray) or array.dtype != dtype or array.shape != shape:
            raise ValueError(
                f"_running must have arrays of {np.dtype(dtype)} and shape {shape}, as coef_ has, "
                f"got {_described(array)}"
            )
    if not ((averages.counts >= 0) & (averages.counts < MOST_STEPS)).all():
        raise ValueError(f"_running must count each unit's steps, from 0 on, got {quoted(averages.counts, str)}")
