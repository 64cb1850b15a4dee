"""FASTNN_PROFILE=1: where a fit's time goes, by operation and thread."""

import os
import subprocess
import sys

import numpy as np
import pytest
from problems import dense_layers, make_loss

from fastnn import MLPClassifier, SequentialRegressor
from fastnn.engine.network import Network
from fastnn.engine.optimizer import Optimizer
from fastnn.engine.profile import multiply_add, peak_gflops
from fastnn.engine.trainer import Trainer
from fastnn.layers import GRU, Conv1D, Dense
from fastnn.training.profile import text

N_SAMPLES, N_EPOCHS, BATCH = 40, 3, 16


@pytest.fixture
def trainer(monkeypatch, rng):
    """A trainer that has trained for some epochs, wide enough for several threads."""
    monkeypatch.setenv("FASTNN_PROFILE", "1")
    network = Network(dense_layers([300, 300, 3], ["relu"] * 2), (200,), "softmax", "float32")
    trainer = Trainer(network, make_loss("softmax", 3), Optimizer("adam", 1e-3), BATCH, 2)
    trainer.patience = 60.0  # or one thread would do all the work while other programs use the cores
    X, y = rng.normal(size=(N_SAMPLES, 200)).astype(np.float32), np.arange(N_SAMPLES, dtype=np.int32) % 3
    for _ in range(N_EPOCHS):
        trainer.run(X, y, np.arange(N_SAMPLES))
    return trainer


def test_what_is_counted(trainer):
    profile = trainer.profile
    assert (profile.n_samples, profile.n_steps) == (N_EPOCHS * N_SAMPLES, N_EPOCHS * 3)
    flops = {(name, by_rows): flops for _, name, by_rows, flops, _ in profile.operations()}
    assert flops["forward 0", False] == flops["step 0", False] == 2 * 200 * 300 * profile.n_samples
    assert flops["back 1", False] == 2 * 300 * 300 * profile.n_samples
    assert flops["forward 2", True] == flops["back 2", True] == 2 * 300 * 3 * profile.n_samples
    assert flops["begin", False] == flops["loss", True] == flops["gather", False] == 0


def test_what_is_counted_of_sequences_of_any_length(monkeypatch, rng):
    """A layer behind those that read sequences multiplies once for each of them, not for each step."""
    monkeypatch.setenv("FASTNN_PROFILE", "1")
    layers = [Conv1D(6, 2, strides=2), GRU(4), Dense(5)]
    model = SequentialRegressor(layers, max_iter=1, tol=1e9, random_state=0)
    X = [rng.normal(size=(n_steps, 3)) for n_steps in (4, 6, 10)]
    profile = model.partial_fit(X, [1.0, 2.0, 3.0])._trainer.profile
    assert profile.n_samples == 20
    forward = {name: flops for _, name, _, flops, _ in profile.operations() if name.startswith("forward")}
    assert forward["forward 0"] == 2 * 10 * (2 * 3 * 6)
    assert forward["forward 1"] == 2 * 10 * 3 * (6 * 4 + 4 * 4)
    assert [forward["forward 2"], forward["forward 3"]] == [2 * 3 * (4 * 5), 2 * 3 * 5]


@pytest.mark.parametrize("trainable", [True, False])
def test_the_error_goes_back_through_time_once(monkeypatch, rng, trainable):
    monkeypatch.setenv("FASTNN_PROFILE", "1")
    layers = [Dense(3), GRU(4, trainable=trainable)]
    model = SequentialRegressor(layers, random_state=0).partial_fit(rng.normal(size=(10, 7, 2)), rng.normal(size=10))
    counted = {name: flops for _, name, _, flops, _ in model._trainer.profile.operations() if name.endswith(" 1")}
    of_inputs, of_state = (2 * 10 * 7 * 3 * n * 4 for n in (3, 4))
    assert counted["forward 1"] == of_inputs + of_state
    if trainable:
        assert counted["grad 1"] == of_inputs + 2 * of_state
        assert counted["back 1"] == of_inputs
    else:
        assert counted["back 1"] == of_inputs + of_state


def test_operations_are_those_of_the_schedule(trainer):
    listed = [(phase, name) for phase, name, by_rows, _, _ in trainer.profile.operations() if not by_rows]
    planned = [
        (phase, " ".join(map(str, operation if operation[0] != "rows" else ["rows"])))
        for phase, operations in enumerate(trainer.schedule, 1)
        for operation in operations
    ]
    assert listed == planned


def test_both_threads_work_and_the_rows_are_within_their_operation(trainer):
    operations = trainer.profile.operations()
    times = {name: times for _, name, by_rows, _, times in operations if not by_rows}
    for name in ("forward 0", "back 1", "step 0"):
        assert all(working > 0 for working, _ in times[name])
    parts = [times for *_, by_rows, _, times in operations if by_rows]
    for thread in range(2):
        assert sum(part[thread][0] for part in parts) <= times["rows"][thread][0]
        assert all(part[thread][1] == 0 for part in parts)  # they wait for nobody


def test_the_table(trainer):
    lines = text(trainer.profile, 100.0).splitlines()
    assert lines[0] == "fastnn: 9 steps with 120 samples; a core does at most 100 GFLOP/s"
    assert lines[3].split() == ["phase", "operation", "thread", "0", "thread", "1", "GFLOP/s", "peak", "time"]
    rows = [line.split() for line in lines[4:]]
    assert [row[0] for row in rows if row[0].isdigit()] == [str(1 + i) for i in range(len(trainer.schedule))]
    shares = [float(row[-1][:-1]) for row, line in zip(rows, lines[4:], strict=True) if line.endswith("%")]
    assert len(lines) == 4 + len(trainer.profile.operations())
    assert shares


def test_nothing_is_noted_unless_asked_for():
    network = Network(dense_layers([9, 3], ["relu"]), (4,), "softmax", "float32")
    assert Trainer(network, make_loss("softmax", 3), Optimizer("sgd", 0.1), 8, 1).profile is None


def test_a_fit_prints_it():
    code = "from fastnn import MLPClassifier; MLPClassifier((5,), max_iter=1, tol=1e9).fit([[0.0], [1.0]], [0, 1])"
    shown = [
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True, env=environment
        ).stderr
        for environment in (os.environ | {"FASTNN_PROFILE": "1"}, os.environ)
    ]
    assert shown[0].startswith("fastnn: 1 steps with 2 samples") and "step 0" in shown[0]
    assert shown[1] == ""


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_the_bits_are_the_same(monkeypatch, rng):
    X, y = rng.normal(size=(60, 30)), rng.integers(0, 3, 60)
    settings = {"max_iter": 3, "random_state": 0, "tol": 1e9}
    plain = MLPClassifier((40,), **settings).fit(X, y)
    monkeypatch.setenv("FASTNN_PROFILE", "1")
    np.testing.assert_array_equal(plain.predict_proba(X), MLPClassifier((40,), **settings).fit(X, y).predict_proba(X))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_most_that_a_core_does(dtype):
    assert multiply_add(dtype, 0) == 0
    assert multiply_add(dtype, 30, n_threads=2) == 2 * multiply_add(dtype, 30) > 0
    assert peak_gflops(dtype, rounds=1) > 0.1
