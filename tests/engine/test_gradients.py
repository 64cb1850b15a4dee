"""Every gradient against central differences of the loss, and against the reference."""

from itertools import chain

import numpy as np
import pytest
import reference
from problems import (
    LOSSES,
    all_weights,
    joined,
    make_loss,
    make_network,
    make_trainer,
    parted,
    random_targets,
    random_weights,
)

from fastnn.engine.activation import activation_names
from fastnn.engine.loss import Loss, loss_links, loss_names
from fastnn.engine.network import heads

SIZES = (7, 6, 4, 5)
N_SAMPLES = 9
STEP = np.cbrt(np.finfo(float).eps)  # balances the differences' truncation, of order step^2, and rounding, eps / step
ORDER = np.arange(N_SAMPLES)


# Each loss with each head it can have, and each activation below the head of the first.
CASES = [
    (name, head, activation)
    for name in loss_names
    for head in ([loss_links[name]] if loss_links[name] else activation_names)
    for activation in (activation_names if name == "softmax" else ["tanh"])
]

# What is given for the weights of nine samples: one for each, or for each of three targets too.
WEIGHTS = {
    "no weights": None,
    "samples": np.array([1, 2, 0.5, 0, 3, 1, 1, 0.25, 1]),
    "targets": np.linspace(0, 2, 27).reshape(9, 3),
}


def make_case(rng, name, head):
    """A loss with all of its settings, and targets for it: softmax over two groups of columns."""
    if name == "softmax":
        loss = Loss(name, head, SIZES[-1], 0.2, groups=[2, 3])
        return loss, np.stack([rng.integers(0, n, N_SAMPLES) for n in loss.groups], axis=1).astype(np.int32)
    settings = {"logistic": 0.2, "huber": [0.5, 1.0, 0.1, 2.0, 0.3], "quantile": [0.1, 0.5, 0.9, 0.3, 0.6]}
    targets = rng.random((N_SAMPLES, SIZES[-1])) if name == "logistic" else random_targets(rng, name, N_SAMPLES, 5)
    return Loss(name, head, SIZES[-1], settings.get(name, 0.0)), targets


def weights_for(loss, kind):
    weights = WEIGHTS[kind]
    return np.resize(weights, (N_SAMPLES, loss.n_targets)) if kind == "targets" else weights


def test_every_loss_and_every_head_has_a_reference():
    assert set(heads) == set(reference.OUTPUTS)
    assert set(loss_names) == {"softmax", *reference.LOSSES} == set(LOSSES)
    for name, (_, link, mean) in reference.LOSSES.items():
        assert loss_links[name] == link
        assert mean == (link is None)


@pytest.mark.parametrize("l2", [0.0, 0.3])
@pytest.mark.parametrize("weighting", WEIGHTS)
@pytest.mark.parametrize(("name", "head", "activation"), CASES)
def test_gradients(name, head, activation, weighting, l2, rng, level):
    X = rng.normal(size=(N_SAMPLES, SIZES[0]))
    X[:, 2] = 0
    weights, (loss, targets) = random_weights(rng, SIZES), make_case(rng, name, head)
    sample_weights, activations = weights_for(loss, weighting), [activation] * 2
    sums, _ = reference.forward(*weights, activations, X)
    assert min(np.abs(z).min() for z in sums) > 10 * STEP, "too near a kink for differences: take another seed"

    trainer = make_trainer(weights, activations, loss, "gradient", N_SAMPLES, level=level, learning_rate=1, l2=l2)
    network = trainer.network

    def run():
        return trainer.run(X, targets, ORDER, weights=sample_weights)

    value = run()
    grads = parted(network.unpack(trainer.memories[0]))
    expected_value, *expected = reference.gradients(*weights, activations, loss, X, targets, sample_weights, l2)
    assert value == pytest.approx(expected_value, rel=1e-13)

    for group, expected_group, group_weights in zip(grads, expected, weights, strict=True):
        for grad, expected_grad, weight in zip(group, expected_group, group_weights, strict=True):
            scale = np.abs(expected_grad).max()
            np.testing.assert_allclose(grad, expected_grad, rtol=0, atol=1e-13 * scale)
            differences = np.empty_like(weight)
            for at in np.ndindex(weight.shape):
                number, losses = weight[at], []
                for moved in (number + STEP, number - STEP):
                    weight[at] = moved
                    network.set_weights(joined(*weights))
                    losses.append(run())
                weight[at] = number
                differences[at] = (losses[0] - losses[1]) / (2 * STEP * N_SAMPLES)
            np.testing.assert_allclose(grad, differences, rtol=0, atol=1e-7 * scale)


