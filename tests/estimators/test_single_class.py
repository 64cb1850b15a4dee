"""A single class, in a fold or in a column of labels: scikit-learn's network is trained on it, and it is predicted."""

import copy
import pickle

import numpy as np
import pytest
from sklearn.metrics import get_scorer
from sklearn.model_selection import KFold, TimeSeriesSplit, cross_val_predict, cross_val_score
from sklearn.multioutput import MultiOutputClassifier
from sklearn.neural_network import MLPClassifier as SklearnMLPClassifier
from sklearn.tree import DecisionTreeClassifier

import fastnn
from fastnn import MLPClassifier, Perceptron

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N = 40
LABELS = {
    "int": np.full(N, 7),
    "float": np.zeros(N),
    "text": np.full(N, "ham"),
    "objects": np.full(N, "ham", object),
    "bool": np.ones(N, bool),
    "days": np.full(N, "2020-01-01", "M8[D]"),
    "uint8": np.full(N, 255, np.uint8),
    "list": ["ham"] * N,
}


@pytest.fixture
def X(rng):
    return rng.normal(size=(N, 4))


@pytest.fixture
def columns(rng):
    """Several columns of labels, of three classes, of one, of two, and of one."""
    return np.stack([rng.integers(0, 3, N), np.full(N, 5), rng.integers(0, 2, N), np.ones(N, int)], axis=1)


def classifier(**parameters):
    return MLPClassifier(**{"hidden_layer_sizes": (5,), "max_iter": 4, "random_state": 0} | parameters)


def assert_same_weights(model, other, **tolerance):
    for array, its in zip([*model.coefs_, *model.intercepts_], [*other.coefs_, *other.intercepts_], strict=True):
        np.testing.assert_allclose(array, its, **tolerance or {"rtol": 0})


@pytest.mark.parametrize(
    "parameters",
    [{"solver": "adam"}, {"solver": "sgd", "early_stopping": True}, {"solver": "lbfgs"}, {"early_stopping": True}],
    ids=str,
)
def test_the_network_is_scikit_learns(parameters, X):
    parameters = {"hidden_layer_sizes": (5,), "max_iter": 6, "random_state": 0} | parameters
    ours, theirs = (each(**parameters).fit(X, LABELS["int"]) for each in (MLPClassifier, SklearnMLPClassifier))
    assert_same_weights(ours, theirs, rtol=1e-6, atol=1e-9)
    for name in ("n_outputs_", "out_activation_", "n_iter_", "validation_scores_"):
        assert getattr(ours, name) == getattr(theirs, name, None)
    np.testing.assert_allclose(ours.loss_, theirs.loss_, rtol=1e-6)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X), strict=True)


@pytest.mark.parametrize("y", LABELS.values(), ids=LABELS)
def test_it_is_predicted(y, X):
    model = classifier().fit(X, y)
    assert model.classes_.tolist() == np.unique(np.array(y)).tolist()
    far = 1e3 * X  # wherever the output, which is a number below a half where there were samples, leads
    for samples in (X, far):
        assert set(model.predict(samples).tolist()) == set(model.classes_.tolist())
        np.testing.assert_array_equal(model.predict_proba(samples), np.ones((N, 1)), strict=True)
        np.testing.assert_array_equal(model.predict_log_proba(samples), np.zeros((N, 1)), strict=True)
    assert model.predict(X).dtype == model.classes_.dtype
    assert model.hidden_activations(X).shape == (N, 5)
    assert model.score(X, y) == 1
    assert model.predict_proba(X.astype("f4")).dtype == np.float64
    assert classifier().fit(X.astype("f4"), y).predict_proba(X).dtype == np.float32


def test_a_single_sample(X):
    assert classifier().fit(X[:1], ["ham"]).predict(X[:2]).tolist() == ["ham", "ham"]


def test_columns_of_a_single_class(columns, X):
    model = classifier(max_iter=60, learning_rate_init=0.02).fit(X, columns)
    assert [classes.tolist() for classes in model.classes_] == [[0, 1, 2], [5], [0, 1], [1]]
    np.testing.assert_array_equal(model.predict(X)[:, [1, 3]], columns[:, [1, 3]])
    assert [part.shape[1] for part in model.predict_proba(X)] == [3, 1, 2, 1]
    for i in (1, 3):
        np.testing.assert_array_equal(model.predict_proba(X)[i], np.ones((N, 1)))
    assert np.mean(model.predict(X) == columns) > 0.8
    alone = classifier().fit(X, columns[:, [1, 3]])
    assert alone.score(X, columns[:, [1, 3]]) == 1
    assert alone.loss_curve_[0] < 0.01  # the penalty


def test_columns_of_a_single_class_teach_nothing(columns, X):
    """Their outputs are sure of themselves from the start, whatever their weights."""
    parameters = {"alpha": 0, "label_smoothing": 0.1, "class_weight": "balanced"}
    before, after = (classifier(max_iter=n, **parameters).fit(X, columns).coefs_[-1] for n in (1, 9))
    moved = np.abs(after - before).max(axis=0)
    assert moved[[3, 6]].max() < 1e-6 < 1e-3 < np.delete(moved, [3, 6]).min()


@pytest.mark.parametrize(
    "parameters",
    [
        {"class_weight": "balanced"},
        {"class_weight": {"ham": 1, "spam": 5}},
        {"label_smoothing": 0.4},
        {"n_threads": 2},
    ],
    ids=str,
)
def test_what_changes_nothing(parameters, X):
    """There is no other class to weigh it against, nor to share the target probability with."""
    assert_same_weights(classifier(**parameters).fit(X, ["ham"] * N), classifier().fit(X, ["ham"] * N))


