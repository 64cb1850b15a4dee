"""Layers over sequences of any length: as over each sequence by itself, in a network for samples of its shape."""

import pickle
from itertools import pairwise

import numpy as np
import pytest
from problems import SETTINGS

from fastnn.data.ragged import Sequences
from fastnn.engine.loss import Loss
from fastnn.engine.network import Network
from fastnn.engine.optimizer import Optimizer
from fastnn.engine.steps import steps_by_layer
from fastnn.engine.trainer import Trainer

CHANNELS = 6
LENGTHS = [9, 30, 1, 7, 7, 2, 64, 12, 3, 1, 17, 5, 8, 4, 21, 6, 11]


def convolution(filters, kernel_size, stride=1, padding="valid", dilation=1, groups=1, activation="relu", pool=None):
    return (
        "convolution", filters, (kernel_size,), (stride,), padding, (dilation,), groups, activation, True, True,
        None if pool is None else (pool,),
    )  # fmt: skip


# Layers that make a sequence, the least steps that they read, and the rate of the dropout that may follow.
KINDS = {
    "valid": convolution(5, 3),
    "valid, striding": convolution(7, 4, 3),
    "valid, dilated": convolution(5, 3, dilation=2, activation="tanh"),
    "same": convolution(8, 4, padding="same", activation="gelu"),
    "same, striding": convolution(5, 4, 3, "same"),
    "same, striding beyond the kernel": convolution(4, 2, 5, "same", activation="tanh"),
    "same, in groups": convolution(6, 3, 2, "same", groups=3),
    "same, dilated": convolution(3, 3, padding="same", dilation=4),
    "causal": convolution(5, 3, padding="causal"),
    "causal, striding": convolution(5, 3, 2, "causal", activation="tanh"),
    "causal, dilated in groups": convolution(4, 2, 1, "causal", 3, 2),
    "one tap": convolution(17, 1),
    "pooled": convolution(5, 3, padding="same", pool=2),
    "pooled, striding": convolution(4, 3, 2, "valid", activation="leaky_relu", pool=3),
    "pooled, causal in groups": convolution(6, 4, padding="causal", groups=2, pool=4),
    "max pooling": ("max_pooling", (2,)),
    "max pooling that overlaps": ("max_pooling", (5,), (2,), "same"),
    "average pooling": ("average_pooling", (3,), (1,), "valid"),
    "average pooling with padding": ("average_pooling", (4,), (3,), "same"),
    "a copy": ("reshape", None, "tanh"),
    "rescaling": ("rescaling", 0.5, -0.25),
    "dense": ("dense", 5, "tanh"),
    "layer normalization": ("layer_normalization", 1e-3, "relu"),
    "batch normalization": ("batch_normalization", 0.9, 1e-3, "identity", False),
}
ENDS = {
    "of the maximum": [("global_max_pooling",), ("dense", 3, "identity")],
    "of the mean": [("global_average_pooling",), ("dense", 3, "identity")],
    "of each step": [("dense", 3, "identity")],
}


def sequences(rng, lengths, dtype="float64", first=3, channels=CHANNELS):
    """Sequences of these lengths, among other rows."""
    starts = first + np.concatenate([[0], np.cumsum(lengths)])
    return Sequences(rng.normal(size=(starts[-1] + 2, channels)).astype(dtype), starts.astype(np.intp))


def make(description, shape, dtype="float64", level=None, channels=CHANNELS):
    network = Network(description, (shape, channels), "identity", dtype, level)
    rng = np.random.default_rng(1)
    network.set_weights([0.3 + 0.7 * rng.random(s) if len(s) == 1 else rng.normal(0, s[0] ** -0.5, s)
                         for s in network.shapes])  # fmt: skip
    return network


def with_steps_left(description, X):
    """Those of the sequences of which each layer makes a step."""
    left = [True] * len(X)
    steps = X.lengths
    for layer in make(description, None).layers:
        steps = layer.output_steps(steps)
        if steps is None:
            break
        left &= steps > 0
    return X if np.all(left) else X[np.flatnonzero(left)]


