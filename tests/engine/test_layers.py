"""Every kind of layer, in the networks that its reference names as examples: against that reference."""

import math
import pickle
from itertools import chain

import numpy as np
import pytest
import reference

from fastnn.engine import schedule
from fastnn.engine.isa import available_levels
from fastnn.engine.layers.registry import LAYER_KINDS, weight_shapes
from fastnn.engine.loss import Loss
from fastnn.engine.network import Network
from fastnn.engine.optimizer import Optimizer
from fastnn.engine.trainer import Trainer

N, BATCH_SIZE, STEP = 150, 50, 1e-6
EXAMPLES = [(kind, i) for kind, (_, examples) in reference.LAYERS.items() for i in range(len(examples))]


def test_every_kind_has_a_reference():
    assert set(LAYER_KINDS) == set(reference.LAYERS)


@pytest.fixture(params=EXAMPLES, ids=lambda example: f"{example[0]} {example[1]}")
def example(request):
    kind, i = request.param
    return reference.LAYERS[kind][1][i]


@pytest.fixture(params=["rows", "team"])
def sharing(request, monkeypatch):
    """Layers taken through by rows, where they can be; and each by all threads."""
    if request.param == "team":
        monkeypatch.setattr(schedule, "BY_ROWS", 0)
        monkeypatch.setattr(schedule, "BY_ROWS_WITH_MAPS", 0)
    return request.param


def make(example, dtype, level, rng, weights=None):
    """The example's network, of random weights."""
    input_shape, description = example
    network = Network(description, input_shape, "identity", dtype, level)
    if weights is None:
        weights = [rng.normal(0, shape[0] ** -0.5, shape) for shape in network.shapes]
        # State may be a variance.
        weights = [w if learnt else abs(w) for w, learnt in zip(weights, are_learnt(network), strict=True)]
    network.set_weights(weights)
    return network


def are_learnt(network):
    """Of each array of weights, whether it is learnt."""
    return [
        shape.learnt
        for layer in network.layers
        for shape in layer.parameter_shapes()
        for _ in range((shape.fan_in > 0) + shape.biased)
    ]


def by_layer(network, weights):
    """A list of each layer's weights."""
    parts, rest = [], list(weights)
    for layer in network.layers:
        n = len(weight_shapes([layer])[0])
        parts.append(rest[:n])
        rest = rest[n:]
    return parts


def make_data(network, rng, n=N):
    X = reference.random_samples(network.input_shape, network.description, rng, n)
    return X, rng.normal(size=(n, network.sizes[-1]))


def make_trainer(network, optimizer="adam", batch_size=BATCH_SIZE, **settings):
    loss = Loss("squared_error", "identity", network.sizes[-1])
    return Trainer(network, loss, Optimizer(optimizer, 0.01, 0, 0.9, 0.99, 1e-3), batch_size, 1, **settings)


def reference_loss(network, weights, X, targets, masks=None):
    x, after = reference.through_layers(
        network.description, by_layer(network, weights), as_samples(network, X), masks=masks
    )
    return ((x.reshape(targets.shape) - targets) ** 2).mean(axis=1).sum() / 2, after


def as_samples(network, X):
    return X.astype(float).reshape(len(X), *network.input_shape)


def test_predictions(example, rng, dtype, level):
    network = make(example, dtype, level, rng)
    X, _ = make_data(network, rng)
    weights = [w.astype(float) for w in network.weights()]
    expected, _ = reference.through_layers(
        network.description, by_layer(network, weights), as_samples(network, X.astype(dtype)), training=False
    )
    eps = float(np.finfo(dtype).eps)
    for given in (X.astype(dtype), X.astype(dtype).astype("f8"), np.asfortranarray(X.astype(dtype))):
        got = network.forward(given, 1)
        np.testing.assert_allclose(got, expected.reshape(N, -1), rtol=0, atol=50 * eps * np.abs(expected).max())
        assert network.forward(given, 3).tobytes() == got.tobytes()
    for i in range(0, N, 7):  # each by itself
        assert network.forward(X[i : i + 1].astype(dtype), 1).tobytes() == got[i : i + 1].tobytes()


def test_gradients_are_differences_of_the_loss(example, sharing, rng, level):
    check_gradients(make(example, np.float64, level, rng), rng, BATCH_SIZE)


def test_gradients_of_a_batch_of_one(example, sharing, rng):
    check_gradients(make(example, np.float64, None, rng), rng, 1)


def test_gradients_with_dropout(example, sharing, rng):
    """What each layer makes, positions and all, is dropped number by number."""
    network = make(example, np.float64, None, rng)
    rates = [0.3] * (len(network.layers) - 1)
    if network.description[0][0] == "rescaling":  # which makes nothing of its own
        rates[0] = 0.0
    check_gradients(network, rng, 7, tuple(rates))


