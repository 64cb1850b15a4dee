"""Scikit-learn's checks ask for X with 2 axes; tests/support/ragged_battery.py asks the same of sequences."""

import numpy as np
import pytest
from ragged_battery import CHECKS, same_training, saved
from sklearn.base import clone

from fastnn import SequentialClassifier, SequentialRegressor
from fastnn.data.ragged import as_objects
from fastnn.layers import GRU, LSTM, Bidirectional, Dense, SimpleRNN

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SETTINGS = {"max_iter": 2, "random_state": 0, "batch_size": 16, "learning_rate_init": 0.01}
# Those that give a vector for each sequence, and those that give one for each step.
VECTORS = {
    "gru": [GRU(5)],
    "lstms": [LSTM(5, return_sequences=True), LSTM(4, go_backwards=True)],
    "both ways": [Bidirectional(GRU(3)), Dense(4)],
    "after a dense layer": [Dense(4, "tanh"), SimpleRNN(5), None],
}
STEPS = {
    "rnn": [SimpleRNN(5, return_sequences=True)],
    "both ways": [Bidirectional(LSTM(3, return_sequences=True), "sum"), Dense(5)],
}
NETWORKS = [(layers, False) for layers in VECTORS.values()] + [(layers, True) for layers in STEPS.values()]
IDS = [*VECTORS, *(f"{name}, per step" for name in STEPS)]


@pytest.mark.parametrize("estimator", [SequentialClassifier, SequentialRegressor])
@pytest.mark.parametrize(("layers", "per_step"), NETWORKS, ids=IDS)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_sequences_of_any_length(check, layers, per_step, estimator, rng):
    X = as_objects([rng.uniform(0, 1, (n_steps, 2)) for n_steps in rng.integers(3, 12, 45)])
    score = as_objects([np.cumsum(each[:, 0]) / np.arange(1, len(each) + 1) for each in X])
    if per_step:
        y = as_objects([np.digitize(each, [0.4, 0.6]) for each in score])
    else:
        y = np.digitize([each[-1] for each in score], [0.4, 0.6])
    check(clone(estimator(layers, **SETTINGS)), X, y)


@pytest.mark.parametrize("layers", STEPS.values(), ids=STEPS)
def test_sequences_of_one_length_resume_through_a_file(layers, rng):
    X = rng.normal(size=(40, 6, 2))
    model = SequentialRegressor(layers, warm_start=True, **SETTINGS).fit(X, X)
    loaded = saved(model)
    assert loaded.predict(X).shape == X.shape
    same_training(loaded.fit(X, X), model.fit(X, X), X)
