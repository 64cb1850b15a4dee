"""skops saves and loads models, without pickle."""

import numpy as np
import pytest

from fastnn import MLPClassifier, MLPRegressor, ModularClassifier, Perceptron, SequentialRegressor
from fastnn.layers import GRU, Bidirectional

skops = pytest.importorskip("skops.io")

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def through_skops(model):
    contents = skops.dumps(model)
    types = skops.get_untrusted_types(data=contents)
    assert all(name.startswith(("fastnn.", "sklearn.utils._bunch.")) for name in types)
    return skops.loads(contents, trusted=types)


@pytest.mark.parametrize(
    "model",
    [
        Perceptron(average=True),
        MLPClassifier((6,), dropout=0.2, early_stopping=True, random_state=0, max_iter=4),
        MLPClassifier((6,), solver="lbfgs", dtype="float32", random_state=0, max_iter=4),
        MLPRegressor("quantile", (), quantile=[0.1, 0.9], clip_norm=1.0, random_state=0, max_iter=4),
    ],
    ids=["perceptron", "classifier", "lbfgs", "regressor"],
)
def test_predicts_and_resumes_to_the_bit(model, rng):
    X, y = rng.normal(size=(60, 5)), rng.integers(0, 3, 60)
    model.set_params(warm_start=True).fit(X, y)
    back = through_skops(model)
    np.testing.assert_array_equal(back.predict(X), model.predict(X))
    model.fit(X, y)
    back.fit(X, y)
    for name in ("coefs_", "intercepts_") if hasattr(model, "coefs_") else ("coef_", "intercept_"):
        for ours, theirs in zip(getattr(model, name), getattr(back, name), strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_sequences_for_each_step(rng):
    X = [rng.normal(size=(n, 2)) for n in rng.integers(1, 9, 30)]
    y = [each[:, 0] for each in X]
    layers = [Bidirectional(GRU(4, return_sequences=True, dropout=0.1))]
    model = SequentialRegressor(layers, random_state=0, max_iter=4, warm_start=True).fit(X, y)
    back = through_skops(model)
    for ours, theirs in zip(model.fit(X, y).predict(X), back.fit(X, y).predict(X), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("combine", ["product", Perceptron(max_iter=3, tol=None)], ids=["product", "model"])
def test_modular_networks(combine, rng):
    X, y = rng.normal(size=(60, 5)), rng.integers(0, 3, 60)
    network = MLPClassifier((6,), random_state=0, max_iter=4)
    modules = [("some", network, [4, 0]), ("range", network, slice(1, 4))]
    model = ModularClassifier(modules, combine=combine, cv=2).fit(X, y)
    back = through_skops(model)
    np.testing.assert_array_equal(back.transform(X), model.transform(X))
    np.testing.assert_array_equal(back.predict(X), model.predict(X))
    np.testing.assert_array_equal(back.refit("some", X, y).predict(X), model.predict(X))
