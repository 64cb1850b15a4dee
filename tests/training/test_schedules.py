"""Schedules of the learning rate: their factors, and that every solver's steps follow them."""

import numpy as np
import pytest

from fastnn import MLPClassifier, MLPRegressor
from fastnn.training.schedules import SCHEDULES, rates
from fastnn.training.state import TrainingState

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N_BATCHES = 8


def curve(n_epochs=10, **parameters):
    """The rates of every step of a fit, as fractions of learning_rate_init."""
    model = MLPClassifier(max_iter=n_epochs, **parameters)
    state = TrainingState(np.random.RandomState(0))
    steps = []
    for epoch in range(n_epochs):
        steps.append(rates(model, state, epoch, N_BATCHES))
        if steps[-1] is None:
            steps[-1] = np.ones(N_BATCHES)
        state.loss_curve.append(0.0)
        state.n_samples_seen += 100
    return np.concatenate(steps)


def test_constant():
    assert (curve() == 1).all()


def test_invscaling_follows_scikit_learn():
    seen = np.repeat(np.arange(10) * 100.0, N_BATCHES)
    np.testing.assert_allclose(curve(learning_rate="invscaling", power_t=0.3), (seen + 1) ** -0.3)


def test_cosine():
    steps = curve(learning_rate="cosine")
    when = np.arange(10 * N_BATCHES) / (10 * N_BATCHES)
    np.testing.assert_allclose(steps, (1 + np.cos(np.pi * when)) / 2)
    assert (np.diff(steps) < 0).all()
    warm = curve(learning_rate="cosine", warmup_fraction=0.2)
    assert warm[2 * N_BATCHES - 1] == warm[2 * N_BATCHES] == warm.max()
    assert (np.diff(warm[: 2 * N_BATCHES]) > 0).all()
    assert (np.diff(warm[2 * N_BATCHES :]) < 0).all()
    assert warm.max() == pytest.approx(1)


def test_one_cycle():
    steps = curve(learning_rate="one_cycle")
    assert steps[0] == pytest.approx(1 / 25)
    assert steps.max() == pytest.approx(1)
    assert np.argmax(steps) == 0.3 * 10 * N_BATCHES
    assert 0 < steps[-1] < 0.01
    assert np.argmax(curve(learning_rate="one_cycle", warmup_fraction=0.5)) == 5 * N_BATCHES
    assert np.argmax(curve(learning_rate="one_cycle", warmup_fraction=0.0)) == 0


@pytest.mark.parametrize("learning_rate", ["constant", "adaptive", "invscaling", lambda epoch: 0.01 / (1 + epoch)])
def test_warm_up(learning_rate):
    plain, warm = (curve(learning_rate=learning_rate, warmup_fraction=f) for f in (None, 0.2))
    ramp = np.minimum(np.arange(1, 10 * N_BATCHES + 1) / (2 * N_BATCHES), 1)
    np.testing.assert_allclose(warm, plain * ramp)


def test_a_function_of_the_epoch():
    steps = curve(learning_rate=lambda epoch: 0.02 / (1 + epoch), learning_rate_init=0.01)
    np.testing.assert_allclose(steps, np.repeat(2 / (1 + np.arange(10.0)), N_BATCHES))


@pytest.mark.parametrize("rate", [-1.0, np.nan, np.inf, "fast"])
def test_a_function_that_returns_no_rate(rate, rng):
    X, y = rng.normal(size=(20, 3)), rng.integers(0, 2, 20)
    with pytest.raises(ValueError, match=r"learning_rate must return a finite rate of at least 0|could not convert"):
        MLPClassifier(learning_rate=lambda epoch: rate, max_iter=2).fit(X, y)


@pytest.mark.parametrize("solver", ["sgd", "rmsprop", "adam", "adamw", "adagrad"])
@pytest.mark.parametrize("learning_rate", [*SCHEDULES, "a function"])
def test_every_solver_follows(learning_rate, solver, rng):
    """An epoch with a rate of 0 changes no weight; an epoch with half the rate differs from one with the whole rate."""
    X, y = rng.normal(size=(40, 3)), rng.normal(size=40)
    parameters = {"hidden_layer_sizes": (5,), "solver": solver, "max_iter": 3, "random_state": 0, "batch_size": 20}
    plain = MLPRegressor(**parameters).fit(X, y)
    if learning_rate == "a function":
        model = MLPRegressor(**parameters, learning_rate=lambda epoch: 0.001 * (epoch < 2)).fit(X, y)
        at_two = MLPRegressor(**parameters | {"max_iter": 2}).fit(X, y)
        if solver != "sgd":  # with a rate of 0, momentum still moves the weights
            np.testing.assert_array_equal(model.coefs_[0], at_two.coefs_[0])
    else:
        model = MLPRegressor(**parameters, learning_rate=learning_rate).fit(X, y)
    same = np.array_equal(model.coefs_[0], plain.coefs_[0])
    assert same == (learning_rate in ("constant", "adaptive"))  # adaptive has not lowered its rate yet


