"""A target for each step, where the last layer gives a sequence."""

import numpy as np
import pytest
import scipy.sparse as sp
from ragged_problems import SETTINGS, STEPS, labels_of, labels_of_steps, sequences
from sklearn.base import clone
from sklearn.metrics import f1_score, r2_score
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score, train_test_split

from fastnn import SequentialClassifier, SequentialRegressor, load, save
from fastnn.data.ragged import as_objects
from fastnn.layers import GRU, Conv1D, Dense, Masking
from fastnn.sequences import make_scorer

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def X(rng):
    return sequences(rng)


@pytest.fixture
def y(X):
    return labels_of_steps(X)


@pytest.fixture(params=STEPS)
def layers(request):
    return STEPS[request.param]


def check_equal(own, other):
    assert len(own) == len(other)
    for one, two in zip(own, other, strict=True):
        np.testing.assert_array_equal(one, two)


def test_results_have_the_form_of_X(X, y, layers):
    model = SequentialClassifier(layers, **SETTINGS).fit(X, y)
    assert model.input_shape_ == (None, 3)
    assert model.n_outputs_ == 1
    predicted, probabilities = model.predict(X), model.predict_proba(X)
    assert isinstance(predicted, list)
    assert [each.shape for each in predicted] == [(len(each),) for each in X]
    assert [each.shape for each in probabilities] == [(len(each), 2) for each in X]
    check_equal(model.predict_log_proba(X), list(map(np.log, probabilities)))
    objects = model.predict(as_objects(X))
    assert (objects.dtype, objects.shape) == (object, (40,))
    check_equal(objects, predicted)
    check_equal(model.predict_log_proba(as_objects(X)), list(map(np.log, probabilities)))
    same = np.stack([each[:7] for each in X])
    assert model.predict(same).shape == (40, 7)
    assert model.predict_proba(same).shape == (40, 7, 2)
    check_equal(model.predict(same), model.predict(list(same)))


def test_files(tmp_path, X, y, layers):
    """The number of outputs is that of a step, also where sequences have one length."""
    same = np.stack([each[:7] for each in X])
    two_columns = [each[:, :2] for each in X]
    for model, samples in (
        (SequentialClassifier(layers, **SETTINGS).fit(X, y), X),
        (SequentialClassifier(layers, **SETTINGS).fit(same, [each[:7] for each in y]), same),
        (SequentialRegressor(layers, **SETTINGS).fit(X, two_columns), X),
    ):
        save(model, tmp_path / "model")
        loaded = load(tmp_path / "model")
        check_equal(loaded.predict(samples), model.predict(samples))


def test_forms_of_targets(X, y, layers):
    model = SequentialClassifier(layers, **SETTINGS).fit(X, y)
    for form in (tuple(y), as_objects(y), [each.tolist() for each in y], [each[:, None] for each in y]):
        check_equal(clone(model).fit(X, form).predict_proba(X), model.predict_proba(X))
    texts = [np.array(["no", "yes"])[each] for each in y]
    named = clone(model).fit(X, texts)
    assert named.classes_.tolist() == ["no", "yes"]
    check_equal(named.predict(X), [np.array(["no", "yes"])[each] for each in model.predict(X)])


def test_scores_are_over_all_steps(X, y, layers):
    model = SequentialClassifier(layers, **{**SETTINGS, "max_iter": 30}).fit(X, y)
    flat, predicted = np.concatenate(y), np.concatenate(model.predict(X))
    assert model.score(X, y) == np.mean(flat == predicted) > 0.8
    weights = np.arange(40.0)
    of_steps = np.repeat(weights, list(map(len, X)))
    expected = np.average(flat == predicted, weights=of_steps)
    assert model.score(X, y, weights) == pytest.approx(expected)
    assert model.score(X, y, np.split(of_steps, np.cumsum(list(map(len, X)))[:-1])) == pytest.approx(expected)
    assert make_scorer("f1_macro")(model, X, y) == f1_score(flat, predicted, average="macro")


def test_arrays(rng):
    X = rng.normal(size=(30, 6, 3))
    y = (X[:, :, 0] > 0).astype(int)
    layers = [Conv1D(8, 1)]
    model = SequentialClassifier(layers, **{**SETTINGS, "max_iter": 40}).fit(X, y)
    assert model.predict(X).shape == (30, 6)
    assert model.predict_proba(X).shape == (30, 6, 2)
    assert model.score(X, y) > 0.85
    for form in (list(y), as_objects(y), y.tolist(), y[..., None]):
        np.testing.assert_array_equal(clone(model).fit(X, form).predict_proba(X), model.predict_proba(X))
    regressor = SequentialRegressor(layers, **{**SETTINGS, "max_iter": 60}).fit(X, X[:, :, :2])
    assert regressor.predict(X).shape == (30, 6, 2)
    expected = r2_score(X[:, :, :2].reshape(-1, 2), regressor.predict(X).reshape(-1, 2))
    assert regressor.score(X, X[:, :, :2]) == pytest.approx(expected)
    assert SequentialRegressor(layers, **SETTINGS).fit(X, X[:, :, 0]).predict(X).shape == (30, 6)


