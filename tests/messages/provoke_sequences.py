"""Sequences, and targets for each step, that are refused."""

import numpy as np
import pandas as pd
import polars as pl
from provoke_data import objects
from provoke_estimators import MANY, Thing
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from fastnn import SequentialRegressor
from fastnn.data.per_step import Steps
from fastnn.data.ragged import Sequences
from fastnn.data.sequence_forms import as_sequences
from fastnn.layers import GRU, Bidirectional, Conv1D, Dense, GlobalAveragePooling1D
from fastnn.sequences import PerStep, from_frame, from_padded, make_scorer

STEPS = Steps(np.array([2, 1]))
FRAME = pd.DataFrame({"id": ["a", "b", None], "x": [1, 2, 3]})
X = [np.ones((2, 2)), np.ones((1, 2))]


def scaled(given, transformer=None, y=None):
    return PerStep(transformer or StandardScaler()).fit_transform(given, y)


def fitted(layers=None, X=None, **parameters):
    """A regressor of sequences of two features, with a target for each or, where a list is given, for each step."""
    layers = [GRU(2)] if layers is None else layers
    X = np.ones((4, 3, 2)) if X is None else X
    y = [each[:, 0] for each in X] if isinstance(X, list) else X.reshape(len(X), -1)[:, 0]
    return SequentialRegressor(layers, max_iter=1, **parameters).fit(X, y)


