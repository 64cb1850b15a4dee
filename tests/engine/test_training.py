"""Trainer.run against the reference, from every kind of array; the same bits from any number of threads."""

from itertools import chain

import numpy as np
import pytest
import reference
from problems import LOSSES, SETTINGS, make_loss, make_network, make_trainer, parted, random_targets, random_weights

from fastnn.engine.arrays import source_dtypes
from fastnn.engine.network import heads
from fastnn.engine.optimizer import optimizer_names

N_FEATURES, N_OUTPUTS = 17, 3

# What runs: hidden layers' sizes, their activations, the batch size, and how many samples.
CASES = {
    "partial last batch": ((20, 11), ("relu", "silu"), 8, 45),
    "whole batches": ((33,), ("tanh",), 16, 32),
    "one by one": ((9,), ("gelu",), 1, 7),
    "one batch, not full": ((9,), ("elu",), 100, 13),
    "no hidden layer": ((), (), 10, 25),
}


@pytest.mark.parametrize("l2", [0.0, 0.5])
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("optimizer", optimizer_names)
def test_training_follows_the_reference(optimizer, name, case, l2, rng, dtype, level):
    hidden, activations, batch_size, n = CASES[case]
    X = rng.normal(size=(40, N_FEATURES)).astype(dtype)
    weights, targets = random_weights(rng, (N_FEATURES, *hidden, N_OUTPUTS), dtype), random_targets(rng, name, 40, 3)
    order = rng.integers(0, 40, n)
    settings = {**SETTINGS[optimizer], "l2": l2}
    expected, loss, memories = reference.train(
        weights, activations, make_loss(name, N_OUTPUTS), X, targets, order, batch_size, optimizer, **settings
    )

    trainer = make_trainer(weights, activations, name, optimizer, batch_size, level=level, **settings)
    eps = float(np.finfo(dtype).eps)
    assert trainer.run(X, targets, order) == pytest.approx(loss, rel=10 * eps)
    assert trainer.optimizer.step_count == -(-n // batch_size)
    # Up to seven steps, each adding to weights of order 1 a tenth of a gradient, a sum of some 20 rounded numbers.
    # Counts, of poisson, make gradients and their squares larger than 1.
    check(parted(trainer.network.weights()), expected, 10 * eps)
    for memory, expected in zip(trainer.memories, memories, strict=False):
        check(parted(trainer.network.unpack(memory)), expected, 10 * eps)


def check(layers, expected_layers, tolerance):
    tolerance *= max(1, *(np.abs(expected).max() for expected in chain(*expected_layers)))
    for got, expected in zip(chain(*layers), chain(*expected_layers), strict=True):
        np.testing.assert_allclose(got, expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("name", LOSSES)
def test_an_epoch_cut_in_segments_has_the_same_bits(name, rng, dtype):
    X, targets = rng.normal(size=(50, N_FEATURES)), random_targets(rng, name, 50, N_OUTPUTS)
    weights, order = random_weights(rng, (N_FEATURES, 12, N_OUTPUTS), dtype), rng.permutation(50)
    whole, cut = (make_trainer(weights, ["relu"], name, "adam", 8, **SETTINGS["adam"], l2=0.1) for _ in range(2))
    loss = whole.run(X, targets, order)
    part = 0.0
    for first in range(0, 50, 16):
        part = cut.run(X, targets, order[first : first + 16], part)
    assert part == loss
    assert cut.run(X, targets, order[:0], part) == part
    assert cut.network.parameters.tobytes() == whole.network.parameters.tobytes()
    assert cut.memories.tobytes() == whole.memories.tobytes()


# -- threads ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LOSSES)
def test_twenty_epochs_have_the_same_bits_on_any_number_of_threads(name, rng, dtype, level):
    sizes, n, batch_size = (70, 128, 64, 10), 150, 64
    X, targets, weights = rng.random((n, 70)), random_targets(rng, name, n, 10), random_weights(rng, sizes, dtype)
    X[X < 0.4] = 0
    orders = [rng.permutation(n) for _ in range(20)]

    def outcome(n_threads):
        trainer = make_trainer(
            weights, ["relu", "gelu"], name, "adam", batch_size, n_threads, level, **SETTINGS["adam"], l2=0.01
        )
        assert trainer.step_flops > 2e6, "too small for the engine to use threads (PARALLEL_FLOPS)"
        losses = [trainer.run(X, targets, order) for order in orders]
        return losses, trainer.network.parameters.tobytes(), trainer.memories.tobytes()

    alone = outcome(1)
    assert np.isfinite(alone[0]).all() and alone[0][-1] < alone[0][0]
    for n_threads in (2, 3, 8):
        assert outcome(n_threads) == alone


@pytest.mark.parametrize("head", heads)
def test_forward(head, rng, dtype, level):
    """Against the reference, for one block of rows and for many; the same bits for any number of threads."""
    weights, activations = random_weights(rng, (70, 90, 50, N_OUTPUTS), dtype), ["relu", "softplus"]
    network = make_network(weights, activations, head, level)
    X = rng.random((1030, 70))
    X[X < 0.4] = 0
    X[64:128, 5:60] = 0  # the second block leaves columns out
    outputs = network.forward(X, 1)
    sums, _ = reference.forward(*weights, activations, X.astype(dtype))
    np.testing.assert_allclose(outputs, reference.OUTPUTS[head](sums[-1]), rtol=0, atol=50 * np.finfo(dtype).eps)
    for n_threads in (2, 3, 8):
        assert network.forward(X, n_threads).tobytes() == outputs.tobytes()
    for n in (0, 1, 63, 64, 65):
        assert network.forward(X[:n], 2).tobytes() == outputs[:n].tobytes()


# -- the arrays that X may be -----------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:invalid value encountered in cast")  # NumPy's, of signalling NaN
@pytest.mark.parametrize("source", [*source_dtypes, np.dtype(bool)], ids=str)
def test_every_value_of_a_source_is_read(source, dtype, level):
    """Through a network that multiplies by 1."""
    if source.kind == "f":
        halves = np.arange(2**16, dtype=np.uint16).view(np.float16)  # infinities, NaN and subnormal numbers included
        X = halves if source == np.float16 else np.append(halves.astype(source), source.type([np.pi, 1e-30, -1e30]))
    elif source.kind == "b":
        X = np.array([False, True])
    else:
        info = np.iinfo(source)
        X = np.array([info.min, info.min + 1, 0, 1, 100, info.max // 3, info.max - 1, info.max], source)
    weights = [np.ones((1, 1), dtype)], [np.zeros(1, dtype)]
    network = make_network(weights, [], "identity", level)
    assert np.array_equal(network.forward(X[:, None], 1), X[:, None].astype(dtype), equal_nan=True)


def odd_strides(X):
    """Numbers one byte off, and one byte apart."""
    packed = np.zeros(X.shape, np.dtype([("pad", "u1"), ("x", X.dtype)]))
    packed["x"] = X
    return packed["x"]


def read_only(X):
    X = X.copy()
    X.setflags(write=False)
    return X


LAYOUTS = {
    "Fortran": np.asfortranarray,
    "reversed": lambda X: X[::-1, ::-1].copy()[::-1, ::-1],
    "every other": lambda X: np.repeat(np.repeat(X, 2, axis=0), 3, axis=1)[::2, ::3],
    "odd strides": odd_strides,
    "read only": read_only,
    "broadcast": lambda X: np.broadcast_to(X[:1], X.shape),
}


def train_on(X, targets, dtype, level=None, order=None):
    rng = np.random.default_rng(1)
    trainer = make_trainer(
        random_weights(rng, (X.shape[1], 20, N_OUTPUTS), dtype),
        ["tanh"],
        "softmax" if targets.ndim == 1 else "logistic",
        "momentum",
        8,
        level=level,
        **SETTINGS["momentum"],
    )
    loss = trainer.run(X, targets, np.arange(len(X)) if order is None else order)
    return loss, trainer.network.parameters.tobytes()


@pytest.mark.parametrize("source", [*source_dtypes, np.dtype(bool)], ids=str)
def test_training_from_any_type(source, rng, dtype, level):
    X, labels = rng.integers(0, 3, (30, N_FEATURES)).astype(source), random_targets(rng, "softmax", 30, N_OUTPUTS)
    before = X.copy()
    assert train_on(X, labels, dtype, level) == train_on(X.astype(dtype), labels, dtype, level)
    assert np.array_equal(X, before)
    indicators = rng.integers(0, 2, (30, N_OUTPUTS)).astype(source)
    assert train_on(X, indicators, dtype, level) == train_on(X, indicators.astype(dtype), dtype, level)


@pytest.mark.parametrize("source", ["float64", "float16", "uint8"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_training_from_any_layout(layout, source, rng, dtype):
    X, labels = rng.integers(0, 9, (30, N_FEATURES)).astype(source), random_targets(rng, "softmax", 30, N_OUTPUTS)
    laid_out = LAYOUTS[layout](X)
    assert train_on(laid_out, labels, dtype) == train_on(np.ascontiguousarray(laid_out), labels, dtype)
    indicators = rng.integers(0, 2, (30, N_OUTPUTS)).astype(source)
    laid_out = LAYOUTS[layout](indicators)
    assert train_on(X, laid_out, dtype) == train_on(X, np.ascontiguousarray(laid_out), dtype)


def test_training_from_a_memory_map(rng, tmp_path, dtype):
    X, labels = rng.normal(size=(30, N_FEATURES)), random_targets(rng, "softmax", 30, N_OUTPUTS)
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    assert train_on(mapped, labels, dtype) == train_on(X, labels, dtype)
