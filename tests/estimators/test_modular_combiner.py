"""Modular networks whose outputs a model combines, as in scikit-learn's stacking; and modules that are trained anew."""

import numpy as np
import pandas as pd
import pytest
from modular_networks import ALL, SHORT, halves, network, weights_of
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier, StackingClassifier, StackingRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import LinearSVC

from fastnn import (
    MLPRegressor,
    ModularClassifier,
    ModularRegressor,
)

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore:batch_size=32 is larger:UserWarning"
)


# -- a model that combines --------------------------------------------------------------------------------------------

THREE = [("one", network()), ("two", LinearSVC(random_state=0)), ("three", GaussianNB())]


@pytest.mark.parametrize("n_classes", [2, 10])
@pytest.mark.parametrize("passthrough", [False, True])
def test_outputs_are_those_of_stacking_classifier(digits, passthrough, n_classes):
    X, y = digits[0], digits[1] % n_classes
    folds = KFold(3, shuffle=True, random_state=0)
    combine = LogisticRegression(max_iter=5000)
    theirs = StackingClassifier(THREE, combine, cv=folds, passthrough=passthrough).fit(X, y)
    modules = [(*each, ALL) for each in THREE]
    ours = ModularClassifier(modules, combine=combine, cv=folds, passthrough=passthrough, n_threads=2).fit(X, y)
    assert_array_equal(ours.transform(X), theirs.transform(X))
    assert_array_equal(ours.combiner_.coef_, theirs.final_estimator_.coef_)
    assert_array_equal(ours.predict_proba(X), theirs.predict_proba(X))
    assert_array_equal(ours.decision_function(X), theirs.decision_function(X))
    assert ours.get_feature_names_out().tolist() == [
        name.replace("stacking", "modular") for name in theirs.get_feature_names_out()
    ]
    assert len(ours.combined_scores_) == 3


def test_outputs_are_those_of_stacking_regressor(diabetes):
    X, y = diabetes
    both = [("one", MLPRegressor(hidden_layer_sizes=(8,), **SHORT)), ("two", Ridge())]
    theirs = StackingRegressor(both, LinearRegression(), cv=4).fit(X, y)
    ours = ModularRegressor([(*each, ALL) for each in both], combine=LinearRegression(), cv=4).fit(X, y)
    assert_array_equal(ours.transform(X), theirs.transform(X))
    assert_array_equal(ours.predict(X), theirs.predict(X))
    outputs = np.stack([cross_val_predict(each, X, y, cv=4) for _, each in both], axis=1)
    rows = [test for _, test in KFold(4).split(X)]
    expected = [
        LinearRegression().fit(np.delete(outputs, held, 0), np.delete(y, held)).score(outputs[held], y[held])
        for held in rows
    ]
    np.testing.assert_allclose(ours.combined_scores_, expected)


def test_a_fold_may_lack_a_class(digits):
    X, y = digits[0][:90], np.repeat([0, 1, 2], 30)
    modules = [("proba", network(), ALL), ("decision", LinearSVC(random_state=0), ALL)]
    model = ModularClassifier(modules[:1], combine=GaussianNB(), cv=KFold(3)).fit(X, y)
    assert model.transform(X).shape == (90, 3)
    assert_array_equal(np.diag(model.combiner_.theta_), 0)  # no fold met the class that it held out
    model.set_params(modules=modules)
    with pytest.raises(ValueError, match="classes_ of the module 'decision' must be all classes of its target"):
        model.fit(X, y)


def test_targets_that_are_columns(digits):
    X, y = digits
    columns = pd.DataFrame({"digit": y, "big": (y > 4).astype(int), "odd": y % 2})
    combine = RandomForestClassifier(20, random_state=0)
    modules = [("digit", network(), ALL), ("big", network(), ALL), ("odd", network(), ALL), ("all", combine, ALL)]
    targets = {"digit": "digit", "big": "big", "odd": 2}
    model = ModularClassifier(modules, targets=targets, combine=combine, cv=2).fit(X, columns)
    assert model.predict(X).shape == (500, 3)
    assert [len(each) for each in model.classes_] == [10, 2, 2]
    assert model.named_modules_.digit.classes_.tolist() == list(range(10))
    assert weights_of(model.named_modules_.odd) == weights_of(network().fit(X, y % 2))
    assert model.transform(X).shape == (500, 10 + 1 + 1 + (9 + 1 + 1))
    assert model.score(X, columns) == (model.predict(X) == columns.to_numpy()).all(axis=1).mean()
    scores = model.score_modules(X, columns)
    assert scores["all"] == (model.named_modules_["all"].predict(X) == columns.to_numpy()).all(axis=1).mean()
    assert scores["big"] == model.named_modules_.big.score(X, y > 4)
    with pytest.raises(ValueError, match="y must have 3 columns, as in fit, got 1"):
        model.score_modules(X, y)


