"""Two processes of one thread beside one of one thread: python dask_table.py [--data FOLDER] [--seeds N] [--epochs N]

The network is 784-512-256-10, on MNIST's 60,000 images where --data has its files, else on made ones. A line for each
seed: the seconds of an epoch, without reading and starting, and the accuracy on the test images after all epochs.
DaskClassifier synchronises after each epoch.
"""

import argparse
import os
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from fastnn import MLPClassifier
from fastnn.cli.mnist_files import read_idx
from fastnn.cli.train import LEARNING_RATES
from fastnn.dask import DaskClassifier

HIDDEN, SOLVER, BATCH_SIZE = (512, 256), "rmsprop", 64  # as in accuracy.py
FILES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)


def images(folder):
    """The images and labels to train on, and those to test with."""
    if folder is not None:
        arrays = [read_idx(str(Path(folder, name)), 3 if "images" in name else 1) for name in FILES]
        return [each.reshape(len(each), -1).astype(np.float32) / 255 if each.ndim == 3 else each for each in arrays]
    rng = np.random.default_rng(0)
    prototypes = rng.random((10, 784)) * (rng.random((10, 784)) < 0.2)
    labels = rng.integers(0, 10, 70_000)
    X = np.clip(prototypes[labels] + rng.normal(0, 0.6, (70_000, 784)) * (rng.random((70_000, 784)) < 0.2), 0, 1)
    X = X.astype(np.float32)
    return X[:60_000], labels[:60_000], X[60_000:], labels[60_000:]


def clock():
    """A callback that notes when each epoch has ended, and the list of these times."""
    ends = []
    return lambda model: bool(ends.append(time.perf_counter())), ends


def network(seed, n_epochs, callback):
    return MLPClassifier(
        HIDDEN, solver=SOLVER, alpha=0, batch_size=BATCH_SIZE, learning_rate_init=LEARNING_RATES[SOLVER],
        max_iter=n_epochs, tol=0, n_iter_no_change=10**6, random_state=seed, n_threads=1, callback=callback,
    )  # fmt: skip


def per_epoch(ends):
    """Seconds of an epoch but the first, in which a cluster also reads the shards.

    Not of the fastest one: the client may note the end of an epoch late, and the next one then seems short.
    """
    return (ends[-1] - ends[0]) / (len(ends) - 1)


def collections(X, y, n_shards):
    """Dask's arrays with so many chunks."""
    import dask.array as da

    rows = -(-len(X) // n_shards)
    return da.from_array(X, chunks=(rows, X.shape[1])), da.from_array(y, chunks=rows)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    warnings.filterwarnings("ignore", "Sending large graph")
    os.environ["OMP_NUM_THREADS"] = "1"
    from distributed import Client, LocalCluster

    X, y, X_test, y_test = images(options.data)
    rows = []
    with (
        LocalCluster(n_workers=options.workers, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        data = collections(X, y, options.workers)
        print(f"seed  one process: s/epoch, accuracy  {options.workers} processes: s/epoch, accuracy")
        for seed in range(options.seeds):
            (note, alone), (note_too, together) = clock(), clock()
            one = network(seed, options.epochs, note).fit(X, y)
            many = DaskClassifier(network(seed, options.epochs, note_too), client=client).fit(*data)
            rows.append((per_epoch(alone), one.score(X_test, y_test), per_epoch(together), many.score(X_test, y_test)))
            print(f"{seed:4}  {rows[-1][0]:8.3f} {rows[-1][1]:.4f}  {rows[-1][2]:8.3f} {rows[-1][3]:.4f}", flush=True)
    best, mean = np.min(rows, axis=0), np.mean(rows, axis=0)
    print(f"the fastest fits: {best[0] / best[2]:.2f} times as fast; accuracy differs by {mean[3] - mean[1]:+.4f}")


if __name__ == "__main__":
    main()
