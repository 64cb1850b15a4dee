"""Every gradient against central differences of the loss, and against the reference."""

from itertools import chain

import numpy as np
import pytest
import reference
from problems import all_weights, make_trainer, random_targets, random_weights

from fastnn.engine.activation import activation_names
from fastnn.engine.network import heads

SIZES = (7, 6, 5, 3)
N_SAMPLES = 9
STEP = np.cbrt(np.finfo(float).eps)  # balances the differences' truncation, of order step^2, and rounding, eps / step
ORDER = np.arange(N_SAMPLES)


def test_every_head_with_a_loss_has_a_reference(rng):
    assert set(heads) == set(reference.OUTPUTS)
    for head in set(heads) - set(reference.LOSSES):
        trainer = make_trainer(random_weights(rng, SIZES), ["relu"] * 2, head, "sgd", 3, learning_rate=1)
        with pytest.raises(ValueError, match="has no loss to train by"):
            trainer.run(np.ones((N_SAMPLES, 7)), np.ones((N_SAMPLES, 3)), ORDER)


@pytest.mark.parametrize("l2", [0.0, 0.3])
@pytest.mark.parametrize("head", reference.LOSSES)
@pytest.mark.parametrize("activation", activation_names)
def test_gradients(activation, head, l2, rng, level):
    X = rng.normal(size=(N_SAMPLES, SIZES[0]))
    X[:, 2] = 0
    weights, targets = random_weights(rng, SIZES), random_targets(rng, head, N_SAMPLES, SIZES[-1])
    activations = [activation] * 2
    sums, _ = reference.forward(*weights, activations, X)
    assert min(np.abs(z).min() for z in sums[:-1]) > 10 * STEP, "too near a kink for differences: take another seed"

    trainer = make_trainer(weights, activations, head, "gradient", N_SAMPLES, level=level, learning_rate=1, l2=l2)
    network = trainer.network
    loss = trainer.run(X, targets, ORDER)
    grads = network.unpack(trainer.memories[0])
    wanted_loss, *wanted = reference.gradients(*weights, activations, head, X, targets, l2)
    assert loss == pytest.approx(wanted_loss, rel=1e-14)

    for group, wanted_group, group_weights in zip(grads, wanted, weights, strict=True):
        for grad, wanted_grad, weight in zip(group, wanted_group, group_weights, strict=True):
            scale = np.abs(wanted_grad).max()
            np.testing.assert_allclose(grad, wanted_grad, rtol=0, atol=1e-13 * scale)
            differences = np.empty_like(weight)
            for at in np.ndindex(weight.shape):
                value, losses = weight[at], []
                for moved in (value + STEP, value - STEP):
                    weight[at] = moved
                    network.set_weights(*weights)
                    losses.append(trainer.run(X, targets, ORDER))
                weight[at] = value
                differences[at] = (losses[0] - losses[1]) / (2 * STEP * N_SAMPLES)
            np.testing.assert_allclose(grad, differences, rtol=0, atol=1e-7 * scale)


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

    arguments = (activations, "softmax", X, targets, np.tile(order, 2), batch_size, optimizer)
    wanted, loss, _ = reference.train(weights, *arguments, **settings)
    eps = float(np.finfo(dtype).eps)
    assert sum(losses) == pytest.approx(loss, rel=10 * eps)
    wanted = np.concatenate([p.ravel() for p in chain(*wanted)])
    np.testing.assert_allclose(left_out, wanted, rtol=0, atol=20 * eps)
