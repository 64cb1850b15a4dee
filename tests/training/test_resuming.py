"""Training that resumes with other parameters: from which weights, and what counts as the best epoch."""

import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier as SklearnMLPClassifier

from fastnn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def data(rng):
    X = rng.normal(size=(200, 5))
    return X, (X @ rng.normal(size=(5, 3)) + rng.normal(size=(200, 3))).argmax(axis=1)


def classifier(**parameters):
    return MLPClassifier(
        **{"hidden_layer_sizes": (6,), "warm_start": True, "random_state": 0, "max_iter": 5} | parameters
    )


def test_a_fit_that_is_not_judged_is_not_thrown_away(data):
    X, y = data
    model = classifier(early_stopping=True).fit(X, y)
    model.set_params(early_stopping=False, max_iter=100).fit(X, y)
    reached = model.loss_
    model.set_params(max_iter=1).fit(X, y)
    assert model.loss_ == pytest.approx(reached, rel=0.05)


def test_training_resumes_from_weights_that_were_set(data):
    X, y = data
    model = classifier(early_stopping=True).fit(X, y)
    model.coefs_ = [np.zeros_like(W) for W in model.coefs_]
    model.set_params(solver="sgd", learning_rate_init=1e-9).partial_fit(X, y)
    assert abs(model.coefs_[0]).max() < 1e-6


