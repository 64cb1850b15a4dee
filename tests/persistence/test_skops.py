"""skops saves and loads models, without pickle."""

import numpy as np
import pytest

from fastnn import MLPClassifier, MLPRegressor, Perceptron

skops = pytest.importorskip("skops.io")

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def through_skops(model):
    contents = skops.dumps(model)
    types = skops.get_untrusted_types(data=contents)
    assert all(name.startswith("fastnn.") for name in types)
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
