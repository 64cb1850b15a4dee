"""The number of threads that a fit or a prediction may use, and a description of this build of fastnn."""

from __future__ import annotations

import functools
import math
import os
import platform
from pathlib import Path

import numpy as np
import sklearn

from fastnn.engine import isa
from fastnn.engine.threads import team
from fastnn.engine.threads.cores import usable_cores

# More threads than any CPU has, and few enough for OpenMP to start: it aborts when it cannot start a thread.
MOST_THREADS = 1024

# After a fork the child lacks OpenMP's threads, and libgomp would wait for them for ever. It uses one thread.
_forked = False


def _note_fork():
    global _forked
    _forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note_fork)


def has_forked() -> bool:
    """Whether this process is a child by a fork, which uses one thread."""
    return _forked


# Linux's files with the cgroups of this process, and with the share of the cores that each cgroup may use.
MY_CGROUPS = Path("/proc/self/cgroup")
CGROUPS = Path("/sys/fs/cgroup")


def _cores_of_group(folder):
    """The number of cores, rounded up, that a cgroup may use: from one file in version 2, or two in version 1."""
    try:
        if (folder / "cpu.max").exists():
            used, period = map(int, (folder / "cpu.max").read_text().split())
        else:
            used, period = (int((folder / f"cpu.cfs_{what}_us").read_text()) for what in ("quota", "period"))
    except (OSError, ValueError):  # there is no quota, or it is "max"
        return math.inf
    return max(1, -(-used // period)) if used > 0 and period > 0 else math.inf


def _quota():
    """The smallest quota of this process's cgroup and those around it: joblib reads the outermost one only."""
    cores = math.inf
    try:
        lines = MY_CGROUPS.read_text().splitlines()
    except OSError:
        return cores
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if controllers == "" or "cpu" in controllers.split(","):  # version 2, or version 1's controller with the quota
            root = CGROUPS / controllers
            innermost = root / group.lstrip("/")
            for folder in (innermost, *innermost.parents):
                cores = min(cores, _cores_of_group(folder))
                if folder == root:
                    break
    return cores


@functools.cache
def _fixed_limits():
    """Limits that do not change, by their names. They are read once: the quota takes many files of /sys."""
    n_cores = os.cpu_count() or 1
    return {
        "the number of cores": n_cores,  # first: show_config names the first of equal limits
        "LOKY_MAX_CPU_COUNT": int(os.environ.get("LOKY_MAX_CPU_COUNT", n_cores)),
        "the cgroup's quota": _quota(),
    }


def _limits(cores):
    """The number of threads that each part of the environment allows, by its name; `cores` are the usable ones."""
    if _forked:
        return {"a fork": 1}
    openmp = team.max_threads()
    if team.has_number():
        return {"OMP_NUM_THREADS or threadpoolctl": openmp}
    limits = _fixed_limits() | {"the affinity mask": team.n_cores() if cores is None else len(cores)}
    # OpenMP's own number of cores is not a limit: the user may have widened the affinity mask since.
    if openmp != team.n_cores_found or not team.openmp_version:
        limits["OpenMP"] = openmp
    return limits


def effective_n_threads(n_threads: int | None = None) -> int:
    """The number of threads to use. Their team is bound to the cores that the process may use.

    Parameters
    ----------
    n_threads : int, default=None
        The estimator's parameter. None stands for as many as the environment allows, by ``OMP_NUM_THREADS``,
        threadpoolctl, the process's affinity mask, and the cgroup's quota. Cores from which OpenMP keeps the main
        thread are counted.

    Returns
    -------
    int
        At least 1, and always 1 in a forked process.
    """
    if _forked:
        return 1
    if cores := usable_cores():
        team.run_on(cores)
    return max(1, min(_limits(cores).values())) if n_threads is None else min(n_threads, MOST_THREADS)


def show_config() -> None:
    """Print a description of this build of fastnn, and what it uses on this machine.

    Examples
    --------
    >>> import fastnn
    >>> fastnn.show_config()
    fastnn ...
    instruction set  ...
    """
    import fastnn

    openmp = f"OpenMP {team.openmp_version}" if team.openmp_version else "no OpenMP: built for one thread"
    limits = _limits(usable_cores())
    others = [name for name in isa.available_levels() if name != isa.level]
    print(
        f"fastnn {fastnn.__version__}",
        f"instruction set  {isa.level} (this CPU has {', '.join(others) or 'no other'} too; FASTNN_ISA chooses)",
        f"threads          {effective_n_threads()}, limited by {min(limits, key=limits.get)} ({openmp})",
        f"compiler         {team.compiler}",
        f"versions         Python {platform.python_version()}, NumPy {np.__version__}, "
        f"scikit-learn {sklearn.__version__}",
        sep="\n",
    )
