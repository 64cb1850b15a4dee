"""`from_keras`: Keras's networks predict the same in fastnn, and can be trained further."""

import os

import numpy as np
import pytest

pytest.importorskip("torch", exc_type=ImportError)
os.environ.setdefault("KERAS_BACKEND", "torch")
keras = pytest.importorskip("keras")

from keras import layers as L  # noqa: E402

from fastnn import SequentialClassifier, SequentialRegressor  # noqa: E402
from fastnn.export import from_keras  # noqa: E402

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:.*:UserWarning:keras"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

rng = np.random.default_rng(0)


def network(shape, *of_layers):
    """A network whose biases and statistics are something."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input(shape), *of_layers])
    for variable in model.weights:
        if "variance" in variable.path:
            variable.assign(rng.uniform(0.5, 2, variable.shape))
        elif "mean" in variable.path or "bias" in variable.path or "beta" in variable.path:
            variable.assign(rng.normal(size=variable.shape))
    return model


def samples(*shape):
    return rng.normal(size=shape).astype(np.float32)


def check(model, X, **settings):
    taken = from_keras(model, **settings)
    expected = model.predict(X, verbose=0)
    got = taken.predict_proba(X) if isinstance(taken, SequentialClassifier) else taken.predict(X)
    got = got[..., 1:] if expected.shape[-1] == 1 and got.ndim > 1 and got.shape[-1] == 2 else got
    np.testing.assert_allclose(np.reshape(np.asarray(got), expected.shape), expected, rtol=1e-5, atol=1e-5)
    return taken


@pytest.mark.parametrize(
    "activation", ["relu", "sigmoid", "tanh", "elu", "softplus", "gelu", "silu", "exponential", None]
)
def test_dense_layers(activation):
    hidden = [L.Dense(8, activation), L.Dropout(0.1), L.BatchNormalization(epsilon=0.01), L.Dense(4, use_bias=False)]
    check(network((5,), *hidden, L.Activation(activation or "linear"), L.Dense(3)), samples(9, 5))


def test_images():
    layers = [
        *(L.Rescaling(0.5), L.Conv2D(4, 3, padding="same", strides=2, activation="relu"), L.MaxPooling2D(2)),
        *(L.Conv2D(6, (1, 2), groups=2, dilation_rate=(1, 2)), L.BatchNormalization(scale=False), L.ELU()),
        *(L.AveragePooling2D(2, strides=1, padding="same"), L.Flatten(), L.Dense(1, "sigmoid")),
    ]
    assert type(check(network((9, 12, 2), *layers), samples(9, 9, 12, 2))) is SequentialClassifier
    for pooling in L.GlobalMaxPooling2D(), L.GlobalAveragePooling2D():
        check(network((9, 12, 2), L.Conv2D(4, 3), pooling, L.Dense(3, "softmax")), samples(9, 9, 12, 2))


SEQUENCES = {
    "cells": [L.Bidirectional(L.GRU(4, return_sequences=True), merge_mode="sum"), L.LSTM(3, "relu", "tanh")],
    "backwards": [L.SimpleRNN(4, go_backwards=True, return_sequences=True), L.Bidirectional(L.LSTM(3))],
    "windows": [L.Conv1D(4, 2, padding="causal", activation="swish"), L.AveragePooling1D(2, padding="same"),
                L.LayerNormalization(center=False), L.GlobalMaxPooling1D()],
    "others": [L.Masking(), L.GRU(3), L.Reshape((3, -1)), L.MaxPooling1D(2), L.GlobalAveragePooling1D()],
}  # fmt: skip


@pytest.mark.parametrize("name", SEQUENCES)
def test_sequences(name):
    taken = check(network((10, 3), *SEQUENCES[name], L.Dense(2)), samples(9, 10, 3))
    assert type(taken) is SequentialRegressor


def test_sequences_of_any_length():
    model = network((None, 3), L.GRU(4), keras.Sequential([L.Dense(3), L.ReLU()]), L.Dense(2))
    check(model, samples(9, 10, 3))
    tokens = network((None,), L.Embedding(9, 4, mask_zero=True), L.LSTM(4), L.Dense(3), L.Softmax())
    check(tokens, rng.integers(1, 9, (9, 10)))


def test_an_output_for_each_step():
    check(network((10, 3), L.GRU(4, return_sequences=True), L.Dense(3, "softmax")), samples(9, 10, 3))


def test_classes_and_training():
    X = samples(40, 5)
    model = network((5,), L.Dense(8, "relu", trainable=False), L.Dense(2, "softmax"))
    taken = check(model, X, classes=["a", "b"], learning_rate_init=0.01, random_state=0)
    assert [layer.trainable for layer in taken.layers] == [False]
    before = taken.weights_
    loss = taken.partial_fit(X, np.where(X[:, 0] > 0, "a", "b"), epochs=5).loss_curve_
    assert loss[-1] < loss[0]
    np.testing.assert_array_equal(taken.weights_[0]["kernel"], before[0]["kernel"])
    assert (taken.weights_[-1]["kernel"] != before[-1]["kernel"]).any()


REFUSED = {
    "of another kind": ((5, 3), [L.SpatialDropout1D(0.1), L.GRU(3), L.Dense(1)], "got SpatialDropout1D"),
    "slope": ((5,), [L.Dense(3, "leaky_relu"), L.Dense(1)], "got 'leaky_relu with a slope of 0.2'"),
    "another slope": ((5,), [L.Dense(3), L.LeakyReLU(0.3), L.Dense(1)], "negative_slope of .* must be 0.01"),
    "maps": ((9, 8, 2), [L.Dense(3), L.Flatten(), L.Dense(1)], "flatten them first"),
    "another GRU": ((5, 3), [L.GRU(3, reset_after=False), L.Dense(1)], "reset_after of .* must be True"),
    "end": ((5, 3), [L.GRU(3)], r"must end in a dense layer, got GRU\(3\)"),
    "axis": ((5, 3), [L.GRU(3, return_sequences=True), L.BatchNormalization(axis=1), L.GRU(2), L.Dense(1)], "axis of"),
    "cell": ((5, 3), [L.Bidirectional(L.RNN(L.GRUCell(3))), L.Dense(1)], "the layer of .* got RNN"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    shape, layers, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        from_keras(network(shape, *layers))


def test_what_is_no_built_network():
    with pytest.raises(ValueError, match="model must be built"):
        from_keras(keras.Sequential([L.Dense(3)]))
    with pytest.raises(ValueError, match="model must be a Sequential of Keras's"):
        from_keras(L.Dense(3))