def test_rows_of_a_sparse_matrix(rng):
    """Each is a series, and all have as many steps, so that results are an array."""
    X = np.where(rng.random((30, 5)) > 0.5, rng.normal(size=(30, 5)), 0)
    model = SequentialClassifier([GRU(3, return_sequences=True)], **SETTINGS).fit(X, (X > 0).astype(int))
    predicted = model.predict(sp.csr_array(X))
    assert predicted.shape == X.shape
    check_equal(predicted, model.predict(X))


def test_series_in_tables(rng):
    X = rng.normal(size=(30, 6))
    layers = [Conv1D(8, 1)]
    model = SequentialClassifier(layers, **SETTINGS).fit(X, (X > 0).astype(int))
    assert model.predict(X).shape == (30, 6)
    assert model.n_features_in_ == 6


def test_layers_that_give_fewer_steps(rng):
    layers = [Conv1D(6, 3)]
    X = sequences(rng)
    y = [each[1:-1, 0] for each in X]
    model = SequentialRegressor(layers, **SETTINGS).fit(X, y)
    assert [len(each) for each in model.predict(X)] == [len(each) - 2 for each in X]
    with pytest.raises(ValueError, match=r"y\[0\] must have .* steps, as the network gives for X\[0\], got"):
        model.fit(X, [each[:, 0] for each in X])


def test_columns_and_labels(X, y, layers):
    columns = [np.stack([each, (x[:, 1] > 0) + 5], axis=1) for x, each in zip(X, y, strict=True)]
    model = SequentialClassifier(layers, **SETTINGS)
    labels = [(x[:, :2] > 0).astype(int) for x in X]
    multilabel = clone(model).fit(X, labels)
    assert [each.shape for each in multilabel.predict(X)] == [(len(each), 2) for each in X]
    model.fit(X, [np.stack([each[:, 0], each[:, 1] + (each[:, 0] > 5)], axis=1) for each in columns])
    assert len(model.classes_) == 2
    first, second = model.predict_proba(X)
    assert [each.shape for each in first] == [each.shape for each in second] == [(len(each), 2) for each in X]
    assert 0 <= model.score(X, columns) <= 1


def test_samples_held_out_are_sequences(X, y, layers):
    settings = {**SETTINGS, "early_stopping": True, "validation_fraction": 0.25}
    model = SequentialClassifier(layers, **settings).fit(X, y)
    by_name = clone(model).set_params(scoring="accuracy").fit(X, y)
    assert by_name.validation_scores_ == model.validation_scores_
    by_scorer = clone(model).set_params(scoring=make_scorer("accuracy")).fit(X, y)
    assert by_scorer.validation_scores_ == model.validation_scores_
    probabilities = clone(model).set_params(scoring="neg_log_loss").fit(X, y)
    np.testing.assert_allclose(
        probabilities.validation_scores_, -np.array(probabilities.validation_loss_curve_), rtol=1e-4
    )
    watched = clone(model).set_params(early_stopping=False).fit(X, y, X_val=X[:9], y_val=y[:9])
    assert watched.validation_scores_[-1] == watched.score(X[:9], y[:9])


def test_the_loss_is_the_mean_over_steps(X, y, layers):
    settings = {**SETTINGS, "max_iter": 1, "learning_rate_init": 1e-30, "alpha": 0, "batch_size": 40}
    model = SequentialClassifier(layers, **settings).fit(X, y, X_val=X, y_val=y)
    probabilities = np.concatenate(model.predict_proba(X))
    losses = -np.log(probabilities[np.arange(len(probabilities)), np.concatenate(y)])
    assert model.loss_curve_[0] == pytest.approx(losses.mean(), rel=1e-5)
    assert model.validation_loss_curve_[0] == pytest.approx(losses.mean(), rel=1e-5)


def test_weights_of_sequences_and_of_steps(X, y, layers):
    settings = {**SETTINGS, "shuffle": False}
    model = SequentialClassifier(layers, **settings)
    weights = np.random.default_rng(1).uniform(0.5, 2, 40)
    of_sequences = clone(model).fit(X, y, weights).predict_proba(X)
    of_steps = [np.full(len(each), weight) for each, weight in zip(X, weights, strict=True)]
    check_equal(clone(model).fit(X, y, of_steps).predict_proba(X), of_sequences)
    assert np.concatenate(of_sequences).tobytes() != np.concatenate(clone(model).fit(X, y).predict_proba(X)).tobytes()
    by_class = clone(model).set_params(class_weight={0: 1.0, 1: 3.0}).fit(X, y).predict_proba(X)
    by_hand = clone(model).fit(X, y, [1.0 + 2.0 * each for each in y]).predict_proba(X)
    check_equal(by_class, by_hand)
    balanced = clone(model).set_params(class_weight="balanced").fit(X, y)
    flat = np.concatenate(y)
    weight = len(flat) / (2 * np.bincount(flat))
    check_equal(balanced.predict_proba(X), clone(model).fit(X, y, [weight[each] for each in y]).predict_proba(X))


