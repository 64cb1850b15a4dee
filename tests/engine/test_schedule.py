"""The phases of a training step, as data; and that they are what the threads go through."""

import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from problems import dense_layers, make_loss

from fastnn.engine import schedule
from fastnn.engine.network import Network
from fastnn.engine.optimizer import Optimizer
from fastnn.engine.trainer import Trainer


def plan(sizes, clipped=False):
    network = Network(dense_layers(sizes[1:], ["relu"] * (len(sizes) - 2)), sizes[:1], "softmax", "float32", "baseline")
    return schedule.text(schedule.plan(network.layers, clipped)).splitlines()


def phases(text):
    return [line.split(maxsplit=1)[1] for line in text]


def test_a_small_network_has_the_rows_and_the_steps():
    assert phases(plan((64, 100, 10))) == [
        "begin, rows (forward 0, forward 1, loss, back 1)",
        "add losses, step 1, step 0, gather",
    ]


def test_without_hidden_layers():
    assert phases(plan((784, 10))) == ["begin, rows (forward 0, loss)", "add losses, step 0, gather"]


def test_wide_layers_have_phases_of_their_own():
    assert phases(plan((784, 512, 256, 10))) == [
        "begin, forward 0",
        "forward 1",
        "rows (forward 2, loss, back 2)",
        "add losses, back 1, step 2",
        "step 1, step 0, gather",
    ]
    assert phases(plan((784, 1024, 1024, 1024))) == [
        "begin, forward 0",
        "forward 1",
        "rows (forward 2, loss)",
        "add losses, back 2",
        "back 1, step 2",
        "step 1, step 0, gather",
    ]


BATCH_NORMALIZATION = ("batch_normalization", 0.99, 1e-3, "relu")


def planned(description, input_shape):
    network = Network(description, input_shape, "identity", "float32", "baseline")
    made = schedule.plan(network.layers)
    return phases(schedule.text(made).splitlines()), schedule.signals_of_rows(made, len(description))


def test_batch_normalization_has_a_barrier_forward_and_one_back():
    dense = ("dense", 100, "identity")
    assert planned([dense, BATCH_NORMALIZATION, dense], (64,))[0] == [
        "begin, rows (forward 0, sums 1)",
        "add sums 1, rows (forward 1, forward 2, loss, back 2, grad 1)",
        "add losses, add gradients 1, rows (back 1), step 2",
        "step 1, step 0, gather",
    ]
    assert planned([BATCH_NORMALIZATION, BATCH_NORMALIZATION, dense], (64,))[0] == [
        "begin, rows (sums 0)",
        "add sums 0, rows (forward 0, sums 1)",
        "add sums 1, rows (forward 1, forward 2, loss, back 2, grad 1)",
        "add losses, add gradients 1, rows (back 1, grad 0), step 2",
        "step 1, step 0, gather",
    ]


def test_layers_between_two_batch_normalizations_are_taken_together():
    layers = [("convolution", 8, (3, 3), (1, 1), "same", (1, 1), 1, "relu")] * 5
    layers[1] = layers[4] = BATCH_NORMALIZATION
    last = ("convolution", 1, (9, 9), (1, 1), "valid", (1, 1), 1, "identity")
    plan, own = planned([*layers, last], (9, 9, 3))
    assert plan == [
        "begin, rows (forward 0, sums 1)",
        "add sums 1, rows (forward 1, forward 2, forward 3, sums 4)",
        "add sums 4, rows (forward 4, forward 5, loss, grad 5, back 5, grad 4)",
        "add losses, add gradients 4, rows (back 4, grad 3, back 3, grad 2, back 2, grad 1), step 5",
        "add gradients 1, rows (back 1, grad 0), step 4, step 3, step 2",
        "step 1, step 0, gather",
    ]
    assert own == [False] * 5 + [True]  # what is needed again after a barrier is kept for the whole batch


def test_batch_normalization_above_a_wide_layer():
    """Threads share the wide layer by tiles, so that nobody has whole samples until the barrier."""
    wide = ("dense", 512, "identity")
    assert planned([wide, BATCH_NORMALIZATION, wide, BATCH_NORMALIZATION, ("dense", 10, "identity")], (784,))[0] == [
        "begin, forward 0",
        "rows (sums 1)",
        "add sums 1, rows (forward 1)",
        "forward 2",
        "rows (sums 3)",
        "add sums 3, rows (forward 3, forward 4, loss, back 4, grad 3)",
        "add losses, add gradients 3, rows (back 3), step 4",
        "back 2, step 3",
        "rows (grad 1), step 2",
        "add gradients 1, rows (back 1)",
        "step 1, step 0, gather",
    ]


