"""The loop of a perceptron's fit: between segments it handles Ctrl-C, checks for NaN, and prints the epochs."""

import time

import numpy as np
import scipy.sparse as sp
from sklearn.utils import assert_all_finite

from fastnn.runtime.sharing import fitting, threads_now
from fastnn.training.interruption import Interruption
from fastnn.training.progress import Lines


def run(units, X, n_units, estimator, n_cores):
    """Train the units until each of them has converged or had all of its epochs.

    Parameters
    ----------
    units : fastnn.engine.perceptron.perceptron.Perceptrons
    X : ndarray or CSR matrix of shape (n_samples, n_features)
        The samples to learn from.
    n_units : int
    estimator : Perceptron
        Error messages have its name, and its parameters say what is printed.
    n_cores : int
        The number of threads that the units may use, by `n_jobs` and the environment.

    Raises
    ------
    ValueError
        When a number in X is not finite, or a weight has become infinite or NaN.
    """
    checked, n_printed, start = False, [0] * n_units, time.perf_counter()
    done, n_jobs = False, estimator.n_jobs
    n_threads = n_jobs if n_jobs is not None and n_jobs > 0 else None
    with fitting(n_threads, units.n_threads, n_cores), Interruption() as interruption:
        while not done:
            done = units.run(1 if units.runs_alone else threads_now(n_threads))
            if units.saw_nonfinite and not checked:
                for array in (X.data, X) if sp.issparse(X) else (X,):
                    assert_all_finite(array, input_name="X", estimator_name=type(estimator).__name__)
                checked = True
            if epoch := units.overflowed:
                raise ValueError(
                    f"Floating-point under-/overflow occurred at epoch #{epoch}. Scaling input data with "
                    "StandardScaler or MinMaxScaler might help."
                )
            if estimator.verbose:
                _print_epochs(units, n_printed, time.perf_counter() - start, estimator.early_stopping)
            interruption.check()


def _print_epochs(units, n_printed, seconds, scores):
    """Print scikit-learn's lines for each unit that has had an epoch since the last call."""
    for i, counts in enumerate(units.n_mistakes):
        if len(counts) == n_printed[i]:
            continue
        n_printed[i] = len(counts)
        weights, bias, steps, loss, objective, score = units.progress(i)
        validation = f", Validation score: {score:f}" if scores else ""
        Lines().say(
            f"-- Epoch {len(counts)}\n"
            f"Norm: {np.linalg.norm(weights):.2f}, NNZs: {np.count_nonzero(weights)}, Bias: {bias:.6f}, "
            f"T: {steps}, Avg. loss: {loss:f}, Objective: {objective:f}{validation}\n"
            f"Total training time: {seconds:.2f} seconds."
        )
