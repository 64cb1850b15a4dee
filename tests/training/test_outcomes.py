"""How a fit can end; its warnings come after the model is fitted."""

import copy
import math
import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor as SklearnMLPRegressor

import fastnn.training.lbfgs
from fastnn import MLPClassifier, MLPRegressor, Perceptron
from fastnn.training import interruption
from fastnn.training.schedules import ENDING

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4))
Y = RNG.integers(0, 2, 60)


def interrupt(model):
    """A single Ctrl-C, whenever the last one was."""
    interruption._last_press = -math.inf
    raise KeyboardInterrupt


# -- warnings that are errors ------------------------------------------------------------------------------------------

PLAIN = {"hidden_layer_sizes": (3,), "random_state": 0, "max_iter": 3}
OUTCOMES = {
    "perceptron": (Perceptron(max_iter=2), ConvergenceWarning),
    "classifier": (MLPClassifier(**PLAIN), ConvergenceWarning),
    "regressor": (MLPRegressor(**PLAIN), ConvergenceWarning),
    "early stopping": (MLPClassifier(**PLAIN, early_stopping=True), ConvergenceWarning),
    "lbfgs": (MLPClassifier(**PLAIN, solver="lbfgs"), ConvergenceWarning),
    "Ctrl-C": (MLPClassifier(**PLAIN, callback=interrupt), UserWarning),
    "lbfgs, Ctrl-C": (MLPClassifier(**PLAIN, solver="lbfgs", callback=interrupt), UserWarning),
    "scores": (MLPClassifier(**PLAIN, early_stopping=True, scoring=lambda *_: np.nan), UserWarning),
}


@pytest.mark.parametrize(("model", "category"), OUTCOMES.values(), ids=OUTCOMES)
@pytest.mark.parametrize("warm_start", [False, True])
def test_a_warning_that_is_an_error_finds_the_model_fitted(model, category, warm_start):
    twin = copy.deepcopy(model)
    for _ in range(2):
        with warnings.catch_warnings(), pytest.raises(category):
            warnings.simplefilter("error")
            model.set_params(warm_start=warm_start).fit(X, Y)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            twin.set_params(warm_start=warm_start).fit(X, Y)
        np.testing.assert_array_equal(model.predict(X), twin.predict(X))
        assert model.n_iter_ == twin.n_iter_
        assert model.t_ == twin.t_


def test_the_schedules_end():
    model = MLPClassifier((3,), max_iter=2, learning_rate="cosine", random_state=0)
    model.partial_fit(X, Y, classes=[0, 1], epochs=2)
    with warnings.catch_warnings(), pytest.raises(UserWarning, match="'cosine' has come to its end"):
        warnings.simplefilter("error")
        model.partial_fit(X, Y)
    assert len(model.loss_curve_) == 3


# -- divergence --------------------------------------------------------------------------------------------------------

TARGET = X[:, 0] + X[:, 1] ** 2


def regressor(n_good=9, **parameters):
    """A regressor that learns for `n_good` epochs, and diverges in the next one."""

    def rate(epoch):
        return 0.02 if epoch < n_good else 1e200

    shared = {"hidden_layer_sizes": (20,), "learning_rate": rate, "max_iter": 20, "batch_size": 10, "random_state": 0}
    return MLPRegressor(**shared | {"early_stopping": True, "n_iter_no_change": 30} | parameters)


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_the_best_epoch_is_kept(solver):
    with pytest.warns(ConvergenceWarning, match="diverged in epoch 10: .*its best epoch, best_epoch_=[1-9], with"):
        model = regressor(solver=solver).fit(X, TARGET)
    assert len(model.loss_curve_) == len(model.validation_scores_) == model.n_iter_ == 9
    assert model.best_epoch_ == np.argmax(model.validation_scores_) + 1
    best = regressor(solver=solver, max_iter=model.best_epoch_).fit(X, TARGET)
    np.testing.assert_array_equal(model.coefs_[0], best.coefs_[0])
    watched = regressor(solver=solver)
    with pytest.warns(ConvergenceWarning, match="diverged in epoch 10"):
        watched.fit(X, TARGET, X_val=X, y_val=TARGET)
    assert watched.score(X, TARGET) == watched.best_validation_score_ > 0.5


def test_scikit_learn_keeps_it_too():
    """The example with which the divergence was reported."""
    numbers = np.random.RandomState(355)
    X = numbers.randn(300, 5)
    y = X @ numbers.randn(5) + np.sin(3 * X[:, 0])
    parameters = {"solver": "sgd", "learning_rate_init": 0.2, "max_iter": 60, "batch_size": 20, "n_iter_no_change": 30}
    parameters |= {"hidden_layer_sizes": (30, 30), "early_stopping": True, "random_state": 355}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ours, theirs = (cls(**parameters).fit(X, y) for cls in (MLPRegressor, SklearnMLPRegressor))
    assert ours.score(X, y) == pytest.approx(theirs.score(X, y), rel=1e-6)
    assert ours.score(X, y) > 0.9


