"""How many threads NumPy's and SciPy's BLAS has: a number of the whole process, which several threads may change."""

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
    """Let BLAS use one thread, while SciPy's vectors are short and their sums are to have the same bits.

    If two fits at once both changed the number and put back what they had found, one thread might be left for ever: so
    only the first of them does, and BLAS has its own number again when that ends. Nobody waits for the lock: a Ctrl-C
    between two lines may leave it taken, and then BLAS keeps its number.
    """
    if not _limiting.acquire(blocking=False):
        yield
        return
    try:
        with _controller().limit(limits=1):
            yield
    finally:
        _limiting.release()


@contextlib.contextmanager
def blas_threads_kept():
    """Let BLAS have no fewer threads afterwards than before, whatever code of others has run on several threads.

    scikit-learn's nearest neighbours and clusters let BLAS have one thread meanwhile. If two of them overlap, the
    second one finds one thread, and puts that back. A number is never lowered here: another thread may have limited it
    for a while when it was read. While a fit of ours limits it, that fit puts it back.
    """
    libraries = _controller().lib_controllers
    before = [library.num_threads for library in libraries]
    try:
        yield
    finally:
        if not _limiting.locked():
            for library, n_threads in zip(libraries, before, strict=True):
                if library.num_threads < n_threads:
                    library.set_num_threads(n_threads)
