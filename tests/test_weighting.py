"""sample_weight and class_weight: what they are equal to, together and apart, and what is refused."""

import numpy as np
import pytest
from sklearn.utils import compute_class_weight, compute_sample_weight

from fastnn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N = 90


@pytest.fixture
def X(rng):
    return rng.normal(size=(N, 4))


def labels(rng, kind):
    if kind == "multilabel":
        return (rng.random((N, 3)) < [0.2, 0.5, 0.8]).astype(int)
    if kind == "columns":
        return np.stack([rng.choice([3, 5, 9], N, p=[0.2, 0.3, 0.5]), rng.choice([0, 1], N, p=[0.3, 0.7])], axis=1)
    names = np.array(["a", "b"] if kind == "binary" else ["a", "b", "c"])
    return names[rng.choice(len(names), N, p=[0.3, 0.7] if kind == "binary" else [0.1, 0.3, 0.6])]


def classifier(**parameters):
    return MLPClassifier((6,), max_iter=8, random_state=0, batch_size=20, learning_rate_init=0.01, **parameters)


def assert_same(model, other):
    for array, its in zip(model.coefs_ + model.intercepts_, other.coefs_ + other.intercepts_, strict=True):
        np.testing.assert_allclose(array, its, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(model.loss_curve_, other.loss_curve_, rtol=1e-9)


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel", "columns"])
@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_only_the_ratios_of_weights_count(kind, class_weight, X, rng):
    """Without a penalty, whose weight beside them does change."""
    y, weights = labels(rng, kind), rng.random(N)
    one = classifier(alpha=0, class_weight=class_weight).fit(X, y, weights)
    assert_same(one, classifier(alpha=0, class_weight=class_weight).fit(X, y, 8 * weights))
    ones = classifier(class_weight=class_weight).fit(X, y, np.ones(N))
    assert_same(ones, classifier(class_weight=class_weight).fit(X, y))


@pytest.mark.parametrize("kind", ["binary", "multiclass"])
def test_class_weights_are_sample_weights(kind, X, rng):
    y, weights = labels(rng, kind), rng.random(N)
    given = {"a": 3.0, "b": 0.25}
    for class_weight in (given, "balanced"):
        wanted = compute_sample_weight(class_weight, y)
        model = classifier(class_weight=class_weight)
        assert_same(model.fit(X, y), classifier().fit(X, y, wanted))
        assert_same(model.fit(X, y, weights), classifier().fit(X, y, wanted * weights))
    by_hand = dict(zip("abc", compute_class_weight("balanced", classes=np.unique(y), y=y), strict=False))
    assert_same(model.fit(X, y), classifier(class_weight=by_hand).fit(X, y))


def test_each_column_has_its_own_class_weights(X, rng):
    """A column of weight 0 is as if it were not there: the others' outputs do not hear of it."""
    y = labels(rng, "multilabel")
    model = classifier(class_weight=[{0: 0, 1: 0}, {1: 5.0}, "balanced"]).fit(X, y)
    other = y.copy()
    other[:, 0] = 1 - other[:, 0]
    assert_same(model, classifier(class_weight=[{0: 0, 1: 0}, {1: 5.0}, "balanced"]).fit(X, other))
    y = labels(rng, "columns")
    model = classifier(class_weight=[{3: 2.0}, {0: 0, 1: 0}]).fit(X, y)
    other = np.stack([y[:, 0], 1 - y[:, 1]], axis=1)
    assert_same(model, classifier(class_weight=[{3: 2.0}, {0: 0, 1: 0}]).fit(X, other))
    assert not np.allclose(model.coefs_[0], classifier().fit(X, y).coefs_[0])


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel", "columns"])
def test_samples_to_watch_are_weighed_as_those_trained_on(kind, X, rng):
    """As many of each class as there are in those, however few are watched."""

    def balanced(column):
        classes = np.unique(column)
        return dict(zip(classes, compute_class_weight("balanced", classes=classes, y=column), strict=True))

    y = labels(rng, kind)
    by_hand = balanced(y) if y.ndim == 1 else [balanced(column) for column in y.T]
    model, other = (
        classifier(class_weight=weight).fit(X, y, X_val=X[:9], y_val=y[:9]) for weight in ("balanced", by_hand)
    )
    np.testing.assert_allclose(model.validation_loss_curve_, other.validation_loss_curve_, rtol=1e-9)
    assert_same(model, other)


def test_balanced_weights_find_the_rare_class(rng):
    X = rng.normal(size=(2000, 2))
    y = (X[:, 0] + rng.normal(size=2000) > 2.2).astype(int)
    plain, balanced = (
        MLPClassifier((8,), class_weight=w, max_iter=30, random_state=0).fit(X, y).predict(X)
        for w in (None, "balanced")
    )
    assert np.mean(balanced[y == 1]) > 0.75 > 0.4 > np.mean(plain[y == 1])


@pytest.mark.parametrize("estimator", [MLPClassifier, MLPRegressor])
def test_a_weight_of_zero_is_a_sample_left_out(estimator, X, rng):
    """All samples in one batch, in one order, and no penalty."""
    y, weights = rng.integers(0, 2, N), (np.arange(N) % 3 > 0).astype(float)
    model = estimator(hidden_layer_sizes=(5,), batch_size=N, shuffle=False, max_iter=9, random_state=0, alpha=0)
    part = estimator(
        hidden_layer_sizes=(5,), batch_size=int(weights.sum()), shuffle=False, max_iter=9, random_state=0, alpha=0
    )
    assert_same(model.fit(X, y, weights), part.fit(X[weights > 0], y[weights > 0]))


def test_partial_fit_is_weighted_too(X, rng):
    y, weights = labels(rng, "multiclass"), rng.random(N)
    model = classifier(class_weight={"a": 2.0}).partial_fit(X, y, weights, ["a", "b", "c"])
    other = classifier().partial_fit(X, y, weights * np.where(y == "a", 2, 1), ["a", "b", "c"])
    assert_same(model, other)
    part = y != "c"  # a class that is not there this time
    assert_same(
        model.partial_fit(X[part], y[part]), other.partial_fit(X[part], y[part], np.where(y[part] == "a", 2, 1))
    )
    with pytest.raises(ValueError, match=r"not for partial_fit.*compute_class_weight"):
        classifier(class_weight="balanced").partial_fit(X, y, classes=["a", "b", "c"])


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.full(N, -1.0), "sample_weight must not be negative"),
        (np.zeros(N), "at least one non-zero|The weights of all samples (to train on|held out) are 0"),
        (np.ones(N - 1), "sample_weight.shape ==|inconsistent"),
        (np.full(N, np.nan), "contains NaN"),
        (np.ones((N, 2)), "Sample weights must be 1D"),
        (np.array(["a"] * N), "could not convert string"),
    ],
)
@pytest.mark.parametrize("estimator", [MLPClassifier, MLPRegressor])
def test_bad_weights(estimator, weights, message, X, rng):
    y = rng.integers(0, 2, N)
    for model in (estimator(max_iter=2), estimator(max_iter=2, early_stopping=True)):
        with pytest.raises(ValueError, match=message):
            model.fit(X, y, sample_weight=weights)
    assert not hasattr(model, "coefs_")


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("estimator", [MLPClassifier, MLPRegressor])
@pytest.mark.parametrize(
    ("dtype", "weight"), [("float32", 1e-40), ("float32", 1e37), ("float64", 1e-320), ("float64", 1e307)]
)
def test_weights_that_are_nothing_in_the_networks_type(dtype, weight, estimator, solver, X, rng):
    """Or add up to more than that can divide by: every step would be one of nothing, and nobody would know."""
    y, weights = rng.integers(0, 2, N), np.full(N, weight)
    model = estimator(max_iter=3, solver=solver, dtype=dtype)
    with pytest.raises(
        ValueError, match=rf"The weights of all samples to train on are 0, or .*{dtype}.* sample_weight"
    ):
        model.fit(X, y, weights)
    with pytest.raises(ValueError, match=r"The weights of all samples held out are 0, or .* sample_weight"):
        model.fit(X, y, X_val=X, y_val=y, sample_weight_val=weights)
    weights[:2] = 1 if weight < 1 else 0
    weights[2:] = weights[2:] if weight < 1 else 1
    before = model.set_params(max_iter=1, random_state=0).fit(X, y, weights).coefs_[0]
    assert (model.set_params(max_iter=5).fit(X, y, weights).coefs_[0] != before).any()


