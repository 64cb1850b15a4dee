"""The loop of a fit over epochs: it draws orders of samples, and handles Ctrl-C and divergence.

A call of the engine trains a segment of an epoch, which takes some 50 milliseconds without the GIL. Between segments
Python can be interrupted.
"""

import math
import time
from dataclasses import dataclass

import numpy as np

from fastnn.engine.order import shuffled
from fastnn.training.interruption import Interruption
from fastnn.training.schedules import ENDING, rates
from fastnn.training.thread_choice import PART_OF_SEGMENT, ThreadChoice

# The length of a segment: Ctrl-C is answered within twice this time, or after one batch.
SEGMENT_SECONDS = 0.05


@dataclass
class Pace:
    """How a trainer's segments go: its next fit goes on so."""

    threads: ThreadChoice
    n_batches: int = 1  # of a segment


class Segments:
    """Cuts epochs into segments of about SEGMENT_SECONDS.

    A trainer's first segment is a single batch. So is each fit's, if it is to sequences of any length.

    Parameters
    ----------
    trainer : fastnn.engine.trainer.Trainer
    interruption : Interruption
        It is checked after each segment.
    n_threads : int or None
        The estimator's parameter. None: each segment uses the fit's share of the cores or, if it is faster, one thread.
    """

    def __init__(self, trainer, interruption, n_threads):
        self.trainer, self.interruption = trainer, interruption
        if trainer.pace is None or trainer.pace.threads.given != n_threads:
            trainer.pace = Pace(ThreadChoice(n_threads, trainer.n_threads, trainer.step_flops))
        self.pace = trainer.pace
        if trainer.network.is_ragged:  # this fit's sequences may have many times as many steps as the last one's
            self.pace.n_batches = 1

    def run_epoch(self, samples, order, rates=None, loss=0.0, beside=int):
        """Train on the samples in this order.

        Parameters
        ----------
        samples : Samples
        order : ndarray of intp
            The rows of X, in the order of training.
        rates : ndarray of float64 of shape (n_batches,), default=None
            The factors of the learning rate for these samples' batches, which `Trainer.run` explains.
        loss : float, default=0.0
            The summed loss of samples of the same epoch that were trained on before.
        beside : callable, default=int
            A function that returns how many of the fit's threads do something else at present; `int` returns 0.

        Returns
        -------
        float
            The summed loss, which does not depend on where the segments begin.
        """
        batch_size, pace, threads = self.trainer.batch_size, self.pace, self.pace.threads
        first = 0
        while first < len(order):
            n_threads = threads.next(beside())
            n_batches = max(1, pace.n_batches // PART_OF_SEGMENT) if threads.is_brief else pace.n_batches
            batch, rows = first // batch_size, order[first : first + n_batches * batch_size]
            start = time.perf_counter()
            loss = self.trainer.run(
                samples.X,
                samples.targets,
                rows,
                loss,
                weights=samples.weights,
                rates=None if rates is None else rates[batch : batch + n_batches],
                n_threads=n_threads,
            )
            seconds = time.perf_counter() - start
            threads.note(n_threads, seconds / self._size(samples.X, rows))
            if not math.isfinite(loss):
                break
            first += len(rows)
            if first < len(order):  # after the last segment the epoch is noted first
                self.interruption.check()
            # The length is at most doubled, since one timing may mislead, but falls at once on a busy machine.
            fitting = SEGMENT_SECONDS / max(seconds, 1e-9) * len(rows) / batch_size
            pace.n_batches = max(1, min(2 * pace.n_batches, int(fitting)))
        return loss

    def _size(self, X, rows):
        """What a segment's time is in proportion to: its samples or, of sequences of any length, their steps."""
        return X.lengths[rows].sum() if self.trainer.network.is_ragged else len(rows)


class InMemory:
    """Epochs over samples that are all in memory.

    Parameters
    ----------
    samples : Samples
    parameters : NetworkParameters
    state : TrainingState
        It is changed in place.
    batch_size : int
    """

    def __init__(self, samples, parameters, state, batch_size):
        self.samples, self.parameters, self.state = samples, parameters, state
        self.n_batches = -(-len(samples) // batch_size)
        resumes = parameters.shuffle and state.order is not None and len(state.order) == len(samples)
        self.order = state.order if resumes else np.arange(len(samples), dtype=np.intp)

    def run(self, segments, epoch):
        """Train for one epoch.

        Parameters
        ----------
        segments : Segments
        epoch : int
            The epoch's number in the schedule of the learning rate.

        Returns
        -------
        loss : float
            The summed loss.
        n_samples : int
            The number of samples trained on.
        """
        samples, state = self.samples, self.state
        if self.parameters.shuffle:
            self.order = shuffled(self.order, state.random_state)
        state.order = self.order
        rows = self.order if samples.rows is None else samples.rows[self.order]
        factors = rates(self.parameters, state, epoch, self.n_batches)
        return segments.run_epoch(samples, rows, factors), len(samples)


def train(trainer, epochs, parameters, state, monitor, *, n_epochs, first_epoch=0):
    """Train for up to n_epochs epochs.

    Parameters
    ----------
    trainer : fastnn.engine.trainer.Trainer
        Its network is changed in place.
    epochs : InMemory or Streamed
        The samples of each epoch.
    parameters : NetworkParameters
    state : TrainingState
        It is changed in place.
    monitor : Monitor
        It decides when to stop. It gets a warning when Ctrl-C ends the fit early, when training diverges, and when the
        schedule of the learning rate has ended before the first epoch.
    n_epochs : int
        The largest number of epochs.
    first_epoch : int, default=0
        The first epoch's number in the schedule of the learning rate.

    Returns
    -------
    bool
        Whether the monitor or Ctrl-C ended training, before or after the last of `n_epochs`.

    Raises
    ------
    ValueError
        When the loss or the weights are no longer finite, and the monitor has kept no best epoch. The network is then
        useless.
    KeyboardInterrupt
        When Ctrl-C is pressed twice within a second.
    """
    if parameters.learning_rate in ENDING and first_epoch >= parameters.max_iter:
        monitor.warn(
            f"learning_rate={parameters.learning_rate!r} has come to its end after max_iter={parameters.max_iter} "
            "epochs: nothing more is learnt. Set max_iter to the total number of epochs."
        )
    interruption = Interruption()
    try:
        with interruption:
            segments = Segments(trainer, interruption, parameters.n_threads)
            for epoch in range(first_epoch, first_epoch + n_epochs):
                monitor.epoch_begins()
                summed, n_samples = epochs.run(segments, epoch)
                loss = summed / n_samples
                if not math.isfinite(loss) or not all_finite(trainer.network.parameters):
                    monitor.diverged(divergence(epoch - first_epoch + 1, loss, trainer))
                    return True
                stop = monitor.epoch_ended(loss, n_samples)
                interruption.check()
                if stop:
                    return True
    except KeyboardInterrupt:  # perhaps raised by the user's callback, or while the network diverged
        monitor.has_diverged |= not all_finite(trainer.network.parameters)
        if interruption.is_repeated() or (monitor.has_diverged and not monitor.has_best):
            raise
        monitor.warn("Training interrupted by user.")
        return True
    return False


def all_finite(array):
    """Whether an array has neither NaN nor infinity; it makes no array of booleans, and no sum that may overflow."""
    return math.isfinite(array.min()) and math.isfinite(array.max())


def divergence(epoch, loss, trainer):
    """What to tell the user of a loss, or of weights, that are no longer finite."""
    advice = ""
    if any(kind == "recurrent" for kind, *_ in trainer.network.description):
        clips = "a smaller clip_norm" if trainer.clip_norm else "clip_norm=1.0"
        advice = f" Gradients through many steps of a sequence may explode: set {clips}."
    return (
        f"Training diverged in epoch {epoch}: "
        + (f"the loss became {loss}." if not math.isfinite(loss) else "weights are no longer finite.")
        + " Try a smaller learning_rate_init, or scale the input, for instance with "
        "sklearn.preprocessing.StandardScaler (numbers beyond 1e38 need it, or dtype='float64')." + advice
    )
