"""fastnn tour: trains a network of each kind on data that are at hand, and the same networks in another library."""

import time
from importlib import import_module
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from fastnn.cli.arguments import CommandError, Parser, add_seed, add_threads, one_of
from fastnn.cli.bench import duration
from fastnn.cli.timing import OtherWork, Times, busy_note
from fastnn.cli.tour_networks import Settings, networks
from fastnn.cli.train import seconds_of, training
from fastnn.plot.blocks import blocks_of, n_parameters
from fastnn.runtime.threads import effective_n_threads

# Rounds of each network, in which the two libraries train in turn: more while they have taken no longer than this. One
# round before them does not count, since it wakes threads and fills caches.
LEAST_ROUNDS, MOST_ROUNDS = 3, 7
SECONDS_PER_NETWORK = 1.0

PEERS = {"numpy": "NumPy", "torch": "PyTorch"}
DTYPES = {"float32": np.float32, "float64": np.float64}


class Row(NamedTuple):
    """What there is to say of a network; accuracies and times are fastnn's and the peer's, the other library's."""

    network: object
    n_parameters: int
    accuracies: tuple
    times: tuple


def parser():
    parser = Parser(
        "tour",
        description="Train a network of each kind, from the perceptron to modular networks, on data that need no "
        "download: functions of logic, and the 1797 small digits that scikit-learn carries. The same network is "
        "trained in NumPy or PyTorch beside each.",
        epilog="Both train on the same samples, in the same type, in batches of the same size, for equally many "
        f"epochs. In NumPy they have fastnn's initial weights and batches. Times are medians of {LEAST_ROUNDS} to "
        f"{MOST_ROUNDS} fits in turn, from the initial weights on. The accuracy is that on digits held out; a function "
        "of logic has four samples, which are all trained on.",
    )
    parser.add_argument(
        "--beside",
        metavar="LIBRARY",
        type=one_of(PEERS),
        default="numpy",
        help=f"the other library: {', '.join(PEERS)} (%(default)s)",
    )
    add_threads(parser, "the other library")
    add_seed(parser)
    parser.add_argument(
        "--dtype", metavar="TYPE", type=one_of(DTYPES), default="float32", help="float32 or float64 (%(default)s)"
    )
    return parser


def maker(peer, n_threads):
    """A function that makes the peer's network of one of ours; the peer computes on so many threads."""
    if peer == "numpy":
        return lambda network: network.numpy()
    try:
        import torch
    except ImportError as error:
        raise CommandError(f"--beside torch needs PyTorch, which cannot be imported: {error}") from None
    torch.set_num_threads(n_threads)
    torch_networks = import_module("fastnn.cli.torch_networks")
    return lambda network: network.torch(torch_networks)


def train_in_turn(network, make_peer, other_work):
    """Train a network of the tour and its peer, round by round; returns a Row."""
    data, rounds, end = network.data, [], time.monotonic() + SECONDS_PER_NETWORK

    def ours():
        with training():
            return network.model().fit(data.X, data.y)

    def theirs():
        peer = make_peer(network)
        peer.fit(data.X, data.y, network.n_epochs)
        return peer

    while len(rounds) <= LEAST_ROUNDS or (len(rounds) <= MOST_ROUNDS and time.monotonic() < end):
        trained, seconds = [], []
        for work in ours, theirs:
            other_work.settle(network.n_threads)
            seconds.append(seconds_of(lambda work=work, trained=trained: trained.append(work())))
        rounds.append(seconds)
    model, _ = trained
    return Row(
        network,
        n_parameters(blocks_of(model)),
        tuple(float(np.mean(each.predict(data.X_test) == data.y_test)) for each in trained),
        tuple(map(Times.of, zip(*rounds[1:], strict=True))),
    )


def line(row):
    """A row of the table, as text."""
    ours, theirs = row.times
    cells = [
        f"{row.network.kind:<15}{row.network.data.name:<20}{row.n_parameters:>10,}{row.network.n_epochs:>8}",
        *(f"{accuracy:>10.4f}" for accuracy in row.accuracies),
        *(f"{duration(times.median):>10}" for times in row.times),
        f"{theirs.median / ours.median:>7.1f} x",
    ]
    return "".join(cells)


def run(arguments):
    """Train the networks in their order, and print a row for each."""
    options = parser().parse_args(arguments)
    n_threads, peer = options.threads or effective_n_threads(), PEERS[options.beside]
    make_peer = maker(options.beside, n_threads)
    print(f"fastnn beside {peer}: {options.dtype}, {n_threads} {'thread' if n_threads == 1 else 'threads'}\n")
    print(f"{'':<53}{'accuracy':>20}{'time of a fit':>20}")
    heads = "".join(f"{head:>10}" for head in ("fastnn", peer, "fastnn", peer))
    print(f"{'network':<15}{'data':<20}{'parameters':>10}{'epochs':>8}{heads}{'speedup':>9}")
    other_work, spreads = OtherWork(), []
    with threadpool_limits(n_threads, user_api="blas"):
        for network in networks(Settings(options.seed, n_threads, DTYPES[options.dtype])):
            row = train_in_turn(network, make_peer, other_work)
            print(line(row), flush=True)
            spreads += [times.spread for times in row.times]
    print("\nA perceptron draws one straight line. No line divides the classes of XOR: that takes a hidden layer.")
    if note := busy_note(spreads, other_work, n_threads):
        print(f"\n{note}")
