"""The parameters of modular networks, checked before anything is trained."""

import inspect
from dataclasses import replace
from numbers import Integral

import numpy as np
from sklearn.base import is_classifier, is_regressor
from sklearn.pipeline import Pipeline

from fastnn._sklearn import _get_column_indices
from fastnn.data.inputs import refusing
from fastnn.data.quoted import quoted
from fastnn.estimators.module import Module, classes_of

#: What makes a module's outputs for a model that reads them: the first of these methods that the module has.
METHODS = "predict_proba", "decision_function", "predict"

#: The largest weight of a module: sums of weights, and of logarithms times weights, stay finite.
MOST_WEIGHT = 1e100


def check_modules(model):
    """Refuse `modules` that are not a list of (name, estimator, columns), or whose names cannot be those of parameters.

    Raises
    ------
    ValueError, TypeError
    """
    names = set()
    for i, module in enumerate(model.modules):
        if not isinstance(module, (tuple, list)) or len(module) != 3:
            raise ValueError(f"modules[{i}] must be (name, estimator, columns), got {quoted(module)}")
        name, estimator, _ = module
        if not isinstance(name, str) or "__" in name or name in names or name in model.get_params(deep=False):
            raise ValueError(
                f"modules[{i}] must have a name of its own, which is a string without '__' and not a parameter of "
                f"{type(model).__name__}, got {quoted(name)}"
            )
        if not _is_dropped(estimator) and not _is_estimator(estimator):
            raise TypeError(
                f"modules[{i}] must have an estimator with fit and predict, or 'drop', got {quoted(module)}"
            )
        names.add(name)
    if not active(model.modules):
        raise ValueError(
            f"modules must be a list of (name, estimator, columns) with at least one estimator, got "
            f"{quoted(model.modules)}"
        )


def _is_dropped(estimator):
    return isinstance(estimator, str) and estimator == "drop"


def _is_estimator(value):
    return not isinstance(value, type) and all(hasattr(value, name) for name in ("fit", "predict", "get_params"))


def active(modules):
    """The modules that are not "drop", by their positions in `modules`."""
    return {i: module for i, module in enumerate(modules) if not _is_dropped(module[1])}


def well_formed(modules):
    """The modules that have estimators, of whatever `modules` may be: it is asked for them before a fit checks it."""
    if not isinstance(modules, (list, tuple)):
        return []
    return [each for each in modules if isinstance(each, (list, tuple)) and len(each) == 3 and _is_estimator(each[1])]


def reads_all(columns):
    """Whether columns are all of X, as it is."""
    return isinstance(columns, slice) and columns == slice(None)


def read_modules(model, X, y, y_names):
    """The modules that are not "drop", with columns as numbers, and what each of them learns.

    Parameters
    ----------
    model : BaseModular
    X : table, or any X that all modules read as it is
    y : ndarray of shape (n_samples,) or (n_samples, n_columns)
    y_names : list of str or None
        The names of y's columns.

    Returns
    -------
    modules : list of Module
    targets : list of ndarray

    Raises
    ------
    ValueError
        For columns that X or y does not have.
    """
    targets = model.targets or {}
    names = [name for name, _, _ in model.modules]
    if unknown := [name for name in targets if name not in names]:
        raise ValueError(f"targets must have names of modules, {quoted(names)}, got {quoted(unknown[0])}")
    modules = [
        Module(name, estimator, _column_numbers(name, columns, X), _task(name, targets.get(name), y, y_names))
        for name, estimator, columns in active(model.modules).values()
    ]
    of_modules = [module.target(y) for module in modules]
    with_outputs = [
        replace(
            module,
            method=_method(module.estimator, model.combine),
            classes=classes_of(target) if is_classifier(module.estimator) else None,
        )
        for module, target in zip(modules, of_modules, strict=True)
    ]
    return with_outputs, of_modules


def _method(estimator, combine):
    """The name of the method that makes a module's outputs."""
    if isinstance(combine, str) and combine != "vote" and is_classifier(estimator):
        return "predict_proba"
    if isinstance(combine, str):
        return "predict"
    return next(name for name in METHODS if hasattr(estimator, name))


def _column_numbers(name, columns, X):
    """Columns of X as an integer, a slice or a list of integers; None for all of X."""
    if reads_all(columns):
        return None
    columns = columns(X) if callable(columns) else columns
    errors = TypeError, IndexError, NotImplementedError, AttributeError
    try:
        numbers = _get_column_indices(X, columns)
    except (ValueError, *errors) as error:
        raise ValueError(
            f"the columns of the module {quoted(name)} must be columns of X, as in ColumnTransformer, got "
            f"{quoted(columns)}: {quoted(error, str)}"
        ) from error
    if not numbers:
        raise ValueError(f"the columns of the module {quoted(name)} must be at least one, got {quoted(columns)}")
    if isinstance(columns, slice) and numbers == list(range(numbers[0], numbers[-1] + 1)):
        return slice(numbers[0], numbers[-1] + 1)  # which copies nothing
    return numbers[0] if np.isscalar(columns) else numbers


def _task(name, target, y, y_names):
    if target is None or callable(target):
        return target
    if y.ndim == 1:
        raise ValueError(
            f"targets[{quoted(name)}] must be a function of y, since y has one column, got {quoted(target)}"
        )
    if y_names is not None and target in y_names:
        return y_names.index(target)
    if not isinstance(target, Integral) or isinstance(target, bool) or not 0 <= target < y.shape[1]:
        there_are = f", {quoted(y_names)}" if y_names else ""
        raise ValueError(
            f"targets[{quoted(name)}] must be a function of y, or one of its {y.shape[1]} columns{there_are}, got "
            f"{quoted(target)}"
        )
    return int(target)


