"""A fit uses as many threads and cores as the limits of its process allow, and no more."""

import os
import sys
from pathlib import Path

import joblib
import pytest
from processes import run_python

from fastnn.engine.threads import team
from fastnn.runtime import threads
from fastnn.runtime.threads import effective_n_threads

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="threads are counted as Linux tells them"),
    pytest.mark.skipif(not team.openmp_version, reason="built without OpenMP: one thread, whatever the limits"),
]

# Prints the number of threads that fits and predictions start, and the share of a core that they use.
MEASURE = """
import os, time, warnings
import joblib
import numpy as np
from threadpoolctl import threadpool_limits
from fastnn import MLPClassifier, MLPRegressor, Perceptron
warnings.simplefilter("ignore")
X = np.random.default_rng(0).normal(size=(4000, 60)).astype(np.float32)
y = (X[:, :3] > 0).sum(axis=1)

def measure():
    before = set(os.listdir("/proc/self/task"))  # OpenBLAS's among them
    wall, used = time.perf_counter(), time.process_time()
    for model in (
        MLPClassifier((200,), max_iter=3),
        MLPClassifier((200,), solver="lbfgs", max_iter=3),
        MLPRegressor(hidden_layer_sizes=(200,), max_iter=3),
        Perceptron(max_iter=20),
    ):
        model.fit(X, y).predict(X)
    wall, used = time.perf_counter() - wall, time.process_time() - used
    return 1 + len(set(os.listdir("/proc/self/task")) - before), used / wall

"""
LIMITED = {
    "OMP_NUM_THREADS": ("print(*measure())", {"OMP_NUM_THREADS": "1"}),
    "threadpoolctl": ("with threadpool_limits(1): print(*measure())", {}),
    "one core": ("os.sched_setaffinity(0, [min(os.sched_getaffinity(0))]); print(*measure())", {}),
    "one core of a thread that has used several": (  # the others wait for work a little before they sleep
        "measure(); os.sched_setaffinity(0, [min(os.sched_getaffinity(0))]); time.sleep(0.3); print(*measure())",
        {},
    ),
}


@pytest.mark.parametrize(("code", "environment"), LIMITED.values(), ids=LIMITED)
def test_one_thread_where_the_limit_is_one(code, environment):
    # The few products that NumPy or SciPy compute are not tested here.
    n_threads, cores = run_python(MEASURE + code, OPENBLAS_NUM_THREADS="1", **environment).split()
    assert int(n_threads) == 1
    assert float(cores) < 1.1


@pytest.mark.skipif(joblib.cpu_count() < 2, reason="there is but one core")
def test_several_threads_where_there_is_no_limit():
    assert int(run_python(MEASURE + "print(*measure())", OPENBLAS_NUM_THREADS="1").split()[0]) > 1


@pytest.mark.parametrize("backend", ["loky", "multiprocessing"])
def test_joblibs_workers_share_the_cores(backend, tmp_path):
    """There are as many workers as cores, so each worker has one thread."""
    program = tmp_path / "program.py"  # a file, which the workers can import
    program.write_text(
        MEASURE
        + "if __name__ == '__main__':\n"
        + f"    workers = joblib.Parallel(joblib.cpu_count(), backend={backend!r})\n"
        + "    print(*(n for n, _ in workers(joblib.delayed(measure)() for _ in range(joblib.cpu_count()))))\n"
    )
    assert set(run_python(program, OPENBLAS_NUM_THREADS="1").split()) == {"1"}


def with_quota(tmp_path, monkeypatch, files):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="ascii")
    monkeypatch.setattr(threads, "CGROUPS", tmp_path / "sys")
    monkeypatch.setattr(threads, "MY_CGROUPS", tmp_path / "mine")
    return threads._quota()


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"mine": "0::/\n", "sys/cpu.max": "100000 100000\n"}, 1),
        ({"mine": "0::/a/b\n", "sys/a/b/cpu.max": "150000 100000\n"}, 2),
        ({"mine": "0::/a/b\n", "sys/a/b/cpu.max": "max 100000\n", "sys/a/cpu.max": "50000 100000\n"}, 1),
        ({"mine": "0::/a/b\n", "sys/a/b/cpu.max": "300000 100000\n", "sys/a/cpu.max": "800000 100000\n"}, 3),
        ({"mine": "0::/a/b\n"}, None),
        ({"mine": "0::/a\n", "sys/a/cpu.max": "0 0\n"}, None),
        (
            {
                "mine": "6:memory:/m\n5:cpu,cpuacct:/a\n",
                "sys/cpu,cpuacct/a/cpu.cfs_quota_us": "250000\n",
                "sys/cpu,cpuacct/a/cpu.cfs_period_us": "100000\n",
            },
            3,
        ),
        (
            {
                "mine": "1:cpu:/a/b\n0::/\n",
                "sys/cpu/a/b/cpu.cfs_quota_us": "-1\n",
                "sys/cpu/a/b/cpu.cfs_period_us": "100000\n",
                "sys/cpu/a/cpu.cfs_quota_us": "100000\n",
                "sys/cpu/a/cpu.cfs_period_us": "100000\n",
            },
            1,
        ),
        ({"mine": "5:cpu,cpuacct:/a\n", "sys/cpu.max": "nonsense"}, None),
        ({}, None),
    ],
)
def test_the_quota_of_a_cgroup_or_of_one_around_it(tmp_path, monkeypatch, files, cores):
    """joblib reads the outermost cgroup only: a container's limit is there, but systemd's are not."""
    assert with_quota(tmp_path, monkeypatch, files) == (float("inf") if cores is None else cores)


@pytest.fixture
def cgroup_of_one_core():
    """A real quota, if this process may set one."""
    if Path("/sys/fs/cgroup/cgroup.controllers").exists():
        group, settings = Path(f"/sys/fs/cgroup/fastnn-{os.getpid()}"), {"cpu.max": "100000 100000"}
    else:
        group = Path(f"/sys/fs/cgroup/cpu/fastnn-{os.getpid()}")
        settings = {"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "100000"}
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"no cgroup can be made here: {error}")
    try:
        for name, value in settings.items():
            (group / name).write_text(value)
        yield group
    except OSError as error:
        pytest.skip(f"no quota can be set here: {error}")
    finally:
        group.rmdir()


def test_one_thread_in_a_cgroup_of_one_core(cgroup_of_one_core):
    join = f"open({str(cgroup_of_one_core / 'cgroup.procs')!r}, 'w').write('0')\n"
    assert run_python(join + MEASURE + "print(*measure())", OPENBLAS_NUM_THREADS="1").split()[0] == "1"


def test_a_quota_limits_threads(tmp_path, monkeypatch):
    monkeypatch.setattr(threads, "_fixed_limits", lambda: {"the cgroup's quota": threads._quota()})
    monkeypatch.setattr(threads, "usable_cores", lambda: range(8))
    for name, function in {"max_threads": lambda: 8, "n_cores_found": 8, "run_on": lambda cores: None}.items():
        monkeypatch.setattr(team, name, function)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    with_quota(tmp_path, monkeypatch, {"mine": "0::/a\n", "sys/a/cpu.max": "250000 100000\n"})
    assert effective_n_threads() == 3
    assert effective_n_threads(5) == 5  # the parameter decides
