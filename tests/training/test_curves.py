"""Curves: a call's time does not depend on the epochs before it, and every model has curves of one moment."""

import copy
import json
import pickle
import tracemalloc

import numpy as np
import pytest

from fastnn import MLPClassifier, MLPRegressor
from fastnn.training.curve import Curve

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X = np.random.default_rng(0).normal(size=(20, 3))
y = (X[:, 0] > 0).astype(int)


def classifier(**parameters):
    return MLPClassifier(**{"hidden_layer_sizes": (3,), "max_iter": 2, "random_state": 0} | parameters)


# -- by themselves -----------------------------------------------------------------------------------------------------


def test_a_copy_grows_by_itself():
    curve = Curve([1.0, 2.0])
    copies = [curve.copy(), copy.deepcopy(curve), pickle.loads(pickle.dumps(curve)), Curve(curve)]
    for i, one in enumerate(copies):
        one.append(3.0 + i)
    curve.append(9.0)
    for i, one in enumerate(copies):
        one.append(0.5)
        assert list(one) == [1.0, 2.0, 3.0 + i, 0.5]
    assert list(curve) == [1.0, 2.0, 9.0]
    assert (len(curve), curve[0], curve[-1]) == (3, 1.0, 9.0)
    with pytest.raises(IndexError):
        curve[3]


def test_copies_share_their_list():
    curve = Curve([0.0] * 1000)
    longer = curve.copy()
    longer.append(1.0)
    assert longer._values is curve._values
    assert len(curve) == len(pickle.loads(pickle.dumps(curve))) == 1000


def test_a_list_for_users_grows_with_its_curve():
    curve = Curve([1.0])
    seen = curve.as_list()
    curve.append(2.0)
    other = curve.copy()
    other.append(3.0)
    assert curve.as_list() is seen == [1.0, 2.0]
    assert other.as_list() == [1.0, 2.0, 3.0]
    seen.clear()
    assert list(curve) == [1.0, 2.0]


# -- on models ---------------------------------------------------------------------------------------------------------


def test_they_are_lists():
    model = classifier().fit(X, y, X_val=X, y_val=y)
    curves = [model.loss_curve_, model.validation_scores_, model.validation_loss_curve_]
    assert all(type(curve) is list for curve in curves)
    assert json.loads(json.dumps(curves)) == curves
    assert model.loss_curve_ is curves[0]
    before = copy.deepcopy(curves)
    model.partial_fit(X, y)
    assert curves == before
    assert [len(model.loss_curve_), len(model.validation_scores_)] == [3, 3]
    for curve in curves:
        curve.clear()  # changes the user's list only
    assert len(model.partial_fit(X, y).loss_curve_) == 4


def test_before_there_are_any():
    assert not hasattr(classifier(), "loss_curve_")
    assert not hasattr(classifier(), "validation_scores_")
    model = classifier().fit(X, y)
    assert model.validation_scores_ is model.validation_loss_curve_ is None


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_models_that_were_one_have_curves_of_their_own(duplicate):
    model = classifier().partial_fit(X, y, classes=[0, 1])
    other = duplicate(model)
    first = model.loss_curve_[:]
    model.partial_fit(X, y), other.partial_fit(-X, y), model.partial_fit(X, y)
    assert len(model.loss_curve_) == 3
    assert len(other.loss_curve_) == 2
    assert model.loss_curve_[:1] == other.loss_curve_[:1] == first
    assert model.loss_curve_[1] != other.loss_curve_[1]


def test_scikit_learns_model_adds_to_its_own():
    model = classifier().fit(X, y)
    theirs = model.to_sklearn().partial_fit(X, y)
    assert len(theirs.loss_curve_) == 3
    assert len(model.loss_curve_) == 2


def test_epochs_of_a_call_that_fails_do_not_count():
    def fail(model):
        raise KeyError

    model = classifier().partial_fit(X, y, classes=[0, 1])
    twin = copy.deepcopy(model)
    with pytest.raises(KeyError):
        model.set_params(callback=fail).partial_fit(-X, y)
    model.set_params(callback=None)
    for one in (model, twin):
        one._trainer = None  # the trainer starts afresh after a failure
        one.partial_fit(X, y)
    assert model.loss_curve_ == twin.loss_curve_


def sets_weights(model):
    model.coefs_ = model.coefs_


CALLS = {
    "partial_fit": lambda model: model.partial_fit(X, y),
    "warm fit": lambda model: model.set_params(warm_start=True).fit(X, y),
    "held out": lambda model: model.set_params(warm_start=True, early_stopping=True).fit(X, y, X_val=X, y_val=y),
    "callback": lambda model: model.set_params(callback=lambda model: model.loss_).partial_fit(X, y),
    "a copy for each epoch": lambda model: model.set_params(callback=copy.deepcopy).partial_fit(X, y),
    "weights": sets_weights,
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_no_call_copies_what_was_before(call):
    model = classifier().fit(X, y, X_val=X, y_val=y)
    n = 1_000_000
    for name in ("loss_curve", "validation_scores", "validation_losses"):
        setattr(model._state, name, Curve([1.0] * n))
        getattr(model._state, name).append(1.0)  # so that the list has spare room
    tracemalloc.start()
    try:
        call(model)
        assert tracemalloc.get_traced_memory()[1] < n  # a copy takes 8 n
    finally:
        tracemalloc.stop()


def test_scikit_learns_callbacks_copy_nothing_either():
    pytest.importorskip("sklearn.callback", reason="scikit-learn has callbacks from 1.9 on")

    kept = []

    class Keeper:
        def setup(self, estimator, context):
            pass

        teardown = on_fit_task_begin = lambda self, *arguments, **more: None

        def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
            kept.append(fitted_estimator)

    model = MLPRegressor(hidden_layer_sizes=(3,), random_state=0).fit(X, X[:, 0])
    n_before = len(model.loss_curve_)
    model.set_callbacks(Keeper()).partial_fit(X, X[:, 0], epochs=3)
    assert [len(one.loss_curve_) - n_before for one in kept] == [1, 2, 3, 3]
    assert all(one._state.loss_curve._values is model._state.loss_curve._values for one in kept)
