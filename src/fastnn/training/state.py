"""What is trained on, and what training has come to: all that a further fit needs to go on as if there had been one."""

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

    A fitted model's never changes, but for where `random_state` is: training goes on with a copy, which is the model's
    when all is done. So a call that fails leaves nothing behind, and other threads see the state of one moment.

    Attributes
    ----------
    random_state : numpy.random.RandomState
    initial_loss : float
        Before the first epoch, where it is known: lbfgs looks.
    loss_curve : Curve
        The mean loss of each epoch.
    validation_scores, validation_losses : Curve, or None
        Of each epoch, NaN of those with nothing held out; None until samples are.
    best_loss, best_score : float
    best_epoch : int
        Of the best score, or until there are any of the lowest loss; the first is number 1, 0 is none yet.
    best_weights, last_weights : list of ndarray, or None
        Of the best epoch, and of the last one where the best one's are the model's now: training goes on from there.
    judged_by : object
        What epochs are compared by.
    n_epochs_without_improvement, n_samples_seen : int
    converged : bool
        Whether the last fit ended for want of improvement.
    n_rate_drops : int
        Of an adaptive learning rate, and
    dropped_from : float
        the `learning_rate_init` that they are of.
    order : ndarray of intp, or None
        The order of samples in the last epoch, which the next one's is made from.
    split : (ndarray of intp, ndarray of intp), or None
        The samples trained on, and those held out.
    dropout_seed : int or None
    owns_random_state : bool
        Whether nobody else draws from `random_state`: NumPy's global generator and the user's are never put back, which
        would have others draw the same numbers again.
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
    owns_random_state: bool = False

    @classmethod
    def starting(cls, random_state):
        """Before the first epoch, with the random numbers that an estimator's parameter `random_state` stands for."""
        return cls(check_random_state(random_state), owns_random_state=isinstance(random_state, Integral))

    def copy(self):
        """One with the same numbers, to go on by itself; but it draws from the same generator."""
        copied = snapshot(self)
        for name, value in vars(self).items():
            if type(value) is Curve:
                setattr(copied, name, value.copy())
        return copied

    def drawn_dropout_seed(self):
        """The seed of the dropout masks, drawn when first asked for: a fit without dropout draws what it always did."""
        if self.dropout_seed is None:
            self.dropout_seed = int(self.random_state.randint(2**31 - 1))
        return self.dropout_seed

    def forget_samples(self):
        """Let go of what has a number per sample, or per weight: only a fit on the same samples has a use for it."""
        self.order = self.split = None
        self.forget_weights()

    def forget_weights(self):
        """Let go of the best epoch's weights and of the last one's."""
        self.best_weights = self.last_weights = None

    def judge_by(self, what, keeps_best):
        """Begin anew with what is best, where something else tells, or the best epoch's weights are no longer there."""
        if self.judged_by != what or (keeps_best and self.best_weights is None):
            self.judged_by, self.best_weights, self.n_epochs_without_improvement = what, None, 0
            if what is not None:  # else nothing will be compared with the best score, which stays for the record
                self.best_score, self.best_epoch = -np.inf, 0

    def drop_from(self, learning_rate_init, anew):
        """Begin with the whole learning rate, where asked to or where it is another; else it stays as low as it was."""
        if anew or learning_rate_init != self.dropped_from:
            self.dropped_from, self.n_rate_drops = learning_rate_init, 0
