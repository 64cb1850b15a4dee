"""One peer on one workload, in a process of its own: python measure.py PEER FOLDER SEED

compare.py starts it, with the workload and its data in files of the folder. It prints its package's version, and then,
for each name in QUESTIONS on standard input, the answer, all of them as JSON. It imports nothing but the peer and
NumPy, so that the figures are those of somebody who has only that package.
"""

import importlib
import json
import os
import pickle
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from workloads import CannotRun

sys.path.append(str(Path(__file__).parents[1]))  # where the benchmarks share what they measure by
from resident import forget_peak, peak_megabytes

#: The module that has each peer's `network`, and what distinguishes the peers that share one.
PEERS = {
    "fastnn": ("with_fastnn", {}),
    "numpy": ("with_numpy", {}),
    "sklearn": ("with_sklearn", {}),
    "jax": ("with_jax", {}),
    "torch": ("with_torch", {}),
    "torch_compile": ("with_torch", {"compiled": True}),
    "torch_packed": ("with_torch", {"packed": True}),
    "keras_jax": ("with_keras", {"backend": "jax"}),
    "keras_tf": ("with_keras", {"backend": "tensorflow"}),
    "keras_torch": ("with_keras", {"backend": "torch"}),
}
ARRAYS = "X", "y", "X_test", "y_test"
N_ROWS = 10_000  # of many_rows; samples for testing, several times if they are fewer
SECONDS_PER_ROUND = 0.2  # predictions that take less are repeated


def best_seconds(work):
    best, end = np.inf, time.perf_counter() + SECONDS_PER_ROUND
    while True:
        start = time.perf_counter()
        work()
        now = time.perf_counter()
        best = min(best, now - start)
        if now >= end:
            return best


def resident(megabytes):
    """An answer of resident.py, or None where the system is not Linux."""
    try:
        return megabytes()
    except OSError:
        return None


class Measured:
    """A peer's network, and a method for each question."""

    def __init__(self, network, workload, arrays, options):
        X, self.y, self.X_test, self.y_test = arrays
        self.rows = self.X_test[np.arange(N_ROWS) % len(self.X_test)]
        self.megabytes_before = resident(forget_peak)
        self.train, self.predict = network(workload, X, self.y, **options)
        self.workload, self.n_trained = workload, 0

    def epoch(self):
        n_epochs = self.workload.epochs_at_once
        start = time.perf_counter()
        self.train(n_epochs)
        self.n_trained += n_epochs
        return (time.perf_counter() - start) / n_epochs

    def remaining_epochs(self):
        """Train for those of the workload's epochs that were not timed; returns how many there were."""
        n_epochs = max(self.workload.epochs - self.n_trained, 0)
        if n_epochs:
            self.train(n_epochs)
        self.n_trained += n_epochs
        return n_epochs

    def score(self):
        """The accuracy, or the mean squared error, on the samples for testing."""
        predicted = self.predict(self.X_test)
        if self.workload.n_classes is None:
            return float(((predicted - self.y_test) ** 2).mean())
        return float((predicted == self.y_test).mean())

    def many_rows(self):
        return best_seconds(lambda: self.predict(self.rows))

    def one_row(self):
        return best_seconds(lambda: self.predict(self.rows[:1]))

    def memory(self):
        """How much higher the resident memory was than after the data was read and the package imported."""
        return self.megabytes_before and resident(peak_megabytes) - self.megabytes_before


QUESTIONS = "epoch", "remaining_epochs", "score", "many_rows", "one_row", "memory"


def measured(workload, peer, folder, seed):
    """The peer's version, and its network."""
    module, options = PEERS[peer]
    if backend := options.get("backend"):
        os.environ["KERAS_BACKEND"] = backend  # read when Keras is imported
    try:
        peer = importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise CannotRun(f"{error.name} is not installed") from None
    arrays = [np.load(folder / f"{name}.npy", allow_pickle=True) for name in ARRAYS]
    return peer.VERSION, Measured(peer.network, workload, arrays, {"seed": seed, **options})


def main(peer, folder, seed):
    warnings.simplefilter("ignore")
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # packages that print something do not answer with it
    folder = Path(folder)
    try:
        version, answering = measured(pickle.loads((folder / "workload").read_bytes()), peer, folder, int(seed))
    except CannotRun as error:
        sys.exit(str(error))
    print(json.dumps(version), file=answers, flush=True)
    for question in sys.stdin:
        print(json.dumps(getattr(answering, question.strip())()), file=answers, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
