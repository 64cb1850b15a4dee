"""The multilayer perceptron regressor."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from fastnn.estimators.docstrings import documented
from fastnn.estimators.mlp import BaseMLP
from fastnn.estimators.regressor import BaseRegressor
from fastnn.estimators.sklearn_bridge import checked_network, fill_from_weights
from fastnn.estimators.suggestions import with_advice


@with_advice
@documented
@dataclass(eq=False, repr=False)
class MLPRegressor(BaseRegressor, BaseMLP):
    """Multilayer perceptron regressor.

    It is trained on the squared error, or another loss. Its parameters have the names, defaults and meanings of
    scikit-learn's. A fresh fit on float64 data with a given ``random_state`` draws the same initial weights and the
    same orders of samples as scikit-learn's, and for one target gives the same model to rounding. docs/differences.md
    lists where the two differ, and what only this one has.

    Parameters
    ----------
    <loss of regressors>
    <parameters of multilayer perceptrons>
    <parameters of every network>
    <parameters of regressors>

    Attributes
    ----------
    <coefs and intercepts>
    <attributes of every network>

    References
    ----------
    <references>
    <references of regressors>

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn import MLPRegressor
    >>> X = np.random.default_rng(0).uniform(-1, 1, (500, 2))
    >>> y = X[:, 0] ** 2 + X[:, 1]
    >>> model = MLPRegressor(hidden_layer_sizes=(32, 32), max_iter=500, random_state=0).fit(X, y)
    >>> model.score(X, y) > 0.99
    True
    >>> bounds = MLPRegressor("quantile", (32,), quantile=[0.1, 0.9], max_iter=500, random_state=0).fit(X, y)
    >>> bounds.predict(X[:3]).shape
    (3, 2)
    """

    loss: str = "squared_error"
    hidden_layer_sizes: int | Sequence[int] = (100,)
    activation: str | Sequence[str] = "relu"

    _parameter_constraints: ClassVar[dict] = {
        **BaseRegressor._parameter_constraints,
        **BaseMLP._parameter_constraints,
    }

    @classmethod
    @documented
    def from_weights(cls, coefs, intercepts, *, activation="relu", **parameters):
        """A fitted network with given weights.

        Parameters
        ----------
        <weights>
        <outputs of regressors>

        Returns
        -------
        MLPRegressor

        Raises
        ------
        ValueError
            For weights whose shapes do not fit together, or do not fit the quantiles, and for parameters that `fit`
            refuses.

        Examples
        --------
        >>> from fastnn import MLPRegressor
        >>> distance = MLPRegressor.from_weights([[[1.0, -1.0]], [[1.0], [1.0]]], [[0.0, 0.0], [0.0]])
        >>> distance.predict([[3.0], [-2.0]])
        array([3., 2.])
        """
        coefs, intercepts, (_, *hidden_sizes, n_outputs) = checked_network(coefs, intercepts)
        model = cls(hidden_layer_sizes=tuple(hidden_sizes), activation=activation, **parameters)
        model._validate_params()
        return fill_from_weights(model, model._targets_of(n_outputs, "intercepts[-1]"), coefs, intercepts)
