"""The peers of fastnn bench: packages that do the same work as fastnn, and the timing of one of them.

python -m fastnn.cli.peers PEER runs one peer in a process of its own. For each name of a workload on standard input it
runs a round of the workload, and prints the seconds.
"""

import importlib
import json
import statistics
import sys
import time
import warnings
from functools import cache
from itertools import pairwise

import numpy as np

SECONDS_PER_ROUND = 0.1  # a workload that takes longer is run once

#: Networks to train: sizes, batch size, number of epochs, and number of samples.
NETWORKS = {
    "784-512-256-10, batches of 64, an epoch of 6400": ((784, 512, 256, 10), 64, 1, 6400),
    "64-100-10, batches of 200, 10 epochs of 1797": ((64, 100, 10), 200, 10, 1797),
    "50-64-64-5, batches of 128, an epoch of 20,000": ((50, 64, 64, 5), 128, 1, 20_000),
}
#: The numbers of samples to predict, with the network PREDICTING.
PREDICTIONS = {"64-100-10, predict 1 row": 1, "64-100-10, predict 1797 rows": 1797}
PREDICTING = (64, 100, 10), 200


# -- each returns two functions of a network: one that trains it for an epoch, and one that predicts -----------------


def fastnn_network(sizes, batch_size):
    from fastnn import MLPClassifier

    return _estimator(MLPClassifier, sizes, batch_size)


def sklearn_network(sizes, batch_size):
    from sklearn.neural_network import MLPClassifier

    return _estimator(MLPClassifier, sizes, batch_size)


def _estimator(estimator, sizes, batch_size):
    model = estimator(sizes[1:-1], batch_size=batch_size, random_state=0)
    classes = np.arange(sizes[-1])
    return lambda X, y: model.partial_fit(X, y, classes=classes), model.predict


def numpy_network(sizes, batch_size):
    from fastnn.cli.numpy_network import NumpyNetwork

    network = NumpyNetwork(sizes, "adam", batch_size=batch_size, random_state=0)
    return network.train_epoch, network.predict


def torch_network(sizes, batch_size):
    from fastnn.cli.torch_networks import TorchTraining, dense_layers

    network = TorchTraining(lambda: dense_layers(sizes), batch_size=batch_size)
    return network.train_epoch, network.predict


def jax_network(sizes, batch_size):
    import jax
    import jax.numpy as jnp

    rng = np.random.default_rng(0)
    shapes = list(pairwise(sizes))
    network = [(jnp.asarray(rng.normal(0, n**-0.5, (n, m)), "float32"), jnp.zeros(m)) for n, m in shapes]
    zeros = jax.tree.map(jnp.zeros_like, network)
    state = {"network": network, "mean": zeros, "square": zeros, "step": 0.0}

    def logits(network, x):
        for W, b in network[:-1]:
            x = jax.nn.relu(x @ W + b)
        W, b = network[-1]
        return x @ W + b

    def loss(network, x, y):
        return -jnp.take_along_axis(jax.nn.log_softmax(logits(network, x)), y[:, None], axis=1).mean()

    @jax.jit
    def step(state, x, y):
        grads, number = jax.grad(loss)(state["network"], x, y), state["step"] + 1
        mean = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, state["mean"], grads)
        square = jax.tree.map(lambda s, g: 0.999 * s + 0.001 * g * g, state["square"], grads)
        rate = 1e-3 * jnp.sqrt(1 - 0.999**number) / (1 - 0.9**number)
        moved = jax.tree.map(lambda w, m, s: w - rate * m / (jnp.sqrt(s) + 1e-8), state["network"], mean, square)
        return {"network": moved, "mean": mean, "square": square, "step": number}

    outputs = jax.jit(logits)

    def train_epoch(X, y):
        order = rng.permutation(len(X))
        for first in range(0, len(X), batch_size):
            batch = order[first : first + batch_size]
            state.update(step(dict(state), X[batch], y[batch]))
        jax.block_until_ready(state)

    return train_epoch, lambda X: np.asarray(outputs(state["network"], X)).argmax(1)


#: Each peer's network, and the package that it needs.
PEERS = {
    "fastnn": (fastnn_network, "fastnn"),
    "NumPy": (numpy_network, "numpy"),
    "scikit-learn": (sklearn_network, "sklearn"),
    "PyTorch": (torch_network, "torch"),
    "JAX": (jax_network, "jax"),
}


# -- one peer, in a process of its own --------------------------------------------------------------------------------


def samples(n, sizes):
    rng = np.random.default_rng(0)
    return rng.random((n, sizes[0]), np.float32), rng.integers(0, sizes[-1], n)


def workload(name, make):
    """A function to time, without arguments. It has run once, so that everything is compiled."""
    if name in NETWORKS:
        sizes, batch_size, n_epochs, n_samples = NETWORKS[name]
        X, y = samples(n_samples, sizes)
        train_epoch, _ = make(sizes, batch_size)

        def work():
            for _ in range(n_epochs):
                train_epoch(X, y)
    else:
        X, y = samples(1797, PREDICTING[0])
        train_epoch, predict = make(*PREDICTING)
        train_epoch(X, y)
        rows = X[: PREDICTIONS[name]]

        def work():
            predict(rows)

    work()
    return work


def seconds_of(work):
    """The median time of as many runs as fit into a round.

    The first run wakes threads and fills caches, and counts only if it is the only one.
    """
    times, end = [], time.perf_counter() + SECONDS_PER_ROUND
    while not times or time.perf_counter() < end:
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:] or times)


def serve(peer, questions, answers):
    """Print the version of the peer's package, and then, for each workload's name, the seconds of a round."""
    make, package = PEERS[peer]
    made = cache(lambda name: workload(name, make))
    print(json.dumps(importlib.import_module(package).__version__), file=answers, flush=True)
    for question in questions:
        print(json.dumps(seconds_of(made(question.strip()))), file=answers, flush=True)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    serve(sys.argv[1], sys.stdin, sys.stdout)
