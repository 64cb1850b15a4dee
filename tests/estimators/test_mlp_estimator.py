"""The networks among scikit-learn's tools: its own checks, pipelines, searches, routing and data frames."""

import copy
import gc
import pickle
import weakref

import joblib
import numpy as np
import pytest
import scipy.sparse
from older import pipelines_route_to_scores
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import BaggingClassifier
from sklearn.inspection import permutation_importance
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks

from fastnn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def data(rng):
    X = rng.normal(size=(150, 4))
    return X, np.array(["a", "b", "c"])[(X @ rng.normal(size=(4, 3))).argmax(axis=1)]


@parametrize_with_checks(
    [
        estimator(hidden_layer_sizes=(20,), solver=solver, learning_rate_init=rate, max_iter=80)
        for estimator in (MLPClassifier, MLPRegressor)
        for solver, rate in (("adam", 0.01), ("sgd", 0.002), ("rmsprop", 0.01), ("adamw", 0.01), ("adagrad", 0.1))
    ]
    + [estimator(hidden_layer_sizes=(20,), solver="lbfgs", max_iter=20) for estimator in (MLPClassifier, MLPRegressor)]
)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


def test_it_takes_the_targets_that_trees_take():
    assert get_tags(MLPClassifier()).target_tags == get_tags(DecisionTreeClassifier()).target_tags
    assert get_tags(MLPRegressor()).target_tags == get_tags(DecisionTreeRegressor()).target_tags


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
    search, in_processes = (
        GridSearchCV(model, grid, cv=2, n_jobs=n_jobs, error_score="raise").fit(*data) for n_jobs in (None, 2)
    )
    assert len(search.cv_results_["params"]) == 8
    scores = search.cv_results_["mean_test_score"]
    assert np.isfinite(scores).all()
    np.testing.assert_array_equal(in_processes.cv_results_["mean_test_score"], scores)
    np.testing.assert_array_equal(in_processes.predict_proba(data[0]), search.predict_proba(data[0]))
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


def test_calibration(data):
    X, y = data
    model = MLPClassifier((10,), learning_rate_init=0.05, max_iter=30, random_state=0)
    calibrated = CalibratedClassifierCV(model, cv=3).fit(X, y)
    assert calibrated.score(X, y) > 0.8


@pytest.mark.skipif(not pipelines_route_to_scores, reason="this scikit-learn's pipelines do not")
def test_sample_weights_are_routed(data):
    """Through a search and a pipeline, to the network alone."""
    X, y = data
    model = MLPClassifier((5,), max_iter=3, random_state=0)
    weights = np.linspace(0, 1, len(y))
    with config_context(enable_metadata_routing=True):
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        pipeline = make_pipeline(
            scaler, model.set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        )
        search = GridSearchCV(pipeline, {"mlpclassifier__alpha": [0.1]}, cv=2).fit(X, y, sample_weight=weights)
    scaled = StandardScaler().fit_transform(X)
    expected = clone(model).set_params(alpha=0.1).fit(scaled, y, sample_weight=weights).predict_proba(scaled)
    np.testing.assert_array_equal(search.predict_proba(X), expected)
    assert not np.allclose(expected, clone(model).set_params(alpha=0.1).fit(scaled, y).predict_proba(scaled))


@pytest.mark.parametrize("estimator", [MLPClassifier, MLPRegressor])
@pytest.mark.parametrize(
    "through",
    [
        lambda model, path: pickle.loads(pickle.dumps(model)),
        lambda model, path: copy.deepcopy(model),
        lambda model, path: joblib.load(joblib.dump(model, path)[0]),
    ],
    ids=["pickle", "deepcopy", "joblib"],
)
def test_copies(estimator, through, data, tmp_path):
    X, _ = data
    fresh = estimator(hidden_layer_sizes=(5,), activation=["gelu"], max_iter=3, random_state=0)
    assert through(fresh, tmp_path / "fresh").get_params() == fresh.get_params()
    assert not hasattr(through(fresh, tmp_path / "fresh"), "coefs_")
    model = fresh.fit(X, X[:, 0] > 0)
    twin = through(model, tmp_path / "fitted")
    np.testing.assert_array_equal(twin.predict(X), model.predict(X))
    assert {name for name in vars(model) if name.endswith("_")} <= vars(twin).keys()
    np.testing.assert_array_equal(
        twin.partial_fit(X, X[:, 0] > 0).coefs_[0], model.partial_fit(X, X[:, 0] > 0).coefs_[0]
    )


@pytest.mark.parametrize("estimator", [MLPClassifier, MLPRegressor])
def test_a_pickle_does_not_grow(estimator, data):
    X, _ = data
    model = estimator(hidden_layer_sizes=(5,), random_state=0)
    classes = {"classes": [False, True]} if estimator is MLPClassifier else {}
    sizes = [len(pickle.dumps(model.partial_fit(X, X[:, 0] > 0, **classes))) for _ in range(40)]
    assert sizes[-1] - sizes[9] < 30 * 30  # a loss and its place in a list, a call


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


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("kind", ["pandas", "polars", "sparse", "routed"])
def test_samples_to_watch_of_every_kind(kind, early_stopping, data):
    """Like those to train on: a frame, sparse, or routed through a pipeline."""
    X, y = data
    model = MLPClassifier((5,), max_iter=5, early_stopping=early_stopping, random_state=0)
    expected = clone(model).fit(X[50:], y[50:], X_val=X[:50], y_val=y[:50])
    if kind == "routed":
        with config_context(enable_metadata_routing=True):
            pipeline = make_pipeline(clone(model).set_fit_request(X_val=True, y_val=True))
            watched = pipeline.fit(X[50:], y[50:], X_val=X[:50], y_val=y[:50])[-1]
    elif kind == "sparse":
        watched = clone(model).fit(X[50:], y[50:], X_val=scipy.sparse.csc_array(X[:50]), y_val=y[:50])
    else:
        frames = pytest.importorskip(kind)
        frame = frames.DataFrame({name: X[:, i] for i, name in enumerate("wxyz")})
        watched = clone(model).fit(frame[50:], y[50:], X_val=frame[:50], y_val=frames.Series(y[:50]))
        with pytest.raises(ValueError, match="feature names should match"):
            watched.fit(frame[50:], y[50:], X_val=frame[list("zyxw")], y_val=y)
    assert watched.validation_scores_ == expected.validation_scores_
    np.testing.assert_allclose(watched.validation_loss_curve_, expected.validation_loss_curve_, rtol=1e-12)
    np.testing.assert_array_equal(watched.coefs_[0], expected.coefs_[0])


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


def test_classes_as_a_series(data):
    pandas = pytest.importorskip("pandas")
    X, y = data
    classes = pandas.Series(["a", "b", "c"], index=[7, 8, 9])
    model = MLPClassifier((3,)).partial_fit(X, y, classes=classes)
    assert list(model.classes_) == ["a", "b", "c"]
    again = MLPClassifier.from_weights(model.coefs_, model.intercepts_, classes=classes)
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    with pytest.raises(ValueError, match=r"classes must be array-like, got \{"):
        MLPClassifier((3,)).partial_fit(X, y, classes={"a", "b", "c"})


def test_names_of_parameters_follow_the_constructor():
    class Own(MLPClassifier):
        pass

    assert Own().get_params().keys() == MLPClassifier().get_params().keys()

    def constructor(self, only=1):
        self.only = only

    Own.__init__ = constructor
    assert Own(only=2).get_params() == {"only": 2}
    gone = weakref.ref(Own)
    del Own, constructor
    gc.collect()
    assert gone() is None
