"""sample_weight and class_weight: what they are equal to, together and apart, and what is refused."""

import numpy as np
import pytest
from older import balanced_takes_weights
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import TimeSeriesSplit, cross_val_score
from sklearn.utils import compute_sample_weight

from fastnn import MLPClassifier, MLPRegressor, Perceptron

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N = 90
DAYS = np.array(["2020-01-01", "2020-01-02", "2020-01-03"], "M8[D]")


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


def balanced(y, sample_weight=None):
    """The balanced weight of each class, as scikit-learn computes it from 1.7 on."""
    classes, codes = np.unique(y, return_inverse=True)
    counts = np.bincount(codes, sample_weight)
    return dict(zip(classes.tolist(), counts.sum() / (len(classes) * counts), strict=True))


@pytest.mark.parametrize("kind", ["binary", "multiclass"])
def test_class_weights_are_sample_weights(kind, X, rng):
    y, weights = labels(rng, kind), rng.random(N)
    for class_weight, each in (({"a": 3.0, "b": 0.25},) * 2, ("balanced", balanced(y))):
        model = classifier(class_weight=class_weight)
        of_samples = np.array([each.get(label, 1.0) for label in y])
        np.testing.assert_allclose(of_samples, compute_sample_weight(class_weight, y))
        assert_same(model.fit(X, y), classifier().fit(X, y, of_samples))
        assert_same(model.fit(X, y), classifier(class_weight=each).fit(X, y))
        if class_weight == "balanced":
            of_samples = np.array([balanced(y, weights)[label] for label in y])
        assert_same(model.fit(X, y, weights), classifier().fit(X, y, of_samples * weights))


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel", "columns"])
def test_balanced_weights_count_a_sample_as_often_as_it_weighs(kind, X, rng):
    """All samples in one batch, in one order: weights are copies, and none is none."""
    y, copies = labels(rng, kind), rng.integers(0, 4, N)
    parameters = {"hidden_layer_sizes": (6,), "shuffle": False, "max_iter": 5, "random_state": 0, "batch_size": N}
    model = MLPClassifier(class_weight="balanced", **parameters).fit(X, y, copies)
    parameters["batch_size"] = copies.sum()
    repeated = np.repeat(X, copies, axis=0), np.repeat(y, copies, axis=0)
    assert_same(model, MLPClassifier(class_weight="balanced", **parameters).fit(*repeated))


@pytest.mark.skipif(not balanced_takes_weights, reason="this scikit-learn counts samples, not their weights")
def test_balanced_weights_are_those_of_logistic_regression(X, rng):
    y, weights = labels(rng, "multiclass"), rng.integers(0, 4, N)
    alike = {"class_weight": "balanced", "max_iter": 2000, "tol": 1e-8}
    theirs = LogisticRegression(**alike).fit(X, y, weights)
    ours = MLPClassifier((), solver="lbfgs", alpha=1.0, random_state=0, **alike).fit(X, y, weights)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-4)


def test_a_class_that_weighs_nothing_is_not_balanced(X, rng):
    """The others are, as if its samples were not there; nothing becomes infinite."""
    y, weights = labels(rng, "multiclass"), rng.random(N)
    weights[y == "a"] = 0
    of_samples = compute_sample_weight(balanced(y[y != "a"], weights[y != "a"]) | {"a": 1.0}, y)
    assert_same(classifier(class_weight="balanced").fit(X, y, weights), classifier().fit(X, y, of_samples * weights))


def learnt(model):
    return model.coef_ if isinstance(model, Perceptron) else np.concatenate([W.ravel() for W in model.coefs_])


NAMES = {
    "text": (["a", "b", "c"], ["a", "b", "c"]),
    "digits": (["1", "2", "3"], ["1", "2", "3"]),
    "digits by numbers": (["1", "2", "3"], [1, 2, 3]),  # scikit-learn takes nothing else for them
    "int": ([1, 2, 3], [1, 2, 3]),
    "float": ([1.0, 2.0, 3.0], [1, 2, 3]),
    "bool": ([False, True], [0, True, 2]),
    "days": (DAYS, list(DAYS)),
    "days by dates": (DAYS, DAYS.tolist()),
}


