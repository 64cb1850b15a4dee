"""Test accuracy of the reference network over ten seeds, trained as `python -m fastnn` does.

python accuracy.py [--data DIR]: MNIST from its four IDX files, or scikit-learn's digits without.
"""

import argparse
import statistics

import numpy as np

from fastnn import MLPClassifier
from fastnn.cli.train import LEARNING_RATES, load_data

SEEDS = range(10)
HIDDEN, SOLVER, BATCH_SIZE, N_EPOCHS = (512, 256), "rmsprop", 64, 8


def accuracy(data, seed):
    model = MLPClassifier(
        HIDDEN,
        solver=SOLVER,
        alpha=0,
        batch_size=BATCH_SIZE,
        learning_rate_init=LEARNING_RATES[SOLVER],
        random_state=seed,
    )
    for _ in range(N_EPOCHS):  # each call draws an order anew; within one each epoch shuffles that of the last
        model.partial_fit(data.X, data.y, classes=np.unique(data.y))
    return model.score(data.X_test, data.y_test)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", metavar="DIR", help="folder with MNIST's four IDX files, gzipped or not")
    data = load_data(parser.parse_args().data)
    data = data._replace(X=data.X.reshape(len(data.X), -1), X_test=data.X_test.reshape(len(data.X_test), -1))
    accuracies = []
    for seed in SEEDS:
        accuracies.append(accuracy(data, seed))
        print(f"seed {seed}: {accuracies[-1]:.4f}", flush=True)
    mean, deviation = statistics.mean(accuracies), statistics.stdev(accuracies)
    print(
        f"{data.name}, {N_EPOCHS} epochs: mean {mean:.4f}, standard deviation {deviation:.4f}, "
        f"from {min(accuracies):.4f} to {max(accuracies):.4f}"
    )


if __name__ == "__main__":
    main()
