"""What most tests are parametrised over: every instruction set this CPU has, both types, several threads."""

import math
import os
import signal

import numpy as np
import pytest

from fastnn.engine.isa import available_levels

os.environ.setdefault("MPLBACKEND", "agg")  # pictures are drawn, not shown


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    """Let pytest-mpl, where it is installed, compare pictures, and not only draw them."""
    if config.pluginmanager.hasplugin("pytest_mpl"):
        config.option.mpl = True


@pytest.fixture(params=available_levels())
def level(request):
    return request.param


@pytest.fixture(params=["float32", "float64"])
def dtype(request):
    return np.dtype(request.param)


@pytest.fixture(params=[1, 2, 3], ids="threads={}".format)
def n_threads(request):
    return request.param


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(autouse=True)
def global_generator():
    """Each test starts from one state of NumPy's generator, from which estimators without random_state are seeded."""
    np.random.seed(0)  # noqa: NPY002


@pytest.fixture(autouse=True, scope="session")
def ctrl_c_works():
    """Shells start background jobs with SIGINT ignored, and then no Ctrl-C would ever reach the tests of it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True)
def no_ctrl_c_just_before(monkeypatch):
    """In another test, that is: the one in this would be the second within a second."""
    monkeypatch.setattr("fastnn.training.interruption._last_press", -math.inf)
