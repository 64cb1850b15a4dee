"""What asv is not made for: pools of fits, searches, imports, bytes for numbers. python in_use.py

Each line compares two ways within one run, in turn, the best of each: their ratio is what counts.
"""

import subprocess
import sys
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier as SklearnMLPClassifier

from fastnn import MLPClassifier

ROUNDS = 5


def in_turn(*works, rounds=ROUNDS):
    """The best seconds of each."""
    best = [np.inf] * len(works)
    for _ in range(rounds):
        for i, work in enumerate(works):
            start = time.perf_counter()
            work()
            best[i] = min(best[i], time.perf_counter() - start)
    return best


def small(estimator=MLPClassifier, **parameters):
    return estimator((100,), max_iter=50, tol=0, n_iter_no_change=100, random_state=0, **parameters)


def pool(X, y):
    """Eight fits at once from a pool of two, one thread each, beside one after the other."""

    def fit(_):
        small(n_threads=1).fit(X, y)

    def at_once():
        with ThreadPoolExecutor(2) as executor:
            list(executor.map(fit, range(8)))

    return in_turn(lambda: [fit(i) for i in range(8)], at_once)


def search(X, y):
    """A search over 24 small fits, beside scikit-learn's estimator in it."""
    grid = {"alpha": [1e-5, 1e-4, 1e-3, 1e-2], "learning_rate_init": [1e-3, 1e-2]}

    def run(estimator):
        return GridSearchCV(small(estimator), grid, cv=3, refit=False).fit(X, y)

    return in_turn(lambda: run(SklearnMLPClassifier), lambda: run(MLPClassifier), rounds=2)


def pixels():
    """An epoch of the reference network from float32, beside the same from uint8."""
    rng = np.random.default_rng(0)
    X, y = rng.integers(0, 256, (12_800, 784), dtype=np.uint8), rng.integers(0, 10, 12_800)
    floats = X.astype(np.float32)
    models = [MLPClassifier((512, 256), solver="rmsprop", batch_size=64, learning_rate_init=1e-6) for _ in range(2)]
    for model in models:
        model.partial_fit(X, y, classes=range(10))
    return in_turn(*(lambda m=m, X=X: m.partial_fit(X, y) for m, X in zip(models, (floats, X), strict=True)), rounds=15)


def threads():
    """An epoch of the reference network on one thread, beside two."""
    rng = np.random.default_rng(0)
    X, y = rng.random((12_800, 784), np.float32), rng.integers(0, 10, 12_800)
    models = [MLPClassifier((512, 256), solver="rmsprop", batch_size=64, n_threads=n) for n in (1, 2)]
    for model in models:
        model.partial_fit(X, y, classes=range(10))
    return in_turn(*(lambda m=m: m.partial_fit(X, y) for m in models), rounds=8)


def imports():
    """import sklearn.neural_network, beside import fastnn."""
    return in_turn(
        *(
            lambda name=name: subprocess.run([sys.executable, "-c", f"import {name}"], check=True)
            for name in ("sklearn.neural_network", "fastnn")
        ),
        rounds=9,
    )


def main():
    warnings.simplefilter("ignore")
    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype(np.float32)
    for work, arguments in ((pool, (X, y)), (search, (X, y)), (pixels, ()), (threads, ()), (imports, ())):
        one, other = work(*arguments)
        print(f"{one:8.3f} s {other:8.3f} s {one / other:7.2f} x   {work.__doc__}", flush=True)


if __name__ == "__main__":
    main()
