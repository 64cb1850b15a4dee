"""Sequences of any length with something to learn of them, and networks that learn it."""

import numpy as np

from fastnn.layers import (
    GRU,
    LSTM,
    Bidirectional,
    Conv1D,
    Dense,
    GlobalAveragePooling1D,
    GlobalMaxPooling1D,
    Masking,
    MaxPooling1D,
    SimpleRNN,
)

SETTINGS = {"random_state": 0, "max_iter": 4, "learning_rate_init": 0.01, "batch_size": 16}

# Networks that give one vector for each sequence, and such that give one for each step.
VECTORS = {
    "gru": [GRU(6)],
    "lstm": [LSTM(5, return_sequences=True), LSTM(4)],
    "convolution": [Conv1D(6, 3), MaxPooling1D(), GlobalMaxPooling1D(), Dense(5)],
    "masking": [Masking(99.0), Dense(6), GlobalAveragePooling1D()],
}
STEPS = {
    "rnn": [SimpleRNN(6, return_sequences=True)],
    "both ways": [Bidirectional(GRU(4, return_sequences=True)), Dense(5)],
    "convolution": [Conv1D(6, 3, padding="same"), Dense(5)],
    "masking": [Masking(99.0), Dense(6)],
}


def sequences(rng, n=40, n_channels=3, longest=12):
    """Arrays of 7 steps or more."""
    return [rng.normal(size=(n_steps, n_channels)) for n_steps in rng.integers(7, longest + 1, n)]


def labels_of(X):
    """A class for each sequence."""
    return np.array([int(each[:, 0].mean() > 0) for each in X])


def labels_of_steps(X):
    """A class for each step."""
    return [(each[:, 0] > 0).astype(int) for each in X]
