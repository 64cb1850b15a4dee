"""Recurrent layers in the engine: over sequences of any length, against the definitions in NumPy."""

from concurrent.futures import ThreadPoolExecutor
from itertools import product

import numpy as np
import pytest
from recurrent_networks import CELLS, DIRECTIONS, described, make, ragged, random_sequences
from reference import recurrent_pass

from fastnn.data.ragged import Sequences
from fastnn.engine.isa import available_levels
from fastnn.engine.loss import Loss
from fastnn.engine.optimizer import Optimizer
from fastnn.engine.trainer import Trainer


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


@pytest.mark.parametrize("rates", [(0.5, 0.0), (0.0, 0.5)])
def test_frozen_layers_drop_units(rates):
    """Also the first one, to whose inputs no error goes back."""
    rng = np.random.default_rng(11)
    batch = random_sequences(rng)
    targets = rng.normal(size=(len(batch), 2))
    losses = set()
    for trainable in (True, False):
        layer = described("gru", dropout=rates[0], recurrent_dropout=rates[1], use_bias=True, trainable=trainable)
        losses.add(gradient_of(make([layer]), batch, targets, seed=5)[0])
    assert len(losses) == 1
    assert losses != {gradient_of(make([described("gru")]), batch, targets, seed=5)[0]}


@pytest.mark.parametrize("steps", [None, 4])
def test_gradients_of_stacks_with_a_loss_at_each_step(steps):
    """Each step has a weight of its own, some of them 0."""
    rng = np.random.default_rng(12)
    batch = random_sequences(rng, [3, 1, 5, 2] if steps is None else [steps] * 4, 2)
    layers = [
        described("lstm", 3, sequences=True, direction="concat"),
        ("dense", 3, "tanh"),
        described("gru", 2, sequences=True, direction="backward"),
        described("simple", 3, sequences=True, direction="mul"),
    ]
    network = make(layers, 2, steps=steps)
    n_rows = sum(map(len, batch))
    targets, weights = rng.normal(size=(n_rows, 2)), rng.uniform(0.5, 2, n_rows)
    weights[::3] = 0
    loss = Loss("squared_error", "identity", 2)
    X = ragged(batch) if steps is None else np.reshape(batch, (4, -1))

    def loss_of(network):
        return network.loss(X, targets, weights, loss, 1) / weights.sum()

    _, gradients = gradient_of(network, batch, targets, weights=weights)
    for given, expected in zip(gradients, differences(network, loss_of), strict=True):
        np.testing.assert_allclose(given, expected, atol=1e-7)


def test_sequences_that_are_not_there_are_refused():
    values, network = np.ones((6, 3)), make([described("gru")])
    loss = Loss("squared_error", "identity", 2)
    trainer = Trainer(network, loss, Optimizer("sgd", 0.1), 2, 1)
    for starts in ([0, 7], [-1, 3], [0, 3, 3], [3, 2], [0, 2**62], [0, 2, 1, 6]):
        X = Sequences(values, np.array(starts, np.intp))
        targets = np.zeros((max(0, len(X.starts) - 1), 2))
        for call in (
            lambda X=X: network.forward(X, 1),
            lambda X=X, targets=targets: network.loss(X, targets, None, loss, 1),
            lambda X=X, targets=targets: trainer.run(X, targets, np.arange(len(targets))),
        ):
            with pytest.raises(ValueError, match="the starts of sequences must ascend from 0 or more to at most 6"):
                call()
    assert len(network.forward(Sequences(values, np.array([4], np.intp)), 1)) == 0
    with pytest.raises(ValueError, match=r"starts of sequences must ascend .*, got .* from 0\.0 to 3\.0 with type"):
        network.forward(Sequences(values, np.array([0.0, 3.0])), 1)


@pytest.mark.parametrize("cell", CELLS)
def test_what_is_not_a_number_stays_in_its_sequence(cell):
    rng = np.random.default_rng(13)
    batch = random_sequences(rng, [4, 9, 2, 9, 7] * 9)
    for direction in DIRECTIONS:
        network = make([described(cell, 17, sequences=True, direction=direction)])
        expected = np.split(network.forward(ragged(batch), 1), np.cumsum([len(each) for each in batch])[:-1])
        damaged = [each.copy() for each in batch]
        for i in range(0, len(batch), 7):
            damaged[i][1, 0] = np.nan
        given = np.split(network.forward(ragged(damaged), 1), np.cumsum([len(each) for each in batch])[:-1])
        for i, (one, other) in enumerate(zip(given, expected, strict=True)):
            assert np.isnan(one).any() if i % 7 == 0 else one.tobytes() == other.tobytes()


