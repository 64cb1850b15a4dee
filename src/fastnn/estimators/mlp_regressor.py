"""The multilayer perceptron regressor."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from numbers import Real
from typing import ClassVar

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.metrics import d2_pinball_score
from sklearn.neural_network import MLPRegressor as SklearnRegressor
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from fastnn._sklearn import _fit_context
from fastnn.data.inputs import checked_epochs, scored
from fastnn.data.number_targets import Numbers
from fastnn.data.quoted import quoted
from fastnn.engine.activation import activation_names
from fastnn.engine.loss import loss_links
from fastnn.estimators.constraints import Interval, StrOptions
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
from fastnn.training.transaction import snapshot

LOSSES = ("squared_error", "absolute_error", "huber", "quantile", "poisson")


@with_advice
@documented
@dataclass(eq=False, repr=False)
class MLPRegressor(RegressorMixin, BaseMLP):
    """Multilayer perceptron regressor.

    It is trained on the squared error, or another loss. Its parameters have the names, defaults and meanings of
    scikit-learn's. A fresh fit on float64 data with a given ``random_state`` draws the same initial weights and the
    same orders of samples as scikit-learn's, and for one target gives the same model to rounding. docs/differences.md
    lists where the two differ, and what only this one has.

    Parameters
    ----------
    loss : {"squared_error", "absolute_error", "huber", "quantile", "poisson"}, default="squared_error"
        The loss to minimize: half the squared error, whose best prediction is the mean; the absolute error, whose best
        prediction is the median; Huber's loss [10]_, which is squared up to `huber_delta` and linear beyond; the
        pinball loss of a `quantile` [11]_; or half the Poisson deviance, for counts. The loss is averaged over the
        targets, except for poisson, which is summed.
    <parameters of every network>
    quantile : float or list of float, default=0.5
        The quantile in (0, 1) that loss="quantile" predicts, or a list of several to predict at once.
    huber_delta : float, default=1.0
        The error beyond which loss="huber" is linear.
    output_activation : str or None, default=None
        The activation of the output layer, which can keep predictions in a range: "logistic", "softplus", "exp" or
        "tanh", for instance. None is "exp" for loss="poisson", which allows no other, and "identity" for all others.

    Attributes
    ----------
    <attributes of every network>

    References
    ----------
    <references>
    .. [10] P. Huber: "Robust estimation of a location parameter", Annals of Mathematical Statistics 35 (1964).
    .. [11] R. Koenker, G. Bassett: "Regression quantiles", Econometrica 46 (1978).

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
    _: KW_ONLY
    quantile: float | Sequence[float] = 0.5
    huber_delta: float = 1.0
    output_activation: str | None = None

    _parameter_constraints: ClassVar[dict] = {
        **BaseMLP._parameter_constraints,
        "loss": [StrOptions(LOSSES)],
        "quantile": [Interval(Real, 0, 1, closed="neither"), "array-like"],
        "huber_delta": [Interval(Real, 0, None, closed="neither")],
        "output_activation": [None, StrOptions(activation_names)],
    }
    _y_checks: ClassVar[dict] = {"y_numeric": True}

    @_fit_context(prefer_skip_nested_validation=True)
    @documented
    def fit(self, X, y, sample_weight=None, *, X_val=None, y_val=None, sample_weight_val=None):
        """Train the network.

        Parameters
        ----------
        <X>
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            The numbers to predict.
        <sample_weight>
        <samples to watch>

        Returns
        -------
        self : MLPRegressor

        <raises and warns of fit>
        """
        return self._fit(X, y, sample_weight, validation=(X_val, y_val, sample_weight_val))

    @available_if(BaseMLP._check_stochastic)
    @_fit_context(prefer_skip_nested_validation=True)
    @documented
    def partial_fit(self, X, y, sample_weight=None, *, epochs=1):
        """Train on these samples, and continue from where the last fit ended.

        Parameters
        ----------
        <X>
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            The numbers to predict, of as many targets as in the first call.
        <sample_weight>
        <epochs>

        Returns
        -------
        self : MLPRegressor

        Raises
        ------
        ValueError
            As for `fit`; also for another number of targets than in the first call.
        <other errors and warnings of partial_fit>
        """
        return self._fit(X, y, sample_weight, n_epochs=checked_epochs(epochs))

    @classmethod
    @documented
    def from_weights(cls, coefs, intercepts, *, activation="relu", **parameters):
        """A fitted network with given weights.

        Parameters
        ----------
        <weights>
        **parameters
            Other parameters of the constructor. `loss`, `quantile` and `output_activation` say what the outputs are.

        Returns
        -------
        MLPRegressor

        Raises
        ------
        ValueError
            For weights whose shapes do not fit together, or do not fit the quantiles, and for parameters that `fit`
            refuses.
        """
        coefs, intercepts, (_, *hidden_sizes, n_outputs) = checked_network(coefs, intercepts)
        model = cls(hidden_layer_sizes=tuple(hidden_sizes), activation=activation, **parameters)
        model._validate_params()
        n_quantiles = len(model._quantiles()) if model.loss == "quantile" else 1
        if n_outputs % n_quantiles:
            raise ValueError(
                f"len(intercepts[-1]) must be a multiple of {n_quantiles}, the number of quantiles, got {n_outputs}"
            )
        return fill_from_weights(model, model._numbers(n_outputs // n_quantiles), coefs, intercepts)

    @classmethod
    def from_sklearn(cls, fitted):
        """The network of a fitted `sklearn.neural_network.MLPRegressor`, as a model of fastnn.

        Parameters
        ----------
        fitted : sklearn.neural_network.MLPRegressor
            A fitted one.

        Returns
        -------
        MLPRegressor
            It has the parameters and weights of `fitted`, predicts the same, and can be trained further, with a fresh
            optimizer.

        Raises
        ------
        TypeError
            For an estimator of another class.
        NotFittedError
            For an estimator that is not fitted.
        """
        check_is_sklearn(fitted, SklearnRegressor)
        model = cls(**fitted.get_params())
        return fill_from_sklearn(model, model._numbers(fitted.n_outputs_), fitted)

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
            For activations and losses that scikit-learn does not have.
        """
        check_is_fitted(self)
        estimator = sklearn_estimator(self, SklearnRegressor)
        expected = "exp" if estimator.loss == "poisson" else "identity"
        if len(self._targets.quantiles) > 1:
            raise ValueError(
                f"quantile must be one number for a network of scikit-learn's, got {quoted(self._targets.quantiles)}"
            )
        if self.out_activation_ != expected:
            raise ValueError(
                f"output_activation must be {expected!r} for a network of scikit-learn's with "
                f"loss={estimator.loss!r}, got {self.out_activation_!r}"
            )
        return fill_sklearn(self, estimator)

    def _make_targets(self, y, classes, resumes, partial):
        targets = self._numbers(1 if y.ndim == 1 else y.shape[1])
        if resumes and targets.n_targets != self._targets.n_targets:
            raise ValueError(
                f"y must have {self._targets.n_targets} columns, as in the first fit, got {targets.n_targets}"
            )
        if resumes and len(targets.quantiles) != len(self._targets.quantiles):
            raise ValueError(
                f"loss and quantile must need {len(self._targets.quantiles)} outputs for each target, as the fitted "
                f"network has, got loss={self.loss!r} and quantile={quoted(self.quantile)}"
            )
        return targets

    def _numbers(self, n_targets):
        link = loss_links.get(self.loss)
        if link is not None and self.output_activation not in (None, link):
            raise ValueError(
                f"output_activation must be None or {link!r} with loss={self.loss!r}, got {self.output_activation!r}"
            )
        return Numbers(n_targets, self.loss, self._quantiles(), float(self.huber_delta), self.output_activation)

    def _quantiles(self):
        quantiles = list(self.quantile) if np.iterable(self.quantile) else [self.quantile]
        if not quantiles or not all(isinstance(q, Real) and 0 < q < 1 for q in quantiles):
            raise ValueError(f"quantile must be in (0, 1), got {quoted(self.quantile)}")
        return [float(q) for q in quantiles]

    def _target_weights(self, targets, encoded, counted):
        return None

    def _loss(self, targets):
        return targets.loss

    @documented
    def predict(self, X):
        """The predicted number, or numbers, of each sample.

        Parameters
        ----------
        <samples to predict>

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_targets)
            In the type that the network computes in. Several quantiles lie along a further axis, the last.
        """
        fitted = snapshot(self)
        outputs = fitted._outputs(X)
        return fitted._targets.decode(outputs)

    @documented
    def score(self, X, y, sample_weight=None):
        """R squared; for several quantiles, the mean of their D squared pinball scores.

        Parameters
        ----------
        <samples to predict>
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            The true numbers.
        sample_weight : array-like of shape (n_samples,), default=None
            What each sample counts for. None is 1 for each.

        Returns
        -------
        float
            At most 1.
        """
        check_is_fitted(self)
        score = super().score if len(self._targets.quantiles) == 1 else self._d2_pinball_score
        return scored(score, X, y, sample_weight)

    def _d2_pinball_score(self, X, y, sample_weight):
        predicted = self.predict(X)
        scores = [
            d2_pinball_score(y, predicted[..., i], sample_weight=sample_weight, alpha=quantile)
            for i, quantile in enumerate(self._targets.quantiles)
        ]
        return float(np.mean(scores))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
