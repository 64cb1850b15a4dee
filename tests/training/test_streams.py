"""Fits to a stream have the bits of fits to arrays, whatever the chunks are, and go on as other fits do."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from fastnn import MLPClassifier, MLPRegressor, SequentialClassifier, SequentialRegressor
from fastnn.layers import GRU, Conv2D, Dense, Flatten, Masking

RNG = np.random.default_rng(0)
N = 500
X = RNG.normal(size=(N, 6))
LABELS = np.array(["blue", "green", "red"])[(X[:, 0] > 0).astype(int) + (X[:, 1] > 0)]
NUMBERS = X[:, 0] - 2 * X[:, 1]
WEIGHTS = RNG.uniform(0.5, 2, N)
SEQUENCES = [RNG.normal(size=(n_steps, 2)) for n_steps in RNG.integers(1, 9, N)]
SUMS = np.array([each[:, 0].sum() for each in SEQUENCES])
PER_STEP = [(each[:, 0] > 0).astype(int) for each in SEQUENCES]


def mlp(**parameters):
    return MLPClassifier((9,), random_state=0, **parameters)


# Models and what they are fitted to: X, y and perhaps weights.
PROBLEMS = {
    "arrays": (mlp(), X, LABELS),
    "float32": (mlp(), X.astype(np.float32), LABELS),
    "columns first": (mlp(), np.asfortranarray(X), LABELS),
    "whole numbers": (mlp(), (10 * X).astype(int), LABELS),
    "frames": (mlp(), pd.DataFrame(X, columns=list("abcdef")), pd.Series(LABELS)),
    "sparse": (mlp(), sp.csr_matrix(np.where(X > 0, X, 0)), LABELS),
    "weights": (mlp(), X, LABELS, WEIGHTS),
    "two classes": (mlp(), X, X[:, 0] > 0),
    "balanced": (mlp(class_weight="balanced"), X, LABELS),
    "balanced, with weights": (mlp(class_weight="balanced"), X, LABELS, WEIGHTS),
    "balanced columns": (mlp(class_weight="balanced"), X, np.stack([LABELS, np.roll(LABELS, 3)], axis=1)),
    "a list of class weights": (mlp(class_weight=[{"red": 2}, "balanced"]), X, np.stack([LABELS, LABELS], axis=1)),
    "labels": (mlp(class_weight="balanced"), X, (X[:, :3] > 0).astype(int)),
    "sparse labels": (mlp(), X, sp.csr_matrix((X[:, :3] > 0).astype(int))),
    "dropout": (mlp(dropout=0.3), X, LABELS),
    "sgd": (mlp(solver="sgd", learning_rate="invscaling"), X, LABELS),
    "a schedule": (mlp(learning_rate="one_cycle"), X, LABELS),
    "a warmup": (mlp(warmup_fraction=0.5, learning_rate=lambda epoch: 0.01 / (1 + epoch)), X, LABELS),
    "batches of 7": (mlp(batch_size=7), X, LABELS),
    "numbers": (MLPRegressor(hidden_layer_sizes=(9,), random_state=0), X, NUMBERS),
    "whole targets": (MLPRegressor("poisson", (9,), random_state=0), X, np.floor(X[:, 0] ** 2).astype(int)),
    "two targets": (MLPRegressor(hidden_layer_sizes=(9,), random_state=0), X, X[:, :2], WEIGHTS),
    "images": (SequentialClassifier([Conv2D(3, 2), Flatten(), Dense(4)], random_state=0), X.reshape(N, 2, 3), LABELS),
    "sequences": (SequentialRegressor([GRU(4)], random_state=0), SEQUENCES, SUMS),
    "steps": (SequentialClassifier([GRU(4, return_sequences=True)], random_state=0), SEQUENCES, PER_STEP),
    "windows": (
        SequentialClassifier([GRU(4, return_sequences=True)], truncate_steps=3, random_state=0),
        *(SEQUENCES, PER_STEP, WEIGHTS),
    ),
    "masked steps": (SequentialRegressor([Masking(0.0), GRU(4)], random_state=0), SEQUENCES, SUMS),
}


def cut(data, n_rows):
    """Chunks of so many samples."""
    n_samples = data[0].shape[0] if hasattr(data[0], "shape") else len(data[0])
    return [
        tuple(each.iloc[i : i + n_rows] if hasattr(each, "iloc") else each[i : i + n_rows] for each in data)
        for i in range(0, n_samples, n_rows)
    ]


def copy_of(problem, **parameters):
    model, *data = PROBLEMS[problem]
    return type(model)(**{**model.get_params(deep=False), "max_iter": 3, "tol": 0, **parameters}), data


def weights_of(model):
    return model._network.weights()


def assert_same(model, other):
    for own, others in zip(weights_of(model), weights_of(other), strict=True):
        np.testing.assert_array_equal(own, others)
    assert model.loss_curve_ == other.loss_curve_
    assert model.t_ == other.t_


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
@pytest.mark.parametrize("problem", PROBLEMS)
def test_one_chunk_gives_the_bits_of_fit(problem):
    model, data = copy_of(problem, shuffle=False)
    fitted, _ = copy_of(problem, shuffle=False)
    assert_same(model.fit_stream([tuple(data)], n_samples=N), fitted.fit(*data))


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
@pytest.mark.parametrize("n_rows", [3, 64, 499])
@pytest.mark.parametrize("problem", PROBLEMS)
def test_batches_run_across_the_borders_of_chunks(problem, n_rows):
    if problem == "balanced, with weights":
        pytest.skip("sums of weights are rounded by the chunk")
    model, data = copy_of(problem, shuffle=False)
    fitted, _ = copy_of(problem, shuffle=False)
    assert_same(model.fit_stream(cut(data, n_rows), n_samples=N), fitted.fit(*data))


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
@pytest.mark.parametrize("problem", PROBLEMS)
def test_a_later_fit_goes_on_to_the_bit(problem):
    """Where a schedule does not depend on `max_iter`."""
    settings = {"warm_start": True, "learning_rate": "constant", "warmup_fraction": None}
    once, data = copy_of(problem, **settings)
    twice, _ = copy_of(problem, **settings)
    chunks = cut(data, 90)
    once.fit_stream(chunks, shuffle_buffer=200, epochs=5)
    twice.fit_stream(chunks, shuffle_buffer=200, epochs=2).fit_stream(chunks, shuffle_buffer=200, epochs=3)
    assert_same(once, twice)


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
@pytest.mark.parametrize("problem", PROBLEMS)
def test_the_bits_do_not_depend_on_threads(problem):
    one, data = copy_of(problem, n_threads=1)
    two, _ = copy_of(problem, n_threads=2)
    chunks = cut(data, 90)
    assert_same(one.fit_stream(chunks, shuffle_buffer=200), two.fit_stream(chunks, shuffle_buffer=200))
