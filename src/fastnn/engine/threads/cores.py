"""Which cores this process may use, even where OpenMP has bound its main thread to one of them.

A thread's affinity mask is what ``taskset``, a batch system, a container's cpuset or the user leaves to it. But with
OMP_PROC_BIND, OMP_PLACES, GOMP_CPU_AFFINITY or KMP_AFFINITY, OpenMP narrows the mask itself: it divides the cores that
it finds into places, and binds the main thread to the first place, GCC's as soon as it is loaded. A process may have
several OpenMP runtimes, since most wheels bring their own, and one that is loaded later finds that first place only.
The rule is therefore:

- If a thread's mask is the first place of an OpenMP runtime, OpenMP has bound it, and the process may use the cores of
  all places of that runtime. Of several such runtimes, the one with the most cores was the first to be loaded.
- Any other mask was set by the user or the system, and is what the process may use.

A user's mask that equals OpenMP's first place cannot be told from it, and has no effect.
"""

import ctypes
import functools
import os
from contextlib import contextmanager
from itertools import chain

from threadpoolctl import ThreadpoolController

#: Unless one of these variables is set, no OpenMP runtime binds threads.
BINDING = ("OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY", "KMP_AFFINITY")
#: What omp_get_proc_bind returns where all threads of a team stay in the first place (omp_proc_bind_primary).
BIND_TO_PRIMARY = 2


def usable_cores():
    """The numbers of the cores that the calling thread's teams may use; None where the system does not know masks."""
    if not hasattr(os, "sched_getaffinity"):
        return None
    return _without_binding(frozenset(os.sched_getaffinity(0)))


@contextmanager
def unbound():
    """Let the calling thread run on every core that it may use, so that an OpenMP runtime finds them all."""
    cores = usable_cores()
    mask = cores and os.sched_getaffinity(0)
    if cores == mask:
        yield
        return
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, mask)


def run_here():
    """Let the calling thread itself run on all cores that its teams may use, though OpenMP has bound its parent."""
    cores = usable_cores()
    if cores and cores != os.sched_getaffinity(0):
        os.sched_setaffinity(0, cores)


@functools.cache  # since looking for the runtimes takes 15 ms
def _without_binding(mask):
    if not any(map(os.environ.get, BINDING)):
        return mask
    runtimes = ThreadpoolController().select(internal_api="openmp").lib_controllers
    found = [_divided_cores(ctypes.CDLL(runtime.filepath), mask) for runtime in runtimes]
    return max(found, key=len, default=mask)


def _divided_cores(runtime, mask):
    """The cores that one OpenMP runtime has divided into places, if the mask is the first place; else the mask's."""
    places = []
    for place in range(runtime.omp_get_num_places()):
        cores = (ctypes.c_int * runtime.omp_get_place_num_procs(place))()
        runtime.omp_get_place_proc_ids(place, cores)
        places.append(list(cores))
    if not places or mask != set(places[0]) or runtime.omp_get_proc_bind() == BIND_TO_PRIMARY:
        return mask
    cores = list(dict.fromkeys(chain.from_iterable(places)))
    return frozenset(cores[: runtime.omp_get_num_procs()])  # GOMP_CPU_AFFINITY may name cores that taskset has excluded