def test_partial_fit_resumes_from_the_model_as_it_is(data):
    """The model has the best epoch's weights after early stopping, with warm_start or without."""
    X, y = data
    cold, warm = (
        classifier(early_stopping=True, max_iter=60, n_iter_no_change=5, learning_rate_init=0.02, warm_start=warm)
        for warm in (False, True)
    )
    cold.fit(X, y), warm.fit(X, y)
    assert warm.best_epoch_ < warm.n_iter_
    for model in (cold, warm):
        before = model.coefs_[0]
        model.set_params(learning_rate_init=1e-12, shuffle=False).partial_fit(X, y)
        np.testing.assert_allclose(model.coefs_[0], before, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(warm.coefs_[0], cold.coefs_[0])


@pytest.mark.parametrize("first", [{}, {"early_stopping": True, "warm_start": False}])
def test_early_stopping_keeps_the_best_of_what_it_kept(first, data):
    """An epoch whose weights were dropped is not the best one."""
    X, y = data
    validation = {"X_val": X, "y_val": y}
    model = classifier(**{"max_iter": 60, "learning_rate_init": 0.02, **first}).fit(X, y, **validation)
    model.set_params(solver="sgd", learning_rate_init=2.0, early_stopping=True, warm_start=True, max_iter=5)
    model.fit(X, y, **validation)
    assert model.best_validation_score_ == max(model.validation_scores_[-model.n_iter_ :]) == model.score(X, y)


def test_another_score_is_another_best(data):
    X, y = data
    model = classifier(early_stopping=True, max_iter=30).fit(X, y)
    model.set_params(scoring="loss").fit(X, y)
    assert model.n_iter_ > 1
    assert model.best_validation_score_ == max(model.validation_scores_[30:]) < 0


def test_another_fraction_is_another_split(data):
    X, y = data
    model = classifier(early_stopping=True, validation_fraction=0.1).fit(X, y)
    assert model.t_ == 5 * 180
    model.set_params(validation_fraction=0.5).fit(X, y)
    assert model.t_ == 5 * 180 + 5 * 100


def test_lbfgs_has_no_rate_to_lower(data):
    X, y = data
    ends = [
        classifier(solver="lbfgs", early_stopping=True, learning_rate=rate, max_iter=500, n_iter_no_change=3)
        .fit(X, y)
        .n_iter_
        for rate in ("constant", "adaptive")
    ]
    assert ends[0] == ends[1]


def test_weights_of_nothing_held_out(data):
    X, y = data
    with pytest.raises(ValueError, match=r"weights of the samples held out must add up to .*, got 0"):
        classifier(class_weight={0: 0}).fit(X, y, X_val=X[y == 0], y_val=y[y == 0])


@pytest.mark.parametrize("scoring", [lambda model, X, y: model.score(X, y), "neg_max_error"], ids=["function", "name"])
def test_scorers_without_weights(scoring, data):
    X, y = data
    model = MLPRegressor(hidden_layer_sizes=(5,), early_stopping=True, max_iter=3, scoring=scoring)
    model.fit(X, y.astype(float), sample_weight=np.ones(len(y)))
    assert len(model.validation_scores_) == 3


def test_a_numpy_true_stops_the_fit(data):
    assert classifier(callback=lambda model: np.True_).fit(*data).n_iter_ == 1


def test_the_form_of_classes_decides_what_a_part_of_y_is(data):
    X, y = data
    classes = [[0, 1, 2], [0, 1, 2]]
    part = np.flatnonzero(y < 2)[:20]
    model = MLPClassifier((5,)).partial_fit(X[part], np.c_[y, y][part], classes=classes)
    assert [list(column) for column in model.classes_] == classes
    with pytest.raises(ValueError, match="classes must be a list of 2, the classes of each column of y"):
        MLPClassifier((5,)).partial_fit(X, np.c_[y, y], classes=[0, 1, 2])
    with pytest.raises(ValueError, match=r"classes must hold at least 1 class, got \[\]"):
        MLPClassifier((5,)).partial_fit(X, y, classes=[])


def test_from_an_early_stopped_scikit_learn_model(data):
    X, y = data
    fitted = SklearnMLPClassifier((5,), early_stopping=True, max_iter=5, random_state=0).fit(X, y)
    model = MLPClassifier.from_sklearn(fitted)
    assert model.validation_scores_ == fitted.validation_scores_
    assert model.best_validation_score_ == fitted.best_validation_score_
    assert model.loss_ == fitted.loss_
    again = MLPClassifier.from_sklearn(model.to_sklearn())
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    plain = MLPClassifier.from_sklearn(SklearnMLPClassifier((5,), max_iter=5, random_state=0).fit(X, y))
    assert plain.best_loss_ == min(plain.loss_curve_)


def test_classes_out_of_order_are_refused(data):
    X, y = data
    model = MLPClassifier((5,), max_iter=2).fit(X, y)
    with pytest.raises(ValueError, match="classes must be sorted"):
        MLPClassifier.from_weights(model.coefs_, model.intercepts_, classes=["c", "b", "a"])


def test_negative_class_weights_are_refused(data):
    with pytest.raises(ValueError, match=r"class_weight\[.*\] must be finite and at least 0, got"):
        classifier(class_weight={0: -1}).fit(*data)


def test_a_list_of_one_activation_starts_alike(data):
    X, y = data
    one, other = (classifier(activation=activation).fit(X, y) for activation in ("logistic", ["logistic"]))
    np.testing.assert_array_equal(one.coefs_[0], other.coefs_[0])


@pytest.mark.parametrize("columns", [1, 3])
def test_warm_start_with_another_number_of_columns(columns, rng):
    X, y = rng.normal(size=(40, 3)), rng.integers(0, 3, (40, 2))
    other = y[:, 0] if columns == 1 else rng.integers(0, 3, (40, 3))
    model = MLPClassifier((4,), max_iter=2, warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match="2 columns"):
        model.fit(X, other)
    model = MLPClassifier((4,), max_iter=2, warm_start=True).fit(X, y[:, 0])
    with pytest.raises(ValueError, match="one column"):
        model.fit(X, y)


def test_scores_on_other_samples_do_not_compare(rng):
    X = rng.normal(size=(400, 4))
    y, opposite = (X[:, 0] > 0).astype(int), (X[:, 0] < 0).astype(int)
    noisy = np.where(rng.random(400) < 0.25, 1 - opposite, opposite)
    model = classifier(early_stopping=True, max_iter=100, n_iter_no_change=30, learning_rate_init=0.02)
    model.fit(X, y, X_val=X, y_val=y)
    assert model.best_validation_score_ > 0.95
    model.fit(X, noisy, X_val=X, y_val=noisy)
    assert model.score(X, noisy) == model.best_validation_score_ > 0.7


def test_the_same_samples_do_not_judge_anew(data):
    X, y = data
    model = classifier(early_stopping=True, max_iter=20).fit(X, y, X_val=X, y_val=y)
    whole = classifier(early_stopping=True, max_iter=40).fit(X, y, X_val=X, y_val=y)
    model.fit(X, y, X_val=X, y_val=y)
    assert model.validation_scores_ == whole.validation_scores_
    assert model.best_epoch_ == whole.best_epoch_
    np.testing.assert_array_equal(model.coefs_[0], whole.coefs_[0])


def test_the_best_score_stays_beside_the_scores(data):
    X, y = data
    model = classifier(early_stopping=True).fit(X, y)
    model.set_params(early_stopping=False).fit(X, y)
    assert model.best_validation_score_ == max(model.validation_scores_)


GENERATORS = {"global": lambda: None, "the user's": lambda: np.random.RandomState(3), "its own": lambda: 3}


@pytest.mark.parametrize("make", GENERATORS.values(), ids=GENERATORS)
@pytest.mark.parametrize("method", ["partial_fit", "fit"])
def test_a_failed_call_repeats_only_its_own_random_numbers(method, make, data):
    """After a call that fails, a generator of the user's is not set back: others may have drawn from it meanwhile."""
    given = make()
    model = classifier(random_state=given).fit(*data)
    used = np.random.mtrand._rand if given is None else given if isinstance(given, np.random.RandomState) else None
    assert (model._state.random_state is used) == (used is not None)
    drawn = []

    def fail(model):
        drawn.append(model._state.random_state.randint(2**31 - 1, size=4).tolist())
        raise KeyError

    model.set_params(callback=fail)
    for _ in range(2):
        with pytest.raises(KeyError):
            getattr(model, method)(*data)
    assert (drawn[0] == drawn[1]) == (used is None)
