"""Warnings of parameters that have no effect because of how the others are set.

They are for parameters and values that only fastnn has. scikit-learn ignores its own silently (`momentum` with adam,
for instance), and so does fastnn.
"""

from weakref import WeakKeyDictionary

import numpy as np

from fastnn.estimators.parameters import SKLEARN_ACTIVATIONS
from fastnn.runtime.warnings import warn_user

_STOCHASTIC = "a stochastic solver, such as solver='adam'"


def _is_unwatched(model, held_out):
    # partial_fit holds nothing out: there `scoring` may be meant for fits before or after it.
    return not held_out and not model.early_stopping and getattr(model, "validation_scores_", None) is None


#: What each parameter needs, and a function that tells whether a model, with samples held out or without, lacks it.
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

# The parameters that were named in this process, of each class. A weak reference does not keep the class alive.
_named = WeakKeyDictionary()


def warn_of_ineffective(model, held_out):
    """Warn of each parameter that is set and has no effect, once in a process for each class of estimators.

    Parameters
    ----------
    model : BaseNetwork
        A model whose parameters are valid.
    held_out : bool
        Whether this fit holds samples out.

    Warns
    -----
    UserWarning
    """
    cls, values = type(model), vars(model)
    for name, (needed, lacks) in NEEDS.items():
        value, default = values.get(name), getattr(cls, name, None)
        # It is the same object, unless it comes from a pickle.
        if value is default or (isinstance(value, (float, int, str)) and value == default):
            continue
        if lacks(model, held_out) and name not in _named.setdefault(cls, set()):
            warn_user(f"{name}={value!r} has no effect without {needed}.")
            _named[cls].add(name)  # after the warning: where a filter makes it an error, each fit raises it
