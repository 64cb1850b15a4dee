"""The regressor whose layers the user writes."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import ClassVar

from fastnn.data.number_targets import Numbers
from fastnn.estimators.docstrings import documented
from fastnn.estimators.regressor import BaseRegressor
from fastnn.estimators.sequential import BaseSequential
from fastnn.estimators.sequential_bridge import fill_from_layers, last_names, n_outputs_of
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
    <references of regressors>

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
    truncate_steps: int | None = None

    _parameter_constraints: ClassVar[dict] = {
        **BaseRegressor._parameter_constraints,
        **BaseSequential._parameter_constraints,
    }

    @documented
    def predict_step(self, x, state=None):
        """The predicted number, or numbers, for one more step of each of several sequences.

        Parameters
        ----------
        <one more step>

        Returns
        -------
        numbers : ndarray of shape (n_sequences,) or (n_sequences, n_targets)
            What `predict` gives for the steps so far, with the same bits: for the last one, or for all of them.
        <state after a step>

        <raises for steps>

        Examples
        --------
        >>> import numpy as np
        >>> from fastnn import SequentialRegressor
        >>> from fastnn.layers import GRU
        >>> rng = np.random.default_rng(0)
        >>> X = [rng.normal(size=(n_steps, 1)) for n_steps in rng.integers(3, 20, 100)]
        >>> model = SequentialRegressor([GRU(8)], tol=1e-2, random_state=0).fit(X, [each.mean() for each in X])
        >>> state = None
        >>> for x in X[0]:
        ...     number, state = model.predict_step([x], state)
        >>> bool(number == model.predict(X[:1]))
        True
        """
        return self._step(x, state, Numbers.decode)

    @classmethod
    @documented
    def from_weights(cls, layers, weights, *, input_shape=None, **parameters):
        """A fitted network with given weights.

        Parameters
        ----------
        <weights of given layers>
        <outputs of regressors>

        Returns
        -------
        SequentialRegressor

        Raises
        ------
        ValueError
            For weights whose shapes do not fit the layers or the quantiles, and for parameters that `fit` refuses.

        Examples
        --------
        >>> from fastnn import SequentialRegressor
        >>> from fastnn.layers import Dense
        >>> weights = [{"kernel": [[1.0, -1.0]], "bias": [0.0, 0.0]}, {"kernel": [[1.0], [1.0]], "bias": [0.0]}]
        >>> SequentialRegressor.from_weights([Dense(2)], weights, input_shape=(1,)).predict([[3.0], [-2.0]])
        array([3., 2.])
        """
        model = cls(layers, input_shape=input_shape, **parameters)
        model._validate_params()
        return fill_from_layers(model, model._targets_of(n_outputs_of(weights), last_names(weights)[1]), weights)
