"""Sparse X beside scikit-learn: python sparse_table.py

Noise in CSR, float32: two epochs of adam in batches of 200, and predictions of all rows; in turn, the best of three.
"""

import time
import warnings

import numpy as np
from scipy import sparse
from sklearn.neural_network import MLPClassifier as SklearnMLPClassifier

from fastnn import MLPClassifier

#: Rows, columns, the part of them that is stored, and hidden units.
TABLES = [(20_000, 5_000, 1e-2, 100), (2_000, 100_000, 1e-3, 100), (2_000, 1_000_000, 1e-4, 4)]


def best_of_three(works, *data):
    seconds = [[] for _ in works]
    for _ in range(3):
        for work, times in zip(works, seconds, strict=True):
            start = time.perf_counter()
            work(*data)
            times.append(time.perf_counter() - start)
    return map(min, seconds)


def main():
    warnings.simplefilter("ignore")
    for n_rows, n_columns, density, n_hidden in TABLES:
        rng = np.random.default_rng(0)
        X = sparse.random_array((n_rows, n_columns), density=density, rng=rng, format="csr", dtype=np.float32)
        y = rng.integers(0, 5, n_rows)
        models = [cls((n_hidden,), max_iter=2, random_state=0) for cls in (MLPClassifier, SklearnMLPClassifier)]
        for what, data in (("fit", (X, y)), ("predict", (X,))):
            ours, theirs = best_of_three([getattr(model, what) for model in models], *data)
            print(
                f"{n_rows:,} x {n_columns:,}-{n_hidden}-5, {density:.2%} stored: {what:8} {1e3 * ours:8.1f} ms, "
                f"scikit-learn {1e3 * theirs:8.1f} ms ({theirs / ours:.1f} x)",
                flush=True,
            )


if __name__ == "__main__":
    main()
