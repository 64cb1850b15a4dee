"""The multilayer perceptron classifier."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from sklearn.neural_network import MLPClassifier as SklearnClassifier
from sklearn.utils.validation import check_is_fitted

from fastnn._sklearn import target_type
from fastnn.data.class_targets import Labels
from fastnn.estimators.classifier import BaseClassifier
from fastnn.estimators.docstrings import documented
from fastnn.estimators.mlp import BaseMLP
from fastnn.estimators.sklearn_bridge import (
    check_is_sklearn,
    checked_network,
    fill_from_sklearn,
    fill_from_weights,
    fill_sklearn,
    sklearn_estimator,
)
from fastnn.estimators.suggestions import with_advice


@with_advice
@documented
@dataclass(eq=False, repr=False)
class MLPClassifier(BaseClassifier, BaseMLP):
    """Multilayer perceptron classifier.

    It is trained on the log-loss. Its parameters have the names, defaults and meanings of scikit-learn's. A fresh fit
    on float64 data with a given ``random_state`` draws the same initial weights and the same orders of samples as
    scikit-learn's, and gives the same model to rounding. docs/differences.md lists where the two differ, and what
    only this one has.

    Parameters
    ----------
    <parameters of multilayer perceptrons>
    <parameters of every network>
    <parameters of classifiers>

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,), or a list of such
        The labels, sorted; for several columns of classes, a list with the labels of each column.
    <coefs and intercepts>
    <attributes of every network>

    References
    ----------
    <references>

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.model_selection import train_test_split
    >>> from fastnn import MLPClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> X_train, X_test, y_train, y_test = train_test_split(X / 16, y, random_state=0)
    >>> model = MLPClassifier((64,), tol=1e-3, random_state=0).fit(X_train, y_train)
    >>> model.score(X_test, y_test) > 0.95
    True
    >>> model.predict(X_test[:3])
    array([2, 8, 2])
    """

    hidden_layer_sizes: int | Sequence[int] = (100,)
    activation: str | Sequence[str] = "relu"

    _parameter_constraints: ClassVar[dict] = {
        **BaseClassifier._parameter_constraints,
        **BaseMLP._parameter_constraints,
    }

    @classmethod
    @documented
    def from_weights(cls, coefs, intercepts, *, activation="relu", classes=None, multilabel=False, **parameters):
        """A fitted network with given weights.

        Parameters
        ----------
        <weights>
        classes : array-like of shape (n_classes,), or a list of such, default=None
            The classes that the outputs stand for, sorted. None is 0, 1, ...; a list of arrays is several columns of
            classes.
        multilabel : bool, default=False
            Whether each output is a label of its own.
        **parameters
            Other parameters of the constructor.

        Returns
        -------
        MLPClassifier

        Raises
        ------
        ValueError
            For weights whose shapes do not fit together, or do not fit the classes, and for parameters that `fit`
            refuses.

        Examples
        --------
        >>> from fastnn import MLPClassifier
        >>> xor = MLPClassifier.from_weights(
        ...     [[[1, 1], [1, 1]], [[1], [-2]]], [[0, -1], [-0.5]], activation="relu", classes=[False, True]
        ... )
        >>> xor.predict([[0, 0], [0, 1], [1, 0], [1, 1]])
        array([False,  True,  True, False])
        """
        coefs, intercepts, (_, *hidden_sizes, n_outputs) = checked_network(coefs, intercepts)
        model = cls(tuple(hidden_sizes), activation, **parameters)
        model._validate_params()
        targets = cls._targets_of(classes, multilabel, n_outputs, ("coefs[-1]", "intercepts[-1]"))
        return fill_from_weights(model, targets, coefs, intercepts)

    @classmethod
    def from_sklearn(cls, fitted):
        """The network of a fitted `sklearn.neural_network.MLPClassifier`, as a model of fastnn.

        Parameters
        ----------
        fitted : sklearn.neural_network.MLPClassifier
            A fitted one.

        Returns
        -------
        MLPClassifier
            It has the parameters and weights of `fitted`, predicts the same, and can be trained further, with a fresh
            optimizer.

        Raises
        ------
        TypeError
            For an estimator of another class.
        NotFittedError
            For an estimator that is not fitted.
        """
        check_is_sklearn(fitted, SklearnClassifier)
        targets = Labels.of_type(target_type(fitted), fitted.classes_)
        return fill_from_sklearn(cls(**fitted.get_params()), targets, fitted)

    def to_sklearn(self):
        """This network as a fitted `sklearn.neural_network.MLPClassifier`.

        Returns
        -------
        sklearn.neural_network.MLPClassifier
            It predicts the same. Parameters that scikit-learn does not have, and values that it does not know, keep
            scikit-learn's defaults.

        Raises
        ------
        ValueError
            For activations and types of targets that scikit-learn does not have.
        """
        check_is_fitted(self)
        estimator = fill_sklearn(self, sklearn_estimator(self, SklearnClassifier))
        return self._set_sklearn_labels(estimator)
