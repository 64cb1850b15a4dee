"""How a perceptron learns: what it starts from, its epochs, and the attributes that come of them."""

import numpy as np
import scipy.sparse as sp
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import unique_labels

from fastnn._sklearn import SPARSE_INTERCEPT_DECAY
from fastnn.data.class_targets import class_numbers, plain_classes
from fastnn.data.draws import MAX_INT, draw
from fastnn.data.inputs import checked_weights, class_weights, refusing
from fastnn.data.quoted import quoted
from fastnn.data.samples import Samples
from fastnn.data.sparse import check_sparse
from fastnn.engine.arrays import has_contiguous_rows
from fastnn.engine.perceptron.perceptron import Perceptrons
from fastnn.estimators.perceptron_state import DTYPES, Averages, Running
from fastnn.runtime.sharing import most_threads
from fastnn.training.perceptron_loop import run, run_stream

MAX_ITER = np.iinfo(np.int64).max  # the engine counts in 64 bits


def fresh(classes, X, coef_init=None, intercept_init=None):
    """What learning starts from: zeros, or what the user gives.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
    X : ndarray or CSR matrix of shape (n_samples, n_features)
        Learning is in numbers of its type.
    coef_init, intercept_init : array-like, default=None

    Returns
    -------
    Running

    Raises
    ------
    ValueError
        For fewer than two classes, and for arrays of other shapes or of what are not finite numbers.
    """
    n_classes = len(classes)
    if n_classes < 2:
        raise ValueError(f"y must have at least 2 classes, got {n_classes} class: {quoted(classes, str)}")
    n_units = n_classes if n_classes > 2 else 1  # one unit for two classes, else one per class, against the rest
    coef, intercept = np.zeros((n_units, X.shape[1]), X.dtype), np.zeros(n_units, X.dtype)
    for name, given, start in (("coef_init", coef_init, coef), ("intercept_init", intercept_init, intercept)):
        if given is not None:
            _start_from(given, start, name)
    return Running(coef, intercept)


def _start_from(given, start, name):
    """Fill an array with what the user wants learning to start from."""
    check_sparse(given, name)
    given = given.toarray() if sp.issparse(given) else np.asarray(given)
    # For one unit, an axis more or less does not matter.
    if given.shape != start.shape and (len(start) > 1 or given.size != start.size):
        raise ValueError(f"{name} must have shape {start.shape}, got {given.shape}")
    if given.dtype.kind not in "biufO":
        raise ValueError(f"{name} must be real numbers, got {given.dtype}")
    with refusing(f"{name} must be real numbers"), np.errstate(over="ignore"):
        start[:] = given.reshape(start.shape)
    if not np.isfinite(start).all():
        raise ValueError(f"{name} must be finite in {start.dtype}, the type of X, got {start[~np.isfinite(start)][0]}")


def resuming(model):
    """What learning continues from, where the last call ended: the weights themselves, not their averages.

    They are copies, since another thread may be predicting with the originals.

    Raises
    ------
    ValueError
        When `coef_` is sparse.
    """
    if model.average and getattr(model, "_running", None) is not None:
        last, averages = model._running, model._running.averages
        averages = Averages(averages.coef.copy(), averages.intercept.copy(), averages.counts.copy())
        return Running(last.coef.copy(), last.intercept, averages)
    if sp.issparse(model.coef_):
        raise ValueError("coef_ must be an array for training to continue, got a sparse matrix: call densify() first")
    return Running(model.coef_.copy(), model.intercept_)


def learnable(X, dtype=None):
    """X as the engine can read it, in numbers of that type, or of its own if learning can be in that: rarely a copy."""
    if dtype is None:
        dtype = X.dtype if X.dtype in DTYPES else DTYPES[0]  # scikit-learn's check lets pandas' Sparse[bool] through
    if sp.issparse(X):  # whose own astype would sort the user's
        return X if X.dtype == dtype else type(X)((X.data.astype(dtype), X.indices, X.indptr), shape=X.shape)
    X = X.astype(dtype, copy=False)
    return X if has_contiguous_rows(X) else np.array(X, order="C")


def learn(model, X, y, sample_weight, running, max_iter):
    """Learn for some epochs, and set the attributes that tell what has been learnt.

    Parameters
    ----------
    model : Perceptron
        Has `classes_` and `t_`, and is given the other attributes of a fitted one.
    X : ndarray or CSR matrix of shape (n_samples, n_features)
        What `learnable` returned.
    y : ndarray of shape (n_samples,)
    sample_weight : array-like or None
    running : Running
        What learning continues from. It is changed in place.
    max_iter : int
        The most epochs.

    Raises
    ------
    ValueError
        For labels that are not among the classes, for sample or class weights that are not finite numbers, for an X
        that holds infinity or NaN, and when weights overflow.
    """
    samples = numbered(model, X, y, sample_weight)
    codes = samples.targets
    weights = class_weights(model.class_weight, model.classes_, codes, negative=True)
    fraction = model.validation_fraction if model.early_stopping else None
    held_out, seeds = draw(model.random_state, len(running.coef), codes, samples.weights, fraction)
    if held_out is not None:
        codes[held_out] = ~codes[held_out]  # how the engine tells them from the others
    settings = {"seeds": seeds if model.shuffle else None, **_sizes(len(codes), held_out, samples.weights)}
    units, n_threads = _perceptrons(model, samples, running, max_iter, weights, **settings)
    run(units, X, len(running.coef), model, n_threads)
    _note(model, running, units, len(codes))


