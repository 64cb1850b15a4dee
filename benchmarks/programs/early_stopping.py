"""How many times as long fits take with early stopping as the same epochs without, in CPU time, in turn, the best."""

import time
import warnings

import numpy as np
from sklearn.datasets import load_digits

from fastnn import MLPClassifier, MLPRegressor

ROUNDS = 12


def workloads():
    """Of each: its name, an estimator, X, y and how many epochs."""
    X, y = load_digits(return_X_y=True)
    yield "64-100-10 on digits", MLPClassifier((100,)), (X / 16).astype(np.float32), y, 30
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20_000, 50)).astype(np.float32)
    yield "50-64-64-5, batches of 128", MLPClassifier((64, 64), batch_size=128), X, rng.integers(0, 5, 20_000), 5
    y = X[:, 0] + rng.normal(size=20_000).astype(np.float32)
    model = MLPRegressor(hidden_layer_sizes=(64, 64), batch_size=128)
    yield "50-64-64-1, batches of 128", model, X, y, 5


def main():
    warnings.simplefilter("ignore")
    for name, model, X, y, n_epochs in workloads():
        model.set_params(max_iter=n_epochs, n_iter_no_change=n_epochs, random_state=0, n_threads=1)
        seconds = {False: [], True: []}
        for _ in range(ROUNDS):
            for early_stopping, times in seconds.items():
                model.set_params(early_stopping=early_stopping)
                start = time.process_time()
                model.fit(X, y)
                times.append(time.process_time() - start)
        print(f"{min(seconds[True]) / min(seconds[False]):6.2f} x   {name}")


if __name__ == "__main__":
    main()
