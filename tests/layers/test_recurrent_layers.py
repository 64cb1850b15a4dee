"""Recurrent layers: Keras's weights and initial distributions, and the matrices that the engine has of them."""

import numpy as np
import pytest

from fastnn.engine.activation import activation_names, keeps_input
from fastnn.layers import GRU, LSTM, Bidirectional, Dense, SimpleRNN
from fastnn.layers.bidirectional import is_recurrent
from fastnn.layers.recurrent import CELL_ACTIVATION

CHANNELS, UNITS = 5, 4
GATES = {SimpleRNN: 1, GRU: 3, LSTM: 4}
BIASES = {SimpleRNN: (4,), GRU: (2, 12), LSTM: (16,)}
CELLS = pytest.mark.parametrize("cls", GATES)


def initial(layer, channels=CHANNELS, seed=0):
    """A layer's initial weights by their names."""
    arrays = layer.initial_weights((None, channels), np.random.RandomState(seed), 6.0)
    return layer.from_engine(iter(arrays), (None, channels))


def shapes_of(weights):
    return {name: array.shape for name, array in weights.items()}


@CELLS
@pytest.mark.parametrize("use_bias", [True, False])
def test_weights_are_keras_s(cls, use_bias):
    expected = {"kernel": (CHANNELS, GATES[cls] * UNITS), "recurrent_kernel": (UNITS, GATES[cls] * UNITS)}
    expected |= {"bias": BIASES[cls]} if use_bias else {}
    layer = cls(UNITS, use_bias=use_bias)
    assert layer.weight_shapes((None, CHANNELS)) == expected
    assert shapes_of(initial(layer)) == expected


@CELLS
@pytest.mark.parametrize("use_bias", [True, False])
def test_the_engine_has_matrices_of_each_gate(cls, use_bias):
    layer, n_gates = cls(UNITS, use_bias=use_bias), GATES[cls]
    rng = np.random.default_rng(0)
    weights = {name: rng.normal(size=shape) for name, shape in layer.weight_shapes((7, CHANNELS)).items()}
    arrays = iter(layer.to_engine(weights))
    columns = [slice(gate * UNITS, (gate + 1) * UNITS) for gate in range(n_gates)]
    bias = weights["bias"].reshape(-1, n_gates * UNITS) if use_bias else []
    for kernel, its_bias in (("kernel", bias[:1]), ("recurrent_kernel", bias[1:])):
        for gate in columns:
            np.testing.assert_array_equal(next(arrays), weights[kernel][:, gate])
            for of_gate in its_bias:
                np.testing.assert_array_equal(next(arrays), of_gate[gate])
    assert not [*arrays]
    again = layer.from_engine(iter(layer.to_engine(weights)), (7, CHANNELS))
    for name, array in weights.items():
        np.testing.assert_array_equal(again[name], array)


@CELLS
def test_glorot_counts_all_gates(cls):
    kernel = initial(cls(60), channels=50)["kernel"]
    bound = np.sqrt(6 / (50 + GATES[cls] * 60))
    assert 0.98 * bound < np.abs(kernel).max() <= bound
    assert kernel.std() == pytest.approx(bound / np.sqrt(3), rel=0.03)


@CELLS
def test_the_recurrent_kernel_is_orthogonal_as_a_whole(cls):
    matrix = initial(cls(20))["recurrent_kernel"]
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(20), atol=1e-12)


def test_initial_biases():
    assert not initial(SimpleRNN(UNITS))["bias"].any()
    assert not initial(GRU(UNITS))["bias"].any()
    np.testing.assert_array_equal(initial(LSTM(UNITS))["bias"], np.repeat([0, 1, 0, 0], UNITS))
    assert not initial(LSTM(UNITS, unit_forget_bias=False))["bias"].any()


@CELLS
def test_other_initial_distributions(cls):
    weights = initial(cls(UNITS, kernel_initializer="ones", recurrent_initializer="zeros"))
    assert (weights["kernel"] == 1).all()
    assert not weights["recurrent_kernel"].any()


@CELLS
@pytest.mark.parametrize("merge_mode", ["concat", "sum", "mul", "ave"])
@pytest.mark.parametrize("return_sequences", [True, False])
def test_bidirectional(cls, merge_mode, return_sequences):
    inner = cls(UNITS, return_sequences=return_sequences, dropout=0.1)
    layer, made = Bidirectional(inner, merge_mode), 2 * UNITS if merge_mode == "concat" else UNITS
    layer.check("layers[0]")
    assert layer.output_shape((None, CHANNELS)) == ((None, made) if return_sequences else (made,))
    assert layer.output_shape((9, CHANNELS)) == ((9, made) if return_sequences else (made,))
    operation = layer.operation((9, CHANNELS))
    assert operation.settings[5] == merge_mode
    assert [*operation.settings[:5], *operation.settings[6:]] == [
        *inner.operation((9, CHANNELS)).settings[:5],
        *inner.operation((9, CHANNELS)).settings[6:],
    ]
    weights = initial(layer, seed=3)
    assert [*weights] == [f"{way}_{name}" for way in ("forward", "backward") for name in initial(inner)]
    for name, array in initial(inner, seed=3).items():  # the forward layer's are drawn first
        np.testing.assert_array_equal(weights[f"forward_{name}"], array)
    assert (weights["forward_kernel"] != weights["backward_kernel"]).any()
    arrays = layer.to_engine(weights)
    assert len(arrays) == 2 * len(inner.to_engine(initial(inner)))
    for name, array in layer.from_engine(iter(arrays), (9, CHANNELS)).items():
        np.testing.assert_array_equal(array, weights[name])


@pytest.mark.parametrize(
    ("layer", "description"),
    [
        (GRU(4), ("recurrent", "gru", 4, "tanh", "logistic", False, "forward", 0.0, 0.0)),
        (
            SimpleRNN(4, "relu", use_bias=False),
            ("recurrent", "simple", 4, "relu", "identity", False, "forward", 0.0, 0.0, False),
        ),
        (
            LSTM(4, None, recurrent_activation="softplus", return_sequences=True, go_backwards=True, trainable=False),
            ("recurrent", "lstm", 4, "identity", "softplus", True, "backward", 0.0, 0.0, True, False),
        ),
        (
            Bidirectional(GRU(4, dropout=0.5, recurrent_dropout=0.25), "ave"),
            ("recurrent", "gru", 4, "tanh", "logistic", False, "ave", 0.5, 0.25),
        ),
    ],
)
def test_descriptions_of_cells(layer, description):
    assert layer.operation((None, CHANNELS)).description() == description


def test_bidirectional_is_trained_as_its_layer_is():
    assert Bidirectional(GRU(4)).trainable
    assert not Bidirectional(GRU(4, trainable=False)).trainable


def test_which_layers_couple_samples_or_draw():
    assert not GRU(4).couples
    assert GRU(4, dropout=0.1).couples
    assert Bidirectional(LSTM(4, recurrent_dropout=0.1)).couples


def test_which_layers_are_recurrent():
    assert is_recurrent(GRU(3))
    assert is_recurrent(Bidirectional(GRU(3)))
    assert not is_recurrent(Dense(3))


@pytest.mark.parametrize("name", activation_names)
def test_activations_of_cells_are_those_whose_derivative_follows_from_the_value(name):
    assert CELL_ACTIVATION.holds(name) == (not keeps_input(name))
