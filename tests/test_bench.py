"""python -m fastnn bench: the peers do the same work, and the table says what was measured."""

import importlib.util
import re
import subprocess

import numpy as np
import pytest

from fastnn import bench
from fastnn.__main__ import main


@pytest.fixture
def small(monkeypatch):
    """Workloads that take no time."""
    monkeypatch.setattr(bench, "SECONDS_PER_WORKLOAD", 0.0)
    monkeypatch.setattr(bench, "NETWORKS", {"a network": ((6, 5, 3), 8, 2, 20)})
    monkeypatch.setattr(bench, "PREDICTIONS", {"a row": 1})
    monkeypatch.setattr(bench, "PREDICTING", ((6, 5, 3), 8))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("peer", bench.PEERS)
def test_peers_learn(peer):
    make, package = bench.PEERS[peer]
    if not importlib.util.find_spec(package):
        pytest.skip(f"{package} is not installed")
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 8)).astype(np.float32)
    y = X[:, :3].argmax(axis=1)
    train_epoch, predict = make((8, 16, 3), 20)
    for _ in range(40):
        train_epoch(X, y)
    assert np.mean(predict(X) == y) > 0.9


def test_the_table(small, monkeypatch, capsys):
    """fastnn takes 2 ms, the others what they take; one fails, one is not there."""
    seconds = {"fastnn": 0.002, "NumPy": 0.01, "scikit-learn": 3.0}
    monkeypatch.setattr(bench, "run_peer", lambda peer: dict.fromkeys(["a network", "a row"], seconds[peer])
                        if peer in seconds else None)  # fmt: skip
    monkeypatch.setattr(importlib.util, "find_spec", lambda package: package not in ("torch", "jax"))
    assert main(["bench"]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"a network +2 ms +10 ms \(5\.0\) +3 s \(1500\.0\)\n", printed)
    assert "neither PyTorch nor JAX" in printed
    assert "instruction set" in printed
    assert bench.text(3.14159e-5) == "31.4 µs"


def test_a_round(small):
    for peer in ("fastnn", "NumPy"):
        seconds = bench.measure(peer)
        assert seconds.keys() == {"a network", "a row"}
        assert all(0 < value < 10 for value in seconds.values())


def test_a_peer_that_fails_is_left_out(monkeypatch, capsys):
    def fail(*arguments, **settings):
        return subprocess.CompletedProcess(arguments, 1, "", "a traceback\nImportError: it is broken\n")

    monkeypatch.setattr(subprocess, "run", fail)
    assert bench.run_peer("JAX") is None
    assert "JAX failed: ['ImportError: it is broken']" in capsys.readouterr().err

    def hang(*arguments, **settings):
        raise subprocess.TimeoutExpired("JAX", 1)

    monkeypatch.setattr(subprocess, "run", hang)
    assert bench.run_peer("JAX") is None
    assert "took more than" in capsys.readouterr().err


def test_a_process_of_its_own(monkeypatch):
    run, commands = subprocess.run, []

    def quick(command, **settings):
        commands.append(command)
        code = (
            "import fastnn.bench as bench, json; bench.NETWORKS, bench.SECONDS_PER_WORKLOAD = {}, 0; "
            "print(json.dumps(bench.measure('NumPy')))"
        )
        return run([command[0], "-c", code], **settings)

    monkeypatch.setattr(subprocess, "run", quick)
    assert bench.run_peer("NumPy").keys() == bench.PREDICTIONS.keys()
    assert commands[0][1:] == ["-m", "fastnn.bench", "NumPy"]


def test_it_takes_no_options(capsys):
    for arguments, status, said in (
        (["--help"], 0, "usage: python -m fastnn bench"),
        (["--epochs", "3"], 2, "--epochs 3"),
    ):
        with pytest.raises(SystemExit) as ended:
            main(["bench", *arguments])
        assert ended.value.code == status
        printed = capsys.readouterr()
        assert said in printed.out + printed.err
