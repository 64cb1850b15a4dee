"""Times peers in turn on one workload: python compare.py WORKLOAD PEER...

Every peer has a process of its own, on the same cores, and sleeps while others are timed. In each round, every peer
trains for an epoch, or for several if they are short. Then it predicts, in as many rounds. Times are the best of all
rounds: in the first one, some packages compile. Before each round, the most arithmetic that the cores can do is
measured, too.
"""

import dataclasses
import math
import os
import pickle
import platform
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from data import DATA, FILES
from measure import ARRAYS, N_ROWS, PEERS
from workloads import WORKLOADS

from fastnn.cli.arguments import CommandError, Parser, integer, one_of
from fastnn.cli.bench import Peer, asked, duration
from fastnn.cli.mnist_files import IdxError
from fastnn.cli.timing import OtherWork, Times, busy_note
from fastnn.engine.threads.cores import usable_cores
from fastnn.runtime.threads import effective_n_threads

sys.path.append(str(Path(__file__).parents[1]))  # where the benchmarks share what they measure by
from measuring import best_seconds, fma_peak_work

MEASURE = Path(__file__).with_name("measure.py")
PATIENCE = 1800  # seconds to wait for an epoch


def parser():
    parser = Parser(prog="compare.py", description="Time peers in turn on one workload. Ratios are to the first peer.")
    parser.add_argument("workload", metavar="WORKLOAD", type=one_of(WORKLOADS), help=f"one of {', '.join(WORKLOADS)}")
    parser.add_argument("peers", metavar="PEER", nargs="+", type=one_of(PEERS), help=f"of {', '.join(PEERS)}")
    parser.add_argument(
        "--data",
        metavar="DIR",
        help="folder with the workload's files; without it, data like them are made. Files: "
        + "; ".join(f"{name}: {files}" for name, files in FILES.items()),
    )
    parser.add_argument(
        "--rounds", metavar="N", type=integer(1), default=3, help="times that each peer is timed (%(default)s)"
    )
    parser.add_argument(
        "--epochs", metavar="N", type=integer(1), help="epochs before the score is measured (the workload's)"
    )
    parser.add_argument("--samples", metavar="N", type=integer(1), help="samples to train on (the workload's)")
    parser.add_argument("--batch-size", metavar="N", type=integer(1), help="samples a step (the workload's)")
    parser.add_argument(
        "--threads",
        metavar="N",
        type=integer(1, os.cpu_count() or 1),
        help="cores, and threads of each peer (as many as this process may use)",
    )
    parser.add_argument("--seed", metavar="N", type=integer(0, 2**32 - 1), default=0, help="(%(default)s)")
    return parser


def chosen(options):
    """The workload and its data, with what the options change."""
    workload = WORKLOADS[options.workload]
    if options.data and workload.data not in FILES:
        raise CommandError(
            f"--data is for the data sets {', '.join(FILES)}, and {options.workload} has data of its own"
        )
    try:
        data = DATA[workload.data](options.data)
    except IdxError as error:
        raise CommandError(str(error)) from None
    # Numbers of a sample, or of each step where lengths differ
    shape, is_ragged = workload.input_shape, workload.ragged
    n_numbers, expected = math.prod(data.X[0].shape[is_ragged:]), math.prod(shape[is_ragged:])
    n_classes = workload.n_classes and data.y.max() + 1
    if n_numbers != expected or (n_classes or 0) > (workload.n_classes or 0):
        raise CommandError(
            f"{data.name}: {'steps' if is_ragged else 'samples'} must have {expected} numbers, and there must be at "
            f"most {workload.n_classes} classes, got {n_numbers} and {n_classes}"
        )
    n_samples = min(options.samples or workload.n_samples or len(data.X), len(data.X))
    batch_size = options.batch_size or workload.batch_size
    epochs = options.epochs or workload.epochs
    data = data._replace(X=data.X[:n_samples], y=data.y[:n_samples])
    if not is_ragged:
        data = data._replace(X=data.X.reshape(-1, *shape), X_test=data.X_test.reshape(-1, *shape))
    return dataclasses.replace(workload, n_samples=n_samples, batch_size=batch_size, epochs=epochs), data


def pin(n_threads):
    """Keep this process, and those that it starts, on so many cores and threads; returns the cores' numbers."""
    cores = sorted(usable_cores() or range(os.cpu_count() or 1))[: n_threads or effective_n_threads()]
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)
    # What OpenMP, OpenBLAS and PyTorch read; XLA and TensorFlow count the cores.
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(len(cores)))
    return cores


