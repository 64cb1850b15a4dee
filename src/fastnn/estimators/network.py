"""What all networks share as scikit-learn estimators: the way from a user's data to a trained network."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

import numpy as np
from sklearn.base import BaseEstimator

from fastnn._sklearn import CallbackSupportMixin, _fit_context
from fastnn.data.inputs import (
    as_column,
    checked_weights,
    is_plain,
    is_plain_column,
    named_as_validation,
    readable,
    validated,
)
from fastnn.data.quoted import quoted
from fastnn.data.samples import Samples
from fastnn.engine.network import Network
from fastnn.engine.trainer import Trainer
from fastnn.estimators.documentation import DocumentationLink
from fastnn.estimators.fitted_attributes import FittedAttributes
from fastnn.estimators.foreign_names import ForeignNames
from fastnn.estimators.ineffective import warn_of_ineffective
from fastnn.estimators.network_outputs import NetworkOutputs
from fastnn.estimators.parameter_names import CachedParameters
from fastnn.estimators.parameters import NetworkParameters
from fastnn.estimators.streaming import StreamMixin
from fastnn.estimators.suggestions import advising_on_parameters
from fastnn.runtime.warnings import warn_user
from fastnn.training.callbacks import Callbacks
from fastnn.training.fit import Fit
from fastnn.training.lbfgs import BATCH_SIZE as LBFGS_BATCH
from fastnn.training.solvers import optimizer_for
from fastnn.training.state import TrainingState
from fastnn.training.transaction import SnapshotMixin, all_or_nothing, resuming
from fastnn.training.validation import Holdout, split

if TYPE_CHECKING:
    from typing import TypeVar

    from numpy.typing import ArrayLike

    from fastnn.typing import SamplesLike

    # As typing.Self, which Jedi takes for the class that defines a method.
    Self = TypeVar("Self", bound="BaseNetwork")


class BaseNetwork(
    NetworkOutputs,
    StreamMixin,
    NetworkParameters,
    FittedAttributes,
    CachedParameters,
    CallbackSupportMixin,
    SnapshotMixin,
    DocumentationLink,
    BaseEstimator,
    ForeignNames,
):
    """What every network has: a chain of layers, a solver, and the state of its training.

    A subclass defines its layers (`_chain_for`) and their dropout (`_dropout_rates`), its targets (`_make_targets`),
    and their weights (`_target_weights`) and loss (`_loss`).
    """

    # -- training -----------------------------------------------------------------------------------------------------

    @advising_on_parameters
    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self: Self,
        X: SamplesLike,
        y: SamplesLike,
        sample_weight: ArrayLike | None = None,
        *,
        X_val: SamplesLike | None = None,
        y_val: SamplesLike | None = None,
        sample_weight_val: ArrayLike | None = None,
    ) -> Self:
        # From tools/docstrings: <X>, <sample_weight>, <samples to watch>, <the fitted estimator>
        """Train the network.

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
        y : array-like of shape (n_samples,) or (n_samples, n_columns)
            What to predict. A regressor takes numbers. A classifier takes class labels of any type; for multilabel
            targets an indicator matrix of zeros and ones; or several columns of classes. If there is a single class,
            it is always predicted. Where the last layer of a network of layers gives a sequence, there is a target for
            each of its steps: y is a list or an object array of arrays (n_steps,) or (n_steps, n_columns), or an array
            (n_samples, n_steps) or (n_samples, n_steps, n_columns).
        sample_weight : array-like of shape (n_samples,), default=None
            What each sample's loss is multiplied by. None is 1 for each. Where targets are of steps, also a weight for
            each step, in the form of y.
        X_val : array-like or sparse matrix of shape (n_val, n_features), default=None
            Samples to watch, not to train on: `validation_scores_` and `validation_loss_curve_` are theirs, and with
            `early_stopping` they are the samples held out.
        y_val : array-like of shape (n_val,) or (n_val, n_columns), default=None
            Their targets: required with `X_val`.
        sample_weight_val : array-like of shape (n_val,), default=None
            What each of their losses is multiplied by. None is 1 for each.

        Returns
        -------
        self : BaseNetwork
            The estimator itself, fitted.

        Raises
        ------
        ValueError
            For input that scikit-learn refuses too, and when training diverges (see Warns). The estimator is then as it
            was before, except that an optimizer that training would have continued with starts afresh.
        RuntimeError
            When another thread is fitting this very estimator.
        KeyboardInterrupt
            When Ctrl-C is pressed twice within a second, even if the first press came in another fit: this ends a grid
            search, too. The estimator is then as it was before.

        Warns
        -----
        ConvergenceWarning
            When `max_iter` epochs were not enough, or training diverged after the best epoch that early stopping kept.
            The estimator is fitted by then, as it is for other warnings of how the fit ended.
        UserWarning
            When a parameter is set that has no effect because of how the others are set: once for each parameter and
            class in a process. When Ctrl-C is pressed once: the estimator keeps what it has learnt, including the part
            of the epoch that was cut short, and a grid search continues with its next fit.
        """
        return self._fit(X, y, sample_weight, validation=(X_val, y_val, sample_weight_val))

    def _fit(self, X, y, sample_weight, *, validation=(None, None, None), n_epochs=None, classes=None):
        """Fit; or, if n_epochs is given, train for this number of further epochs."""
        partial = n_epochs is not None
        with all_or_nothing(self) as (draft, commit):
            resumes = hasattr(draft, "_network") and (partial or draft.warm_start)
            callbacks = Callbacks(self, X, y, sample_weight, n_epochs if partial else draft.max_iter)
            X, y, sample_weight, steps = draft._read(X, y, sample_weight, reset=not resumes)
            targets = draft._make_targets(y, classes, resumes, partial)
            state = draft._state.copy() if resumes else TrainingState.starting(draft.random_state)
            with resuming(self) if resumes else nullcontext():
                if partial:
                    state.forget_weights()  # training continues from the model, not from the last epoch's weights
                samples = draft._samples(targets, X, y, sample_weight, steps)
                network = draft._network_to_train(resumes, targets, samples, state)
                held_out = None if partial else draft._hold_out(targets, samples, y, sample_weight, validation, state)
                samples.check_weights(network.dtype, "to train on")
                if held_out is not None:
                    name = "sample_weight" if validation[0] is None else "sample_weight_val"
                    held_out.samples.check_weights(network.dtype, "held out", name)
                warn_of_ineffective(draft, held_out is not None)
                fit = Fit(draft, network, targets, samples, held_out, state, callbacks, n_epochs)
                fit.run()
                commit()
                callbacks.end()
        for message, category in fit.warnings:  # last: where a filter makes one an error, the estimator is fitted
            warn_user(message, category)
        return self

    def _set_fitted(self, network, targets, trainer, state, n_epochs):
        """Set all that a fitted estimator has; without a trainer, training would continue with a fresh optimizer."""
        self._network, self._targets, self._trainer, self._state = network, targets, trainer, state
        self.n_iter_ = n_epochs
        self.n_layers_ = len(network.layers) + 1
        self.n_outputs_ = network.layers[-1].output_shape[-1]
        self.out_activation_ = network.head
        self.t_ = state.n_samples_seen
        self.loss_ = state.loss_curve[-1] if state.loss_curve else state.initial_loss
        self.best_epoch_ = state.best_epoch
        by_score = self.early_stopping and state.validation_scores is not None
        self.best_loss_ = None if by_score else state.best_loss if state.loss_curve else state.initial_loss
        held_out = state.validation_scores is not None
        self.best_validation_score_ = state.best_score if held_out else None

    def _read(self, X, y, sample_weight, reset, y_name="y"):
        """X, y and the weights of samples, checked, and the Steps that targets and outputs are of, if they are of any.

        Targets and weights of steps are returned as those of all sequences, one after the other.
        """
        X, y = self._validated(X, y, reset, y_name)
        return X, y, None if sample_weight is None else checked_weights(sample_weight, X), None

    def _validated(self, X, y, reset, y_name):
        if is_plain(X) and is_plain_column(y, len(X)) and not hasattr(self, "feature_names_in_"):
            if reset:
                self.n_features_in_ = X.shape[1]
            if X.shape[1] == getattr(self, "n_features_in_", X.shape[1]):
                return X, y
        X, y = validated(self, X, y, dtype="numeric", multi_output=True, reset=reset, **self._y_checks)
        return readable(X), as_column(y, y_name)

    def _samples(self, targets, X, y, sample_weight, steps, counted=None):
        """The samples to train on, or to watch.

        `counted` has the encoded targets and the sample weights of those trained on, which the weights of classes
        follow from; None if these are they.
        """
        encoded = targets.encode(y)
        weights = self._target_weights(targets, encoded, counted or (encoded, sample_weight))
        if weights is None:
            weights = sample_weight
        elif sample_weight is not None:
            weights = weights * (sample_weight if weights.ndim == 1 else sample_weight[:, None])
        return Samples(X, encoded, weights, steps=steps)

    def _network_to_train(self, resumes, targets, samples, state):
        """A copy of the fitted network, where training continues; else a new one."""
        X = samples.X
        chain = self._chain_for(X.shape[1:], targets.n_outputs)
        if self.solver == "lbfgs":
            self._check_for_lbfgs()
        if not resumes:
            dtype = self._compute_dtype(X, samples.targets if targets.are_numbers else None)
            network = Network(chain.description, chain.input_shape, targets.head, dtype, groups=targets.groups)
            network.set_weights(chain.initial_weights(state.random_state, self._initial_gain(chain)))
            return network
        network = self._network.copy()
        if self.dtype is not None and np.dtype(self.dtype) != network.dtype:
            raise ValueError(f"dtype must be {network.dtype} to resume training, got {quoted(self.dtype)}")
        if network.head != targets.head or not chain.has_layers_of(network.description):
            raise ValueError(
                f"the layers must be those of the fitted network to resume training, {_text(network.description)} and "
                f"{network.head}, got {_text(chain.description)} and {targets.head}"
            )
        if network.description != chain.description:  # other layers learn than before
            network = with_layers_of(chain, network, network.weights())
            self._trainer = None if self._trainer is None else self._trainer.copy_for(network)
        elif self._trainer is not None:
            self._trainer.move_to(network)
        if state.last_weights is not None:  # training continues from there, not from the best epoch
            network.set_weights(state.last_weights)
            state.last_weights = None
        return network

    def _initial_gain(self, chain):
        return chain.gain()

    def _hold_out(self, targets, samples, y, sample_weight, validation, state):
        """The samples to watch, or None; where they are a part of `samples`, the rest is left there to train on."""
        if any(part is not None for part in validation):
            return self._validation(targets, validation, counted=(samples.targets, sample_weight))
        if not self.early_stopping:
            return None
        n_samples = len(samples)
        sizes = n_samples - (n_held := int(np.ceil(self.validation_fraction * n_samples))), n_held
        if state.split is None or (len(state.split[0]), len(state.split[1])) != sizes:
            strata = targets.strata(samples.targets) if samples.steps is None else None
            state.split = split(n_samples, self.validation_fraction, state.random_state, strata)
        samples.rows, rows = state.split
        held_out, of_targets = samples.part(rows), samples.target_rows(rows)
        score_weight = None if sample_weight is None else sample_weight[of_targets]
        return Holdout(held_out, y[of_targets], score_weight, self, targets)

    def _as_given(self, X):
        """Samples for a scorer, in the shape that users have them in."""
        return X

    def _validation(self, targets, validation, counted):
        X, y, sample_weight = validation
        if X is None or y is None:
            lacking = "X_val" if X is None else "y_val"
            raise ValueError(
                f"X_val and y_val must both be given, and sample_weight_val only with them, got {lacking}=None"
            )
        with named_as_validation():
            X, y, sample_weight, steps = self._read(X, y, sample_weight, reset=False, y_name="y_val")
            held_out = self._samples(targets, X, y, sample_weight, steps, counted)
        return Holdout(held_out, y, sample_weight, self, targets)

    def _trainer_for(self, network, targets, n_samples, state, n_threads):
        """A trainer for the network: the last one, adapted, if it is this network's; else a new one."""
        dropout = self._dropout_rates(len(network.layers) - 1)
        settings = self._trainer_settings(state, dropout)
        arguments = self._loss(targets), optimizer_for(self), self._batch_size(n_samples), n_threads
        last = getattr(self, "_trainer", None)
        if last is None or last.network is not network:
            return Trainer(network, *arguments, **settings)
        return last.adapted(*arguments, **settings)

    def _trainer_settings(self, state, dropout):
        settings = {"dropout": dropout if any(dropout) else (), "clip_norm": self.clip_norm}
        if self._drops(dropout):
            settings["seed"] = state.drawn_dropout_seed()
        return settings

    def _drops(self, dropout):
        """Whether training draws numbers to be left out: at these rates, or within layers."""
        return any(dropout)

    def _batch_size(self, n_samples):
        """The size of batches for so many samples, or for an unknown number of them, which is None."""
        if n_samples is None:
            return 200 if self.batch_size == "auto" else self.batch_size
        if self.solver == "lbfgs":
            return min(LBFGS_BATCH, n_samples)
        if self.batch_size == "auto":
            return min(200, n_samples)
        if self.batch_size > n_samples:
            warn_user(f"batch_size={self.batch_size} is larger than n_samples={n_samples}: it is taken as {n_samples}.")
        return min(self.batch_size, n_samples)

    def _check_for_lbfgs(self):
        """Refuse what makes of the objective something else than a sum over samples."""
        for name, default in (("dropout", 0), ("clip_norm", None), ("weight_decay", 0)):
            value = getattr(self, name, default)
            if np.any(value):
                raise ValueError(f"{name} must be {default} with solver='lbfgs', got {quoted(value)}")

    def _check_stochastic(self) -> bool:
        if self.solver == "lbfgs":
            raise AttributeError(
                "solver must be stochastic for partial_fit and fit_stream, such as solver='adam', got solver='lbfgs'"
            )
        return True

    def _replace_weights(self, weights):
        """Set all weights of the fitted network from arrays as the engine lists them, which fit it."""
        network = self._network.copy()  # another thread may be predicting with this one
        network.set_weights(weights)
        if self._trainer is not None:
            self._trainer.move_to(network)
        state = self._state.copy()
        state.forget_weights()  # training continues from these
        vars(self).update(_network=network, _state=state)

    # -- what scikit-learn asks ---------------------------------------------------------------------------------------

    def __sklearn_is_fitted__(self):
        return hasattr(self, "_network")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def with_layers_of(chain, network, weights):
    """A network with the layers of a chain, and all else of another network but its weights."""
    level = network.layout()["level"]
    return Network(chain.description, chain.input_shape, network.head, network.dtype, level, network.groups, weights)


def _text(description):
    """The layers, for an error message."""
    text = ", ".join(f"{layer_kind}({', '.join(map(str, settings))})" for layer_kind, *settings in description)
    return quoted(text, str)
