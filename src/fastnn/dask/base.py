"""What the estimators for a cluster share: the way from Dask's collections to a fitted network."""

from __future__ import annotations

import copy
from dataclasses import replace
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from fastnn.dask.cluster import Cluster
from fastnn.dask.collections import NAMES_VALIDATION, grouped, kind_of
from fastnn.dask.fitting import DaskFit, stripped
from fastnn.dask.needed import needed
from fastnn.dask.predictions import predictions, score
from fastnn.dask.reading import counted_targets
from fastnn.dask.rounds import SYNC_UNITS, Pacing
from fastnn.dask.shards import Shards
from fastnn.data.inputs import counts_classes
from fastnn.data.quoted import quoted
from fastnn.data.samples import Samples
from fastnn.estimators.classifier import BaseClassifier
from fastnn.estimators.constraints import Interval, StrOptions
from fastnn.estimators.documentation import DocumentationLink
from fastnn.estimators.foreign_names import ForeignNames
from fastnn.estimators.ineffective import warn_of_ineffective
from fastnn.estimators.network import BaseNetwork
from fastnn.runtime.warnings import warn_user
from fastnn.training.callbacks import Callbacks
from fastnn.training.state import TrainingState
from fastnn.training.transaction import all_or_nothing

if TYPE_CHECKING:
    from typing import Literal

    from numpy.typing import ArrayLike


