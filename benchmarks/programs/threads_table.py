"""One thread, all threads, and what the clock chooses, network by network: python threads_table.py [rounds]

Each line compares fits of the same bits within one run, in turn, the best of each. The last column is what one thread
reaches of the FMA peak, with padding and zeros counted as work.
"""

import sys
import warnings
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
from in_use import in_turn

from fastnn import MLPClassifier
from fastnn.engine.isa import tile_shape
from fastnn.runtime.threads import effective_n_threads

sys.path += [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "peers")]
from data import digits, made_images, table
from measuring import best_seconds, fma_peak_work

rng = np.random.default_rng(0)
LANES = tile_shape("float32")[1] // 2  # numbers in a vector


def images(n):
    X, y, *_ = made_images(n, 10)
    return np.divide(X, 255, dtype=np.float32), y


def noise(n, n_features):
    return rng.normal(size=(n, n_features)).astype(np.float32), rng.integers(0, 10, n)


def settings(hidden, batch_size, epochs, solver="adam"):
    return {"hidden_layer_sizes": hidden, "batch_size": batch_size, "max_iter": epochs, "solver": solver}


def works():
    """Each network's name, its samples and its settings."""
    X, y = images(12_800)
    yield "784-512-256-10, made images, batches of 64", X, y, settings((512, 256), 64, 2, "rmsprop")
    yield "the same, batches of 256", X, y, settings((512, 256), 256, 2, "rmsprop")
    X, y = noise(12_800, 784)
    yield "784-512-256-10, noise, batches of 64", X, y, settings((512, 256), 64, 2, "rmsprop")
    X, y = noise(12_800, 512)
    yield "512-512-512-10, noise, batches of 64", X, y, settings((512, 512), 64, 2)
    data = digits(None)
    yield "64-100-10, digits, batches of 200", data.X, data.y, settings((100,), 200, 200)
    data = table(None)
    yield "50-64-64-5, 20,000 rows, batches of 128", data.X, data.y, settings((64, 64), 128, 10)
    yield "10-64-32-5, 20,000 rows, batches of 200", data.X[:, :10].copy(), data.y, settings((64, 32), 200, 10)
    yield "10-20-5, 150 rows, batches of 150", data.X[:150, :10].copy(), data.y[:150], settings((20,), 150, 300)


def fits(X, y, parameters):
    """The fit on one thread, on all, and on as many as the clock chooses."""

    def on(n_threads):
        MLPClassifier(**parameters, tol=0, n_iter_no_change=10**6, random_state=0, n_threads=n_threads).fit(X, y)

    return [partial(on, n_threads) for n_threads in (1, effective_n_threads(), None)]


def padded_flops(X, y, parameters):
    """Floating-point operations of the fit's products, with the columns that fill the last vector of a row."""
    sizes = [X.shape[1], *parameters["hidden_layer_sizes"], len(np.unique(y))]
    products = [n_in * -(-n_out // LANES) * LANES for n_in, n_out in pairwise(sizes)]
    return 2 * (3 * sum(products) - products[0]) * len(X) * parameters["max_iter"]


def main(rounds=5):
    warnings.simplefilter("ignore")  # the fits do not converge
    peak_work, peak_flops = fma_peak_work("float32", 1)
    threads = f"{effective_n_threads()} threads"
    print(f"{'':44}{'1 thread':>10}{threads:>11}{'':>9}{'default / best':>16}{'of the peak':>13}")
    for name, X, y, parameters in works():
        one, several, default = in_turn(*fits(X, y, parameters), rounds=int(rounds))
        part = padded_flops(X, y, parameters) / one / (peak_flops / best_seconds(peak_work)[0])
        times = f"{1e3 * one:7.1f} ms{1e3 * several:8.1f} ms{one / several:7.2f} x"
        print(f"{name:44}{times}{default / min(one, several):16.3f}{part:13.0%}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
