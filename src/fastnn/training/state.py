"""The state of training: all that a later fit needs to resume as if the two had been one fit."""

from dataclasses import dataclass, field
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from fastnn.training.curve import Curve
from fastnn.training.transaction import snapshot


@dataclass
class TrainingState:
    """What training has seen and decided so far.

    The state of a fitted model never changes, except that `random_state` is drawn from. Training changes a copy, which
    the model gets when the call is done. So a call that fails leaves the model as it was, and other threads see the
    state of one moment.

    Attributes
    ----------
    random_state : numpy.random.RandomState
    initial_loss : float
        The loss before the first epoch, which only lbfgs computes; otherwise NaN.
    loss_curve : Curve
        The mean loss of each epoch.
    validation_scores, validation_losses : Curve, or None
        The score and the mean loss of each epoch on the samples held out. NaN stands for epochs in which no samples
        were held out, and None for both curves if none ever were.
    best_loss, best_score : float
    best_epoch : int
        The number, from 1, of the epoch with the best score, or with the lowest loss if there are no scores. 0 before
        the first epoch.
    best_weights : list of ndarray, or None
        The weights of the best epoch, where they are kept.
    last_weights : list of ndarray, or None
        The weights of the last epoch, from which training resumes, where the model has those of the best epoch.
    judged_by : object
        The criterion by which epochs are compared.
    n_epochs_without_improvement, n_samples_seen : int
    converged : bool
        Whether the last fit ended because of a lack of improvement.
    n_rate_drops : int
        The number of times that an adaptive learning rate was lowered.
    dropped_from : float
        The `learning_rate_init` from which it was lowered.
    order : ndarray of intp, or None
        The order of samples in the last epoch, from which the next order is made.
    split : (ndarray of intp, ndarray of intp), or None
        The samples trained on, and those held out.
    dropout_seed : int or None
    n_samples_streamed : int or None
        The number of samples in an epoch of the last stream; None before the first one has ended.
    owns_random_state : bool
        Whether nobody else draws from `random_state`. After a failure only such a generator is set back: from NumPy's
        global generator, and from the user's, others would draw the same numbers again.
    """

    random_state: np.random.RandomState
    initial_loss: float = np.nan
    loss_curve: Curve = field(default_factory=Curve)
    validation_scores: Curve | None = None
    validation_losses: Curve | None = None
    best_loss: float = np.inf
    best_score: float = -np.inf
    best_epoch: int = 0
    best_weights: list | None = None
    last_weights: list | None = None
    judged_by: Any = None
    n_epochs_without_improvement: int = 0
    n_samples_seen: int = 0
    converged: bool = False
    n_rate_drops: int = 0
    dropped_from: float = np.nan
    order: np.ndarray | None = None
    split: tuple | None = None
    dropout_seed: int | None = None
    n_samples_streamed: int | None = None
    owns_random_state: bool = False

    @classmethod
    def starting(cls, random_state):
        """The state before the first epoch, with the generator for an estimator's parameter `random_state`."""
        return cls(check_random_state(random_state), owns_random_state=isinstance(random_state, Integral))

    def copy(self):
        """A copy with curves of its own; it draws from the same generator."""
        copied = snapshot(self)
        for name, value in vars(self).items():
            if type(value) is Curve:
                setattr(copied, name, value.copy())
        return copied

    def drawn_dropout_seed(self):
        """The seed of the dropout masks, drawn at the first call, so that a fit without dropout draws no seed."""
        if self.dropout_seed is None:
            self.dropout_seed = int(self.random_state.randint(2**31 - 1))
        return self.dropout_seed

    def forget_samples(self):
        """Drop all that has a number per sample or per weight: only a fit on the same samples can use it."""
        self.order = self.split = None
        self.forget_weights()

    def forget_weights(self):
        """Drop the weights of the best epoch and of the last one."""
        self.best_weights = self.last_weights = None

    def judge_by(self, criterion, keeps_best):
        """Forget the best epoch, if the criterion has changed, or if its weights are needed and no longer there."""
        if self.judged_by != criterion or (keeps_best and self.best_weights is None):
            self.judged_by, self.best_weights, self.n_epochs_without_improvement = criterion, None, 0
            if criterion is not None:  # without one, no score is compared with the best, which stays as a record
                self.best_score, self.best_epoch = -np.inf, 0

    def drop_from(self, learning_rate_init, anew):
        """Restart from the whole learning rate, if `anew`, or if the rate is another; else keep the lowered one."""
        if anew or learning_rate_init != self.dropped_from:
            self.dropped_from, self.n_rate_drops = learning_rate_init, 0
