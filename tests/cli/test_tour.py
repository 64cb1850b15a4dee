"""fastnn tour: every kind of network is there, learns, and is the same in NumPy; the table has what was measured."""

import re
import sys

import numpy as np
import pytest

from fastnn.cli import timing, tour, tour_networks
from fastnn.cli.main import main
from fastnn.cli.train import training
from fastnn.plot.blocks import blocks_of, n_parameters

SETTINGS = tour_networks.Settings(seed=0, n_threads=1, dtype=np.float64)
NETWORKS = {f"{network.kind} on {network.data.name}": network for network in tour_networks.networks(SETTINGS)}


@pytest.fixture
def quick(monkeypatch):
    """One round that counts, without pauses, of networks that train for two epochs."""
    monkeypatch.setattr(tour, "LEAST_ROUNDS", 1)
    monkeypatch.setattr(tour, "SECONDS_PER_NETWORK", 0.0)
    monkeypatch.setattr(timing, "SETTLE_SECONDS", 0.0)
    monkeypatch.setattr(tour_networks.OfDigits, "n_epochs", 2)


def fitted(network):
    with training():
        return network.model().fit(network.data.X, network.data.y)


def test_the_tour_has_six_kinds():
    kinds = list(dict.fromkeys(network.kind for network in NETWORKS.values()))
    assert kinds == ["perceptron", "feed-forward", "multilayer", "convolutional", "recurrent", "modular"]


@pytest.mark.parametrize("name", NETWORKS)
def test_numpy_has_the_same_network_and_learns_the_same(name):
    """The same answers after training, so the ratio of their times is fair."""
    network = NETWORKS[name]
    model, peer = fitted(network), network.numpy()
    peer.fit(network.data.X, network.data.y, network.n_epochs)
    assert n_parameters(blocks_of(model)) == peer.n_parameters
    predicted = peer.predict(network.data.X_test)
    np.testing.assert_array_equal(model.predict(network.data.X_test), predicted)
    accuracy = np.mean(predicted == network.data.y_test)
    if name == "perceptron on XOR":
        assert accuracy < 1
    else:
        assert accuracy == 1 if network.data.name in tour_networks.LOGIC else accuracy > 0.9


@pytest.mark.parametrize("name", [name for name in NETWORKS if not name.startswith(("perceptron", "modular"))])
def test_numpy_has_the_same_losses(name):
    network = NETWORKS[name]
    losses = network.numpy().fit(network.data.X, network.data.y, network.n_epochs)
    np.testing.assert_allclose(fitted(network).loss_curve_, losses, rtol=1e-6)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_torch_has_the_same_network(name, dtype):
    pytest.importorskip("torch")
    from fastnn.cli import torch_networks

    network = type(NETWORKS[name]).__new__(type(NETWORKS[name]))
    network.__dict__ |= NETWORKS[name].__dict__ | {"settings": SETTINGS._replace(dtype=dtype)}
    data = network.data._replace(X=network.data.X.astype(dtype), X_test=network.data.X_test.astype(dtype))
    peer = network.torch(torch_networks)
    peer.fit(data.X, data.y, network.n_epochs)
    assert peer.n_parameters == network.numpy().n_parameters
    accuracy = np.mean(peer.predict(data.X_test) == data.y_test)
    assert accuracy < 1 if name == "perceptron on XOR" else accuracy > 0.85


@pytest.mark.parametrize("words", [[], ["--dtype", "float64", "--seed", "3"]], ids=" ".join)
def test_the_table(words, quick, capsys):
    assert main(["tour", "--threads", "1", *words]) == 0
    out = capsys.readouterr().out
    assert f"fastnn beside NumPy: {words[1] if words else 'float32'}, 1 thread\n" in out
    assert re.search(r"^network .* fastnn +NumPy +fastnn +NumPy +speedup$", out, re.M)
    rows = re.findall(
        r"^(\S+) +(\S.*?)  +([\d,]+) +(\d+) +([\d.]+) +([\d.]+) +[\d.]+ [mµ]?s +[\d.]+ [mµ]?s +[\d.]+ x$", out, re.M
    )
    expected = [(network.kind, network.data.name) for network in NETWORKS.values()]
    assert [row[:2] for row in rows] == expected
    for _, _, parameters, n_epochs, *accuracies in rows:
        assert int(parameters.replace(",", "")) > 0 and int(n_epochs) > 1
        assert all(0 <= float(accuracy) <= 1 for accuracy in accuracies)
    assert rows[4][4:] == ("1.0000", "1.0000")  # what the feed-forward network knows of XOR


def test_times_are_medians_without_the_first_round(monkeypatch):
    monkeypatch.setattr(timing, "SETTLE_SECONDS", 0.0)
    seconds = iter([900.0, 900.0, 1.0, 30.0, 2.0, 10.0, 9.0, 20.0])
    monkeypatch.setattr(tour, "seconds_of", lambda work: (work(), next(seconds))[1])
    monkeypatch.setattr(tour, "SECONDS_PER_NETWORK", 0.0)
    network = NETWORKS["perceptron on XOR"]
    row = tour.train_in_turn(network, tour.maker("numpy", 1), timing.OtherWork())
    assert [times.median for times in row.times] == [2.0, 20.0]
    assert row.accuracies == (0.5, 0.5)
    assert tour.line(row).endswith("10.0 x")


def test_beside_torch(quick, capsys):
    pytest.importorskip("torch")
    assert main(["tour", "--threads", "1", "--beside", "torch"]) == 0
    assert "fastnn beside PyTorch: float32, 1 thread\n" in capsys.readouterr().out


def test_beside_torch_where_it_is_not_installed(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "torch", None)
    assert main(["tour", "--beside", "torch"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("fastnn: error: --beside torch needs PyTorch, which cannot be imported: ")
    assert error.count("\n") == 1
