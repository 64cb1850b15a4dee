"""Whole convolutional networks beside NumPy and PyTorch: epochs, predictions of many images and of one, memory.

The networks are those of `peers/workloads.py`, and each implementation is that of `peers/`, here in one process and on
noise: `peers/compare.py` compares them more carefully, on images.
"""

import numpy as np

from .measuring import _Tracked, figures
from .peer_networks import N_SAMPLES, WORKLOADS, _Networks, made, names

NETWORKS = names(lambda workload: len(workload.input_shape) == 3)


class Convnets(_Networks):
    """Images."""

    params = (["fastnn", "numpy", "torch"], NETWORKS)


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
        flops = float(WORKLOADS[name].flops() * N_SAMPLES)
        return figures(flops, lambda: ours(1), lambda: numpys(1), "float32")