OF_X = {
    "other features": lambda: as_sequences([np.ones((1, 2)), np.ones((2, 3))]),
    "other features in a series": lambda: as_sequences([np.ones(2), np.ones((2, 3))]),
    "no steps": lambda: as_sequences([np.ones((1, 2)), np.ones((0, 2))]),
    "no features": lambda: as_sequences([np.ones((1, 0))]),
    "a number among sequences": lambda: as_sequences([np.ones((1, 2)), 5]),
    "None among sequences": lambda: as_sequences(objects(None, [1, 2])),
    "a number that is too large": lambda: as_sequences([[10**400], [1, 2]]),
    "three axes": lambda: as_sequences([np.ones((1, 2, 3))]),
    "steps of several lengths": lambda: as_sequences([[[1, 2], [3]], [[1, 2]]]),
    "texts": lambda: as_sequences([["a" * 5000], ["b", "c"]]),
    "objects": lambda: as_sequences([[Thing()], [1, 2]]),
    "NaN": lambda: as_sequences([[1.0], [2, np.nan]]).check(),
    "no sequences": lambda: as_sequences(pl.Series([], dtype=pl.List(pl.Int64))),
    "an empty list": lambda: Sequences.from_list([]),
    "null for a list": lambda: as_sequences(pl.Series([[1], None])),
    "an empty list of a column": lambda: as_sequences(pl.Series([[1], []])),
    "null for a number": lambda: as_sequences(pl.Series([[1], [2, None]])),
    "lists of several lengths": lambda: as_sequences(pl.Series([[[1, 2], [3]]])),
    "columns of several lengths": lambda: as_sequences(pl.DataFrame({"a": [[1], [2]], "b": [[1], [2, 3]]})),
    "an Arrow array with a null": lambda: as_sequences(Arrow([1, 2, 3], null=1)),
}
OF_STEPS = {
    "another number of sequences": lambda: STEPS.flat([[1, 2]]),
    "another number of steps": lambda: STEPS.flat([[1, 2], [3, 4, 5]]),
    "targets of sequences": lambda: STEPS.flat([1, 2]),
    "lists and numbers": lambda: STEPS.flat([1, [2, 3]]),
    "targets of steps for vectors": lambda: SequentialRegressor([Conv1D(3, 1), GlobalAveragePooling1D()]).fit(
        np.ones((3, 4, 3)), [[1], [1, 2], [3]]
    ),
    "weights of steps for vectors": lambda: SequentialRegressor([Conv1D(3, 1), GlobalAveragePooling1D()]).fit(
        np.ones((3, 4, 3)), [1, 2, 3], sample_weight=[[1], [1, 2], [3]]
    ),
    "targets of samples for steps": lambda: SequentialRegressor([Conv1D(3, 1)]).fit(np.ones((3, 4, 3)), [1, 2, 3]),
    "weights of steps for the last state": lambda: SequentialRegressor([GRU(2)]).fit(X, [1, 2], [[1, 1], [1]]),
    "columns of weights": lambda: STEPS.flat_weights([np.ones((2, 2)), np.ones((1, 2))]),
    "weights of other sequences": lambda: STEPS.flat_weights([1, 2, 3]),
    "a negative weight": lambda: STEPS.flat_weights([1, -2]),
    "weights of texts": lambda: STEPS.flat_weights(["a" * 5000, "b"]),
}
OF_WINDOWS = {
    "windows and lbfgs": lambda: fitted([GRU(2, return_sequences=True)], X, truncate_steps=4, solver="lbfgs"),
    "windows of sequences with one target": lambda: fitted(truncate_steps=4),
    "windows of what goes both ways": lambda: fitted(
        [Bidirectional(GRU(2, return_sequences=True))], X, truncate_steps=4
    ),
}
OF_PREDICT_STEP = {
    "a step of a vector": lambda: fitted([Dense(3)], np.ones((4, 2))).predict_step(np.ones((4, 2))),
    "a step of what goes both ways": lambda: fitted([Bidirectional(GRU(2))]).predict_step(np.ones((4, 2))),
    "a step of other features": lambda: fitted().predict_step(np.ones((4, 3))),
    "the state of other sequences": lambda: fitted().predict_step(np.ones((4, 2)), np.ones((3, 2))),
    "a list for the state": lambda: fitted().predict_step(np.ones((4, 2)), MANY),
}
OF_FUNCTIONS = {
    "a padded vector": lambda: from_padded(np.ones(3)),
    "only padding": lambda: from_padded([[np.nan]]),
    "lengths of others": lambda: from_padded([[1.0]], lengths=MANY),
    "another side of padding": lambda: from_padded([[1.0]], padding="a" * 5000),
    "an unknown column": lambda: from_frame(FRAME, by="a" * 5000),
    "no rows": lambda: from_frame(FRAME[:0], by="id"),
    "columns of texts": lambda: from_frame(FRAME, by="x", columns=["id", "x"]),
    "a row of no sequence": lambda: from_frame(FRAME, by="id"),
    "steps of a vector": lambda: scaled(np.ones(3)),
    "other targets": lambda: scaled(X, y=[1]),
    "sparse steps": lambda: scaled([[["a"]], [["b"], ["c"]]], OneHotEncoder()),
    "fewer steps": lambda: scaled(X, FunctionTransformer(lambda X: X[1:])),
    "settings of a named scorer": lambda: make_scorer("f1", beta=2),
    "a scorer of an object": lambda: make_scorer(Thing()),
    "objects of numbers": lambda: as_sequences(objects([1], [None])),
}


class Column:
    """As much of Arrow's arrays as is read of them, so that messages are provoked where it is not installed."""

    def __init__(self, values):
        self.numbers = np.array(values)

    def to_numpy(self, zero_copy_only):
        return self.numbers


class Arrow:
    """A list with all numbers, one of which is null."""

    def __init__(self, numbers, null):
        self.offsets, self.values = Column([0, len(numbers)]), self
        self.null_count, self.null, self.numbers = 1, null, numbers

    def is_null(self):
        return Column([i == self.null for i in range(len(self.numbers))]) if self.read else self._lists()

    read = False

    def _lists(self):
        self.read = True
        return Column([False])


Arrow.__module__ = "pyarrow"
PROVOCATIONS = OF_X | OF_STEPS | OF_WINDOWS | OF_PREDICT_STEP | OF_FUNCTIONS
