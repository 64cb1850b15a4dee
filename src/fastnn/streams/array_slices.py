"""Chunks of arrays that need not be in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fastnn.data.inputs import checked_count

if TYPE_CHECKING:
    from typing import Any


def arrays(X: Any, y: Any, sample_weight: Any = None, *, rows: int = 65536) -> ArraySlices:
    """Chunks of arrays on disk, such as `numpy.memmap`, zarr's and h5py's, or of arrays and sparse matrices in memory.

    Parameters
    ----------
    X : array-like of shape (n_samples, ...)
        Whatever has a length, or a shape, and can be sliced: only a chunk's rows are read at a time.
    y : array-like of shape (n_samples,) or (n_samples, n_columns)
        Likewise.
    sample_weight : array-like of shape (n_samples,), default=None
        Likewise. None is 1 for each sample.
    rows : int, default=65536
        The number of samples in a chunk; the last one may have fewer. For zarr and h5py, best a multiple of the rows
        that they store together.

    Returns
    -------
    ArraySlices
        A sequence of chunks: `fit_stream` reads them in an order drawn for each epoch.

    Raises
    ------
    ValueError
        For arrays of different lengths.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn import MLPClassifier
    >>> from fastnn.streams import arrays
    >>> X = np.random.default_rng(0).normal(size=(1000, 3))
    >>> chunks = arrays(X, X[:, 0] > 0, rows=300)
    >>> len(chunks), len(chunks[3][1])
    (4, 100)
    >>> model = MLPClassifier((8,), learning_rate_init=0.01, random_state=0).fit_stream(chunks, epochs=50)
    >>> model.score(X, X[:, 0] > 0) > 0.95
    True
    """
    return ArraySlices(X, y, sample_weight, checked_count("rows", rows))


class ArraySlices:
    """A sequence of chunks, each a slice of arrays; see `arrays`."""

    def __init__(self, X, y, sample_weight, rows):
        self.parts = (X, y) if sample_weight is None else (X, y, sample_weight)
        self.n_samples, self.rows = _length(X), rows
        for name, part in zip(("y", "sample_weight"), self.parts[1:], strict=False):
            if _length(part) != self.n_samples:
                raise ValueError(f"{name} must have {self.n_samples} rows, as X has, got {_length(part)}")

    def __len__(self):
        return -(-self.n_samples // self.rows)

    def __getitem__(self, i):
        return tuple(_slice(part, self._place(i)) for part in self.parts)

    def __iter__(self):
        return map(self.__getitem__, range(len(self)))

    def targets(self):
        """The targets of each chunk with its weights, or None, in the chunks' order: X is not read."""
        y, weights = self.parts[1], self.parts[2] if len(self.parts) == 3 else None
        for i in range(len(self)):
            yield _slice(y, self._place(i)), None if weights is None else _slice(weights, self._place(i))

    def _place(self, i):
        start = range(len(self))[i] * self.rows
        return slice(start, min(start + self.rows, self.n_samples))


def _length(part):
    return part.shape[0] if hasattr(part, "shape") else len(part)


def _slice(part, place):
    if hasattr(part, "iloc"):
        return part.iloc[place]
    rows = part[place]
    return np.asarray(rows) if isinstance(rows, np.memmap) else rows