def test_targets_of_steps_that_are_left_out_are_ignored(X, y):
    layers = STEPS["masking"]
    model = SequentialClassifier(layers, **SETTINGS).fit(X, y)
    padded, labels = np.full((40, 14, 3), 99.0), np.zeros((40, 14), int)
    for row, targets, each, own in zip(padded, labels, X, y, strict=True):
        row[: len(each)], targets[: len(each)] = each, own
    other = clone(model).fit(padded, labels)
    check_equal(other.predict_proba(X), model.predict_proba(X))
    predicted = other.predict(padded)  # for the steps that are there
    assert (predicted.dtype, predicted.shape) == (object, (40,))
    check_equal(predicted, model.predict(X))
    assert other.score(padded, labels) == model.score(X, y)
    weights = np.ones((40, 14))
    check_equal(clone(model).fit(padded, labels, weights).predict_proba(X), model.predict_proba(X))


def test_training_that_continues(X, y, layers):
    model = SequentialClassifier(layers, **{**SETTINGS, "max_iter": 2}, warm_start=True).fit(X, y).fit(X, y)
    assert len(model.loss_curve_) == 4
    partial = SequentialClassifier(layers, **SETTINGS)
    for _ in range(2):
        partial.partial_fit(X, y, classes=[0, 1])
    assert [each.shape for each in partial.predict(X)] == [each.shape for each in y]


def test_searches_and_splits(X, y):
    layers = [Masking(99.0), Dense(4)]
    model = SequentialClassifier(layers, **SETTINGS)
    train, test, of_train, of_test = train_test_split(X, y, random_state=0)
    assert 0 <= clone(model).fit(train, of_train).score(test, of_test) <= 1
    assert cross_val_score(model, X, y, cv=3).shape == (3,)
    assert cross_val_score(model, X, y, cv=3, scoring=make_scorer("f1_macro")).shape == (3,)
    predicted = cross_val_predict(model, as_objects(X), as_objects(y), cv=3)
    assert [each.shape for each in predicted] == [each.shape for each in y]
    search = GridSearchCV(model, {"layers__1__units": [2, 3]}, cv=3, scoring=make_scorer("accuracy")).fit(X, y)
    assert search.score(X, y) == search.best_estimator_.score(X, y)


def test_regressors(X):
    layers = [Masking(99.0), Dense(16)]
    y = [each[:, :2] ** 2 for each in X]
    settings = {**SETTINGS, "max_iter": 40}
    model = SequentialRegressor(layers, **settings).fit(X, y)
    assert model.score(X, y) == pytest.approx(r2_score(np.concatenate(y), np.concatenate(model.predict(X))))
    quantiles = SequentialRegressor(layers, loss="quantile", quantile=[0.1, 0.9], **SETTINGS)
    quantiles.fit(X, [each[:, 0] for each in X])
    assert [each.shape for each in quantiles.predict(X)] == [(len(each), 2) for each in X]
    assert np.isfinite(quantiles.score(X, [each[:, 0] for each in X]))
    lbfgs = SequentialRegressor(layers, solver="lbfgs", max_iter=100, random_state=0).fit(X, y)
    assert lbfgs.score(X, y) > 0.5


def test_targets_of_all_sequences_in_one_array(X, y):
    message = "y must have a target for each step, got those of all sequences in one array: pass a list with an array"
    with pytest.raises(ValueError, match=message):
        SequentialClassifier(STEPS["rnn"], **SETTINGS).fit(X, np.concatenate(y))


def test_what_is_refused(X, y):
    model = SequentialClassifier(STEPS["masking"], **SETTINGS)
    for targets, message in (
        (labels_of(X), "y must have a target for each step, got one for each sample: the last layer gives a sequence"),
        (y[:-1], "y must have 40 sequences, as X has, got 39"),
        ([each[:-1] for each in y], r"y\[0\] must have .* steps, as there are in X\[0\], got"),
        (None, "requires y to be passed"),
    ):
        with pytest.raises(ValueError, match=message):
            clone(model).fit(X, targets)
    with pytest.raises(ValueError, match=r"y_val must have 9 sequences, as X_val has, got 8"):
        model.fit(X, y, X_val=X[:9], y_val=y[:8])
    with pytest.raises(ValueError, match="sample_weight must have 40 weights, got 3"):
        model.fit(X, y, [1, 2, 3])


def test_advice_for_recurrent_layers(X):
    with pytest.raises(ValueError, match=r"set return_sequences=False on layers\[0\], or add GlobalMaxPooling1D\(\)"):
        SequentialClassifier([GRU(3, return_sequences=True)]).fit(X, labels_of(X))
