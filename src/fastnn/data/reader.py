"""Reads chunks in a thread of its own, one ahead of those that are trained on."""

import contextvars
import time
from queue import Empty, SimpleQueue
from threading import Semaphore, Thread

import sklearn

from fastnn.runtime.warnings import user_frame, working_for

# How often Ctrl-C is looked for while a chunk is awaited.
POLL_SECONDS = 0.05
# How long to wait, at the end, for a thread that is in the middle of reading a chunk.
CLOSE_SECONDS = 1.0
# Reading takes a core if it computes for at least this part of its time. Else it waits for a disk or a network.
LEAST_LOAD = 0.5


class Reader:
    """A thread that reads one chunk at a time, when it is asked to.

    Parameters
    ----------
    numbered : generator of (int, object)
        The chunks with their numbers.
    prepare : callable
        A function of a number and a chunk, whose result is what `take` returns. It runs in the thread.
    check : callable
        It is called while `take` waits, and may raise.

    Attributes
    ----------
    n_chunks : int
        The number of chunks taken.
    is_reading : bool
        Whether the thread is in the middle of reading a chunk.
    takes_core : bool
        Whether reading computes for most of the time, itself or by threads that it has started. The first chunk
        decides, which is read while nobody trains.
    """

    def __init__(self, numbered, prepare, check):
        self.numbered, self.prepare, self.check, self.n_chunks = numbered, prepare, check, 0
        self.frame, self.config = user_frame(), sklearn.get_config()
        self.closed, self.asked, self.ready = False, Semaphore(1), SimpleQueue()
        self.is_reading = self.takes_core = True
        # Contexts have NumPy's treatment of floating-point errors, among others.
        self.thread = Thread(target=contextvars.copy_context().run, args=(self._work,), daemon=True)
        self.thread.start()

    def take(self):
        """The next chunk, as it was prepared; None at the end.

        Raises
        ------
        Exception
            What reading or preparing the chunk has raised.
        """
        while True:
            self.check()
            try:
                prepared, error = self.ready.get(timeout=POLL_SECONDS)
            except Empty:
                continue
            break
        try:
            if error is not None:
                raise error
        finally:
            error = None  # its traceback has this frame: a cycle would keep the chunk
        self.n_chunks += prepared is not None
        return prepared

    def proceed(self):
        """Let the thread read the next chunk, beside the one that was taken."""
        self.is_reading = True
        self.asked.release()

    def close(self):
        """End the thread: at once or, if it is in the middle of reading a chunk, after that."""
        self.closed, self.prepare = True, None  # which has the buffer of an epoch that is over
        self.asked.release()
        self.thread.join(CLOSE_SECONDS)

    def _work(self):
        prepare = self.prepare
        try:
            with working_for(self.frame), sklearn.config_context(**self.config):
                while self._is_asked():
                    start, computed = time.perf_counter(), time.process_time()
                    chunk = next(self.numbered, None)
                    prepared = None if chunk is None else prepare(*chunk)
                    if self.n_chunks == 0:
                        load = (time.process_time() - computed) / (time.perf_counter() - start)
                        self.takes_core = load >= LEAST_LOAD
                    self.is_reading = False
                    self.ready.put((prepared, None))
                    if chunk is None:
                        break
                    chunk = prepared = None  # they are the taker's now
        except BaseException as error:
            self.ready.put((None, error))
        finally:
            self.numbered.close()

    def _is_asked(self):
        self.asked.acquire()
        return not self.closed
