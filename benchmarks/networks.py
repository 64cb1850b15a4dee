"""Whole networks beside NumPy: fits, epochs, predictions of many rows and of one, memory, and how well they learn.

"reference" is 784-512-256-10 by RMSprop in batches of 64, on noise no pixel of which is 0: on MNIST, where a fifth and
more of the pixels is 0 in all of a batch, fastnn is faster still. "digits" is 64-100-10 by adam in batches of 200 on
scikit-learn's digits; "table" 50-64-64-5 by adam in batches of 128 on 20,000 rows of noise.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import sparse
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from fastnn import MLPClassifier
from fastnn.cli.numpy_network import NumpyNetwork

from .measuring import _Tracked, figures

DTYPES = ["float32", "float64"]


@dataclass(frozen=True)
class Workload:
    """A network, how it is trained, and noise of so many samples to train it on."""

    sizes: tuple
    solver: str
    batch_size: int
    n_samples: int

    def samples(self, dtype):
        rng = np.random.default_rng(0)
        return rng.random((self.n_samples, self.sizes[0])).astype(dtype), rng.integers(
            0, self.sizes[-1], self.n_samples
        )

    def classifier(self, **parameters):
        return MLPClassifier(
            self.sizes[1:-1], solver=self.solver, batch_size=self.batch_size, alpha=0, random_state=0, **parameters
        )

    def training(self, implementation, dtype):
        """A network that has trained for an epoch, and what trains it for another."""
        X, y = self.samples(dtype)
        if implementation == "fastnn":
            network, classes = self.classifier(), np.arange(self.sizes[-1])
            work = lambda: network.partial_fit(X, y, classes=classes)  # noqa: E731
        else:
            network = NumpyNetwork(self.sizes, self.solver, batch_size=self.batch_size, dtype=dtype, random_state=0)
            work = lambda: network.train_epoch(X, y)  # noqa: E731
        work()
        return network, work

    def epoch_flops(self):
        """Of the products: three for each layer but the first, which carries no error back."""
        layers = [n * m for n, m in zip(self.sizes, self.sizes[1:], strict=False)]
        return 2.0 * self.n_samples * (3 * sum(layers) - layers[0])


WORKLOADS = {
    "reference": Workload((784, 512, 256, 10), "rmsprop", 64, 6400),
    "digits": Workload((64, 100, 10), "adam", 200, 1797),
    "table": Workload((50, 64, 64, 5), "adam", 128, 20_000),
}


class _Network:
    param_names = ("implementation", "workload", "dtype")
    params = (["fastnn", "numpy"], list(WORKLOADS), DTYPES)

    def setup(self, implementation, workload, dtype):
        self.X, _ = WORKLOADS[workload].samples(dtype)
        self.network, self.train = WORKLOADS[workload].training(implementation, dtype)


class Training(_Network):
    """`partial_fit`: one epoch."""

    def time_partial_fit(self, implementation, workload, dtype):
        self.train()


class Prediction(_Network):
    """`predict`."""

    def time_predict(self, implementation, workload, dtype):
        self.network.predict(self.X)

    def time_predict_one(self, implementation, workload, dtype):
        self.network.predict(self.X[:1])


class Fit:
    """`fit`: a new network, five epochs; and the memory of the process at its highest."""

    param_names = ("workload", "dtype")
    params = (list(WORKLOADS), DTYPES)

    def setup(self, workload, dtype):
        self.X, self.y = WORKLOADS[workload].samples(dtype)
        self.model = WORKLOADS[workload].classifier(max_iter=5, tol=0)

    def time_fit(self, workload, dtype):
        self.model.fit(self.X, self.y)

    def peakmem_fit(self, workload, dtype):
        self.model.fit(self.X, self.y)


class Figures(_Tracked):
    """What an epoch comes to, on all threads."""

    param_names = ("workload", "dtype")
    params = (list(WORKLOADS), DTYPES)

    def setup_cache(self):
        return {(name, dtype): self._measured(WORKLOADS[name], dtype) for name in WORKLOADS for dtype in DTYPES}

    @staticmethod
    def _measured(workload, dtype):
        fastnn, numpy = (workload.training(implementation, dtype)[1] for implementation in ("fastnn", "numpy"))
        return figures(workload.epoch_flops(), fastnn, numpy, dtype)


class Accuracy:
    """Of digits held out, after thirty epochs."""

    param_names = ("solver", "dtype")
    params = (["sgd", "adam", "rmsprop", "adamw", "adagrad", "lbfgs"], DTYPES)
    unit = "accuracy"

    def track_test_accuracy(self, solver, dtype):
        X, y = load_digits(return_X_y=True)
        train, test, train_y, test_y = train_test_split((X / 16).astype(dtype), y, random_state=0)
        rate = 0.1 if solver in ("sgd", "adagrad") else 0.01
        model = MLPClassifier((100,), solver=solver, learning_rate_init=rate, max_iter=30, random_state=0)
        return model.fit(train, train_y).score(test, test_y)


@cache
def _sparse_rows(n_columns):
    rng = np.random.default_rng(0)
    X = sparse.random_array((2000, n_columns), density=100 / n_columns, rng=rng, format="csr", dtype=np.float32)
    return X, rng.integers(0, 5, 2000)


class Sparse:
    """2,000 rows with a hundred numbers each."""

    param_names = ("n_columns",)
    params = ([10_000, 100_000],)

    def setup(self, n_columns):
        self.X, self.y = _sparse_rows(n_columns)
        self.model = MLPClassifier((20,), max_iter=2, tol=0, random_state=0).fit(self.X, self.y)

    def time_fit(self, n_columns):
        self.model.fit(self.X, self.y)

    def time_predict(self, n_columns):
        self.model.predict(self.X)