@pytest.mark.parametrize("weighting", WEIGHTS)
@pytest.mark.parametrize("name", loss_names)
def test_the_loss_of_samples(name, weighting, rng, dtype, level):
    """Network.loss, against the reference, for many blocks of rows; the same bits for any number of threads."""
    n, repeats = 9 * 50, 50
    loss, targets = make_case(rng, name, loss_links[name] or "tanh")
    X, targets, sample_weights = rng.normal(size=(n, 700)), np.tile(targets, (repeats, 1)), weights_for(loss, weighting)
    if sample_weights is not None:
        sample_weights = np.tile(sample_weights, (repeats,) + (1,) * (sample_weights.ndim - 1))
    weights = random_weights(rng, (700, 30, 5), dtype)
    network = make_network(weights, ["relu"], loss.head, level, loss.groups if name == "softmax" else None)
    got = network.loss(X, targets, sample_weights, loss, 1)
    sums, _ = reference.forward(*weights, ["relu"], X.astype(dtype))
    groups = loss.groups if name == "softmax" else None
    settings = loss.settings[0] if name == "softmax" else loss.settings
    expected, _ = reference.loss_and_gradient(name, loss.head, sums[-1], targets, sample_weights, settings, groups)
    assert got == pytest.approx(expected, rel=50 * float(np.finfo(dtype).eps))
    for n_threads in (2, 3, 8):
        assert network.loss(X, targets, sample_weights, loss, n_threads) == got
    assert network.loss(X[:0], targets[:0], None, loss, 1) == 0


@pytest.mark.parametrize("name", loss_names)
def test_what_has_no_weight_adds_nothing(name, rng, dtype, level):
    """Not even infinity or NaN; and a batch of none but such takes a step of nothing."""
    loss, targets = make_case(rng, name, loss_links[name] or "identity")
    X = rng.normal(size=(N_SAMPLES, SIZES[0]))
    weights, sample_weights = random_weights(rng, SIZES, dtype), np.arange(N_SAMPLES) % 2.0
    broken = X.copy()
    broken[::2] = [[np.nan], [np.inf], [1e300], [-np.inf], [np.nan]]

    def trained(X, sample_weights):
        trainer = make_trainer(weights, ["relu"] * 2, loss, "sgd", N_SAMPLES, level=level, learning_rate=0.1)
        return trainer.run(X, targets, ORDER, weights=sample_weights), all_weights(trainer.network).tobytes()

    value, _ = trained(X, sample_weights)
    network = make_network(weights, ["relu"] * 2, loss.head, level, loss.groups if name == "softmax" else None)
    assert network.loss(broken, targets, sample_weights, loss, 1) == network.loss(X, targets, sample_weights, loss, 1)
    assert np.isfinite(value)
    assert trained(X, np.zeros(N_SAMPLES)) == (0.0, all_weights(network).tobytes())
    assert trained(X, np.ones(N_SAMPLES)) == trained(X, None)


def patchy(rng, n, n_features, dtype):
    """Samples with zeros in patches larger than a register tile either way, and none but zeros in the last 40."""
    X = rng.normal(size=(n, n_features)).astype(dtype)
    for _ in range(n_features):
        i, j = rng.integers(0, n), rng.integers(0, n_features)
        X[i : i + 20, j : j + 40] = 0
    X[:, :20] = X[-40:] = 0
    return X


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
def test_leaving_out_zeros_changes_no_bit(optimizer, rng, dtype, level, n_threads):
    """-0.0 counts as something (tests/kernels sees to that): it is not left out, and adds as little as 0.0 does."""
    batch_size, sizes, activations = 32, (600, 60, 10), ["relu"]  # wider than any panel is deep
    X = patchy(rng, 5 * batch_size, sizes[0], dtype)
    weights, targets = random_weights(rng, sizes, dtype), random_targets(rng, "softmax", len(X), sizes[-1])
    settings = {"learning_rate": 0.01, "l2": 0.1, "decay_1": 0.9, "decay_2": 0.99, "epsilon": 1e-3}
    order = np.arange(len(X))

    def train(X):
        trainer = make_trainer(weights, activations, "softmax", optimizer, batch_size, n_threads, level, **settings)
        losses = [trainer.run(X, targets, order) for _ in range(2)]
        return all_weights(trainer.network), losses

    (left_out, losses), (summed, other_losses) = train(X), train(np.where(X == 0, dtype.type(-0.0), X))
    assert left_out.tobytes() == summed.tobytes()
    assert losses == other_losses

    arguments = (activations, make_loss("softmax", sizes[-1]), X, targets, np.tile(order, 2), batch_size, optimizer)
    expected, loss, _ = reference.train(weights, *arguments, **settings)
    eps = float(np.finfo(dtype).eps)
    assert sum(losses) == pytest.approx(loss, rel=10 * eps)
    expected = np.concatenate([p.ravel() for p in chain(*expected)])
    np.testing.assert_allclose(left_out, expected, rtol=0, atol=20 * eps)
