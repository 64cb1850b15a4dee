"""Samples as the engine takes them: inputs, targets, weights, and which of them are trained on."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from fastnn.data.per_step import Steps
from fastnn.data.ragged import Sequences, steps_at


@dataclass
class Samples:
    """Samples in the form that the engine takes.

    Attributes
    ----------
    X : ndarray or CSR matrix of shape (n_samples, n_features), or Sequences
    targets : ndarray
        A row for each sample, or for each step of all sequences, one sequence after the other.
    weights : ndarray of shape (n_rows,) or (n_rows, n_columns), or None
        The weight of each row of targets, or of each output of it. None stands for weights of 1.
    rows : ndarray of intp, or None
        The samples that are trained on. None stands for all.
    steps : Steps or None
        The steps that the rows of targets are of. None: each sample has one row.
    """

    X: Any
    targets: np.ndarray
    weights: np.ndarray | None = None
    rows: np.ndarray | None = None
    steps: Any = None

    def __len__(self):
        return self.X.shape[0] if self.rows is None else len(self.rows)

    def target_rows(self, samples):
        """The rows of targets and weights of some samples."""
        return samples if self.steps is None else steps_at(self.steps.starts, samples)

    def part(self, samples):
        """These of the samples, with targets and weights of their own."""
        of_targets = self.target_rows(samples)
        weights = None if self.weights is None else self.weights[of_targets]
        steps = None if self.steps is None else Steps(self.steps.lengths[samples])
        return Samples(self.X[samples], self.targets[of_targets], weights, steps=steps)

    def _n_targets(self):
        if self.steps is None:
            return len(self)
        lengths = self.steps.lengths
        return (lengths if self.rows is None else lengths[self.rows]).sum()

    def _own_weights(self):
        return self.weights if self.rows is None else self.weights[self.target_rows(self.rows)]

    def total_weight(self):
        """The sum of the weights of the targets trained on, where a weight is the mean over outputs."""
        if self.weights is None:
            return float(self._n_targets())
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
        if self.weights is not None:
            check_total(self.summed_weight(dtype), dtype, what, name)

    def summed_weight(self, dtype):
        """The sum of the weights that are not too small for a type."""
        weights = self._own_weights()
        with np.errstate(over="ignore"):
            return weights.sum(where=weights >= np.finfo(dtype).tiny, dtype=np.float64)


def check_total(total, dtype, what, name):
    """Refuse a sum of weights, as `Samples.check_weights` does.

    Raises
    ------
    ValueError
    """
    least = np.finfo(dtype).tiny
    if not least <= total <= 1 / float(least):
        raise ValueError(
            f"the weights of the samples {what} must add up to a number from {least:.2g} to {1 / float(least):.2g} "
            f"in {dtype}, got {total:.2g}: change {name} or class_weight"
        )


def joined(parts):
    """Samples of one kind, one after the other, as a copy.

    Parameters
    ----------
    parts : list of Samples
        They have their own rows, all of which are trained on.

    Returns
    -------
    Samples
    """
    first = parts[0]
    inputs = [part.X for part in parts]
    if isinstance(first.X, Sequences):
        X = Sequences.joined(inputs)
    else:
        X = sp.vstack(inputs, format="csr") if sp.issparse(first.X) else np.concatenate(inputs)
    targets = np.concatenate([part.targets for part in parts])
    weights = None if first.weights is None else np.concatenate([part.weights for part in parts])
    steps = None if first.steps is None else Steps(np.concatenate([part.steps.lengths for part in parts]))
    return Samples(X, targets, weights, steps=steps)
