"""Predictions by fastnn and by onnxruntime, of the same networks: python onnx_runtimes.py [seconds for each].

Each network is exported by `to_onnx`. Both have two threads, and take turns: the table has the best time of each.
"""

import sys
import warnings
from importlib.metadata import version
from time import perf_counter

import numpy as np

from fastnn import SequentialClassifier
from fastnn.export import to_onnx
from fastnn.layers import GRU, Conv2D, Dense, MaxPooling2D

N_THREADS, SIZES = 2, (1, 10_000)
NETWORKS = {
    "MLP 784-512-256-10": ([Dense(512), Dense(256)], (784,)),
    "convnet 28 x 28, 32 and 64 filters": (
        [Conv2D(32, 3), MaxPooling2D(2), Conv2D(64, 3), MaxPooling2D(2)],
        (28, 28, 1),
    ),
    "GRU 128 of 28 steps": ([GRU(128)], (28, 28)),
}


def made(layers, shape):
    """A fitted network, onnxruntime's session with it, and samples."""
    import onnxruntime

    rng = np.random.default_rng(0)
    X = rng.random((max(SIZES), *shape), np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        y = np.arange(200) % 10
        model = SequentialClassifier(layers, max_iter=1, n_threads=N_THREADS, random_state=0).fit(X[:200], y)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = N_THREADS
    data = to_onnx(model, labels=False).SerializeToString()
    return model, onnxruntime.InferenceSession(data, options, ["CPUExecutionProvider"]), X


def seconds_of(call):
    begin = perf_counter()
    call()
    return perf_counter() - begin


def best_of_both(first, second, duration):
    """The best seconds of each of two calls, which take turns."""
    best, end = [np.inf, np.inf], perf_counter() + duration
    while perf_counter() < end:
        best = [min(known, seconds_of(call)) for known, call in zip(best, (first, second), strict=True)]
    return best


def main(duration=3.0):
    print(f"onnxruntime {version('onnxruntime')}, {N_THREADS} threads each, best times")
    print("| network | rows | fastnn | onnxruntime | ratio |\n| --- | --- | --- | --- | --- |")
    for name, (layers, shape) in NETWORKS.items():
        model, session, X = made(layers, shape)
        for n in SIZES:
            rows = X[:n]
            answers = session.run(None, {"X": rows})[0]
            np.testing.assert_allclose(answers, model.predict_proba(rows), atol=1e-5)
            ours, theirs = best_of_both(
                lambda: model.predict_proba(rows),  # noqa: B023
                lambda: session.run(None, {"X": rows}),  # noqa: B023
                duration,
            )
            print(
                f"| {name} | {n:,} | {ours * 1e6:,.0f} µs | {theirs * 1e6:,.0f} µs | {theirs / ours:.2f} |", flush=True
            )


if __name__ == "__main__":
    main(*map(float, sys.argv[1:]))
