"""Modular networks whose modules, functions or parameters are at fault: what is said, when, and what is kept."""

import gc
import warnings
import weakref
from contextlib import nullcontext, suppress
from copy import copy

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_digits
from sklearn.ensemble import StackingClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from fastnn import MLPClassifier, ModularClassifier, ModularRegressor

ALL = slice(None)
X, Y = load_digits(return_X_y=True)
X, Y = X[:300] / 16, Y[:300]
LETTERS = np.array(list("abcdefghij"))[Y]
WEIGHT = np.ones(len(Y))


class Failing(GaussianNB):
    error = ZeroDivisionError("it had to fail")

    def fit(self, X, y, sample_weight=None):
        raise type(self.error)(*self.error.args)


class Untrainable(GaussianNB):
    def fit(self, X, y, sample_weight=None):
        raise AssertionError("it was trained")


def modular(estimator=None, **parameters):
    modules = [("one", GaussianNB(), slice(0, 32)), ("two", estimator or GaussianNB(), slice(32, 64))]
    return ModularClassifier(modules, **{"cv": 3} | parameters)


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("call", ["fit", "skip", "refit", "combiner"])
def test_an_error_does_not_keep_the_data(call, n_threads):
    class Data(np.ndarray):
        pass

    model = modular(n_threads=n_threads, on_error="skip" if call == "skip" else "raise").fit(X, Y)
    model.set_params(**{"combine" if call == "combiner" else "two": Failing()})
    data = X.copy().view(Data)
    kept = weakref.ref(data)
    gc.collect()
    gc.disable()
    try:
        with suppress(ZeroDivisionError), pytest.warns(UserWarning) if call == "skip" else nullcontext():
            model.refit("two", data, Y) if call == "refit" else model.fit(data, Y)
        del data
        assert kept() is None
    finally:
        gc.enable()


def test_what_ends_a_program_is_not_skipped():
    class Ending(Failing):
        error = SystemExit(3)

    model = modular(Ending(), on_error="skip")
    model.set_params(one=Failing())  # whose error comes first, but ends nothing
    for on_error in "skip", "raise":
        with pytest.raises(SystemExit):
            model.set_params(on_error=on_error).fit(X, Y)


# -- before anything trains -------------------------------------------------------------------------------------------


def refused(message, model, y=Y, X=X, **parameters):
    """Check that a model is refused, by this message, though nothing of it can be trained."""
    modules = [(name, Untrainable() if name == "one" else estimator, cols) for name, estimator, cols in model.modules]
    with pytest.raises((ValueError, TypeError), match=message):
        copy(model).set_params(modules=modules).fit(X, y, **parameters)


