"""A training step by every optimizer and every loss of the registries, on a small network and one thread.

What is beside them is the plainest of each, sgd and the squared error: NumPy has no row of its own here.
"""

import numpy as np

from fastnn.engine.loss import Loss, loss_links, loss_names
from fastnn.engine.network import Network
from fastnn.engine.optimizer import Optimizer, optimizer_names
from fastnn.engine.trainer import Trainer

SIZES, BATCH_SIZE, N_BATCHES = (64, 100, 10), 200, 20


class Step:
    """Twenty batches of 64-100-10."""

    def prepare(self, optimizer, name, dtype):
        rng = np.random.default_rng(0)
        n = BATCH_SIZE * N_BATCHES
        loss = Loss(name, loss_links[name] or "identity", SIZES[-1], 0.5 if name in ("huber", "quantile") else 0.0)
        layers = [("dense", SIZES[1], "relu"), ("dense", SIZES[2], "identity")]
        network = Network(layers, SIZES[:1], loss.head, dtype)
        network.set_weights([rng.normal(0, SIZES[0] ** -0.5, shape) for shape in network.shapes])
        self.trainer = Trainer(network, loss, Optimizer(optimizer, 1e-6, 1e-4, 0.9, 0.99, 1e-8), BATCH_SIZE, 1)
        self.X, self.order = rng.random((n, SIZES[0])).astype(dtype), np.arange(n)
        labels = rng.integers(0, SIZES[-1], n, dtype=np.int32)
        self.targets = labels if name == "softmax" else rng.integers(0, 2, (n, SIZES[-1])).astype(dtype)

    def run(self):
        self.trainer.run(self.X, self.targets, self.order)


class Optimizers(Step):
    param_names = ("optimizer", "dtype")
    params = (list(optimizer_names), ["float32", "float64"])

    def setup(self, optimizer, dtype):
        self.prepare(optimizer, "softmax", dtype)

    def time_steps(self, optimizer, dtype):
        self.run()


class Losses(Step):
    param_names = ("loss", "dtype")
    params = (list(loss_names), ["float32", "float64"])

    def setup(self, loss, dtype):
        self.prepare("sgd", loss, dtype)

    def time_steps(self, loss, dtype):
        self.run()
