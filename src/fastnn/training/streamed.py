"""Epochs over samples that come in chunks, of which the next one is read while one is trained on."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fastnn.data.chunks import Chunks
from fastnn.data.reader import Reader
from fastnn.data.samples import check_total
from fastnn.data.shuffle_buffer import blocks
from fastnn.training.schedules import rates


@dataclass
class Stream:
    """Samples that come in chunks.

    Attributes
    ----------
    chunks : Chunks
    n_samples : int or None
        The number of samples in an epoch, if the user says so.
    buffer_rows : int
        How many samples are shuffled among each other.
    prepare : callable
        A function of a number and a chunk that returns Samples.
    dtype : dtype
        The type that the network computes in.
    """

    chunks: Chunks
    n_samples: int | None
    buffer_rows: int
    prepare: Callable
    dtype: np.dtype


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
        self.expected = stream.n_samples  # None: not known before the first epoch of this call has ended
        self.source = "n_samples says"
        self.n_read, self.weight = 0, None

    def run(self, segments, epoch):
        """Train for one epoch, as `InMemory.run` does.

        Raises
        ------
        ValueError
            For other samples than expected: the message has the chunk's number.
        Exception
            What the user's chunks raise, with a note that has the chunk's number.
        """
        stream, state = self.stream, self.state
        n_samples = self.expected or state.n_samples_streamed  # the last fit's: a guess, which schedules can do with
        n_batches = None if n_samples is None else -(-n_samples // self.batch_size)
        factors = rates(self.parameters, state, epoch, n_batches or 1)
        random_state = state.random_state if self.parameters.shuffle else None
        self.n_read, self.weight, loss, n_done = 0, None, 0.0, 0
        reader = Reader(stream.chunks.numbered(random_state), self._prepared, segments.interruption.check)
        try:
            for samples, order in blocks(reader, self.batch_size, stream.buffer_rows, random_state):
                loss = segments.run_epoch(samples, order, self._part(factors, n_done, len(order)), loss)
                n_done += len(order)
                if not math.isfinite(loss):
                    return loss, n_done
        finally:
            reader.close()
        self._check(n_done, reader.n_chunks)
        self.expected, self.source = n_done, "in the epoch before"
        state.n_samples_streamed = n_done
        return loss, n_done

    def _prepared(self, number, chunk):
        """A chunk's samples. This runs in the reader's thread."""
        samples = self.stream.prepare(number, chunk)
        self.n_read += len(samples)
        if self.expected is not None and self.n_read > self.expected:
            raise ValueError(
                f"chunks must have {self.expected} samples, as {self.source}, got {self.n_read} with chunk {number}"
            )
        if samples.weights is not None:
            self.weight = (self.weight or 0.0) + samples.summed_weight(self.stream.dtype)
        return samples

    def _part(self, factors, n_done, n_samples):
        """The factors of the learning rate for the next samples' batches."""
        if factors is None:
            return None
        size = self.batch_size
        batches = np.arange(n_done // size, n_done // size + -(-n_samples // size))
        return factors.take(batches, mode="clip")

    def _check(self, n_done, n_chunks):
        if not n_done:
            raise ValueError(
                "chunks must have at least 1 chunk in each epoch, got 0: a function must return a new iterator "
                "each time it is called"
            )
        if self.expected not in (None, n_done):
            raise ValueError(
                f"chunks must have {self.expected} samples, as {self.source}, got {n_done}: they ended after chunk "
                f"{n_chunks - 1}"
            )
        if self.weight is not None:
            check_total(self.weight, self.stream.dtype, "to train on", "sample_weight")
