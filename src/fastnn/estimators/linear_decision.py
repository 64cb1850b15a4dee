"""How a perceptron decides, from `coef_` in either form, an array or a sparse matrix."""

from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.validation import check_is_fitted

from fastnn._sklearn import LinearClassifierMixin, SparseCoefMixin
from fastnn.data.inputs import readable, scored, validated
from fastnn.estimators.perceptron_state import check_weights
from fastnn.training.transaction import as_it_is


class LinearDecision(LinearClassifierMixin, SparseCoefMixin):
    """What a fitted perceptron does: each unit is a plane, and a sample's class depends on its side of the planes."""

    def decision_function(self, X):
        """How far each sample is on a class's side of its plane, in units of the weights' norm.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            With two classes one number, positive for ``classes_[1]``.
        """
        check_is_fitted(self)
        fitted = as_it_is(self)
        check_weights(fitted)
        X = readable(validated(fitted, X, reset=False))
        scores = safe_sparse_dot(X, fitted.coef_.T, dense_output=True) + fitted.intercept_
        return scores.ravel() if scores.shape[1] == 1 else scores

    def predict(self, X):
        """The class on whose side of its plane each sample is farthest.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        return super(LinearDecision, as_it_is(self)).predict(X)

    def score(self, X, y, sample_weight=None):
        """The accuracy: the part of the samples whose class is predicted right.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        float
        """
        return scored(super().score, X, y, sample_weight)

    def sparsify(self):
        """Make `coef_` a sparse matrix: smaller, and faster to predict with, where most weights are 0.

        Returns
        -------
        self : Perceptron
        """
        fitted = as_it_is(self)  # that another thread may do the same, or the opposite
        self.coef_ = super(LinearDecision, fitted).sparsify().coef_
        return self

    def densify(self):
        """Make `coef_` an array again, which learning goes on from.

        Returns
        -------
        self : Perceptron
        """
        fitted = as_it_is(self)
        check_is_fitted(fitted)
        check_weights(fitted)
        self.coef_ = super(LinearDecision, fitted).densify().coef_
        return self
