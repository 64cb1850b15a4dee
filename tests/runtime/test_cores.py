"""The number of threads that a fit starts, and the cores they run on, if OpenMP binds the main thread to one core."""

import json
import os
import sys
from itertools import chain
from pathlib import Path

import pytest
from processes import run_python

from fastnn.engine.threads import cores, team

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system has no affinity masks"),
    pytest.mark.skipif(not team.openmp_version, reason="built without OpenMP: one thread, on any core"),
]

CORES = sorted(cores.usable_cores() or [0])
FIRST, LAST = CORES[0], CORES[-1]
needs_two_cores = pytest.mark.skipif(len(CORES) < 2, reason="there is but one core")

# report() prints how many threads are used: as n_threads=None says, n_jobs=None and n_jobs=-1; and by a fit. Then the
# cores that the fit's threads may run on, all together, and those for each of them but the calling one.
REPORT = """
import json, os, sys, time, warnings
import numpy as np
from threadpoolctl import threadpool_limits
import fastnn
from fastnn.engine.threads.contention import is_contended
from fastnn.estimators.perceptron_learning import threads_for
from fastnn.runtime.threads import effective_n_threads
warnings.simplefilter("ignore")
X = np.random.default_rng(0).normal(size=(4000, 60)).astype(np.float32)
y = (X[:, :3] > 0).sum(axis=1)
n_threads, others = None, set(os.listdir("/proc/self/task"))

def report():
    while is_contended():  # else one thread would work alone, while the machine is busy
        time.sleep(0.01)
    model = fastnn.MLPClassifier((200,), max_iter=2, random_state=0, n_threads=n_threads).fit(X, y)
    assert model.predict(X[:500]).shape == (500,)
    team = [sorted(os.sched_getaffinity(int(task))) for task in os.listdir("/proc/self/task") if task not in others]
    together = set(os.sched_getaffinity(0)).union(*team)
    n_jobs = [threads_for(n_jobs) for n_jobs in (None, -1)]
    print(json.dumps([[effective_n_threads(), *n_jobs, 1 + len(team)], sorted(together), team]))
"""


def reports(before="", code="report()", **environment):
    """The reports in a program's output."""
    program = "\n".join(["import os", before, REPORT, code])
    return [json.loads(line) for line in run_python(program, OPENBLAS_NUM_THREADS="1", **environment).splitlines()]


# Settings of the environment, with the expected number of threads and the expected cores.
ENVIRONMENTS = {
    "nothing": ({}, CORES),
    "true": ({"OMP_PROC_BIND": "true"}, CORES),
    "close": ({"OMP_PROC_BIND": "close"}, CORES),
    "spread": ({"OMP_PROC_BIND": "spread"}, CORES),
    "false": ({"OMP_PROC_BIND": "false"}, CORES),
    "master": ({"OMP_PROC_BIND": "master"}, [FIRST]),
    "cores": ({"OMP_PLACES": "cores"}, CORES),
    "threads, spread": ({"OMP_PLACES": "threads", "OMP_PROC_BIND": "spread"}, CORES),
    "threads, false": ({"OMP_PLACES": "threads", "OMP_PROC_BIND": "false"}, CORES),
    "one place": ({"OMP_PLACES": f"{{{LAST}}}"}, [LAST]),
    "one place, close": ({"OMP_PLACES": f"{{{FIRST}}}", "OMP_PROC_BIND": "close"}, [FIRST]),
    "two places": ({"OMP_PLACES": f"{{{LAST}}},{{{FIRST}}}"}, [FIRST, LAST]),
    "two places, true": ({"OMP_PLACES": f"{{{FIRST}}},{{{LAST}}}", "OMP_PROC_BIND": "true"}, [FIRST, LAST]),
    "a place of two cores": ({"OMP_PLACES": f"{{{FIRST},{LAST}}}"}, [FIRST, LAST]),
    "GOMP_CPU_AFFINITY": ({"GOMP_CPU_AFFINITY": f"{LAST} {FIRST}"}, [FIRST, LAST]),
    "KMP_AFFINITY": ({"KMP_AFFINITY": "granularity=fine,compact,1,0"}, CORES),
}
# fastnn's own runtime, if it was built on this machine: it has found one core only.
SYSTEMS = """
import contextlib, ctypes, sklearn
with contextlib.suppress(OSError):
    ctypes.CDLL("libgomp.so.1")
"""
IMPORTS = {
    "fastnn first": "",
    "scikit-learn first": "import sklearn",
    "the system's OpenMP first": SYSTEMS,
}


# Each setting is tested in the usual order of imports, and settings that bind differently in every order.
ROWS = [(name, "fastnn first") for name in ENVIRONMENTS] + [
    (name, imports)
    for imports in ("scikit-learn first", "the system's OpenMP first")
    for name in ("nothing", "true", "two places", "GOMP_CPU_AFFINITY")
]


@needs_two_cores
@pytest.mark.parametrize(("name", "imports"), ROWS)
def test_threads_run_on_the_cores_that_the_process_may_use(name, imports):
    environment, right = ENVIRONMENTS[name]
    [(counts, together, _)] = reports(before=IMPORTS[imports], **environment)
    assert (counts, together) == ([len(right)] * 4, right)


@needs_two_cores
@pytest.mark.parametrize("binding", [{}, {"OMP_PROC_BIND": "true"}, {"GOMP_CPU_AFFINITY": f"{FIRST} {LAST}"}], ids=str)
def test_a_mask_set_before_the_start_stays_a_limit(binding):
    """taskset, batch systems and containers set such masks."""
    [(counts, _, team)] = reports(before=f"os.sched_setaffinity(0, [{LAST}])", **binding)
    assert (counts, team) == ([1] * 4, [])


