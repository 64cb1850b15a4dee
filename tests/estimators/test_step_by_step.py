"""Predictions step by step, and training on windows of sequences."""

import copy
import pickle

import numpy as np
import pytest

from fastnn import SequentialClassifier, SequentialRegressor
from fastnn.layers import (
    GRU,
    LSTM,
    Activation,
    BatchNormalization,
    Bidirectional,
    Conv1D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    GlobalMaxPooling1D,
    LayerNormalization,
    Masking,
    Rescaling,
    SimpleRNN,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SETTINGS = {"max_iter": 3, "random_state": 0, "batch_size": 16, "tol": 0}

STEPWISE = {
    "gru": [GRU(7)],
    "stack": [LSTM(6, return_sequences=True), LayerNormalization(), Dropout(0.2), SimpleRNN(5)],
    "steps": [GRU(6, return_sequences=True), Dense(5)],
    "folded": [Dense(4, None), BatchNormalization(), Activation("tanh"), GRU(4, dropout=0.1, recurrent_dropout=0.1)],
    "rescaled": [Rescaling(0.5, 1.0), LSTM(3, return_sequences=True)],
    "convolution of one step": [Conv1D(5, 1), GRU(3)],
}


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def sequences(rng, n=40, n_channels=2):
    return [rng.normal(size=(n_steps, n_channels)) for n_steps in rng.integers(2, 15, n)]


def targets_of(model, X):
    per_step = any(getattr(layer, "return_sequences", False) for layer in model.layers[-2:]) and not isinstance(
        model.layers[-1], (GRU, SimpleRNN)
    )
    if per_step:
        return [each[:, 0] > 0 for each in X] if hasattr(model, "predict_proba") else [each[:, 0] for each in X]
    means = np.array([each[:, 0].mean() for each in X])
    return means > 0 if hasattr(model, "predict_proba") else means


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", STEPWISE)
@pytest.mark.parametrize("kind", [SequentialClassifier, SequentialRegressor])
def test_each_step_gives_what_predict_gives_for_the_steps_so_far(kind, name, dtype, rng):
    X = sequences(rng)
    model = kind(STEPWISE[name], dtype=dtype, **SETTINGS)
    model.fit(X, targets_of(model, X))
    long = [each for each in X if len(each) >= 6][:3]
    state = None
    for t in range(6):
        x, before = np.array([each[t] for each in long]), state
        predicted, state = model.predict_step(x, before)
        whole = model.predict([each[: t + 1] for each in long])
        expected = [each[-1] for each in whole] if isinstance(whole, list) else whole
        assert np.array_equal(predicted, expected)
        if kind is SequentialClassifier:
            proba, its_state = model.predict_proba_step(x, before)
            whole = model.predict_proba([each[: t + 1] for each in long])
            expected = [each[-1] for each in whole] if isinstance(whole, list) else whole
            assert np.array_equal(proba, expected)
            assert np.array_equal(its_state, state)


def test_models_of_sequences_of_one_length_step_as_well(rng):
    X = rng.normal(size=(60, 8, 2))
    model = SequentialClassifier([GRU(5)], **SETTINGS).fit(X, X[:, :, 0].mean(axis=1) > 0)
    state = None
    for t in range(8):
        proba, state = model.predict_proba_step(X[:, t], state)
    assert np.array_equal(proba, model.predict_proba(X))


def test_tokens_step_by_step(rng):
    X = [rng.integers(0, 20, n) for n in rng.integers(2, 9, 60)]
    model = SequentialClassifier([Embedding(20, 4), GRU(5)], **SETTINGS).fit(X, [each[0] > 9 for each in X])
    state = None
    for token in X[0]:
        proba, state = model.predict_proba_step([token], state)
    assert np.array_equal(proba, model.predict_proba(X[:1]))
    with pytest.raises(ValueError, match=r"^x must have tokens from 0 to 19"):
        model.predict_step([20])


def test_states_are_arrays_that_can_be_picked_copied_and_pickled(rng):
    X = rng.normal(size=(50, 6, 2))
    model = SequentialRegressor([LSTM(4), Dense(3)], **SETTINGS).fit(X, X[:, :, 0].mean(axis=1))
    _, state = model.predict_step(X[:4, 0])
    kept = state.copy()
    both, after = model.predict_step(X[:4, 1], state)
    assert state.shape == (4, 8)
    assert np.array_equal(state, kept)  # a call changes none
    for other in (copy.deepcopy(state), pickle.loads(pickle.dumps(state))):
        assert np.array_equal(model.predict_step(X[:4, 1], other)[0], both)
    one, its_after = model.predict_step(X[2:3, 1], state[[2]])
    assert np.array_equal(one, both[[2]])
    assert np.array_equal(its_after, after[[2]])


def test_steps_follow_the_weights(rng):
    X = rng.normal(size=(60, 6, 2))
    y = X[:, :, 0].mean(axis=1) > 0
    model = SequentialClassifier([Dense(3, None), BatchNormalization(), GRU(4)], **SETTINGS).fit(X, y)
    model.predict_step(X[:, 0])
    for change in (
        lambda: model.partial_fit(X, y),
        lambda: setattr(model, "weights_", [{k: 0.5 * w for k, w in each.items()} for each in model.weights_]),
        lambda: model.fit(X, y),
    ):
        change()
        state = None
        for t in range(6):
            proba, state = model.predict_proba_step(X[:, t], state)
        assert np.array_equal(proba, model.predict_proba(X))


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([Bidirectional(GRU(3))], r"got layers\[0\], Bidirectional"),
        ([GRU(3, go_backwards=True)], r"got layers\[0\], GRU"),
        ([GRU(3, return_sequences=True), GlobalMaxPooling1D()], r"got layers\[1\], GlobalMaxPooling1D"),
        ([Conv1D(3, 2, padding="causal"), GRU(3)], r"got layers\[0\], Conv1D"),
        ([Masking(9.0), GRU(3)], r"got layers\[0\], Masking"),
        ([GRU(3, return_sequences=True), Flatten()], r"got layers\[1\], Flatten"),
    ],
)
def test_layers_that_need_other_steps_are_named(layers, message, rng):
    X = rng.normal(size=(40, 6, 2))
    model = SequentialClassifier(layers, **SETTINGS).fit(X, X[:, :, 0].mean(axis=1) > 0)
    with pytest.raises(ValueError, match=f"predict_step needs layers .* {message}"):
        model.predict_step(X[:, 0])


