"""Rescaling while X is gathered, wherever X is from; and layers that reshape and normalize: what they refuse."""

import itertools

import numpy as np
import pytest
import scipy.sparse as sp

from fastnn.engine import schedule
from fastnn.engine.loss import Loss
from fastnn.engine.network import Network
from fastnn.engine.optimizer import Optimizer
from fastnn.engine.trainer import Trainer

DENSE = [("dense", 9, "tanh"), ("dense", 3, "identity")]


def fit(description, X, rng, dtype="float32", level=None, shape=None, weights=None):
    """The network after a few steps, and its loss."""
    network = Network(description, shape or (X.shape[1],), "identity", dtype, level)
    network.set_weights(weights or [np.random.default_rng(0).normal(0, 0.3, shape) for shape in network.shapes])
    trainer = Trainer(network, Loss("squared_error", "identity", 3), Optimizer("sgd", 0.1), 16, 2)
    return network, trainer.run(X, np.ones((X.shape[0], 3)), rng.permutation(X.shape[0]))


@pytest.mark.parametrize("shape", [(20,), (2, 10)])
def test_x_is_rescaled_whatever_its_type(shape, dtype, level):
    pixels = np.random.default_rng(1).integers(0, 256, (50, 20), np.uint8)
    flat = [] if shape == (20,) else [("reshape", (20,))]
    losses, outputs = set(), set()
    for X in (pixels, pixels.astype(dtype), np.asfortranarray(pixels.astype("f8"))):
        description = [("rescaling", 1 / 255, -0.5), *flat, *DENSE]
        network, loss = fit(description, X, np.random.default_rng(2), dtype, level, shape)
        losses.add(loss)
        outputs.add(network.forward(X, 1).tobytes())
    assert len(losses) == len(outputs) == 1
    unscaled = (pixels / 255 - 0.5).astype(dtype)
    network, loss = fit([*flat, *DENSE], unscaled, np.random.default_rng(2), dtype, level, shape)
    assert losses.pop() == pytest.approx(loss, rel=1e-4)


def test_a_first_rescaling_makes_no_signal():
    network = Network([("rescaling", 2.0), *DENSE], (20,), "identity", "float32")
    phases = schedule.plan(network.layers)
    assert "forward 0" not in schedule.text(phases)
    assert "forward 1" in schedule.text(phases)
    assert schedule.first_layer(network.layers) == 1
    # Elsewhere it is a layer as others are.
    network = Network([("rescaling", 2.0), ("rescaling", 3.0), *DENSE], (20,), "identity", "float32")
    assert "forward 1, forward 2" in schedule.text(schedule.plan(network.layers))
    assert schedule.first_layer(Network([("rescaling", 2.0)], (20,), "identity", "float32").layers) == 0


def test_the_output_of_each_depth(rng, dtype):
    network = Network([("rescaling", 2.0, 1.0), *DENSE], (20,), "identity", dtype)
    X = rng.normal(size=(30, 20)).astype(dtype)
    np.testing.assert_allclose(network.forward(X, 1, depth=1), 2 * X + 1, rtol=1e-6)
    assert network.forward(X, 1, depth=3).tobytes() == network.forward(X, 1).tobytes()
    assert network.copy().forward(X, 1).tobytes() == network.forward(X, 1).tobytes()


