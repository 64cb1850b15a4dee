"""What 64 workers would do: python dask_simulation.py [--data FOLDER] [--rows N ...] [--workers N ...] [--real N ...]

A round of `DaskClassifier` is simulated from times that are measured here: of steps, alone and in workers beside each
other, of a round's fixed costs, of an average, of the scheduler for a task, and of the network. The same model, with
this machine's loopback and cores in place of a network and machines, is compared with real clusters of 1 to 4
processes. The network trained is 784-512-256-10.

Assumptions
-----------
1. Every worker has one thread, one shard, and as many rows as --rows says: the data grow with the workers.
2. Shards are in memory; reading them, which happens once, does not count, and nothing is validated.
3. Every worker has a core and a memory of its own: its steps take as long as those of this machine's only worker, with
   what Dask's own threads take from it.
4. Workers are equally fast, but for --jitter: the standard deviation of the time of an epoch, as a part of it. A round
   takes as long as its slowest shard.
5. A link carries --bandwidth bytes a second each way; several transfers share it; a switch carries all links at once.
   Each transfer takes --latency more.
6. Scheduler and client have a machine of their own. They share one thread, as in a LocalCluster, and each task takes
   of it what a task of a round takes here. The tasks of a level are given out one after the other; from the end of a
   task to the beginning of the one that waits for it takes half of a round trip by the scheduler.
7. Averages go pairwise, in the levels of a tree, until FEW_GROUPS are left: each worker fetches the other group's, and
   averages both. Then each fetches those of all groups that are left. The client fetches each average over the same
   link as the workers, while they train.
8. Every round but one of LINKED_ROUNDS is submitted ahead; that one waits for the client, which sends the state, and
   each worker hands it on to FAN_OUT others.
9. Here, workers that are more than the cores share these evenly. Steps of workers beside each other take as long as
   measured beside each other, by as many workers as there are cores.
"""

import argparse
import math
import os
import time
import warnings

import numpy as np
from dask_table import BATCH_SIZE, collections, images, network, per_epoch
from distributed import Client, LocalCluster, wait

from fastnn import MLPClassifier
from fastnn.dask import DaskClassifier
from fastnn.dask.round_tasks import FAN_OUT, FEW_GROUPS, LINKED_ROUNDS
from fastnn.dask.rounds import CommonState, Part, Plan, Trained, Work, average, train_shard, tree_levels
from fastnn.data.samples import Samples

GIGABIT = 117e6  # bytes a second of 1 GbE, without Ethernet's and TCP's headers
LATENCY = 0.0002
N_STEPS = 200


