"""The NumPy network that fastnn's own benchmarks are beside: dense layers only."""

import numpy as np
import workloads

from fastnn.cli.numpy_network import NumpyNetwork

VERSION = np.__version__


def network(workload, X, y, seed):
    if not workload.sizes:
        raise workloads.CannotRun("the NumPy network has dense layers only")
    made = NumpyNetwork(
        workload.sizes, workload.solver, workloads.LEARNING_RATE, workload.batch_size, random_state=seed
    )

    def train(n_epochs):
        for _ in range(n_epochs):
            made.train_epoch(X, y)

    return train, made.predict
