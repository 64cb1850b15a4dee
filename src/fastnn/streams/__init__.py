"""Chunks for `fit_stream`: of Parquet files, of arrays on disk, and of what a database answers.

pyarrow, which `pip install 'scikit-fastnn[stream]'` installs, is imported when a stream of Parquet files is made, and
pandas when a database is asked.
"""

from typing import TYPE_CHECKING

from fastnn.estimators.foreign_names import missing
from fastnn.streams.array_slices import arrays
from fastnn.streams.database import sql
from fastnn.streams.parquet_files import parquet

__all__ = ["arrays", "parquet", "sql"]


if not TYPE_CHECKING:  # for which every name would be public

    def __getattr__(name):
        """A name that there is not: its error says what there is instead."""
        raise missing(__name__, name)
