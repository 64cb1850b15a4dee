"""Fits many estimators side by side, on the threads of one process."""

from __future__ import annotations

from contextlib import suppress
from numbers import Integral
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from sklearn.pipeline import Pipeline

from fastnn.data.quoted import quoted
from fastnn.engine.network import Network
from fastnn.estimators.module_parameters import takes_sample_weight
from fastnn.estimators.network import BaseNetwork
from fastnn.training.side_by_side import run_side_by_side

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any


E = TypeVar("E")  # the type of the estimators


def fit_many(
    estimators: Sequence[E],
    X: Any,
    y: Any,
    *,
    each: bool = False,
    sample_weight: Any = None,
    n_threads: int | None = None,
    verbose: int = 0,
) -> list[E]:
    """Fit many estimators side by side, on threads of this process.

    Each has the bits that it has when it is fitted alone, on any number of threads. While there are enough estimators,
    each thread fits one of them; later, several threads fit one together. Those that are expected to take longest begin
    first. X is not copied.

    Parameters
    ----------
    estimators : list of estimators
        They are fitted themselves, not copies of them, so that no object may be there twice. Networks of fastnn's run
        without Python's lock. Estimators of other packages may be among them, and hold it for as long as they do.
        Those that share a `RandomState`, or a step of a pipeline, are fitted in turn, in their order. With
        ``random_state=None`` all draw from NumPy's global generator, in whatever order they come to it.
    X, y
        What `fit` takes: the same for all, or with ``each=True`` a list of one for each.
    each : bool, default=False
        Whether X, y and sample_weight are lists with an item for each estimator.
    sample_weight : array-like, default=None
        As X and y; None, also as an item of a list, passes no weights.
    n_threads : int, default=None
        The most threads to use in all. An estimator's own `n_threads` limits that estimator. None: as many as one fit
        would use.
    verbose : int, default=0
        1 shows a bar of the fits if rich or tqdm is installed, else a line for each. It is not the estimators' own.

    Returns
    -------
    list
        The estimators, all fitted.

    Raises
    ------
    ValueError, TypeError
        Before anything is fitted: for what the parameters must not be.
    Exception
        What a fit has raised, when all others have ended. A note names the estimator; the others are fitted.
    KeyboardInterrupt
        When Ctrl-C was pressed. Estimators whose fit had ended are fitted, the others are as they were.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.base import clone
    >>> from fastnn import MLPRegressor, fit_many
    >>> X = np.linspace(0, 1, 50)[:, None]
    >>> network = MLPRegressor(hidden_layer_sizes=(8,), solver="lbfgs", random_state=0)
    >>> models = [clone(network).set_params(alpha=alpha) for alpha in (1e-4, 1e-2)]
    >>> fit_many(models, X, np.sin(6 * X[:, 0])) == models
    True
    """
    estimators = _checked(estimators)
    if n_threads is not None and (not isinstance(n_threads, Integral) or n_threads < 1):
        raise ValueError(f"n_threads must be None or an integer of at least 1, got {quoted(n_threads)}")
    n = len(estimators)
    if not isinstance(each, (bool, np.bool_)):
        raise TypeError(f"each must be True or False, got {quoted(each)}")
    if each:
        X, y = _one_for_each("X", X, n), _one_for_each("y", y, n)
        sample_weight = [None] * n if sample_weight is None else _one_for_each("sample_weight", sample_weight, n)
    else:
        X, y, sample_weight = [X] * n, [y] * n, [sample_weight] * n
    for i, (estimator, weights) in enumerate(zip(estimators, sample_weight, strict=True)):
        if weights is not None and not takes_sample_weight(estimator):
            raise TypeError(
                f"sample_weight must be None, since the fit of estimators[{i}] does not take it, got weights: "
                f"{quoted(estimator)}"
            )
    costs = [_expected_cost(*one) for one in zip(estimators, X, strict=True)]
    chains = _chains(estimators)
    outcomes = run_side_by_side(
        [
            lambda parts=parts: [(i, _error_of(estimators[i], X[i], y[i], sample_weight[i])) for i in parts]
            for parts in chains
        ],
        n_threads=n_threads,
        costs=[sum(costs[i] for i in parts) for parts in chains],
        names=[", ".join(type(estimators[i]).__name__ for i in parts) for parts in chains],
        verbose=verbose,
    )
    errors = sorted(
        ((i, error) for parts, _ in outcomes for i, error in parts if error is not None),
        key=lambda one: (isinstance(one[1], Exception), one[0]),  # first what ends a program, such as SystemExit
    )
    del outcomes
    try:
        if errors:
            _raise_first(errors, estimators)
    finally:
        del errors  # a traceback has this frame: a cycle would keep X until Python looks for cycles
    return estimators