@pytest.mark.parametrize("clip_norm", [None, 0.1])
@pytest.mark.parametrize("n_threads", [1, 3])
def test_batches_of_one_run_are_those_of_several(clip_norm, n_threads):
    """The matrices' transposes, by which the error goes back, are brought up to date by each step."""
    rng = np.random.default_rng(16)
    batch = random_sequences(rng, rng.integers(1, 12, 90))
    targets, results = rng.normal(size=(90, 2)), set()
    for size in (90, 30):
        layers = [
            described(cell, 20, sequences=cell != "gru", direction="concat") for cell in ("lstm", "simple", "gru")
        ]
        network = make(layers)
        trainer = Trainer(
            network, Loss("squared_error", "identity", 2), Optimizer("sgd", 0.1), 30, n_threads, clip_norm=clip_norm
        )
        loss = 0.0
        for first in range(0, 90, size):
            loss = trainer.run(ragged(batch), targets, np.arange(first, first + size), loss)
        results.add((loss, network.parameters.tobytes()))
    assert len(results) == 1


def test_several_threads_of_python_predict_at_once():
    rng = np.random.default_rng(14)
    network = make([described("gru", 20, sequences=True, direction="concat"), described("lstm", 9)], dtype=np.float32)
    batches = [ragged(random_sequences(rng, rng.integers(1, 30, 200))) for _ in range(4)]
    expected = [network.forward(X, 1).tobytes() for X in batches]
    with ThreadPoolExecutor(4) as pool:
        given = list(pool.map(lambda i: network.forward(batches[i % 4], 2).tobytes(), range(40)))
    assert given == expected * 10


@pytest.mark.parametrize("cell", CELLS)
def test_sizes_at_the_ends_of_their_ranges(cell):
    """A long sequence among the shortest ones, a single channel and unit, batches and threads beyond the samples."""
    rng = np.random.default_rng(15)
    batch = random_sequences(rng, [1] * 40 + [3000] + [2] * 30, 1)
    results = set()
    for n_threads, batch_size in ((1, 71), (8, 71), (64, 100)):
        network = make([described(cell, 1, sequences=True), described(cell, 1, direction="concat")], 1, 1)
        loss = Loss("squared_error", "identity", 1)
        trainer = Trainer(network, loss, Optimizer("sgd", 0.01), batch_size, n_threads, clip_norm=1.0)
        targets = np.ones((71, 1))
        results.add((batch_size, trainer.run(ragged(batch), targets, np.arange(71)), network.parameters.tobytes()))
        assert np.isfinite(network.parameters).all()
        assert trainer.run(ragged(batch[:2]), targets[:2], np.arange(2), weights=np.zeros(2)) == 0
    assert len({each[1:] for each in results if each[0] == 71}) == 1


def test_layers_without_biases():
    rng = np.random.default_rng(10)
    batch = random_sequences(rng)
    for cell in CELLS:
        layer = described(cell, use_bias=False)
        network = make([layer])
        expected = recurrent_pass(batch, network.weights()[:-2], *layer[1:])
        np.testing.assert_allclose(network.forward(ragged(batch), 1, 1), np.vstack(expected.values), atol=1e-12)


@pytest.mark.parametrize("dtype", [np.int32, np.uint32, np.int64, np.uint16])
def test_starts_of_any_integer_type(dtype):
    rng = np.random.default_rng(13)
    batch = random_sequences(rng, rng.integers(1, 30, 50))
    X, network = ragged(batch), make([described("gru", sequences=True)])
    of_type = Sequences(X.values, X.starts.astype(dtype))
    assert network.forward(of_type, 2).tobytes() == network.forward(X, 2).tobytes()
    targets = rng.normal(size=(len(X.values), 2))
    assert gradient_of(network, batch, targets, 16)[0] == Trainer(
        network, Loss("squared_error", "identity", 2), Optimizer("gradient", 0, 0), 16, 1
    ).run(of_type, targets, np.arange(50))
