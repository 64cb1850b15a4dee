"""Calls with only so much more memory: python memory_limits.py {adam,lbfgs,layers,sequences,perceptron} [limits]."""

import os
import pickle
import resource
import sys
import warnings

import numpy as np

from fastnn import MLPClassifier, Perceptron, SequentialClassifier
from fastnn.layers import LSTM, BatchNormalization, Bidirectional, Conv2D, Dropout, MaxPooling2D

rng = np.random.default_rng(0)
X = rng.normal(size=(4000, 100)).astype(np.float32)
y = (X[:, :3] > 0).sum(axis=1)
SEQUENCES = [each[:n] for each, n in zip(X[:, :, None], rng.integers(5, 31, 4000), strict=True)]
MODELS = {
    "adam": lambda: MLPClassifier((200, 100), max_iter=2, random_state=0, n_threads=2),
    "lbfgs": lambda: MLPClassifier((200, 100), solver="lbfgs", max_iter=2, random_state=0, n_threads=2),
    "layers": lambda: SequentialClassifier(
        [Conv2D(16, 3), MaxPooling2D(2), BatchNormalization(), Conv2D(8, 2, padding="same"), Dropout(0.1)],
        input_shape=(10, 10),
        max_iter=2,
        random_state=0,
        n_threads=2,
    ),
    "sequences": lambda: SequentialClassifier(
        [Bidirectional(LSTM(16, return_sequences=True)), LSTM(8, dropout=0.1)], max_iter=2, random_state=0, n_threads=2
    ),
    "perceptron": lambda: Perceptron(max_iter=3, average=True, n_jobs=2),
}


def limited(function, extra):
    """Whether a call came to its end with so many bytes of address space beyond those in use now."""
    with open("/proc/self/statm", encoding="ascii") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    limits = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + extra, limits[1]))
    try:
        function()
    except MemoryError:
        return False
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)
    return True


def main(kind, n_limits=60):
    warnings.simplefilter("ignore")
    samples = SEQUENCES if kind == "sequences" else X
    X_small, y_small = samples[:300], y[:300]
    again = MODELS[kind]().fit(X_small, y_small)
    frozen = pickle.dumps(again)
    calls = {
        "fit": lambda model: model.fit(samples, y),
        "partial_fit": lambda model: model.partial_fit(samples, y),
        "predict": lambda model: model.predict(samples),
        "pickle": lambda model: pickle.loads(pickle.dumps(model)),
    }
    if kind == "lbfgs":
        del calls["partial_fit"]
    if kind == "perceptron":  # the product is NumPy's, and OpenBLAS ends the process when it has no memory
        del calls["predict"]
    for name, call in calls.items():
        n_failed = 0
        for extra in np.geomspace(2**12, 2**25, n_limits):
            model = pickle.loads(frozen)
            expected, attributes = model.predict(X_small), sorted(vars(model))
            if limited(lambda model=model, call=call: call(model), int(extra)):
                continue
            n_failed += 1
            assert sorted(vars(model)) == attributes
            assert np.array_equal(model.predict(X_small), expected)
            fresh = MODELS[kind]()
            if "fit" in name and not limited(lambda fresh=fresh: fresh.fit(samples, y), int(extra)):
                assert not any(attribute.endswith("_") for attribute in vars(fresh))
        print(f"{kind}, {name}: {n_failed} of {n_limits} limits raised MemoryError")


if __name__ == "__main__":
    # Else freed memory stays with the process, and is there for the next call whatever the limit.
    if "MALLOC_MMAP_THRESHOLD_" not in os.environ:
        malloc = {"MALLOC_MMAP_THRESHOLD_": "16384", "MALLOC_TRIM_THRESHOLD_": "0", "MALLOC_TOP_PAD_": "0"}
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | malloc)
    main(sys.argv[1], *map(int, sys.argv[2:]))