def make_trainer(network, optimizer="accumulate", batch_size=1000, n_threads=1, **settings):
    loss = Loss("squared_error", "identity", network.layers[-1].output_shape[-1])
    return Trainer(network, loss, Optimizer(optimizer, **SETTINGS[optimizer]), batch_size, n_threads, **settings)


def check_forward(description, X, dtype, level=None):
    network = make(description, None, dtype, level)
    for depth in range(1, len(description) + 1):
        made = network.forward(X, 1, depth=depth)
        starts = network.row_starts(X, depth)
        starts = np.arange(len(X) + 1) if starts is None else starts
        assert len(made) == starts[-1]
        for sequence, (start, end) in zip(X, pairwise(starts), strict=True):
            alone = make(description, len(sequence), dtype, level)
            expected = alone.forward(sequence.reshape(1, -1), 1, depth=depth).reshape(end - start, -1)
            np.testing.assert_array_equal(made[start:end], expected)
    for n_threads in (2, 3, 8):
        np.testing.assert_array_equal(network.forward(X, n_threads), made)


def check_gradients(description, X, level=None):
    """The loss and the gradient are sums of those of each sequence alone."""
    rng = np.random.default_rng(2)
    network = make(description, None, level=level)
    starts = network.row_starts(X)
    starts = np.arange(len(X) + 1) if starts is None else starts
    targets, weights = rng.normal(size=(starts[-1], 3)), rng.random(starts[-1])
    trainer = make_trainer(network)
    loss = trainer.run(X, targets, rng.permutation(len(X)), weights=weights)
    expected_loss, expected = 0.0, [0.0] * len(network.shapes)
    for sequence, (start, end) in zip(X, pairwise(starts), strict=True):
        alone = make_trainer(make(description, len(sequence), level=level))
        own = targets[start:end], weights[start:end]
        expected_loss += alone.run(sequence.reshape(1, -1), own[0], np.arange(1), weights=own[1])
        gradients = alone.network.unpack(alone.memories[0])
        expected = [total + each for total, each in zip(expected, gradients, strict=True)]
    assert loss == pytest.approx(expected_loss, rel=1e-12)
    for got, its in zip(network.unpack(trainer.memories[0]), expected, strict=True):
        np.testing.assert_allclose(got, its, rtol=0, atol=1e-10)
    assert network.loss(X, targets, weights, trainer.loss, 1) == pytest.approx(expected_loss, rel=1e-12)


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
@pytest.mark.parametrize("layer", KINDS.values(), ids=KINDS)
def test_each_layer(layer, end, rng, level):
    """By itself, and above a layer that learns, to which the error goes back."""
    for description in ([layer, *end], [convolution(6, 2, padding="same"), layer, *end]):
        for dtype in ("float32", "float64"):
            check_forward(description, with_steps_left(description, sequences(rng, LENGTHS, dtype)), dtype, level)
        check_gradients(description, with_steps_left(description, sequences(rng, LENGTHS)), level)


@pytest.mark.parametrize("seed", range(25))
def test_random_chains(seed):
    rng = np.random.default_rng(seed)
    names, ends = list(KINDS), list(ENDS)
    description = [KINDS[names[i]] for i in rng.integers(len(names), size=rng.integers(1, 6))]
    if rng.random() < 0.3:  # in which the channels do not fit groups
        description.insert(0, convolution(12, 1))
    description = [(*each[:6], 1, *each[7:]) if each[0] == "convolution" else each for each in description]
    description += ENDS[ends[rng.integers(len(ends))]]
    X = with_steps_left(description, sequences(rng, [500, *rng.integers(1, 200, size=rng.integers(1, 40))]))
    assert len(X)
    check_forward(description, X, "float64")
    check_gradients(description, X)


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_wide_layers_which_threads_share(end, rng, level):
    description = [("dense", 260, "tanh"), ("dense", 250, "relu"), convolution(3, 2, padding="same"), *end]
    X = sequences(rng, LENGTHS)
    check_forward(description, X, "float64", level)
    check_gradients(description, X, level)


