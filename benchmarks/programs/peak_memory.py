"""Peak memory of a fit beside the data, from float32 and from uint8: python peak_memory.py (Linux only)."""

import sys
import warnings
from pathlib import Path

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from fastnn import MLPClassifier

sys.path.append(str(Path(__file__).parents[1]))  # where the benchmarks share what they measure by
from resident import megabytes_of

N_SAMPLES, N_FEATURES, N_CLASSES = 60_000, 784, 10  # MNIST's


def megabytes_of_fit(X, y):
    """How much higher the resident memory was during a fit of the reference network than before it."""
    model = MLPClassifier((512, 256), solver="rmsprop", batch_size=64, max_iter=1, random_state=0)
    return megabytes_of(lambda: model.fit(X, y))


if __name__ == "__main__":
    warnings.simplefilter("ignore", ConvergenceWarning)
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (N_SAMPLES, N_FEATURES), dtype=np.uint8)
    y = rng.integers(0, N_CLASSES, N_SAMPLES)
    megabytes_of_fit(pixels[:1000], y[:1000])  # imports, threads
    for X in (pixels, np.divide(pixels, 255, dtype=np.float32)):
        print(f"{X.dtype.name:8} data {X.nbytes / 2**20:6.1f} MB, beside it at most {megabytes_of_fit(X, y):4.1f} MB")
