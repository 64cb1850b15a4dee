"""Dropout: which units, by NumPy's generator; their number; what is left of outputs and gradients; and when."""

from functools import cache

import numpy as np
import pytest
import reference
from problems import all_weights, joined, make_trainer, random_targets, random_weights

from fastnn.engine.activation import activation_names
from fastnn.engine.loss import Loss

SIZES, N = (7, 6, 9, 5), 9
ORDER = np.arange(N)


def engine_masks(where, rate, dtype, level, n_threads=1):
    """The masks of a hidden layer: of one that passes ones through, each sample having weights of its own.

    The loss's gradient by each unit is 1, so that by those weights it is the mask.
    """
    seed, step, layer, n_rows, n_units = where
    sizes = (*[n_rows] * (layer + 1), n_units, 1)
    coefs = [np.eye(n_rows, dtype=dtype)] * layer + [np.ones((n_rows, n_units), dtype), np.ones((n_units, 1), dtype)]
    weights = coefs, [np.zeros(n, dtype) for n in sizes[1:]]
    loss, dropout = Loss("absolute_error", "identity", 1), (*[0.0] * layer, rate)
    trainer = make_trainer(
        weights, ["identity"] * len(dropout), loss, "accumulate", n_rows, n_threads, level, dropout=dropout, seed=seed,
        learning_rate=1.0,
    )  # fmt: skip
    trainer.optimizer.step_count = step - 1
    trainer.run(np.eye(n_rows), np.full((n_rows, 1), -1), np.arange(n_rows))
    return trainer.network.unpack(trainer.memories[0])[2 * layer]


# seed, step, layer, rows, units
PLACES = {
    "the first": (0, 1, 0, 1, 1),
    "a block": (1, 2, 0, 3, 8),
    "a block and one": (2, 1, 1, 2, 9),
    "one less": (3, 3, 2, 5, 7),
    "a large seed": (2**64 - 1, 1, 0, 2, 40),
    "a late step": (5, 2**40 + 3, 1, 2, 40),
    "enough for threads": (6, 9, 1, 70, 101),
}

numbers_at = cache(reference.dropout_numbers)


@pytest.mark.parametrize("place", PLACES)
def test_masks_are_numpys(place, dtype, level, n_threads):
    numbers = numbers_at(*PLACES[place])
    for rate in (1e-12, 0.1, 0.5, 1 - 2**-10):
        got = engine_masks(PLACES[place], rate, dtype, level, n_threads)
        np.testing.assert_array_equal(got, reference.dropout_mask(numbers, rate).astype(dtype))


def test_a_unit_goes_when_its_number_is_below_the_rate(dtype, level):
    where = (4, 1, 0, 1, 11)
    for unit, number in enumerate(numbers_at(*where)[0].tolist()):
        assert engine_masks(where, number / 2**32, dtype, level)[0, unit] != 0
        assert engine_masks(where, (number + 1) / 2**32, dtype, level)[0, unit] == 0


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropouts_expectation(rate):
    """A layer that passes ones through, and an output that adds them up: the mean over steps is their number."""
    n_units, n_rows, n_steps = 40, 64, 50
    weights = [np.ones((1, n_units)), np.ones((n_units, 1))], [np.zeros(n_units), np.zeros(1)]
    loss = Loss("squared_error", "identity", 1)
    trainer = make_trainer(weights, ["identity"], loss, "sgd", n_rows, dropout=(rate,), seed=1, learning_rate=0.0)
    X, zeros, order = np.ones((n_rows, 1)), np.zeros((n_rows, 1)), np.arange(n_rows)
    squares = [2 * trainer.run(X, zeros, order) / n_rows for _ in range(n_steps)]
    # Each unit is 1 / (1 - rate) with probability 1 - rate: their sum has mean n and variance n rate / (1 - rate).
    variance = n_units * rate / (1 - rate)
    error = 3 * np.sqrt(4 * n_units**2 * variance / (n_rows * n_steps))
    assert np.mean(squares) == pytest.approx(n_units**2 + variance, abs=error)
    assert len(set(squares)) > 0.9 * n_steps


@pytest.mark.parametrize("rates", [(0.5, 0.3), (0.0, 0.5), (0.6, 0.0)])
@pytest.mark.parametrize("activation", activation_names)
def test_gradients(activation, rates, rng, level):
    """By central differences, each of a first step: the masks are the same, for they depend on the step's number."""
    X, labels, step = rng.normal(size=(N, SIZES[0])), random_targets(rng, "softmax", N, SIZES[-1]), 6e-6
    weights, activations = random_weights(rng, SIZES), [activation] * 2
    for W in weights[0]:
        W *= 0.3  # exp of exp of larger sums is too steep for differences

    def run():
        trainer = make_trainer(
            weights, activations, "softmax", "accumulate", N, level=level, dropout=rates, seed=8, learning_rate=1.0
        )
        return trainer.run(X, labels, ORDER), trainer.network.unpack(trainer.memories[0])

    _, grads = run()
    masks = [reference.dropout_mask(numbers_at(8, 1, i, N, SIZES[i + 1]), rate) for i, rate in enumerate(rates)]
    sums, _ = reference.forward(*weights, activations, X, masks)
    assert min(np.abs(z).min() for z in sums) > 10 * step, "too near a kink for differences: take another seed"
    for grad, weight in zip(grads, joined(*weights), strict=True):
        differences = np.empty_like(weight)
        for at in np.ndindex(weight.shape):
            number, losses = weight[at], []
            for moved in (number + step, number - step):
                weight[at] = moved
                losses.append(run()[0])
            weight[at] = number
            differences[at] = (losses[0] - losses[1]) / (2 * step)
        np.testing.assert_allclose(grad, differences, rtol=0, atol=1e-7 * np.abs(grad).max())


def test_dropout_is_for_training(rng, dtype, level):
    X, labels, weights = (
        rng.normal(size=(N, SIZES[0])),
        random_targets(rng, "softmax", N, 5),
        random_weights(rng, SIZES),
    )
    weights = [[array.astype(dtype) for array in group] for group in weights]
    loss = Loss("softmax", "softmax", 5)
    with_dropout, without = (
        make_trainer(weights, ["tanh"] * 2, loss, "sgd", N, level=level, dropout=rates, learning_rate=0.0)
        for rates in ((0.5, 0.5), ())
    )
    assert with_dropout.run(X, labels, ORDER) != without.run(X, labels, ORDER)
    for use in (lambda network: network.forward(X, 1), lambda network: network.loss(X, labels, None, loss, 1)):
        np.testing.assert_array_equal(use(with_dropout.network), use(without.network))


def test_rates_of_zero_are_no_dropout(rng, dtype, level):
    X, labels, weights = (
        rng.normal(size=(N, SIZES[0])),
        random_targets(rng, "softmax", N, 5),
        random_weights(rng, SIZES),
    )

    def trained(rates, seed):
        trainer = make_trainer(weights, ["tanh"] * 2, "softmax", "sgd", 4, dropout=rates, seed=seed, learning_rate=0.1)
        return trainer.run(X, labels, ORDER), all_weights(trainer.network).tobytes()

    assert trained((), 0) == trained((0.0, 0.0), 0) == trained((0, 0), 1)
    assert trained((0.0, 0.5), 0) != trained((0.0, 0.5), 1)


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_seeds_have_64_bits(seed, rng):
    with pytest.raises(ValueError, match=rf"seed must be from 0 to 2\*\*64 - 1, got {seed}"):
        make_trainer(random_weights(rng, SIZES), ["tanh"] * 2, "softmax", "sgd", 4, seed=seed, learning_rate=0.1)
