"""python -m fastnn bench: this machine, fastnn, and what else is installed that does the same, side by side.

Every peer runs in a process of its own, so that nobody's threads spin on another's cores, and in turn, round by round,
so that whatever else the machine does falls on all of them; the best of the rounds counts.
"""

import importlib.util
import json
import subprocess
import sys
import time
import warnings
from importlib.metadata import version
from itertools import pairwise

import numpy as np

from fastnn.engine.cores import unbound

ROUNDS = 2
SECONDS_PER_WORKLOAD = 0.4  # in each round; a workload that takes longer is run once
PATIENCE = 120  # seconds, for a peer's whole round

#: Networks to train: sizes, batch size, epochs, and how many samples.
NETWORKS = {
    "784-512-256-10, batches of 64, an epoch of 6400": ((784, 512, 256, 10), 64, 1, 6400),
    "64-100-10, batches of 200, 10 epochs of 1797": ((64, 100, 10), 200, 10, 1797),
    "50-64-64-5, batches of 128, an epoch of 20,000": ((50, 64, 64, 5), 128, 1, 20_000),
}
#: Samples to predict with the second of them.
PREDICTIONS = {"64-100-10, predict 1 row": 1, "64-100-10, predict 1797 rows": 1797}
PREDICTING = (64, 100, 10), 200


# -- peers: each returns, for a network, what trains it for an epoch and what predicts --------------------------------


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
    from fastnn.baseline import NumpyNetwork

    network = NumpyNetwork(sizes, "adam", batch_size=batch_size, random_state=0)
    return network.train_epoch, network.predict


def torch_network(sizes, batch_size):
    import torch
    from torch import nn

    layers = [part for pair in pairwise(sizes) for part in (nn.Linear(*pair), nn.ReLU())][:-1]
    network, loss = nn.Sequential(*layers), nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)

    def train_epoch(X, y):
        X, y = torch.from_numpy(X), torch.from_numpy(y)
        for batch in torch.randperm(len(X)).split(batch_size):
            optimizer.zero_grad()
            loss(network(X[batch]), y[batch]).backward()
            optimizer.step()

    def predict(X):
        with torch.inference_mode():
            return network(torch.from_numpy(X)).argmax(1).numpy()

    return train_epoch, predict


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


def best(work):
    """The shortest of as many runs as the time allows, after one to warm up."""
    work()
    times, end = [], time.perf_counter() + SECONDS_PER_WORKLOAD
    while not times or time.perf_counter() < end:
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def samples(n, sizes):
    rng = np.random.default_rng(0)
    return rng.random((n, sizes[0]), np.float32), rng.integers(0, sizes[-1], n)


def measure(peer):
    """Every workload's seconds."""
    make, _ = PEERS[peer]
    seconds = {}
    for name, (sizes, batch_size, n_epochs, n_samples) in NETWORKS.items():
        X, y = samples(n_samples, sizes)
        train_epoch, _ = make(sizes, batch_size)
        seconds[name] = best(lambda train=train_epoch, X=X, y=y, n=n_epochs: [train(X, y) for _ in range(n)])
    X, y = samples(1797, PREDICTING[0])
    train_epoch, predict = make(*PREDICTING)
    train_epoch(X, y)
    for name, n in PREDICTIONS.items():
        seconds[name] = best(lambda n=n: predict(X[:n]))
    return seconds


# -- the table --------------------------------------------------------------------------------------------------------


def run_peer(peer):
    """The figures of a peer's round, or None if it failed, which is said."""
    command = [sys.executable, "-m", "fastnn.bench", peer]
    try:
        with unbound():  # a child begins with its parent's cores
            done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        print(f"{peer} took more than {PATIENCE} s", file=sys.stderr)
        return None
    if done.returncode:
        print(f"{peer} failed: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
        return None
    return json.loads(done.stdout)


def text(seconds):
    for unit, factor in (("s", 1), ("ms", 1e3)):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"


def bench():
    """Measure every peer that is installed, and print the table."""
    import fastnn

    fastnn.show_config()
    peers = [peer for peer, (_, package) in PEERS.items() if importlib.util.find_spec(package)]
    others = [
        f"{peer} {version('torch' if peer == 'PyTorch' else 'jax')}" for peer in peers if peer in ("PyTorch", "JAX")
    ]
    print(f"beside           {', '.join(others) or 'neither PyTorch nor JAX, which are not installed'}")
    print("\nfloat32, adam; the best of several runs, and in parentheses how many times fastnn's\n", flush=True)
    figures = {peer: {} for peer in peers}
    for _ in range(ROUNDS):
        for peer in peers:
            for name, seconds in (run_peer(peer) or {}).items():
                figures[peer][name] = min(seconds, figures[peer].get(name, np.inf))
    workloads = [*NETWORKS, *PREDICTIONS]
    width = max(map(len, workloads))
    print(" " * width + "".join(f"{peer:>18}" for peer in peers))
    for name in workloads:
        cells = []
        ours = figures["fastnn"].get(name)
        for peer in peers:
            seconds = figures[peer].get(name)
            if seconds is None:
                cells.append("-")
            else:
                cells.append(
                    text(seconds) if peer == "fastnn" or not ours else f"{text(seconds)} ({seconds / ours:.1f})"
                )
        print(f"{name:{width}}" + "".join(f"{cell:>18}" for cell in cells))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print(json.dumps(measure(sys.argv[1])))
