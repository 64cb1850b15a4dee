"""The solver lbfgs: scikit-learn's numbers, the network's type, and all else that a fit has."""

import numpy as np
import pytest
import scipy.sparse as sp
from older import networks_take_weights, scikit_learns_regressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier as SklearnMLPClassifier

from fastnn import MLPClassifier, MLPRegressor

ignore_convergence = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
N = 300  # more than one batch of the gradient's sum


@pytest.fixture
def X(rng):
    return rng.normal(size=(N, 4))


def target(X, rng, kind):
    scores = X @ rng.normal(size=(4, 3)) + 0.5 * rng.normal(size=(N, 3))
    return {
        "binary": scores[:, 0] > 0,
        "multiclass": scores.argmax(axis=1),
        "multilabel": (scores > 0).astype(int),
        "squared_error": scores[:, 0],
        "poisson": np.abs(scores[:, 0]).round(),
    }[kind]


@ignore_convergence
@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel", "squared_error", "poisson"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("alpha", [0.0, 0.5])
def test_scikit_learns_numbers(kind, weighted, alpha, X, rng):
    if weighted and not networks_take_weights:
        pytest.skip("this scikit-learn's networks take no weights")
    y, weights = target(X, rng, kind), [rng.random(N)] if weighted else []
    parameters = {"solver": "lbfgs", "hidden_layer_sizes": (6,), "alpha": alpha, "max_iter": 15, "random_state": 0}
    if kind in ("squared_error", "poisson"):
        ours, theirs = MLPRegressor(kind, **parameters), scikit_learns_regressor(kind, **parameters)
    else:
        ours, theirs = MLPClassifier(**parameters), SklearnMLPClassifier(**parameters)
    ours.fit(X, y, *weights), theirs.fit(X, y, *weights)
    assert (ours.n_iter_, ours.t_) == (theirs.n_iter_, theirs.t_)
    assert ours.loss_ == pytest.approx(theirs.loss_, rel=1e-6)
    for one, other in zip(ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6 * np.abs(other).max())


@ignore_convergence
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_its_own_type(dtype, X, rng):
    y = target(X, rng, "squared_error")
    model = MLPRegressor(solver="lbfgs", hidden_layer_sizes=(20,), max_iter=500, random_state=0, alpha=0.1)
    model.fit(X.astype(dtype), y.astype(dtype))
    assert model.coefs_[0].dtype == model.predict(X.astype(dtype)).dtype == dtype
    assert model.score(X, y) > 0.9


@ignore_convergence
def test_what_it_records(X, rng, capsys):
    y = target(X, rng, "multiclass")
    model = MLPClassifier((6,), solver="lbfgs", max_iter=7, verbose=1, random_state=0).fit(X, y)
    assert len(model.loss_curve_) == model.n_iter_ == 7
    assert model.loss_curve_ == sorted(model.loss_curve_, reverse=True)
    assert model.loss_ == model.best_loss_ == model.loss_curve_[-1]
    assert model.best_epoch_ == 7
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"Iteration {i}, loss = {loss:.8f}" for i, loss in enumerate(model.loss_curve_, start=1)]


@ignore_convergence
def test_any_number_of_threads_and_sparse(X, rng):
    X, y = np.where(X > 0, X, 0), target(X, rng, "multiclass")
    parameters = {"hidden_layer_sizes": (150, 90), "solver": "lbfgs", "max_iter": 4, "random_state": 0}
    alone = MLPClassifier(**parameters, n_threads=1).fit(X, y)
    for model in (
        MLPClassifier(**parameters, n_threads=3).fit(X, y),
        MLPClassifier(**parameters).fit(sp.csr_array(X), y),
    ):
        np.testing.assert_array_equal(model.coefs_[0], alone.coefs_[0])


@ignore_convergence
def test_warm_start_resumes_from_the_weights(X, rng):
    y = target(X, rng, "multiclass")
    model = MLPClassifier((6,), solver="lbfgs", max_iter=5, warm_start=True, random_state=0).fit(X, y)
    losses = model.loss_curve_
    model.fit(X, y)
    assert model.loss_curve_[:5] == losses
    assert model.loss_curve_[5] < losses[-1]
    model.set_params(solver="adam", max_iter=2).fit(X, y)
    assert len(model.loss_curve_) == 12


def test_how_it_ends(X, rng):
    y = target(X, rng, "multiclass")
    with pytest.warns(ConvergenceWarning, match="lbfgs failed to converge after 3 iterations"):
        MLPClassifier((6,), solver="lbfgs", max_iter=3).fit(X, y)
    with pytest.warns(ConvergenceWarning, match="lbfgs failed to converge"):
        MLPClassifier((6,), solver="lbfgs", max_fun=4).fit(X, y)
    model = MLPClassifier((), solver="lbfgs", alpha=1.0, max_iter=1000).fit(X, y)  # convex: lbfgs converges
    assert model.n_iter_ < 1000


def test_what_is_not_for_it(X, rng):
    y = target(X, rng, "multiclass")
    assert not hasattr(MLPClassifier(solver="lbfgs"), "partial_fit")
    assert not hasattr(MLPRegressor(solver="lbfgs"), "partial_fit")
    for parameters in ({"dropout": 0.5}, {"clip_norm": 1.0}, {"weight_decay": 0.1}):
        with pytest.raises(ValueError, match=f"{next(iter(parameters))} must be (0|None) with solver='lbfgs', got"):
            MLPClassifier(solver="lbfgs", **parameters).fit(X, y)


def test_samples_too_large(X, rng):
    with pytest.raises(ValueError, match="Scale the input"):
        MLPRegressor(solver="lbfgs", hidden_layer_sizes=(4,)).fit(1e200 * X, target(X, rng, "squared_error"))


def test_no_step_at_all(X):
    """The initial weights are a minimum; the loss is known nevertheless."""
    stuck = MLPRegressor(hidden_layer_sizes=(3,), solver="lbfgs", random_state=0, tol=1e9).fit(X, np.zeros(len(X)))
    assert stuck.loss_curve_ == [] and stuck.n_iter_ == 0
    assert 0 < stuck.loss_ == stuck.best_loss_ < 10


def test_what_a_callback_raises_is_the_users(X):
    """StopIteration has a meaning of its own to SciPy."""

    def callback(model):
        raise StopIteration("enough")

    with pytest.raises(StopIteration, match="enough"):
        MLPRegressor(hidden_layer_sizes=(3,), solver="lbfgs", callback=callback).fit(X, X[:, 0])
