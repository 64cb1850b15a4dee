"""The score after each epoch has the bits of the estimator's `score`, which is scikit-learn's."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import ClassifierMixin
from sklearn.metrics import r2_score

from fastnn import MLPClassifier, MLPRegressor
from fastnn.training.scores import default_score, r_squared

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N = 120
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, 4))
SIGNS = (X[:, :3] > 0).astype(int)
LABELS = SIGNS.sum(axis=1)
NUMBERS = X[:, 0] + X[:, 1] ** 2
MANY = np.asfortranarray(np.c_[NUMBERS, X[:, 2], np.ones(N)])

CLASSES = {
    "binary": SIGNS[:, 0],
    "texts": np.array(["no", "yes"])[SIGNS[:, 0]],
    "multiclass": LABELS,
    "objects": np.array(["a", "b", "c", "d"], object)[LABELS],
    "multilabel": SIGNS,
    "sparse": sp.csr_array(SIGNS),
    "columns": np.c_[LABELS, SIGNS[:, 1] + 5],
}
TARGETS = {
    "one": NUMBERS,
    "whole": np.rint(10 * NUMBERS).astype(int),
    "float32": NUMBERS.astype(np.float32),
    "several": MANY,
    "several whole": np.rint(10 * MANY).astype(np.int32),
    "constant": np.full(N, 2.5),
}
PARAMETERS = {"hidden_layer_sizes": (6,), "max_iter": 6, "random_state": 0, "learning_rate_init": 0.02}


def check(model, X, y, weights):
    """Compare each epoch's score with that epoch's model, and check that `score` itself was not called."""
    scores = []
    given = (X, y.toarray() if sp.issparse(y) else y) + (() if weights is None else (weights,))
    model.set_params(callback=lambda model: scores.append(model.score(*given)))
    model.fit(X, y, X_val=X, y_val=y, sample_weight_val=weights)
    assert model.validation_scores_ == scores
    return scores


@pytest.mark.parametrize("y", [*CLASSES.values(), SIGNS[:, 0] > 0, LABELS.astype(np.float32)])
def test_score_itself_is_scikit_learns(y):
    model = MLPClassifier(**PARAMETERS).fit(X, y)
    for given in (y, np.asarray(y.toarray() if sp.issparse(y) else y).tolist(), y[:60][::-1]):
        rows = X[: given.shape[0] if hasattr(given, "shape") else len(given)]
        if not model._targets.groups:
            assert model.score(rows, given) == ClassifierMixin.score(model, rows, given)
        for few in (rows[:-1], rows[:0]):
            with pytest.raises(ValueError, match=r"inconsistent|minimum of 1|0 sample"):
                model.score(few, given)


@pytest.mark.parametrize("weights", [None, RNG.uniform(0, 3, N)], ids=["plain", "weights"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("y", CLASSES.values(), ids=CLASSES)
def test_accuracy(y, dtype, weights):
    model = MLPClassifier(**PARAMETERS, early_stopping=True)
    assert len(set(check(model, X.astype(dtype), y, weights))) > 1
    assert default_score(model, model._targets) is not None


@pytest.mark.parametrize("weights", [None, RNG.uniform(0, 3, N)], ids=["plain", "weights"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("y", TARGETS.values(), ids=TARGETS)
def test_r_squared(y, dtype, weights):
    model = MLPRegressor(**PARAMETERS, early_stopping=True)
    check(model, X.astype(dtype), y, weights)
    assert default_score(model, model._targets) is not None


@pytest.mark.parametrize("quantile", [0.3, [0.1, 0.5]])
def test_quantiles(quantile):
    model = MLPRegressor("quantile", quantile=quantile, **PARAMETERS, early_stopping=True)
    check(model, X, NUMBERS, None)
    assert (default_score(model, model._targets) is None) == isinstance(quantile, list)


@pytest.mark.parametrize("weights", [None, RNG.integers(1, 4, 9) * 1.0], ids=["plain", "weights"])
@pytest.mark.parametrize("predicted", [[2.5] * 9, [2.5] * 8 + [3], range(9), [1e200] * 9], ids=str)
@pytest.mark.parametrize("y", [[2.5] * 9, range(9), [0] * 8 + [1]], ids=str)
def test_edges_of_r_squared(y, predicted, weights):
    y, predicted = np.array(y), np.array(predicted, float)
    with np.errstate(over="ignore"):
        assert r_squared(predicted, y, weights) == r2_score(y, predicted, sample_weight=weights)
    both = np.c_[y, y[::-1]], np.c_[predicted, predicted]
    with np.errstate(over="ignore"):
        assert r_squared(both[1], both[0], weights) == r2_score(*both, sample_weight=weights)


class Halved(MLPClassifier):
    def score(self, X, y, sample_weight=None):
        return super().score(X, y, sample_weight) / 2


class Cautious(MLPClassifier):
    def predict(self, X):
        return np.where(self.predict_proba(X).max(axis=1) > 0.5, super().predict(X), 0)


@pytest.mark.parametrize("cls", [Halved, Cautious])
def test_a_score_of_ones_own(cls):
    check(cls(**PARAMETERS), X, LABELS, None)


@pytest.mark.parametrize("name", ["score", "predict"])
def test_a_score_of_one_estimators_own(name):
    model = MLPClassifier(**PARAMETERS)
    setattr(model, name, lambda *arguments, **more: 0.25 if name == "score" else LABELS)
    model.fit(X, LABELS, X_val=X, y_val=LABELS)
    assert set(model.validation_scores_) == {0.25 if name == "score" else 1.0}
