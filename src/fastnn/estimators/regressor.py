"""What the regressors among the networks share: their targets, their loss and their predictions."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from functools import partial
from numbers import Real
from typing import TYPE_CHECKING, ClassVar, overload

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.metrics import d2_pinball_score
from sklearn.neural_network import MLPRegressor as SklearnRegressor
from sklearn.utils.validation import check_is_fitted

from fastnn._sklearn import _fit_context, available_if
from fastnn.data.inputs import checked_count, scored
from fastnn.data.number_targets import Numbers
from fastnn.data.quoted import quoted
from fastnn.engine.activation import activation_names
from fastnn.engine.loss import loss_links
from fastnn.estimators.constraints import Interval, StrOptions
from fastnn.estimators.network import BaseNetwork
from fastnn.estimators.suggestions import advising_on_parameters
from fastnn.training.transaction import snapshot

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, TypeVar

    from numpy.typing import ArrayLike, NDArray

    from fastnn.typing import Activation, Arrays, SamplesLike

    # As typing.Self, which Jedi takes for the class that defines a method.
    Self = TypeVar("Self", bound="BaseRegressor")

LOSSES = ("squared_error", "absolute_error", "huber", "quantile", "poisson")


@dataclass(eq=False, repr=False)
class BaseRegressor(RegressorMixin, BaseNetwork):
    """What every network that predicts numbers has, besides the parameter `loss`."""

    _: KW_ONLY
    quantile: float | Sequence[float] = 0.5
    huber_delta: float = 1.0
    output_activation: Activation | None = None

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseNetwork._parameter_constraints,
        "loss": [StrOptions(LOSSES)],
        "quantile": [Interval(Real, 0, 1, closed="neither"), "array-like"],
        "huber_delta": [Interval(Real, 0, None, closed="neither")],
        "output_activation": [None, StrOptions(activation_names)],
    }
    _y_checks: ClassVar[dict[str, Any]] = {"y_numeric": True}
    _sklearn_class: ClassVar[type[SklearnRegressor]] = SklearnRegressor

    @available_if(BaseNetwork._check_stochastic)
    @advising_on_parameters
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self: Self, X: SamplesLike, y: SamplesLike, sample_weight: ArrayLike | None = None, *, epochs: int = 1
    ) -> Self:
        # From tools/docstrings: <X>, <sample_weight>, <epochs>, <the fitted estimator>,
        # <other errors and warnings of partial_fit>
        """Train on these samples, and continue from where the last fit ended.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Samples, of any real type. CSR is read as it is, other sparse formats are converted to it. A network of
            layers also takes arrays of 3 or 4 axes: images (n_samples, height, width) or
            (n_samples, height, width, channels), and sequences (n_samples, n_steps, features). It makes a sparse X
            dense batch by batch, unless its first layer is dense. If its layers read sequences, a list or an object
            array of arrays (n_steps, features) or (n_steps,), and a list column of Arrow or polars, are sequences of
            any length; they are not padded. (Lists in lists that could be an array are that array, as everywhere in
            scikit-learn.)
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            The numbers to predict, of as many targets as in the first call.
        sample_weight : array-like of shape (n_samples,), default=None
            What each sample's loss is multiplied by. None is 1 for each. Where targets are of steps, also a weight for
            each step, in the form of y.
        epochs : int, default=1
            How often to go through the samples.

        Returns
        -------
        self : BaseNetwork
            The estimator itself, fitted.

        Raises
        ------
        ValueError
            As for `fit`; also for another number of targets than in the first call.
        AttributeError
            With solver="lbfgs", which needs all samples at once.
        RuntimeError
            When another thread is fitting this very estimator.
        KeyboardInterrupt
            When Ctrl-C is pressed twice within a second. The estimator is then as it was before.

        Warns
        -----
        UserWarning
            When Ctrl-C is pressed once: the estimator keeps what it has learnt.
        """
        return self._fit(X, y, sample_weight, n_epochs=checked_count("epochs", epochs))

    def _targets_of(self, n_outputs, name):
        """The encoder of a network with this number of outputs. The name of its last bias is for messages."""
        n_quantiles = len(self._quantiles()) if self.loss == "quantile" else 1
        if n_outputs % n_quantiles:
            raise ValueError(
                f"len({name}) must be a multiple of {n_quantiles}, the number of quantiles, got {n_outputs}"
            )
        return self._numbers(n_outputs // n_quantiles)

    def _targets_like_sklearn(self, fitted):
        return self._numbers(fitted.n_outputs_)

    def _set_sklearn_targets(self, estimator):
        """Nothing: they are parameters of both. Refuse outputs that scikit-learn does not have."""
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

    @overload
    def predict(self, X: Arrays) -> NDArray[np.floating[Any]]: ...

    @overload
    def predict(self, X: SamplesLike) -> Any: ...

    def predict(self, X: SamplesLike) -> Any:
        # From tools/docstrings: <samples to predict>, <results for steps>
        """The predicted number, or numbers, of each sample.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Samples, of any real type; in the shape that `fit` was given.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_targets)
            In the type that the network computes in. Several quantiles lie along a further axis, the last.
            What is predicted for each step of sequences has the form of X: a list of arrays for a list, an object array
            for one, and an array of shape (n_samples, n_steps, ...) for an array. Steps that layers leave out of X have
            no predictions: where sequences then differ in their lengths, an object array stands for an array.
        """
        return snapshot(self)._decoded(X, Numbers.decode)

    def score(self, X: SamplesLike, y: SamplesLike, sample_weight: ArrayLike | None = None) -> float:
        # From tools/docstrings: <samples to predict>, <sample_weight of scores>
        """R squared; for several quantiles, the mean of their D squared pinball scores.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Samples, of any real type; in the shape that `fit` was given.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            The true numbers.
        sample_weight : array-like of shape (n_samples,), default=None
            What each sample counts for, and each of its steps where targets are of steps. None is 1 for each.

        Returns
        -------
        float
            At most 1.
        """
        check_is_fitted(self)
        score = RegressorMixin.score if len(self._targets.quantiles) == 1 else BaseRegressor._d2_pinball_score
        model, y, sample_weight = self._to_score(X, y, sample_weight)
        return scored(partial(score, model), X, y, sample_weight)

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
