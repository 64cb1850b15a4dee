"""Targets, weights and predictions for each step of sequences: in the user's form, and one after the other."""

from functools import wraps

import numpy as np

from fastnn.data.inputs import native, refusing
from fastnn.data.list_columns import package_of
from fastnn.data.ragged import joined
from fastnn.data.sequence_forms import as_list, as_sequences, in_form_of
from fastnn.engine.steps import starts_of


class Steps:
    """The steps that a network gives: which of the rows of flat targets, weights and outputs are whose.

    Parameters
    ----------
    lengths : ndarray of int of shape (n_sequences,)
        The number of steps that the network gives for each sequence.
    lengths_of_X : ndarray of int of shape (n_sequences,), default=None
        The number of steps of each sequence of X, where steps are removed when it is read.
    keep : ndarray of bool of shape (lengths_of_X.sum(),), default=None
        Which steps of X are kept; None is all of them.
    """

    def __init__(self, lengths, lengths_of_X=None, keep=None):
        self.lengths, self.starts = lengths, starts_of(lengths)
        self.lengths_of_X, self.keep = lengths_of_X, keep

    def __len__(self):
        return len(self.lengths)

    def flat(self, given, name="y"):
        """What the user gives for each step, as one array: of steps that are removed from X it is left out.

        Parameters
        ----------
        given : array-like of shape (n_sequences, n_steps, ...), or list of array-like of shape (n_steps, ...)
        name : str, default="y"
            The user's name for it, for messages.

        Returns
        -------
        ndarray of shape (n_steps_of_all,) or (n_steps_of_all, n_columns)

        Raises
        ------
        ValueError
            For another number of sequences or of steps. The message has the number of the sequence.
        """
        values, lengths = concatenated(given, name)
        if len(lengths) != len(self):
            raise ValueError(f"{name} must have {len(self)} sequences, as X has, got {len(lengths)}")
        if (lengths == self.lengths).all():
            return values
        expected, source = self.lengths, "the network gives for"
        if self._removes_only():
            if (lengths == self.lengths_of_X).all():
                return values[self.keep]
            expected, source = self.lengths_of_X, "there are in"
        i = int(np.argmax(lengths != expected))
        steps = f"{expected[i]} step{'s' * int(expected[i] != 1)}"
        raise ValueError(f"{name}[{i}] must have {steps}, as {source} X[{i}], got {lengths[i]}")

    def _removes_only(self):
        """Whether the network gives the steps of X that are kept, one for one."""
        if self.keep is None:
            return False
        counted = np.concatenate([[0], np.cumsum(self.keep)])
        return bool((np.diff(counted[starts_of(self.lengths_of_X)]) == self.lengths).all())

    def flat_weights(self, sample_weight):
        """The weight of each step, from weights of sequences or of steps.

        Raises
        ------
        ValueError
            For weights that are not finite numbers, or below 0.
        """
        with refusing("sample_weight must be a number for each sequence or for each step"):
            if is_per_step(sample_weight):
                weights = self.flat(sample_weight, "sample_weight")
                if weights.ndim != 1:
                    raise ValueError(f"sample_weight must have one weight for each step, got {weights.shape[1]}")
            else:
                weights = np.asarray(sample_weight)
                if weights.shape not in ((), (len(self),)):
                    raise ValueError(f"sample_weight must have {len(self)} weights, got {len(weights)}")
                weights = np.broadcast_to(weights, len(self))[self.sequences()]
            weights = weights.astype(np.float64)
        if not np.isfinite(weights).all() or (weights < 0).any():
            odd = weights[~(np.isfinite(weights) & (weights >= 0))][0]
            raise ValueError(f"sample_weight must be finite and at least 0, got {odd}")
        return weights

    def sequences(self):
        """The number of the sequence that each step is of."""
        return np.repeat(np.arange(len(self), dtype=np.intp), self.lengths)

    def in_form_of(self, X, outputs):
        """Flat outputs, or a list with such for each column of y, in the form of the user's X."""
        if isinstance(outputs, list):
            return [in_form_of(X, each, self.starts) for each in outputs]
        return in_form_of(X, outputs, self.starts)


def is_per_step(given):
    """Whether the user's targets or weights look like some for each step: of several axes, or sequences."""
    if isinstance(given, np.ndarray) and given.dtype != object:
        return given.ndim > 1
    if as_list(given) is not None or package_of(given) in ("polars", "pyarrow"):
        return True
    try:
        return np.ndim(given) > 1
    except ValueError:  # lists and numbers side by side
        return True


def concatenated(given, name):
    """What there is for each step, as one array, and the number of steps of each sequence.

    Parameters
    ----------
    given : array-like of shape (n_sequences, n_steps, ...), or list of array-like of shape (n_steps, ...)
    name : str
        The user's name for it, for messages.

    Returns
    -------
    values : ndarray of shape (n_steps_of_all,) or (n_steps_of_all, n_columns)
    lengths : ndarray of int of shape (n_sequences,)

    Raises
    ------
    ValueError
        For anything else.
    """
    sequences = as_sequences(given, name, numeric=False)
    if sequences is None:
        with refusing(f"{name} must be a list of arrays", errors=(ValueError,)):
            array = np.asarray(given)
        if array.ndim not in (2, 3):
            raise ValueError(
                f"{name} must be a list of arrays, or an array of shape (n_sequences, n_steps) or (n_sequences, "
                f"n_steps, n_columns), got shape {array.shape}"
            )
        values, lengths = array.reshape(-1, *array.shape[2:]), np.full(len(array), array.shape[1])
    else:
        values, lengths = sequences.values[sequences.starts[0] : sequences.starts[-1]], sequences.lengths
    return native(values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values), lengths


class Concatenating:
    """A model whose predictions for steps come one after the other, as scikit-learn's metrics take them.

    Parameters
    ----------
    model : estimator
        A fitted one, of fastnn or a pipeline that ends in one.
    """

    def __init__(self, model):
        self.model = model

    def __getattr__(self, name):
        value = getattr(object.__getattribute__(self, "model"), name)  # a copy has none yet, and must not ask itself
        if name not in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
            return value
        return wraps(value)(lambda X: _concatenated_predictions(value(X)))  # scikit-learn reads the name

    def __sklearn_tags__(self):
        return self.model.__sklearn_tags__()


def _concatenated_predictions(predictions):
    """Predictions of any form, one step after the other; a list of them, one for each column of y, stays one."""
    if isinstance(predictions, list):
        first = predictions[0]
        if isinstance(first, list) or first.dtype == object or first.ndim > 2:
            return list(map(_concatenated_predictions, predictions))
        return joined(predictions)
    if predictions.dtype == object and predictions.ndim == 1:
        return joined(list(predictions))
    return predictions.reshape(-1, *predictions.shape[2:])
