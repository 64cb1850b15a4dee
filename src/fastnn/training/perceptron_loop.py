"""What a perceptron's fit does between segments: hear Ctrl-C, refuse what is not finite, print a line an epoch."""

import time

import numpy as np
import scipy.sparse as sp
from sklearn.utils import assert_all_finite

from fastnn.training.interruption import Interruption
from fastnn.training.progress import Lines


def run(units, X, n_units, estimator):
    """Let the units learn to their end.

    Parameters
    ----------
    units : fastnn.engine.perceptron.perceptron.Perceptrons
    X : ndarray or CSR matrix of shape (n_samples, n_features)
        What they learn from.
    n_units : int
    estimator : Perceptron
        Whose name messages have, and which says what is printed.

    Raises
    ------
    ValueError
        When X holds what is not finite, or a weight is no longer.
    """
    checked, n_told, start = False, [0] * n_units, time.perf_counter()
    done = False
    with Interruption() as interruption:
        while not done:
            done = units.run()
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
                _tell(units, n_told, time.perf_counter() - start, estimator.early_stopping)
            interruption.check()


def _tell(units, n_told, seconds, scores):
    """Print scikit-learn's lines for the epochs that were not told of yet."""
    for i, counts in enumerate(units.n_mistakes):
        if len(counts) == n_told[i]:
            continue
        n_told[i] = len(counts)
        weights, bias, steps, loss, objective, score = units.progress(i)
        validation = f", Validation score: {score:f}" if scores else ""
        Lines().say(
            f"-- Epoch {len(counts)}\n"
            f"Norm: {np.linalg.norm(weights):.2f}, NNZs: {np.count_nonzero(weights)}, Bias: {bias:.6f}, "
            f"T: {steps}, Avg. loss: {loss:f}, Objective: {objective:f}{validation}\n"
            f"Total training time: {seconds:.2f} seconds."
        )
