"""The classes in targets that come in chunks, and what each of them counts for."""

import numpy as np
from scipy.sparse import issparse

from fastnn.data.class_targets import class_numbers, distinct
from fastnn.data.inputs import refusing


class ClassTally:
    """The classes that there are in each column of y, and the sums of their samples' weights.

    Parameters
    ----------
    counts : bool
        Whether to count, too.
    """

    def __init__(self, counts):
        self.counts, self.n_axes, self.columns = counts, None, None

    def add(self, y, sample_weight):
        """Take in the targets of a chunk.

        Parameters
        ----------
        y : ndarray or sparse matrix of shape (n_samples,) or (n_samples, n_columns)
        sample_weight : ndarray of shape (n_samples,) or None
        """
        y = y.toarray() if issparse(y) else y
        columns = y.reshape(len(y), -1).T
        if self.columns is None:
            self.n_axes, self.columns = y.ndim, [(column[:0], np.zeros(0)) for column in columns]
        if (y.ndim, len(columns)) != (self.n_axes, len(self.columns)):
            raise ValueError(f"y must have {len(self.columns)} columns, as in the first chunk, got shape {y.shape}")
        with refusing("y must be labels of one type, such as numbers or texts"):
            self.columns = [
                self._merged(*known, column, sample_weight) for known, column in zip(self.columns, columns, strict=True)
            ]

    def _merged(self, labels, counts, column, sample_weight):
        if (labels.dtype.kind in "biuf") != (column.dtype.kind in "biuf"):
            raise ValueError(
                f"y must be labels of one type, as in the first chunk, which has {labels.dtype}, got {column.dtype}"
            )
        if not self.counts:
            return np.unique(np.concatenate([labels, distinct(column)])), counts
        own, numbers = np.unique(column, return_inverse=True)
        merged, places = np.unique(np.concatenate([labels, own]), return_inverse=True)
        own_counts = np.bincount(numbers, sample_weight, len(own))
        return merged, np.bincount(places, np.concatenate([counts, own_counts]))

    def labels(self):
        """A y that has each class of each column at least once, from which the type of targets follows as from all."""
        n_rows = 3 * max(len(labels) for labels, _ in self.columns)  # scikit-learn warns where half of y are classes
        columns = [np.resize(labels, n_rows) for labels, _ in self.columns]
        return columns[0] if self.n_axes == 1 else np.stack(columns, axis=1)

    def counted(self, groups):
        """What "balanced" counts: encoded targets and their weights, which add up to those of all samples.

        Parameters
        ----------
        groups : list of ndarray
            The classes of each column.

        Returns
        -------
        codes, weights : ndarray of shape (n_rows, n_columns)
        """
        n_rows = max(map(len, groups))
        codes, weights = np.zeros((n_rows, len(groups)), np.int32), np.zeros((n_rows, len(groups)))
        for i, (classes, (labels, counts)) in enumerate(zip(groups, self.columns, strict=True)):
            codes[: len(classes), i] = np.arange(len(classes))
            weights[class_numbers(classes, labels), i] = counts
        return (codes[:, 0], weights[:, 0]) if len(groups) == 1 else (codes, weights)
