"""The grid: solvers, schedules, early stopping, sample weights, penalties and targets, against scikit-learn.

Fresh fits of 20 epochs on float64 data: the losses, scores and weights to a relative 1e-6.
"""

import itertools

import numpy as np
import pytest
from older import networks_take_weights, scikit_learns_regressor
from sklearn.neural_network import MLPClassifier as SklearnMLPClassifier

from fastnn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N_SAMPLES, N_FEATURES = 150, 6

SOLVERS = {
    "plain sgd": {"solver": "sgd", "momentum": 0},
    "momentum": {"solver": "sgd", "nesterovs_momentum": False},
    "nesterov": {"solver": "sgd"},
    "invscaling": {"solver": "sgd", "learning_rate": "invscaling", "power_t": 0.2},
    # Whose rate falls in these 20 epochs: test_the_grid_drops_rates sees to that.
    "adaptive": {"solver": "sgd", "learning_rate": "adaptive", "n_iter_no_change": 2, "tol": 0.3},
    "adam": {"solver": "adam"},
}
TARGETS = ("binary", "multiclass", "multilabel", "squared_error", "poisson", "poisson, 2 columns")


def problem(target):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(N_SAMPLES, N_FEATURES))
    scores = X @ rng.normal(size=(N_FEATURES, 3)) + 0.5 * rng.normal(size=(N_SAMPLES, 3))
    weights = rng.random(N_SAMPLES) + 0.1
    y = {
        "binary": scores[:, 0] > 0,
        "multiclass": scores.argmax(axis=1),
        "multilabel": (scores > 0.5).astype(int),
        "squared_error": scores[:, 0],
        "poisson": np.abs(scores[:, 0]).round(),
        "poisson, 2 columns": np.abs(scores[:, :2]).round(),
    }[target]
    return X, y, weights


def both(target, **parameters):
    parameters = {
        "hidden_layer_sizes": (9, 7),
        "learning_rate_init": 0.02,
        "batch_size": 32,
        "max_iter": 20,
        "random_state": 3,
    } | parameters
    if target in ("binary", "multiclass", "multilabel"):
        return MLPClassifier(**parameters), SklearnMLPClassifier(**parameters)
    loss = target.split(",")[0]
    return MLPRegressor(loss, **parameters), scikit_learns_regressor(loss, **parameters)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("solver", SOLVERS)
def test_grid(solver, target):
    X, y, weights = problem(target)
    some_weights = [None, weights] if networks_take_weights else [None]
    grid = itertools.product(["identity", "logistic", "tanh", "relu"], [False, True], some_weights, [0.0, 0.1])
    for activation, early_stopping, sample_weight, alpha in grid:
        case = activation, early_stopping, sample_weight is not None, alpha
        parameters = {"activation": activation, "early_stopping": early_stopping, "alpha": alpha, **SOLVERS[solver]}
        ours, theirs = both(target, **parameters)
        ours.fit(X, y, sample_weight=sample_weight)
        theirs.fit(X, y, **({} if sample_weight is None else {"sample_weight": sample_weight}))
        for name in ("n_iter_", "t_", "n_outputs_", "out_activation_", "n_layers_", "n_features_in_"):
            assert getattr(ours, name) == getattr(theirs, name), (*case, name)
        np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-6, err_msg=str(case))
        for one, other in zip(ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6 * np.abs(other).max(), err_msg=str(case))
        np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-6, atol=1e-9)
        if early_stopping:
            np.testing.assert_allclose(ours.validation_scores_, theirs.validation_scores_, rtol=1e-6, atol=1e-9)
            assert ours.best_validation_score_ == max(ours.validation_scores_)
            assert ours.best_loss_ is theirs.best_loss_ is None
        else:
            assert ours.validation_scores_ is theirs.validation_scores_ is None
            assert ours.best_loss_ == pytest.approx(theirs.best_loss_, rel=1e-6)


@pytest.mark.parametrize("target", TARGETS)
def test_the_grid_drops_rates(target):
    X, y, _ = problem(target)
    model = both(target, **SOLVERS["adaptive"])[0].fit(X, y)
    assert model._state.n_rate_drops > 0


def test_multi_output_squared_error_is_half_the_mean_and_so_is_its_gradient():
    """scikit-learn's gradient is that of the sum, so two columns take its steps with the rate divided by two."""
    X, y, _ = problem("poisson, 2 columns")
    parameters = {"solver": "sgd", "momentum": 0, "alpha": 0.0}
    ours, theirs = (
        both("squared_error", **parameters, learning_rate_init=0.02)[0],
        both("squared_error", **parameters)[1],
    )
    theirs.set_params(learning_rate_init=0.01).fit(X, y)
    ours.fit(X, y)
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-6)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-6, atol=1e-9)
