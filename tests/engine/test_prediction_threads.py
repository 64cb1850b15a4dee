"""How predictions are shared between threads: the cut of few samples, and when it pays to ask for threads."""

import time

import numpy as np
import pytest

from fastnn.engine.network import Network

NETWORKS = {
    "dense": ((20,), [("dense", 300, "relu"), ("dense", 5, "identity")]),
    "convolution": (
        (10, 9, 2),
        [("convolution", 5, (3, 3), (1, 1), "same", (1, 1), 1, "relu"), ("reshape", (450,)), ("dense", 5, "identity")],
    ),
    "recurrence": (
        (7, 3),
        [("recurrent", "gru", 6, "tanh", "logistic", False, "concat", 0.0, 0.0), ("dense", 5, "identity")],
    ),
}


def network_of(rng, shape, layers):
    network = Network(layers, shape, "softmax", "float32")
    network.set_weights([rng.standard_normal(shape) for shape in network.shapes])
    return network


@pytest.mark.parametrize("name", NETWORKS)
def test_samples_have_the_same_bits_however_they_are_cut(rng, name):
    shape, layers = NETWORKS[name]
    network = network_of(rng, shape, layers)
    X = rng.standard_normal((400, np.prod(shape))).astype(np.float32)
    outputs = network.forward(X, 1)
    for n in (1, 2, 7, 8, 9, 16, 17, 31, 63, 64, 65, 66, 100, 128, 129, 200, 333, 400):
        for n_threads in (1, 2, 3, 5):
            assert network.forward(X[:n], n_threads).tobytes() == outputs[:n].tobytes()
            np.testing.assert_array_equal(network.labels(X[:n], n_threads)[:, 0], outputs[:n].argmax(axis=1))


def test_sleeping_threads_are_asked_for_at_once_only_for_much_work(rng):
    network = network_of(rng, *NETWORKS["dense"])
    time.sleep(0.02)  # whatever threads there are fall asleep
    assert not network.worth_sharing(1)
    assert not network.worth_sharing(8)
    assert not network.worth_sharing(200)
    assert network.worth_sharing(10**6)


def test_sleeping_threads_are_asked_for_where_predictions_come_in_a_row(rng):
    network = network_of(rng, *NETWORKS["dense"])
    time.sleep(0.02)
    assert any(network.worth_sharing(200) for _ in range(1000))
    assert not any(network.worth_sharing(8) for _ in range(1000))
