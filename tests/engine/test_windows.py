"""Training on windows of the steps of sequences, in the engine: as plain gradient descent in NumPy does it."""

import numpy as np
import pytest
from recurrent_networks import CELLS, described, make, ragged, random_sequences
from reference import recurrent_pass

from fastnn.engine.loss import Loss
from fastnn.engine.optimizer import Optimizer
from fastnn.engine.trainer import Trainer


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
