"""Sequences of any length, whole and broken, for tests/support/fuzz.py."""

import numpy as np

from fastnn.data.ragged import Sequences, as_objects

N_CHANNELS = 2
OFFSETS = [-1, 0, 3, 10**8, 2**31 - 1, -(2**31), 2**62, -(2**63)]
CELLS = ["simple", "gru", "lstm"]
ACTIVATIONS = ["tanh", "logistic", "relu", "identity"]
DIRECTIONS = ["forward", "backward", "concat", "sum", "ave", "mul"]


def any_cells(rng):
    """The engine's description of a recurrent layer."""
    rates = rng.choice([0.0, 0.5], 2).tolist()
    names = [str(rng.choice(names)) for names in (CELLS, ACTIVATIONS, ACTIVATIONS, DIRECTIONS)]
    cell, activation, recurrent, direction = names
    return (
        "recurrent",
        cell,
        int(rng.integers(1, 20)),
        activation,
        recurrent,
        bool(rng.integers(2)),
        direction,
        *rates,
    )


def any_sequences(rng, n, values):
    """Sequences as the engine takes them, whose starts may lead anywhere."""
    cuts = np.sort(rng.choice(len(values) + 1, min(n, len(values)) + 1, replace=False))
    starts = cuts.astype(rng.choice(["i8", "i8", "i4", "u4"]))
    if rng.random() < 0.1:
        starts[rng.integers(len(starts))] = int(rng.choice(OFFSETS)) % 2**31
    if rng.random() < 0.05:
        starts = [starts[:1], starts[::-1], starts[:, None], starts.astype(float)][rng.integers(4)]
    return Sequences(values, starts)


def any_list(rng, n, layouts, any_array):
    """A list of sequences, some of which may be empty, or something else."""
    dtype = str(rng.choice(["f4", "f8", "i4", "u1", "?", ">f8", ">i2", "f2", "g", "O"]))
    X = [
        layouts[rng.integers(len(layouts))](rng.integers(0, 9, (rng.integers(1, 5), N_CHANNELS)).astype(dtype))
        for _ in range(n)
    ]
    if rng.random() < 0.1:
        X[rng.integers(n)] = any_array(rng)
    if rng.random() < 0.1:
        each = np.ones((3, N_CHANNELS))
        odd = [each[:0], each[:, :1], each[:, 0], each[None], None, [], "a", 5, [[1, 2], [3]]]
        X[rng.integers(n)] = odd[rng.integers(len(odd))]
    forms = [list, tuple, as_objects, lambda X: [each.tolist() if hasattr(each, "tolist") else each for each in X]]
    return forms[rng.integers(len(forms))](X)


def as_array(each):
    try:
        return np.asarray(each)
    except ValueError:  # lists of several lengths
        return np.zeros(len(each))


def of_each_step(rng, X):
    """Targets or weights for each step of a list of sequences, at times some too many."""
    lengths = [len(each) if np.ndim(each) else 1 for each in map(as_array, X)]
    if rng.random() < 0.1:
        lengths[rng.integers(len(lengths))] += rng.choice([-1, 1])
    y = [rng.integers(0, 3, max(0, n)) for n in lengths]
    if rng.random() < 0.3:
        y = [each.astype(rng.choice(["f8", ">f4", "U2", "O", "i1"])) for each in y]
    return [list, as_objects][rng.integers(2)](y)
