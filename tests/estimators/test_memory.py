"""Memory that cannot be had, and memory that is not given back."""

import gc
import sys
import weakref
from pathlib import Path

import numpy as np
import pytest
from processes import run_python

from fastnn import MLPClassifier, MLPRegressor, Perceptron, SequentialClassifier
from fastnn.engine.threads import team
from fastnn.layers import GRU, Conv1D, Flatten

SOAK = Path(__file__).parents[1] / "soak"
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="limits on memory are Linux's")
NO_THREADS = """
import os, resource, sys, warnings
import numpy as np
from fastnn import MLPClassifier, Perceptron
warnings.simplefilter("ignore")
X = np.random.default_rng(0).normal(size=(3000, 100)).astype(np.float32)
y = (X[:, :3] > 0).sum(axis=1)
expected = [MLPClassifier((200,), max_iter=2, random_state=0, n_threads=1).fit(X, y), Perceptron(n_jobs=1).fit(X, y)]
expected = expected[0].predict_proba(X), expected[1].coef_
before = len(os.listdir("/proc/self/task"))
with open("/proc/self/statm") as file:
    used = int(file.read().split()[0]) * resource.getpagesize()
room = int(sys.argv[1]) << 20  # a thread's stack is 8 MiB
resource.setrlimit(resource.RLIMIT_AS, (used + room, resource.RLIM_INFINITY))
models = [MLPClassifier((200,), max_iter=2, random_state=0, n_threads=9).fit(X, y), Perceptron(n_jobs=9).fit(X, y)]
assert np.array_equal(models[0].predict_proba(X), expected[0])
assert np.array_equal(models[1].coef_, expected[1])
resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)
models[0].predict(X)
print(len(os.listdir("/proc/self/task")) - before)
"""


@on_linux
@pytest.mark.parametrize("kind", ["adam", "lbfgs", "layers", "sequences", "perceptron"])
def test_a_call_without_memory_raises_and_leaves_the_model_as_it_was(kind):
    assert "raised MemoryError" in run_python(SOAK / "memory_limits.py", kind, 16)


@on_linux
@pytest.mark.skipif(not team.openmp_version, reason="built without OpenMP: there are no threads to start")
@pytest.mark.parametrize("mebibytes", [7, 20, 50])
def test_threads_that_cannot_be_started_are_done_without(mebibytes):
    """OpenMP would end the process. They are back when there is memory again."""
    assert run_python(NO_THREADS, mebibytes, OMP_STACKSIZE="8M").strip() == "8"


@on_linux
def test_memory_does_not_grow():
    assert "400 cycles" in run_python(SOAK / "leaks.py", 400)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    "model",
    [
        MLPClassifier(max_iter=2),
        MLPClassifier(max_iter=2, early_stopping=True),
        MLPClassifier(max_iter=2, early_stopping=True, scoring="accuracy", callback=lambda model: None),
        MLPRegressor(max_iter=2, solver="lbfgs"),
        SequentialClassifier([Conv1D(3, 2), Flatten()], max_iter=2),
        SequentialClassifier([GRU(3)], max_iter=2),
        Perceptron(max_iter=2),
    ],
    ids=["classifier", "early stopping", "callback", "lbfgs", "layers", "sequences", "perceptron"],
)
def test_samples_are_given_back_when_a_fit_ends(model, rng):
    """Not when Python next looks for cycles, which may be gigabytes later."""
    X, y = rng.normal(size=(100, 5)), np.arange(100) % 2
    samples = weakref.ref(X)
    gc.collect()
    gc.disable()
    try:
        model.fit(X, y)
        del X
        assert samples() is None
    finally:
        gc.enable()