def test_targets_that_modules_cannot_learn():
    model = modular(combine=LogisticRegression())
    rule = "the target of the module 'two', a classifier, must be classes, got array"
    refused(rule, model.set_params(targets={"two": lambda y: y / 3}))
    refused(rule, model.set_params(targets={"two": lambda y: np.where(y == 0, np.nan, y)}))
    model.set_params(two=Ridge(), targets=None)
    refused("the target of the module 'two', a regressor, must be numbers, got array", model, LETTERS)
    model.set_params(targets={"two": lambda y: np.log(y)})
    with np.errstate(divide="ignore"):
        refused("the target of the module 'two', a regressor, must be numbers, got array", model)
    with pytest.raises(ZeroDivisionError) as caught:
        model.set_params(targets={"two": lambda y: 1 // 0}).fit(X, Y)
    assert caught.value.__notes__ == ["It is the function targets['two'] that failed."]


def test_weights_of_samples_that_are_refused():
    for weight, rule in {
        "balanced": "must be a number for each sample",
        "short": "sample_weight",
        "column": "Sample weights must be 1D",
    }.items():
        given = {"short": WEIGHT[1:], "column": WEIGHT[:, None]}.get(weight, weight)
        refused(rule, modular(), sample_weight=given)
    pipeline = make_pipeline(GaussianNB())
    refused("the fit of 'two' does not take it, got weights: Pipeline", modular(pipeline), sample_weight=WEIGHT)


@pytest.mark.parametrize("combine", ["mean", "product", "vote"])
def test_the_largest_weights(combine):
    model = modular(combine=combine, weights=[1e100, 1e100]).fit(X, Y)
    np.testing.assert_array_equal(model.predict(X), model.set_params(weights=None).fit(X, Y).predict(X))
    refused(
        "weights must be 2 numbers from 0 to 1e\\+100, one for each module, got", model.set_params(weights=[1, 1e308])
    )


def test_folds_that_are_refused():
    model = modular(combine=LogisticRegression())
    refused("cv must have pairs of rows, those to train on and those to hold out", model.set_params(cv=[1, 2]))
    refused(r"cv must hold each sample out exactly once, got \[\]", model.set_params(cv=[]))
    model.set_params(cv=iter(KFold(3).split(X))).fit(X, Y)
    refused("cv must hold each sample out exactly once, got <generator", model)  # it is at its end


def test_labels_and_matrices_that_are_refused():
    refused("y must be labels of one type", modular(), np.where(Y == 0, None, LETTERS))
    frame = pd.DataFrame({"digit": Y, "letter": LETTERS})
    refused("y must be labels of one type", modular(combine=LogisticRegression()), frame)
    numbers = sp.csr_matrix(np.stack([Y, Y + 1], axis=1).astype(float))
    with pytest.raises(TypeError, match="y must be an array unless it is an indicator matrix"):
        ModularRegressor([("one", Ridge(), ALL)]).fit(X, numbers)


# -- functions of y and other estimators than one expects -------------------------------------------------------------


def test_a_function_may_change_the_y_that_it_is_given():
    def without_large(y):
        y[y > 5] = 0
        return y

    y = Y.copy()
    model = modular(combine=LogisticRegression(), targets={"one": without_large}).fit(X, y)
    np.testing.assert_array_equal(y, Y)
    assert model.named_modules_.two.classes_.tolist() == list(range(10))


@pytest.mark.parametrize("form", [lambda y: y[:, None], lambda y: pd.DataFrame({"y": y}), lambda y: y.tolist()])
def test_a_column_of_a_function_is_a_vector(form):
    expected = modular(combine="product").fit(X, Y).transform(X)
    for combine in "product", LogisticRegression():
        model = modular(combine=combine, targets={"one": form}).fit(X, Y)
        np.testing.assert_array_equal(model.transform(X), expected)
    model.set_params(targets={"one": lambda y: sp.csr_matrix(np.eye(10)[y])}, one=KNeighborsClassifier()).fit(X, Y)
    assert model.transform(X).shape == (300, 20)


class Labels(ClassifierMixin, BaseEstimator):
    """A classifier that only predicts labels, and whose fit returns nothing."""

    def fit(self, X, y):
        self._model = GaussianNB().fit(X, y)
        self.classes_ = self._model.classes_

    def predict(self, X):
        return self._model.predict(X)


class LabelsAndNothingElse(Labels):
    def fit(self, X, y):
        super().fit(X, y)
        del self.classes_
        return self

    def predict_proba(self, X):
        return self._model.predict_proba(X)


@pytest.mark.parametrize("y", [Y, LETTERS, 3 * Y - 7, Y > 4], ids=["numbers", "texts", "other numbers", "booleans"])
def test_labels_are_combined_as_stacking_classifier_does(y):
    class Returning(Labels):
        def fit(self, X, y):
            super().fit(X, y)
            return self

    theirs = StackingClassifier([("one", Returning()), ("two", GaussianNB())], LogisticRegression(max_iter=500), cv=3)
    theirs.fit(X, y)
    modules = [("one", Labels(), ALL), ("two", GaussianNB(), ALL)]
    ours = ModularClassifier(modules, combine=LogisticRegression(max_iter=500), cv=3).fit(X, y)
    np.testing.assert_array_equal(ours.transform(X), theirs.transform(X))
    np.testing.assert_array_equal(ours.predict_proba(X), theirs.predict_proba(X))
    votes = ModularClassifier([("votes", modular(combine="vote"), ALL)], combine=GaussianNB(), cv=3).fit(X, y)
    assert votes.score(X, y) > 0.5


def test_a_classifier_without_classes():
    model = modular(LabelsAndNothingElse()).fit(X, Y)
    assert model.predict_proba(X).shape == (300, 10)


def test_a_module_that_learns_other_classes():
    class Shifted(GaussianNB):
        def fit(self, X, y):
            return super().fit(X, y + 1)

    for combine in "mean", "vote", LogisticRegression():
        with pytest.raises(ValueError, match=r"classes_ of the module 'two' must be classes of its target .* got \[ 1"):
            modular(Shifted(), combine=combine).fit(X, Y)


def test_a_decision_function_of_fewer_classes_is_refused():
    """StackingClassifier fills the column with the smallest number there is."""
    folds = [(np.flatnonzero(k != Y % 4), np.flatnonzero(k == Y % 4)) for k in range(4)]
    model = modular(LinearSVC(), combine=LogisticRegression(), cv=folds)
    with pytest.raises(ValueError, match=r"classes_ of the module 'two' must be all classes .* got \[1 2 3\]"):
        model.fit(X, Y % 4)


def test_X_that_only_says_how_it_becomes_an_array():
    expected = modular().fit(X, Y).predict_proba(X)
    np.testing.assert_array_equal(modular().fit(memoryview(X), Y).predict_proba(memoryview(X)), expected)


# -- refit ------------------------------------------------------------------------------------------------------------


def test_refit_that_would_leave_parts_that_do_not_fit_each_other():
    model = modular().fit(X, Y)
    for estimator in Ridge(), LinearSVC():
        with pytest.raises(ValueError, match="the module 'two' must be a classifier with predict_proba, as in `fit`"):
            model.set_params(two=estimator).refit("two", X, Y)
    model = modular(combine=LogisticRegression(), targets=dict.fromkeys(("one", "two"), lambda y: y % 2)).fit(X, Y)
    for y in Y + 2, np.minimum(Y, 8):
        with pytest.raises(ValueError, match=r"y must have the classes of `fit` with refit_combiner=True, \[0 1 2"):
            model.refit("one", X, y, refit_combiner=True)
    assert model.refit("one", X, Y + 2).predict_proba(X).shape == (300, 10)
    with pytest.raises(ValueError, match="refit_combiner must be True or False, got 'no'"):
        model.refit("one", X, Y, refit_combiner="no")
    with pytest.raises(ValueError, match="name must be one of one, two, got array"):
        model.refit(np.array(["one", "two"]), X, Y)


def test_refit_on_other_classes_in_one_of_several_columns():
    y = np.stack([Y, Y % 3], axis=1)
    modules = [("one", KNeighborsClassifier(), ALL), ("two", KNeighborsClassifier(), slice(0, 9))]
    model = ModularClassifier(modules, combine=KNeighborsClassifier(), cv=3).fit(X, y)
    with pytest.raises(ValueError, match=r"y must have classes that `fit` has met, .* \[0 1 2\], got \[3\] besides"):
        model.refit("one", X, y + np.array([0, 1]))
    with pytest.raises(ValueError, match="y must have the classes of `fit` with refit_combiner=True"):
        model.refit("one", X, np.minimum(y, 1), refit_combiner=True)
    assert model.refit("one", X, np.minimum(y, 1)).predict(X).shape == (300, 2)


def test_two_labels_of_their_own_are_both_read():
    """StackingClassifier drops the first label's probability where those of both come in one array."""
    y = np.stack([Y > 4, Y % 2], axis=1).astype(int)
    network = MLPClassifier((8,), max_iter=20, learning_rate_init=0.01, random_state=0, tol=0)
    combine = KNeighborsClassifier()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = ModularClassifier([("one", network, ALL)], combine=combine, cv=3).fit(X, y)
    np.testing.assert_array_equal(model.transform(X), model.named_modules_.one.predict_proba(X))
