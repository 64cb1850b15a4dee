"""Estimators that train the networks of fastnn on a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from fastnn._sklearn import _fit_context
from fastnn.dask.base import BaseDask
from fastnn.dask.predictions import predictions
from fastnn.dask.reading import labels_of
from fastnn.data.class_targets import check_classes
from fastnn.data.inputs import check_not_balanced, checked_count
from fastnn.estimators.classifier import BaseClassifier
from fastnn.estimators.regressor import BaseRegressor

if TYPE_CHECKING:
    from typing import Literal, Self

    from fastnn.typing import Classes


class DaskClassifier(ClassifierMixin, BaseDask):
    # From tools/docstrings: <parameters of estimators for a cluster>, <attributes of estimators for a cluster>,
    # <references of estimators for a cluster>
    """A network that predicts classes, trained on a cluster of Dask's.

    Every shard of X is trained on by itself, from the weights that all shards have in common; then the weights, the
    moving statistics and what the optimizer remembers are averaged, in the order of the shards, by the rows that each
    has trained on. This is a round of local SGD [1]_. The model has the same bits for any number of workers, of threads
    and of processes, for given shards and a given instruction set, also where workers were lost.

    Parameters
    ----------
    estimator : MLPClassifier or SequentialClassifier
        The network to train, with its parameters. It is not fitted itself. Its `n_threads` counts for each worker.
    client : distributed.Client, default=None
        The cluster. None is the current client.
    shards : int, default=None
        The number of shards, of partitions of X that follow each other. None is a shard for each partition. It does not
        depend on the workers.
    sync_every : int, default=1
        How many epochs, or steps, a round has.
    sync_unit : {"epoch", "step"}, default="epoch"
        What `sync_every` counts. An epoch always trains on each row once: with steps, a shard that has come to its end
        waits for the others.
    warmup : int, default=0
        The number of rounds, the first ones, that are a single step, as post-local SGD begins [2]_.
    round_timeout : float, default=None
        The seconds after which a round's tasks that are not done are submitted again, to other workers. After three
        times, an error names the shard. None is ten times the median of the earlier rounds, by their steps, and at
        least 60 s; in the first round, and while shards are read, workers may take as long as they answer.

    Attributes
    ----------
    estimator_ : MLPClassifier or SequentialClassifier
        The fitted network. Its own attributes, such as `loss_curve_` and `n_iter_`, are also the attributes of this
        estimator.
    n_rounds_ : int
        The number of rounds since training began.
    instruction_set_ : str
        The instruction set that all rounds were computed with: the best that the workers have in common.

    References
    ----------
    .. [1] S. U. Stich: "Local SGD converges fast and communicates little", ICLR (2019).
    .. [2] T. Lin, S. U. Stich, K. K. Patel, M. Jaggi: "Don't use large mini-batches, use local SGD", ICLR (2020).

    Examples
    --------
    >>> import dask.array as da
    >>> from distributed import Client
    >>> from sklearn.datasets import load_digits
    >>> from fastnn import MLPClassifier
    >>> from fastnn.dask import DaskClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> X, y = da.from_array(X / 16, chunks=(450, 64)), da.from_array(y, chunks=450)
    >>> network = MLPClassifier((64,), batch_size=32, learning_rate_init=0.01, tol=1e-2, random_state=0)
    >>> with Client(processes=False, dashboard_address=":0") as client:
    ...     model = DaskClassifier(network).fit(X, y)
    ...     float(model.score(X, y)) > 0.97
    True
    >>> local = model.to_local()
    >>> type(local).__name__
    'MLPClassifier'
    """

    if TYPE_CHECKING:  # written by tools/shared_source.py

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
        ) -> None: ...

    _base: ClassVar[type] = BaseClassifier
    score = BaseDask.score

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Self:
        """Train the network on the cluster.

        Parameters
        ----------
        X : Dask array, frame or bag
            The samples; of a bag, each item is one, such as a sequence.
        y : Dask array, frame, series or bag
            What to predict, with the partitions of X.
        sample_weight : as y, default=None
            The weights of the samples in the loss. Shards are averaged by their rows all the same.
        X_val : collection of Dask's or array-like, default=None
            The samples to watch. One worker, once after each round, computes their loss and score, and so must have the
            memory for them. With `early_stopping` and without X_val, each shard holds a part of its rows out.
        y_val : collection of Dask's or array-like, default=None
            What to predict for X_val.
        sample_weight_val : collection of Dask's or array-like, default=None
            The weights of the samples to watch.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError, TypeError, MemoryError, RuntimeError
            For parameters and samples that the network refuses, and for what fails on a worker: the message has the
            number of the shard and the cause. The estimator is then as it was.
        ConnectionError
            When the scheduler is lost. The estimator has the model of the last complete round.
        TimeoutError
            When a shard has taken longer than `round_timeout` four times. The estimator has the model of the last
            complete round.
        ImportError
            Without dask and distributed.
        """
        return self._fit(X, y, sample_weight, validation=(X_val, y_val, sample_weight_val))

    @_fit_context(prefer_skip_nested_validation=False)
    def partial_fit(
        self, X: Any, y: Any, sample_weight: Any = None, classes: Classes | None = None, *, epochs: int = 1
    ) -> Self:
        """Train on these samples, and continue from where the last fit ended.

        Parameters
        ----------
        X : Dask array, frame or bag
            The samples.
        y : Dask array, frame, series or bag
            What to predict, with the partitions of X.
        sample_weight : as y, default=None
            The weights of the samples in the loss. None is 1 for each.
        classes : array-like of shape (n_classes,), or a list of such, default=None
            All classes there will ever be. Required in the first call.
        epochs : int, default=1
            The number of epochs.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        self._check_estimator()
        check_not_balanced(self.estimator.class_weight)
        return self._fit(X, y, sample_weight, n_epochs=checked_count("epochs", epochs), classes=classes)

    def _targets(self, model, summaries, head, classes, resumes, partial):
        if partial and not resumes:
            return model._make_targets(head.y, classes, resumes, partial)
        if resumes:
            check_classes(classes, model.classes_)
            return model._targets
        return labels_of(summaries)

    def predict_proba(self, X: Any) -> Any:
        """The probability of each class, in the order of `classes_`.

        Parameters
        ----------
        X : Dask array, frame or bag, or what the network's own `predict_proba` takes
            The samples.

        Returns
        -------
        dask.array.Array, or a list of such for several columns of classes
            Computed when it is asked for. Of anything but a collection of Dask's, what the network's own
            `predict_proba` returns.
        """
        check_is_fitted(self)
        return predictions(self.estimator_, "predict_proba", X)


