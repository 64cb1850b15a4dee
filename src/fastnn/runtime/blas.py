"""BLAS on one thread, for as long as SciPy's vectors are short and their sums are to have the same bits."""

import contextlib
import functools
import threading

from threadpoolctl import ThreadpoolController

_limiting = threading.Lock()


@functools.cache
def _controller():
    return ThreadpoolController().select(user_api="blas")  # to find the libraries takes milliseconds


@contextlib.contextmanager
def one_blas_thread():
    """Let NumPy's and SciPy's BLAS use one thread, in the whole process.

    The number of BLAS's threads is the process's. If two fits at once both changed it and put back what they had found,
    one thread might be left for ever: so only the first of them does, and BLAS has its own number again when that ends.
    Nobody waits for the lock: a Ctrl-C between two lines may leave it taken, and then BLAS keeps its number.
    """
    if not _limiting.acquire(blocking=False):
        yield
        return
    try:
        with _controller().limit(limits=1):
            yield
    finally:
        _limiting.release()
