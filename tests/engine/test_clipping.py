"""Clipping by the gradient's norm: where it does nothing, what it leaves, and gradients that are out of bounds."""

import numpy as np
import pytest
from problems import SETTINGS, all_weights, make_trainer, random_targets, random_weights

from fastnn.engine.activation import activation_names
from fastnn.engine.loss import Loss
from fastnn.engine.optimizer import optimizer_names

N, N_FEATURES, N_OUTPUTS = 30, 17, 3
ORDER = np.arange(N)
STEPPING = [name for name in optimizer_names if name not in ("gradient", "accumulate")]


@pytest.mark.parametrize("hidden", [(), (20,), (33, 5)])
@pytest.mark.parametrize("optimizer", STEPPING)
def test_a_norm_that_no_gradient_has_changes_nothing(optimizer, hidden, rng, dtype, level):
    """The step made later, with the whole gradient, is that which is made at once.

    But for rounding: where a product and a sum become one instruction is the compiler's choice, from copy to copy.
    """
    X, labels = rng.normal(size=(N, N_FEATURES)), random_targets(rng, "softmax", N, N_OUTPUTS)
    weights, sample_weights = random_weights(rng, (N_FEATURES, *hidden, N_OUTPUTS), dtype), rng.random(N)
    settings = {**SETTINGS[optimizer], "l2": 0.3, "weight_decay": 0.2}

    def trained(clip_norm):
        trainer = make_trainer(
            weights, ["relu"] * len(hidden), "softmax", optimizer, 8, level=level, clip_norm=clip_norm, **settings
        )
        losses = [trainer.run(X, labels, ORDER, weights=sample_weights) for _ in range(2)]
        return losses, trainer.network.parameters, trainer.memories

    at_once, eps = trained(None), np.finfo(dtype).eps
    for clip_norm in (1e30, np.inf):
        for got, expected in zip(trained(clip_norm), at_once, strict=True):
            np.testing.assert_allclose(got, expected, rtol=0, atol=8 * eps * np.max(np.abs(expected), initial=1))


def step_and_gradient(X, targets, weights, activation, head, clip_norm, level, l2=0.0):
    """What one clipped step of sgd, at a learning rate of 1, takes from weights; and the gradient."""
    taken = []
    for optimizer in ("sgd", "gradient"):
        trainer = make_trainer(
            weights, [activation] * (len(weights[0]) - 1), Loss("squared_error", head, N_OUTPUTS), optimizer, len(X),
            level=level, clip_norm=clip_norm if optimizer == "sgd" else None, learning_rate=1.0, l2=l2,
        )  # fmt: skip
        before = all_weights(trainer.network).astype(float)
        trainer.run(X, targets, np.arange(len(X)))
        taken.append(before - all_weights(trainer.network))
    grads = trainer.network.unpack(trainer.memories[0])
    return taken[0], np.concatenate([g.ravel() for g in grads[::2] + grads[1::2]]).astype(float)


@pytest.mark.parametrize("activation", activation_names)
def test_the_step_is_the_gradient_scaled_to_the_norm(activation, rng, dtype, level):
    """What pads the layers, where an activation makes 1 of 0, has no part in the norm."""
    X, targets = rng.normal(size=(N, N_FEATURES)), rng.normal(size=(N, N_OUTPUTS))
    weights, eps = random_weights(rng, (N_FEATURES, 21, N_OUTPUTS), dtype), np.finfo(dtype).eps
    _, grad = step_and_gradient(X, targets, weights, activation, activation, None, level, 0.3)
    norm = np.linalg.norm(grad)
    for parts in (0.999, 0.5, 1e-3):
        step, _ = step_and_gradient(X, targets, weights, activation, activation, parts * norm, level, 0.3)
        # What was subtracted from weights of order 1 is known to their rounding only.
        np.testing.assert_allclose(step, grad * parts, rtol=0, atol=4 * eps * (np.abs(grad).max() * parts + 2))
    step, _ = step_and_gradient(X, targets, weights, activation, activation, 1.001 * norm, level, 0.3)
    unclipped, _ = step_and_gradient(X, targets, weights, activation, activation, None, level, 0.3)
    np.testing.assert_array_equal(step, unclipped)


@pytest.mark.parametrize("size", ["1e8", "1e12", "1e17"])
def test_exploding_gradients_are_clipped(size, rng, dtype, level):
    """Those whose squares are beyond float32, too."""
    X, targets = rng.normal(size=(N, N_FEATURES)) * float(size), rng.normal(size=(N, N_OUTPUTS)) * float(size)
    weights = random_weights(rng, (N_FEATURES, N_OUTPUTS), dtype)
    step, grad = step_and_gradient(X, targets, weights, "relu", "identity", 0.5, level)
    assert np.linalg.norm(grad) > float(size)
    np.testing.assert_allclose(step, 0.5 * grad / np.linalg.norm(grad), rtol=0, atol=8 * np.finfo(dtype).eps)


@pytest.mark.parametrize("what", [np.nan, np.inf, "overflow"])
def test_a_gradient_out_of_bounds_is_not_passed_over(what, rng, dtype, level):
    """A step of nothing would look as if all were well."""
    X, targets = rng.normal(size=(N, N_FEATURES)), rng.normal(size=(N, N_OUTPUTS))
    if what == "overflow":
        X, targets = (array * float(np.finfo(dtype).max) ** 0.5 for array in (X, targets))
    else:
        X[3, 4] = what
    weights = random_weights(rng, (N_FEATURES, N_OUTPUTS), dtype)
    step, _ = step_and_gradient(X, targets, weights, "relu", "identity", 1.0, level)
    assert not np.isfinite(step).all()


@pytest.mark.parametrize("optimizer", STEPPING)
def test_no_gradient_is_no_step(optimizer, rng, dtype, level):
    X, labels = rng.normal(size=(N, N_FEATURES)), random_targets(rng, "softmax", N, N_OUTPUTS)
    weights = random_weights(rng, (N_FEATURES, 9, N_OUTPUTS), dtype)
    trainer = make_trainer(
        weights, ["relu"], "softmax", optimizer, 8, level=level, clip_norm=1e-3, **SETTINGS[optimizer]
    )
    before = all_weights(trainer.network)
    assert trainer.run(X, labels, ORDER, weights=np.zeros(N)) == 0
    np.testing.assert_array_equal(all_weights(trainer.network), before)
