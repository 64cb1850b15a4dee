"""Recurrent layers in the engine: over sequences of any length, against the definitions in NumPy."""

from itertools import product

import numpy as np
import pytest
from reference import recurrent_pass

from fastnn.data.ragged import Sequences
from fastnn.engine.isa import available_levels
from fastnn.engine.loss import Loss
from fastnn.engine.network import Network
from fastnn.engine.optimizer import Optimizer
from fastnn.engine.trainer import Trainer

CELLS = ["simple", "gru", "lstm"]
DIRECTIONS = ["forward", "backward", "concat", "sum", "ave", "mul"]
LENGTHS = [4, 1, 7, 7, 2, 9, 1, 3]


def described(cell, units=5, activation="tanh", recurrent="logistic", *, sequences=False, direction="forward", **other):
    rates = other.pop("dropout", 0.0), other.pop("recurrent_dropout", 0.0)
    return ("recurrent", cell, units, activation, recurrent, sequences, direction, *rates, *other.values())


def random_sequences(rng, lengths=LENGTHS, n_channels=3):
    return [rng.normal(size=(n, n_channels)) for n in lengths]


def ragged(batch):
    return Sequences(np.concatenate(batch), np.cumsum([0, *map(len, batch)]).astype(np.intp))


def make(layers, n_channels=3, n_outputs=2, steps=None, dtype=np.float64, level=None, seed=0):
    rng = np.random.default_rng(seed)
    description = [*layers, ("dense", n_outputs, "identity")]
    network = Network(description, (steps, n_channels), "identity", dtype, level)
    network.set_weights([rng.normal(0, 0.5, shape) for shape in network.shapes])
    return network


@pytest.mark.parametrize("level", available_levels())
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("units", [1, 4, 8, 16, 17, 35])
@pytest.mark.parametrize("sequences", [False, True])
def test_forward(cell, units, sequences, dtype, level):
    rng = np.random.default_rng(1)
    batch = random_sequences(rng, [3, 8, 1, 5] * 10)
    for direction in DIRECTIONS:
        layer = described(cell, units, sequences=sequences, direction=direction)
        network = make([layer], dtype=dtype, level=level)
        expected = recurrent_pass(batch, network.weights()[:-2], *layer[1:])
        given = network.forward(ragged(batch), 1, 1)
        np.testing.assert_allclose(given, np.vstack(expected.values), atol=1e-5 if dtype == np.float32 else 1e-12)
        assert network.forward(ragged(batch), 2, 1).tobytes() == given.tobytes()


@pytest.mark.parametrize("steps", [1, 6])
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("sequences", [False, True])
def test_sequences_of_one_length_are_the_same_as_rows(cell, steps, sequences):
    rng = np.random.default_rng(2)
    X = rng.normal(size=(70, steps, 3))
    for direction in DIRECTIONS:
        layers = [described(cell, sequences=sequences, direction=direction)]
        fixed, any_length = make(layers, steps=steps), make(layers)
        assert fixed.forward(X.reshape(70, -1), 1).tobytes() == any_length.forward(ragged(X), 1).tobytes()


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_a_prediction_depends_on_its_sequence_alone(cell, direction):
    rng = np.random.default_rng(3)
    batch = random_sequences(rng, rng.integers(1, 20, 100))
    network = make([described(cell, 20, sequences=True, direction=direction)], dtype=np.float32)
    together = np.split(network.forward(ragged(batch), 2), np.cumsum([len(each) for each in batch])[:-1])
    order = rng.permutation(len(batch))
    mixed = network.forward(ragged([batch[i] for i in order]), 1)
    mixed = np.split(mixed, np.cumsum([len(batch[i]) for i in order])[:-1])
    for i, expected in enumerate(together):
        assert network.forward(ragged([batch[i]]), 1).tobytes() == expected.tobytes()
        assert mixed[list(order).index(i)].tobytes() == expected.tobytes()


def gradient_of(network, batch, targets, batch_size=None, n_threads=1, weights=None, **settings):
    """The loss's gradients by all weights, and the loss."""
    loss = Loss("squared_error", "identity", network.layers[-1].output_shape[-1])
    trainer = Trainer(network, loss, Optimizer("gradient", 0, 0), batch_size or len(batch), n_threads, **settings)
    X = ragged(batch) if network.is_ragged else np.reshape(batch, (len(batch), -1))
    value = trainer.run(X, targets, np.arange(len(batch)), weights=weights)
    return value, network.unpack(trainer.memories[0])


def differences(network, loss_of, step=1e-6):
    weights = network.weights()
    for k, array in enumerate(weights):
        found = np.empty(array.size)
        for i in range(array.size):
            sides = []
            for sign in (1, -1):
                moved = [each.copy() for each in weights]
                moved[k].flat[i] += sign * step
                network.set_weights(moved)
                sides.append(loss_of(network))
            found[i] = (sides[0] - sides[1]) / (2 * step)
        yield found.reshape(array.shape)
    network.set_weights(weights)


