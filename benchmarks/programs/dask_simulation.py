"""What 64 workers would do: python dask_simulation.py [--rows N] [--workers N ...] [--real N ...]

A round of `DaskClassifier` is simulated from times that are measured here: of steps, of a round's fixed costs, of an
average, of the scheduler for a task, and of the network. The same model, with this machine's loopback in place of the
network, is compared with real clusters of 1 to 4 processes. The network trained is 784-512-256-10, on made images.

Assumptions
-----------
1. Every worker has one thread, one shard, and as many rows as --rows says: the data grow with the workers.
2. Shards are in memory; reading them, which happens once, does not count.
3. Workers are equally fast, but for --jitter: the standard deviation of the time of an epoch, as a part of it. A round
   takes as long as its slowest shard.
4. A link carries --bandwidth bytes a second each way, and one transfer after the other; a switch carries all links at
   once. Each transfer takes --latency more.
5. Client and scheduler are one machine. The common state goes from there to one worker; all others fetch it from that
   worker, one after the other. (Dask may do better: workers that have it serve others, too.)
6. The tree's averages go pairwise, in as many levels as it has; the right one's state goes to the left one's worker.
7. The scheduler takes the same time for each task, one after the other, before the first task begins.
8. On real clusters here, workers beyond the number of cores share these evenly.
"""

import argparse
import os
import time
import warnings

import numpy as np
from dask_table import collections, fastest, images, network
from distributed import Client, LocalCluster, wait

from fastnn.dask import DaskClassifier
from fastnn.dask.rounds import CommonState, Part, Plan, Trained, Work, average, train_shard, tree_levels
from fastnn.data.samples import Samples

GIGABIT = 117e6  # bytes a second of 1 GbE, without Ethernet's and TCP's headers
LATENCY = 0.0002


def best(function, n=5):
    times = []
    for _ in range(n):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def measured_here(X, y):
    """Seconds of a step, of a round without steps and of an average, and the bytes of a state."""
    model = network(0, 1, None).fit(X[:2000], y[:2000])
    net, targets = model._network, model._targets
    plan, samples = Plan(model, targets, net.layout()), Samples(X, targets.encode(y))
    memories = [[np.zeros_like(each) for each in net.weights()] for _ in model._trainer.memories]
    common = CommonState(net.weights(), memories, 0)
    few, many = (lambda n=n: train_shard(samples, Work(0, 0, 0, (Part(0, 0, n),)), plan, common) for n in (1, 201))
    one = best(few)
    step = (best(many) - one) / 200
    size = sum(each.nbytes for each in common.weights) * (1 + len(memories))
    trained = Trained(common, 10, (1.0,), (10,))
    return {"step": step, "round": one - step, "average": best(lambda: average(trained, trained)), "bytes": size}


def nothing(i, *_):
    return i


def measured_of_cluster(n_bytes):
    """Seconds that the scheduler takes for a task and for a round trip, and of moving a state between processes."""
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster, Client(cluster) as client:
        first, second = client.scheduler_info()["workers"]
        trip = best(lambda: client.submit(nothing, 0, pure=False).result())
        task = (best(lambda: wait(client.map(nothing, range(200), pure=False)), 3) - trip) / 200
        state = client.submit(np.zeros, n_bytes, np.uint8, workers=[first])
        wait(state)

        def move():
            client.submit(nothing, 1, state, workers=[second], pure=False).result()

        start = time.perf_counter()
        move()  # the second worker then has it
        moved = time.perf_counter() - start - trip
        gather = best(lambda: client.gather(state)) / n_bytes
    return {"task": task, "trip": trip, "loopback": n_bytes / max(moved, 1e-4), "gather": 1 / gather}


def simulated(n, rows, times, bandwidth, latency, jitter=0.0, cores=None, rng=None):
    """Seconds of a round of n shards, and of its steps alone on one worker."""
    n_steps, move = -(-rows // 64), times["bytes"] / bandwidth + latency
    alone = n_steps * times["step"]
    slowdown = 1 if cores is None else max(1.0, n / cores)
    n_tasks = 1 + n + sum(len(pair) == 2 for level in tree_levels(n) for pair in level)
    begun = move + n_tasks * times["task"] + times["trip"] + move  # through the scheduler, to the first worker
    ready = []
    for i in range(n):  # each of the others waits for the link of the first
        noise = 0 if rng is None else jitter * rng.standard_normal()
        took = (times["round"] + alone * max(0.5, 1 + noise)) * slowdown
        ready.append(begun + i * move + took)
    for level in tree_levels(n):
        ready = [
            max(ready[i] for i in pair) + (move + times["average"] + times["trip"] / 2 if len(pair) == 2 else 0)
            for pair in level
        ]
    return ready[0] + move + times["trip"] / 2, alone


def real(n, rows, X, y, n_epochs=4):
    """Seconds of the fastest epoch but the first, on a cluster of n processes of one thread."""
    ends = []
    X, y = np.concatenate([X[:rows]] * n), np.concatenate([y[:rows]] * n)
    with LocalCluster(n_workers=n, threads_per_worker=1, dashboard_address=":0") as cluster, Client(cluster) as client:
        note = lambda model: bool(ends.append(time.perf_counter()))  # noqa: E731
        DaskClassifier(network(0, n_epochs, note), client=client).fit(*collections(X, y, n))
    return fastest(ends)


def needed_rows(n, efficiency, times, *link):
    """The rows that each of n workers must have for this efficiency."""
    low, high = 1_000, 10**9
    while high - low > low // 100:
        middle = (low + high) // 2
        seconds, alone = simulated(n, middle, times, *link)
        low, high = (low, middle) if alone / seconds >= efficiency else (middle, high)
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
    times = measured_here(X, y)
    times |= measured_of_cluster(times["bytes"])
    print("measured: " + ", ".join(f"{name} {value:.3g}" for name, value in times.items()))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    for n in options.real:
        rows = options.real_rows
        seconds, _ = simulated(n, rows, times, times["loopback"], 0, cores=cores)
        print(
            f"{n} real processes, {rows} rows each: simulated {seconds:.3f} s, real {real(n, rows, X, y):.3f} s a round"
        )
    rng = np.random.default_rng(0)
    print("efficiency: workers " + " ".join(f"{n:>6}" for n in options.workers))
    for rows in options.rows:
        line = []
        for n in options.workers:
            rounds = [
                simulated(n, rows, times, options.bandwidth, options.latency, options.jitter, rng=rng)
                for _ in range(50)
            ]
            line.append(np.mean([alone for _, alone in rounds]) / np.mean([seconds for seconds, _ in rounds]))
        print(f"{rows:>10} rows each: " + " ".join(f"{each:6.3f}" for each in line))
    n = max(options.workers)
    print(f"{n} workers reach 0.9 from {needed_rows(n, 0.9, times, options.bandwidth, options.latency):,} rows each on")


if __name__ == "__main__":
    main()
