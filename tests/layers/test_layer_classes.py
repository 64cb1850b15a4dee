"""Layers as values: what they normalise, compare, print and refuse."""

import copy
import inspect
import pickle
from dataclasses import FrozenInstanceError, fields, replace

import numpy as np
import pytest

from fastnn import layers
from fastnn.layers import (
    GRU,
    LSTM,
    Activation,
    AveragePooling1D,
    AveragePooling2D,
    BatchNormalization,
    Bidirectional,
    Conv1D,
    Conv2D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    LayerNormalization,
    Masking,
    MaxPooling1D,
    MaxPooling2D,
    Rescaling,
    Reshape,
    SimpleRNN,
)

EXAMPLES = [
    Activation("tanh"),
    AveragePooling1D(3, strides=2),
    AveragePooling2D((2, 3), padding="same"),
    BatchNormalization(momentum=0.9),
    Bidirectional(GRU(3, dropout=0.1), "sum"),
    Conv1D(4, 3, padding="causal", dilation_rate=2),
    Conv2D(4, (3, 2), strides=(2, 1), groups=2, activation=None, use_bias=False, trainable=False),
    Dense(100),
    Dense(5, "swish", kernel_initializer="he_normal"),
    Dropout(0.2),
    Embedding(100, 3, mask_zero=True),
    Flatten(),
    GRU(4, recurrent_dropout=0.2, go_backwards=True),
    GlobalAveragePooling1D(),
    GlobalAveragePooling2D(),
    GlobalMaxPooling1D(),
    GlobalMaxPooling2D(),
    LayerNormalization(epsilon=1e-5),
    LSTM(4, "relu", recurrent_activation="logistic", unit_forget_bias=False, return_sequences=True),
    Masking(-1),
    MaxPooling1D(),
    MaxPooling2D(3),
    Rescaling(1 / 255, -0.5),
    Reshape((2, 3, 4)),
    SimpleRNN(4, use_bias=False, recurrent_initializer="glorot_uniform"),
]


def test_every_layer_is_among_the_examples():
    assert {type(layer).__name__ for layer in EXAMPLES} == set(layers.__all__) - {"Layer"}


@pytest.mark.parametrize("layer", EXAMPLES, ids=str)
class TestValues:
    def test_it_prints_the_call_that_makes_it(self, layer):
        assert eval(repr(layer), vars(layers)) == layer

    def test_it_compares_by_value(self, layer):
        for other in (copy.copy(layer), copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)), replace(layer)):
            assert other == layer
            assert hash(other) == hash(layer)
        assert layer != "layer"

    def test_it_never_changes(self, layer):
        with pytest.raises(FrozenInstanceError):
            layer.units = 3

    def test_it_is_no_estimator(self, layer):
        assert not hasattr(layer, "get_params")

    def test_its_rules_are_those_of_its_settings(self, layer):
        assert set(layer.rules) == {field.name for field in fields(layer)}
        layer.check("layers[0]")
        for setting in layer.rules:
            wrong = replace(layer, **{setting: (1.5, "wrong")})
            with pytest.raises(ValueError, match=rf"layers\[3\]\.{setting} must be .*, got \(1\.5, 'wrong'\)"):
                wrong.check("layers[3]")


