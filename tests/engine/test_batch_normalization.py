"""Batch normalization beyond what test_layers.py asks of every kind: far from 0, in odd batches, and frozen."""

import numpy as np
import pytest
import reference
from scipy import sparse

from fastnn.engine.loss import Loss
from fastnn.engine.network import Network
from fastnn.engine.optimizer import Optimizer
from fastnn.engine.trainer import Trainer

N_FEATURES, N_UNITS, N_OUTPUTS = 5, 21, 3
BATCH_NORMALIZATION = ("batch_normalization", 0.0, 1e-3)  # the moving averages are the last batch's mean and variance
DENSE = ("dense", N_OUTPUTS, "identity")


def make(layers, dtype="float64", rng=None):
    network = Network(layers, (N_FEATURES,), "identity", dtype)
    weights = [np.ones(shape) if rng is None else abs(rng.normal(size=shape)) for shape in network.shapes]
    network.set_weights(weights)
    return network


def run(network, X, targets, batch_size, optimizer="sgd", n_threads=1, **settings):
    loss = Loss("squared_error", "identity", N_OUTPUTS)
    trainer = Trainer(
        network, loss, Optimizer(optimizer, 0.1), batch_size, n_threads, clip_norm=settings.pop("clip_norm", None)
    )
    return trainer.run(X, targets, np.arange(X.shape[0]), **settings)


def test_moments_far_from_zero(rng, dtype):
    """Where the squares of float32's numbers have no digit left for the variance, which loses as many as the mean."""
    X = (rng.normal(size=(700, N_FEATURES)) + 1e4 * np.arange(N_FEATURES)).astype(dtype)
    network = make([BATCH_NORMALIZATION, DENSE], dtype)
    run(network, X, np.zeros((700, N_OUTPUTS)), 700)
    _, _, mean, variance = network.weights()[:4]
    tolerance = 4 * np.finfo(dtype).eps * (1 + 1e4 * np.arange(N_FEATURES))
    assert (abs(mean - X.mean(axis=0, dtype="f8")) < tolerance).all()
    assert (abs(variance - X.var(axis=0, dtype="f8")) < 4 * tolerance).all()


@pytest.mark.parametrize("n", [1, 2, 17, 63, 65, 129])
def test_the_last_batch_may_be_smaller(n, rng):
    """One sample has no variance: only beta is left of it."""
    X, targets = rng.normal(size=(64 + n, N_FEATURES)), rng.normal(size=(64 + n, N_OUTPUTS))
    network = make([("dense", N_UNITS, "tanh"), ("batch_normalization", 0.9, 1e-3), DENSE], rng=rng)
    expected, total = network.weights(), 0.0
    for first in range(0, 64 + n, 64):
        batch = slice(first, first + 64)
        by_layer = expected[:2], expected[2:6], expected[6:]
        made, after = reference.through_layers(network.description, by_layer, X[batch])
        total += ((made - targets[batch]) ** 2).mean(axis=1).sum() / 2
        expected = [array for layer in after for array in layer]
    for n_threads in (1, 3):
        copy = network.copy()
        assert run(copy, X, targets, 64, "gradient", n_threads) == pytest.approx(total, rel=1e-12)
        for got, array in zip(copy.weights(), expected, strict=True):
            np.testing.assert_allclose(got, array, rtol=1e-12)


def test_weights_of_samples_do_not_count_in_the_moments(rng):
    X, targets = rng.normal(size=(50, N_FEATURES)), rng.normal(size=(50, N_OUTPUTS))
    network = make([BATCH_NORMALIZATION, DENSE])
    run(network, X, targets, 50, weights=rng.uniform(size=50))
    np.testing.assert_allclose(network.weights()[2], X.mean(axis=0))
    np.testing.assert_allclose(network.weights()[3], X.var(axis=0))


@pytest.mark.parametrize("clip_norm", [None, 1e-3])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_optimizers_leave_the_state_alone(optimizer, clip_norm, rng):
    X, targets = rng.normal(size=(50, N_FEATURES)), rng.normal(size=(50, N_OUTPUTS))
    network = make([BATCH_NORMALIZATION, DENSE])
    run(network, X, targets, 50, optimizer, clip_norm=clip_norm)
    gamma, beta, mean, variance = network.weights()[:4]
    assert not (gamma == 1).any()
    assert not (beta == 1).any()
    np.testing.assert_allclose(mean, X.mean(axis=0))
    np.testing.assert_allclose(variance, X.var(axis=0))


def test_a_frozen_layer_changes_nothing_of_its_own(rng):
    X, targets = rng.normal(size=(50, N_FEATURES)), rng.normal(size=(50, N_OUTPUTS))
    layers = [("dense", N_UNITS, "tanh"), (*BATCH_NORMALIZATION, "relu", False), DENSE]
    network = make(layers, rng=rng)
    before = network.weights()
    run(network, X, targets, 20)
    for i, (old, new) in enumerate(zip(before, network.weights(), strict=True)):
        assert (old == new).all() == (2 <= i < 6)


def test_a_sparse_X_has_the_bits_of_a_dense_one(rng):
    """A shift makes other numbers of its zeros, so its rows become dense."""
    X, targets = np.eye(N_FEATURES), rng.normal(size=(N_FEATURES, N_OUTPUTS))
    outcomes = []
    for samples in (X, sparse.csr_array(X)):
        network = make([BATCH_NORMALIZATION, DENSE])
        run(network, samples, targets, 5)
        outcomes.append((network.parameters.tobytes(), network.forward(samples, 1).tobytes()))
    assert outcomes[0] == outcomes[1]
