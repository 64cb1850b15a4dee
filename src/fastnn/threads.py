"""How many threads a fit or a predict may use, and what this build of fastnn is."""

import functools
import math
import os
import platform
from pathlib import Path

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


# Where Linux tells which cgroup a process is in, and how much of the cores each may use.
MY_CGROUPS = Path("/proc/self/cgroup")
CGROUPS = Path("/sys/fs/cgroup")


def _cores_of_group(folder):
    """Cores, rounded up, that one cgroup may use: in a file of version 2's, or in two of version 1's."""
    try:
        if (folder / "cpu.max").exists():
            used, period = map(int, (folder / "cpu.max").read_text().split())
        else:
            used, period = (int((folder / f"cpu.cfs_{what}_us").read_text()) for what in ("quota", "period"))
    except (OSError, ValueError):  # there is none, or it is "max"
        return math.inf
    return max(1, -(-used // period)) if used > 0 and period > 0 else math.inf


def _quota():
    """Cores that this process's cgroup may use, or one around it: joblib looks at the outermost alone."""
    cores = math.inf
    try:
        lines = MY_CGROUPS.read_text().splitlines()
    except OSError:
        return cores
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if controllers == "" or "cpu" in controllers.split(","):  # version 2, or version 1's that has the quota
            root = CGROUPS / controllers
            innermost = root / group.lstrip("/")
            for folder in (innermost, *innermost.parents):
                cores = min(cores, _cores_of_group(folder))
                if folder == root:
                    break
    return cores


@functools.cache
def _cpu_count():
    """Cores that joblib counts and the cgroup's quota leaves: read once, since it takes a walk through /sys."""
    return min(joblib.cpu_count(), _quota())


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
    return allowed if os.environ.get("OMP_NUM_THREADS") else min(allowed, _cpu_count(), team.n_cores())


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
