"""What is looked at after each epoch: the loss, the score on samples held out, and whether to go on."""

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
        Is added to.
    network : Network
    evaluate : callable or None
        Returns loss and score on the samples held out; None: there are none.
    callbacks : Callbacks
    progress : NoProgress
    judges : bool
        Whether want of improvement may end the fit: a partial fit has an end of its own.

    Attributes
    ----------
    warnings : list of (str, type)
        What the user is to be told of the outcome: when there is one, since a warning may be made an error.
    has_diverged : bool
        Whether the network's weights, by now, are of no use.
    """

    def __init__(self, parameters, state, network, evaluate, callbacks, progress, judges):
        self.parameters, self.state, self.network, self.evaluate = parameters, state, network, evaluate
        self.callbacks, self.progress = callbacks, progress
        self.n_epochs, self.has_seen_nan, self.has_diverged, self.warnings = 0, False, False, []
        self.by_score = parameters.early_stopping and evaluate is not None
        has_rate = parameters.solver != "lbfgs"  # which ends by itself, too, when its loss can fall no more
        self.judges = judges and (has_rate or self.by_score)
        self.n_unjudged = n_unjudged_epochs(parameters) if self.judges and not self.by_score else 0
        self.adapts = has_rate and parameters.learning_rate == "adaptive"
        # A partial fit goes on with what the last fit came to; one that is to converge, and has, is to learn anew.
        state.drop_from(float(parameters.learning_rate_init), anew=judges and state.converged)
        state.converged = state.converged and not judges
        scoring = parameters.scoring
        name = scoring if isinstance(scoring, str) else getattr(scoring, "__qualname__", repr(scoring))
        state.judge_by((self.by_score, name) if evaluate is not None else None, keeps_best=self.by_score)
        if self.by_score and state.best_weights is not None:
            self._score_best_again()

    def training_begins(self, loss):
        """To be told by a solver that knows the loss before its first epoch: there may be none."""
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
            Mean.
        n_samples : int
            It went through so many.

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
        """Note what the user is to be told."""
        self.warnings.append((message, category))

    @property
    def has_best(self):
        """Whether this fit has come to an epoch whose weights are kept."""
        return self.by_score and self.n_epochs > 0 and self.state.best_weights is not None

    def diverged(self, message):
        """To be told when loss or weights are no longer finite: the fit ends.

        Raises
        ------
        ValueError
            With this message, unless there is a best epoch to go back to.
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
        """Where training goes on: scores on what was held out before say nothing of those on what is now."""
        state, weights = self.state, self.network.weights()
        self.network.set_weights(state.best_weights)
        _, score = self.evaluate()
        self.network.set_weights(weights)
        if score != state.best_score:
            state.best_score, state.n_epochs_without_improvement = -np.inf if np.isnan(score) else score, 0

    def _held_out_score(self):
        state = self.state
        if self.evaluate is None:
            if state.validation_scores is not None:  # of epochs before: each goes on having its own
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
        """As scikit-learn counts: an improvement is a score better than the best by at least tol."""
        state = self.state
        if np.isnan(score) and not self.has_seen_nan:
            self.has_seen_nan = True
            self.warn(f"The score of epoch {self.n_epochs} is nan, which is no improvement. See scoring and the data.")
        if not score >= state.best_score + self.parameters.tol:
            state.n_epochs_without_improvement += 1
        else:
            state.n_epochs_without_improvement = 0
        if score > state.best_score:
            state.best_score, state.best_epoch = score, len(state.loss_curve)
            state.best_weights = self.network.weights()

    def _note_loss(self, loss, score):
        """Likewise of losses; the score of samples held out is for the record then."""
        state = self.state
        if loss > state.best_loss - self.parameters.tol:
            state.n_epochs_without_improvement += 1
        else:
            state.n_epochs_without_improvement = 0
        if score is not None:
            if score > state.best_score:
                state.best_score, state.best_epoch = score, len(state.loss_curve)
        elif loss < state.best_loss and state.validation_scores is None:  # else it stays the best score's
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