def test_frozen_batch_normalization_couples_nothing():
    frozen = (*BATCH_NORMALIZATION, False)
    assert planned([("dense", 100, "identity"), frozen, ("dense", 10, "identity")], (64,))[0] == [
        "begin, rows (forward 0, forward 1, forward 2, loss, back 2, back 1)",
        "add losses, step 2, step 0, gather",
    ]


def test_a_network_that_learns_nothing_is_refused():
    layer = SimpleNamespace(
        rows_cost=lambda: 0,
        parameter_shapes=lambda: [],
        sums_by_samples=lambda: False,
    )
    with pytest.raises(ValueError, match="must have a layer that learns, got 2 that do not"):
        schedule.plan([layer, layer])


def test_clipping_leaves_the_gradient_first():
    without, clipped = plan((64, 100, 10)), plan((64, 100, 10), clipped=True)
    assert phases(clipped) == [*phases(without), "norm", "clipped step"]


@pytest.mark.parametrize("sizes", [(5, 3), (64, 100, 10), (784, 512, 256, 10), (9, 300, 300, 300, 300, 2)])
def test_every_layer_goes_forward_once_back_once_and_steps_once(sizes):
    network = Network(dense_layers(sizes[1:], ["relu"] * (len(sizes) - 2)), sizes[:1], "softmax", "float64")
    operations = []
    for phase in schedule.plan(network.layers):
        for operation in phase:
            operations += operation[1] if operation[0] == "rows" else [operation]
    n_layers = len(sizes) - 1
    assert [i for name, *i in operations if name == "forward"] == [[i] for i in range(n_layers)]
    assert [i for name, *i in operations if name == "back"] == [[i] for i in range(n_layers - 1, 0, -1)]
    assert sorted(i for name, *i in operations if name == "step") == [[i] for i in range(n_layers)]


@pytest.mark.parametrize("sizes", [(5, 3), (784, 512, 256, 10), (9, 300, 300, 300, 300, 2)])
def test_a_layers_weights_change_after_their_last_use(sizes):
    """Its error is carried back in a phase before its step."""
    network = Network(dense_layers(sizes[1:], ["relu"] * (len(sizes) - 2)), sizes[:1], "softmax", "float64")
    carried = set()
    for phase in schedule.plan(network.layers):
        for operation in phase:
            assert operation[0] != "step" or operation[1] in carried | {0}
        flat = [each for operation in phase for each in (operation[1] if operation[0] == "rows" else [operation])]
        carried |= {operation[1] for operation in flat if operation[0] == "back"}


def test_a_trainer_has_its_schedule():
    network = Network(dense_layers([9, 3], ["relu"]), (4,), "softmax", "float64")
    for clip_norm in (None, 1.0):
        trainer = Trainer(network, make_loss("softmax", 3), Optimizer("sgd", 0.1), 8, 1, clip_norm=clip_norm)
        assert trainer.schedule == schedule.plan(network.layers, clip_norm is not None)


def test_the_schedule_is_shown_where_it_is_asked_for():
    code = "from fastnn import MLPClassifier; MLPClassifier((5,), max_iter=1, tol=1e9).fit([[0.0], [1.0]], [0, 1])"
    shown = [
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True, env=environment
        ).stderr
        for environment in (os.environ | {"FASTNN_SHOW_SCHEDULE": "1"}, os.environ)
    ]
    assert "begin, rows (forward 0, forward 1, loss, back 1)" in shown[0]
    assert shown[1] == ""


def test_fewer_samples_than_threads(rng):
    """Some threads then have no share of a phase."""
    network = Network(dense_layers([300, 300, 3], ["relu"] * 2), (200,), "softmax", "float64")
    X, y = rng.normal(size=(3, 200)), np.arange(3, dtype=np.int32)
    losses = set()
    for n_threads in (1, 5):
        trainer = Trainer(network.copy(), make_loss("softmax", 3), Optimizer("sgd", 0.1), 3, n_threads)
        losses.add(trainer.run(X, y, np.arange(3)))
    assert len(losses) == 1
