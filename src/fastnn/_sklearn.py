"""Every private name of scikit-learn that fastnn uses, and why: nothing else in fastnn may import or touch one.

A new version of scikit-learn may change any of them. A change is then mended here, and the CI job `prerelease` shows
it before that version is out.

fastnn also defines or overrides some private methods and attributes that scikit-learn calls or reads:

- `_parameter_constraints`: what each parameter may be, which `_validate_params` checks before a fit;
- `_sk_visual_block_`: `estimators/modular.py` says that a diagram has modules side by side;
- `_doc_link_module`, `_doc_link_template`, `_doc_link_url_param_generator`: `estimators/documentation.py` says where
  the documentation of an estimator is, for diagrams in notebooks;
- `_validate_params`: `estimators/parameter_names.py` does not check valid defaults again, `estimators/suggestions.py`
  adds advice to its errors;
- `_repr_html_`, `_repr_mimebundle_`: `estimators/sequential.py` adds the table of layers to what notebooks show;
- `_get_param_names`: `estimators/parameter_names.py` keeps the names, since finding them takes long.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, TypeVar

from sklearn.utils import (
    _safe_indexing,  # rows or columns of whatever X may be: an array, a frame, a sparse matrix, a list
)
from sklearn.utils._indexing import (
    _get_column_indices,  # the numbers of columns that are given as ColumnTransformer takes them
)
from sklearn.utils._param_validation import (
    HasMethods,  # what a parameter may be: an object with some methods
    Interval,  # what a parameter may be: a number in an interval
    InvalidParameterError,  # is raised where a parameter is something else: advice is added to it
    Options,  # one of some values
    StrOptions,  # one of some strings
    make_constraint,  # makes one of these of what a class of scikit-learn's lists
    validate_parameter_constraints,  # refuses the first parameter that its constraints do not allow
)
from sklearn.utils.metadata_routing import (
    _raise_for_params,  # refuses other metadata than sample_weight unless metadata routing is on
    _routing_enabled,  # whether it is
)
from sklearn.utils.metaestimators import (
    _BaseComposition,  # has the parameters of estimators in a list, by their names
)
from sklearn.utils.validation import (
    _check_feature_names_in,  # the names of X's columns, or x0, x1, ...
    _check_method_params,  # what a fit to some of the samples is given: weights of these samples
    _check_sample_weight,  # takes one number for all samples, or one for each, as scikit-learn's estimators do
    _check_y,  # checks y without X, of which targets for steps have another number
)

if TYPE_CHECKING:  # the decorators as they are, since a type checker knows nothing of scikit-learn's
    from collections.abc import Callable

    F = TypeVar("F", bound=Callable[..., Any])

    def _fit_context(*, prefer_skip_nested_validation: bool) -> Callable[[F], F]: ...

    def available_if(check: Callable[[Any], object]) -> Callable[[F], F]: ...

else:
    from sklearn.base import (
        _fit_context,  # checks the parameters before a fit, unless the user has turned the check off
    )
    from sklearn.utils.metaestimators import available_if  # offers a method where a check is true

# The callbacks are public, but experimental, and scikit-learn has them from 1.9 on.
try:
    from sklearn.callback import CallbackSupportMixin, ProgressBar
except ImportError:

    class CallbackSupportMixin:
        """There are no callbacks to support."""

    class ProgressBar:
        """There are no callbacks, so nothing is an instance."""


__all__ = [
    "CALLBACK_ATTRIBUTES",
    "CallbackSupportMixin",
    "HasMethods",
    "Interval",
    "InvalidParameterError",
    "Options",
    "StrOptions",
    "_BaseComposition",
    "_check_feature_names_in",
    "_check_method_params",
    "_check_sample_weight",
    "_check_y",
    "_fit_context",
    "_get_column_indices",
    "_raise_for_params",
    "_routing_enabled",
    "_safe_indexing",
    "allows",
    "available_if",
    "begin_callbacks",
    "callbacks_of",
    "nested_parameters",
    "set_label_binarizer",
    "set_nested_parameters",
    "set_training",
    "takes_sample_weight",
    "target_type",
    "validate_parameter_constraints",
    "visual_block",
]

# Names of sklearn.linear_model._base, which takes as long to import as all of fastnn: only Perceptron needs them.
_OF_LINEAR_MODELS = (
    "SPARSE_INTERCEPT_DECAY",  # how much slower the intercept learns from sparse data: Perceptron's numbers need it
    "LinearClassifierMixin",  # how linear classifiers predict; other libraries recognise them by this class
    "SparseCoefMixin",  # both forms of coef_, an array and a sparse matrix
)


def __getattr__(name):
    """The names of linear models, imported when they are first used."""
    if name not in _OF_LINEAR_MODELS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from sklearn.linear_model import _base

    return getattr(_base, name)


# What scikit-learn's callbacks keep on an estimator during a call, and remove themselves after it: a fit that fails
# must leave them, since the removal follows.
CALLBACK_ATTRIBUTES = ("_callback_fit_ctx", "_skl_callbacks_to_teardown")


def begin_callbacks(estimator, max_subtasks):
    """The context of a fit's callbacks; None where the estimator, and the search that it is part of, have none.

    To make one takes longer than a small fit, and no public name says whether there are callbacks.
    """
    if hasattr(estimator, "_skl_callbacks") or hasattr(estimator, "_parent_callback_ctx"):
        return estimator._init_callback_context(max_subtasks=max_subtasks)
    return None


def callbacks_of(context):
    """The callbacks of a context: fastnn draws no bar of its own beside scikit-learn's."""
    return context._callbacks