@pytest.mark.parametrize(("cell", "sequences", "direction"), list(product(CELLS, [False, True], DIRECTIONS)))
def test_gradients(cell, sequences, direction):
    """Of a layer of each kind between two others, so that its own inputs' gradients are held to differences, too."""
    rng = np.random.default_rng(4)
    batch = random_sequences(rng, [3, 1, 5, 2], 2)
    layers = [("dense", 3, "tanh"), described(cell, 3, sequences=sequences, direction=direction)]
    network = make(layers, 2)
    n_rows = sum(map(len, batch)) if sequences else len(batch)
    targets, weights = rng.normal(size=(n_rows, 2)), rng.uniform(0.5, 2, n_rows)
    loss = Loss("squared_error", "identity", 2)

    def loss_of(network):
        return network.loss(ragged(batch), targets, weights, loss, 1) / weights.sum()

    _, gradients = gradient_of(network, batch, targets, weights=weights)
    for given, expected in zip(gradients, differences(network, loss_of), strict=True):
        np.testing.assert_allclose(given, expected, atol=1e-7)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("activation", ["relu", "identity", "elu", "softplus", "logistic"])
def test_gradients_of_other_activations(cell, activation):
    rng = np.random.default_rng(5)
    batch = random_sequences(rng, [3, 1, 4], 2)
    network = make([described(cell, 3, activation, "tanh" if cell != "simple" else "identity", sequences=True)], 2)
    targets = rng.normal(size=(8, 2))
    loss = Loss("squared_error", "identity", 2)
    _, gradients = gradient_of(network, batch, targets)
    expected = differences(network, lambda network: network.loss(ragged(batch), targets, None, loss, 1) / 8)
    for given, difference in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(given, difference, atol=1e-7)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_any_number_of_threads_gives_the_same_bits(cell, direction, dtype):
    rng = np.random.default_rng(6)
    batch = random_sequences(rng, rng.integers(1, 12, 150))
    results = set()
    for n_threads in (1, 2, 3, 8):
        layers = [
            described(cell, 20, sequences=True, direction=direction, dropout=0.2, recurrent_dropout=0.3),
            described(cell, 10, direction=direction),
        ]
        network = make(layers, dtype=dtype)
        loss = Loss("squared_error", "identity", 2)
        trainer = Trainer(network, loss, Optimizer("adam", 0.01, 0, 0.9, 0.99, 1e-8), 64, n_threads, seed=3)
        targets = np.random.default_rng(7).normal(size=(150, 2)).astype(dtype)
        losses = [trainer.run(ragged(batch), targets, np.arange(150)) for _ in range(2)]
        results.add((*losses, network.parameters.tobytes()))
    assert len(results) == 1


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("rates", [(0.4, 0.0), (0.0, 0.4), (0.3, 0.5)])
@pytest.mark.parametrize("direction", ["forward", "concat"])
def test_gradients_with_dropout(cell, rates, direction):
    """Losses are those of the steps that the same seed and number make: masks are drawn anew for each number."""
    rng = np.random.default_rng(8)
    batch = random_sequences(rng, [3, 1, 4], 4)
    layers = [
        ("dense", 4, "tanh"),
        described(cell, 4, direction=direction, dropout=rates[0], recurrent_dropout=rates[1]),
    ]
    network = make(layers, 4)
    targets = rng.normal(size=(3, 2))
    _, gradients = gradient_of(network, batch, targets, seed=5)

    def loss_of(network):
        return gradient_of(network, batch, targets, seed=5)[0] / 3

    assert (
        abs(loss_of(network) - network.loss(ragged(batch), targets, None, Loss("squared_error", "identity", 2), 1) / 3)
        > 1e-4
    )
    for given, expected in zip(gradients, differences(network, loss_of), strict=True):
        np.testing.assert_allclose(given, expected, atol=1e-7)


def test_frozen_layers_pass_the_error_on():
    rng = np.random.default_rng(9)
    batch = random_sequences(rng, [3, 1, 4], 3)
    layers = [described("gru", 3, sequences=True), described("lstm", 3, use_bias=True, trainable=False)]
    network, learning = make(layers, 3), make([layers[0], described("lstm", 3)], 3)
    targets = rng.normal(size=(3, 2))
    frozen, all_of_them = (gradient_of(each, batch, targets)[1] for each in (network, learning))
    for given, expected in zip(frozen[:9], all_of_them[:9], strict=True):
        np.testing.assert_array_equal(given, expected)


def test_layers_without_biases():
    rng = np.random.default_rng(10)
    batch = random_sequences(rng)
    for cell in CELLS:
        layer = described(cell, use_bias=False)
        network = make([layer])
        expected = recurrent_pass(batch, network.weights()[:-2], *layer[1:])
        np.testing.assert_allclose(network.forward(ragged(batch), 1, 1), np.vstack(expected.values), atol=1e-12)


