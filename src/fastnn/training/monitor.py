"""Watches a fit: after each epoch it notes the loss and the validation score, and decides whether to stop."""

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from fastnn.training.curve import Curve
from fastnn.training.schedules import ADAPTIVE_FACTOR, drop_rate, n_unjudged_epochs


class Monitor:
    """Watches one fit.

    Parameters
    ----------
    parameters : NetworkParameters
    state : TrainingState
        It is changed in place.
    network : Network
    evaluate : callable or None
        A function that returns the loss and the score on the samples held out. None: no samples are held out.
    callbacks : Callbacks
    progress : NoProgress
    judges : bool
        Whether lack of improvement may end the fit. A partial fit ends after a given number of epochs.

    Attributes
    ----------
    warnings : list of (str, type)
        Warnings for the user, to be given after the fit: a filter may make them errors.
    has_diverged : bool
        Whether the network's weights have become useless.
    """

    def __init__(self, parameters, state, network, evaluate, callbacks, progress, judges):
        self.parameters, self.state, self.network, self.evaluate = parameters, state, network, evaluate
        self.callbacks, self.progress = callbacks, progress
        self.n_epochs, self.has_seen_nan, self.has_diverged, self.warnings = 0, False, False, []
        self.by_score = parameters.early_stopping and evaluate is not None
        has_rate = parameters.solver != "lbfgs"  # lbfgs ends by itself when its loss can fall no more
        self.judges = judges and (has_rate or self.by_score)
        self.n_unjudged = n_unjudged_epochs(parameters) if self.judges and not self.by_score else 0
        self.adapts = has_rate and parameters.learning_rate == "adaptive"
        # A partial fit keeps the rate that the last fit ended with. A fit that follows a converged one restarts it.
        state.drop_from(float(parameters.learning_rate_init), anew=judges and state.converged)
        state.converged = state.converged and not judges
        scoring = parameters.scoring
        name = scoring if isinstance(scoring, str) else getattr(scoring, "__qualname__", repr(scoring))
        state.judge_by((self.by_score, name) if evaluate is not None else None, keeps_best=self.by_score)
        if self.by_score and state.best_weights is not None:
            self._score_best_again()

    def training_begins(self, loss):
        """Note the loss before the first epoch, from a solver that knows it: there may be no epoch."""
        if not self.state.loss_curve:
            self.state.initial_loss = loss

    def epoch_begins(self):
        """To be called before each epoch."""
        self.callbacks.epoch_begins()

    def epoch_ended(self, loss, n_samples):
        """Note an epoch.

        Parameters
        ----------
        loss : float
            The mean loss of the epoch.
        n_samples : int
            The number of samples that the epoch trained on.

        Returns
        -------
        bool
            Whether training is to stop.
        """
        self.n_epochs += 1
        self.state.loss_curve.append(loss)
        self.state.n_samples_seen += n_samples
        score = self._held_out_score()
        self.progress.epoch(self.n_epochs, loss, score)
        if self.by_score:
            self._note_score(score)
        else:
            self._note_loss(loss, score)
        if self.n_epochs <= self.n_unjudged:
            self.state.n_epochs_without_improvement = 0
        stop = self._is_stuck()
        return self.callbacks.epoch_ended() or stop

    def warn(self, message, category=UserWarning):
        """Note a warning for the user."""
        self.warnings.append((message, category))

    @property
    def has_best(self):
        """Whether the weights of a best epoch are kept, and this fit has had an epoch."""
        return self.by_score and self.n_epochs > 0 and self.state.best_weights is not None

    def diverged(self, message):
        """Note that the loss or the weights are no longer finite, and that the fit ends.

        Parameters
        ----------
        message : str

        Raises
        ------
        ValueError
            When no best epoch was kept, with this message.
        """
        if not self.has_best:
            raise ValueError(message)
        self.has_diverged, self.state.n_epochs_without_improvement = True, 0
        self.warn(
            f"{message} The model has the weights of its best epoch, best_epoch_={self.state.best_epoch}, with a "
            f"validation score of {self.state.best_score:.6g}.",
            ConvergenceWarning,
        )

    def _score_best_again(self):
        """Score the best epoch of earlier fits on the samples that are held out now, which may be others."""
        state, weights = self.state, self.network.weights()
        self.network.set_weights(state.best_weights)
        _, score = self.evaluate()
        self.network.set_weights(weights)
        if score != state.best_score:
            state.best_score, state.n_epochs_without_improvement = -np.inf if np.isnan(score) else score, 0

    def _held_out_score(self):
        state = self.state
        if self.evaluate is None:
            if state.validation_scores is not None:  # earlier epochs have scores, so this one gets NaN
                state.validation_losses.append(np.nan)
                state.validation_scores.append(np.nan)
            return None
        loss, score = self.evaluate()
        if state.validation_scores is None:
            before = [np.nan] * (len(state.loss_curve) - 1)
            state.validation_scores, state.validation_losses = Curve(before), Curve(before)
        state.validation_losses.append(loss)
        state.validation_scores.append(score)
        return score

    def _note_score(self, score):
        """Count epochs without improvement as scikit-learn does: a score must exceed the best by at least `tol`."""
        state = self.state
        if np.isnan(score) and not self.has_seen_nan:
            self.has_seen_nan = True
            self.warn(
                f"The score of epoch {self.n_epochs} is nan and does not count as an improvement: check scoring and "
                "the data."
            )
        if not score >= state.best_score + self.parameters.tol:
            state.n_epochs_without_improvement += 1
        else:
            state.n_epochs_without_improvement = 0
        if score > state.best_score:
            state.best_score, state.best_epoch = score, len(state.loss_curve)
            state.best_weights = self.network.weights()

    def _note_loss(self, loss, score):
        """Count epochs whose loss did not fall by `tol`; a validation score, if any, only decides `best_epoch`."""
        state = self.state
        if loss > state.best_loss - self.parameters.tol:
            state.n_epochs_without_improvement += 1
        else:
            state.n_epochs_without_improvement = 0
        if score is not None:
            if score > state.best_score:
                state.best_score, state.best_epoch = score, len(state.loss_curve)
        elif loss < state.best_loss and state.validation_scores is None:  # otherwise best_epoch is the best score's
            state.best_epoch = len(state.loss_curve)
        state.best_loss = min(loss, state.best_loss)

    def _is_stuck(self):
        parameters, state = self.parameters, self.state
        if not self.judges or state.n_epochs_without_improvement <= parameters.n_iter_no_change:
            return False
        what = "Validation score" if self.by_score else "Training loss"
        message = (
            f"{what} did not improve more than tol={parameters.tol:f} for {parameters.n_iter_no_change} consecutive "
            "epochs."
        )
        if self.adapts and drop_rate(parameters, state):
            rate = parameters.learning_rate_init * ADAPTIVE_FACTOR**state.n_rate_drops
            self.progress.say(f"{message} Setting learning rate to {rate:f}")
            state.n_epochs_without_improvement = 0
            return False
        too_small = " Learning rate too small." if self.adapts else ""
        self.progress.say(f"{message}{too_small} Stopping.")
        state.converged = True
        return True