LARGE = [
    convolution(24, 5, padding="same", pool=2),
    ("batch_normalization", 0.9, 1e-3, "relu"),
    convolution(32, 3, 2, "same", activation="gelu"),
    ("layer_normalization", 1e-3),
    ("reshape", None, "tanh"),
    ("average_pooling", (2,), (1,), "same"),
]


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_threads_and_cuts_change_no_bit(dtype, end, rng):
    """Nor does the memory that earlier runs have booked for longer sequences."""
    description = [*LARGE, *end]
    X = sequences(rng, rng.integers(2, 90, size=150), dtype)
    longer = sequences(rng, [300] * 40, dtype)
    order, rates = rng.permutation(len(X)), [0.1, 0.0, 0.2, 0.0, 0.3, 0.0, 0.0][: len(description) - 1]

    def targets_for(network, X):
        starts = network.row_starts(X)
        n_rows = len(X) if starts is None else starts[-1]
        return np.sin(np.arange(3.0 * n_rows)).reshape(n_rows, 3)

    def outcome(n_threads, cut, before=()):
        network = make(description, None, dtype)
        trainer = make_trainer(network, "adam", 32, n_threads, dropout=rates, clip_norm=0.5)
        targets = targets_for(network, X)
        for each in before:
            trainer.run(each, targets_for(network, each), np.arange(len(each)))
            network.set_weights(make(description, None, dtype).weights())
            trainer.memories[:] = 0
            trainer.optimizer.step_count = 0
        loss = trainer.run(X, targets, order[:cut])
        loss = trainer.run(X, targets, order[cut:], loss)
        after = network.loss(X, targets, None, trainer.loss, n_threads)
        return loss, after, network.parameters.tobytes(), network.forward(X, n_threads).tobytes()

    alone = outcome(1, 0)
    assert np.isfinite(alone[0])
    for n_threads in (2, 3, 8):
        assert outcome(n_threads, 0) == alone
    assert outcome(2, 64) == outcome(1, 96) == alone
    assert outcome(2, 0, [longer]) == outcome(1, 0, [X[:5], longer, X]) == alone


@pytest.mark.parametrize("given", ["float32", "float64", "int8", "bool"])
def test_any_type_and_strides_of_X(given, rng, dtype):
    """Also where X is rescaled while it is gathered, and of a network's copies."""
    description = [("rescaling", 0.5, 1.0), *LARGE, *ENDS["of each step"]]
    X = sequences(rng, [n for n in LENGTHS if n > 1])
    values, network = (3 * X.values).astype(given), make(description, None, dtype)
    targets = rng.normal(size=(network.row_starts(X)[-1], 3))

    def outcome(values, network):
        sequences = Sequences(values, X.starts)
        trainer = make_trainer(network.copy(), "sgd", 7)
        loss = trainer.run(sequences, targets, np.arange(len(X)))
        made = network.forward(sequences, 1).tobytes()
        return (
            made,
            loss,
            network.loss(sequences, targets, None, trainer.loss, 1),
            trainer.network.weights()[0].tobytes(),
        )

    expected = outcome(values.astype(dtype), network)
    for other in (values, np.repeat(values, 2, 1)[:, ::2], values[::-1].copy()[::-1], np.asfortranarray(values)):
        assert outcome(other, network) == expected
    assert outcome(values, pickle.loads(pickle.dumps(network))) == expected


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_a_prediction_depends_on_its_sequence_alone(end, rng, dtype, level):
    description = [*LARGE, *end]
    network, X = make(description, None, dtype, level), sequences(rng, rng.integers(2, 400, size=100), "float64")
    made, starts = network.forward(X, 2), network.row_starts(X)
    starts = np.arange(len(X) + 1) if starts is None else starts
    for i in range(0, len(X), 9):
        np.testing.assert_array_equal(network.forward(X[i : i + 1], 1), made[starts[i] : starts[i + 1]])
    np.testing.assert_array_equal(network.forward(X[::-1], 1)[: starts[-1] - starts[-2]], made[starts[-2] :])


