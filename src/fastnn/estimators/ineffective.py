"""Parameters that have no effect as the others are set: named once, where a fit would pass over them silently.

That is for fastnn's own parameters, and values. scikit-learn passes over its own silently (`momentum` with adam, say),
and so does fastnn.
"""

from weakref import WeakKeyDictionary

import numpy as np

from fastnn.estimators.parameters import SKLEARN_ACTIVATIONS
from fastnn.runtime.warnings import warn_user

_STOCHASTIC = "a stochastic solver, such as solver='adam'"


def _is_unwatched(model, held_out):
    # In partial_fit nothing is held out: there scoring may be meant for fits, before or after.
    return not held_out and not model.early_stopping and getattr(model, "validation_scores_", None) is None


#: Of each parameter what it needs, and whether a model lacks that, which has samples held out or not.
NEEDS = {
    "quantile": ("loss='quantile'", lambda model, held_out: model.loss != "quantile"),
    "huber_delta": ("loss='huber'", lambda model, held_out: model.loss != "huber"),
    "rho": ("solver='rmsprop'", lambda model, held_out: model.solver != "rmsprop"),
    "learning_rate": (
        _STOCHASTIC,
        lambda model, held_out: model.solver == "lbfgs" and model.learning_rate not in ("invscaling", "adaptive"),
    ),
    "warmup_fraction": (_STOCHASTIC, lambda model, held_out: model.solver == "lbfgs" and model.warmup_fraction > 0),
    "scoring": ("early_stopping=True, or X_val and y_val in fit", _is_unwatched),
    "activation": (
        "a hidden layer",
        lambda model, held_out: not model._hidden_sizes() and model.activation not in (*SKLEARN_ACTIVATIONS, [], ()),
    ),
    "dropout": ("a hidden layer", lambda model, held_out: not model._hidden_sizes() and np.any(model.dropout)),
}

# Of each class the parameters that were named in this process. It keeps no class alive that nobody else does.
_named = WeakKeyDictionary()


def warn_of_ineffective(model, held_out):
    """Name each parameter that is set and has no effect: once in a process for each class of estimators.

    Parameters
    ----------
    model : BaseNetwork
        Its parameters are valid.
    held_out : bool
        Whether any samples are, in this fit.

    Warns
    -----
    UserWarning
    """
    cls, values = type(model), vars(model)
    for name, (needed, lacks) in NEEDS.items():
        value, default = values.get(name), getattr(cls, name, None)
        # The same object, mostly: another one of the same value comes from a pickle.
        if value is default or (isinstance(value, (float, int, str)) and value == default):
            continue
        if lacks(model, held_out) and name not in _named.setdefault(cls, set()):
            warn_user(f"{name}={value!r} has no effect without {needed}.")
            _named[cls].add(name)  # only now: a warning that a filter makes an error is one in each fit
