"""Embeddings beyond what test_layers.py asks of every kind: all optimizers, sequences of any length, and no tokens."""

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import recurrent_reference
import reference
from problems import SETTINGS
from scipy import sparse

from fastnn.data.ragged import Sequences
from fastnn.engine.layers.registry import make_layers
from fastnn.engine.loss import Loss
from fastnn.engine.network import Network
from fastnn.engine.optimizer import Optimizer
from fastnn.engine.trainer import Trainer

N_TOKENS, N_CHANNELS, N_STEPS = 300, 21, 4
STORING = "gradient", "accumulate"  # optimizers that change no weight
EMBEDDING = ("embedding", N_TOKENS, N_CHANNELS)


def make(layers, n_steps=N_STEPS, dtype="float64", level=None, rng=None):
    network = Network(layers, (n_steps, 1), "identity", dtype, level)
    rng = np.random.default_rng(0) if rng is None else rng
    network.set_weights([rng.normal(0, 0.5, shape) for shape in network.shapes])
    return network


def make_trainer(network, optimizer="adam", batch_size=20, n_threads=1, clip_norm=None, **settings):
    n_outputs = network.layers[-1].output_shape[-1]
    settings = {**SETTINGS[optimizer], **settings}
    return Trainer(
        network, Loss("squared_error", "identity", n_outputs), Optimizer(optimizer, **settings), batch_size, n_threads,
        clip_norm=clip_norm,
    )  # fmt: skip


def random_sequences(rng, lengths, dtype="float64"):
    starts = np.concatenate([[0], np.cumsum(lengths)])
    return Sequences(rng.integers(0, N_TOKENS, (starts[-1], 1)).astype(dtype), starts)


def expected_steps(vectors, X, targets, batch_size, optimizer, clip_norm, l2=0.0, weight_decay=0.0, **settings):
    """What training makes of the vectors, and the loss, where these are what the network returns for each step."""
    defaults = dict.fromkeys(("decay_1", "decay_2", "epsilon", "step"), 0.0)
    o, memory, total = SimpleNamespace(**{**defaults, **settings}), [np.zeros_like(vectors)] * 2, 0.0
    for first in range(0, len(X), batch_size):
        tokens = [sequence.astype(int).ravel() for sequence in X[first : first + batch_size]]
        n_rows = sum(map(len, tokens))
        made = recurrent_reference.embedding(tokens, [vectors])
        wrong = [value - target for value, target in zip(made.values, targets[first : first + batch_size], strict=True)]
        total += sum((each**2).mean(axis=1).sum() / 2 for each in wrong) * len(tokens) / n_rows
        total += l2 * (vectors**2).sum() / 2 * len(tokens) / n_rows
        _, (grad,) = made.back([each / vectors.shape[1] for each in wrong])
        grad = grad + l2 * vectors
        if optimizer != "accumulate":  # which has sums
            grad = grad / n_rows
        norm = np.linalg.norm(grad)
        o.step += 1
        kept = vectors * (1 - o.learning_rate * weight_decay)
        vectors = reference.OPTIMIZERS[optimizer](o, grad * min(1, clip_norm / norm), kept, memory)
    return vectors, total, memory[0]


@pytest.mark.parametrize(
    ("optimizer", "clip_norm"),
    [(name, np.inf) for name in SETTINGS] + [(name, 0.02) for name in SETTINGS if name not in STORING],
)
@pytest.mark.parametrize("is_ragged", [False, True])
def test_steps_are_those_of_numpy(is_ragged, optimizer, clip_norm, rng, dtype, level):
    """With the penalty and weight decay, which move the vectors of all tokens. Some tokens come several times."""
    settings = {**SETTINGS[optimizer], "l2": 0.3}
    if optimizer not in STORING:
        settings["weight_decay"] = 0.2
    lengths = rng.integers(1, 9, 50) if is_ragged else np.full(50, N_STEPS)
    X = random_sequences(rng, lengths, dtype)
    X.values[::3] = 7
    targets = rng.normal(size=(len(X.values), N_CHANNELS)).astype(dtype)
    network = make([EMBEDDING], None if is_ragged else N_STEPS, dtype, level)
    trainer = make_trainer(network, optimizer, 20, clip_norm=clip_norm if clip_norm < 1 else None, **settings)
    (vectors,) = network.weights()
    by_sequence = [targets[first:last] for first, last in pairwise(X.starts)]
    samples = X if is_ragged else X.values.reshape(50, N_STEPS)
    # Within a batch, longer sequences are taken first: sums are the same but for rounding.
    expected, total, memory = expected_steps(
        vectors.astype(float), list(X), by_sequence, 20, optimizer, clip_norm, **settings
    )
    eps = float(np.finfo(dtype).eps)
    loss = trainer.run(samples, targets, np.arange(50))
    if optimizer != "accumulate":
        assert loss == pytest.approx(total, rel=100 * eps)
    np.testing.assert_allclose(network.weights()[0], expected, rtol=0, atol=200 * eps)
    if len(trainer.memories) > 0:
        got = network.unpack(trainer.memories[0])[0]
        np.testing.assert_allclose(got, memory, rtol=0, atol=200 * eps * max(1, np.abs(memory).max()))


