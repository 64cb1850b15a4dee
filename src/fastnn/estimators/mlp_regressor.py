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
from fastnn.engine.activation import activation_names
from fastnn.engine.loss import loss_links
from fastnn.estimators.constraints import Interval, StrOptions
from fastnn.estimators.mlp import BaseMLP
from fastnn.estimators.parameters import documented
from fastnn.estimators.sklearn_bridge import (
    adopt,
    adopt_scikit_learns,
    check_scikit_learns,
    checked_network,
    sklearn_estimator,
    to_scikit_learns,
)
from fastnn.estimators.suggestions import with_advice
from fastnn.training.transaction import as_it_is

LOSSES = ("squared_error", "absolute_error", "huber", "quantile", "poisson")


@with_advice
@documented
@dataclass(eq=False, repr=False)
class MLPRegressor(RegressorMixin, BaseMLP):
    """Multilayer perceptron regressor.

    Trained on the squared error, or another loss, with scikit-learn's parameters, defaults and meanings. A fresh fit on
    float64 data with a given ``random_state`` draws the same initial weights and the same orders of samples as
    scikit-learn's, and for one target gives the same model to rounding. The README lists where the two differ, and what
    only this one has.

    Parameters
    ----------
    loss : {"squared_error", "absolute_error", "huber", "quantile", "poisson"}, default="squared_error"
        What to make small: half the squared error, whose best answer is the mean; the absolute error (the median);
        Huber's [10]_, which is squared up to `huber_delta` and then linear; the pinball loss of a `quantile` [11]_;
        half the Poisson deviance, for counts. Averaged over targets, but for poisson, which is summed.
    <parameters of every network>
    quantile : float or list of float, default=0.5
        For the loss quantile: the quantile in (0, 1) to predict, or several at once.
    huber_delta : float, default=1.0
        For the loss huber: the error from which on it is linear.
    output_activation : str or None, default=None
        The output layer's activation, to keep predictions in a range: "logistic", "softplus", "exp", "tanh" ... None is
        identity, and exp for poisson, which allows no other.

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
    def fit(self, X, y, sample_weight=None, *, X_val=None, y_val=None, sample_weight_val=None):
        """Train the network.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Of any real type. CSR is taken as it is, other sparse formats are converted to it.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Numbers.
        sample_weight : array-like of shape (n_samples,), default=None
            What each sample's loss is multiplied by.
        X_val, y_val, sample_weight_val : array-like, default=None
            Samples to watch, not to train on: `validation_scores_` and `validation_loss_curve_` are theirs, and with
            `early_stopping` they are what is held out.

        Returns
        -------
        self : MLPRegressor

        Raises
        ------
        ValueError
            For input that scikit-learn refuses too, and when training diverges (see Warns). The estimator is then as it
            was before; but an optimizer that training was to go on with starts afresh.
        RuntimeError
            When another thread is fitting this very estimator.
        KeyboardInterrupt
            When Ctrl-C is pressed twice within a second, the first time perhaps in another fit: it ends a grid search,
            too. The estimator is then as it was before.

        Warns
        -----
        ConvergenceWarning
            When `max_iter` epochs were not enough, or training diverged after the best epoch that early stopping kept.
            It finds the estimator fitted, as do other warnings of how the fit ended.
        UserWarning
            When a parameter is set that has no effect as the others are: once for each, and class, in a process.
            When Ctrl-C is pressed once: the estimator keeps what it has learnt, the broken-off epoch's part included,
            and a grid search goes on with its next fit.
        """
        validation = X_val, y_val, sample_weight_val
        given = any(part is not None for part in validation)
        return self._fit(X, y, sample_weight, validation=validation if given else None)

    @available_if(BaseMLP._check_stochastic)
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, sample_weight=None, *, epochs=1):
        """Train on these samples, going on from where the last fit ended.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
        sample_weight : array-like of shape (n_samples,), default=None
        epochs : int, default=1
            How often to go through the samples.

        Returns
        -------
        self : MLPRegressor

        Raises
        ------
        ValueError
            As for `fit`.
        AttributeError
            With the solver lbfgs, which needs all samples at once.
        RuntimeError
            When another thread is fitting this very estimator.
        KeyboardInterrupt
            As for `fit`.

        Warns
        -----
        UserWarning
            As for `fit`, when Ctrl-C is pressed once.
        """
        return self._fit(X, y, sample_weight, n_epochs=checked_epochs(epochs))

    @classmethod
    def from_weights(cls, coefs, intercepts, *, activation="relu", **parameters):
        """A fitted network with given weights.

        Parameters
        ----------
        coefs : sequence of array-like of shape (fan_in, fan_out)
        intercepts : sequence of array-like of shape (fan_out,)
        activation : str or list of str, default="relu"
        **parameters
            Others of the constructor's: `loss`, `quantile` and `output_activation` say what the outputs are.

        Returns
        -------
        MLPRegressor

        Raises
        ------
        ValueError
            For weights of shapes that make no network, or none for such quantiles, and for parameters that `fit`
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
        return adopt(model, model._numbers(n_outputs // n_quantiles), coefs, intercepts)

    @classmethod
    def from_sklearn(cls, fitted):
        """The network of a fitted `sklearn.neural_network.MLPRegressor`, as a model of fastnn.

        Parameters
        ----------
        fitted : sklearn.neural_network.MLPRegressor

        Returns
        -------
        MLPRegressor
            With its parameters and weights: it predicts the same, and can be trained further, with a fresh optimizer.

        Raises
        ------
        TypeError
            For another estimator.
        """
        check_scikit_learns(fitted, SklearnRegressor)
        model = cls(**fitted.get_params())
        return adopt_scikit_learns(model, model._numbers(fitted.n_outputs_), fitted)

    def to_sklearn(self):
        """This network as a fitted `sklearn.neural_network.MLPRegressor`.

        Returns
        -------
        sklearn.neural_network.MLPRegressor
            It predicts the same. Parameters that it has not, and values that it does not know, are left out.

        Raises
        ------
        ValueError
            For activations and losses that scikit-learn's has not.
        """
        check_is_fitted(self)
        estimator = sklearn_estimator(self, SklearnRegressor)
        expected = "exp" if estimator.loss == "poisson" else "identity"
        if len(self._targets.quantiles) > 1:
            raise ValueError(
                f"quantile must be one number for a network of scikit-learn's, got {self._targets.quantiles}"
            )
        if self.out_activation_ != expected:
            raise ValueError(
                f"the output activation must be {expected!r} for a network of scikit-learn's with "
                f"loss={estimator.loss!r}, got {self.out_activation_!r}"
            )
        return to_scikit_learns(self, estimator)

    def _make_targets(self, y, classes, goes_on, partial):
        targets = self._numbers(1 if y.ndim == 1 else y.shape[1])
        if goes_on and targets.n_targets != self._targets.n_targets:
            raise ValueError(f"`y` must have {self._targets.n_targets} columns, as in the first fit")
        if goes_on and len(targets.quantiles) != len(self._targets.quantiles):
            raise ValueError(
                f"loss and quantile must ask for {len(self._targets.quantiles)} outputs for each target, as the fitted "
                f"network has, got loss={self.loss!r} and quantile={self.quantile!r}"
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
            raise ValueError(f"quantile must be in (0, 1), got {self.quantile!r}")
        return [float(q) for q in quantiles]

    def _target_weights(self, targets, encoded, counted):
        return None

    def _loss(self, targets):
        return targets.loss

    def predict(self, X):
        """The number, or numbers, of each sample.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_targets)
            Of the network's type. Several quantiles lie along a further axis, the last.
        """
        fitted = as_it_is(self)
        outputs = fitted._outputs(X)
        return fitted._targets.decode(outputs)

    def score(self, X, y, sample_weight=None):
        """R squared; of several quantiles the mean of their D squared pinball scores.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
        sample_weight : array-like of shape (n_samples,), default=None

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
