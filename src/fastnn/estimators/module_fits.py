"""Fits modules side by side: to all samples, and to those of each fold of a cross-validation."""

from functools import partial

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.model_selection import check_cv

from fastnn._sklearn import _check_method_params
from fastnn.data.inputs import refusing
from fastnn.data.quoted import quoted
from fastnn.estimators.combining import in_order
from fastnn.estimators.module import score
from fastnn.training.side_by_side import run_side_by_side


def folds_of(model, X, y):
    """The rows to train on and those to hold out, for each fold of `cv`.

    Raises
    ------
    ValueError
        When the folds do not hold each sample out once.
    """
    cv = check_cv(model.cv, y, classifier=is_classifier(model))
    with refusing("cv must have pairs of rows, those to train on and those to hold out"):
        folds = [(np.asarray(train), np.asarray(test)) for train, test in cv.split(X, y)]
    held_out = np.concatenate([np.empty(0, int), *(test for _, test in folds)])
    if not np.array_equal(np.sort(held_out), np.arange(len(y))):
        raise ValueError(f"cv must hold each sample out exactly once, got {quoted(model.cv)}")
    return folds


def _fit(module, X, target, parameters, fold=None):
    """A module fitted to all samples; or, for a fold, its outputs for the samples held out."""
    if fold is None:
        return module.fitted(module.inputs(X), target, parameters)
    train, test = fold
    chosen = _check_method_params(X, parameters, indices=train)
    return module.fitted(module.inputs(X, train), target[train], chosen).outputs(module.inputs(X, test))


def fit_modules(modules, X, targets, parameters, folds, n_threads, only=None):
    """Fit modules side by side.

    Parameters
    ----------
    modules : list of Module
    X : samples
    targets : list of ndarray
        What each module learns.
    parameters : dict of str to dict
        What the fit of each module is given besides, by its name.
    folds : list of (train, test)
        Each module is also fitted to the samples of each of these, for its outputs for the others.
    n_threads : int or None
    only : str, default=None
        The name of the one module to fit to all samples. None is all of them.

    Returns
    -------
    fitted : dict of str to Module
        Those that were fitted to all samples, without those whose fits failed.
    outputs : dict of str to ndarray, or to a list of such
        Of each, those for all samples, made by the fits that held them out. Empty without folds.
    errors : dict of str to Exception
        The first error of each module whose fits failed.
    """
    n_samples, work = len(targets[0]), []
    for module, target in zip(modules, targets, strict=True):
        for fold in [*([None] if only in (None, module.name) else []), *folds]:
            n_rows = n_samples if fold is None else len(fold[0])
            job = partial(_fit, module, X, target, parameters[module.name], fold)
            work.append((module.name, fold, job, n_rows * _n_columns_read(module, X)))
    names, of_folds, jobs, costs = zip(*work, strict=True)
    outcomes = run_side_by_side(list(jobs), n_threads=n_threads, costs=list(costs), names=list(names))
    fitted, parts, errors = {}, {}, {}
    for name, fold, (result, error) in zip(names, of_folds, outcomes, strict=True):
        if error is not None:
            errors.setdefault(name, error)
        elif fold is None:
            fitted[name] = result
        else:
            parts.setdefault(name, []).append(result)
    outcomes = error = None  # a traceback has this frame: a cycle would keep X; callers clear `errors`
    for name in errors:
        fitted.pop(name, None)
        parts.pop(name, None)
    held_out = [test for _, test in folds]
    return fitted, {name: in_order(of_module, held_out) for name, of_module in parts.items()}, errors


def _n_columns_read(module, X):
    """The number of columns that a module reads: of modules with equally many rows, a wide one takes longer."""
    if module.columns is None:
        return X.shape[1] if len(getattr(X, "shape", ())) > 1 else 1
    if isinstance(module.columns, slice):
        return module.columns.stop - module.columns.start
    return np.size(module.columns)


def _fitted(estimator, X, y, parameters):
    estimator = clone(estimator)
    estimator.fit(X, y, **parameters)  # some return something else than themselves
    return estimator


def fit_combiner(combine, columns, y, parameters, folds, n_threads):
    """Fit a model to what it reads of the modules, and score it on each fold after a fit to the others.

    Parameters
    ----------
    combine : estimator
    columns : ndarray or sparse matrix of shape (n_samples, n_columns)
        The modules' outputs for samples that their fits held out, and perhaps X.
    y : ndarray
    parameters : dict
        What its fit is given besides.
    folds : list of (train, test)
    n_threads : int or None

    Returns
    -------
    fitted : estimator
    scores : ndarray of shape (n_folds,)
    """

    def fit():
        return _fitted(combine, columns, y, parameters)

    def held_out_score(train, test):
        chosen = _check_method_params(columns, parameters, indices=train)
        return score(_fitted(combine, columns[train], y[train], chosen), columns[test], y[test])

    jobs = [fit, *(partial(held_out_score, *fold) for fold in folds)]
    outcomes = run_side_by_side(jobs, n_threads=n_threads, names=["combine"] * len(jobs))
    try:
        for _, error in outcomes:
            if error is not None:
                error.add_note("It is the fit of `combine` that failed.")
                raise error
        (fitted, _), *scores = outcomes
        return fitted, np.array([each for each, _ in scores])
    finally:
        outcomes = error = None  # a traceback has this frame: a cycle would keep X