@pytest.mark.parametrize("clip_norm", [None, 0.05])
@pytest.mark.parametrize("is_ragged", [False, True])
def test_threads_change_no_bit(is_ragged, clip_norm, rng, dtype, level):
    layers = [("embedding", 3000, 40), ("dense", 5, "tanh"), ("dense", 3, "identity")]
    X = random_sequences(rng, rng.integers(1, 9, 150) if is_ragged else np.full(150, N_STEPS), dtype)
    targets, order, outcomes = rng.normal(size=(len(X.values), 3)), rng.permutation(150), set()
    for n_threads in (1, 2, 3, 8):
        network = make(layers, None if is_ragged else N_STEPS, dtype, level)
        trainer = make_trainer(network, "adam", 64, n_threads, clip_norm, l2=0.1)
        assert trainer.step_flops > 1e6  # or one thread takes all of it, whatever it is told
        loss = trainer.run(X if is_ragged else X.values.reshape(150, -1), targets, order)
        outcomes.add((loss, network.parameters.tobytes(), trainer.memories.tobytes()))
    assert len(outcomes) == 1


def test_a_sequence_is_predicted_as_it_is_alone(rng, dtype, level):
    X = random_sequences(rng, rng.integers(1, 200, 90), dtype)
    network = make([EMBEDDING, ("dense", 5, "tanh"), ("dense", 3, "identity")], None, dtype, level)
    together = network.forward(X, 2)
    for i in range(len(X)):
        alone = network.forward(X[i : i + 1], 1)
        assert alone.tobytes() == together[X.starts[i] : X.starts[i + 1]].tobytes()


@pytest.mark.parametrize("dtype_of_X", ["int64", "uint16", "float16", "bool"])
def test_tokens_of_any_type(dtype_of_X, rng, dtype):
    X = rng.integers(0, 2, (30, N_STEPS)).astype(dtype_of_X)
    network = make([EMBEDDING, ("reshape", (N_STEPS * N_CHANNELS,))], dtype=dtype)
    expected = network.weights()[0][X.astype(int)].reshape(30, -1)
    for samples in (X, np.asfortranarray(X), sparse.csr_array(X.astype(dtype))):
        np.testing.assert_array_equal(network.forward(samples, 1), expected)


def test_what_is_no_token_is_nan_and_changes_no_vector(rng, dtype, level):
    """The estimators refuse it. Here nothing beyond the matrix is read or written."""
    X = rng.integers(0, N_TOKENS, (20, N_STEPS)).astype(dtype)
    none = X.astype(bool) & False
    none.flat[::7] = True
    X[none] = np.resize([-1, N_TOKENS, np.nan, np.inf, -np.inf, 1e30], none.sum())
    network = make([EMBEDDING], dtype=dtype, level=level)
    before, targets = network.weights()[0], rng.normal(size=(20 * N_STEPS, N_CHANNELS))
    made = network.forward(X, 1).reshape(20, N_STEPS, N_CHANNELS)
    assert np.isnan(made[none]).all()
    np.testing.assert_array_equal(made[~none], before[X[~none].astype(int)])
    make_trainer(network, "sgd").run(X, targets, np.arange(20))
    after = network.weights()[0]
    assert np.isfinite(after).all()
    assert (before == after).all(axis=1).sum() == N_TOKENS - len(np.unique(X[~none]))


def test_vectors_that_are_not_trainable(rng):
    network = make([(*EMBEDDING, False), ("dense", 3, "identity")])
    X, targets = rng.integers(0, N_TOKENS, (20, N_STEPS)), rng.normal(size=(20 * N_STEPS, 3))
    before = network.weights()
    trainer = make_trainer(network)
    trainer.run(X, targets, np.arange(20))
    vectors, kernel, _ = network.weights()
    np.testing.assert_array_equal(vectors, before[0])
    assert not (kernel == before[1]).any()
    assert not network.unpack(trainer.memories[0])[0].any()


def test_the_cost_of_a_step_decides_on_threads():
    """A prediction reads few of the vectors, and a step writes all of them."""
    large, small = (make([("embedding", n, 100), ("dense", 1, "identity")]) for n in (10_000, 50))
    assert large.sample_flops == pytest.approx(small.sample_flops, rel=0.1)
    assert make_trainer(large, batch_size=1).step_flops > 1e7
    assert make_trainer(small, batch_size=1).step_flops < 1e6


def test_more_tokens_than_float32_counts():
    with pytest.raises(ValueError, match=r"input_dim must be at most 2\*\*24 in float32, .*, got 16777217"):
        Network([("embedding", 2**24 + 1, 1)], (3, 1), "identity", "float32")
    assert make_layers([("embedding", 2**24 + 1, 1)], (3, 1))[0].output_shape == (3, 1)


@pytest.mark.parametrize(
    ("settings", "shape", "message"),
    [
        ((9,), (3, 1), r"embedding must have 2 to 3 settings, got 1: \(9,\)"),
        ((0, 3), (3, 1), r"input_dim must be from 1 to 2\*\*31 - 1, got 0"),
        ((2**31, 3), (3, 1), r"input_dim must be from 1 to 2\*\*31 - 1, got 2147483648"),
        ((9, 3.0), (3, 1), r"output_dim must be from 1 to 2\*\*31 - 1, got 3.0"),
        ((9, 3), (3, 2), r"the input of embedding must have shape \(steps, 1\), got \(3, 2\)"),
        ((9, 3), (1,), r"the input of embedding must have shape \(steps, 1\), got \(1,\)"),
    ],
)
def test_what_is_refused(settings, shape, message):
    with pytest.raises(ValueError, match=message):
        Network([("embedding", *settings)], shape, "identity", "float64")