@pytest.mark.parametrize(
    "parameters",
    [
        {"dropout": 0.5},
        {"early_stopping": True, "class_weight": {"ham": 2.0}},
        {"early_stopping": True, "scoring": "loss"},
        {"solver": "lbfgs", "early_stopping": True},
        {"hidden_layer_sizes": ()},
        {"dtype": "float32", "solver": "rmsprop"},
        {"learning_rate": "one_cycle", "solver": "adamw"},
    ],
    ids=str,
)
def test_parameters(parameters, X, rng):
    y = np.full(N, "ham")
    model = classifier(**parameters).fit(X, y, rng.random(N))
    watched = classifier(**parameters).fit(X, y, rng.random(N), X_val=X[:5], y_val=y[:5], sample_weight_val=range(1, 6))
    for each in (model, watched):
        assert each.predict(X).tolist() == y.tolist()
        assert np.isfinite(each.loss_)
    if parameters.get("early_stopping"):
        assert model.best_validation_score_ == 1 or parameters.get("scoring") == "loss"


def test_scores_that_know_two_classes_say_so(X):
    """As they do of scikit-learn's trees: they find one column of probabilities."""
    y = np.zeros(N, int)
    models = classifier().fit(X, y), DecisionTreeClassifier().fit(X, y)
    for name in ("accuracy", "f1_macro"):
        assert [get_scorer(name)(model, X, y) for model in models] == [1, 1]
    for name in ("neg_log_loss", "roc_auc", "neg_brier_score"):
        for model in models:
            with pytest.raises(ValueError, match="need classifier with two classes"):
                get_scorer(name)(model, X, y)
    with pytest.raises(ValueError, match="need classifier with two classes"):
        classifier(early_stopping=True, scoring="roc_auc").fit(X, y)


def test_cross_validation(X):
    y = np.repeat([0, 1], N // 2)
    assert np.isfinite(cross_val_score(classifier(), X, y, cv=TimeSeriesSplit(3))).all()
    with pytest.warns(RuntimeWarning, match="Number of classes in training fold"):
        probabilities = cross_val_predict(classifier(), X, y, cv=KFold(2), method="predict_proba")
    np.testing.assert_array_equal(probabilities, np.eye(2)[1 - y])  # scikit-learn's fails: two columns for one class
    model = MultiOutputClassifier(classifier()).fit(X, np.stack([y, 0 * y], axis=1))
    assert [part.shape for part in model.predict_proba(X)] == [(N, 2), (N, 1)]


@pytest.mark.parametrize("several", [False, True])
def test_it_resumes(several, columns, X, tmp_path):
    y = columns if several else columns[:, 1]
    model = classifier(warm_start=True).fit(X, y)
    fastnn.save(model, tmp_path / "model")
    copies = [model, copy.deepcopy(model), pickle.loads(pickle.dumps(model)), fastnn.load(tmp_path / "model")]
    for each in copies:
        each.fit(X, y).partial_fit(X[:9], y[:9])
        assert_same_weights(each, model)
        np.testing.assert_array_equal(each.predict(X)[..., -1], model.predict(X)[..., -1])
    whole = classifier(warm_start=True, max_iter=8).fit(X, y).partial_fit(X[:9], y[:9])
    assert_same_weights(model, whole)
    for method in (model.fit, model.partial_fit):
        with pytest.raises(ValueError, match=r"the same classes|no other classes than"):
            method(X, y + (np.arange(N) % 2 if y.ndim == 1 else np.arange(N)[:, None] % 2))
    with pytest.raises(ValueError, match="the same classes"):
        classifier(warm_start=True).fit(X, np.arange(N) % 2).fit(X, np.zeros(N, int))


def test_in_parts(columns, X):
    """Declared classes are what counts: of two there need be one only; and one alone is as good as in fit."""
    model = classifier().partial_fit(X, np.zeros(N, int), classes=[0, 1])
    assert model.predict_proba(X).shape == (N, 2)
    alone = classifier().partial_fit(X, columns[:, 1], classes=[5])
    np.testing.assert_array_equal(alone.predict(X), columns[:, 1])
    with pytest.raises(ValueError, match=r"no other classes than"):
        alone.partial_fit(X, columns[:, 0])
    several = classifier().partial_fit(X, columns, classes=[[0, 1, 2], [5], [0, 1], [1]])
    np.testing.assert_array_equal(several.predict(X)[:, 1], columns[:, 1])


def test_there_and_back(X):
    y = np.full(N, "ham")
    fitted = SklearnMLPClassifier((5,), max_iter=3, random_state=0).fit(X, y)
    model = MLPClassifier.from_sklearn(fitted)
    assert_same_weights(model, fitted)
    back = model.to_sklearn()
    assert back.predict(X).tolist() == model.predict(X).tolist() == y.tolist()
    np.testing.assert_array_equal(back.predict_proba(X), fitted.predict_proba(X))
    given = MLPClassifier.from_weights(model.coefs_, model.intercepts_, classes=["ham"])
    for each in (model, back, given):
        np.testing.assert_array_equal(each.partial_fit(X, y).predict(X), y)


def test_perceptrons_need_two(X):
    """As scikit-learn's does."""
    with pytest.raises(ValueError, match=r"y must have at least 2 classes, got 1 class: \[0"):
        Perceptron().fit(X, np.zeros(N))
    with pytest.raises(ValueError, match=r"y must have at least 2 classes, got 1 class: \[0"):
        Perceptron().partial_fit(X, np.zeros(N), classes=[0])