def allows(cls, name, value):
    """Whether a class of scikit-learn's takes this value for this parameter: `to_sklearn` leaves out what it does not.

    Setting a parameter does not check it, and `_validate_params` stops at the first one that is wrong.
    """
    constraints = cls._parameter_constraints[name]
    return constraints == "no_validation" or any(make_constraint(part).is_satisfied_by(value) for part in constraints)


def target_type(fitted):
    """The type of targets that an MLPClassifier of scikit-learn's was fitted to, such as "multilabel-indicator".

    Its public attributes do not tell two labels from three classes.
    """
    return fitted._label_binarizer.y_type_


def set_label_binarizer(estimator, binarizer):
    """Give an MLPClassifier of scikit-learn's what its `predict` decodes outputs with."""
    estimator._label_binarizer = binarizer


def set_training(estimator, coefs, intercepts):
    """Give a network of scikit-learn's what its `partial_fit` and early stopping count and keep."""
    estimator._no_improvement_count = 0
    estimator._best_coefs, estimator._best_intercepts = coefs, intercepts


def nested_parameters(composition, name, deep):
    """The parameters of an estimator, and of those whose names and selves the attribute `name` lists."""
    return composition._get_params(name, deep=deep)


def set_nested_parameters(composition, name, parameters):
    """Set them: first whole estimators, then what they have."""
    composition._set_params(name, **parameters)


def visual_block(*arguments, **settings):
    """A block of the diagram of an estimator: imported late, since few look at diagrams."""
    try:
        from sklearn.utils._repr_html.estimator import _VisualBlock
    except ImportError:  # before 1.7
        from sklearn.utils._estimator_html_repr import _VisualBlock
    return _VisualBlock(*arguments, **settings)


def takes_sample_weight(scorer):
    """Whether a scorer, scikit-learn's or a function of the user's, takes sample weights."""
    accepts = getattr(scorer, "_accept_sample_weight", None)
    if accepts is not None:
        return accepts()
    # Before 1.7 scikit-learn's scorers did not say, and passed weights on to functions that take none.
    return "sample_weight" in inspect.signature(getattr(scorer, "_score_func", scorer)).parameters
