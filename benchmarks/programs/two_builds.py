"""Two builds of fastnn in turn, workload by workload: python two_builds.py PYTHON PYTHON [ROUNDS]

Each interpreter has a build of its own installed, and runs in one process. Printed are the best times of each, and how
many times as long the second takes: by the best times, and by the medians.
"""

import statistics
import subprocess
import sys
import time
import warnings

import numpy as np

REFERENCE = {"solver": "rmsprop", "batch_size": 64}


def workloads():
    """A function of each workload, by its name. Learning rates are small: the arithmetic is to stay the same."""
    from sklearn.datasets import load_digits

    from fastnn import MLPClassifier

    def network(hidden, X, n_classes, **parameters):
        model = MLPClassifier(hidden, learning_rate_init=1e-6, random_state=0, **parameters)
        return model.partial_fit(X[:640], np.arange(len(X[:640])) % n_classes, classes=range(n_classes))

    rng = np.random.default_rng(0)
    images = np.where(rng.random((12_800, 784)) < 0.2, rng.random((12_800, 784)), 0).astype(np.float32)
    labels = rng.integers(0, 10, 12_800)
    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype(np.float32)
    table, classes = rng.normal(size=(20_000, 50)).astype(np.float32), rng.integers(0, 5, 20_000)
    one, two = (network((512, 256), images, 10, n_threads=n, **REFERENCE) for n in (1, 2))
    dropout = network((512, 256), images, 10, dropout=0.5, **REFERENCE)
    small, alone = (network((100,), X, 10, batch_size=200, n_threads=n) for n in (2, 1))
    deep = network((64, 64), table, 5, batch_size=128)
    return {
        "784-512-256-10, an epoch of 12,800, one thread": lambda: one.partial_fit(images, labels),
        "784-512-256-10, an epoch of 12,800, two threads": lambda: two.partial_fit(images, labels),
        "the same with dropout": lambda: dropout.partial_fit(images, labels),
        "64-100-10, 10 epochs of 1797, one thread": lambda: alone.partial_fit(X, y, epochs=10),
        "64-100-10, 10 epochs of 1797, two threads": lambda: small.partial_fit(X, y, epochs=10),
        "50-64-64-5, an epoch of 20,000": lambda: deep.partial_fit(table, classes),
        "64-100-10, predict 1 row, 1000 times": lambda: [small.predict(X[:1]) for _ in range(1000)],
        "64-100-10, partial_fit of 200 rows, 100 times": lambda: [
            alone.partial_fit(X[:200], y[:200]) for _ in range(100)
        ],
    }


def serve():
    """Say which workloads there are; then time each that is asked for."""
    warnings.simplefilter("ignore")
    works = workloads()
    print("\t".join(works), flush=True)
    for line in sys.stdin:
        start = time.perf_counter()
        works[line.strip()]()
        print(time.perf_counter() - start, flush=True)


def main(pythons, rounds):
    builds = [
        subprocess.Popen([python, __file__, "--serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for python in pythons
    ]
    names, _ = (build.stdout.readline().strip().split("\t") for build in builds)

    def seconds(build, name):
        print(name, file=build.stdin, flush=True)
        return float(build.stdout.readline())

    for name in names:
        times = [[], []]
        for i in range(rounds + 1):  # the first warms up
            for j in (0, 1) if i % 2 else (1, 0):
                times[j].append(seconds(builds[j], name))
        best, median = ([function(each[1:]) for each in times] for function in (min, statistics.median))
        print(
            f"{name:50}{best[0] * 1e3:9.2f} ms{best[1] * 1e3:9.2f} ms{best[1] / best[0]:8.3f} x"
            f"{median[1] / median[0]:8.3f} x",
            flush=True,
        )


if __name__ == "__main__":
    if sys.argv[1:] == ["--serve"]:
        serve()
    else:
        main(sys.argv[1:3], int(sys.argv[3]) if len(sys.argv) > 3 else 6)
