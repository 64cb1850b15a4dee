"""Sequences that differ in their lengths, as X of networks of layers: one target for each."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from ragged_problems import SETTINGS, VECTORS, labels_of, sequences
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastnn import SequentialClassifier, SequentialRegressor, load, save
from fastnn.data.ragged import Sequences, as_objects
from fastnn.layers import (
    GRU,
    Conv1D,
    Conv2D,
    Dense,
    Embedding,
    Flatten,
    GlobalAveragePooling1D,
    GlobalMaxPooling1D,
    Masking,
    Reshape,
    SimpleRNN,
)
from fastnn.sequences import PerStep, from_padded

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def X(rng):
    return sequences(rng)


@pytest.fixture
def y(X):
    return labels_of(X)


def bits(model, X):
    outputs = model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X)
    return np.asarray(outputs).tobytes()


@pytest.fixture(params=VECTORS)
def layers(request):
    return VECTORS[request.param]


def test_all_forms_are_the_same(X, y, layers):
    model = SequentialClassifier(layers, **SETTINGS).fit(X, y)
    assert model.input_shape_ == (None, 3)
    assert not hasattr(model, "n_features_in_")
    for form in (tuple(X), as_objects(X), [each.tolist() for each in X], [each.copy(order="F") for each in X]):
        assert bits(model, form) == bits(model, X)
        assert bits(clone(model).fit(form, y), X) == bits(model, X)
    assert model.predict(X).shape == (40,)
    assert model.predict_proba(X).shape == (40, 2)
    assert model.score(X, y) == np.mean(model.predict(X) == y)
    assert bits(pickle.loads(pickle.dumps(model)), X) == bits(model, X)


def test_a_sequence_is_predicted_alone(X, y, layers):
    model = SequentialClassifier(layers, **SETTINGS).fit(X, y)
    expected = model.predict_proba(X)
    order = np.random.default_rng(0).permutation(40)
    assert model.predict_proba([X[i] for i in order]).tobytes() == expected[order].tobytes()
    for i in range(0, 40, 7):
        assert model.predict_proba([X[i]]).tobytes() == expected[i : i + 1].tobytes()
        assert model.predict_proba(X[i][None]).tobytes() == expected[i : i + 1].tobytes()  # an array of one


@pytest.mark.parametrize("layers", [[GlobalAveragePooling1D()], [Conv1D(4, 2), GlobalAveragePooling1D()]])
def test_sequences_of_one_length_are_as_in_an_array(rng, layers):
    X = rng.normal(size=(30, 6, 3))
    model = SequentialRegressor(layers, **SETTINGS).fit(sequences(rng), np.arange(40.0))
    fixed = SequentialRegressor(layers, **SETTINGS, warm_start=True).fit(X, X[:, 0, 0])
    assert bits(model, X) == bits(model, list(X))
    fixed.weights_ = model.weights_
    np.testing.assert_allclose(fixed.predict(X), model.predict(X), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(fixed.predict(list(X)), fixed.predict(X))


def test_series(rng):
    layers = [Conv1D(4, 2), GlobalAveragePooling1D()]
    X = sequences(rng, n_channels=1)
    y = labels_of(X)
    model = SequentialClassifier(layers, **SETTINGS).fit(X, y)
    series = [each[:, 0] for each in X]
    assert bits(clone(model).fit(series, y), series) == bits(model, X)
    same_length = np.stack([each[:7] for each in series])
    assert bits(model, same_length) == bits(model, same_length[..., None]) == bits(model, list(same_length))


def test_training_that_continues(X, y, layers):
    steps = {**SETTINGS, "max_iter": 2}
    model = SequentialClassifier(layers, **steps, warm_start=True).fit(X, y).fit(X, y)
    partial = SequentialClassifier(layers, **SETTINGS)
    for _ in range(2):
        partial.partial_fit(X, y, classes=[0, 1])
    assert len(model.loss_curve_) == 4
    assert len(partial.loss_curve_) == 2
    with pytest.raises(ValueError, match=r"X must have shape \(n_samples, n_steps, 3\), as in fit, got .*, 2\)"):
        partial.partial_fit([each[:, :2] for each in X], y)


def test_samples_held_out(X, y, layers):
    held = SequentialClassifier(layers, **SETTINGS, early_stopping=True, validation_fraction=0.25).fit(X, y)
    assert len(held.validation_scores_) == 4
    by_name = clone(held).set_params(scoring="accuracy").fit(X, y)
    assert by_name.validation_scores_ == held.validation_scores_
    watched = clone(held).set_params(early_stopping=False).fit(X, y, X_val=X[:9], y_val=y[:9])
    assert watched.validation_scores_[-1] == watched.score(X[:9], y[:9])


def test_weights_of_sequences(X, y, layers):
    weight = np.ones(40)
    weight[:20] = 0
    settings = {**SETTINGS, "shuffle": False, "batch_size": 20}
    weighted = SequentialClassifier(layers, **settings).fit(X, y, weight)
    assert np.isfinite(weighted.predict_proba(X)).all()
    assert weighted.score(X, y, weight) == weighted.score(X[20:], y[20:])


def test_searches_and_splits(X, y):
    layers = [Masking(99.0), Dense(6), GlobalAveragePooling1D()]
    model = SequentialClassifier(layers, **SETTINGS)
    for form in (X, as_objects(X)):
        train, test, of_train, of_test = train_test_split(form, y, stratify=y, random_state=0)
        assert 0 <= clone(model).fit(train, of_train).score(test, of_test) <= 1
        assert cross_val_score(model, form, y, cv=3).shape == (3,)
        assert cross_val_predict(model, form, y, cv=3, method="predict_proba").shape == (40, 2)
    pipeline = make_pipeline(PerStep(StandardScaler()), model)
    search = GridSearchCV(pipeline, {"sequentialclassifier__layers__1__units": [2, 3]}, cv=3).fit(X, y)
    assert search.predict(X).shape == (40,)


def test_hidden_activations(X, y):
    layers = [Masking(99.0), Dense(6), GlobalAveragePooling1D(), Dense(2)]
    model = SequentialClassifier(layers, **SETTINGS).fit(X, y)
    hidden = model.hidden_activations(X, 1)
    assert [each.shape for each in hidden] == [(len(each), 6) for each in X]
    pooled = model.hidden_activations(X, 2)
    np.testing.assert_allclose(pooled, [each.mean(axis=0) for each in hidden], rtol=1e-5, atol=1e-6)
    assert model.hidden_activations(as_objects(X), 1).dtype == object
    assert model.hidden_activations(np.ones((2, 7, 3)), 1).shape == (2, 7, 6)


def test_hidden_activations_before_an_embedding(rng):
    """They are the tokens, which the engine does not copy."""
    X = [[3, 1, 0, 0], [2, 2, 1, 0], [1, 0, 0, 0]]
    model = SequentialClassifier([Masking(0), Embedding(4, 5), GRU(3)], tol=1e9, n_iter_no_change=1).fit(X, [0, 1, 0])
    kept = model.hidden_activations(np.array(X), layer=0)
    assert [each[:, 0].tolist() for each in kept] == [[3, 1], [2, 2, 1], [1]]
    assert kept[0].dtype == np.float32
    model = SequentialClassifier([None, Embedding(4, 5), GRU(3)], tol=1e9, n_iter_no_change=1).fit(X, [0, 1, 0])
    for tokens in (np.array(X), csr_matrix(X)):
        assert_array_equal(model.hidden_activations(tokens, layer=0)[..., 0], X)


def test_steps_that_are_left_out_change_nothing(X, y):
    layers = [Masking(99.0), Dense(6), GlobalAveragePooling1D()]
    padded = np.full((40, 14, 3), 99.0)
    for row, each in zip(padded, X, strict=True):
        row[: len(each)] = each
    model = SequentialClassifier(layers, **SETTINGS).fit(X, y)
    assert bits(clone(model).fit(padded, y), X) == bits(model, X) == bits(model, padded)


def test_steps_are_left_out_of_tables(rng):
    layers = [Masking(99.0), Dense(6), GlobalAveragePooling1D()]
    X = rng.normal(size=(30, 5))
    model = SequentialClassifier(layers, **SETTINGS).fit(X, X[:, 0] > 0)
    assert (model.n_features_in_, model.input_shape_) == (5, (5, 1))
    assert bits(model, list(X[:, :, None])) == bits(model, X)
    for other in (X[:, :1], X[:, :4]):
        with pytest.raises(ValueError, match="is expecting 5 features"):
            model.predict(other)


def test_list_columns_of_frames(X, y, layers):
    pl = pytest.importorskip("polars")
    model = SequentialClassifier(layers, **SETTINGS).fit(X, y)
    assert bits(model, pl.Series([each.tolist() for each in X])) == bits(model, X)


def test_networks_of_vectors_and_maps_take_lists_of_one_shape(rng):
    X = rng.normal(size=(30, 5, 4))
    y = labels_of(X)
    for layers in ([Dense(3)], [Flatten(), Dense(3)], [Conv2D(2, 2)]):
        model = SequentialClassifier(layers, **SETTINGS).fit(X, y)
        assert bits(clone(model).fit(list(X), y), X) == bits(model, list(X)) == bits(model, X)


X_RAGGED = [np.ones((n, 3)) for n in (2, 4, 3)]
X_FIXED = np.ones((3, 4, 3))


@pytest.mark.parametrize(
    ("layers", "X", "message"),
    [
        ([Dense(3)], X_RAGGED, "layers must have one that reads sequences"),
        ([Conv2D(3, 2)], X_RAGGED, r"X must have shape \(n_samples, height, width, channels\)"),
        ([Conv1D(3, 2), Flatten()], X_RAGGED, "."),
        (
            [Conv1D(3, 3), GlobalAveragePooling1D()],
            X_RAGGED,
            r"X must have at least 3 steps in each sequence .*, got 2",
        ),
        ([Conv1D(3, 1), GlobalAveragePooling1D()], [[1.0], [2.0, np.nan]], r"X\[1\] must have finite numbers, got nan"),
        ([Masking(1.0), GlobalAveragePooling1D()], X_RAGGED, "X must have at least 1 step that .* does not leave out"),
        ([Embedding(3, 2), GlobalAveragePooling1D()], [[0, 1], [2, 1, 3]], "X must have tokens from 0 to 2, .*, got 3"),
        ([Conv1D(3, 1), GlobalAveragePooling1D()], [*X_RAGGED[:2], np.ones((1, 2))], r"X\[2\] must have 3 features"),
    ],
)
def test_what_is_refused_in_fit(layers, X, message):
    with pytest.raises(ValueError, match=message):
        SequentialClassifier(layers).fit(X, np.arange(len(X)))


def test_what_is_refused_of_a_network_of_one_length():
    model = SequentialRegressor([Conv1D(3, 1), GlobalAveragePooling1D()], max_iter=1).fit(X_FIXED, [1, 2, 3])
    of_any_length = r"set input_shape=\(None, 3\) for sequences of any length"
    for X, got in (
        (X_RAGGED, rf"sequences of 2 to 4 steps: {of_any_length}"),
        (X_FIXED[:, :3], rf"\(n_samples, 3, 3\): {of_any_length}"),
        (X_FIXED[0], r"\(n_samples, 3\): pass X\[None\] if this is one sample"),
    ):
        with pytest.raises(ValueError, match=rf"X must have shape \(n_samples, 4, 3\), as in fit, got {got}"):
            model.predict(X)
    with pytest.raises(ValueError, match=r"X must have shape \(n_samples, 4, 3\), as in fit, got \(n_samples, 4, 2\)"):
        model.predict(list(X_FIXED[..., :2]))
    with pytest.raises(ValueError, match="y must have one target for each sample"):
        SequentialRegressor([Conv1D(3, 1), GlobalAveragePooling1D()]).fit(X_FIXED, [[1], [1, 2], [3]])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        SequentialRegressor([Conv1D(3, 1), GlobalAveragePooling1D()]).fit(X_FIXED, [1, 2])
    with pytest.raises(ValueError, match="requires y to be passed"):
        SequentialRegressor([Conv1D(3, 1), GlobalAveragePooling1D()]).fit(X_FIXED, None)


def test_what_is_refused_of_a_network_of_any_length(X, y):
    model = SequentialClassifier([GRU(4)], **SETTINGS).fit(X, y)
    for other, got in (
        (X[0], r"\(n_samples, n_steps\): pass \[X\] if this is one sample"),
        (np.ones((3, 5, 2)), r"\(n_samples, n_steps, 2\)"),
        ([np.ones((3, 2)), np.ones((4, 2))], r"\(n_samples, n_steps, 2\)"),
        (np.ones((3, 5, 5, 3)), r"\(n_samples, 5, 5, 3\)"),
    ):
        with pytest.raises(ValueError, match=rf"X must have shape \(n_samples, n_steps, 3\), as in fit, got {got}"):
            model.predict(other)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        model.fit(X, y[:-1])


@pytest.mark.parametrize("X", [X_FIXED, X_FIXED[..., 0]], ids=["steps", "series"])
def test_padding_with_nan_is_advised_on(X):
    X, y = X.copy(), [0, 1, 0]
    model = SequentialClassifier([GRU(4)], max_iter=1).fit(X, y)
    X[1, 3] = np.nan
    advice = r"Input X contains NaN\. If sequences are padded with it, pass fastnn.sequences.from_padded\(X\)\.$"
    for call in lambda: clone(model).fit(X, y), lambda: model.predict(X):
        with pytest.raises(ValueError, match=advice):
            call()
    model.fit(from_padded(X), y)


def test_input_shape_of_any_length(tmp_path, X, y):
    """A network that is fitted on an array of one length, or on a table, then predicts sequences of any."""
    same = np.stack([each[:7] for each in X])
    model = SequentialClassifier([GRU(4)], input_shape=(None, 3), **SETTINGS).fit(same, y)
    assert model.input_shape_ == (None, 3)
    assert bits(model, X) == bits(clone(model).set_params(input_shape=None).fit(list(same), y), X)
    table = SequentialClassifier([GRU(4)], input_shape=(None, 1), **SETTINGS).fit(same[..., 0], y)
    assert bits(table, same[..., 0]) == bits(table, list(same[..., 0]))
    for each, samples in (model, X), (table, [series[:, 0] for series in X]):
        save(each, tmp_path / "model")
        assert bits(load(tmp_path / "model"), samples) == bits(each, samples)
    with pytest.raises(
        ValueError, match=r"X must have shape \(n_samples, n_steps, 2\), as input_shape says, got .*, 3"
    ):
        SequentialClassifier([GRU(4)], input_shape=(None, 2)).fit(X, y)
    with pytest.raises(ValueError, match=r"X must have shape \(n_samples, n_steps, 2\), as input_shape says, got"):
        SequentialClassifier([GRU(4)], input_shape=(None, 2)).fit(same[..., 0], y)
    with pytest.raises(ValueError, match=r"layers must have one that reads sequences"):
        SequentialClassifier([Dense(4)], input_shape=(None, 3)).fit(same, y)


def test_networks_of_given_weights(X, y):
    model = SequentialClassifier([GRU(4)], **SETTINGS).fit(X, y)
    made = SequentialClassifier.from_weights([GRU(4)], model.weights_, input_shape=(None, 3))
    assert bits(made, X) == bits(model, X)
    assert not hasattr(made, "n_features_in_")
    with pytest.raises(ValueError, match=r"input_shape must be a tuple of integers, or \(None, channels\), for layers"):
        SequentialClassifier.from_weights([GRU(4)], model.weights_)


def test_weights_of_steps_where_there_is_a_target_for_each_sequence(X, y):
    with pytest.raises(
        ValueError, match=r"sample_weight must have one weight for each sample, .*, got one for each step"
    ):
        SequentialClassifier([GRU(4)], **SETTINGS).fit(X, y, [np.ones(len(each)) for each in X])


def test_divergence_names_gradients_that_explode(X, y):
    model = SequentialRegressor(VECTORS["gru"], solver="sgd", learning_rate_init=1e200, max_iter=20)
    with pytest.raises(ValueError, match=r"Training diverged .* may explode: set clip_norm=1\.0\."):
        model.fit(X, y)
    with pytest.raises(ValueError, match=r"Training diverged .* may explode: set a smaller clip_norm\."):
        model.set_params(clip_norm=1e200).fit(X, y)


def test_tokens_say_nothing_of_the_type(rng):
    layers = [Embedding(5, 2), GlobalAveragePooling1D()]
    X = [rng.integers(0, 5, n) for n in rng.integers(1, 9, 30)]
    y = np.array([np.sum(each) > 6 for each in X])
    model = SequentialClassifier(layers, **SETTINGS).fit(X, y)
    assert model.predict_proba(X).dtype == np.float32
    for form in (
        [each.astype(float) for each in X],
        [each.astype(np.uint8) for each in X],
        [each.tolist() for each in X],
    ):
        assert bits(clone(model).fit(form, y), form) == bits(model, X)


def test_sequences_themselves_are_taken(X, y, layers):
    model = SequentialClassifier(layers, **SETTINGS).fit(X, y)
    assert bits(model, Sequences.from_list(X)) == bits(model, X)


def test_a_vector_of_each_sequence_made_a_sequence_again():
    """The output then has steps, though X's differ in their number: as many of each."""
    weights = [
        {"kernel": np.eye(2, 4), "recurrent_kernel": np.zeros((4, 4)), "bias": np.zeros(4)},
        {},
        {"kernel": np.ones((2, 1)), "bias": np.zeros(1)},
    ]
    layers = [SimpleRNN(4, None), Reshape((2, 2))]
    model = SequentialRegressor.from_weights(layers, weights, input_shape=(None, 2))
    predicted = model.predict([np.ones((3, 2)), np.array([[0, 0], [1, 3]])])
    np.testing.assert_array_equal(np.stack(list(predicted)), [[2, 0], [4, 0]])


def test_masked_samples_of_one_length_for_given_weights():
    weights = [{}, {}, {"kernel": np.eye(2), "bias": np.zeros(2)}]
    model = SequentialRegressor.from_weights([Masking(), GlobalMaxPooling1D()], weights, input_shape=(3, 2))
    np.testing.assert_array_equal(model.predict([[[-1, -2], [0, 0], [-3, -1]]]), [[-1, -1]])
