"""The multilayer perceptron regressor."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from fastnn.estimators.docstrings import documented
from fastnn.estimators.mlp import BaseMLP
from fastnn.estimators.parameters import with_constructor
from fastnn.estimators.regressor import BaseRegressor
from fastnn.estimators.sklearn_bridge import checked_network, fill_from_weights
from fastnn.estimators.suggestions import with_advice

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Literal, Self, Unpack

    from numpy.typing import ArrayLike

    from fastnn.typing import Activation, DType, Loss, MLPRegressorParameters, RandomState, Schedule, Solver


@with_advice
@documented
@with_constructor
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

    loss: Loss = "squared_error"
    hidden_layer_sizes: int | Sequence[int] = (100,)
    activation: Activation | Sequence[Activation] = "relu"

    if TYPE_CHECKING:  # written by tools/shared_source.py

        def __init__(
            self,
            loss: Loss = "squared_error",
            hidden_layer_sizes: int | Sequence[int] = (100,),
            activation: Activation | Sequence[Activation] = "relu",
            *,
            solver: Solver = "adam",
            alpha: float = 0.0001,
            batch_size: int | Literal["auto"] = "auto",
            learning_rate: Schedule | Callable[[int], float] = "constant",
            learning_rate_init: float = 0.001,
            power_t: float = 0.5,
            warmup_fraction: float | None = None,
            max_iter: int = 200,
            shuffle: bool = True,
            random_state: RandomState | None = None,
            tol: float = 1e-4,
            verbose: int = False,
            warm_start: bool = False,
            momentum: float = 0.9,
            nesterovs_momentum: bool = True,
            early_stopping: bool = False,
            validation_fraction: float = 0.1,
            scoring: str | Callable[..., float] | None = None,
            beta_1: float = 0.9,
            beta_2: float = 0.999,
            epsilon: float = 1e-8,
            rho: float = 0.9,
            weight_decay: float | None = None,
            n_iter_no_change: float = 10,
            max_fun: int = 15000,
            clip_norm: float | None = None,
            callback: Callable[[Any], object] | None = None,
            dtype: DType | None = None,
            n_threads: int | None = None,
            dropout: float | Sequence[float] = 0.0,
            quantile: float | Sequence[float] = 0.5,
            huber_delta: float = 1.0,
            output_activation: Activation | None = None,
        ) -> None: ...

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseRegressor._parameter_constraints,
        **BaseMLP._parameter_constraints,
    }

    @classmethod
    @documented
    def from_weights(
        cls,
        coefs: Sequence[ArrayLike],
        intercepts: Sequence[ArrayLike],
        *,
        activation: Activation | Sequence[Activation] = "relu",
        **parameters: Unpack[MLPRegressorParameters],
    ) -> Self:
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
