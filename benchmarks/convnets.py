"""Whole convolutional networks beside NumPy and PyTorch: epochs, predictions of many images and of one, memory.

The networks are those of `peers/workloads.py`, and each implementation is that of `peers/`, here in one process and on
noise: `peers/compare.py` compares them more carefully, on images.
"""

import importlib
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from .measuring import _Tracked, figures

sys.path.append(str(Path(__file__).with_name("peers")))
from workloads import WORKLOADS, CannotRun

N_IMAGES = 1280
NETWORKS = [name for name, workload in WORKLOADS.items() if len(workload.input_shape) == 3]


def made(implementation, name):
    """Images; and two functions of a network: one that trains it for so many epochs, and one that predicts."""
    workload = replace(WORKLOADS[name], n_samples=N_IMAGES)
    rng = np.random.default_rng(0)
    X = rng.random((N_IMAGES, *workload.input_shape), np.float32)
    y = rng.integers(0, workload.n_classes, N_IMAGES)
    try:
        return X, *importlib.import_module(f"with_{implementation}").network(workload, X, y, 0)
    except (ImportError, CannotRun) as error:
        raise NotImplementedError(str(error)) from None  # asv then shows n/a


class Convnets:
    """An epoch, `predict` of its images, and of one."""

    param_names = ("implementation", "network")
    params = (["fastnn", "numpy", "torch"], NETWORKS)

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


class Normalized:
    """Predictions of a network with batch normalization, which is folded into the convolutions, and of one without."""

    param_names = ("normalization", "n_images")
    params = (["batch", "none"], [2000, 1])

    def setup(self, normalization, n_images):
        from fastnn import SequentialClassifier, layers

        def block(filters):
            norm = [layers.BatchNormalization()] if normalization == "batch" else []
            return [layers.Conv2D(filters, 3, activation=None), *norm, layers.Activation("relu"), layers.MaxPooling2D()]

        rng = np.random.default_rng(0)
        X, y = rng.random((2000, 28, 28), np.float32), rng.integers(0, 10, 2000)
        self.model = SequentialClassifier([*block(16), *block(32)], max_iter=1, random_state=0).fit(X, y)
        self.X = X[:n_images]
        self.model.predict_proba(self.X)

    def time_predict(self, normalization, n_images):
        self.model.predict_proba(self.X)


class Figures(_Tracked):
    """What an epoch comes to, on all threads: of the networks that NumPy has, too."""

    param_names = ("network",)
    params = (["convnet"],)

    def setup_cache(self):
        return {(name,): self._measured(name) for name in self.params[0]}

    @staticmethod
    def _measured(name):
        ours, numpys = (made(implementation, name)[1] for implementation in ("fastnn", "numpy"))
        flops = float(WORKLOADS[name].flops() * N_IMAGES)
        return figures(flops, lambda: ours(1), lambda: numpys(1), "float32")
