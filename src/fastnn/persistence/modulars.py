"""A fitted modular network as a dict of simple values, arrays and models, and one made of such a dict.

The dict may come from a damaged file: its parts are checked against each other, so that what is made can predict.
"""

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils import Bunch

from fastnn.data.quoted import quoted
from fastnn.estimators.module import Module
from fastnn.estimators.module_parameters import METHODS, MOST_WEIGHT, active
from fastnn.layers.rules import Rule
from fastnn.persistence.checks import (
    BOOL,
    CLASSES,
    COUNT,
    CURVE,
    FEATURE_NAMES,
    LIST,
    TEXT,
    check,
    is_array,
    or_none,
    set_features,
    shown,
)

_COLUMNS = Rule(
    "a slice or an array of int64 with 1 axis, neither empty nor negative", lambda value: bool(_column_numbers(value))
)
_MODEL = Rule("a fitted model", lambda value: hasattr(value, "n_iter_") or hasattr(value, "named_modules_"))
_LABELS = or_none(
    Rule(
        "sorted arrays of different labels",
        lambda value: CLASSES.holds(value) or (isinstance(value, list) and value and all(map(CLASSES.holds, value))),
    )
)
_RULES = {
    "modules": Rule("a list, at least one item", lambda value: LIST.holds(value) and len(value) > 0),
    "combination": Rule("a string or a fitted model", lambda value: TEXT.holds(value) or _MODEL.holds(value)),
    "combined_scores": or_none(CURVE),
    "passthrough": BOOL,
    "weights": or_none(CURVE),
    "classes": _LABELS,
    "n_columns_of_y": or_none(COUNT),
    "features": or_none(Rule("an array of booleans with 1 axis", lambda value: is_array(value, np.bool_, 1))),
    "feature_names": FEATURE_NAMES,
}
_MODULE_RULES = {
    "name": TEXT,
    "estimator": _MODEL,
    "columns": or_none(_COLUMNS),
    "task": or_none(COUNT),
    "method": Rule(f"one of {', '.join(METHODS)}", lambda value: value in METHODS),
    "classes": _LABELS,
}


def _column_numbers(value):
    """The numbers of the columns that a part of a file stands for; empty where it does not stand for columns."""
    if isinstance(value, slice):
        ends = value.start, value.stop
        return range(*ends) if all(map(COUNT.holds, ends)) and value.step is None else []
    return value.tolist() if is_array(value, np.int64, 1) and value.min(initial=0) >= 0 else []


def check_modules_can_be_saved(model, classes):
    """Refuse a modular network one of whose estimators is not of these classes.

    Raises
    ------
    TypeError
    """
    parts = {f"the module {quoted(name)}": estimator for name, estimator, _ in active(model.modules).values()}
    for what, estimator in (parts | {"combine": model.combine}).items():
        if type(estimator) not in classes and not isinstance(estimator, str):
            names = ", ".join(each.__name__ for each in classes)
            raise TypeError(f"{what} must be one of {names} to be saved, got {quoted(estimator)}")


def modular_parts(model):
    """What a fitted modular network has learnt.

    Parameters
    ----------
    model : BaseModular

    Returns
    -------
    dict
    """
    modules = [
        {
            "name": module.name,
            "estimator": module.estimator,
            "columns": np.array(module.columns, np.int64) if isinstance(module.columns, list) else module.columns,
            "task": module.task,
            "method": module.method,
            "classes": module.classes,
        }
        for module in model._modules
    ]
    n_features = getattr(model, "n_features_in_", None)
    return {
        "modules": modules,
        "combination": model._combination,
        "combined_scores": getattr(model, "combined_scores_", None),
        "passthrough": bool(model._reads_X),
        "weights": model._weights,
        "classes": getattr(model, "classes_", None),
        "n_columns_of_y": model._y_shape[0] if model._y_shape else None,
        # An array, so that a file has as many bytes as X has columns, and asks for no memory out of proportion.
        "features": None if n_features is None else np.ones(n_features, np.bool_),
        "feature_names": getattr(model, "feature_names_in_", None),
    }