def test_of_several_warnings_each_is_given():
    first = iter([np.nan])
    model = regressor(scoring=lambda model, X, y: next(first, 0.0) or model.score(X, y))
    with pytest.warns(ConvergenceWarning, match="diverged"), pytest.warns(UserWarning, match="score of epoch 1 is nan"):
        model.fit(X, TARGET)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_training_resumes_from_the_best_epoch(method):
    """The optimizer starts afresh, since its memories are those of the divergence."""
    model = regressor(warm_start=True).fit(X, TARGET)
    score = model.score(X, TARGET)
    fresh = copy.deepcopy(model)
    fresh._trainer = None
    for one in (model, fresh):
        getattr(one.set_params(learning_rate="constant", max_iter=3), method)(X, TARGET)
    assert model.score(X, TARGET) > score - 0.1
    assert model.loss_curve_ == fresh.loss_curve_
    np.testing.assert_array_equal(model.coefs_[0], fresh.coefs_[0])


@pytest.mark.parametrize(
    "model",
    [regressor(0), regressor(early_stopping=False), regressor(scoring=lambda *_: np.nan)],
    ids=["at once", "not kept", "no score"],
)
def test_where_nothing_was_kept_it_is_an_error(model):
    with pytest.raises(ValueError, match=r"Training diverged in epoch \d+"):
        model.fit(X, TARGET)
    assert not hasattr(model, "n_iter_")


def test_a_fit_that_learns_nothing_new_leaves_the_last_one():
    model = regressor(warm_start=True, max_iter=9).fit(X, TARGET)
    before = model.coefs_
    with pytest.raises(ValueError, match="diverged in epoch 1"):
        model.fit(X, TARGET)
    np.testing.assert_array_equal(model.coefs_[0], before[0])


@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_ctrl_c_while_it_diverges(solver, early_stopping):
    def diverge(model):
        if model.n_iter_ == 3:
            model._network.parameters[:] = np.nan
            raise KeyboardInterrupt

    model = MLPClassifier(**PLAIN | {"max_iter": 9}, solver=solver, early_stopping=early_stopping, callback=diverge)
    if not early_stopping:
        with pytest.raises(KeyboardInterrupt):
            model.fit(X, Y)
        return
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        model.fit(X, Y)
    assert np.isfinite(model.predict_proba(X)).all()
    assert np.isfinite(model.set_params(callback=None).partial_fit(X, Y).predict_proba(X)).all()


@pytest.mark.parametrize("early_stopping", [False, True])
def test_lbfgs(early_stopping, monkeypatch):
    monkeypatch.setattr(fastnn.training.lbfgs, "all_finite", lambda array: False)
    model = MLPRegressor(**PLAIN, solver="lbfgs", early_stopping=early_stopping)
    if early_stopping:
        with pytest.warns(ConvergenceWarning, match="Training diverged: .*its best epoch"):
            model.fit(X, X[:, 0])
        assert model.best_epoch_ > 0
    else:
        with pytest.raises(ValueError, match="Training diverged"):
            model.fit(X, X[:, 0])


# -- schedules that run over max_iter ----------------------------------------------------------------------------------

AT_ONCE = {**PLAIN, "tol": 10.0, "n_iter_no_change": 1, "max_iter": 12}


@pytest.mark.parametrize("learning_rate", ENDING)
@pytest.mark.parametrize("watched", [False, True])
def test_they_run_to_their_end_and_no_warning_says_so(learning_rate, watched):
    validation = {"X_val": X, "y_val": Y} if watched else {}
    model = MLPClassifier(**AT_ONCE, learning_rate=learning_rate, warm_start=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert model.fit(X, Y, **validation).n_iter_ == 12
        assert model.fit(X, Y, **validation).n_iter_ == 12
    assert model.set_params(learning_rate="constant").fit(X, Y).n_iter_ == 2


@pytest.mark.parametrize("learning_rate", ENDING)
def test_early_stopping_ends_them(learning_rate):
    model = MLPClassifier(**AT_ONCE, learning_rate=learning_rate, early_stopping=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert model.fit(X, Y).n_iter_ < 12
        assert model.set_params(n_iter_no_change=100).fit(X, Y).n_iter_ == 12


@pytest.mark.parametrize("learning_rate", ["constant", "adaptive", "invscaling"])
def test_a_warm_up_is_not_judged(learning_rate):
    model = MLPClassifier(**AT_ONCE, learning_rate=learning_rate, warmup_fraction=0.5).fit(X, Y)
    if learning_rate == "adaptive":
        assert model._state.n_rate_drops == 3  # in the ninth epoch, and every other one from there
    else:
        assert model.n_iter_ == 8
