"""The reference network, 784-512-256-10 with ReLU: RMSprop in batches of 64, and predictions; beside NumPy.

The samples are noise, no pixel of which is 0: on MNIST, where a fifth and more of the pixels is 0 in all of a batch,
fastnn is faster still.
"""

import numpy as np

from fastnn import MLPClassifier
from fastnn.baseline import NumpyNetwork

N_SAMPLES = 6400  # a hundred batches, some tenth of MNIST
N_FEATURES, HIDDEN, N_CLASSES = 784, (512, 256), 10
BATCH_SIZE = 64


class Network:
    """A network of either implementation that has trained for an epoch."""

    param_names = ("implementation", "dtype")
    params = (["fastnn", "numpy"], ["float32", "float64"])

    def setup(self, implementation, dtype):
        rng = np.random.default_rng(0)
        self.X = rng.uniform(size=(N_SAMPLES, N_FEATURES)).astype(dtype)
        y = rng.integers(N_CLASSES, size=N_SAMPLES)
        if implementation == "fastnn":
            self.network = MLPClassifier(HIDDEN, solver="rmsprop", batch_size=BATCH_SIZE, alpha=0, random_state=0)
            self.train = lambda: self.network.partial_fit(self.X, y, classes=range(N_CLASSES))
        else:
            sizes = (N_FEATURES, *HIDDEN, N_CLASSES)
            self.network = NumpyNetwork(sizes, "rmsprop", batch_size=BATCH_SIZE, dtype=dtype, random_state=0)
            self.train = lambda: self.network.train_epoch(self.X, y)
        self.train()


class Training(Network):
    def time_epoch(self, implementation, dtype):
        self.train()


class Prediction(Network):
    def time_predict(self, implementation, dtype):
        self.network.predict(self.X)

    def time_predict_one(self, implementation, dtype):
        self.network.predict(self.X[:1])