def test_batch_normalization_over_all_steps(rng):
    """Of a batch, as over as many samples of one position each: the losses, the gradients and the moving averages."""
    description = [("batch_normalization", 0.9, 1e-3, "tanh"), ("dense", 4, "relu"),
                   ("batch_normalization", 0.5, 1e-3), ("dense", 3, "identity")]  # fmt: skip
    X = sequences(rng, LENGTHS, first=0)
    rows = X.values[: X.starts[-1]]
    targets = rng.normal(size=(len(rows), 3))
    ragged = make_trainer(make(description, None), "gradient")
    network = Network(description, (CHANNELS,), "identity", "float64")
    network.set_weights(ragged.network.weights())
    flat = make_trainer(network, "gradient")
    losses = (
        ragged.run(X, targets, np.arange(len(X))) / len(X),
        flat.run(rows, targets, np.arange(len(rows))) / len(rows),
    )
    assert losses[0] == pytest.approx(losses[1], rel=1e-12)
    for of in (lambda t: t.network.weights(), lambda t: t.network.unpack(t.memories[0])):
        for got, expected in zip(of(ragged), of(flat), strict=True):
            np.testing.assert_allclose(got, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", KINDS)
def test_equal_lengths_are_as_one_shape(name, rng):
    """Also where samples depend on each other."""
    for end in ENDS.values():
        description = [("rescaling", 2.0, 0.5), convolution(6, 3, padding="causal", activation="identity"),
                       ("batch_normalization", 0.9, 1e-3, "relu"), KINDS[name], *end]  # fmt: skip
        X = sequences(rng, [13] * 40, first=0)
        ragged, fixed = (make_trainer(make(description, shape), "momentum", 16) for shape in (None, 13))
        starts = ragged.network.row_starts(X)
        targets = rng.normal(size=(len(X) if starts is None else starts[-1], 3))
        rows = X.values[: X.starts[-1]].reshape(len(X), -1)
        order = rng.permutation(len(X))
        assert ragged.run(X, targets, order) == pytest.approx(fixed.run(rows, targets, order), rel=1e-12)
        for got, expected in zip(ragged.network.weights(), fixed.network.weights(), strict=True):
            np.testing.assert_allclose(got, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("layer", "steps"),
    [
        (convolution(3, 4, dilation=2), 6),
        (convolution(3, 3, padding="same", pool=4), 3),
        (convolution(3, 3, 2, pool=2), 4),
        (("max_pooling", (3,)), 2),
        (("average_pooling", (3,), (1,)), 2),
    ],
)
@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_a_sequence_without_a_step_left_is_refused(layer, steps, end, rng):
    network, X = make([("rescaling", 0.5), layer, *end], None), sequences(rng, [20, 30, steps, 40])
    message = f"got 0 by layer 1, {layer[0]}, of sequence 2 with {steps} steps"
    targets, loss = np.zeros((4, 3)), Loss("squared_error", "identity", 3)
    with pytest.raises(ValueError, match=message):
        network.forward(X, 1)
    with pytest.raises(ValueError, match=message):
        network.loss(X, targets, None, loss, 1)
    with pytest.raises(ValueError, match=message):
        make_trainer(network).run(X, targets, np.array([3, 1, 2, 0]))
    longer = sequences(rng, [20, 30, steps + 1, 40])
    assert steps_by_layer(network.layers[:2], longer.lengths)[-1].min() == 1
    network.forward(longer, 1)


@pytest.mark.parametrize("shape", [(5, CHANNELS), (CHANNELS,), 3])
def test_sequences_keep_their_shape(shape):
    with pytest.raises(ValueError, match="shape must be None for sequences of any length, got "):
        make([("reshape", shape), ("dense", 3, "identity")], None)
