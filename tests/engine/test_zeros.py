"""Zeros in a dense X, which products leave out where they are many: the bits do not depend on whether they do."""

import numpy as np
import pytest
from problems import dense_layers, make_loss

from fastnn.engine.network import Network
from fastnn.engine.optimizer import Optimizer
from fastnn.engine.trainer import Trainer

N, FEATURES, BATCH = 150, 37, 20


def samples(rng, part_of_zeros):
    """Samples of which later ones have zeros in whole columns."""
    X = rng.normal(size=(N, FEATURES)).astype(np.float32)
    X[60:, : int(FEATURES * part_of_zeros)] = 0
    return X


@pytest.mark.parametrize("n_threads", [1, 3])
@pytest.mark.parametrize("part_of_zeros", [0, 0.03, 0.5, 1])
def test_bits_do_not_depend_on_where_runs_are_cut(rng, part_of_zeros, n_threads):
    """The first run looks for zeros; the later ones do so only where the run before has found many."""
    X, y = samples(rng, part_of_zeros), np.arange(N, dtype=np.int32) % 3
    trained = []
    for n_batches in (N, 1, 3):
        network = Network(dense_layers([300, 60, 3], ["relu"] * 2), (FEATURES,), "softmax", "float32")
        weights = np.random.default_rng(0)
        network.set_weights([weights.normal(size=np.shape(each)) for each in network.weights()])
        trainer, loss = Trainer(network, make_loss("softmax", 3), Optimizer("adam", 1e-3), BATCH, n_threads), 0
        for _ in range(3):
            loss = 0
            for first in range(0, N, n_batches * BATCH):
                loss = trainer.run(X, y, np.arange(first, min(N, first + n_batches * BATCH)), loss)
        trained.append((loss, *network.weights()))
    for other in trained[1:]:
        for one, two in zip(trained[0], other, strict=True):
            np.testing.assert_array_equal(one, two)