def test_a_sparse_x_is_scaled(rng, dtype, level):
    X = sp.random(50, 30, 0.3, "csr", dtype, rng=rng)
    for description in ([("rescaling", 4.0), *DENSE], [("rescaling", 4.0, 0.0), *DENSE]):
        sparse, sparse_loss = fit(description, X, np.random.default_rng(2), dtype, level)
        dense, dense_loss = fit(description, X.toarray(), np.random.default_rng(2), dtype, level)
        assert sparse_loss == pytest.approx(dense_loss, rel=1e-5)
        np.testing.assert_allclose(sparse.forward(X, 1), dense.forward(X.toarray(), 1), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("first", "shape"),
    [
        ([("rescaling", 2.0, 0.5)], (30,)),
        ([("reshape", (30,))], (30,)),
        ([("layer_normalization", 0.1)], (30,)),
        ([("rescaling", 2.0), ("layer_normalization", 0.1)], (30,)),
        ([("convolution", 4, (2,), (1,), "valid", (1,), 1, "relu"), ("reshape", (56,))], (15, 2)),
        (
            [("rescaling", 2.0, 0.5), ("convolution", 4, (2,), (1,), "valid", (1,), 1, "relu"), ("reshape", (56,))],
            (15, 2),
        ),
        ([("reshape", (30,))], (5, 6)),
    ],
)
def test_a_sparse_x_becomes_dense_where_no_entries_are_read(first, shape, dtype, level):
    """Batch by batch; entries in the same place add up, and of two types of X one is converted."""
    rng = np.random.default_rng(1)
    for numbers in (np.uint8, dtype):
        X = sp.random(50, 30, 0.3, "csr", dtype, rng=rng)
        X = sp.csr_array(((8 * X.data).astype(numbers), X.indices, X.indptr), X.shape)
        X.indices[3:9] = X.indices[3]  # the same columns several times
        sparse, sparse_loss = fit([*first, *DENSE], X, np.random.default_rng(2), dtype, level, shape)
        dense, dense_loss = fit([*first, *DENSE], X.toarray(), np.random.default_rng(2), dtype, level, shape)
        assert sparse_loss == dense_loss
        assert sparse.parameters.tobytes() == dense.parameters.tobytes()
        for depth in range(1, len(sparse.layers) + 1):
            expected = dense.forward(X.toarray(), 1, depth)
            assert sparse.forward(X, 2, depth).tobytes() == expected.tobytes()


def test_a_run_on_a_sparse_x_and_one_on_a_dense_x(rng):
    """A batch of either is in the same memory, where both are gathered as dense rows."""
    X, shuffled = sp.random(50, 30, 0.3, "csr", rng=rng), rng.permutation(50)
    parameters = []
    for kinds in itertools.product((X, X.toarray()), repeat=2):
        network = Network([("layer_normalization", 0.1), *DENSE], (30,), "identity", "float64")
        network.set_weights([np.random.default_rng(0).normal(0, 0.3, shape) for shape in network.shapes])
        trainer = Trainer(network, Loss("squared_error", "identity", 3), Optimizer("sgd", 0.1), 16, 2)
        for given in kinds:
            trainer.run(given, np.ones((50, 3)), shuffled)
        parameters.append(network.parameters.tobytes())
    assert len(set(parameters)) == 1


def test_what_rescales_x_has_no_dropout():
    network = Network([("rescaling", 2.0), *DENSE], (20,), "identity", "float32")
    with pytest.raises(ValueError, match=r"dropout must have rate 0 for a layer that rescales X, got 0.5"):
        Trainer(network, Loss("squared_error", "identity", 3), Optimizer("sgd", 0.1), 16, 2, dropout=(0.5, 0.0))


@pytest.mark.parametrize(
    ("description", "message"),
    [
        (("rescaling", np.inf), "scale must be a finite number, got inf"),
        (("rescaling", 1.0, np.nan), "offset must be a finite number, got nan"),
        (("rescaling", "1"), "scale must be a finite number, got '1'"),
        (("rescaling",), r"rescaling must have 1 to 2 settings, got 0: \(\)"),
        (("reshape", (4, 6)), r"shape must have 20 numbers, as the input's \(20,\) has, got \(4, 6\)"),
        (("reshape", (2**16, 2**17)), r"shape must have 20 numbers, .*, got \(65536, 131072\)"),
        (("reshape", ()), r"shape must be a tuple of integers from 1 to 2\*\*31 - 1, got \(\)"),
        (("reshape", (-4, -5)), r"shape must be a tuple of integers from 1 .*, got \(-4, -5\)"),
        (("reshape", 20), r"shape must be a tuple of integers from 1 .*, got 20"),
        (("layer_normalization", 0.0), "epsilon must be a finite number above 0, got 0.0"),
        (("layer_normalization", np.nan), "epsilon must be a finite number above 0, got nan"),
        (("layer_normalization",), "layer_normalization must have 1 to 3 settings, got 0"),
    ],
)
def test_what_is_refused(description, message):
    with pytest.raises(ValueError, match=message):
        Network([description], (20,), "identity", "float32")


def test_large_means_leave_the_variance_its_digits(level):
    """Two passes: of squares alone nothing would be left."""
    x = 10_000 + np.arange(8, dtype=np.float32).reshape(1, 8)
    network = Network([("layer_normalization", 1e-3)], (8,), "identity", "float32", level)
    network.set_weights([np.ones(8), np.zeros(8)])
    expected = (x - x.mean()) / np.sqrt(x.astype(float).var() + 1e-3)
    np.testing.assert_allclose(network.forward(x, 1), expected, rtol=1e-5, atol=1e-6)
