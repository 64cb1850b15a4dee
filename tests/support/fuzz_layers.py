"""Layers of every kind, with settings in and out of range, for tests/support/fuzz.py."""

from dataclasses import MISSING, fields

import numpy as np

from fastnn import layers

HUGE = 10**400
COUNTS = [1, 2, 3, 2, 1, 0, -1, 2.5, 2**31, HUGE, (1, 2), [2, 2], (1,), np.int64(2), None, "a", True]
VALUES = {
    "units": COUNTS,
    "filters": COUNTS,
    "kernel_size": COUNTS,
    "pool_size": COUNTS,
    "strides": COUNTS,
    "dilation_rate": COUNTS,
    "groups": COUNTS,
    "activation": ["relu", "swish", None, "linear", np.str_("gelu"), "exp", "nope", 3],
    "name": ["tanh", None, "sigmoid", "nope"],
    "padding": ["valid", "same", "causal", None],
    "use_bias": [True, False, np.False_, 1],
    "trainable": [True, False, 0],
    "kernel_initializer": [None, "he_normal", "orthogonal", "zeros", "glorot_uniform", "nope"],
    "rate": [0, 0.5, 1, -0.1, np.float32(0.25), HUGE],
    "target_shape": [(5,), (5, 1), [1, 5, 1], (), (2, 3), (-5,), 5, (2**31, 2**31), np.array([5, 1])],
    "scale": [0.5, 1, 1e300, np.nan, HUGE],
    "offset": [0, -3, np.inf],
    "momentum": [0.9, 0, 1, -1],
    "epsilon": [1e-3, 0, HUGE],
    "recurrent_activation": ["sigmoid", "relu", None, "tanh", "gelu", 3],
    "return_sequences": [True, False, 0],
    "go_backwards": [True, False, None],
    "dropout": [0.0, 0.5, 1, -0.1],
    "recurrent_dropout": [0.0, 0.25, np.float32(0.5), HUGE],
    "recurrent_initializer": ["orthogonal", "glorot_uniform", "zeros", "nope"],
    "unit_forget_bias": [True, False, 1],
    "layer": [
        layers.GRU(3),
        layers.LSTM(2, return_sequences=True),
        layers.SimpleRNN(3, "relu"),
        layers.GRU(2, dropout=0.5),
        layers.GRU(3, go_backwards=True),
        layers.Dense(3),
        layers.GRU(0),
        layers.GRU,
        None,
        5,
    ],
    "merge_mode": ["concat", "sum", "mul", "ave", None, 3],
    "input_dim": [9, 100, 3, 2, *COUNTS],
    "output_dim": COUNTS,
    "mask_zero": [True, False, 1],
    "embeddings_initializer": ["uniform", "glorot_uniform", "nope", None],
    "mask_value": [0.0, 1, -3, np.nan, HUGE],
}
KINDS = [getattr(layers, name) for name in layers.__all__ if name != "Layer"]
INPUT_SHAPES = [None, None, (5, 1), (1, 5, 1), [5], 5, (), (2, 3), (5, 0), (HUGE,), "a", (5, 1, 1, 1), np.int64(5)]


def any_layer(rng):
    """A layer, most of whose settings are the first of their values; rarely something else."""
    if rng.random() < 0.03:
        return [None, "relu", layers.Dense, 5][rng.integers(4)]
    cls = layers.Dense if rng.random() < 0.4 else KINDS[rng.integers(len(KINDS))]
    settings = {}
    for field in fields(cls):
        if field.default is MISSING or rng.random() < 0.2:
            values = VALUES[field.name]
            settings[field.name] = values[rng.integers(min(len(values), 4) if rng.random() < 0.9 else len(values))]
    return cls(**settings)


def any_layers(rng):
    """Mostly a short list of layers."""
    if rng.random() < 0.02:
        return [None, 5, "relu", layers.Dense(3)][rng.integers(4)]
    return [any_layer(rng) for _ in range(rng.integers(0, 5))]


def any_recurrent_layers(rng):
    """A list of layers that begins with a recurrent one."""
    kinds = [layers.SimpleRNN, layers.GRU, layers.LSTM]
    chosen = []
    for _ in range(rng.integers(1, 3)):
        settings = {"return_sequences": bool(rng.integers(2)), "units": int(rng.integers(1, 20))}
        for name in ("go_backwards", "dropout", "recurrent_dropout", "use_bias"):
            if rng.random() < 0.2:
                settings[name] = VALUES[name][rng.integers(2)]
        cells = kinds[rng.integers(3)](**settings)
        chosen.append(
            layers.Bidirectional(cells, VALUES["merge_mode"][rng.integers(4)]) if rng.random() < 0.3 else cells
        )
    return chosen + [any_layer(rng) for _ in range(rng.integers(0, 2))]