@needs_two_cores
@pytest.mark.parametrize("imports", ["", "import sklearn"])
@pytest.mark.parametrize("binding", [{}, {"OMP_PROC_BIND": "true"}], ids=str)
def test_other_limits_hold_where_threads_are_bound(binding, imports):
    limited, free = reports(before=imports, code="with threadpool_limits(1): report()\nreport()", **binding)
    assert limited[0] == [1] * 4
    assert free[:2] == [[len(CORES)] * 4, CORES]
    [(counts, together, _)] = reports(before=imports, OMP_NUM_THREADS="3", **binding)
    assert (counts, together) == ([3] * 4, CORES[:3] if binding else CORES)


@needs_two_cores
@pytest.mark.parametrize(
    ("binding", "imports"),
    [({}, "fastnn first"), *[({"OMP_PROC_BIND": "true"}, imports) for imports in IMPORTS]],
    ids=str,
)
def test_a_mask_set_later_holds_narrower_and_wider(binding, imports):
    code = f"""
report()
os.sched_setaffinity(0, [{LAST}])
print(json.dumps(effective_n_threads()))
n_threads = 2
report()
os.sched_setaffinity(0, {CORES})
n_threads = None
report()
"""
    bound, n_narrow, narrow, wide = reports(before=IMPORTS[imports], code=code, **binding)
    assert bound[:2] == [[len(CORES)] * 4, CORES]
    assert n_narrow == 1
    assert narrow[2] == [[LAST]]  # threads on other cores have moved there
    assert wide[:2] == [[len(CORES)] * 4, CORES]


@needs_two_cores
@pytest.mark.parametrize("binding", [{}, {"OMP_PROC_BIND": "true"}], ids=str)
def test_a_mask_narrow_at_the_start_may_be_widened(binding):
    code = f"report()\nos.sched_setaffinity(0, {CORES})\nreport()"
    narrow, wide = reports(before=f"os.sched_setaffinity(0, [{FIRST}])", code=code, **binding)
    assert narrow[0] == [1] * 4
    assert wide[:2] == [[len(CORES)] * 4, CORES]


@needs_two_cores
def test_threads_of_the_user_use_the_cores_that_their_own_masks_leave():
    code = f"""
import threading
def narrowed():
    others.add(str(threading.get_native_id()))
    os.sched_setaffinity(0, [{LAST}])
    report()
threads = [threading.Thread(target=narrowed), threading.Thread(target=report)]
for thread in threads:
    thread.start()
    thread.join()
"""
    narrowed, bound = reports(code=code, OMP_PROC_BIND="true")
    assert narrowed[0][:3] == [1] * 3
    assert bound[0][:3] == [len(CORES)] * 3


@needs_two_cores
@pytest.mark.skipif(not Path(sys.prefix, "lib", "libiomp5.so").exists(), reason="needs intel-openmp")
def test_another_runtime_that_binds_the_main_thread_later():
    """MKL's runtime does so in its first product."""
    code = """
import ctypes, fastnn
runtime = ctypes.CDLL(os.path.join(sys.prefix, "lib", "libiomp5.so"))
work = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda _: None)
runtime.GOMP_parallel(work, None, 0, 0)
others |= set(os.listdir("/proc/self/task"))
assert len(os.sched_getaffinity(0)) == 1
report()
"""
    [(counts, together, _)] = reports(code=code, KMP_AFFINITY="granularity=fine,compact")
    assert (counts, together) == ([len(CORES)] * 4, CORES)


class Runtime:
    """A stand-in for an OpenMP runtime with other places than this machine's cores."""

    def __init__(self, places, n_cores=None, proc_bind=1):
        self.places, self.proc_bind = places, proc_bind
        self.n_cores = len(set(chain.from_iterable(places))) if n_cores is None else n_cores

    def omp_get_num_places(self):
        return len(self.places)

    def omp_get_place_num_procs(self, place):
        return len(self.places[place])

    def omp_get_place_proc_ids(self, place, ids):
        ids[:] = self.places[place]

    def omp_get_proc_bind(self):
        return self.proc_bind

    def omp_get_num_procs(self):
        return self.n_cores


SIXTEEN = [[core] for core in range(16)]


@pytest.mark.parametrize(
    ("runtime", "mask", "right"),
    [
        (Runtime(SIXTEEN), {0}, range(16)),
        (Runtime(SIXTEEN, proc_bind=cores.BIND_TO_PRIMARY), {0}, [0]),
        (Runtime(SIXTEEN), {5}, [5]),  # set by the user
        (Runtime(SIXTEEN), {0, 1}, [0, 1]),
        (Runtime(SIXTEEN), range(16), range(16)),
        (Runtime([[core, core + 8] for core in range(8)]), {0, 8}, range(16)),  # two hardware threads a core
        (Runtime([[core, core + 8] for core in range(8)]), {0}, [0]),
        (Runtime([[7], [3]]), {7}, [3, 7]),
        (Runtime([[0], [0], [1]]), {0}, [0, 1]),
        (Runtime(SIXTEEN, n_cores=4), {0}, range(4)),  # GOMP_CPU_AFFINITY names more cores than taskset has left
        (Runtime([], n_cores=16), {2}, [2]),  # it does not bind
    ],
)
def test_the_cores_that_a_runtime_has_divided(runtime, mask, right):
    assert cores._divided_cores(runtime, frozenset(mask)) == frozenset(right)
