"""Streams that fit_stream refuses, and sources of chunks that are not there."""

import tempfile

import numpy as np
import pandas as pd
import scipy.sparse as sp
from provoke_estimators import LABELS, NUMBERS, Thing, X, classifier, perceptron, regressor

from fastnn.streams import arrays, parquet, sql

GOOD = X, LABELS


def files(y, columns=None):
    folder = tempfile.mkdtemp()
    pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]}).to_parquet(f"{folder}/part.parquet")
    return parquet(folder, y, columns=columns)


def other_files():
    folder = tempfile.mkdtemp()
    for name in "ab":
        pd.DataFrame({name: [1.0, 2.0], "y": ["x", "y"]}).to_parquet(f"{folder}/{name}.parquet")
    return list(parquet(folder, "y"))


def ending_early():
    sizes = [1, 3, 3]  # of the second epoch, of the first one, and of the look at the first chunk
    return classifier().fit_stream(lambda: [GOOD] * (sizes.pop() if sizes else 2), classes=[*set(LABELS)])


def empty_later():
    sizes = [1]
    return classifier().fit_stream(lambda: [GOOD] * (sizes.pop() if sizes else 0), classes=[*set(LABELS)])


def asked(y):
    import sqlite3

    return list(sql(lambda: sqlite3.connect(":memory:"), "SELECT 1 AS a", y))


PROVOCATIONS = {
    "an iterator": lambda: classifier().fit_stream(iter([GOOD])),
    "an object": lambda: classifier().fit_stream(Thing()),
    "a single array": lambda: classifier().fit_stream([X]),
    "no chunks": lambda: classifier().fit_stream([]),
    "no chunks with classes": lambda: classifier().fit_stream([], classes=[0, 1]),
    "no chunks in the second epoch": empty_later,
    "an early end": ending_early,
    "too many samples": lambda: classifier().fit_stream([GOOD] * 2, n_samples=len(X)),
    "n_samples of 0": lambda: classifier().fit_stream([GOOD], n_samples=0),
    "dense and sparse": lambda: classifier().fit_stream([GOOD, (sp.csr_matrix(X), LABELS)]),
    "a wider type": lambda: classifier().fit_stream([(X.astype(np.float32), LABELS), GOOD]),
    "weights in one chunk": lambda: classifier().fit_stream([GOOD, (X, LABELS, np.ones(len(X)))]),
    "columns of targets": lambda: classifier().fit_stream([GOOD, (X, np.stack([LABELS, LABELS], axis=1))]),
    "texts and numbers": lambda: classifier().fit_stream([(X, np.arange(len(X)) % 2), (X, ["a", "b"] * (len(X) // 2))]),
    "classes of a regressor": lambda: regressor().fit_stream([(X, NUMBERS)], classes=[0, 1]),
    "early stopping": lambda: classifier(early_stopping=True).fit_stream([GOOD]),
    "samples to watch": lambda: perceptron().fit_stream([GOOD], X_val=X, y_val=LABELS),
    "y of other lengths": lambda: arrays(X, LABELS[1:]),
    "chunks without rows": lambda: arrays(X, LABELS, rows=0),
    "a column that files lack": lambda: files("z"),
    "a column that one file lacks": other_files,
    "no columns": lambda: files("b", []),
    "texts as X": lambda: files("a"),
    "a column that the answer lacks": lambda: asked("z"),
}