@pytest.mark.parametrize(
    ("kind", "class_weight", "message"),
    [
        ("binary", {"a": 1, "z": 2}, r"class_weight has weights of \['z'\], which are not classes of y"),
        ("multilabel", {0: 1}, "class_weight must be 'balanced' or a list of 3, one for each column of y"),
        ("columns", [{3: 1}], "class_weight is a list of 1 for 2 columns of y"),
        ("binary", "even", "'class_weight' parameter"),
        ("binary", {"a": None}, "class_weight must be finite and not negative, got {'a': None}"),
        ("binary", {"a": "1"}, "class_weight must be finite and not negative"),
        ("columns", [{3: 1}, 2.0], "class_weight must be a dict or 'balanced' for each column of y, got 2.0"),
        ("columns", [{3: 1}, "even"], "class_weight must be a dict or 'balanced' for each column of y, got 'even'"),
    ],
)
def test_bad_class_weights(kind, class_weight, message, X, rng):
    with pytest.raises(ValueError, match=message):
        classifier(class_weight=class_weight).fit(X, labels(rng, kind))


def test_a_list_for_one_column_is_refused(X, rng):
    with pytest.raises(ValueError, match="class_weight must be a dict or 'balanced', y being one column, not a list"):
        classifier(class_weight=["balanced"]).fit(X, rng.integers(0, 3, N))
