"""Batches that run across the borders of chunks, in the chunks' order or shuffled within a buffer.

A chunk is placed in the buffer by the reader's thread, as soon as it is read, while the one before is trained on.
"""

import numpy as np

from fastnn.data.samples import Samples, joined
from fastnn.engine.order import shuffled


class InOrder:
    """Samples come in the chunks' order, without a buffer.

    Parameters
    ----------
    batch_size : int
    """

    def __init__(self, batch_size):
        self.batch_size = batch_size

    def placed(self, samples):
        """What the reader's thread makes of a chunk's samples."""
        return samples

    def blocks(self, reader):
        """The samples of an epoch in blocks of whole batches. Only the last block may end in a smaller batch.

        Parameters
        ----------
        reader : Reader
            Of what `placed` returns.

        Yields
        ------
        samples : Samples
            They must not be used after the next block is asked for.
        order : ndarray of intp
            The samples of the block, in the order of training.
        """
        batch_size, rest = self.batch_size, None  # fewer samples than a batch, which the next chunk completes
        while (samples := reader.take()) is not None:
            reader.proceed()
            start = 0
            if rest is not None:
                start = min(batch_size - len(rest), len(samples))
                rest = joined([rest, samples.part(_rows(0, start))])
                if len(rest) == batch_size:
                    yield rest, _rows(0, batch_size)
                    rest = None
            end = start + (len(samples) - start) // batch_size * batch_size
            if end > start:
                yield samples, _rows(start, end)
            if end < len(samples):
                rest = samples.part(_rows(end, len(samples)))
            samples = None
        if rest is not None:
            yield rest, _rows(0, len(rest))


def _rows(start, end):
    return np.arange(start, end, dtype=np.intp)


class Shuffled:
    """Samples are shuffled within a buffer. It has the methods of `InOrder`.

    Parameters
    ----------
    batch_size : int
    buffer_rows : int
        How many samples wait in the buffer, among which the next ones are drawn.
    random_state : RandomState
        What the order is drawn from.
    """

    def __init__(self, batch_size, buffer_rows, random_state):
        self.batch_size, self.buffer_rows, self.random_state = batch_size, buffer_rows, random_state
        self.buffer = None

    def placed(self, samples):
        if self.buffer is None:
            kind = Slots if _has_rows(samples) else Joined
            self.buffer = kind(samples, self.buffer_rows + self.batch_size)
        return self.buffer.placed(samples)

    def blocks(self, reader):
        while (placed := reader.take()) is not None:
            buffer = self.buffer
            buffer.add(placed)
            placed = None  # before the next one is read: there is no more than one chunk beside the buffer
            reader.proceed()
            buffer.shuffle(self.random_state)
            n_samples = (len(buffer) - self.buffer_rows) // self.batch_size * self.batch_size
            if n_samples > 0:
                yield buffer.taken(n_samples)
        if self.buffer is not None and len(self.buffer):
            yield self.buffer.taken(len(self.buffer))


def _has_rows(samples):
    """Whether each sample is a row of an array, and has one row of targets."""
    return isinstance(samples.X, np.ndarray) and samples.steps is None


class Slots:
    """A buffer of rows of one size: a new one takes the place of one that was trained on.

    While the reader's thread is in `placed`, it alone uses `free`, and writes to rows that are free only. The training
    thread reads rows that wait or are trained on, and changes nothing but `waiting` and `trained`. If the buffer grows
    meanwhile, it goes on with the old arrays, which have the same numbers in these rows.

    Parameters
    ----------
    samples : Samples
        Those of the first chunk, which are not placed yet.
    most_waiting : int
        The most rows that wait while a chunk is trained on and another one is placed. Memory is used once there are so
        many.
    """

    def __init__(self, samples, most_waiting):
        n_slots = most_waiting + 2 * len(samples)
        self.samples = Samples(*(_empty_like(part, n_slots) for part in _parts(samples)))
        self.waiting, self.trained, self.free = _rows(0, 0), _rows(0, 0), _rows(0, n_slots)

    def __len__(self):
        return len(self.waiting)

    def placed(self, samples):
        """Copy samples into the buffer. Returns where they are."""
        n_lacking = len(samples) - len(self.free)
        if n_lacking > 0:  # a larger chunk than those before
            self._grow(n_lacking)
        slots, self.free = self.free[: len(samples)], self.free[len(samples) :]
        for own, new in zip(_parts(self.samples), _parts(samples), strict=True):
            if own is not None:
                _put_rows(own, slots, new)
        return slots

    def _grow(self, n_slots):
        n_before = len(self.samples)
        grown = [_empty_like(part, n_before + n_slots) for part in _parts(self.samples)]
        for part, before in zip(grown, _parts(self.samples), strict=True):
            if part is not None:
                part[:n_before] = before
        self.samples = Samples(*grown)
        self.free = np.concatenate([self.free, _rows(n_before, n_before + n_slots)])

    def add(self, placed):
        """Let samples wait that were placed. Those that were taken before are trained on by now."""
        self.waiting = np.concatenate([self.waiting, placed])
        self.free, self.trained = np.concatenate([self.trained, self.free]), _rows(0, 0)

    def shuffle(self, random_state):
        """Shuffle the samples that wait."""
        self.waiting = shuffled(self.waiting, random_state)

    def taken(self, n_samples):
        """The next samples and their order, which then wait no longer."""
        self.trained, self.waiting = self.waiting[:n_samples], self.waiting[n_samples:]
        return self.samples, self.trained


class Joined:
    """A buffer of samples of any kind, which are copied when some are added.

    It has the parameters and the methods of `Slots`.
    """

    def __init__(self, samples, most_waiting):
        self.samples, self.waiting = None, _rows(0, 0)

    def __len__(self):
        return len(self.waiting)

    def placed(self, samples):
        return samples

    def add(self, placed):
        if len(self.waiting):
            placed = joined([self.samples.part(self.waiting), placed])
        self.samples, self.waiting = placed, _rows(0, len(placed))

    def shuffle(self, random_state):
        self.waiting = shuffled(self.waiting, random_state)

    def taken(self, n_samples):
        order, self.waiting = self.waiting[:n_samples], self.waiting[n_samples:]
        return self.samples, order


def _parts(samples):
    return samples.X, samples.targets, samples.weights


def _put_rows(own, slots, new):
    """Copy rows to these places."""
    if own.ndim > 1 and own.dtype == new.dtype and new.flags.c_contiguous:
        # NumPy copies each row in one piece then, in half of the time.
        row = np.dtype((np.void, own.strides[0]))
        own, new = own.reshape(len(own), -1).view(row)[:, 0], new.reshape(len(new), -1).view(row)[:, 0]
    own[slots] = new


def _empty_like(part, n_rows):
    return None if part is None else np.empty((n_rows, *part.shape[1:]), part.dtype)