class BaseDask(MetaEstimatorMixin, DocumentationLink, BaseEstimator, ForeignNames):
    """What DaskClassifier and DaskRegressor share."""

    estimator_: Any
    n_rounds_: int
    instruction_set_: str

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "estimator": "no_validation",
        "client": "no_validation",
        "shards": [None, Interval(Integral, 1, None, closed="left")],
        "sync_every": [Interval(Integral, 1, None, closed="left")],
        "sync_unit": [StrOptions(SYNC_UNITS)],
        "warmup": [Interval(Integral, 0, None, closed="left")],
        "round_timeout": [None, Interval(Real, 0, None, closed="neither")],
    }
    _base: ClassVar[type] = BaseNetwork

    def __init__(
        self,
        estimator: Any,
        *,
        client: Any = None,
        shards: int | None = None,
        sync_every: int = 1,
        sync_unit: Literal["epoch", "step"] = "epoch",
        warmup: int = 0,
        round_timeout: float | None = None,
    ) -> None:
        self.estimator = estimator
        self.client = client
        self.shards = shards
        self.sync_every = sync_every
        self.sync_unit = sync_unit
        self.warmup = warmup
        self.round_timeout = round_timeout

    def __sklearn_clone__(self):
        parameters = self.get_params(deep=False)  # a client is a connection, and no number of clones has another one
        return type(self)(**parameters | {"estimator": clone(self.estimator)})

    def __getstate__(self):
        return super().__getstate__() | {"client": None}

    # -- fitting ------------------------------------------------------------------------------------------------------

    def _fit(self, X, y, sample_weight, *, validation=(None, None, None), n_epochs=None, classes=None):
        self._check_estimator()
        failure = None
        with all_or_nothing(self) as (draft, _):
            fit = None
            try:
                fit = draft._prepared(X, y, sample_weight, validation, n_epochs, classes)
                fit.run()
                fit.callbacks.end()
            except (ConnectionError, TimeoutError) as error:
                if fit is None or not fit.keep_last_round():
                    raise
                failure = error
            finally:
                if fit is not None:
                    fit.release()
            draft._note(fit)
        for message, category in fit.warnings:
            warn_user(message, category)
        if failure is not None:
            raise type(failure)(
                f"{failure}. The estimator has the model of the last complete round, number {fit.n_rounds}."
            ) from failure
        return self

    def _note(self, fit):
        self.estimator_, self.n_rounds_, self.instruction_set_ = fit.estimator, fit.n_rounds, fit.cluster.level

    def _check_estimator(self):
        if not isinstance(self.estimator, self._base):
            kind = "Classifier" if self._base is BaseClassifier else "Regressor"
            raise TypeError(
                f"estimator must be an MLP{kind} or a Sequential{kind} of fastnn, got {quoted(self.estimator)}"
            )
        self.estimator._validate_params()
        if self.estimator.solver == "lbfgs":
            raise ValueError(
                "solver of the estimator must be a stochastic one, such as 'adam', for training on a cluster, "
                "got 'lbfgs'"
            )

    def _client(self):
        client = self.client
        if client is None:
            try:
                client = needed("distributed").default_client()
            except ValueError as error:
                raise ValueError(
                    "client must be a distributed.Client where no client is the current one, got None: "
                    "client = distributed.Client() starts a cluster on this machine"
                ) from error
        if not isinstance(client, needed("distributed").Client):
            raise TypeError(f"client must be a distributed.Client, got {quoted(client)}")
        return client

    def _model_to_train(self, resumes):
        """A network to be fitted: a clone of the estimator or, with its parameters, a copy of what has been fitted."""
        if not resumes:
            return clone(self.estimator)
        model = copy.deepcopy(self.estimator_)
        return model.set_params(**self.estimator.get_params(deep=False))

    def _prepared(self, X, y, sample_weight, validation, n_epochs, classes):
        """The fit, ready to run: everything is checked, and workers have read the shards."""
        partial = n_epochs is not None
        client = self._client()
        resumes = hasattr(self, "estimator_") and (partial or self.estimator.warm_start)
        model = self._model_to_train(resumes)
        groups = grouped(X, y, sample_weight, self.shards)
        cluster = Cluster(client, self.round_timeout, check=lambda: None)
        cluster.agree(self.instruction_set_ if resumes else None)
        shards = Shards(cluster, stripped(model), groups)
        summaries = shards.summaries(self._base is BaseClassifier)
        head = self._head(model, summaries, shards, resumes)
        state = model._state.copy() if resumes else TrainingState.starting(model.random_state)
        if partial:
            state.forget_weights()
        targets = self._targets(model, summaries, head, classes, resumes, partial)
        n_rows = [summary.n_rows for summary in summaries]
        seed = state.drawn_dropout_seed if model.early_stopping and not partial else None
        samples = Samples(head.X, targets.encode(head.y), steps=head.steps)
        network = model._network_to_train(resumes, targets, samples, state)
        counted = self._counted(model, targets, shards)
        plain = stripped(model)
        watches = not partial and any(part is not None for part in validation)
        holds_out = seed is not None and not watches
        shards.encode(plain, targets, counted, seed() if holds_out else None)
        rows_held_out = None
        if watches:
            rows_held_out = self._validation(cluster, plain, validation)
        elif holds_out:
            n_held = [int(np.ceil(model.validation_fraction * n)) for n in n_rows]
            n_rows = [n - (held if held >= 2 else 0) for n, held in zip(n_rows, n_held, strict=True)]
            if max(n_held) < 2:
                raise ValueError(
                    f"validation_fraction must hold out at least 2 samples of a shard, got {model.validation_fraction} "
                    f"of {max(n_rows)} samples: increase it, or give larger shards"
                )
            rows_held_out = shards.held_out
        warn_of_ineffective(model, rows_held_out is not None)
        pacing = Pacing(int(self.sync_every), self.sync_unit, int(self.warmup))
        callbacks = Callbacks(model, None, None, None, n_epochs if partial else model.max_iter)
        return DaskFit(
            model, network, targets, state, callbacks, n_epochs, shards=shards, n_rows=n_rows, pacing=pacing,
            n_rounds=self.n_rounds_ if resumes else 0, validation=rows_held_out, counted=counted,
        )  # fmt: skip

    def _head(self, model, summaries, shards, resumes):
        """The first row of the first shard that has rows, in the type of all; the model notes the shape of samples."""
        filled = [i for i, summary in enumerate(summaries) if summary.n_rows]
        if not filled:
            raise ValueError(f"X must have at least 1 sample, got 0 in {len(summaries)} shards")
        first = summaries[filled[0]].head
        for i in filled[1:]:
            own = summaries[i].head.attributes
            for name, value in first.attributes.items():
                if not np.array_equal(own.get(name), value):
                    raise ValueError(
                        f"X must have the same {name} in all shards, {quoted(value, str)} as in shard {filled[0]}, got "
                        f"{quoted(own.get(name), str)} in {shards.name(i)}"
                    )
        if not resumes:
            vars(model).update(first.attributes)
        x_dtype, y_dtype = (
            np.result_type(*types) if all(each.kind in "biuf" for each in types) else types[0]
            for types in zip(*(summaries[i].dtypes for i in filled), strict=True)
        )
        X = copy.copy(first.X)
        if hasattr(X, "values") and hasattr(X, "starts"):
            X.values = X.values.astype(x_dtype)
        else:
            X = X.astype(x_dtype)
        return replace(first, X=X, y=first.y.astype(y_dtype))

    def _counted(self, model, targets, shards):
        """The distinct targets of all shards and the weight of each, where classes are balanced; else None."""
        if not counts_classes(getattr(model, "class_weight", None)):
            return None
        found = [pair for pair in shards.each(counted_targets, targets, what="count-classes") if pair is not None]
        return np.concatenate([values for values, _ in found]), np.concatenate([weights for _, weights in found])

    def _validation(self, cluster, model, validation):
        X, y, sample_weight = validation
        if X is None or y is None:
            lacking = "X_val" if X is None else "y_val"
            raise ValueError(
                f"X_val and y_val must both be given, and sample_weight_val only with them, got {lacking}=None"
            )
        if kind_of(X) is None:
            groups = [([X], [y], [] if sample_weight is None else [sample_weight])]
        else:
            groups = grouped(X, y, sample_weight, 1, NAMES_VALIDATION)
        shard = Shards(cluster, model, groups, is_validation=True)
        shard.summaries(False)  # what is wrong with it is said before the first round

        def rows(attempt, workers):
            if attempt:
                shard._read([0], workers)
            return shard.rows[0]

        return rows

    # -- what was learnt ----------------------------------------------------------------------------------------------

    def to_local(self) -> Any:
        """The fitted network as an estimator of its own, which needs no Dask.

        Returns
        -------
        estimator
            A copy of `estimator_`: predictions, files, `partial_fit` and all else are those of its class.

        Raises
        ------
        NotFittedError
            Before the first fit.

        Examples
        --------
        >>> from fastnn import MLPClassifier
        >>> from fastnn.dask import DaskClassifier
        >>> DaskClassifier(MLPClassifier()).to_local()
        Traceback (most recent call last):
        ...
        sklearn.exceptions.NotFittedError: This DaskClassifier instance is not fitted yet. Call 'fit' with ...
        """
        check_is_fitted(self)
        return copy.deepcopy(self.estimator_)

    def __getattr__(self, name: str) -> Any:
        fitted = vars(self).get("estimator_")
        if fitted is None or not name.endswith("_") or name.startswith("_"):
            return super().__getattribute__(name)  # it raises, with advice on names known from elsewhere
        return getattr(fitted, name)

    def __sklearn_is_fitted__(self):
        return "estimator_" in vars(self)

    def predict(self, X: Any) -> Any:
        """What the fitted network predicts.

        Parameters
        ----------
        X : Dask array, frame or bag, or what the network's own `predict` takes
            The samples.

        Returns
        -------
        dask.array.Array
            It is computed when it is asked for. Of anything but a collection of Dask's, what the network's own
            `predict` returns.
        """
        check_is_fitted(self)
        return predictions(self.estimator_, "predict", X)

    def score(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> Any:
        """The score that the network's own `score` returns.

        Parameters
        ----------
        X : Dask array, frame or bag, or what the network's own `score` takes
            The samples.
        y : as X
            What they should be predicted to be.
        sample_weight : as y, default=None
            The weights of the samples. None is 1 for each.

        Returns
        -------
        dask.array.Array of shape (), or float
            `float` computes it. The predictions, not X, come together on one worker.
        """
        check_is_fitted(self)
        return score(self.estimator_, X, y, sample_weight)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        own = get_tags(self.estimator) if isinstance(self.estimator, BaseNetwork) else tags
        tags.target_tags.multi_output = own.target_tags.multi_output
        return tags