def test_settings_are_pythons_own():
    layer = Conv2D(np.int64(4), [np.int32(3), 2], strides=np.array([2, 1]), padding=np.str_("same"), use_bias=np.True_)
    assert layer == Conv2D(4, (3, 2), strides=(2, 1), padding="same", use_bias=True)
    assert [type(value) for value in vars(layer).values()] == [int, tuple, tuple, str, int, int, str, bool, str, bool]
    assert hash(layer) == hash(Conv2D(4, (3, 2), strides=(2, 1), padding="same"))
    assert Dropout(np.float32(0.5)) == Dropout(0.5)


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (Dense(np.int64(100)), "Dense(100)"),
        (Dense(10, "tanh"), "Dense(10, 'tanh')"),
        (Dense(10, None, use_bias=False), "Dense(10, None, use_bias=False)"),
        (Conv2D(32, 3), "Conv2D(32, 3)"),
        (Conv2D(32, [3, 3], padding="same"), "Conv2D(32, (3, 3), padding='same')"),
        (MaxPooling2D(), "MaxPooling2D()"),
        (Rescaling(2.0), "Rescaling(2.0)"),
        (BatchNormalization(), "BatchNormalization()"),
        (GRU(64, "tanh", return_sequences=True), "GRU(64, return_sequences=True)"),
        (Bidirectional(LSTM(np.int64(64)), merge_mode="ave"), "Bidirectional(LSTM(64), 'ave')"),
        (Embedding(10, output_dim=3), "Embedding(10, 3)"),
    ],
)
def test_it_prints_what_differs_from_its_defaults(layer, text):
    assert repr(layer) == text


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (Dense(0), r"units must be an integer from 1 to 2\*\*31 - 1, got 0"),
        (Dense(2**31), r"units must be an integer from 1 to 2\*\*31 - 1, got 2147483648"),
        (Dense(True), "units must be an integer"),
        (Dense(3.0), "units must be an integer"),
        (Dense(3, "softmax"), "activation must be one of identity, relu, .*, got 'softmax'"),
        (Dense(3, kernel_initializer="he"), "kernel_initializer must be one of glorot_uniform, .*, None, got 'he'"),
        (Dense(3, use_bias=1), "use_bias must be True or False, got 1"),
        (
            Conv2D(4, (3, 3, 3)),
            r"kernel_size must be an integer from 1 to 2\*\*31 - 1, or a tuple of 2, got \(3, 3, 3\)",
        ),
        (Conv2D(4, 3, padding="causal"), "padding must be one of valid, same, got 'causal'"),
        (Conv2D(4, 3, kernel_initializer=None), "kernel_initializer must be one of glorot_uniform"),
        (MaxPooling1D(2, strides=0), "strides must be an integer from 1 to .*, or None, got 0"),
        (Dropout(1), r"rate must be a number in \[0, 1\), got 1"),
        (Dropout(float("nan")), r"rate must be a number in \[0, 1\), got nan"),
        (Rescaling(10**400), "scale must be a finite number"),
        (BatchNormalization(epsilon=0), "epsilon must be a finite number above 0, got 0"),
        (Reshape(()), r"target_shape must be a tuple of 1 to 3 integers .*, got \(\)"),
        (Reshape(12), "target_shape must be a tuple of 1 to 3 integers .*, got 12"),
        (GRU(2**16 + 1), r"units must be an integer from 1 to 2\*\*16, got 65537"),
        (LSTM(3, "gelu"), "activation must be one of .*, whose derivatives follow from their values, got 'gelu'"),
        (GRU(3, recurrent_activation="swish"), "recurrent_activation must be one of identity, .*, got 'swish'"),
        (SimpleRNN(3, dropout=1), r"dropout must be a number in \[0, 1\), got 1"),
        (SimpleRNN(3, recurrent_initializer="he"), "recurrent_initializer must be one of glorot_uniform, .*, got 'he'"),
        (Bidirectional(Dense(3)), r"layer must be a SimpleRNN, GRU or LSTM, got Dense\(3\)"),
        (Bidirectional(GRU), "layer must be a SimpleRNN, GRU or LSTM, got "),
        (Bidirectional(GRU(0)), r"layer\.units must be an integer from 1 to 2\*\*16, got 0"),
        (Bidirectional(GRU(3, go_backwards=True)), r"layer\.go_backwards must be False in Bidirectional, got True"),
        (Bidirectional(GRU(3), None), "merge_mode must be one of concat, sum, mul, ave, got None"),
        (Embedding(0, 3), "input_dim must be an integer from 1 to .*, got 0"),
        (
            Embedding(9, 3, embeddings_initializer="normal"),
            "embeddings_initializer must be one of uniform, .* 'normal'",
        ),
        (Masking(float("nan")), "mask_value must be a finite number, got nan"),
    ],
    ids=str,
)
def test_what_breaks_a_rule(layer, message):
    with pytest.raises(ValueError, match=rf"^layers\[1\]\.{message}"):
        layer.check("layers[1]")


@pytest.mark.parametrize("name", sorted(set(layers.__all__) - {"Layer"}))
def test_every_setting_is_documented(name):
    cls = getattr(layers, name)
    for field in fields(cls):
        assert f"\n{field.name} : " in inspect.getdoc(cls)
    assert "Examples\n--------\n" in inspect.getdoc(cls)
