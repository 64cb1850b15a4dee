"""What a fit does between batches: epochs, orders of samples, what to do when it cannot go on.

The engine trains a segment of an epoch at a call, some 50 milliseconds without the GIL; in between Python can be
interrupted.
"""

import math
import time

import numpy as np

from fastnn.engine.order import shuffled
from fastnn.training.interruption import Interruption
from fastnn.training.schedules import ENDING, rates

# How long the engine may work without looking up: Ctrl-C is answered within twice this, or after one batch.
SEGMENT_SECONDS = 0.05


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

    def run_epoch(self, samples, order, rates=None):
        """Train on the samples in this order; return the summed loss. It does not depend on where the cuts are.

        Parameters
        ----------
        samples : Samples
        order : ndarray of intp
            Rows of X.
        rates : ndarray of float64 of shape (n_batches,), default=None
            As `Trainer.run` takes them, of the whole epoch.
        """
        batch_size = self.trainer.batch_size
        loss, first = 0.0, 0
        while first < len(order):
            rows = order[first : first + self.n_batches * batch_size]
            batch = first // batch_size
            start = time.perf_counter()
            loss = self.trainer.run(
                samples.X,
                samples.targets,
                rows,
                loss,
                weights=samples.weights,
                rates=None if rates is None else rates[batch : batch + self.n_batches],
            )
            seconds = time.perf_counter() - start
            if not math.isfinite(loss):
                break
            first += len(rows)
            if first < len(order):  # else the epoch is to be noted first
                self.interruption.check()
            # At most doubled, since one timing may mislead; cut at once when other work slows the machine.
            fitting = SEGMENT_SECONDS / max(seconds, 1e-9) * len(rows) / batch_size
            self.n_batches = max(1, min(2 * self.n_batches, int(fitting)))
        return loss


def train(trainer, samples, parameters, state, monitor, *, n_epochs, first_epoch=0):
    """Train for up to n_epochs epochs.

    Parameters
    ----------
    trainer : fastnn.engine.trainer.Trainer
        Its network is changed in place.
    samples : Samples
    parameters : NetworkParameters
    state : TrainingState
        Is added to.
    monitor : Monitor
        Says when to stop, and keeps what the user is to be told of the outcome: that Ctrl-C has cut the fit short, and
        the network has what it has learnt until then; that it diverged, or that its schedule was over.
    n_epochs : int
    first_epoch : int, default=0
        Where in its schedule the learning rate begins.

    Returns
    -------
    bool
        Whether it was stopped, by the monitor or by Ctrl-C: not when n_epochs were not enough.

    Raises
    ------
    ValueError
        When the loss or the weights are no longer finite, and the monitor knows no epoch to go back to. The network is
        then of no use.
    KeyboardInterrupt
        When interrupted by Ctrl-C twice within a second.
    """
    n_samples = len(samples)
    n_batches = -(-n_samples // trainer.batch_size)
    resumes = parameters.shuffle and state.order is not None and len(state.order) == n_samples
    order = state.order if resumes else np.arange(n_samples, dtype=np.intp)
    if parameters.learning_rate in ENDING and first_epoch >= parameters.max_iter:
        monitor.warn(
            f"learning_rate={parameters.learning_rate!r} has come to its end after max_iter={parameters.max_iter} "
            "epochs: nothing more is learnt. Set max_iter to as many epochs as there will be in all."
        )
    interruption = Interruption()
    try:
        with interruption:
            segments = Segments(trainer, interruption)
            for epoch in range(first_epoch, first_epoch + n_epochs):
                monitor.epoch_begins()
                if parameters.shuffle:
                    order = shuffled(order, state.random_state)
                state.order = order
                rows = order if samples.rows is None else samples.rows[order]
                loss = segments.run_epoch(samples, rows, rates(parameters, state, epoch, n_batches)) / n_samples
                if not math.isfinite(loss) or not all_finite(trainer.network.parameters):
                    monitor.diverged(_divergence(epoch - first_epoch + 1, loss))
                    return True
                stop = monitor.epoch_ended(loss, n_samples)
                interruption.check()
                if stop:
                    return True
    except KeyboardInterrupt:  # the caller's, too, or of a network that was diverging
        monitor.has_diverged |= not all_finite(trainer.network.parameters)
        if interruption.is_repeated() or (monitor.has_diverged and not monitor.has_best):
            raise
        monitor.warn("Training interrupted by user.")
        return True
    return False


def all_finite(array):
    """Whether an array holds no NaN or infinity, without one of booleans, or a sum that may overflow."""
    return math.isfinite(array.min()) and math.isfinite(array.max())


def _divergence(epoch, loss):
    return (
        f"Training diverged in epoch {epoch}: "
        + (f"the loss became {loss}." if not math.isfinite(loss) else "weights are no longer finite.")
        + " Try a smaller learning_rate_init, or scale the input, for instance with "
        "sklearn.preprocessing.StandardScaler (numbers beyond 1e38 need it, or dtype='float64')."
    )
