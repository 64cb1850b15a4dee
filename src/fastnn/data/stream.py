"""Samples that come in chunks, epoch by epoch, of which the next chunk is read while one is trained on."""

from fastnn.data.reader import Reader
from fastnn.data.samples import check_total
from fastnn.data.shuffle_buffer import InOrder, Shuffled


class Stream:
    """Samples that come in chunks.

    Parameters
    ----------
    chunks : Chunks
    n_samples : int or None
        The number of samples in an epoch, if the user says so.
    buffer_rows : int
        How many samples are shuffled among each other.
    prepare : callable
        A function of a number and a chunk that returns Samples.
    dtype : dtype, default=None
        The type in which weights must add up to a number above 0. None: weights may be any.

    Attributes
    ----------
    n_expected : int or None
        The number of samples in an epoch: None before the first epoch has ended, if the user does not say it.
    """

    def __init__(self, chunks, n_samples, buffer_rows, prepare, dtype=None):
        self.chunks, self.n_samples, self.buffer_rows = chunks, n_samples, buffer_rows
        self.prepare, self.dtype = prepare, dtype
        self.n_expected, self.source = n_samples, "n_samples says"

    def blocks(self, batch_size, random_state, check):
        """The samples of an epoch in blocks of whole batches.

        Parameters
        ----------
        batch_size : int
        random_state : RandomState or None
            What their order is drawn from. None: they come in the chunks' order.
        check : callable
            It is called while a chunk is awaited, and may raise.

        Yields
        ------
        samples : Samples
        order : ndarray of intp

        Raises
        ------
        ValueError
            For other samples than expected: the message has the chunk's number.
        Exception
            What the user's chunks raise, with a note that has the chunk's number.
        """
        self.n_read, self.weight = 0, None
        arranged = InOrder(batch_size) if random_state is None else Shuffled(batch_size, self.buffer_rows, random_state)
        numbered = self.chunks.numbered(random_state)
        self.reader = Reader(numbered, lambda *chunk: arranged.placed(self._prepared(*chunk)), check)
        try:
            yield from arranged.blocks(self.reader)
        finally:
            self.reader.close()
        self._check(self.reader.n_chunks)
        self.n_expected, self.source = self.n_read, "in the epoch before"

    def threads_beside(self):
        """The number of threads that compute beside those that train: 1 while the next chunk is read, else 0."""
        return int(self.reader.is_reading and self.reader.takes_core)

    def _prepared(self, number, chunk):
        """A chunk's samples. This runs in the reader's thread."""
        samples = self.prepare(number, chunk)
        self.n_read += len(samples)
        if self.n_expected is not None and self.n_read > self.n_expected:
            raise ValueError(
                f"chunks must have {self.n_expected} samples, as {self.source}, got {self.n_read} with chunk {number}"
            )
        if samples.weights is not None and self.dtype is not None:
            self.weight = (self.weight or 0.0) + samples.summed_weight(self.dtype)
        return samples

    def _check(self, n_chunks):
        if not self.n_read:
            raise ValueError(
                "chunks must have at least 1 chunk in each epoch, got 0: a function must return a new iterator "
                "each time it is called"
            )
        if self.n_expected not in (None, self.n_read):
            raise ValueError(
                f"chunks must have {self.n_expected} samples, as {self.source}, got {self.n_read}: they ended after "
                f"{n_chunks} chunk{'s' * (n_chunks != 1)}, the last of which is chunk {n_chunks - 1}"
            )
        if self.weight is not None:
            check_total(self.weight, self.dtype, "to train on", "sample_weight")
