"""Scikit-learn's checks ask for X with 2 axes; tests/support/battery.py asks the same of X with 3 and 4."""

import numpy as np
import pytest
from battery import CHECKS
from sklearn.base import clone

from fastnn import SequentialClassifier, SequentialRegressor
from fastnn.layers import (
    GRU,
    LSTM,
    Bidirectional,
    Conv1D,
    Conv2D,
    Dense,
    GlobalAveragePooling1D,
    LayerNormalization,
    MaxPooling2D,
    Rescaling,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SETTINGS = {"max_iter": 3, "random_state": 0, "batch_size": 16, "learning_rate_init": 0.01}
# For each: the layers, and the shape of a sample.
NETWORKS = {
    "images": ([Dense(9), Dense(6, "tanh")], (4, 3, 2)),
    "convolutions": ([Rescaling(0.5), Conv2D(5, 2, padding="same"), MaxPooling2D(), Dense(6)], (4, 3, 2)),
    "series": ([Conv1D(5, 2, activation=None), LayerNormalization(), GlobalAveragePooling1D()], (5, 2)),
    "recurrent": ([GRU(6, return_sequences=True), Bidirectional(LSTM(4), "mul")], (5, 2)),
    "sequences": ([Dense(9, None, kernel_initializer="he_normal"), None], (5, 2)),
}


@pytest.mark.parametrize("estimator", [SequentialClassifier, SequentialRegressor])
@pytest.mark.parametrize(("layers", "shape"), NETWORKS.values(), ids=NETWORKS)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_samples_of_several_axes(check, layers, shape, estimator, rng):
    X = rng.uniform(0, 1, (60, *shape))
    y = np.digitize(X.reshape(60, -1)[:, :3].sum(axis=1), [1.2, 1.8])
    check(clone(estimator(layers, **SETTINGS)), X, y)
