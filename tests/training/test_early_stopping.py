"""Early stopping: the samples held out, their scores, the end of a fit, and the epoch whose weights are kept."""

import numpy as np
import pytest
from sklearn.metrics import f1_score, log_loss, make_scorer
from sklearn.model_selection import train_test_split

from fastnn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N = 200


@pytest.fixture
def data(rng):
    X = rng.normal(size=(N, 5))
    return X, (X @ rng.normal(size=(5, 3)) + rng.normal(size=(N, 3))).argmax(axis=1)


def classifier(**parameters):
    return MLPClassifier(**{"hidden_layer_sizes": (20,), "learning_rate_init": 0.02, "random_state": 0} | parameters)


def test_the_best_epochs_weights_are_kept(data):
    X, y = data
    model = classifier(early_stopping=True, max_iter=60, n_iter_no_change=5).fit(X, y)
    assert model.best_epoch_ == np.argmax(model.validation_scores_) + 1 < model.n_iter_ < 60
    assert model.best_validation_score_ == max(model.validation_scores_)
    assert len(model.validation_loss_curve_) == len(model.loss_curve_) == model.n_iter_
    best = classifier(early_stopping=True, max_iter=model.best_epoch_).fit(X, y)
    for array, its in zip(model.coefs_, best.coefs_, strict=True):
        np.testing.assert_array_equal(array, its)


def test_what_is_held_out_is_not_trained_on(data):
    """The samples of scikit-learn's split are held out: wrong labels of theirs change no weight."""
    X, y = data
    model = classifier(early_stopping=True, max_iter=1, validation_fraction=0.3).fit(X, y)
    numbers = np.random.RandomState(0)
    for fan_in, fan_out in ((5, 20), (20, 3)):
        numbers.uniform(size=(fan_in, fan_out)), numbers.uniform(size=fan_out)
    _, held_out = train_test_split(np.arange(N), test_size=0.3, random_state=numbers)
    changed = y.copy()
    changed[held_out] = (y[held_out] + 1) % 3
    other = classifier(early_stopping=True, max_iter=1, validation_fraction=0.3).fit(X, changed)
    np.testing.assert_array_equal(model.coefs_[0], other.coefs_[0])
    assert model.validation_scores_ != other.validation_scores_
    assert model.validation_scores_ == [model.score(X[held_out], y[held_out])]
    assert model.t_ == N - len(held_out)


@pytest.mark.parametrize("early_stopping", [False, True])
def test_samples_of_ones_own(early_stopping, data):
    X, y = data
    X_val, y_val = X[150:], y[150:]
    weights = np.linspace(0.1, 2, 50)
    model = classifier(early_stopping=early_stopping, max_iter=30, n_iter_no_change=100)
    model.fit(X[:150], y[:150], X_val=X_val, y_val=y_val, sample_weight_val=weights)
    assert model.t_ == 30 * 150
    assert model.best_epoch_ == np.argmax(model.validation_scores_) + 1
    kept = model.best_epoch_ if early_stopping else 30
    assert model.score(X_val, y_val, weights) == model.validation_scores_[kept - 1]
    loss = log_loss(y_val, model.predict_proba(X_val), sample_weight=weights)
    assert model.validation_loss_curve_[kept - 1] == pytest.approx(loss)
    plain = classifier(max_iter=kept).fit(X[:150], y[:150])
    np.testing.assert_array_equal(model.coefs_[0], plain.coefs_[0])  # the samples held out were only watched
    assert (model.best_loss_ is None) == early_stopping


@pytest.mark.parametrize(
    ("scoring", "score"),
    [
        ("f1_macro", lambda model, X, y: f1_score(y, model.predict(X), average="macro")),
        ("neg_log_loss", lambda model, X, y: -log_loss(y, model.predict_proba(X))),
        (make_scorer(f1_score, average="micro"), lambda model, X, y: f1_score(y, model.predict(X), average="micro")),
        (lambda model, X, y: -np.abs(model.coefs_[0]).sum(), lambda model, X, y: -np.abs(model.coefs_[0]).sum()),
        ("loss", lambda model, X, y: -log_loss(y, model.predict_proba(X))),
    ],
    ids=["name", "of probabilities", "scorer", "function", "loss"],
)
def test_scoring(scoring, score, data):
    X, y = data
    model = classifier(early_stopping=True, scoring=scoring, max_iter=12, n_iter_no_change=50)
    model.fit(X[:150], y[:150], X_val=X[150:], y_val=y[150:])
    assert max(model.validation_scores_) == pytest.approx(score(model, X[150:], y[150:]))
    if scoring == "loss":
        assert model.validation_scores_ == [-loss for loss in model.validation_loss_curve_]
    with pytest.raises(ValueError, match="'not a score' is not a valid scoring value"):
        classifier(early_stopping=True, scoring="not a score").fit(X, y)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_regression(solver, rng):
    X = rng.normal(size=(N, 3))
    y = X[:, 0] + 2 * rng.normal(size=N)
    model = MLPRegressor(hidden_layer_sizes=(50,), solver=solver, early_stopping=True, random_state=0, alpha=0)
    model.set_params(learning_rate_init=0.02, max_iter=300, n_iter_no_change=5).fit(X, y)
    assert model.n_iter_ < 300
    assert (
        model.best_validation_score_ == max(model.validation_scores_) == model.validation_scores_[model.best_epoch_ - 1]
    )
    assert len(model.validation_scores_) == model.n_iter_ == len(model.loss_curve_)


