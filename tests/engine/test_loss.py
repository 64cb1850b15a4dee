"""The losses where a careless formula overflows, or takes the logarithm of zero."""

import numpy as np
import pytest
from problems import LOSSES, make_loss, make_trainer, random_targets
from reference import loss_and_gradient

HUGE = 1e4


def loss_and_delta(loss, logits, targets, level):
    """By a network whose only layer, I, passes its one sample through: the gradient of its biases is delta."""
    n = len(logits)
    weights = [np.eye(n, dtype=logits.dtype)], [np.zeros(n, logits.dtype)]
    trainer = make_trainer(weights, [], loss, "gradient", 1, level=level, learning_rate=1)
    loss = trainer.run(logits[None], np.asarray([targets]), np.arange(1))
    return loss, trainer.network.unpack(trainer.memories[0])[1]


@pytest.mark.parametrize(
    ("logits", "label", "loss", "delta"),
    [
        ([HUGE, -HUGE], 0, 0, [0, 0]),
        ([HUGE, -HUGE], 1, 2 * HUGE, [1, -1]),
        ([-HUGE, -HUGE, -HUGE, -HUGE], 2, np.log(4), [0.25, 0.25, -0.75, 0.25]),
        ([HUGE, HUGE], 1, np.log(2), [0.5, -0.5]),
        ([HUGE, 0, HUGE, -HUGE], 1, HUGE + np.log(2), [0.5, -1, 0.5, 0]),
        ([0.0], 0, 0, [0]),
    ],
)
def test_softmax_of_huge_logits(logits, label, loss, delta, dtype, level):
    got_loss, got_delta = loss_and_delta("softmax", np.array(logits, dtype), np.int32(label), level)
    assert got_loss == pytest.approx(loss, rel=np.finfo(float).eps)
    assert got_delta.tolist() == delta


@pytest.mark.parametrize(
    ("logits", "targets", "loss", "delta"),
    [
        ([HUGE, -HUGE], [1, 0], 0, [0, 0]),
        ([HUGE, -HUGE], [0, 1], 2 * HUGE, [1, -1]),
        ([HUGE], [0], HUGE, [1]),
        ([-HUGE] * 19, [0] * 18 + [1], HUGE, [0] * 18 + [-1]),
        ([0.0, 0.0], [0, 1], 2 * np.log(2), [0.5, -0.5]),
    ],
)
def test_logistic_of_huge_logits(logits, targets, loss, delta, dtype, level):
    got_loss, got_delta = loss_and_delta("logistic", np.array(logits, dtype), targets, level)
    assert got_loss == pytest.approx(loss, rel=float(np.finfo(dtype).eps))
    assert got_delta.tolist() == delta


@pytest.mark.parametrize("n_outputs", [1, 2, 3, 4, 7, 8, 15, 16, 17, 33])
@pytest.mark.parametrize("name", LOSSES)
def test_any_number_of_outputs(name, n_outputs, rng, dtype, level):
    """Of any size, so that vectors are filled up in every way."""
    logits = (3 * rng.normal(size=n_outputs)).astype(dtype)
    target = random_targets(rng, name, 1, n_outputs)[0]
    target = target if target.dtype == np.int32 else target.astype(dtype)  # read without rounding
    got_loss, got_delta = loss_and_delta(name, logits, target, level)
    expected = make_loss(name, n_outputs)
    settings = expected.settings[0] if name == "softmax" else expected.settings
    loss, delta = loss_and_gradient(name, expected.head, logits[None].astype(float), target[None], settings=settings)
    eps = float(np.finfo(dtype).eps)
    assert got_loss == pytest.approx(loss, rel=8 * eps, abs=8 * eps)
    np.testing.assert_allclose(got_delta, delta[0], rtol=4 * eps, atol=4 * eps)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("at", [0, 1, 4])
def test_a_fit_that_diverges_has_no_loss(at, name, dtype, level):
    """NaN among the logits is NaN in the loss, never a loss that looks fine."""
    logits = np.zeros(5, dtype)
    logits[at] = np.nan
    loss, delta = loss_and_delta(name, logits, np.int32(2) if name == "softmax" else [0.0, 1, 0, 1, 0], level)
    assert np.isnan(loss)
    assert np.isnan(delta[at])
