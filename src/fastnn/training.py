"""What a fit does between batches: epochs, orders of samples, progress, when to stop, what to do when it cannot go on.

The engine trains a segment of an epoch at a call, some 50 milliseconds without the GIL; in between Python can be
interrupted.
"""

import time
import warnings
from dataclasses import dataclass, field

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from fastnn.interruption import Interruption

# How long the engine may work without looking up: Ctrl-C is answered within twice this, or after one batch.
SEGMENT_SECONDS = 0.05


@dataclass
class History:
    """What training has seen so far; kept from fit to fit when a model is trained further.

    Attributes
    ----------
    loss_curve : list of float
        The mean loss of each epoch.
    best_loss : float
    n_epochs_without_improvement : int
    n_samples_seen : int
    """

    loss_curve: list = field(default_factory=list)
    best_loss: float = np.inf
    n_epochs_without_improvement: int = 0
    n_samples_seen: int = 0

    def note(self, loss, tol, n_samples):
        """Add an epoch, as scikit-learn counts: an improvement is a loss lower than the best by at least tol."""
        self.loss_curve.append(loss)
        self.n_samples_seen += n_samples
        if loss > self.best_loss - tol:
            self.n_epochs_without_improvement += 1
        else:
            self.n_epochs_without_improvement = 0
        self.best_loss = min(loss, self.best_loss)


class Segments:
    """Cuts epochs into segments that take about SEGMENT_SECONDS, growing from a single batch.

    Parameters
    ----------
    trainer : fastnn.engine.trainer.Trainer
    interruption : Interruption
        Is asked after each segment.
    """

    def __init__(self, trainer, interruption):
        self.trainer = trainer
        self.interruption = interruption
        self.n_batches = 1

    def run_epoch(self, X, targets, order):
        """Train on the samples in this order; return the summed loss. It does not depend on where the cuts are."""
        loss, first = 0.0, 0
        while first < len(order):
            rows = order[first : first + self.n_batches * self.trainer.batch_size]
            start = time.perf_counter()
            loss = self.trainer.run(X, targets, rows, loss)
            seconds = time.perf_counter() - start
            if not np.isfinite(loss):
                break
            first += len(rows)
            if first < len(order):  # else the epoch is to be noted first
                self.interruption.check()
            # At most doubled, since one timing may mislead; cut at once when other work slows the machine.
            fitting = SEGMENT_SECONDS / max(seconds, 1e-9) * len(rows) / self.trainer.batch_size
            self.n_batches = max(1, min(2 * self.n_batches, int(fitting)))
        return loss


def train(trainer, X, targets, *, random_state, shuffle, max_iter, tol, n_iter_no_change, verbose, history, one_epoch):
    """Train for up to max_iter epochs.

    Parameters
    ----------
    trainer : fastnn.engine.trainer.Trainer
        Its network is changed in place.
    X : ndarray of shape (n_samples, n_features)
    targets : ndarray
        As `Trainer.run` takes them.
    random_state : numpy.random.RandomState
    shuffle : bool
        Draw a new order of the samples for each epoch, the same ones that scikit-learn draws.
    max_iter, tol, n_iter_no_change, verbose
        As scikit-learn's parameters.
    history : History
        Is added to.
    one_epoch : bool
        Stop after one epoch, without a warning: a partial fit.

    Returns
    -------
    int
        The number of epochs done.

    Raises
    ------
    ValueError
        When the loss or the weights are no longer finite. The network is then of no use.

    Warns
    -----
    ConvergenceWarning
        When max_iter epochs were not enough.
    UserWarning
        When interrupted by Ctrl-C; the network keeps what it has learnt.
    """
    n_samples = len(X)
    order = np.arange(n_samples, dtype=np.intp)
    n_epochs, n_epochs_before = 0, len(history.loss_curve)
    try:
        with Interruption() as interruption:
            segments = Segments(trainer, interruption)
            while n_epochs < max_iter:
                if shuffle:
                    order = order[_permutation(random_state, n_samples)]
                loss = segments.run_epoch(X, targets, order) / n_samples
                if not np.isfinite(loss) or not _all_finite(trainer.network.parameters):
                    raise _diverged(n_epochs + 1, loss)
                n_epochs += 1
                history.note(loss, tol, n_samples)
                if verbose:
                    print(f"Iteration {n_epochs}, loss = {loss:.8f}")
                interruption.check()
                if history.n_epochs_without_improvement > n_iter_no_change:
                    if verbose:
                        print(
                            f"Training loss did not improve more than tol={tol:f} for {n_iter_no_change} consecutive "
                            "epochs. Stopping."
                        )
                    break
                if one_epoch:
                    break
            else:
                warnings.warn(
                    f"Stochastic Optimizer: Maximum iterations ({max_iter}) reached and the optimization hasn't "
                    "converged yet.",
                    ConvergenceWarning,
                    stacklevel=6,
                )
    except KeyboardInterrupt:
        if not _all_finite(trainer.network.parameters):  # it was diverging
            raise
        warnings.warn("Training interrupted by user.", stacklevel=6)
    return len(history.loss_curve) - n_epochs_before  # a handler of the program's own may raise anywhere


def _all_finite(array):
    """Whether an array holds no NaN or infinity, without one of booleans, or a sum that may overflow."""
    return np.isfinite(array.min()) and np.isfinite(array.max())


def _permutation(random_state, n):
    """As sklearn.utils.shuffle draws it."""
    indices = np.arange(n, dtype=np.intp)
    random_state.shuffle(indices)
    return indices


def _diverged(epoch, loss):
    return ValueError(
        f"Training diverged in epoch {epoch}: "
        + (f"the loss became {loss}." if not np.isfinite(loss) else "weights are no longer finite.")
        + " Try a smaller learning_rate_init, or scale the input, for instance with "
        "sklearn.preprocessing.StandardScaler (numbers beyond 1e38 need it, or dtype='float64')."
    )
