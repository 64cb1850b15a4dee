"""Samples as the engine takes them: inputs, targets, weights, and which of them are trained on."""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass
class Samples:
    """Samples in the form that the engine takes.

    Attributes
    ----------
    X : ndarray or CSR matrix of shape (n_samples, n_features)
    targets : ndarray
    weights : ndarray of shape (n_samples,) or (n_samples, n_columns), or None
        The weight of each sample, or of each output of each sample. None stands for weights of 1.
    rows : ndarray of intp, or None
        The samples that are trained on. None stands for all.
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
        """The sum of the weights of the samples trained on, where a sample's weight is the mean over its outputs."""
        if self.weights is None:
            return float(len(self))
        weights = self._own_weights()
        return float(weights.sum(dtype=np.float64)) / (1 if weights.ndim == 1 else weights.shape[1])

    def check_weights(self, dtype, what, name="sample_weight"):
        """Refuse weights whose sum is 0 or infinite in the type that a network computes in.

        The engine flushes subnormal numbers to zero, and divides by the sum of the weights.

        Parameters
        ----------
        dtype : dtype
            The network's type.
        what : str
            Which samples these are, for the message.
        name : str, default="sample_weight"
            The parameter that their weights are given as.

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
                f"the weights of the samples {what} must add up to a number from {least:.2g} to {1 / float(least):.2g} "
                f"in {dtype}, got {total:.2g}: change {name} or class_weight"
            )
