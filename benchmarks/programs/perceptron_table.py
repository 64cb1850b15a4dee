"""The perceptron beside scikit-learn's, and its memory: python perceptron_table.py (memory: Linux only)."""

import ctypes
import statistics
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Perceptron as SklearnPerceptron

from fastnn import Perceptron

sys.path.append(str(Path(__file__).parents[1]))  # where asv's workloads are
from perceptron import WORKLOADS
from resident import megabytes_of

N_ROUNDS = 7
# Epochs of `fit`, all of them taken; None: `partial_fit`, so often that it can be timed.
EPOCHS = {
    "20000 x 50 float32, 5 classes": 20,
    "20000 x 50 float64, 5 classes": 20,
    "100000 x 100 float64, 2 classes": 10,
    "50000 x 100000 sparse, 20 classes": 5,
    "100 x 50 float64, 5 classes": None,
}
N_CALLS = 500


def seconds(Model, X, y, n_epochs):
    if n_epochs is None:
        model, classes = Model(), np.unique(y)
        model.partial_fit(X, y, classes=classes)
        start = time.perf_counter()
        for _ in range(N_CALLS):
            model.partial_fit(X, y)
        return (time.perf_counter() - start) / N_CALLS
    model = Model(max_iter=n_epochs, tol=None, random_state=0)
    start = time.perf_counter()
    model.fit(X, y)
    return time.perf_counter() - start


def megabytes_of_fit(X, y, average):
    """How much higher the resident memory was during a fit than before it."""
    ctypes.CDLL(None).malloc_trim(0)  # what was freed before does not count as there already
    model = Perceptron(max_iter=2, tol=None, average=average)
    return megabytes_of(lambda: model.fit(X, y))


if __name__ == "__main__":
    warnings.simplefilter("ignore", ConvergenceWarning)
    for name, make in WORKLOADS.items():
        X, y = make()
        Perceptron(max_iter=1, tol=None).fit(X[:500], y[:500])  # imports, threads
        times = {Model: [] for Model in (Perceptron, SklearnPerceptron)}
        for _ in range(N_ROUNDS):
            for Model, so_far in times.items():
                so_far.append(seconds(Model, X, y, EPOCHS[name]))
        ours, theirs = times.values()
        medians = statistics.median(theirs) / statistics.median(ours)
        print(
            f"{name}: {min(ours) * 1e3:.3g} ms, scikit-learn {min(theirs) * 1e3:.4g} ms: "
            f"{min(theirs) / min(ours):.1f} x (of the medians: {medians:.1f} x)"
        )
        if EPOCHS[name]:
            n_units = len(np.unique(y)) if len(np.unique(y)) > 2 else 1
            weights = n_units * X.shape[1] * X.dtype.itemsize / 2**20
            beside = [megabytes_of_fit(X, y, average) for average in (False, True)]
            print(f"  weights {weights:.1f} MB; beside X {beside[0]:.1f} MB, averaging {beside[1]:.1f} MB")
