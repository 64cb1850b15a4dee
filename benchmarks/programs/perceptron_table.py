"""The perceptron beside scikit-learn's, and its memory: python perceptron_table.py (memory: Linux only).

Beside each table that no second-level cache holds stands a floor: the time in which one core reads the rows as often as
a unit's epochs do, in random order. Several units share the cores.
"""

import ctypes
import statistics
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Perceptron as SklearnPerceptron

from fastnn import Perceptron

sys.path.append(str(Path(__file__).parents[1]))  # where asv's workloads are
from measuring import compiled
from perceptron import WORKLOADS
from resident import megabytes_of

from fastnn.runtime.threads import effective_n_threads

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
# Fits with all parameters at their defaults, and so many of them that they can be timed.
SMALL = {"iris": load_iris, "wine": load_wine, "breast cancer": load_breast_cancer}
N_FITS = 100
CACHE_BYTES = 2**20


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


def seconds_of_small(Model, X, y):
    """The time of a fit with the defaults."""
    model = Model()
    start = time.perf_counter()
    for _ in range(N_FITS):
        model.fit(X, y)
    return (time.perf_counter() - start) / N_FITS


def floor(X, n_units, n_epochs):
    """The seconds in which the cores read the rows as often as the epochs do; None for small X and without a compiler.

    Rows of a sparse X must all have equally many numbers, as those of the workloads do.
    """
    library, n_samples = compiled("random_rows.c"), X.shape[0]
    arrays = (X.data, X.indices) if sparse.issparse(X) else (X,)
    if library is None or sum(array.nbytes for array in arrays) <= CACHE_BYTES:
        return None
    library.seconds_to_read.restype = ctypes.c_double
    order, sink = np.random.default_rng(0).permutation(n_samples).astype(np.uint32), ctypes.c_int64()

    def read(array):
        return library.seconds_to_read(
            ctypes.c_void_p(array.ctypes.data),
            ctypes.c_size_t(array.nbytes // n_samples),
            ctypes.c_void_p(order.ctypes.data),
            ctypes.c_size_t(n_samples),
            ctypes.byref(sink),
        )

    once = sum(min(read(array) for _ in range(N_ROUNDS)) for array in arrays)
    return once * n_epochs * n_units / min(n_units, effective_n_threads())


def in_turn(seconds, *arguments):
    """The times of both packages, in turn."""
    times = {Model: [] for Model in (Perceptron, SklearnPerceptron)}
    for _ in range(N_ROUNDS):
        for Model, so_far in times.items():
            so_far.append(seconds(Model, *arguments))
    return times.values()


def report(name, ours, theirs):
    medians = statistics.median(theirs) / statistics.median(ours)
    print(
        f"{name}: {min(ours) * 1e3:.3g} ms, scikit-learn {min(theirs) * 1e3:.4g} ms: "
        f"{min(theirs) / min(ours):.1f} x (of the medians: {medians:.1f} x)",
        flush=True,
    )


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
        report(name, *in_turn(seconds, X, y, EPOCHS[name]))
        if EPOCHS[name]:
            n_units = len(np.unique(y)) if len(np.unique(y)) > 2 else 1
            least = floor(X, n_units, EPOCHS[name])
            if least is not None:
                print(f"  floor: {least * 1e3:.3g} ms to read the rows")
            weights = n_units * X.shape[1] * X.dtype.itemsize / 2**20
            beside = [megabytes_of_fit(X, y, average) for average in (False, True)]
            print(f"  weights {weights:.1f} MB; beside X {beside[0]:.1f} MB, averaging {beside[1]:.1f} MB")
    for name, load in SMALL.items():
        report(name, *in_turn(seconds_of_small, *load(return_X_y=True)))