@pytest.mark.parametrize("solver", ["sgd", "rmsprop", "adam", "adamw", "adagrad"])
def test_adaptive_falls_and_ends(solver, rng):
    X, y = rng.normal(size=(40, 3)), rng.normal(size=40)
    model = MLPRegressor(
        hidden_layer_sizes=(5,), solver=solver, learning_rate="adaptive", n_iter_no_change=1, tol=10.0, max_iter=100
    )
    model.fit(X, y)
    assert model._state.n_rate_drops == 5  # 0.001 / 5**5 is the first below 1e-6
    assert model.n_iter_ < 100


@pytest.mark.parametrize("changes", [{}, {"learning_rate_init": 0.2}], ids=["the same rate", "another rate"])
def test_adaptive_begins_anew_after_a_fit_that_ended(changes, rng):
    X = rng.normal(size=(300, 4))
    y = (X[:, 0] + rng.normal(size=300) > 0).astype(int)
    parameters = {"solver": "sgd", "learning_rate": "adaptive", "max_iter": 500, "tol": 1e-3, "random_state": 0}
    model = MLPClassifier((5,), learning_rate_init=0.1, warm_start=True, **parameters).fit(X, y)
    n_first, score = model.n_iter_, model.score(X, 1 - y)
    model.set_params(**changes).fit(X, 1 - y)
    assert n_first < 500 and 20 < model.n_iter_ < 500
    assert model.score(X, 1 - y) > score + 0.2


def test_adaptive_resumes_where_a_fit_was_cut_short(rng):
    """So it does in partial_fit, but not with another learning_rate_init, nor in a fit that follows a converged one."""
    X, y = rng.normal(size=(40, 3)), rng.normal(size=40)
    parameters = {"learning_rate": "adaptive", "tol": 10.0, "n_iter_no_change": 1, "warm_start": True}
    model = MLPRegressor(hidden_layer_sizes=(5,), max_iter=5, **parameters).fit(X, y)
    assert model._state.n_rate_drops == 2
    assert model.partial_fit(X, y)._state.n_rate_drops == 2
    assert model.set_params(max_iter=3).fit(X, y)._state.n_rate_drops > 2
    assert model.set_params(max_iter=1, learning_rate_init=0.1).fit(X, y)._state.n_rate_drops < 2
    ended = MLPRegressor(hidden_layer_sizes=(5,), max_iter=100, **parameters).fit(X, y)
    assert ended.partial_fit(X, y)._state.n_rate_drops == 5
    assert ended.set_params(max_iter=1).fit(X, y)._state.n_rate_drops < 2


def test_each_fit_is_a_cycle_of_its_own(rng):
    """partial_fit instead continues its schedule, and learns nothing after its end."""
    X, y = rng.normal(size=(40, 3)), rng.normal(size=40)
    parameters = {"hidden_layer_sizes": (5,), "learning_rate": "cosine", "max_iter": 4, "random_state": 0}
    whole = MLPRegressor(**parameters).fit(X, y)
    in_parts = MLPRegressor(**parameters).partial_fit(X, y, epochs=4)
    np.testing.assert_array_equal(whole.coefs_[0], in_parts.coefs_[0])
    with pytest.warns(
        UserWarning, match="'cosine' has come to its end after max_iter=4 epochs: nothing more is learnt"
    ):
        np.testing.assert_array_equal(in_parts.partial_fit(X, y).coefs_[0], whole.coefs_[0])
    again = MLPRegressor(**parameters, warm_start=True).fit(X, y)
    assert not np.array_equal(again.fit(X, y).coefs_[0], whole.coefs_[0])


def test_unknown_schedules_are_refused(rng):
    with pytest.raises(ValueError, match=r"'learning_rate' parameter (?=.*'cosine')(?=.*'one_cycle').*Got 'linear'"):
        MLPClassifier(learning_rate="linear").fit(rng.normal(size=(20, 3)), rng.integers(0, 2, 20))