def _error_of(estimator, X, y, sample_weight):
    """Fit an estimator. Returns the error that this has raised, or None."""
    weights = {} if sample_weight is None else {"sample_weight": sample_weight}
    try:
        estimator.fit(X, y, **weights)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return error
    return None


def _checked(estimators):
    """The estimators as a list.

    Raises
    ------
    ValueError, TypeError
    """
    if not isinstance(estimators, (list, tuple)):
        raise TypeError(f"estimators must be a list, got {quoted(estimators)}")
    positions = {}
    for i, estimator in enumerate(estimators):
        if isinstance(estimator, type) or not callable(getattr(estimator, "fit", None)):
            raise TypeError(f"estimators[{i}] must be an object with a method fit, got {quoted(estimator)}")
        if positions.setdefault(id(estimator), i) != i:
            raise ValueError(
                f"estimators must be different objects, got the same one as estimators[{positions[id(estimator)]}] and "
                f"estimators[{i}]: sklearn.base.clone makes copies"
            )
    return list(estimators)


def _one_for_each(name, values, n_estimators):
    """A list of what is for each estimator.

    Raises
    ------
    ValueError, TypeError
    """
    if not isinstance(values, (list, tuple, np.ndarray)):
        raise TypeError(f"{name} must be a list with an item for each estimator if each=True, got {quoted(values)}")
    if len(values) != n_estimators:
        raise ValueError(
            f"{name} must have an item for each of the {n_estimators} estimators if each=True, got {len(values)}"
        )
    return list(values)


def _chains(estimators):
    """Lists of the numbers of estimators that must be fitted in turn, since their fits change the same objects."""
    chains = []
    for i, estimator in enumerate(estimators):
        parts, changed = [i], _generators(estimator) | _fitted_with(estimator)
        for chain in [chain for chain in chains if chain[1] & changed]:
            chains.remove(chain)
            parts, changed = chain[0] + parts, chain[1] | changed
        chains.append((sorted(parts), changed))
    return [parts for parts, _ in chains]


def _fitted_with(estimator):
    """The ids of an estimator and of the steps that a pipeline fits themselves, not clones of them."""
    steps = getattr(estimator, "steps", ()) if isinstance(estimator, Pipeline) else ()
    return {id(estimator)}.union(*(_fitted_with(step) for _, step in steps if not isinstance(step, (str, type(None)))))


def _generators(estimator):
    """The ids of the generators of random numbers that an estimator has been given."""
    values = estimator.get_params().values() if hasattr(estimator, "get_params") else ()
    return {id(value) for value in values if isinstance(value, (np.random.RandomState, np.random.Generator))}


def _expected_cost(estimator, X):
    """The most operations that a fit may take, or infinity where that is not known: such fits begin first."""
    if isinstance(estimator, BaseNetwork):
        with suppress(Exception):  # what is wrong with it, its fit says
            n_samples, *shape = np.shape(X)
            chain = estimator._chain_for(tuple(shape), 1)
            network = Network(chain.description, chain.input_shape, "identity", "float32")
            return float(n_samples * network.sample_flops * estimator.max_iter)
    return np.inf


def _raise_first(errors, estimators):
    """Raise the first of the errors, which come with the estimators' numbers, with a note for each of them."""
    (first, error), *others = errors
    error.add_note(f"fit_many: this is the error of estimators[{first}], {quoted(estimators[first])}")
    for i, other in others:
        error.add_note(f"fit_many: estimators[{i}] failed, too: {type(other).__name__}: {other}")
    try:
        raise error
    finally:
        del error, errors