def test_networks_without_sequences_have_no_steps(rng):
    X = rng.normal(size=(40, 6))
    model = SequentialClassifier([Dense(3)], **SETTINGS).fit(X, X[:, 0] > 0)
    with pytest.raises(ValueError, match="predict_step needs a network of sequences"):
        model.predict_step(X)


def test_bad_steps_and_states(rng):
    X = rng.normal(size=(40, 6, 2))
    model = SequentialClassifier([GRU(3)], **SETTINGS).fit(X, X[:, :, 0].mean(axis=1) > 0)
    for x, message in (
        (X[:, :2, 0][:, :1], r"x must have shape \(n_sequences, 2\), a step of each, got \(40, 1\)"),
        (X[0, 0], r"x must have shape \(n_sequences, 2\), a step of each, got \(2,\)"),
        ([["a", "b"]], "^x must be numbers, got 'a' in an array of type <U1$"),
        (np.array([[1.0, None]]), "^x must be numbers, got None in an array of type object$"),
        ([[np.nan, 0]], "NaN"),
    ):
        with pytest.raises(ValueError, match=message):
            model.predict_step(x)
    _, state = model.predict_step(X[:, 0])
    for wrong in (state[:3], state.tolist(), state.astype(np.float16), 5):
        with pytest.raises(ValueError, match="state must be what the last call returned for these 40 sequences"):
            model.predict_step(X[:, 0], wrong)


# -- windows ----------------------------------------------------------------------------------------------------------


def test_windows_as_long_as_the_sequences_change_nothing(rng):
    X = sequences(rng)
    y = [np.cumsum(each[:, 0]) for each in X]
    layers = [GRU(6, return_sequences=True, recurrent_dropout=0.1)]
    whole = SequentialRegressor(layers, **SETTINGS).fit(X, y)
    cut = SequentialRegressor(layers, truncate_steps=20, **SETTINGS).fit(X, y)
    assert whole.loss_curve_ == cut.loss_curve_
    assert [each.tobytes() for each in whole.predict(X)] == [each.tobytes() for each in cut.predict(X)]


@pytest.mark.parametrize("form", ["list", "array"])
def test_windows_train_and_resume_to_the_bit(form, rng):
    X = sequences(rng) if form == "list" else rng.normal(size=(40, 13, 2))
    y = [np.cumsum(each[:, 0]) for each in X]
    y = y if form == "list" else np.array(y)
    layers, settings = [GRU(6, return_sequences=True, dropout=0.1), Dropout(0.1)], SETTINGS | {"max_iter": 6}
    model = SequentialRegressor(layers, truncate_steps=4, **settings).fit(X, y)
    assert model.loss_curve_[-1] < model.loss_curve_[0]
    halves = SequentialRegressor(layers, truncate_steps=4, warm_start=True, **SETTINGS).fit(X, y)
    halves = pickle.loads(pickle.dumps(halves)).fit(X, y)
    assert halves.loss_curve_ == model.loss_curve_
    assert all(np.array_equal(*pair) for pair in zip(halves.predict(X), model.predict(X), strict=True))
    for n_threads in (1, 3):
        other = SequentialRegressor(layers, truncate_steps=4, n_threads=n_threads, **settings).fit(X, y)
        assert other.loss_curve_ == model.loss_curve_
    whole = SequentialRegressor(layers, **settings).fit(X, y)
    assert whole.loss_curve_ != model.loss_curve_


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([GRU(3)], "truncate_steps must be None where each sequence has one target, got 4: set return_sequences=True"),
        ([Bidirectional(GRU(3, return_sequences=True))], r"other steps .* got 4 with layers\[0\], Bidirectional"),
        ([Conv1D(3, 3, padding="same")], r"other steps .* got 4 with layers\[0\], Conv1D"),
        ([GRU(3, return_sequences=True, go_backwards=True)], r"got 4 with layers\[0\], GRU"),
    ],
)
def test_networks_that_need_whole_sequences(layers, message, rng):
    X = sequences(rng)
    y = np.zeros(len(X)) if layers == [GRU(3)] else [np.zeros(len(each)) for each in X]
    with pytest.raises(ValueError, match=message):
        SequentialRegressor(layers, truncate_steps=4, **SETTINGS).fit(X, y)


def test_lbfgs_needs_whole_sequences(rng):
    X = sequences(rng)
    with pytest.raises(ValueError, match="truncate_steps must be None with solver='lbfgs', got 4"):
        SequentialRegressor([GRU(3, return_sequences=True)], solver="lbfgs", truncate_steps=4).fit(
            X, [each[:, 0] for each in X]
        )
