"""How many threads a fit or a predict may use, and what this build of fastnn is."""

import functools
import os
import platform

import joblib
import numpy as np
import sklearn

from fastnn.engine import isa, team

# More than any CPU has, and few enough that OpenMP, which aborts when it cannot start a thread, can start them.
MOST_THREADS = 1024

# After a fork the child has none of OpenMP's threads, and libgomp would wait for them for ever: one thread then.
_forked = False


def _note_fork():
    global _forked
    _forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note_fork)


@functools.cache
def _cpu_count():
    """Cores of the affinity mask and the cgroup's quota: read once, since it takes a walk through /sys."""
    return joblib.cpu_count()


def effective_n_threads(n_threads=None):
    """The number of threads to use.

    Parameters
    ----------
    n_threads : int, default=None
        What was asked for. None is what the environment allows: ``OMP_NUM_THREADS``, a limit set by threadpoolctl,
        the process's affinity mask, the cgroup's quota.

    Returns
    -------
    int
        At least 1; always 1 in a process that was forked.
    """
    if _forked:
        return 1
    if n_threads is not None:
        return min(n_threads, MOST_THREADS)
    allowed = team.max_threads()
    return allowed if os.environ.get("OMP_NUM_THREADS") else min(allowed, _cpu_count())


def show_config():
    """Print what this build of fastnn is, and what it uses on this machine.

    Examples
    --------
    >>> import fastnn
    >>> fastnn.show_config()
    fastnn ...
    instruction set  ...
    """
    import fastnn

    openmp = f"OpenMP {team.openmp_version}" if team.openmp_version else "no OpenMP: built for one thread"
    others = [name for name in isa.available_levels() if name != isa.level]
    print(
        f"fastnn {fastnn.__version__}",
        f"instruction set  {isa.level} (this CPU has {', '.join(others) or 'no other'} too; FASTNN_ISA chooses)",
        f"threads          {effective_n_threads()} ({openmp})",
        f"compiler         {team.compiler}",
        f"versions         Python {platform.python_version()}, NumPy {np.__version__}, "
        f"scikit-learn {sklearn.__version__}",
        sep="\n",
    )
