"""Chunks for `fit_stream`: of Parquet files, of arrays on disk, and of what a database answers.

pyarrow, which `pip install 'scikit-fastnn[stream]'` installs, is imported when a stream of Parquet files is made, and
pandas when a database is asked.
"""

from fastnn.streams.array_slices import arrays
from fastnn.streams.database import sql
from fastnn.streams.parquet_files import parquet

__all__ = ["arrays", "parquet", "sql"]
