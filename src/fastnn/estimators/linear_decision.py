"""How a perceptron decides, from `coef_` in either form, an array or a sparse matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.validation import check_is_fitted

from fastnn._sklearn import LinearClassifierMixin, SparseCoefMixin
from fastnn.data.inputs import plain_samples, readable, scored, validated
from fastnn.estimators.perceptron_state import check_weights
from fastnn.training.transaction import snapshot

if TYPE_CHECKING:
    from typing import Any, TypeVar

    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    from fastnn.typing import SamplesLike

    # As typing.Self, which Jedi takes for the class that defines a method.
    Self = TypeVar("Self", bound="LinearDecision")


class LinearDecision(LinearClassifierMixin, SparseCoefMixin):
    """What a fitted perceptron does: each unit is a plane, and a sample's class depends on its side of the planes."""

    def decision_function(self, X: SamplesLike) -> NDArray[np.floating[Any]]:
        # From tools/docstrings: <samples to predict>
        """The signed distance of each sample from the plane of each unit, times the norm of the unit's weights.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Samples, of any real type; in the shape that `fit` was given.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            Positive where a unit decides for its class. For two classes there is one unit, whose class is
            ``classes_[1]``.
        """
        check_is_fitted(self)
        fitted = snapshot(self)
        check_weights(fitted)
        plain = plain_samples(fitted, X, fitted.n_features_in_)
        X = readable(validated(fitted, X, reset=False)) if plain is None else plain
        scores = safe_sparse_dot(X, fitted.coef_.T, dense_output=True) + fitted.intercept_
        return scores.ravel() if scores.shape[1] == 1 else scores

    def predict(self, X: SamplesLike) -> NDArray[Any]:
        # From tools/docstrings: <samples to predict>
        """The class of each sample: that of the unit with the largest decision function.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Samples, of any real type; in the shape that `fit` was given.

        Returns
        -------
        ndarray of shape (n_samples,)
            The labels.
        """
        return super(LinearDecision, snapshot(self)).predict(X)

    def score(self, X: SamplesLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        # From tools/docstrings: <samples to predict>, <sample_weight of scores>
        """The accuracy: the part of the samples whose class is predicted correctly.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Samples, of any real type; in the shape that `fit` was given.
        y : array-like of shape (n_samples,)
            The true labels.
        sample_weight : array-like of shape (n_samples,), default=None
            What each sample counts for, and each of its steps where targets are of steps. None is 1 for each.

        Returns
        -------
        float
            From 0 to 1.
        """
        return scored(super().score, X, y, sample_weight)

    def sparsify(self: Self) -> Self:
        """Make `coef_` a sparse matrix, which is smaller and predicts faster where most weights are 0.

        Returns
        -------
        self : Perceptron

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from fastnn import Perceptron
        >>> X, y = load_iris(return_X_y=True)
        >>> Perceptron(penalty="l1").fit(X, y).sparsify().coef_.shape
        (3, 4)
        """
        fitted = snapshot(self)  # since another thread may do the same, or the opposite
        self.coef_ = super(LinearDecision, fitted).sparsify().coef_
        return self

    def densify(self: Self) -> Self:
        """Make `coef_` an array again: `partial_fit` needs one.

        Returns
        -------
        self : Perceptron

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from fastnn import Perceptron
        >>> X, y = load_iris(return_X_y=True)
        >>> model = Perceptron(penalty="l1").fit(X, y).sparsify()
        >>> model.densify().partial_fit(X, y).coef_.shape
        (3, 4)
        """
        fitted = snapshot(self)
        check_is_fitted(fitted)
        check_weights(fitted)
        self.coef_ = super(LinearDecision, fitted).densify().coef_
        return self
