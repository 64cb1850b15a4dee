"""Samples as the engine takes them: inputs, targets, weights, and which of them are trained on."""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass
class Samples:
    """What to learn from, as the engine takes it.

    Attributes
    ----------
    X : ndarray or CSR matrix of shape (n_samples, n_features)
    targets : ndarray
    weights : ndarray of shape (n_samples,) or (n_samples, n_columns), or None
        Of each sample, or of each sample's each output; None: all are 1.
    rows : ndarray of intp, or None
        The samples that are trained on; None: all.
    """

    X: Any
    targets: np.ndarray
    weights: np.ndarray | None = None
    rows: np.ndarray | None = None

    def __len__(self):
        return self.X.shape[0] if self.rows is None else len(self.rows)

    def _own_weights(self):
        return self.weights if self.rows is None else self.weights[self.rows]

    def total_weight(self):
        """Of the samples trained on, as the engine counts it: the mean over outputs."""
        if self.weights is None:
            return float(len(self))
        weights = self._own_weights()
        return float(weights.sum(dtype=np.float64)) / (1 if weights.ndim == 1 else weights.shape[1])

    def check_weights(self, dtype, what):
        """Refuse weights of which nothing, or infinity, is left in the type that a network computes in.

        The engine flushes subnormal numbers to zero, and divides by what the weights add up to.

        Raises
        ------
        ValueError
        """
        if self.weights is None:
            return
        least, weights = np.finfo(dtype).tiny, self._own_weights()
        with np.errstate(over="ignore"):
            total = weights.sum(where=weights >= least, dtype=np.float64)
        if not least <= total <= 1 / float(least):
            raise ValueError(
                f"The weights of all samples {what} are 0, or add up to less than {least:.2g} or more than "
                f"{1 / float(least):.2g}, which is all that {dtype} can tell: change sample_weight, or class_weight."
            )