def truncated_by_hand(cell, network, batch, targets, weights, n_steps, rate):
    """The weights after plain gradient descent, a step for each window, and the epoch's loss."""
    arrays, states, loss = network.weights(), [None] * len(batch), 0.0
    starts = np.cumsum([0, *map(len, batch)])
    for first in range(0, max(map(len, batch)), n_steps):
        alive = [i for i, each in enumerate(batch) if len(each) > first]
        of_layer, (W, b) = arrays[:-2], arrays[-2:]
        of_window = recurrent_pass(
            [batch[i][first : first + n_steps] for i in alive],
            of_layer,
            *described(cell, 5, sequences=True)[1:],
            states=[states[i] for i in alive] if first else None,
        )
        rows = [np.arange(starts[i], starts[i + 1])[first : first + n_steps] for i in alive]
        its_weights = np.concatenate([weights[each] for each in rows])
        h = np.vstack(of_window.values)
        errors = h @ W + b - targets[np.concatenate(rows)]
        losses = (errors**2).mean(axis=1) / 2 * its_weights
        loss += losses.sum() / its_weights.sum() * len(batch) * len(its_weights) / len(targets)
        delta = errors / 2 * its_weights[:, None] / its_weights.sum()
        _, gradients = of_window.back(np.split(delta @ W.T, np.cumsum([len(each) for each in rows])[:-1]))
        gradients = [*engine_weights(gradients, cell), h.T @ delta, delta.sum(axis=0)]
        arrays = [array - rate * gradient for array, gradient in zip(arrays, gradients, strict=True)]
        for i, state in zip(alive, of_window.states, strict=True):
            states[i] = state
    return arrays, loss


def engine_weights(weights, cell):
    kernel, recurrent_kernel, bias = weights
    biases = bias if cell == "gru" else [bias, None]
    n_gates = {"simple": 1, "gru": 3, "lstm": 4}[cell]
    for matrix, its_bias in zip((kernel, recurrent_kernel), biases, strict=True):
        for gate in range(n_gates):
            yield np.split(matrix, n_gates, axis=1)[gate]
            if its_bias is not None:
                yield np.split(its_bias, n_gates)[gate]


@pytest.mark.parametrize("cell", CELLS)
def test_truncated_windows(cell):
    rng = np.random.default_rng(11)
    batch = random_sequences(rng, [9, 7, 7, 4, 2, 1])
    network = make([described(cell, sequences=True)])
    n_rows = sum(map(len, batch))
    targets, weights = rng.normal(size=(n_rows, 2)), rng.uniform(0.5, 2, n_rows)
    expected, expected_loss = truncated_by_hand(cell, network, batch, targets, weights, 3, 0.1)
    loss = Loss("squared_error", "identity", 2)
    trainer = Trainer(network, loss, Optimizer("sgd", 0.1, 0), len(batch), 1, truncate_steps=3)
    value = trainer.run(ragged(batch), targets, np.arange(len(batch)), weights=weights)
    assert trainer.optimizer.step_count == 3
    np.testing.assert_allclose(value, expected_loss, rtol=1e-12)
    for given, array in zip(network.weights(), expected, strict=True):
        np.testing.assert_allclose(given, array, atol=1e-12)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("truncate_steps", [4, 20])
def test_windows_with_any_number_of_threads_give_the_same_bits(cell, truncate_steps):
    rng = np.random.default_rng(12)
    batch = random_sequences(rng, rng.integers(1, 20, 150))
    n_rows = sum(map(len, batch))
    targets, results = rng.normal(size=(n_rows, 2)), set()
    settings = [(n, truncate_steps) for n in (1, 2, 3, 8)] + [(1, None)] * (truncate_steps == 20)
    for n_threads, n_steps in settings:
        network = make([described(cell, 20, sequences=True, recurrent_dropout=0.2), described(cell, 8, sequences=True)])
        loss = Loss("squared_error", "identity", 2)
        optimizer = Optimizer("adam", 0.01, 0, 0.9, 0.99, 1e-8)
        trainer = Trainer(network, loss, optimizer, 64, n_threads, seed=3, truncate_steps=n_steps)
        losses = [trainer.run(ragged(batch), targets, np.arange(150)) for _ in range(2)]
        results.add((*losses, network.parameters.tobytes()))
    assert len(results) == 1


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([described("gru")], "truncate_steps must be None for a network without sequences"),
        ([described("gru", sequences=True, direction="backward")], "a layer that looks ahead .* layer 0, recurrent"),
        ([described("gru", sequences=True, direction="sum")], "a layer that looks ahead"),
    ],
)
def test_networks_that_are_not_trained_in_windows(layers, message):
    network = make(layers)
    with pytest.raises(ValueError, match=message):
        Trainer(network, Loss("squared_error", "identity", 2), Optimizer("sgd", 0.1, 0), 8, 1, truncate_steps=3)
