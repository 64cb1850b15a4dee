"""python -m fastnn bench: the peers do the same work, and the table has the measured times."""

import importlib.util
import io
import json
import re
import sys

import numpy as np
import pytest

from fastnn.cli import bench, peers, timing
from fastnn.cli.main import main

WORKLOADS = [*peers.NETWORKS, *peers.PREDICTIONS]


@pytest.fixture
def small(monkeypatch):
    """Workloads that take no time."""
    for module in (peers, bench):
        monkeypatch.setattr(module, "NETWORKS", {"a network": ((6, 5, 3), 8, 2, 20)})
        monkeypatch.setattr(module, "PREDICTIONS", {"a row": 1})
    monkeypatch.setattr(peers, "SECONDS_PER_ROUND", 0.0)
    monkeypatch.setattr(peers, "PREDICTING", ((6, 5, 3), 8))
    monkeypatch.setattr(timing, "SETTLE_SECONDS", 0.0)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("peer", peers.PEERS)
def test_peers_learn(peer):
    make, package = peers.PEERS[peer]
    if not importlib.util.find_spec(package):
        pytest.skip(f"{package} is not installed")
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 8)).astype(np.float32)
    y = X[:, :3].argmax(axis=1)
    train_epoch, predict = make((8, 16, 3), 20)
    for _ in range(40):
        train_epoch(X, y)
    assert np.mean(predict(X) == y) > 0.9


@pytest.mark.parametrize("peer", ["fastnn", "NumPy"])
def test_a_peers_answers(small, peer):
    """A peer prints its version, and the seconds of a round for each question."""
    answers = io.StringIO()
    peers.serve(peer, io.StringIO("a network\na row\na network\n"), answers)
    version, *seconds = map(json.loads, answers.getvalue().splitlines())
    assert re.match(r"\d+\.\d+", version)
    assert len(seconds) == 3
    assert all(0 < value < 10 for value in seconds)


class FakePeer:
    """fastnn takes 2 ms, but 2 s in one round of seven."""

    def __init__(self, name):
        self.name, self.n_rounds = name, 0
        self.usual = {"fastnn": 0.002, "NumPy": 0.01, "scikit-learn": 3.0}.get(name, 1.0)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass

    def version(self):
        if self.name == "JAX":
            raise bench.PeerError("JAX failed: it is broken")
        return "1.2"

    def ask(self, workload):
        self.n_rounds += 1
        if self.name == "PyTorch" and self.n_rounds > 3:
            raise bench.PeerError("PyTorch took more than 120 s")
        return 2.0 if self.name == "fastnn" and self.n_rounds % bench.MOST_ROUNDS == 2 else self.usual


def test_the_table(small, monkeypatch, capsys):
    monkeypatch.setattr(bench, "Peer", FakePeer)
    monkeypatch.setattr(importlib.util, "find_spec", lambda package: package not in ("torch", "jax"))
    assert main(["bench"]) == 0
    printed = capsys.readouterr().out
    table = (
        r"a network\n  fastnn +2 ms  ± 0 %\n  NumPy +10 ms  ± 0 % +5\.0 x\n  scikit-learn +3 s  ± 0 % +1500\.0 x\n\n"
    )
    assert re.search(table, printed)
    assert re.search(table.replace("a network", "a row"), printed)
    assert "neither PyTorch nor JAX" in printed
    assert "instruction set" in printed


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(3.14159e-5, "31.4 µs"), (9.997e-4, "1 ms"), (0.12345, "123 ms"), (0.9996, "1 s"), (1234.4, "1234 s")],
)
def test_durations(seconds, text):
    assert bench.duration(seconds) == text


def test_peers_that_fail_are_left_out(small, monkeypatch, capsys):
    """One peer fails at its import, another one during a round."""
    monkeypatch.setattr(bench, "Peer", FakePeer)
    monkeypatch.setattr(importlib.util, "find_spec", lambda package: True)
    assert main(["bench"]) == 0
    out, err = capsys.readouterr()
    assert err == "JAX failed: it is broken\nPyTorch took more than 120 s\n"
    assert "PyTorch 1.2" in out and "JAX" not in out
    assert out.count("scikit-learn ") >= 2 and "\n  PyTorch" not in out


def test_peers_take_turns(monkeypatch):
    """Every round asks all peers, so that other work on the machine slows all of them."""
    monkeypatch.setattr(timing, "SETTLE_SECONDS", 0.0)
    asked = []
    monkeypatch.setattr(FakePeer, "ask", lambda self, workload: asked.append(self.name) or 1.0)
    bench.timed([FakePeer("fastnn"), FakePeer("NumPy")], "a row", timing.OtherWork())
    assert asked == ["fastnn", "NumPy"] * bench.MOST_ROUNDS
    asked.clear()
    monkeypatch.setattr(bench, "SECONDS_PER_WORKLOAD", 0)  # as if other work made them take very long
    bench.timed([FakePeer("fastnn"), FakePeer("NumPy")], "a row", timing.OtherWork())
    assert asked == ["fastnn", "NumPy"] * bench.LEAST_ROUNDS


def test_a_process_of_its_own():
    with bench.Peer("NumPy") as peer:
        assert peer.version() == np.__version__
        assert 0 < peer.ask("64-100-10, predict 1 row") < 10
    assert peer.process.returncode is not None


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("raise ImportError('it is broken')", "NumPy failed: ImportError: it is broken"),
        ("import sys; sys.exit(7)", "NumPy failed: exit status 7"),
        ("import time; time.sleep(1000)", "NumPy took more than"),
    ],
)
def test_a_process_that_fails(monkeypatch, code, says):
    monkeypatch.setattr(bench, "PATIENCE", 5.0 if "sleep" not in code else 0.5)
    monkeypatch.setattr(bench, "PEER", [sys.executable, "-c", code])
    with bench.Peer("NumPy") as peer:
        with pytest.raises(bench.PeerError, match=re.escape(says)):
            peer.version()
        with pytest.raises(bench.PeerError):
            peer.ask(WORKLOADS[0])


def test_it_takes_no_options(capsys):
    assert main(["bench", "--help"]) == 0
    assert capsys.readouterr().out.startswith("usage: python -m fastnn bench")
    assert main(["bench", "--epochs", "3"]) == 2
    assert capsys.readouterr().err == "fastnn: error: unrecognized arguments: --epochs 3\n"