def make_modular(model, parts):
    """Make a new model a fitted one.

    Parameters
    ----------
    model : BaseModular
    parts : object
        A dict that `modular_parts` has returned; any other value is refused.

    Raises
    ------
    ValueError
        When no model can be made of the parts.
    """
    check("the model", parts, _RULES)
    n_features = None if parts["features"] is None else len(parts["features"])
    modules = [_module(each, n_features, parts["n_columns_of_y"]) for each in parts["modules"]]
    names = [module.name for module in modules]
    if len(set(names)) < len(names):
        raise ValueError(f"the names of modules must differ from each other, got {shown(names)}")
    combination, classes, weights = (parts[name] for name in ("combination", "classes", "weights"))
    if (classes is None) == is_classifier(model):
        raise ValueError(f"classes must be those of a classifier, and None of a regressor, got {shown(classes)}")
    if weights is not None and (
        len(weights) != len(modules) or not (((weights >= 0) & (weights <= MOST_WEIGHT)).all() and weights.any())
    ):
        raise ValueError(f"weights must be a number of at least 0 for each module, got {shown(weights)}")
    if (parts["combined_scores"] is None) != isinstance(combination, str):
        raise ValueError(f"combined_scores must be those of a model that combines, got {shown(combination)}")
    widths = [_n_outputs(module, for_model=not isinstance(combination, str)) for module in modules]
    if isinstance(combination, str):
        if parts["passthrough"]:
            raise ValueError(f"passthrough must be False with combine={shown(combination)}, got True")
        _check_named_combination(model, combination, modules, widths, classes, parts["n_columns_of_y"])
    else:
        n_read = sum(widths) + (n_features or 0) * parts["passthrough"]
        if is_classifier(combination) != is_classifier(model) or getattr(combination, "n_features_in_", None) != n_read:
            raise ValueError(
                f"combination must be of the model's kind and read {n_read} columns, got {shown(combination)}"
            )
        model.combiner_, model.combined_scores_ = combination, parts["combined_scores"]
    model._modules, model._combination, model._n_columns = modules, combination, widths
    model._reads_X = parts["passthrough"]
    model._weights = weights
    model._y_shape = () if parts["n_columns_of_y"] is None else (parts["n_columns_of_y"],)
    model.named_modules_ = Bunch(**{module.name: module.estimator for module in modules})
    if classes is not None:
        model.classes_ = classes
    set_features(model, n_features, parts["feature_names"])


def _module(parts, n_features, n_columns_of_y):
    """A module of its parts, whose columns and task X and y have."""
    check("a module", parts, _MODULE_RULES)
    columns = parts["columns"] if isinstance(parts["columns"], slice) else _column_numbers(parts["columns"]) or None
    module = Module(**parts | {"columns": columns})
    n_read = n_features if columns is None else len(_column_numbers(parts["columns"]))
    if getattr(module.estimator, "n_features_in_", None) != n_read:
        raise ValueError(
            f"a module must read as many columns as its estimator, got {n_read} of {shown(module.estimator)}"
        )
    if columns is not None and (n_features is None or max(_column_numbers(parts["columns"])) >= n_features):
        raise ValueError(f"columns of a module must be less than {n_features}, got {shown(parts['columns'])}")
    if module.task is not None and (n_columns_of_y is None or module.task >= n_columns_of_y):
        raise ValueError(f"task of a module must be less than {n_columns_of_y}, got {module.task}")
    return module


def _n_outputs(module, for_model):
    """The number of columns of a module's outputs, which the engine of its estimator decides."""
    estimator, classes = module.estimator, module.classes
    chain, targets = getattr(estimator, "_chain", None), getattr(estimator, "_targets", None)
    own, of_labels = getattr(estimator, "classes_", None), False
    if own is not None:
        of_labels = getattr(targets, "target_type", None) == "multilabel-indicator"
        known = not of_labels and _are_among(own, classes, all_of=module.method == "decision_function")
        sound = known or (of_labels and isinstance(classes, list))
    else:
        sound = classes is None and (targets.n_targets == 1 or len(targets.quantiles) == 1)
    if not sound or not hasattr(estimator, module.method) or (chain is not None and chain.ends_in_sequence):
        raise ValueError(
            f"a module must have one answer for each sample by {module.method}, of its classes {shown(classes)}, got "
            f"{shown(estimator)}"
        )
    if own is None:
        return estimator.n_outputs_
    if of_labels:
        return len(own)
    if module.method == "predict":
        return len(own) if isinstance(own, list) else 1
    if module.method == "decision_function":
        return 1 if len(own) == 2 else len(own)
    if isinstance(classes, list):
        return sum(len(each) - for_model for each in classes)
    return 1 if len(classes) == 2 and for_model else len(classes)


def _are_among(own, classes, all_of):
    """Whether an estimator's own classes are among a module's, or all of them; those of each column, if several."""
    if isinstance(own, list) or isinstance(classes, list):
        both = isinstance(own, list) and isinstance(classes, list) and len(own) == len(classes)
        return both and all(_are_among(*each, all_of) for each in zip(own, classes, strict=True))
    if classes is None:
        return False
    own, classes = set(own.tolist()), set(classes.tolist())
    return own == classes if all_of else own <= classes


def _check_named_combination(model, combine, modules, widths, classes, n_columns_of_y):
    """Refuse modules whose outputs cannot be combined by the mean, the product or the vote that `combine` names."""
    if is_classifier(model):
        method = {"mean": "predict_proba", "product": "predict_proba", "vote": "predict"}.get(combine)
        expected = 1 if method == "predict" else len(classes)
        sound = not isinstance(classes, list) and n_columns_of_y is None
        sound = sound and all(_are_among(module.classes, classes, all_of=True) for module in modules if sound)
    else:
        method, expected = {"mean": "predict"}.get(combine), n_columns_of_y or 1
        sound = all(module.classes is None for module in modules)
    if not sound or any(module.method != method or module.task is not None for module in modules):
        raise ValueError(f"the modules must have outputs that combine={shown(combine)} combines, got {shown(widths)}")
    if widths != [expected] * len(modules):
        raise ValueError(f"the modules must have {expected} outputs each, got {shown(widths)}")
