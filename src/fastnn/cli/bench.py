"""fastnn bench: times fastnn and its peers, the other packages that are installed, on this machine.

Every peer runs in a process of its own, so that the idle threads of one do not spin on the cores of another. Peers take
turns, round by round, and have equally many rounds of each workload, so that other work on the machine slows all of
them alike.
"""

import importlib.util
import json
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, suppress

import fastnn
from fastnn.cli.arguments import Parser
from fastnn.cli.peers import NETWORKS, PEERS, PREDICTIONS
from fastnn.cli.timing import OtherWork, Times, busy_note
from fastnn.engine.threads.cores import unbound
from fastnn.runtime.threads import effective_n_threads

# Rounds of each workload: 7 for each peer, but fewer if they take longer than so many seconds, as on busy machines.
MOST_ROUNDS, LEAST_ROUNDS = 7, 3
SECONDS_PER_WORKLOAD = 20
PATIENCE = 120  # seconds to wait for a peer's answer
PEER = [sys.executable, "-m", "fastnn.cli.peers"]  # the peer's name follows


class PeerError(Exception):
    """A peer failed; the message says why, in one line."""


class Peer:
    """A peer in a process of its own, which sleeps while other peers are timed.

    `command` starts it, by default as a peer of this command. It prints a line when it is ready, and a line for each
    line that it is sent, all of them JSON; for each it has `patience` seconds, by default PATIENCE.
    """

    def __init__(self, name, command=None, patience=None):
        self.name, self.patience = name, patience or PATIENCE
        self.errors = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115 (__exit__ closes it)
        with unbound():  # the child inherits the cores that this process may use
            self.process = subprocess.Popen(
                command or [*PEER, name],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self.errors,
                text=True,
            )

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.process.kill()
        self.process.wait()
        for file in (self.process.stdin, self.process.stdout, self.errors):
            with suppress(OSError):  # of questions that were not yet sent
                file.close()

    def version(self):
        """The version of the peer's package; waits until the package is imported."""
        return self._answer()

    def ask(self, question):
        """The answer to a question: of a workload's name, the seconds that a round of it takes."""
        with suppress(OSError):  # the process has ended: _answer says why
            print(question, file=self.process.stdin, flush=True)
        return self._answer()

    def _answer(self):
        timeout = threading.Event()

        def end():
            timeout.set()
            self.process.kill()

        timer = threading.Timer(self.patience, end)
        timer.start()
        try:
            answer = self.process.stdout.readline()
        finally:
            timer.cancel()
        if timeout.is_set():
            raise PeerError(f"{self.name} took more than {self.patience} s")
        if not answer:
            self.process.wait()
            self.errors.seek(0)
            last_line = (self.errors.read().strip().splitlines() or [f"exit status {self.process.returncode}"])[-1]
            raise PeerError(f"{self.name} failed: {last_line}")
        return json.loads(answer)


def asked(peers, question):
    """Every peer's answer. A peer that fails is removed from `peers`, and the error is printed."""
    answers = {}
    for peer in list(peers):
        try:
            answers[peer.name] = question(peer)
        except PeerError as error:
            print(error, file=sys.stderr)
            peers.remove(peer)
    return answers


def timed(peers, workload, other_work):
    """The Times of a workload for each peer."""

    def seconds(peer):
        other_work.settle()
        return peer.ask(workload)

    rounds, end = [], time.monotonic() + SECONDS_PER_WORKLOAD
    while len(rounds) < LEAST_ROUNDS or (len(rounds) < MOST_ROUNDS and time.monotonic() < end):
        rounds.append(asked(peers, seconds))
    return {peer.name: Times.of([answers[peer.name] for answers in rounds]) for peer in peers}


def duration(seconds):
    """Seconds as text with three digits. The unit is chosen after rounding: 1 ms, not 1e+03 µs."""
    for unit, factor in (("s", 1), ("ms", 1e3), ("µs", 1e6)):
        value = seconds * factor
        if float(f"{value:.3g}") >= 1 or unit == "µs":
            return f"{value:.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"


def print_times(workload, times):
    print(workload)
    ours = times.get("fastnn")
    for name, each in times.items():
        ratio = f"{each.median / ours.median:10.1f} x" if ours and name != "fastnn" else ""
        print(f"  {name:<16}{duration(each.median):>10}  {each.plus_minus:<8}{ratio}".rstrip())
    print(flush=True)


def started(stack):
    """A process for every peer that is installed; it ends with the stack."""
    peers = []
    for name, (_, package) in PEERS.items():
        if importlib.util.find_spec(package):
            try:
                peers.append(stack.enter_context(Peer(name)))
            except OSError as error:
                print(f"{name} cannot be started: {error.strerror}", file=sys.stderr)
    return peers


def run(arguments):
    """Time every peer that is installed, and print a table for each workload."""
    Parser(
        "bench",
        description="Time training and predictions of small and large networks by fastnn, NumPy, scikit-learn, and "
        "PyTorch and JAX where they are installed.",
    ).parse_args(arguments)
    fastnn.show_config()
    with ExitStack() as stack:
        peers = started(stack)
        versions = asked(peers, Peer.version)
        others = [f"{name} {versions[name]}" for name in ("PyTorch", "JAX") if name in versions]
        print(f"beside           {', '.join(others) or 'neither PyTorch nor JAX'}")
        print(
            f"\nfloat32, adam; medians of {LEAST_ROUNDS} to {MOST_ROUNDS} rounds in turn, ± half the distance of their "
            "quartiles,\nand how many times fastnn's they are\n",
            flush=True,
        )
        other_work, spreads = OtherWork(), []
        for workload in (*NETWORKS, *PREDICTIONS):
            times = timed(peers, workload, other_work)
            print_times(workload, times)
            spreads += [each.spread for each in times.values()]
    if note := busy_note(spreads, other_work, effective_n_threads()):
        print(note, flush=True)
