"""MLPClassifier among scikit-learn's tools: its own checks, pipelines, searches and data frames."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.ensemble import BaggingClassifier
from sklearn.inspection import permutation_importance
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from fastnn import MLPClassifier

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def data(rng):
    X = rng.normal(size=(150, 4))
    return X, np.array(["a", "b", "c"])[(X @ rng.normal(size=(4, 3))).argmax(axis=1)]


@parametrize_with_checks(
    [
        MLPClassifier((20,), solver="adam", learning_rate_init=0.01, max_iter=80),
        MLPClassifier((20,), solver="sgd", learning_rate_init=0.05, max_iter=80),
        MLPClassifier((20,), solver="rmsprop", learning_rate_init=0.01, max_iter=80),
    ]
)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


def test_parameters_come_back():
    parameters = {"hidden_layer_sizes": (3, 4), "activation": ["tanh", "gelu"], "solver": "rmsprop", "rho": 0.5}
    model = MLPClassifier(**parameters, n_threads=2, dtype="float32")
    assert model.get_params().items() >= parameters.items()
    assert clone(model).get_params() == model.get_params()
    assert model.set_params(alpha=2.0, rho=0.25).get_params()["rho"] == 0.25
    with pytest.raises(
        ValueError, match=r"(?s)Invalid parameter 'learning_rates'.*'learning_rate', 'learning_rate_init'"
    ):
        model.set_params(learning_rates="adaptive")


def test_a_clone_has_learnt_nothing(data):
    model = MLPClassifier((5,), max_iter=2).fit(*data)
    assert not hasattr(clone(model), "coefs_")
    assert vars(clone(model)) == clone(model).get_params()


def test_same_seed_same_model(data):
    X, y = data
    first, second = (MLPClassifier((5,), max_iter=3, random_state=0).fit(X, y) for _ in range(2))
    np.testing.assert_array_equal(first.predict_proba(X), second.predict_proba(X))
    other = MLPClassifier((5,), max_iter=3, random_state=1).fit(X, y)
    assert not np.array_equal(first.predict_proba(X), other.predict_proba(X))


def test_pipeline(data):
    X, y = data
    model = MLPClassifier((10,), learning_rate_init=0.05, max_iter=30, random_state=0)
    pipeline = make_pipeline(StandardScaler(), model).fit(100 * X + 7, y)
    assert pipeline.score(100 * X + 7, y) > 0.9
    np.testing.assert_array_equal(pipeline[-1].classes_, ["a", "b", "c"])


def test_grid_search(data):
    grid = {
        "activation": np.array(["relu", "gelu"]),  # whose elements are not quite str
        "hidden_layer_sizes": [(4,), (4, 4)],
        "alpha": np.array([1e-5, 1e-3], dtype=np.float32),
    }
    model = MLPClassifier(learning_rate_init=0.05, max_iter=10, random_state=0)
    search = GridSearchCV(model, grid, cv=2, error_score="raise").fit(*data)
    assert len(search.cv_results_["params"]) == 8
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_estimator_.n_layers_ == 2 + len(search.best_params_["hidden_layer_sizes"])


def test_cross_validation_in_processes(data):
    model = MLPClassifier((10,), learning_rate_init=0.05, max_iter=30, random_state=0)
    scores = cross_val_score(model, *data, cv=3)
    assert scores.mean() > 0.8
    np.testing.assert_array_equal(cross_val_score(model, *data, cv=3, n_jobs=2), scores)


@pytest.mark.parametrize("tool", ["bagging", "permutation importance"])
def test_tools_with_threads(data, tool):
    X, y = data
    model = MLPClassifier((10,), learning_rate_init=0.05, max_iter=30, random_state=0)
    if tool == "bagging":
        model = BaggingClassifier(model, n_estimators=3, random_state=0)
        assert model.fit(X, y).score(X, y) > 0.8
    else:
        model.fit(X, y)
        alone, together = (permutation_importance(model, X, y, random_state=0, n_jobs=n) for n in (None, 2))
        np.testing.assert_array_equal(alone.importances, together.importances)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames(data, library):
    frames = pytest.importorskip(library)
    X, y = data
    names = ["w", "x", "y", "z"]
    frame = frames.DataFrame({name: X[:, i] for i, name in enumerate(names)})
    model = MLPClassifier((5,), max_iter=3, random_state=0)
    from_arrays = clone(model).fit(X, y).predict_proba(X)
    model.fit(frame, frames.Series(y))
    assert model.feature_names_in_.tolist() == names
    np.testing.assert_array_equal(model.predict_proba(frame), from_arrays)
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        model.predict(X)
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame[names[::-1]])


@pytest.mark.parametrize(
    ("dtype", "classes"),
    [("category", ["p", "q"]), ("string", ["p", "q"]), ("object", ["p", "q"]), ("Int64", [1, 2]), ("boolean", [0, 1])],
)
def test_pandas_labels(data, dtype, classes):
    pandas = pytest.importorskip("pandas")
    X, _ = data
    y = pandas.Series(np.array(classes)[(X[:, 0] > 0).astype(int)]).astype(dtype)
    model = MLPClassifier((8,), learning_rate_init=0.05, max_iter=30, random_state=0).fit(X, y)
    assert model.classes_.tolist() == classes
    assert np.mean(model.predict(X) == y.to_numpy()) > 0.9


def test_pandas_columns_of_several_types(data):
    pandas = pytest.importorskip("pandas")
    X, y = data
    frame = pandas.DataFrame(
        {
            "integer": pandas.array((100 * X[:, 0]).astype(int), dtype="Int64"),
            "small": X[:, 1].astype(np.float32),
            "flag": X[:, 2] > 0,
            "wide": X[:, 3],
        }
    )
    plain = frame.to_numpy(dtype=float)
    ours, same = (MLPClassifier((5,), max_iter=3, random_state=0) for _ in range(2))
    np.testing.assert_array_equal(ours.fit(frame, y).predict_proba(frame), same.fit(plain, y).predict_proba(plain))
