"""One call to `fit` or `partial_fit`: trains a network on samples, and makes the estimator a fitted one."""

import copy

from sklearn.exceptions import ConvergenceWarning

from fastnn.data.stream import Stream
from fastnn.runtime.sharing import fitting, most_threads, threads_now
from fastnn.training.lbfgs import minimize
from fastnn.training.loop import InMemory, train
from fastnn.training.monitor import Monitor
from fastnn.training.profile import show_profile
from fastnn.training.progress import progress
from fastnn.training.schedules import ENDING
from fastnn.training.streamed import Streamed
from fastnn.training.transaction import in_use, start_afresh


class Fit:
    """All that takes part in training a network, and the order in which it does so.

    Parameters
    ----------
    estimator : BaseNetwork
        It has the parameters, and gets the trained network and the state of training.
    network : Network
        It is changed in place.
    targets : Labels or Numbers
        The encoder of the targets.
    samples : Samples or Stream
        The samples to train on.
    held_out : Holdout or None
        The samples to watch.
    state : TrainingState
        It is changed in place.
    callbacks : Callbacks
    n_epochs : int or None
        The number of epochs of a partial fit. None trains until the network converges, for at most `max_epochs`.
    max_epochs : int, default=None
        None is `max_iter`.

    Attributes
    ----------
    warnings : list of (str, type)
        Warnings for the user, to be given after the estimator is fitted: a filter may make them errors.
    """

    def __init__(self, estimator, network, targets, samples, held_out, state, callbacks, n_epochs, max_epochs=None):
        self.estimator, self.network, self.targets, self.state = estimator, network, targets, state
        self.samples, self.held_out, self.callbacks = samples, held_out, callbacks
        self.is_partial = n_epochs is not None
        self.ends_as_told = self.is_partial or max_epochs is not None
        self.n_epochs = n_epochs if self.is_partial else max_epochs or estimator.max_iter
        self.n_epochs_before = len(state.loss_curve)
        n_threads = most_threads(estimator.n_threads)
        n_samples = samples.n_samples if isinstance(samples, Stream) else len(samples)
        self.trainer = estimator._trainer_for(network, targets, n_samples, state, n_threads)
        self.warnings = []

    def run(self):
        """Train the network, and make the estimator a fitted one.

        Raises
        ------
        ValueError
            When training diverges, and no best epoch was kept.
        """
        estimator, state = self.estimator, self.state
        self.callbacks.begin(self.model)
        with (
            in_use(self.trainer),
            fitting(estimator.n_threads, self.trainer.n_threads),
            progress(estimator.verbose, self.n_epochs, self.callbacks.show_bars()) as shown,
        ):
            monitor = Monitor(
                estimator,
                state,
                self.network,
                evaluate=None if self.held_out is None else self._evaluate,
                callbacks=self.callbacks,
                progress=shown,
                judges=not self.is_partial,
            )
            self.warnings = monitor.warnings
            self._train(monitor)
        show_profile(self.trainer)
        if monitor.has_diverged:
            start_afresh(self.trainer)
        if monitor.by_score and state.best_weights is not None:
            state.last_weights = None if monitor.has_diverged else self.network.weights()
            self.network.set_weights(state.best_weights)
        if self.is_partial or not estimator.warm_start:
            state.forget_samples()
        # Callbacks have models that share the state, which must not change in them by later fits: hence the copy.
        self._fill(estimator, self.network, state.copy())

    def _train(self, monitor):
        estimator = self.estimator
        if estimator.solver == "lbfgs":
            minimize(self.trainer, self.samples, estimator, monitor)
            return
        start = self.n_epochs_before if self.is_partial else 0
        kind = Streamed if isinstance(self.samples, Stream) else InMemory
        epochs = kind(self.samples, estimator, self.state, self.trainer.batch_size)
        stopped = train(self.trainer, epochs, estimator, self.state, monitor, n_epochs=self.n_epochs, first_epoch=start)
        if not (stopped or self.ends_as_told or estimator.learning_rate in ENDING):  # a schedule that ends, ends here
            monitor.warn(
                f"Stochastic Optimizer: Maximum iterations ({estimator.max_iter}) reached and the optimization hasn't "
                "converged yet.",
                ConvergenceWarning,
            )

    def model(self, to_keep=False):
        """The estimator as it would be if the fit ended now.

        Parameters
        ----------
        to_keep : bool, default=False
            Whether the model keeps its network and state. A model that does not keep them changes with training.
        """
        fitted = copy.copy(self.estimator)
        if to_keep:
            self._fill(fitted, self.network.copy(), self.state.copy())
        else:
            self._fill(fitted, self.network, self.state)
        return fitted

    def _fill(self, estimator, network, state):
        n_epochs = len(state.loss_curve) - self.n_epochs_before
        estimator._set_fitted(network, self.targets, self.trainer, state, n_epochs)

    def _evaluate(self):
        predictor, n_threads = self.estimator._predictor(self.network), threads_now(self.estimator.n_threads)
        return self.held_out.evaluate(predictor, self.trainer.loss, n_threads, self._unnamed)

    def _unnamed(self):
        """The model to score, without feature names: the samples held out are arrays, which have none."""
        model = self.model()
        vars(model).pop("feature_names_in_", None)
        return model