def test_gradients_where_a_sample_fills_the_cache(rng):
    """A part of a batch is then taken in several chunks: memos and errors live from a chunk's forward to its back."""
    description = [
        ("dense", 8, "tanh"),
        ("max_pooling", (5, 4)),
        ("layer_normalization", 1e-3, "gelu"),
        ("average_pooling", (4, 3), (2, 2), "same"),
        ("global_max_pooling",),
        ("dense", 2, "identity"),
    ]
    check_gradients(make(((40, 40, 1), description), np.float64, None, rng), rng, 7)


def check_gradients(network, rng, n_samples, rates=()):
    """The loss is the reference's, and the gradients are its central differences."""
    X, targets = make_data(network, rng, n_samples)
    before, masks = network.weights(), None
    if rates:
        shapes = [(n_samples * math.prod(layer.output_shape[:-1]), layer.output_shape[-1]) for layer in network.layers]
        masks = [
            reference.dropout_mask(reference.dropout_numbers(5, 1, i, *shapes[i]), rate) for i, rate in enumerate(rates)
        ]
    trainer = make_trainer(network, "gradient", n_samples, dropout=rates, seed=5)
    loss = trainer.run(X, targets, np.arange(n_samples))
    expected_loss, _ = reference_loss(network, before, X, targets, masks)
    assert loss == pytest.approx(expected_loss, rel=1e-12)
    learnt = are_learnt(network)
    for gradient, array, is_learnt in zip(network.unpack(trainer.memories[0]), before, learnt, strict=True):
        if not is_learnt:
            assert not gradient.any()
            continue
        differences = np.empty_like(array)
        for at in np.ndindex(array.shape):
            number, losses = array[at], []
            for moved in (number + STEP, number - STEP):
                array[at] = moved
                losses.append(reference_loss(network, before, X, targets, masks)[0])
            array[at] = number
            differences[at] = (losses[0] - losses[1]) / (2 * STEP * n_samples)
        # Before a batch normalization biases have no gradient, and the differences of the loss are its rounding alone.
        np.testing.assert_allclose(gradient, differences, rtol=0, atol=1e-7 * max(1e-2, np.abs(differences).max()))


def test_state_follows_the_batches(example, sharing, rng, level):
    network = make(example, np.float64, level, rng)
    X, targets = make_data(network, rng)
    expected = network.weights()
    for first in range(0, N, BATCH_SIZE):
        batch = slice(first, first + BATCH_SIZE)
        expected = list(chain(*reference_loss(network, expected, X[batch], targets[batch])[1]))
    make_trainer(network, "gradient").run(X, targets, np.arange(N))
    for got, array in zip(network.weights(), expected, strict=True):
        np.testing.assert_allclose(got, array, rtol=1e-12)


@pytest.mark.parametrize("clip_norm", [None, 0.05])
def test_threads_cuts_and_pickles_change_no_bit(example, sharing, clip_norm, rng, dtype, level):
    network = make(example, dtype, level, rng)
    X, targets = make_data(network, rng, 600)
    X = X.astype(dtype)
    weights, order = network.weights(), rng.permutation(600)

    def outcome(n_threads, cut, between=lambda trainer: trainer):
        loss = Loss("squared_error", "identity", network.sizes[-1])
        optimizer = Optimizer("adam", 0.01, 0.1, 0.9, 0.99, 1e-3)
        trainer = Trainer(make(example, dtype, level, rng, weights), loss, optimizer, 200, n_threads, (), clip_norm)
        losses = [trainer.run(X, targets, order[:cut])]
        trainer = between(trainer)
        losses.append(trainer.run(X, targets, order[cut:], losses[-1]))
        return losses[-1], trainer.network.parameters.tobytes(), trainer.memories.tobytes()

    alone = outcome(1, 0)
    assert np.isfinite(alone[0])
    assert outcome(2, 0) == outcome(5, 0) == outcome(1, 200) == outcome(2, 400) == alone
    if level == available_levels()[0]:  # which is what a pickle is opened with
        assert outcome(2, 200, lambda trainer: pickle.loads(pickle.dumps(trainer))) == alone


def test_a_copy_is_a_network_of_its_own(example, rng, dtype):
    network = make(example, dtype, None, rng)
    copied, pickled = network.copy(), pickle.loads(pickle.dumps(network))
    for other in (copied, pickled):
        assert other.description == network.description
        assert other.input_shape == network.input_shape
        assert other.parameters.tobytes() == network.parameters.tobytes()
    network.parameters[:] = 0
    assert copied.parameters.any()
    assert pickled.parameters.any()
