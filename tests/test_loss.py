"""The losses where a careless formula overflows, or takes the logarithm of zero."""

import numpy as np
import pytest
from problems import make_trainer
from reference import LOSSES

HUGE = 1e4


def loss_and_delta(head, logits, targets, level):
    """By a network whose only layer, I, passes its one sample through: the gradient of its biases is delta."""
    n = len(logits)
    weights = [np.eye(n, dtype=logits.dtype)], [np.zeros(n, logits.dtype)]
    trainer = make_trainer(weights, [], head, "gradient", 1, level=level, learning_rate=1)
    loss = trainer.run(logits[None], np.array([targets], np.int32), np.arange(1))
    return loss, trainer.network.unpack(trainer.memories[0])[1][0]


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
    got_loss, got_delta = loss_and_delta("softmax", np.array(logits, dtype), label, level)
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
@pytest.mark.parametrize("head", LOSSES)
def test_any_number_of_outputs(head, n_outputs, rng, dtype, level):
    """Of any size, so that vectors are filled up in every way."""
    logits = (10 * rng.normal(size=n_outputs)).astype(dtype)
    target = n_outputs - 1 if head == "softmax" else rng.integers(0, 2, n_outputs)
    got_loss, got_delta = loss_and_delta(head, logits, target, level)
    loss, delta = LOSSES[head](logits[None].astype(float), np.array([target]))
    eps = float(np.finfo(dtype).eps)
    assert got_loss == pytest.approx(loss, rel=4 * eps, abs=4 * eps)
    np.testing.assert_allclose(got_delta, delta[0], rtol=0, atol=2 * eps)


@pytest.mark.parametrize("head", LOSSES)
@pytest.mark.parametrize("at", [0, 1, 4])
def test_a_fit_that_diverges_has_no_loss(at, head, dtype, level):
    """NaN among the logits is NaN in the loss, never a loss that looks fine."""
    logits = np.zeros(5, dtype)
    logits[at] = np.nan
    loss, delta = loss_and_delta(head, logits, 2 if head == "softmax" else [0, 1, 0, 1, 0], level)
    assert np.isnan(loss)
    assert np.isnan(delta[at])
