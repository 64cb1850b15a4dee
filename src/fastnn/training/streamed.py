"""Epochs of a network's fit to a stream."""

import math
from contextlib import closing

import numpy as np

from fastnn.training.schedules import rates


class Streamed:
    """Epochs over a stream.

    Parameters
    ----------
    stream : Stream
    parameters : NetworkParameters
    state : TrainingState
        It is changed in place.
    batch_size : int
    """

    def __init__(self, stream, parameters, state, batch_size):
        self.stream, self.parameters, self.state, self.batch_size = stream, parameters, state, batch_size

    def run(self, segments, epoch):
        """Train for one epoch, as `InMemory.run` does.

        Raises
        ------
        ValueError, Exception
            As for `Stream.blocks`.
        """
        stream, state = self.stream, self.state
        # That of the last fit is a guess, which schedules can do with.
        n_samples = stream.n_expected or state.n_samples_streamed
        n_batches = 1 if n_samples is None else -(-n_samples // self.batch_size)
        factors = rates(self.parameters, state, epoch, n_batches)
        random_state = state.random_state if self.parameters.shuffle else None
        loss, n_done = 0.0, 0
        with closing(stream.blocks(self.batch_size, random_state, segments.interruption.check)) as blocks:
            for samples, order in blocks:
                loss = segments.run_epoch(
                    samples, order, self._part(factors, n_done, len(order)), loss, stream.threads_beside
                )
                n_done += len(order)
                if not math.isfinite(loss):
                    return loss, n_done
        state.n_samples_streamed = n_done
        return loss, n_done

    def _part(self, factors, n_done, n_samples):
        """The factors of the learning rate for the next samples' batches; of one for all, or of too few, the last."""
        if factors is None:
            return None
        first = n_done // self.batch_size
        return factors.take(np.arange(first, first - (-n_samples // self.batch_size)), mode="clip")
