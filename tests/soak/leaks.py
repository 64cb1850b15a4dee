"""Fits, predictions and pickles, and whether the memory in use grows: python leaks.py [cycles]."""

import pickle
import sys
import warnings

import numpy as np
import scipy.sparse as sp
from resident import resident

from fastnn import MLPClassifier, MLPRegressor, Perceptron, SequentialClassifier
from fastnn.layers import GRU, Bidirectional

rng = np.random.default_rng(0)
X = rng.normal(size=(60, 20))
y = (X[:, :2] > 0).sum(axis=1)
INPUTS = X, X.astype(np.float32), sp.csr_array(np.where(X > 1, X, 0))
KINDS = [
    lambda: MLPClassifier((10,), max_iter=1, batch_size=20, dropout=0.1),
    lambda: MLPClassifier((10,), max_iter=2, early_stopping=True),
    lambda: MLPClassifier((10,), solver="lbfgs", max_iter=2),
    lambda: MLPRegressor(hidden_layer_sizes=(10,), max_iter=1, n_threads=2),
    lambda: SequentialClassifier([Bidirectional(GRU(5, dropout=0.1))], max_iter=1, n_threads=2),
    lambda: Perceptron(max_iter=2),
    lambda: Perceptron(max_iter=2, average=True, penalty="l1"),
]


def cycle(i):
    model, X = KINDS[i % len(KINDS)](), INPUTS[i // len(KINDS) % len(INPUTS)]
    model.fit(X, y)
    model = pickle.loads(pickle.dumps(model))
    if getattr(model, "solver", "") != "lbfgs" and not getattr(model, "early_stopping", False):
        model.partial_fit(X, y)
    model.predict(X)
    try:
        model.fit(X[:, :5], y[:5])
    except ValueError:
        model.score(X, y)


def main(cycles=10_000):
    warnings.simplefilter("ignore")
    seen = []
    for i in range(cycles):
        cycle(i)
        if (i + 1) % (cycles // 4) == 0:
            seen.append(resident())
    print(f"{cycles} cycles, resident memory after each quarter:", *(f"{mib:.1f} MiB" for mib in seen))
    # A leak grows in each quarter. A thread's first memory of its own, say, is taken once, whenever that is.
    assert np.diff(seen).min() < 0.5, seen


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