@pytest.mark.parametrize("estimator", [MLPClassifier, Perceptron])
@pytest.mark.parametrize(("classes", "names"), NAMES.values(), ids=NAMES)
def test_a_dict_may_name_classes_that_y_lacks_or_lack_some(estimator, classes, names, X, rng):
    """But not both, as in scikit-learn: it is what a misspelt class comes to."""
    codes = rng.integers(0, 2, N)
    y, model = np.array(classes)[codes], estimator(max_iter=2, random_state=0)
    for weights in ([2.0, 0.5, 5.0], [2.0], []):
        model.set_params(class_weight=dict(zip(names, weights, strict=False)))
        of_samples = np.array([*weights[:2], 1.0, 1.0])[codes]
        other = estimator(max_iter=2, random_state=0).fit(X, y, sample_weight=of_samples)
        np.testing.assert_allclose(learnt(model.fit(X, y)), learnt(other), rtol=1e-9, atol=1e-12)
    message = r"class_weight must list .*, got \[.*\], which y does not have, but not \[.*\]"
    with pytest.raises(ValueError, match=message):
        model.set_params(class_weight={names[0]: 2.0, names[2]: 3.0}).fit(X, y)


@pytest.mark.parametrize("estimator", [MLPClassifier, Perceptron])
def test_classes_still_to_come_may_be_weighed(estimator, X, rng):
    y, classes = rng.integers(0, 2, N), [0, 1, 2]
    model, other = (estimator(class_weight=each, random_state=0) for each in ({2: 3.0}, None))
    ours, others = (learnt(each.partial_fit(X, y, classes=classes)) for each in (model, other))
    np.testing.assert_array_equal(ours, others)


def test_folds_without_a_class_take_its_weight(rng):
    X, y = rng.normal(size=(N, 4)), np.sort(labels(rng, "multiclass"))
    model = MLPClassifier((6,), class_weight={"a": 1.0, "b": 2.0, "c": 3.0}, max_iter=2, random_state=0)
    assert np.isfinite(cross_val_score(model, X, y, cv=TimeSeriesSplit(4))).all()


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
    """As much of each class as there is in those, however little is watched."""
    y, weights = labels(rng, kind), rng.random(N)
    by_hand = balanced(y, weights) if y.ndim == 1 else [balanced(column, weights) for column in y.T]
    model, other = (
        classifier(class_weight=weight).fit(X, y, weights, X_val=X[:9], y_val=y[:9]) for weight in ("balanced", by_hand)
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
    with pytest.raises(ValueError, match=r"class_weight must not be 'balanced' for partial_fit.*compute_class_weight"):
        classifier(class_weight="balanced").partial_fit(X, y, classes=["a", "b", "c"])


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.full(N, -1.0), r"sample_weight must be at least 0, got -1\.0"),
        (np.zeros(N), "at least one non-zero|the weights of the samples (to train on|held out) must add up"),
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
    if estimator is MLPClassifier and weight > 1:
        with pytest.raises(ValueError, match="the weights of the samples to train on must add up to"):
            model.set_params(class_weight="balanced").fit(X, y, weights)
        model.set_params(class_weight=None)
    with pytest.raises(
        ValueError, match=rf"the weights of the samples to train on must add up to .*{dtype}.* sample_weight"
    ):
        model.fit(X, y, weights)
    with pytest.raises(ValueError, match=r"the weights of the samples held out must add up to .* sample_weight"):
        model.fit(X, y, X_val=X, y_val=y, sample_weight_val=weights)
    weights[:2] = 1 if weight < 1 else 0
    weights[2:] = weights[2:] if weight < 1 else 1
    before = model.set_params(max_iter=1, random_state=0).fit(X, y, weights).coefs_[0]
    assert (model.set_params(max_iter=5).fit(X, y, weights).coefs_[0] != before).any()


@pytest.mark.parametrize(
    ("kind", "class_weight", "message"),
    [
        (
            "binary",
            {"a": 1, "z": 2},
            r"class_weight must list .*, got \['z'\], which y does not have, but not \['b'\]",
        ),
        ("multilabel", {0: 1}, "class_weight must be 'balanced' or a list of 3, one for each column of y"),
        ("columns", [{3: 1}], "class_weight must be a list of 2, one for each column of y, got a list of 1"),
        ("binary", "even", "'class_weight' parameter"),
        ("binary", {"a": None}, r"class_weight\['a'\] must be finite and at least 0, got None"),
        ("binary", {"a": "1"}, r"class_weight\['a'\] must be finite and at least 0, got '1'"),
        ("columns", [{3: 1}, 2.0], r"class_weight\[1\] must be a dict, 'balanced' or None, got 2\.0"),
        ("columns", [{3: 1}, "even"], r"class_weight\[1\] must be a dict, 'balanced' or None, got 'even'"),
    ],
)
def test_bad_class_weights(kind, class_weight, message, X, rng):
    with pytest.raises(ValueError, match=message):
        classifier(class_weight=class_weight).fit(X, labels(rng, kind))


def test_a_list_for_one_column_is_refused(X, rng):
    with pytest.raises(ValueError, match=r"class_weight must be a dict, .* for a y of one column, got \['balanced'\]"):
        classifier(class_weight=["balanced"]).fit(X, rng.integers(0, 3, N))
