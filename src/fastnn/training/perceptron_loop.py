"""The loop of a perceptron's fit: between segments it handles Ctrl-C, checks for NaN, and prints the epochs."""

import time
from contextlib import closing

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
    checked, lines, done = False, Epochs(units, n_units, estimator), False
    n_threads = given_threads(estimator)
    with fitting(n_threads, units.n_threads, n_cores), Interruption() as interruption:
        while not done:
            done = units.run(_threads(units, n_threads))
            if units.saw_nonfinite and not checked:
                for array in (X.data, X) if sp.issparse(X) else (X,):
                    assert_all_finite(array, input_name="X", estimator_name=type(estimator).__name__)
                checked = True
            lines.note()
            interruption.check()


def _threads(units, n_threads, n_beside=0):
    """The number of threads for the units' next part, beside so many that do something else."""
    return 1 if units.runs_alone else max(1, threads_now(n_threads) - n_beside)


def run_stream(units, stream, random_state, validation, estimator, n_cores):
    """Train the units on a stream, likewise.

    Parameters
    ----------
    units : fastnn.engine.perceptron.perceptron.Perceptrons
        They learn in parts.
    stream : Stream
    random_state : RandomState or None
        What the orders of samples are drawn from. None: they stay in their order.
    validation : tuple or None
        What `Perceptrons.take` gets to score the units on.
    estimator : Perceptron
    n_cores : int

    Returns
    -------
    int
        The number of samples in an epoch.

    Raises
    ------
    ValueError
        When a weight has become infinite or NaN, and as for `Stream.blocks`.
    """
    lines, n_threads, done = Epochs(units, len(units.n_mistakes), estimator), given_threads(estimator), False
    with fitting(n_threads, units.n_threads, n_cores), Interruption() as interruption:
        while not done:
            n_samples = 0
            with closing(stream.blocks(1, random_state, interruption.check)) as blocks:
                for samples, order in blocks:
                    units.take(*_picked(samples, order))
                    n_samples += len(order)
                    while not units.run(_threads(units, n_threads, stream.threads_beside())):
                        interruption.check()
            if validation is not None:
                units.take(*validation)
            done = units.end_epoch(n_samples)
            lines.note()
            interruption.check()
    return n_samples


def _picked(samples, order):
    """What `Perceptrons.take` gets: samples in this order, which are not copied if they follow each other."""
    if order[-1] - order[0] == len(order) - 1 and (np.diff(order) == 1).all():
        order = slice(order[0], order[-1] + 1)
    return samples.X[order], samples.targets[order], None if samples.weights is None else samples.weights[order]


def given_threads(estimator):
    """The number of threads that `n_jobs` asks for; None where it asks for as many as there are, or all but some."""
    n_jobs = estimator.n_jobs
    return n_jobs if n_jobs is not None and n_jobs > 0 else None


class Epochs:
    """What is said of the epochs of units: that weights overflowed, and scikit-learn's lines where it is verbose."""

    def __init__(self, units, n_units, estimator):
        self.units, self.n_printed, self.estimator = units, [0] * n_units, estimator
        self.start = time.perf_counter()

    def note(self):
        """To be called after each run.

        Raises
        ------
        ValueError
            When a weight has become infinite or NaN.
        """
        if epoch := self.units.overflowed:
            raise ValueError(
                f"Floating-point under-/overflow occurred at epoch #{epoch}. Scaling input data with "
                "StandardScaler or MinMaxScaler might help."
            )
        if self.estimator.verbose:
            self._print(time.perf_counter() - self.start)

    def _print(self, seconds):
        """Print scikit-learn's lines for each unit that has had an epoch since the last call."""
        for i, counts in enumerate(self.units.n_mistakes):
            if len(counts) == self.n_printed[i]:
                continue
            self.n_printed[i] = len(counts)
            weights, bias, steps, loss, objective, score = self.units.progress(i)
            validation = f", Validation score: {score:f}" if self.estimator.early_stopping else ""
            Lines().say(
                f"-- Epoch {len(counts)}\n"
                f"Norm: {np.linalg.norm(weights):.2f}, NNZs: {np.count_nonzero(weights)}, Bias: {bias:.6f}, "
                f"T: {steps}, Avg. loss: {loss:f}, Objective: {objective:f}{validation}\n"
                f"Total training time: {seconds:.2f} seconds."
            )
