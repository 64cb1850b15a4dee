"""Chunks of Parquet files."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn.data.chunks import noting_chunk
from fastnn.data.inputs import checked_count
from fastnn.data.quoted import quoted
from fastnn.engine.order import shuffled
from fastnn.runtime.installation import needed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

# Rows that are put in place at a time: with a hundred columns they fit a core's second-level cache.
_ROWS_AT_A_TIME = 2048
# Bytes of each column that are read from a file at a time.
_BUFFER_BYTES = 65536


def parquet(
    paths: str | Path | Sequence[str | Path],
    y: str | list[str],
    *,
    columns: list[str] | None = None,
    sample_weight: str | None = None,
    batch_rows: int = 65536,
) -> ParquetFiles:
    # From tools/docstrings: <columns to predict>, <column of weights>
    """Chunks of Parquet files, which pyarrow reads.

    Parameters
    ----------
    paths : str, path or list of such
        A file, a folder, or several files, in local memory or wherever `pyarrow.dataset.dataset` finds them.
    y : str or list of str
        The column, or the columns, to predict.
    columns : list of str, default=None
        The columns of X, which must be numbers (decimals become float64), in this order. None is all but those of `y`
        and `sample_weight`.
    sample_weight : str, default=None
        The column of weights. None is 1 for each sample.
    batch_rows : int, default=65536
        The most samples in a chunk. No chunk goes beyond a row group: write files with row groups of about as many
        rows, since they are shuffled as wholes.

    Returns
    -------
    ParquetFiles
        An iterable of chunks. `fit_stream` reads the row groups of all files in an order drawn for each epoch. X is an
        array, of float32 if all columns are float32 or narrower, else of float64; a missing number is NaN, which
        `fit_stream` refuses.

    Raises
    ------
    ImportError
        Without pyarrow, which ``pip install 'scikit-fastnn[stream]'`` installs.
    ValueError
        For columns that the files lack, and for columns of X that are not numbers.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import pyarrow as pa
    >>> import pyarrow.parquet as pq
    >>> from fastnn import MLPClassifier
    >>> from fastnn.streams import parquet
    >>> folder = tempfile.mkdtemp()
    >>> rng = np.random.default_rng(0)
    >>> for i in range(3):
    ...     a, b = rng.normal(size=(2, 500)).astype(np.float32)
    ...     table = pa.table({"a": a, "b": b, "larger": np.where(a > b, "a", "b")})
    ...     pq.write_table(table, f"{folder}/part-{i}.parquet")
    >>> model = MLPClassifier((8,), learning_rate_init=0.01, random_state=0)
    >>> model.fit_stream(parquet(folder, y="larger"), epochs=20).predict([[1.0, 0.0], [0.0, 1.0]])
    array(['a', 'b'], dtype='<U1')
    """
    return ParquetFiles(paths, y, columns, sample_weight, checked_count("batch_rows", batch_rows))


@dataclass
class _RowGroup:
    fragment: Any  # pyarrow's
    n_rows: int
    first_chunk: int  # the number of its first chunk


class ParquetFiles:
    """Chunks of Parquet files; see `parquet`."""

    def __init__(self, paths, y, columns, sample_weight, batch_rows):
        datasets = needed("pyarrow.dataset", "fastnn.streams.parquet", "scikit-fastnn[stream]")
        paths = [str(path) for path in paths] if isinstance(paths, (list, tuple)) else str(paths)
        self.dataset = datasets.dataset(paths, format="parquet")
        self.batch_rows, self.sample_weight, self.one_target = batch_rows, sample_weight, isinstance(y, str)
        self.y, schema = [y] if self.one_target else [*y], self.dataset.schema
        others = [*self.y, *([] if sample_weight is None else [sample_weight])]
        self.columns = [name for name in schema.names if name not in others] if columns is None else [*columns]
        for parameter, names in (("columns", self.columns), ("y", self.y), ("sample_weight", others[len(self.y) :])):
            if lacking := [name for name in names if name not in schema.names]:
                raise ValueError(f"{parameter} must be among {quoted(schema.names)}, got {quoted(lacking[0])}")
        if not self.columns:
            raise ValueError(f"columns must have at least 1 column, got {quoted(columns)}")
        self.dtype = np.result_type(*(_dtype_of(schema.field(name)) for name in self.columns))
        if self.dtype.kind != "f":  # there may be missing numbers
            self.dtype = np.result_type(self.dtype, np.float32)
        fragments = [part for file in self.dataset.get_fragments() for part in file.split_by_row_group()]
        sizes = [sum(group.num_rows for group in fragment.row_groups) for fragment in fragments]  # not the file's
        firsts = [0, *accumulate(-(-n_rows // batch_rows) for n_rows in sizes)]
        self.row_groups = [_RowGroup(*each) for each in zip(fragments, sizes, firsts[:-1], strict=True)]
        self.n_samples = sum(sizes)

    def __iter__(self):
        return (chunk for row_group in self.row_groups for _, chunk in self._chunks(row_group))

    def shuffled(self, random_state):
        """The chunks with their numbers, row group by row group in an order that is drawn now."""
        order = shuffled(np.arange(len(self.row_groups), dtype=np.intp), random_state)
        return (chunk for i in order for chunk in self._chunks(self.row_groups[i]))

    def targets(self):
        """The targets of each chunk with its weights, or None: the columns of X are not read."""
        names = [*self.y, *([] if self.sample_weight is None else [self.sample_weight])]
        for row_group in self.row_groups:
            for batch in self._batches(row_group, names):
                yield self._targets(batch), self._weights(batch)

    def _batches(self, row_group, names):
        """Record batches of up to `batch_rows` rows of a row group.

        By ParquetFile, since a dataset's fragment decodes the whole row group before it gives the first of its batches.
        """
        from pyarrow.parquet import ParquetFile

        fragment = row_group.fragment
        given = fragment.physical_schema.names
        if lacking := [name for name in names if name not in given]:
            raise ValueError(f"{fragment.path} must have the column {quoted(lacking[0])}, got {quoted(given)}")
        with fragment.filesystem.open_input_file(fragment.path) as file:
            # A row group of several chunks is not read as a whole.
            is_one = row_group.n_rows <= self.batch_rows
            options = {"pre_buffer": is_one, "buffer_size": 0 if is_one else _BUFFER_BYTES}
            yield from ParquetFile(file, metadata=fragment.metadata, **options).iter_batches(
                self.batch_rows, row_groups=[fragment.row_groups[0].id], columns=names, use_threads=False
            )

    def _chunks(self, row_group):
        """The chunks of a row group with their numbers."""
        names = [*self.columns, *self.y, *([] if self.sample_weight is None else [self.sample_weight])]
        number = row_group.first_chunk
        with noting_chunk(f"{number} or later, of {row_group.fragment.path},"):
            for batch in self._batches(row_group, [*dict.fromkeys(names)]):
                parts = self._samples(batch), self._targets(batch)
                yield number, parts if self.sample_weight is None else (*parts, self._weights(batch))
                number += 1

    def _column(self, batch, name):
        """A column in the type of the first file's, which those of other files may not have."""
        return batch.column(name).cast(_read_as(self.dataset.schema.field(name).type))

    def _samples(self, batch):
        """The columns of X as rows of an array."""
        X = np.empty((batch.num_rows, len(self.columns)), self.dtype)
        columns = [_numbers(self._column(batch, name)) for name in self.columns]
        for start in range(0, len(X), _ROWS_AT_A_TIME):
            for i, column in enumerate(columns):
                X[start : start + _ROWS_AT_A_TIME, i] = column[start : start + _ROWS_AT_A_TIME]
        return X

    def _targets(self, batch):
        columns = [_labels(self._column(batch, name)) for name in self.y]
        return columns[0] if self.one_target else np.stack(columns, axis=1)

    def _weights(self, batch):
        return None if self.sample_weight is None else _numbers(self._column(batch, self.sample_weight))


def _read_as(type_):
    """The type that a column is read as: NumPy has no decimals."""
    import pyarrow

    return pyarrow.float64() if pyarrow.types.is_decimal(type_) else type_


def _dtype_of(field):
    """NumPy's type of a column of numbers.

    Raises
    ------
    ValueError
    """
    try:
        dtype = np.dtype(_read_as(field.type).to_pandas_dtype())
    except NotImplementedError:  # categories, among others
        dtype = np.dtype(object)
    if dtype.kind not in "biuf":
        raise ValueError(f"columns must be columns of numbers, got {quoted(field.name)} of type {field.type}")
    return dtype


def _numbers(column):
    """A column as an array; a missing number is NaN."""
    return column.to_numpy(zero_copy_only=False)


def _labels(column):
    """A column of targets as an array: texts as such, and not as objects."""
    labels = column.to_numpy(zero_copy_only=False)
    is_text = labels.dtype == object and len(labels) and all(isinstance(label, str) for label in labels)
    return labels.astype(str) if is_text else labels
