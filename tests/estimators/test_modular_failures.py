"""Modular networks: what is refused before anything trains, and fits that fail."""

import pytest
from modular_networks import ALL, halves
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import LinearSVC

from fastnn import (
    ModularClassifier,
)

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore:batch_size=32 is larger:UserWarning"
)


class Failing(GaussianNB):
    def fit(self, X, y, sample_weight=None):
        raise ZeroDivisionError("it had to fail")


class FailingInFolds(GaussianNB):
    def fit(self, X, y, sample_weight=None):
        if len(X) < 500:
            raise ZeroDivisionError("it had to fail")
        return super().fit(X, y)


def test_a_fit_that_fails_leaves_the_model_as_it_was(digits):
    X, y = digits
    model = ModularClassifier(halves()).fit(X, y)
    before = vars(model).copy()
    model.set_params(lower=Failing())
    for fail in (lambda: model.fit(X, y), lambda: model.refit("lower", X, y)):
        with pytest.raises(ZeroDivisionError, match="it had to fail") as caught:
            fail()
        assert caught.value.__notes__ == ["It is the fit of the module 'lower' that failed."]
        assert {name for name, value in vars(model).items() if value is not before[name]} == {"modules"}
    unfitted = clone(model)
    with pytest.raises(ZeroDivisionError):
        unfitted.fit(X, y)
    with pytest.raises(NotFittedError):
        unfitted.predict(X)


@pytest.mark.parametrize("on_error", ["raise", "skip"])
def test_ctrl_c_leaves_the_model_as_it_was(digits, on_error):
    class Interrupted(GaussianNB):
        def fit(self, X, y, sample_weight=None):
            raise KeyboardInterrupt

    X, y = digits
    model = ModularClassifier(halves(), on_error=on_error).fit(X, y)
    expected = model.predict(X)
    with pytest.raises(KeyboardInterrupt):
        model.set_params(lower=Interrupted()).fit(X, y)
    assert_array_equal(model.predict(X), expected)


@pytest.mark.parametrize("combine", ["mean", "vote", GaussianNB()], ids=["mean", "vote", "model"])
@pytest.mark.parametrize("failing", [Failing, FailingInFolds])
def test_modules_that_fail_are_skipped(digits, combine, failing):
    X, y = digits
    modules = [halves()[0], ("bad", failing(), ALL), halves()[1]]
    if failing is FailingInFolds and isinstance(combine, str):
        modules[1] = ("bad", Failing(), ALL)
    weights = [1, 2, 3] if isinstance(combine, str) else None
    model = ModularClassifier(modules, combine=combine, on_error="skip", cv=2, weights=weights)
    with pytest.warns(UserWarning, match="The module 'bad' failed to fit and is left out: ZeroDivisionError: it had"):
        model.fit(X, y)
    assert list(model.named_modules_) == ["upper", "lower"]
    without = ModularClassifier(halves(), combine=combine, cv=2, weights=weights and [1, 3]).fit(X, y)
    assert_array_equal(model.predict(X), without.predict(X))
    assert_array_equal(model.get_feature_names_out(), without.get_feature_names_out())
    with pytest.raises(ZeroDivisionError):
        model.set_params(upper=Failing(), lower=Failing(), bad=Failing()).fit(X, y)


def test_nothing_is_left_to_answer(digits):
    model = ModularClassifier([*halves(), ("bad", Failing(), ALL)], weights=[0, 0, 1], on_error="skip")
    with pytest.raises(ZeroDivisionError):
        model.fit(*digits)


def test_refit_needs_the_estimators_of_the_modules(digits):
    X, y = digits
    model = ModularClassifier(halves(), combine=LogisticRegression(), cv=2).fit(X, y)
    model.set_params(modules=halves()[:1]).refit("upper", X, y)
    with pytest.raises(ValueError, match="modules must have an estimator 'lower' to fit"):
        model.refit("upper", X, y, refit_combiner=True)
    with pytest.raises(ValueError, match="refit_combiner must be False with combine='vote', got True"):
        model.set_params(combine="vote").refit("upper", X, y, refit_combiner=True)


def test_a_combiner_that_fails(digits):
    with pytest.raises(ZeroDivisionError) as caught:
        ModularClassifier(halves(), combine=Failing(), cv=2).fit(*digits)
    assert caught.value.__notes__ == ["It is the fit of `combine` that failed."]


@pytest.mark.parametrize("wrong", [{"cv": 1}, {"on_error": "warn"}, {"n_threads": 0}, {"combine": 3}, {"modules": 3}])
def test_values_that_parameters_cannot_have(digits, wrong):
    with pytest.raises(ValueError, match=f"The '{next(iter(wrong))}' parameter of ModularClassifier must be"):
        ModularClassifier(halves()).set_params(**wrong).fit(*digits)


def test_errors_come_before_anything_trains(digits):
    """Whatever tests/messages refuses, it refuses in no time: here one that only a look at the modules finds."""
    X, y = digits

    class Untrainable(LogisticRegression):
        def fit(self, X, y, sample_weight=None):
            raise AssertionError("it was trained")

    modules = [("one", Untrainable(), ALL), ("two", LinearSVC(), ALL)]
    for parameters in {"modules": modules}, {"modules": modules[:1], "weights": [1, 2]}, {"modules": modules[:1] * 2}:
        with pytest.raises(ValueError, match="must"):
            ModularClassifier(**parameters).fit(X, y)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        ModularClassifier(modules[:1]).fit(X, y[1:])
