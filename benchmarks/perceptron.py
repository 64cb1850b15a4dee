"""An epoch of the perceptron over tables, sparse rows and small pieces; beside the rule written in NumPy."""

import numpy as np
from scipy import sparse

from fastnn import Perceptron


class NumpyPerceptron:
    """The perceptron's rule, one against the rest, all classes of a sample at once."""

    def __init__(self):
        self.random_state = np.random.default_rng(0)

    def partial_fit(self, X, y, classes):
        signs = np.where(y[:, None] == np.asarray(classes), 1, -1).astype(X.dtype)
        if not hasattr(self, "coef"):
            self.coef, self.intercept = np.zeros((X.shape[1], len(classes)), X.dtype), np.zeros(len(classes), X.dtype)
        for i in self.random_state.permutation(X.shape[0]):
            if sparse.issparse(X):
                row = slice(X.indptr[i], X.indptr[i + 1])
                columns, x = X.indices[row], X.data[row]
            else:
                columns, x = slice(None), X[i]
            wrong = signs[i] * (x @ self.coef[columns] + self.intercept) <= 0
            if wrong.any():
                step = signs[i] * wrong
                self.coef[columns] += x[:, None] * step
                self.intercept += step


def table(n_samples, n_features, n_classes, dtype):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_samples, n_features))
    noise = rng.normal(size=(n_samples, n_classes))
    return X.astype(dtype), (X @ rng.normal(size=(n_features, n_classes)) + 2 * noise).argmax(axis=1)


def sparse_rows(n_samples, n_features, n_classes, per_row):
    rng = np.random.default_rng(0)
    columns = np.sort(rng.integers(0, n_features, (n_samples, per_row), dtype=np.int32), axis=1)
    starts = np.arange(0, columns.size + 1, per_row, dtype=np.int32)
    X = sparse.csr_matrix((rng.random(columns.size), columns.ravel(), starts), (n_samples, n_features))
    return X, (X @ rng.normal(size=(n_features, n_classes))).argmax(axis=1)


WORKLOADS = {
    "20000 x 50 float32, 5 classes": lambda: table(20_000, 50, 5, "float32"),
    "20000 x 50 float64, 5 classes": lambda: table(20_000, 50, 5, "float64"),
    "100000 x 100 float64, 2 classes": lambda: table(100_000, 100, 2, "float64"),
    "50000 x 100000 sparse, 20 classes": lambda: sparse_rows(50_000, 100_000, 20, 100),
    "100 x 50 float64, 5 classes": lambda: table(100, 50, 5, "float64"),
}


class Epoch:
    """`partial_fit`, after a first one."""

    param_names = ("implementation", "workload")
    params = (["fastnn", "numpy"], list(WORKLOADS))

    def setup(self, implementation, workload):
        self.X, self.y = WORKLOADS[workload]()
        self.classes = np.unique(self.y)
        self.model = Perceptron() if implementation == "fastnn" else NumpyPerceptron()
        self.time_epoch(implementation, workload)

    def time_epoch(self, implementation, workload):
        self.model.partial_fit(self.X, self.y, classes=self.classes)


class Prediction:
    """`predict`, of all rows and of one."""

    param_names = ("workload",)
    params = (list(WORKLOADS),)

    def setup(self, workload):
        self.X, y = WORKLOADS[workload]()
        self.model = Perceptron(max_iter=2, tol=None).fit(self.X, y)

    def time_predict(self, workload):
        self.model.predict(self.X)

    def time_predict_one(self, workload):
        self.model.predict(self.X[:1])


class Fit:
    """`fit`: epochs after epochs, what is beside X counted."""

    param_names = ("workload",)
    params = (list(WORKLOADS),)

    def setup(self, workload):
        self.X, self.y = WORKLOADS[workload]()

    def time_five_epochs(self, workload):
        Perceptron(max_iter=5, tol=None).fit(self.X, self.y)

    def peakmem_five_epochs(self, workload):
        Perceptron(max_iter=5, tol=None).fit(self.X, self.y)
