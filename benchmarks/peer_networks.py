"""The networks of `peers/workloads.py` in this process, as the files in `peers/` make them."""

import importlib
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).with_name("peers")))
from data import DATA
from workloads import WORKLOADS, CannotRun

N_SAMPLES = 1280


def names(is_one):
    """The names of those workloads for which a function is true."""
    return [name for name, workload in WORKLOADS.items() if is_one(workload)]


def made(implementation, name):
    """Samples; and two functions of a network: one that trains it for so many epochs, and one that predicts.

    Samples of one shape are noise. Sequences of different lengths are those that `peers/data.py` makes.
    """
    workload = replace(WORKLOADS[name], n_samples=N_SAMPLES)
    rng = np.random.default_rng(0)
    if workload.ragged:
        _, X, y, *_ = DATA[workload.data](None)
        X, y = X[:N_SAMPLES], y[:N_SAMPLES]
    else:
        X = rng.random((N_SAMPLES, *workload.input_shape), np.float32)
        is_classifier = workload.n_classes is not None
        y = rng.integers(0, workload.n_classes, N_SAMPLES) if is_classifier else rng.random(N_SAMPLES, np.float32)
    try:
        return X, *importlib.import_module(f"with_{implementation}").network(workload, X, y, 0)
    except (ImportError, CannotRun) as error:
        raise NotImplementedError(str(error)) from None  # asv then shows n/a


class _Networks:
    """An epoch, `predict` of its samples, and of one."""

    param_names = ("implementation", "network")

    def setup(self, implementation, network):
        self.X, self.train, self.predict = made(implementation, network)
        self.train(1)

    def time_epoch(self, implementation, network):
        self.train(1)

    def time_predict(self, implementation, network):
        self.predict(self.X)

    def time_predict_one(self, implementation, network):
        self.predict(self.X[:1])

    def peakmem_epoch(self, implementation, network):
        self.train(1)
