"""The regressor whose layers the user writes."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import ClassVar

from sklearn.neural_network import MLPRegressor as SklearnRegressor
from sklearn.utils.validation import check_is_fitted

from fastnn.estimators.docstrings import documented
from fastnn.estimators.regressor import BaseRegressor
from fastnn.estimators.sequential import BaseSequential
from fastnn.estimators.sequential_bridge import (
    fill_from_layers,
    from_sklearn_network,
    last_names,
    n_outputs_of,
    to_sklearn_network,
)
from fastnn.estimators.sklearn_bridge import check_is_sklearn
from fastnn.estimators.suggestions import with_advice
from fastnn.layers import Dense


@with_advice
@documented
@dataclass(eq=False, repr=False)
class SequentialRegressor(BaseRegressor, BaseSequential):
    """Regressor whose layers you write: dense, convolutional, pooling and others, one after the other.

    It is trained on the squared error, or another loss. Its output layer follows from y, and all but its layers is as
    in `MLPRegressor`: ``SequentialRegressor([Dense(100)])`` and ``MLPRegressor()`` give the same bits.

    Parameters
    ----------
    <layers>
    <loss of regressors>
    <parameters of every network>
    <parameters of regressors>

    Attributes
    ----------
    <weights of layers>
    <attributes of every network>

    References
    ----------
    <references>
    .. [10] P. Huber: "Robust estimation of a location parameter", Annals of Mathematical Statistics 35 (1964).
    .. [11] R. Koenker, G. Bassett: "Regression quantiles", Econometrica 46 (1978).

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn import SequentialRegressor
    >>> from fastnn.layers import Dense
    >>> X = np.random.default_rng(0).uniform(-1, 1, (500, 2))
    >>> y = X[:, 0] ** 2 + X[:, 1]
    >>> model = SequentialRegressor([Dense(32), Dense(32, "swish")], max_iter=500, random_state=0).fit(X, y)
    >>> model.score(X, y) > 0.99
    True
    """

    layers: Sequence = (Dense(100),)
    _: KW_ONLY
    loss: str = "squared_error"
    input_shape: Sequence[int] | None = None

    _parameter_constraints: ClassVar[dict] = {
        **BaseRegressor._parameter_constraints,
        **BaseSequential._parameter_constraints,
    }

    @classmethod
    @documented
    def from_weights(cls, layers, weights, *, input_shape=None, **parameters):
        """A fitted network with given weights.

        Parameters
        ----------
        <weights of given layers>
        **parameters
            Other parameters of the constructor. `loss`, `quantile` and `output_activation` say what the outputs are.

        Returns
        -------
        SequentialRegressor

        Raises
        ------
        ValueError
            For weights whose shapes do not fit the layers or the quantiles, and for parameters that `fit` refuses.
        """
        model = cls(layers, input_shape=input_shape, **parameters)
        model._validate_params()
        return fill_from_layers(model, model._targets_of(n_outputs_of(weights), last_names(weights)[1]), weights)

    @classmethod
    def from_sklearn(cls, fitted):
        """The network of a fitted `sklearn.neural_network.MLPRegressor`, as a model of fastnn.

        Parameters
        ----------
        fitted : sklearn.neural_network.MLPRegressor
            A fitted one.

        Returns
        -------
        SequentialRegressor
            Its layers are dense. It has the parameters and weights of `fitted`, predicts the same, and can be trained
            further, with a fresh optimizer.

        Raises
        ------
        TypeError
            For an estimator of another class.
        NotFittedError
            For an estimator that is not fitted.
        """
        check_is_sklearn(fitted, SklearnRegressor)
        return from_sklearn_network(cls, fitted, lambda model: model._numbers(fitted.n_outputs_))

    def to_sklearn(self):
        """This network as a fitted `sklearn.neural_network.MLPRegressor`.

        Returns
        -------
        sklearn.neural_network.MLPRegressor
            It predicts the same. Parameters that scikit-learn does not have, and values that it does not know, keep
            scikit-learn's defaults.

        Raises
        ------
        ValueError
            For layers, activations and losses that scikit-learn does not have.
        """
        check_is_fitted(self)
        return to_sklearn_network(self, self._sklearn_estimator())