def check_combination(model, modules, y):
    """Refuse parameters that say how to combine the modules' outputs, where they do not fit each other or the modules.

    Raises
    ------
    ValueError, TypeError
    """
    kind = "classifier" if is_classifier(model) else "regressor"
    is_kind = is_classifier if kind == "classifier" else is_regressor
    combine = model.combine
    if not isinstance(combine, str):
        if isinstance(combine, type) or not is_kind(combine):
            raise ValueError(f"combine must be a {kind} or a string, got {quoted(combine)}")
        if model.weights is not None:
            raise ValueError(f"weights must be None where combine is an estimator, got {quoted(model.weights)}")
        return
    if model.passthrough:
        raise ValueError(f"passthrough must be False unless combine is an estimator, got combine={combine!r}")
    tasks = [module for module in modules if module.task is not None]
    may_have_functions = combine == "product"
    if any(not (callable(module.task) and may_have_functions) for module in tasks):
        others = ", or 'product' if every target is a function of the class," if kind == "classifier" else ""
        raise ValueError(
            f"combine must be an estimator{others} where modules have targets of their own, got {combine!r} with "
            f"targets of {quoted([module.name for module in tasks])}"
        )
    if kind == "classifier" and y.ndim != 1:
        raise ValueError(
            f"y must be one column of classes with combine={combine!r}, got {y.shape[1]} columns: for these, combine "
            "must be a classifier"
        )
    method = "predict" if kind == "regressor" or combine == "vote" else "predict_proba"
    for module in modules:
        if not is_kind(module.estimator) or not hasattr(module.estimator, method):
            raise ValueError(
                f"the module {quoted(module.name)} must be a {kind} with {method} for combine={combine!r}, got "
                f"{quoted(module.estimator)}"
            )


def checked_weights(model):
    """The weights of the modules that are not "drop", by their names; None if they are all the same.

    Raises
    ------
    ValueError
    """
    if model.weights is None:
        return None
    with refusing("weights must be a number for each module"):
        weights = np.asarray(model.weights, np.float64)
    if weights.shape != (len(model.modules),) or not ((weights >= 0) & (weights <= MOST_WEIGHT)).all():
        raise ValueError(
            f"weights must be {len(model.modules)} numbers from 0 to {MOST_WEIGHT:g}, one for each module, got "
            f"{quoted(model.weights)}"
        )
    kept = active(model.modules)
    if not weights[[*kept]].any():
        raise ValueError(f"weights must not all be 0, got {quoted(model.weights)}")
    return {name: weights[i] for i, (name, _, _) in kept.items()}


def takes_sample_weight(estimator):
    """Whether the fit of an estimator takes sample weights, or whatever it is given, as that of a nested model does."""
    if isinstance(estimator, Pipeline):  # which takes them only by metadata routing, whatever its signature says
        return False
    parameters = inspect.signature(estimator.fit).parameters.values()
    return any(each.name == "sample_weight" or each.kind is each.VAR_KEYWORD for each in parameters)


def check_functions_of_classes(modules, y, classes):
    """Refuse targets by which the product cannot tell the classes: not of the class alone, or the same for two.

    Raises
    ------
    ValueError
    """
    codes, of_classes = np.searchsorted(classes, y), []
    for module in modules:
        of_class = module.target(classes)
        if of_class.ndim != 1 or not np.array_equal(of_class[codes], module.target(y)):
            raise ValueError(
                f"targets[{quoted(module.name)}] must be a function of the class alone with combine='product', got "
                "other targets for all of y than for each class"
            )
        of_classes.append(np.unique(of_class, return_inverse=True)[1])
    rows, row_of_class = np.unique(np.stack(of_classes, axis=1), axis=0, return_inverse=True)
    if len(rows) < len(classes):
        row_of_class = row_of_class.reshape(-1)  # NumPy 2.0.0 returns a column
        same = classes[row_of_class == np.bincount(row_of_class).argmax()]
        raise ValueError(
            "targets must tell all classes from each other with combine='product', got the same ones for "
            f"{quoted(same.tolist())}"
        )


def is_table(X):
    """Whether X has two axes."""
    shape = getattr(X, "shape", None)
    try:
        return (np.asarray(X).ndim if shape is None else len(shape)) == 2
    except ValueError:  # sequences of several lengths
        return False


def as_table(X, reader):
    """An X whose columns can be read: an array, a frame or a sparse matrix.

    Raises
    ------
    ValueError
        For an X of other than two axes, or without columns; `reader` is the name of a module that reads columns.
    """
    if not is_table(X):
        shape = getattr(X, "shape", None)
        raise ValueError(
            f"X must have 2 axes, since the module {quoted(reader)} reads columns of it. Expected 2D array, got "
            f"{quoted(X) if shape is None else f'shape {tuple(shape)}'} instead. Reshape your data, or pass "
            "slice(None) as the columns of every module."
        )
    if not hasattr(X, "shape") or isinstance(X, memoryview):
        array = np.asarray(X)
        X = np.asarray(X, object) if array.dtype.kind in "US" else array  # numbers stay numbers beside texts
    if X.shape[1] == 0:
        raise ValueError(f"X must have columns, got 0 feature(s) (shape={X.shape}) while a minimum of 1 is required.")
    return X
