"""How much longer a fit takes beside busy processes: python busy_neighbour.py [rounds]. For a machine else idle.

Of a fit on as many threads as there are cores, and on one, quiet and beside one busy process and two: free to move, or
bound to a core. A row's figures are the median time of an epoch, the longest one's, and how often the median of the
quiet fit on one thread goes into the median. Beside a process on each core 2 is the share; beside one, 1.
"""

import multiprocessing
import os
import statistics
import sys
import time
import warnings

import numpy as np

from fastnn import MLPClassifier

NETWORKS = {  # features, hidden layers, samples, epochs
    "tiny": (20, (10,), 1000, 150),
    "small": (64, (100,), 2000, 100),
    "medium": (200, (300, 100), 4000, 40),
    "large": (784, (512, 512), 2000, 8),
}
CORES = sorted(os.sched_getaffinity(0))[:2]
NEIGHBOURS = {"quiet": [], "one, free": [None], "one, bound": CORES[:1], "two, free": [None] * 2, "two, bound": CORES}


def be_busy(core):
    if core is not None:
        os.sched_setaffinity(0, [core])
    while True:
        pass


def epochs(n_features, layers, n_samples, n_epochs, n_threads):
    """Seconds that each epoch took."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_samples, n_features)).astype(np.float32)
    y = (X[:, :3] > 0).sum(axis=1)
    times = [time.perf_counter()]
    MLPClassifier(
        layers,
        max_iter=n_epochs,
        n_iter_no_change=n_epochs,
        random_state=0,
        n_threads=n_threads,
        callback=lambda _: times.append(time.perf_counter()),
    ).fit(X, y)
    return np.diff(times).tolist()


def main(rounds=3):
    warnings.simplefilter("ignore")
    context = multiprocessing.get_context("spawn")
    os.sched_setaffinity(0, CORES)
    alone = {}
    print(f"{'':8}{'threads':8}{'neighbours':12}{'median':>10}{'longest':>10}{'share':>8}{'mean share':>12}")
    for neighbours, cores in NEIGHBOURS.items():
        processes = [context.Process(target=be_busy, args=(core,), daemon=True) for core in cores]
        for process in processes:
            process.start()
        time.sleep(1.0 if processes else 0)
        for name, network in NETWORKS.items():
            for n_threads in (1, len(CORES)):
                times = [t for _ in range(rounds) for t in epochs(*network, n_threads)]
                median, mean = statistics.median(times), statistics.mean(times)
                known = alone.setdefault(name, (median, mean))
                print(
                    f"{name:8}{n_threads:<8}{neighbours:12}{median * 1e3:7.2f} ms{max(times) * 1e3:7.1f} ms"
                    f"{median / known[0]:8.2f}{mean / known[1]:12.2f}",
                    flush=True,
                )
        for process in processes:
            process.kill()
            process.join()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