def test_targets_of_regressors(diabetes):
    X, y = diabetes
    modules = [("level", MLPRegressor(hidden_layer_sizes=(8,), **SHORT), ALL), ("high", network(), ALL)]
    model = ModularRegressor(modules, targets={"high": lambda y: y > 1.5}, combine=Ridge()).fit(X, y)
    assert model.transform(X).shape == (200, 2)
    assert set(model.score_modules(X, y)) == {"level", "high"}


def test_numbers_in_several_columns(diabetes):
    X, y = diabetes[0], np.stack([diabetes[1], -diabetes[1], diabetes[0][:, 2]], axis=1)
    modules = [("one", Ridge(), slice(0, 5)), ("two", MLPRegressor(hidden_layer_sizes=(8,), **SHORT), slice(5, 10))]
    model = ModularRegressor(modules).fit(X, y)
    one, two = (model.named_modules_[name].predict(X[:, part]) for name, _, part in modules)
    np.testing.assert_allclose(model.predict(X), (one + two) / 2)
    assert model.get_feature_names_out().tolist()[2:4] == ["modularregressor_one2", "modularregressor_two0"]
    model = ModularRegressor(modules, targets={"one": 2}, combine=Ridge()).fit(X, y)
    assert model.predict(X).shape == (200, 3)
    assert model.transform(X).shape == (200, 4)


def test_labels_of_their_own(digits):
    """An indicator matrix needs a classifier that combines."""
    X, y = digits[0], np.stack([digits[1] > 4, digits[1] % 2], axis=1).astype(int)
    modules = [("one", network(), slice(0, 32)), ("two", network(), slice(32, 64))]
    model = ModularClassifier(modules, combine=network(), cv=2).fit(X, y)
    assert model.transform(X).shape == (500, 4)
    assert model.predict(X).shape == (500, 2)
    assert model.score(X, y) > 0.3


# -- one module anew --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("combine", ["mean", LogisticRegression()], ids=["mean", "model"])
def test_refit_changes_one_module(digits, combine):
    X, y = digits
    model = ModularClassifier(halves(), combine=combine, cv=2).fit(X, y)
    before = {name: (each, weights_of(each)) for name, each in model.named_modules_.items()}
    combiner = getattr(model, "combiner_", None)
    assert model.set_params(lower__hidden_layer_sizes=(20,)).refit("lower", X[:300], y[:300]) is model
    assert model.named_modules_.upper is before["upper"][0]
    assert weights_of(model.named_modules_.upper) == before["upper"][1]
    alone = network(20, random_state=1).fit(X[:300, 32:], y[:300])
    assert weights_of(model.named_modules_.lower) == weights_of(alone)
    assert getattr(model, "combiner_", None) is combiner
    assert list(model.named_modules_) == ["upper", "lower"]
    model.predict(X)


def test_refit_with_the_combiner_is_a_whole_fit(digits):
    X, y = digits
    model = ModularClassifier(halves(), combine=LogisticRegression(), cv=2).fit(X, y)
    upper = model.named_modules_.upper
    model.set_params(lower=network(20)).refit("lower", X, y, refit_combiner=True)
    assert model.named_modules_.upper is upper
    whole = clone(model).fit(X, y)
    assert_array_equal(model.combiner_.coef_, whole.combiner_.coef_)
    assert_array_equal(model.combined_scores_, whole.combined_scores_)
    assert_array_equal(model.predict_proba(X), whole.predict_proba(X))


def test_refit_on_fewer_classes(digits):
    X, y = digits
    model = ModularClassifier(halves()).fit(X, y)
    model.refit("upper", X[y < 9], y[y < 9])
    assert model.named_modules_.upper.classes_.tolist() == list(range(9))
    lower = model.named_modules_.lower.predict_proba(X[:, 32:])
    np.testing.assert_allclose(model.predict_proba(X)[:, 9], lower[:, 9] / 2)
    with pytest.raises(ValueError, match=r"y must have classes that `fit` has met, .* got \[10\] besides"):
        model.refit("upper", X, np.where(y == 9, 10, y))
