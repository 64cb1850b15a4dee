"""Faults of a cluster of processes, injected into a fit: each has the same bits as the fit without it, or an error."""

import os
import signal
import threading
import time

import numpy as np
from dask_problems import ENDLESS, LABELS, X, chunked

from fastnn import MLPClassifier
from fastnn.dask import DaskClassifier
from fastnn.dask.rounds import Plan

NETWORK = Plan.network
N_EPOCHS = 5


class Broken(Exception):
    """An error of the user's own data."""


def pids(client):
    """The processes of the workers, by their addresses."""
    for _ in range(50):
        try:
            return {address: info["pid"] for address, info in client.run(lambda: {"pid": os.getpid()}).items()}
        except OSError:  # the scheduler has yet to notice that one was killed by the fault before
            time.sleep(0.2)
    raise AssertionError("the workers do not answer")


def patch(what, seconds=0.0):
    """Let this worker's rounds sleep, raise or end the process; "well" takes that back."""

    def network(plan, weights):
        if what == "sleep":
            time.sleep(seconds)
        elif what == "raise":
            raise Broken("the disk is gone")
        elif what == "memory":
            raise MemoryError("16 GiB")
        elif what == "exit":
            os._exit(137)
        return NETWORK(plan, weights)

    Plan.network = NETWORK if what == "well" else network


def in_mid_round(action, epoch=2, delay=0.0):
    """A callback that starts an action in a thread while the round after this epoch is computed."""
    n_epochs = 0

    def callback(_):
        nonlocal n_epochs
        n_epochs += 1
        if n_epochs == epoch:
            threading.Thread(target=lambda: (time.sleep(delay), action()), daemon=True).start()
        return False

    return callback


def blocks(fault):
    """The data, where the block of shard 3 does what a function does."""
    data, labels = chunked(X, LABELS)

    def block(array, block_info=None):
        if block_info and block_info[0]["chunk-location"][0] == 3:
            fault()
        return array

    return data.map_blocks(block, meta=np.empty((0, X.shape[1]), X.dtype)), labels


def raising(error):
    def fault():
        raise error

    return fault


def estimator(client, callback=None, **settings):
    network = MLPClassifier((8,), max_iter=N_EPOCHS, callback=callback, batch_size=16, **ENDLESS)
    return DaskClassifier(network, client=client, **settings)


def stop_and_go(pid, seconds):
    """Stop a process, and let it go on after some time: what it returns waits for that."""
    os.kill(pid, signal.SIGSTOP)
    timer = threading.Timer(seconds, lambda: os.kill(pid, signal.SIGCONT))
    timer.daemon = True
    timer.start()
    return timer


def one_worker(client, **arguments):
    """Let one worker's rounds be slow, or worse."""
    client.run(patch, workers=[sorted(pids(client))[0]], **arguments)


def killed(client, rng, n=1):
    """Workers are killed in mid-round."""
    victims = list(pids(client).values())[:n]
    kill = [lambda pid=pid: os.kill(pid, signal.SIGKILL) for pid in victims]
    callback = in_mid_round(lambda: [each() for each in kill], int(rng.integers(1, N_EPOCHS)), rng.uniform(0, 0.03))
    return estimator(client, callback), chunked(X, LABELS), None


def all_killed(client, rng):
    """All workers are killed in mid-round; their nannies start others."""
    return killed(client, rng, n=10)


def killed_while_reading(client, rng):
    """A worker is killed while shards are read."""
    pid = next(iter(pids(client).values()))
    threading.Timer(rng.uniform(0, 0.05), os.kill, (pid, signal.SIGKILL)).start()
    return estimator(client), chunked(X, LABELS), None


def paused(client, rng):
    """A worker stops for longer than a round may take."""
    pid = list(pids(client).values())[int(rng.integers(0, 2))]
    callback = in_mid_round(lambda: stop_and_go(pid, 7), int(rng.integers(1, N_EPOCHS)), rng.uniform(0, 0.02))
    return estimator(client, callback, round_timeout=1.0), chunked(X, LABELS), None


