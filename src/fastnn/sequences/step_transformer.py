"""Any transformer of scikit-learn's over the steps of sequences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from fastnn._sklearn import available_if
from fastnn.data.per_step import Steps, is_per_step
from fastnn.data.ragged import Sequences
from fastnn.data.sequence_forms import as_sequences, in_form_of
from fastnn.estimators.documentation import DocumentationLink

if TYPE_CHECKING:
    from typing import Any, Self

    from numpy.typing import ArrayLike, NDArray

    from fastnn.typing import SamplesLike


def _has_inverse(estimator):
    return hasattr(getattr(estimator, "transformer_", estimator.transformer), "inverse_transform")


class PerStep(TransformerMixin, DocumentationLink, BaseEstimator, auto_wrap_output_keys=None):
    """Any transformer of scikit-learn's, such as a scaler, over the steps of all sequences.

    Each step is a sample to the transformer, whichever sequence it is of.

    Parameters
    ----------
    transformer : transformer
        It gives an array with one row for each step. It is cloned: the copy is fitted.

    Attributes
    ----------
    transformer_ : transformer
        The fitted copy.
    n_features_in_ : int
        The number of features of a step.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.preprocessing import StandardScaler
    >>> from fastnn.sequences import PerStep
    >>> X = [np.array([[1.0, 10.0], [3.0, 30.0]]), np.array([[2.0, 20.0]])]
    >>> PerStep(StandardScaler()).fit_transform(X)
    [array([[-1.22474487, -1.22474487],
           [ 1.22474487,  1.22474487]]), array([[0., 0.]])]
    """

    transformer_: Any
    n_features_in_: int

    def __init__(self, transformer: Any) -> None:
        self.transformer = transformer

    def fit(self, X: SamplesLike, y: SamplesLike | None = None) -> Self:
        """Fit the transformer to the steps of all sequences.

        Parameters
        ----------
        X : list of array-like of shape (n_steps, n_features), or array-like of shape (n_sequences, n_steps, n_features)
            The sequences: a list, an object array or a list column with one in each place, or an array. Of each of
            them, the axis of the features may be left out if there is a single one.
        y : array-like, default=None
            Targets, for a transformer that needs them: one for each sequence, which all of its steps then have, or
            one for each step.

        Returns
        -------
        self : PerStep
            The transformer itself, fitted.
        """
        sequences = _sequences(X)
        self._set_fitted(clone(self.transformer).fit(sequences.values, _target_of_steps(y, sequences)), sequences)
        return self

    def fit_transform(self, X: SamplesLike, y: SamplesLike | None = None) -> Any:
        """Fit the transformer to the steps of all sequences, and transform these.

        Parameters
        ----------
        X : list of array-like, or array-like
            The sequences, as for `fit`.
        y : array-like, default=None
            Targets, as for `fit`.

        Returns
        -------
        list of ndarray, or ndarray
            The transformed sequences, in the form that X has.
        """
        sequences, transformer = _sequences(X), clone(self.transformer)
        y = _target_of_steps(y, sequences)
        if hasattr(transformer, "fit_transform"):
            transformed = transformer.fit_transform(sequences.values, y)
        else:
            transformed = transformer.fit(sequences.values, y).transform(sequences.values)
        self._set_fitted(transformer, sequences)
        return _in_form_of(X, transformed, sequences)

    def _set_fitted(self, transformer, sequences):
        self.transformer_, self.n_features_in_ = transformer, sequences.values.shape[1]

    def transform(self, X: SamplesLike) -> Any:
        """Transform the steps of sequences.

        Parameters
        ----------
        X : list of array-like, or array-like
            The sequences, as for `fit`.

        Returns
        -------
        list of ndarray, or ndarray
            The transformed sequences: a list for a list, an object array for one, and an array for an array. Those
            that were given without an axis of features have none if there is still a single feature.
        """
        check_is_fitted(self)
        sequences = _sequences(X)
        return _in_form_of(X, self.transformer_.transform(sequences.values), sequences)

    @available_if(_has_inverse)
    def inverse_transform(self, X: SamplesLike) -> Any:
        """Transform sequences back.

        Parameters
        ----------
        X : list of array-like, or array-like
            Transformed sequences.

        Returns
        -------
        list of ndarray, or ndarray
            The sequences, in the form that X has.
        """
        check_is_fitted(self)
        sequences = _sequences(X)
        return _in_form_of(X, self.transformer_.inverse_transform(sequences.values), sequences)

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[np.object_]:
        """The names of the features of a transformed step.

        Parameters
        ----------
        input_features : array-like of str, default=None
            The names of the features of a step. None is x0, x1, ...

        Returns
        -------
        ndarray of str
            What the transformer says.
        """
        check_is_fitted(self)
        return self.transformer_.get_feature_names_out(input_features)

    def __sklearn_is_fitted__(self):
        return hasattr(self, "transformer_")

    def __sklearn_tags__(self):
        tags, inner = super().__sklearn_tags__(), get_tags(self.transformer)
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan, tags.target_tags.required = inner.input_tags.allow_nan, inner.target_tags.required
        if inner.transformer_tags is not None:
            tags.transformer_tags.preserves_dtype = inner.transformer_tags.preserves_dtype
        return tags


def _sequences(X):
    """The sequences of any X, whatever is in them: the transformer checks that."""
    sequences = as_sequences(X, numeric=False)
    if sequences is None:
        X = np.asarray(X)
        if X.ndim not in (2, 3) or not X.size:
            raise ValueError(
                "X must be a list of arrays, or an array of shape (n_sequences, n_steps, n_features) or (n_sequences, "
                f"n_steps), got shape {X.shape}"
            )
        return Sequences.from_array(X)
    if sequences.starts[0] or sequences.starts[-1] < len(sequences.values):  # a part of a column
        values = sequences.values[sequences.starts[0] : sequences.starts[-1]]
        return Sequences(values, sequences.starts - sequences.starts[0])
    return sequences


def _target_of_steps(y, sequences):
    steps = Steps(sequences.lengths)
    if y is None or is_per_step(y):
        return y if y is None else steps.flat(y)
    y = np.asarray(y)
    if len(y) != len(sequences):
        raise ValueError(f"y must have {len(sequences)} targets, one for each sequence, got {len(y)}")
    return y[steps.sequences()]


def _in_form_of(X, transformed, sequences):
    if not hasattr(transformed, "__array__"):
        raise ValueError(
            f"transformer must give dense arrays, such as with sparse_output=False, got {type(transformed).__name__}"
        )
    transformed = np.asarray(transformed)
    if len(transformed) != len(sequences.values):
        raise ValueError(
            f"transformer must give a row for each of {len(sequences.values)} steps, got {len(transformed)}"
        )
    if transformed.ndim == 2 and transformed.shape[1] == 1 and _are_series(X):
        transformed = transformed[:, 0]
    return in_form_of(X, transformed, sequences.starts)


def _are_series(X):
    """Whether the sequences have no axis of features."""
    if isinstance(X, np.ndarray) and X.ndim > 1:
        return X.ndim == 2 and X.shape[1] > 0
    return np.ndim(X[0]) == 1