def learn_stream(model, stream, first, counted, validation, running, max_iter):
    """Learn from a stream, likewise.

    Parameters
    ----------
    model : Perceptron
    stream : Stream
        Its samples are what `numbered` returns.
    first : Samples
        Those of the first chunk, which the others are like.
    counted : (ndarray, ndarray) or None
        The numbers of classes that class_weight="balanced" counts, and what each of these counts for.
    validation : Samples or None
        The samples whose score decides when to stop.
    running : Running
        What learning continues from. It is changed in place.
    max_iter : int
        The most epochs.

    Raises
    ------
    ValueError
        As for `learn`.
    """
    weights = class_weights(model.class_weight, model.classes_, *(counted or (first.targets, None)), negative=True)
    held_out_weight = 0
    if validation is not None:
        held_out_weight = len(validation) if validation.weights is None else validation.weights.sum(dtype=float)
        validation = validation.X, ~validation.targets, validation.weights  # how the engine tells them from the others
    sizes = {"n_train": len(first), "held_out_weight": held_out_weight}
    random_state = check_random_state(model.random_state) if model.shuffle else None
    units, n_threads = _perceptrons(model, first, running, max_iter, weights, seeds=None, in_parts=True, **sizes)
    n_samples = run_stream(units, stream, random_state, validation, model, n_threads)
    _note(model, running, units, n_samples)


def numbered(model, X, y, sample_weight):
    """Samples as the engine takes them, with the number of each one's class.

    Parameters
    ----------
    model : Perceptron
    X : ndarray or CSR matrix of shape (n_samples, n_features)
        What `learnable` returned.
    y : ndarray of shape (n_samples,)
    sample_weight : array-like or None

    Raises
    ------
    ValueError
    """
    if sample_weight is not None:
        sample_weight = np.ascontiguousarray(checked_weights(sample_weight, X, X.dtype, negative=True))
    return Samples(X, class_numbers(model.classes_, y), sample_weight)


def _perceptrons(model, samples, running, max_iter, weights, **settings):
    """The units, and the most threads that they may use."""
    n_units = len(running.coef)
    if model.average and running.averages is None:
        running.averages = Averages(np.zeros_like(running.coef), np.zeros(n_units), np.zeros(n_units, np.int64))
    hyperparameters = _hyperparameters(model, sp.issparse(samples.X))
    units = Perceptrons(
        samples.X,
        samples.targets,
        samples.weights,
        running.coef,
        running.intercept,
        running.averages if model.average else None,
        max_iter=min(max_iter, MAX_ITER),
        **_roles(n_units, weights),
        **settings,
        **hyperparameters,
    )
    return units, hyperparameters["n_threads"]


def _note(model, running, units, n_samples):
    running.intercept = units.finish().astype(running.coef.dtype)
    _note_epochs(model, units.n_mistakes, n_samples)
    _note_weights(model, running)


def classes_in(y):
    """The sorted classes in labels.

    Raises
    ------
    ValueError
        For continuous numbers, and for labels of several types.
    """
    classes = plain_classes(y)
    if classes is None:
        with refusing("y must be labels of one type, such as numbers or texts"):
            classes = unique_labels(np.unique(y))  # refuses continuous numbers
    return classes


def _roles(n_units, weights):
    """The class, or classes, that each unit is positive for, and the weights of its negative and positive samples."""
    if n_units == 1:
        return {"positive": [1], "class_weight": [weights]}
    return {"positive": range(n_units), "class_weight": [(1.0, weight) for weight in weights]}


def _sizes(n_samples, held_out, sample_weight):
    """How many samples there are to train on, and what those held out weigh."""
    if held_out is None:
        return {"n_train": n_samples, "held_out_weight": 0}
    weight = len(held_out) if sample_weight is None else sample_weight[held_out].sum(dtype=float)
    return {"n_train": n_samples - len(held_out), "held_out_weight": weight}


def _hyperparameters(model, is_sparse):
    """The parameters of the estimator, as the engine takes them."""
    return {
        "eta": model.eta0,
        "intercept_rate": model.fit_intercept * (SPARSE_INTERCEPT_DECAY if is_sparse else 1.0),
        "alpha": -1 if model.penalty is None else model.alpha,
        "l1_ratio": {None: 0.0, "l2": 0.0, "l1": 1.0}.get(model.penalty, model.l1_ratio),
        "tol": -np.inf if model.tol is None else model.tol,
        "n_iter_no_change": min(model.n_iter_no_change, MAX_ITER),
        "step": int(model.t_),
        "average_from": min(int(model.average), MAX_ITER),
        "segment_epochs": 1 if model.verbose else MAX_INT,
        "n_threads": 1 if model.verbose else threads_for(model.n_jobs),
    }


def _note_epochs(model, n_mistakes, n_samples):
    """Set what the epochs of all units come to."""
    model.n_iter_ = max(map(len, n_mistakes))
    model.t_ += model.n_iter_ * n_samples
    filled = [each + [0] * (model.n_iter_ - len(each)) for each in n_mistakes]
    model.n_mistakes_ = np.sum(filled, axis=0, dtype=np.int64)
    model.separable_ = not any(each[-1] for each in n_mistakes)


def _note_weights(model, running):
    """Set the weights to predict with, averages if `average` says so, and what the next call continues from."""
    model.coef_, model.intercept_ = running.coef, running.intercept
    vars(model).pop("_running", None)
    if model.average:
        model._running = running
        if model.average <= model.t_ - 1:
            averages = running.averages
            model.coef_, model.intercept_ = averages.coef, averages.intercept.astype(running.coef.dtype)


def threads_for(n_jobs):
    if n_jobs is None or n_jobs > 0:
        return most_threads(n_jobs)
    if n_jobs == 0:
        raise ValueError("n_jobs must be None, at least 1, or negative, got 0")
    return max(1, most_threads() + 1 + n_jobs)
