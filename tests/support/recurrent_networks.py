"""Recurrent layers in the engine: their descriptions, networks of them, and sequences for these."""

import numpy as np

from fastnn.data.ragged import Sequences
from fastnn.engine.network import Network

CELLS = ["simple", "gru", "lstm"]
DIRECTIONS = ["forward", "backward", "concat", "sum", "ave", "mul"]
LENGTHS = [4, 1, 7, 7, 2, 9, 1, 3]


def described(cell, units=5, activation="tanh", recurrent="logistic", *, sequences=False, direction="forward", **other):
    """A recurrent layer, as the engine reads it."""
    rates = other.pop("dropout", 0.0), other.pop("recurrent_dropout", 0.0)
    return ("recurrent", cell, units, activation, recurrent, sequences, direction, *rates, *other.values())


def random_sequences(rng, lengths=LENGTHS, n_channels=3):
    """Sequences of normal numbers, an array of each."""
    return [rng.normal(size=(n, n_channels)) for n in lengths]


def ragged(batch):
    """Sequences, as the engine reads them."""
    return Sequences(np.concatenate(batch), np.cumsum([0, *map(len, batch)]).astype(np.intp))


def make(layers, n_channels=3, n_outputs=2, steps=None, dtype=np.float64, level=None, seed=0):
    """A network of these layers and a dense output layer, with random weights."""
    rng = np.random.default_rng(seed)
    description = [*layers, ("dense", n_outputs, "identity")]
    network = Network(description, (steps, n_channels), "identity", dtype, level)
    network.set_weights([rng.normal(0, 0.5, shape) for shape in network.shapes])
    return network
