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
