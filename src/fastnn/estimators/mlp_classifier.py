"""The multilayer perceptron classifier."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from fastnn.estimators.classifier import BaseClassifier
from fastnn.estimators.docstrings import documented
from fastnn.estimators.mlp import BaseMLP
from fastnn.estimators.sklearn_bridge import checked_network, fill_from_weights
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
    <attributes of classifiers>
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
        <outputs of classifiers>

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
