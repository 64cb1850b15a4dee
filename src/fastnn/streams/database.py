"""Chunks of what a database answers."""

from __future__ import annotations

from contextlib import closing, nullcontext
from typing import TYPE_CHECKING

from fastnn.data.inputs import checked_count
from fastnn.data.quoted import quoted
from fastnn.runtime.installation import needed

if TYPE_CHECKING:
    from typing import Any


def sql(
    connection: Any,
    query: str,
    y: str | list[str],
    *,
    sample_weight: str | None = None,
    rows: int = 65536,
    params: Any = None,
) -> DatabaseAnswer:
    # From tools/docstrings: <columns to predict>, <column of weights>
    """Chunks of a database's answer, as frames of pandas, in the order in which it answers.

    Parameters
    ----------
    connection : callable, or what `pandas.read_sql` takes
        A function that opens a connection, which is closed after each epoch. It is called in the thread that reads,
        since a connection of sqlite3, for instance, works in its own thread only. Or an SQLAlchemy engine or its URL.
    query : str
        It is asked anew for each epoch. Let it end in ``ORDER BY``, if two fits are to be the same.
    y : str or list of str
        The column, or the columns, to predict.
    sample_weight : str, default=None
        The column of weights. None is 1 for each sample.
    rows : int, default=65536
        The number of samples in a chunk; the last one may have fewer.
    params : list, tuple or dict, default=None
        The query's parameters.

    Returns
    -------
    DatabaseAnswer
        An iterable of chunks.

    Examples
    --------
    >>> import sqlite3
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> import pandas as pd
    >>> from fastnn import MLPRegressor
    >>> from fastnn.streams import sql
    >>> path = Path(tempfile.mkdtemp()) / "houses.db"
    >>> houses = pd.DataFrame(np.random.default_rng(0).normal(size=(1000, 2)), columns=["area", "age"])
    >>> database = sqlite3.connect(path)
    >>> _ = houses.assign(price=houses.area - houses.age).to_sql("houses", database, index=False)
    >>> chunks = sql(lambda: sqlite3.connect(path), "SELECT * FROM houses", y="price", rows=300)
    >>> model = MLPRegressor(random_state=0).fit_stream(chunks, epochs=20)
    >>> model.score(houses, houses.area - houses.age) > 0.9
    True
    >>> database.close()
    """
    return DatabaseAnswer(connection, query, y, sample_weight, checked_count("rows", rows), params)


class DatabaseAnswer:
    """Chunks of a database's answer; see `sql`."""

    def __init__(self, connection, query, y, sample_weight, rows, params):
        self.connection, self.query, self.params, self.rows = connection, query, params, rows
        self.y, self.sample_weight = y, sample_weight
        self.pandas = needed("pandas", "fastnn.streams.sql", "pandas")

    def __iter__(self):
        opened = closing(self.connection()) if callable(self.connection) else nullcontext(self.connection)
        with opened as connection:
            for frame in self.pandas.read_sql(self.query, connection, params=self.params, chunksize=self.rows):
                yield self._chunk(frame)

    def _chunk(self, frame):
        given = [*([self.y] if isinstance(self.y, str) else self.y)]
        given += [] if self.sample_weight is None else [self.sample_weight]
        if lacking := [name for name in given if name not in frame.columns]:
            names = quoted([*frame.columns])
            raise ValueError(f"y and sample_weight must be columns of the answer, {names}, got {quoted(lacking[0])}")
        X, y = frame.drop(columns=given), frame[self.y]
        return (X, y) if self.sample_weight is None else (X, y, frame[self.sample_weight])