def paused_for_a_moment(client, rng):
    """A worker stops for less than a round may take."""
    pid = next(iter(pids(client).values()))
    return estimator(client, in_mid_round(lambda: stop_and_go(pid, 0.7))), chunked(X, LABELS), None


def slow(client, rng):
    """A worker takes ten times as long."""
    one_worker(client, what="sleep", seconds=0.15)
    return estimator(client), chunked(X, LABELS), None


def too_slow(client, rng):
    """A worker takes longer than a round may take."""
    one_worker(client, what="sleep", seconds=6.0)
    return estimator(client, round_timeout=2.0), chunked(X, LABELS), None


def slow_everywhere(client, rng):
    """All workers take longer than a round may take: an error names the shards."""
    client.run(patch, what="sleep", seconds=1.5)
    return estimator(client, round_timeout=0.3), chunked(X, LABELS), (TimeoutError, "shard 0 of 5")


def raises_in_reading(client, rng):
    """The data of a shard cannot be read."""
    return estimator(client), blocks(raising(Broken("page 7"))), (RuntimeError, "shard 3 of 5 failed: Broken: page 7")


def bad_numbers(client, rng):
    """A shard has NaN."""
    bad = X.copy()
    bad[460] = np.nan
    return (
        estimator(client),
        chunked(bad, LABELS),
        (ValueError, "shard 3 of 5 failed: ValueError: Input X contains NaN"),
    )


def raises_in_a_round(client, rng):
    """A round raises on every worker."""
    client.run(patch, what="raise")
    return estimator(client), chunked(X, LABELS), (RuntimeError, "of 5 failed: Broken: the disk is gone")


def out_of_memory(client, rng):
    """There is not enough memory for a shard."""
    return estimator(client), blocks(raising(MemoryError("16 GiB"))), (MemoryError, "shard 3 of 5 failed: MemoryError")


def out_of_memory_in_a_round(client, rng):
    """There is not enough memory for a round."""
    client.run(patch, what="memory")
    return estimator(client), chunked(X, LABELS), (MemoryError, "of 5 failed: MemoryError: 16 GiB")


def killed_by_its_shard(client, rng):
    """Each worker that reads a shard is killed, as the system kills one that takes too much memory."""
    return estimator(client), blocks(lambda: os._exit(137)), (RuntimeError, "shard 3 of 5 failed: KilledWorker")


def cluster_restarted(client, rng):
    """All workers are restarted in mid-round, and everything that they had is lost."""
    callback = in_mid_round(lambda: client.restart(timeout=20, wait_for_workers=False), delay=rng.uniform(0, 0.02))
    return estimator(client, callback), chunked(X, LABELS), None


def worker_retired(client, rng):
    """A worker is retired in mid-round."""
    address = sorted(pids(client))[0]
    callback = in_mid_round(lambda: client.retire_workers([address], close_workers=False))
    return estimator(client, callback), chunked(X, LABELS), None


FAULTS = [
    killed,
    all_killed,
    killed_while_reading,
    paused,
    paused_for_a_moment,
    slow,
    too_slow,
    slow_everywhere,
    raises_in_reading,
    bad_numbers,
    raises_in_a_round,
    out_of_memory,
    out_of_memory_in_a_round,
    killed_by_its_shard,
    cluster_restarted,
]


def wait_until_well(client, n_workers, seconds=40):
    """Wait until the cluster has all workers again, and none is patched."""
    end = time.monotonic() + seconds
    while True:
        try:
            if len(client.run(patch, what="well", on_error="raise")) >= n_workers:
                return
        except Exception:
            if time.monotonic() > end:
                raise
        assert time.monotonic() < end, "the cluster has not recovered"
        time.sleep(0.2)