def middle(function, n=5):
    """The median of the seconds that a call takes."""
    times = []
    for _ in range(n):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def shard_of(X, y):
    """A shard, a plan and a common state."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it has not converged
        model = network(0, 1, None).fit(X[:2000], y[:2000])
    net, targets = model._network, model._targets
    memories = [[np.zeros_like(each) for each in net.weights()] for _ in model._trainer.memories]
    common = CommonState(net.weights(), memories, 0)
    return Samples(X, targets.encode(y)), Plan(model, targets, net.layout()), common


def steps(samples, plan, common, n):
    return train_shard(samples, Work(0, 0, 0, (Part(0, 0, n),)), plan, common)


def measured_here(X, y):
    """Seconds of a step, of a round without steps and of an average, and the bytes of a state."""
    samples, plan, common = shard_of(X, y)
    one = middle(lambda: steps(samples, plan, common, 1))
    step = (middle(lambda: steps(samples, plan, common, 1 + N_STEPS)) - one) / N_STEPS
    trained = Trained(common, 10, (1.0,), (10,))
    size = sum(each.nbytes for each in common.weights) * (1 + len(common.memories))
    return {"step": step, "round": one - step, "average": middle(lambda: average(trained, trained)), "bytes": size}


def step_in_worker(folder):
    """Seconds of a step in this process, while other workers may take steps, too."""
    X, y, _, _ = images(folder)
    shard = shard_of(X, y)
    end = time.time() + 3  # the others begin, too
    while time.time() < end:
        steps(*shard, N_STEPS)
    return middle(lambda: steps(*shard, N_STEPS), 12) / N_STEPS


def measured_in_workers(folder, n):
    """Seconds of a step of each of n workers beside each other."""
    with LocalCluster(n_workers=n, threads_per_worker=1, dashboard_address=":0") as cluster, Client(cluster) as client:
        workers = client.scheduler_info()["workers"]
        return max(
            client.gather([client.submit(step_in_worker, folder, workers=[each], pure=False) for each in workers])
        )


def nothing(i, *_):
    return i


async def used_by_loop():
    """Seconds that the calling thread has used of a core: that of scheduler and client."""
    return time.thread_time()


def of_a_task(client, n_shards=64, n_rounds=20):
    """Seconds of a core that scheduler and client take for a task of a round, of many shards of a small network."""
    rng = np.random.default_rng(0)
    X = rng.random((20 * n_shards, 8), dtype=np.float32)

    def fit(n_epochs):
        before = client.sync(used_by_loop)
        model = MLPClassifier((4,), max_iter=n_epochs, tol=0, n_iter_no_change=10**6, random_state=0, n_threads=1)
        DaskClassifier(model, client=client).fit(*collections(X, np.arange(len(X)) % 2, n_shards))
        return client.sync(used_by_loop) - before

    fit(1)
    one = fit(1)
    return (fit(1 + n_rounds) - one) / n_rounds / (2 * n_shards - 1)


def measured_of_cluster(n_bytes):
    """Of Dask: seconds for a task and for a round trip, and the bytes a second of a state that moves."""
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster, Client(cluster) as client:
        first, second = client.scheduler_info()["workers"]
        trip = middle(lambda: client.submit(nothing, 0, pure=False).result())
        task = of_a_task(client)
        moves = []
        for _ in range(5):
            state = client.submit(np.zeros, n_bytes, np.uint8, workers=[first], pure=False)
            wait(state)
            start = time.perf_counter()
            client.submit(nothing, 1, state, workers=[second], pure=False).result()
            moves.append(time.perf_counter() - start - trip)
    return {"task": task, "trip": trip, "loopback": n_bytes / max(float(np.median(moves)), 1e-4)}


def simulated(n, rows, times, bandwidth, latency, jitter=0.0, cores=None, rng=None):
    """Seconds of a round of n shards, and of its steps in a single process without Dask."""
    n_steps, move, hop = -(-rows // BATCH_SIZE), times["bytes"] / bandwidth + latency, times["trip"] / 2
    alone = n_steps * times["step"]
    step = times["worker"][0 if cores is None else min(n, cores) - 1]
    slowdown = 1 if cores is None else max(1.0, n / cores)
    noise = 1 + (0 if rng is None else jitter * rng.standard_normal(n))
    ready = np.full(n, times["round"] + n_steps * step) * np.maximum(0.5, noise) * slowdown
    ready += times["task"] * np.arange(n)  # the scheduler gives them out one after the other
    ready = list(ready)
    while len(ready) > FEW_GROUPS:
        gone = hop + move + times["average"] + n * times["task"]
        (level, *_) = tree_levels(len(ready))
        ready = [max(ready[i] for i in pair) + (gone if len(pair) == 2 else 0) for pair in level]
    seconds = max(ready) + hop + (len(ready) - 1) * (move + times["average"])
    levels = math.ceil(math.log(1 + n * (FAN_OUT - 1) / FAN_OUT, FAN_OUT)) if n > FAN_OUT + 1 else 1
    handed_on = levels * (hop + min(n, FAN_OUT) * move) + n * times["task"]
    # An average goes to the client, and back.
    return seconds + (2 * (move + times["trip"]) + 2 * n * times["task"] + handed_on) / LINKED_ROUNDS, alone


def real(n, rows, X, y, n_epochs=6):
    """Seconds of an epoch but the first, on a cluster of n processes of one thread."""
    ends = []
    X, y = np.concatenate([X[:rows]] * n), np.concatenate([y[:rows]] * n)
    with LocalCluster(n_workers=n, threads_per_worker=1, dashboard_address=":0") as cluster, Client(cluster) as client:
        note = lambda model: bool(ends.append(time.perf_counter()))  # noqa: E731
        DaskClassifier(network(0, n_epochs, note), client=client).fit(*collections(X, y, n))
    return per_epoch(ends)


def efficiency(n, rows, times, options):
    """The steps of a single process without Dask, as a part of the time of a round of n shards: the mean of 50."""
    rng = np.random.default_rng(0)
    link = options.bandwidth, options.latency, options.jitter
    rounds = [simulated(n, rows, times, *link, rng=rng) for _ in range(50)]
    return np.mean([alone for _, alone in rounds]) / np.mean([seconds for seconds, _ in rounds])


def needed_rows(n, least, times, options):
    """The rows that each of n workers must have for this efficiency."""
    low, high = 1_000, 10**9
    while high - low > low // 100:
        middle = (low + high) // 2
        low, high = (low, middle) if efficiency(n, middle, times, options) >= least else (middle, high)
    return high


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data")
    parser.add_argument("--rows", type=int, nargs="+", default=[60_000, 600_000, 2_000_000])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32, 64])
    parser.add_argument("--real", type=int, nargs="*", default=[1, 2, 3, 4])
    parser.add_argument("--real-rows", type=int, default=20_000)
    parser.add_argument("--bandwidth", type=float, default=GIGABIT)
    parser.add_argument("--latency", type=float, default=LATENCY)
    parser.add_argument("--jitter", type=float, default=0.01)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    os.environ["OMP_NUM_THREADS"] = "1"
    X, y, _, _ = images(options.data)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    times = measured_here(X, y)
    times |= measured_of_cluster(times["bytes"])
    print("measured: " + ", ".join(f"{name} {value:.3g}" for name, value in times.items()))
    most = min(cores, max(options.real, default=1))
    times["worker"] = [measured_in_workers(options.data, n) for n in range(1, most + 1)]
    print("a step in one of 1, 2, ... workers: " + ", ".join(f"{each:.3g}" for each in times["worker"]))
    for n in options.real:
        rows = options.real_rows
        seconds, _ = simulated(n, rows, times, times["loopback"], 0, cores=cores)
        print(
            f"{n} real processes, {rows} rows each: simulated {seconds:.3f} s, real {real(n, rows, X, y):.3f} s a round"
        )
    print("efficiency: workers " + " ".join(f"{n:>6}" for n in options.workers))
    for rows in options.rows:
        line = [efficiency(n, rows, times, options) for n in options.workers]
        print(f"{rows:>10} rows each: " + " ".join(f"{each:6.3f}" for each in line))
    n = max(options.workers)
    print(f"{n} workers reach 0.9 from {needed_rows(n, 0.9, times, options):,} rows each on")


if __name__ == "__main__":
    main()