def started(stack, names, workload, data, seed):
    """A process for each peer, with the workload and its data in files; all end with the stack."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    (folder / "workload").write_bytes(pickle.dumps(workload))
    for name in ARRAYS:
        np.save(folder / f"{name}.npy", getattr(data, name))
    commands = {name: [sys.executable, str(MEASURE), name, str(folder), str(seed)] for name in dict.fromkeys(names)}
    return [stack.enter_context(Peer(name, command, PATIENCE)) for name, command in commands.items()]


class Measurements:
    """The answers of peers to each question, round by round, and the FMA peak of the same minutes.

    A peer that fails is removed from `peers`.
    """

    def __init__(self, peers, n_threads):
        self.peers, self.other_work, self.answers = peers, OtherWork(), {}
        self.peak = fma_peak_work("float32", n_threads)
        self.peak_seconds = np.inf

    def ask(self, question, n_rounds=1):
        def answer(peer):
            self.other_work.settle()
            return peer.ask(question)

        for _ in range(n_rounds):
            if self.peak:
                self.other_work.settle()
                self.peak_seconds = min(self.peak_seconds, *best_seconds(self.peak[0]))
            for name, value in asked(self.peers, answer).items():
                self.answers.setdefault(question, {}).setdefault(name, []).append(value)

    def best(self, question, peer):
        return min(self.answers[question][peer])

    def peak_flops(self):
        """Floating-point operations a second; NaN where there is no C compiler."""
        return self.peak[1] / self.peak_seconds if self.peak else np.nan

    def spreads(self):
        """Of epochs that compiled nothing."""
        return [Times.of(seconds[1:]).spread for seconds in self.answers["epoch"].values() if len(seconds) > 2]


def measure(peers, n_rounds, n_threads):
    measurements = Measurements(peers, n_threads)
    measurements.ask("epoch", n_rounds)
    measurements.ask("many_rows", n_rounds)
    measurements.ask("one_row", n_rounds)
    measurements.ask("remaining_epochs")
    measurements.ask("score")
    measurements.ask("memory")
    return measurements


# -- what is printed --------------------------------------------------------------------------------------------------


def cpu_name():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def described(name, workload, data):
    clipped = f", clipped at {workload.clip_norm:g}" if workload.clip_norm else ""
    return (
        f"{name}: {', '.join(described_layer(layer) for layer, _ in workload.chain)}\n"
        f"{workload.solver} at {workload.learning_rate:g}{clipped}, batches of {workload.batch_size}, "
        f"{workload.n_samples:,} samples of {data.name}, float32"
        + (f"\n{n_steps(data):.1f} steps a sample on average" if workload.ragged else "")
    )


def described_layer(layer):
    settings = (described_layer(value) if name == "layer" else str(value) for name, value in vars(layer).items())
    return f"{type(layer).__name__}({', '.join(settings)})"


def n_steps(data):
    """The mean length of the sequences to train on."""
    return np.mean([len(x) for x in data.X])


def table(measurements, versions, workload, epoch_flops, epoch_steps=None):
    """Rows of text: the names of the columns, and the figures of each peer that has finished."""
    best, peers = measurements.best, [peer.name for peer in measurements.peers]

    def timed(question, peer):
        ratio = best(question, peer) / best(question, peers[0])
        return duration(best(question, peer)) + (f" ({ratio:.2f} x)" if peer != peers[0] else "")

    score = "squared error" if workload.n_classes is None else "accuracy"
    rows = [("", "version", "epoch", f"{N_ROWS:,} rows", "one row", score, "memory", "of the peak")]
    rows[0] += ("a step",) if epoch_steps else ()
    for peer in peers:
        memory = best("memory", peer)
        fraction = epoch_flops / best("epoch", peer) / measurements.peak_flops()
        rows.append(
            (
                peer,
                versions[peer],
                *(timed(question, peer) for question in ("epoch", "many_rows", "one_row")),
                f"{best('score', peer):.4f}",
                "-" if memory is None else f"{memory:.1f} MB",
                "-" if np.isnan(fraction) else f"{fraction:.2f}",
                *([duration(best("epoch", peer) / epoch_steps)] if epoch_steps else []),
            )
        )
    return rows


def print_table(rows):
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def main(arguments=None):
    options = parser().parse_args(arguments)
    cores = pin(options.threads)
    workload, data = chosen(options)
    print(described(options.workload, workload, data), flush=True)
    with ExitStack() as stack:
        peers = started(stack, options.peers, workload, data, options.seed)
        versions = asked(peers, Peer.version)
        if not peers:
            raise CommandError("no peer could run this workload")
        measurements = measure(peers, options.rounds, len(cores))
    steps = n_steps(data) if workload.ragged else None
    epoch_flops = workload.flops(steps) * workload.n_samples
    peak = measurements.peak_flops()
    print(
        f"{cpu_name()}, {'core' if len(cores) == 1 else 'cores'} {', '.join(map(str, cores))}, Python "
        f"{platform.python_version()}\n"
        f"an epoch is {epoch_flops / 1e9:.3g} GFLOP, products with zeros included; the FMA peak "
        + ("was not measured: there is no C compiler\n" if np.isnan(peak) else f"was {peak / 1e9:.0f} GFLOP/s\n")
    )
    print_table(table(measurements, versions, workload, epoch_flops, steps and steps * workload.n_samples))
    n_epochs = max(options.rounds * workload.epochs_at_once, workload.epochs)
    score = "squared error: the mean" if workload.n_classes is None else "accuracy:"
    print(f"\nepoch: the best of {options.rounds} rounds\n{score} on samples for testing, after {n_epochs} epochs")
    if steps:
        print("a step: an epoch's time, divided by the number of steps that sequences have, without those of padding")
    print("memory: the highest, in addition to the data and the imported package")
    if workload.solver == "rmsprop" and "sklearn" in versions:
        print("sklearn: trained by adam, since it has no RMSprop")
    if note := busy_note(measurements.spreads() or [0.0], measurements.other_work, len(cores)):
        print(note)


if __name__ == "__main__":
    try:
        main()
    except CommandError as error:
        sys.exit(f"compare.py: {error}")
