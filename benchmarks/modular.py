"""Modular networks, and many fits side by side, beside one fit: seconds, and memory at its highest.

The modules are eight 10-64-32-10 by adam in batches of 200, each on 10 of the 80 columns of a table of 5,000 rows. The
fits are of 64-100-10 on scikit-learn's digits.
"""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from fastnn import MLPClassifier, MLPRegressor, ModularClassifier, ModularRegressor, fit_many

N_MODULES, N_COLUMNS = 8, 10
ENDLESS = {"tol": 0, "n_iter_no_change": np.inf, "random_state": 0}


def table(n_rows=5000):
    """Noise, and a class for each row that depends on a column of each module."""
    X = np.random.default_rng(0).normal(size=(n_rows, N_MODULES * N_COLUMNS)).astype(np.float32)
    return X, (X[:, ::N_COLUMNS] > 0).sum(axis=1)


def modules(estimator):
    """Modules of one kind of network, on columns of their own."""
    network = estimator(hidden_layer_sizes=(64, 32), max_iter=3, **ENDLESS)
    return [(f"m{i}", network, slice(N_COLUMNS * i, N_COLUMNS * (i + 1))) for i in range(N_MODULES)]


MODELS = {
    "mean": ModularClassifier(modules(MLPClassifier)),
    "product": ModularClassifier(modules(MLPClassifier), combine="product"),
    "vote": ModularClassifier(modules(MLPClassifier), combine="vote"),
    "classifier": ModularClassifier(modules(MLPClassifier), combine=LogisticRegression(max_iter=500), cv=2),
    "mean of numbers": ModularRegressor(modules(MLPRegressor)),
}


class Modular:
    """`fit`, `predict` and `refit` of a modular network, for each way to combine its modules' outputs."""

    param_names = ("model",)
    params = (list(MODELS),)

    def setup(self, model):
        self.X, self.y = table()
        self.model = MODELS[model].fit(self.X, self.y)

    def time_fit(self, model):
        self.model.fit(self.X, self.y)

    def peakmem_fit(self, model):
        self.model.fit(self.X, self.y)

    def time_refit(self, model):
        self.model.refit("m0", self.X, self.y)

    def time_predict(self, model):
        self.model.predict(self.X)

    def time_predict_one(self, model):
        self.model.predict(self.X[:1])


class SideBySide:
    """So many small fits by `fit_many`; one is a plain fit, but for what `fit_many` adds."""

    param_names = ("n_fits",)
    params = ([1, 2, 24],)

    def setup(self, n_fits):
        X, self.y = load_digits(return_X_y=True)
        self.X = (X / 16).astype(np.float32)
        self.models = [MLPClassifier((100,), max_iter=10, **ENDLESS) for _ in range(n_fits)]

    def time_fit_many(self, n_fits):
        fit_many(self.models, self.X, self.y)

    def peakmem_fit_many(self, n_fits):
        fit_many(self.models, self.X, self.y)