class DaskRegressor(RegressorMixin, BaseDask):
    # From tools/docstrings: <parameters of estimators for a cluster>, <attributes of estimators for a cluster>,
    # <references of estimators for a cluster>
    """A network that predicts numbers, trained on a cluster of Dask's.

    Every shard of X is trained on by itself, from the weights that all shards have in common; then the weights, the
    moving statistics and what the optimizer remembers are averaged, in the order of the shards, by the rows that each
    has trained on. This is a round of local SGD [1]_. The model has the same bits for any number of workers, of threads
    and of processes, for given shards and a given instruction set, also where workers were lost.

    Parameters
    ----------
    estimator : MLPRegressor or SequentialRegressor
        The network to train, with its parameters. It is not fitted itself. Its `n_threads` counts for each worker.
    client : distributed.Client, default=None
        The cluster. None is the current client.
    shards : int, default=None
        The number of shards, of partitions of X that follow each other. None is a shard for each partition. It does not
        depend on the workers.
    sync_every : int, default=1
        How many epochs, or steps, a round has.
    sync_unit : {"epoch", "step"}, default="epoch"
        What `sync_every` counts. An epoch always trains on each row once: with steps, a shard that has come to its end
        waits for the others.
    warmup : int, default=0
        The number of rounds, the first ones, that are a single step, as post-local SGD begins [2]_.
    round_timeout : float, default=None
        The seconds after which a round's tasks that are not done are submitted again, to other workers. After three
        times, an error names the shard. None is ten times the median of the earlier rounds, by their steps, and at
        least 60 s; in the first round, and while shards are read, workers may take as long as they answer.

    Attributes
    ----------
    estimator_ : MLPRegressor or SequentialRegressor
        The fitted network. Its own attributes, such as `loss_curve_` and `n_iter_`, are also the attributes of this
        estimator.
    n_rounds_ : int
        The number of rounds since training began.
    instruction_set_ : str
        The instruction set that all rounds were computed with: the best that the workers have in common.

    References
    ----------
    .. [1] S. U. Stich: "Local SGD converges fast and communicates little", ICLR (2019).
    .. [2] T. Lin, S. U. Stich, K. K. Patel, M. Jaggi: "Don't use large mini-batches, use local SGD", ICLR (2020).

    Examples
    --------
    >>> import dask.array as da
    >>> from distributed import Client
    >>> from fastnn import MLPRegressor
    >>> from fastnn.dask import DaskRegressor
    >>> X = da.random.default_rng(0).uniform(size=(4000, 3), chunks=(1000, 3))
    >>> y = (X**2).sum(axis=1)
    >>> network = MLPRegressor(hidden_layer_sizes=(32,), batch_size=32, learning_rate_init=0.01, tol=1e-3)
    >>> with Client(processes=False, dashboard_address=":0") as client:
    ...     model = DaskRegressor(network).fit(X, y)
    ...     float(model.score(X, y)) > 0.97
    True
    """

    if TYPE_CHECKING:  # written by tools/shared_source.py

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
        ) -> None: ...

    _base: ClassVar[type] = BaseRegressor
    score = BaseDask.score

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Self:
        """Train the network on the cluster.

        Parameters
        ----------
        X : Dask array, frame or bag
            The samples; of a bag, each item is one, such as a sequence.
        y : Dask array, frame, series or bag
            What to predict, with the partitions of X.
        sample_weight : as y, default=None
            The weights of the samples in the loss. Shards are averaged by their rows all the same.
        X_val : collection of Dask's or array-like, default=None
            The samples to watch. One worker, once after each round, computes their loss and score, and so must have the
            memory for them. With `early_stopping` and without X_val, each shard holds a part of its rows out.
        y_val : collection of Dask's or array-like, default=None
            What to predict for X_val.
        sample_weight_val : collection of Dask's or array-like, default=None
            The weights of the samples to watch.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError, TypeError, MemoryError, RuntimeError
            For parameters and samples that the network refuses, and for what fails on a worker: the message has the
            number of the shard and the cause. The estimator is then as it was.
        ConnectionError
            When the scheduler is lost. The estimator has the model of the last complete round.
        TimeoutError
            When a shard has taken longer than `round_timeout` four times. The estimator has the model of the last
            complete round.
        ImportError
            Without dask and distributed.
        """
        return self._fit(X, y, sample_weight, validation=(X_val, y_val, sample_weight_val))

    @_fit_context(prefer_skip_nested_validation=False)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, *, epochs: int = 1) -> Self:
        """Train on these samples, and continue from where the last fit ended.

        Parameters
        ----------
        X : Dask array, frame or bag
            The samples.
        y : Dask array, frame, series or bag
            What to predict, with the partitions of X.
        sample_weight : as y, default=None
            The weights of the samples in the loss. None is 1 for each.
        epochs : int, default=1
            The number of epochs.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        return self._fit(X, y, sample_weight, n_epochs=checked_count("epochs", epochs))

    def _targets(self, model, summaries, head, classes, resumes, partial):
        return model._make_targets(head.y, None, resumes, partial)
