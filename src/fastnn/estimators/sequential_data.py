"""X, targets and weights as a network of the user's layers reads them."""

import math

import numpy as np
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from fastnn.data.inputs import as_column, plain_samples, readable, validated, validated_y
from fastnn.data.inputs import checked_weights as checked_sample_weight
from fastnn.data.per_step import is_per_step
from fastnn.data.quoted import quoted
from fastnn.data.ragged import Sequences
from fastnn.data.sequence_forms import as_list
from fastnn.estimators.sequence_reading import (
    any_length,
    arranged,
    fed,
    may_read_sequences,
    reads_sequences,
    removes_steps,
    samples_of,
    shape_of_rows,
)
from fastnn.layers.chain import chain_of, check_layers, sample_shape
from fastnn.layers.rules import SAMPLE_SHAPE, plain


class SequentialData:
    """Samples of several axes, whose shape in fit is `input_shape_`; and targets for each, or for each of its steps."""

    def _read(self, X, y, sample_weight, reset, y_name="y"):
        check_layers(self.layers)
        X, shape = self._arranged(X, reset)
        if not isinstance(X, Sequences) and not may_read_sequences(self.layers):
            X, y = self._validated(X, y, reset, y_name)
            self._note_shape(X, shape, reset)
            return X, y, None if sample_weight is None else checked_sample_weight(sample_weight, X), None
        X = self._validated_X(X, reset)
        self._note_shape(X, shape, reset)
        chain = chain_of(tuple(self.layers), self._sample_shape(), 1)
        X, steps, _ = fed(X, shape or shape_of_rows(X.shape[1], self.input_shape_), chain)
        return X, *self._checked_targets(y, sample_weight, X, steps, chain, y_name), steps

    def _arranged(self, X, reset):
        if reset:
            takes_ragged = self.input_shape is None or None in checked_shape(self.input_shape)
            return arranged(X, self.layers, takes_ragged or removes_steps(self.layers))
        X, shape = arranged(X, self._chain.layers, None in self._chain.input_shape)
        self._check_shape(X, shape)
        return X, shape

    def _validated_X(self, X, reset):
        if not isinstance(X, Sequences):
            try:
                return readable(validated(self, X, dtype="numeric", reset=reset))
            except ValueError as error:
                if "contains NaN" in str(error) and reads_sequences(self.layers):
                    first, *_ = str(error).split("\n")
                    error.args = (f"{first} If sequences are padded with it, pass fastnn.sequences.from_padded(X).",)
                raise
        if reset:  # an earlier fit may have had a table
            for name in ("n_features_in_", "feature_names_in_"):
                vars(self).pop(name, None)
        return X

    def _note_shape(self, X, shape, reset):
        if not reset:
            return
        self._set_input_shape(X.shape[1:] if shape is None else shape)
        if shape is not None:
            vars(self).pop("n_features_in_", None)  # the columns are rows, steps and channels

    def _checked_targets(self, y, sample_weight, X, steps, chain, y_name):
        """y and sample_weight, of each sample or of each of the steps, which are then one after the other."""
        if steps is not None and y is not None:
            if not is_per_step(y):
                given, advice = "one for each sample", chain.sequence_advice()
                if len(steps) != np.size(y) == steps.lengths.sum():
                    given, advice = "those of all sequences in one array", "pass a list with an array for each sequence"
                raise ValueError(f"y must have a target for each step, got {given}: {advice}")
            y = steps.flat(y)
            sample_weight = None if sample_weight is None else steps.flat_weights(sample_weight)
        elif as_list(y) is not None:
            raise ValueError(
                "y must have one target for each sample, since the last layer gives one vector, got one for each step: "
                "set return_sequences=True, and leave out layers that make a vector of all steps"
            )
        elif as_list(sample_weight) is not None:
            raise ValueError(
                "sample_weight must have one weight for each sample, since the last layer gives one vector, got one "
                "for each step"
            )
        y = validated_y(self, y, multi_output=True, **self._y_checks)
        if steps is None:
            check_consistent_length(X, y)
            sample_weight = None if sample_weight is None else checked_sample_weight(sample_weight, X)
        return as_column(y, y_name), sample_weight

    def _set_input_shape(self, shape):
        """Set `input_shape_`, for samples of this shape."""
        if self.input_shape is not None:
            given = checked_shape(self.input_shape)
            if None in given:
                shape = any_length(shape)
            elif len(shape) == 1 and math.prod(given) != shape[0]:
                raise ValueError(
                    f"input_shape must have {shape[0]} numbers, as X has columns, got {given}, which has "
                    f"{math.prod(given)}"
                )
            if (len(shape) > 1 or None in given) and _without_channel(given) != _without_channel(shape):
                raise ValueError(f"X must have shape {samples_of(given)}, as input_shape says, got {samples_of(shape)}")
            shape = given
        self.input_shape_ = sample_shape(self.layers, shape)

    def _check_shape(self, X, shape):
        """Refuse samples of another shape than in fit, where that of rows is checked later."""
        of_any_length = None in self._chain.input_shape
        if shape is None:
            if hasattr(self, "n_features_in_") or np.ndim(X) != 2:
                return
            shape = np.shape(X)[1:]
            if self.input_shape is not None and not of_any_length and shape[0] == math.prod(self.input_shape_):
                return
        fitted = _without_channel(self.input_shape_)
        if of_any_length:
            fitted, shape = any_length(fitted), any_length(shape)
        if _without_channel(shape) != fitted:
            given, advice = samples_of(shape), ""
            if isinstance(X, Sequences) and not of_any_length:
                given = f"sequences of {X.lengths.min()} to {X.lengths.max()} steps"
            if _without_channel(any_length(np.shape(X)) if of_any_length else np.shape(X)) == fitted:
                advice = f": pass {'[X]' if of_any_length else 'X[None]'} if this is one sample"
            elif any_length(_without_channel(shape)) == any_length(fitted) and reads_sequences(self._chain.layers):
                advice = f": set input_shape={any_length(self.input_shape_)} for sequences of any length"
            shown = any_length(self.input_shape_) if of_any_length else self.input_shape_
            raise ValueError(f"X must have shape {samples_of(shown)}, as in fit, got {given}{advice}")

    def _sample_shape(self):
        """The shape of a sample for the layers: where sequences are cut into windows, these have any length."""
        shape = sample_shape(self.layers, self.input_shape_)
        return shape if self.truncate_steps is None else any_length(shape)

    def _read_X(self, X):
        """X as the network reads it, the Steps of its outputs, and the lengths of sequences of any length."""
        check_is_fitted(self)
        X, shape = self._arranged(X, reset=False)
        plain = None if None in self._chain.input_shape else plain_samples(self, X, self._network.sizes[0])
        return self._fed(self._validated_X(X, reset=False) if plain is None else plain, shape)

    def _fed(self, X, shape):
        """Likewise of X that is arranged and checked."""
        if not may_read_sequences(self._chain.layers):
            return X, None, None
        return fed(X, shape or shape_of_rows(X.shape[1], self.input_shape_), self._chain)

    def _as_given(self, X):
        if isinstance(X, Sequences):
            return list(X)
        return X if hasattr(self, "n_features_in_") else X.reshape(len(X), *self.input_shape_)


def checked_shape(input_shape):
    """The parameter `input_shape` as a tuple.

    Raises
    ------
    ValueError
    """
    shape = plain(input_shape)
    shape = shape if isinstance(shape, tuple) else (shape,)
    if not SAMPLE_SHAPE.holds(shape):
        raise ValueError(f"input_shape must be {SAMPLE_SHAPE.text}, got {quoted(input_shape)}")
    return shape


def _without_channel(shape):
    """A shape without its last axis, if that is a single channel."""
    return shape[:-1] if len(shape) > 1 and shape[-1] == 1 else shape