def test_a_class_of_one_sample(data):
    X, y = data
    y = (np.arange(N) == 7).astype(int)
    with pytest.warns(UserWarning, match="A class of y has a single sample: .* not stratified"):
        classifier(early_stopping=True, max_iter=2).fit(X, y)


def test_partial_fit_holds_out_nothing(data):
    X, y = data
    stopping, plain = (classifier(early_stopping=es).partial_fit(X, y, classes=[0, 1, 2]) for es in (True, False))
    np.testing.assert_array_equal(stopping.coefs_[0], plain.coefs_[0])
    assert stopping.t_ == N
    assert stopping.validation_scores_ is None


def test_without_validation_the_best_epoch_is_the_one_of_the_lowest_loss(data):
    model = classifier(max_iter=20, learning_rate_init=0.5).fit(*data)
    assert model.best_epoch_ == np.argmin(model.loss_curve_) + 1
    assert model.best_loss_ == min(model.loss_curve_)


def test_the_best_epochs_place_in_the_curves(data):
    """It is right whether or not samples were held out before."""
    X, y = data
    model = classifier(early_stopping=True, max_iter=60, n_iter_no_change=5).fit(X, y)
    best = model.best_epoch_
    model.partial_fit(X, y)
    assert model.best_epoch_ == best
    assert np.isnan(model.validation_scores_[-1])
    model = classifier(warm_start=True, max_iter=9).fit(X, y)
    assert model.best_epoch_ > 0
    model.set_params(early_stopping=True).fit(X, y)
    assert model.best_epoch_ > 9
    assert model.set_params(early_stopping=False).fit(X, y).n_iter_ == 9
    for curve in (model.validation_scores_, model.validation_loss_curve_):
        assert len(curve) == len(model.loss_curve_)
        np.testing.assert_array_equal(np.isnan(curve), np.repeat([True, False, True], 9))
    assert model.validation_scores_[model.best_epoch_ - 1] == model.best_validation_score_
    assert model.best_validation_score_ == np.nanmax(model.validation_scores_)


def test_too_few_samples_to_hold_out(data):
    X, _ = data
    with pytest.raises(ValueError, match="validation_fraction must hold out at least 2 samples, got"):
        classifier(early_stopping=True, validation_fraction=0.1).fit(X[:8], [0, 1, 2, 0, 1, 2, 0, 1])


def test_infinite_predictions_have_a_score_of_nan(rng):
    """That is the estimator's own score; a scorer of the user's raises its own error."""
    X, y = rng.normal(size=(N, 5)), rng.poisson(2, N) * 1.0
    model = MLPRegressor("poisson", (10,), max_iter=3, random_state=0)
    model.fit(X, y, X_val=6000 * X, y_val=y)
    np.testing.assert_array_equal(model.validation_scores_, [np.nan] * 3)
    np.testing.assert_array_equal(model.coefs_[0], model.fit(X, y).coefs_[0])
    with pytest.warns(UserWarning, match="The score of epoch 1 is nan"):
        model.set_params(early_stopping=True).fit(X, y, X_val=6000 * X, y_val=y)
    with pytest.raises(ValueError, match="contains infinity"):
        model.set_params(scoring="r2").fit(X, y, X_val=6000 * X, y_val=y)


def test_a_score_of_nan_is_no_improvement(data):
    X, y = data
    with pytest.warns(UserWarning, match="The score of epoch 1 is nan and does not count as an improvement") as caught:
        model = classifier(early_stopping=True, scoring=lambda *_: np.nan, n_iter_no_change=3).fit(X, y)
    assert len(caught) == 1
    assert model.n_iter_ == 4
    assert np.isfinite(model.coefs_[0]).all()
