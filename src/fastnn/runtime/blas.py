"""How many threads NumPy's and SciPy's BLAS has: a number of the whole process, which several threads may change."""

import contextlib
import functools
import threading

from threadpoolctl import ThreadpoolController

_limiting, _keeping = threading.Lock(), threading.Lock()


@functools.cache
def _controller():
    return ThreadpoolController().select(user_api="blas")  # to find the libraries takes milliseconds


def one_blas_thread():
    """Let BLAS use one thread, while SciPy's vectors are short and their sums are to have the same bits.

    If two fits at once both changed the number and put back what they had found, one thread might be left for ever: so
    only the first of them does, and BLAS has its own number again when that ends.
    """
    return _put_back(_limiting, limits=1)


def blas_threads_kept():
    """Put back BLAS's number of threads after code of others, which may have run on several threads.

    scikit-learn's nearest neighbours and clusters let BLAS have one thread meanwhile. If two of them overlap, the
    second one finds one thread, and puts that back. Where a fit of ours has limited BLAS, its own number is not known.
    """
    return contextlib.nullcontext() if _limiting.locked() else _put_back(_keeping, limits=None)


@contextlib.contextmanager
def _put_back(lock, limits):
    """Change BLAS's number of threads, unless limits is None, and put it back, if nobody else has the lock.

    Nobody waits for the lock: a Ctrl-C between two lines may leave it taken, and then BLAS keeps its number.
    """
    if not lock.acquire(blocking=False):
        yield
        return
    try:
        with _controller().limit(limits=limits):
            yield
    finally:
        lock.release()
