"""BLAS on one thread, for as long as SciPy's vectors are short and their sums are to have the same bits."""

import contextlib
import functools
import os
import threading

from threadpoolctl import ThreadpoolController


@functools.cache
def _controllers():
    """All BLAS libraries, and those of them in which each thread has a number of its own.

    To find the libraries takes milliseconds.
    """
    libraries = ThreadpoolController().select(user_api="blas")
    return libraries, libraries.select(threading_layer="openmp")


class _Shared:
    """The limit of the libraries whose number is the process's, and how many fits need it."""

    def __init__(self):
        self.lock, self.n_fits, self.limiter = threading.Lock(), 0, None

    def __enter__(self):
        with self.lock:
            if self.n_fits == 0:
                libraries, _ = _controllers()
                self.limiter = libraries.limit(limits=1)
            self.n_fits += 1

    def __exit__(self, *_):
        with self.lock:
            self.n_fits -= 1
            if self.n_fits == 0:
                self.limiter.restore_original_limits()

    def renew_lock(self):
        """Have a lock that nobody holds: a fork has copied no thread that could give the old one back."""
        self.lock = threading.Lock()


_shared = _Shared()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_shared.renew_lock)


@contextlib.contextmanager
def one_blas_thread():
    """Let NumPy's and SciPy's BLAS use one thread.

    The number of most libraries is the process's. Of several fits at once the first one changes it, and the last one
    puts it back: each has one thread until it ends, and none puts back what another one has changed.
    """
    _, of_threads = _controllers()
    # Even if there are no such libraries: threadpoolctl 3.8 lets one Python thread at a time change the process's
    # number, the first that does, until it leaves a context of threadpoolctl's such as this one.
    with of_threads.limit(limits=1), _shared:
        yield
