"""Jobs side by side: their results, errors, Ctrl-C, warnings, and what threads have of their own."""

import os
import signal
import threading
import time
import warnings
from functools import partial

import numpy as np
import pytest
import sklearn
from processes import PATIENCE, run_python

from fastnn import MLPClassifier, Perceptron
from fastnn.runtime import sharing
from fastnn.runtime.sharing import threads_now
from fastnn.training import side_by_side
from fastnn.training.side_by_side import run_side_by_side

rng = np.random.default_rng(0)
X = rng.normal(size=(600, 40)).astype(np.float32)
y = (X[:, :3] > 0).sum(axis=1)
ENDLESS = {"max_iter": 10**9, "tol": 0.0, "n_iter_no_change": np.inf}
every_number = pytest.mark.parametrize("n_threads", [1, 2, 3, 8])


@pytest.fixture(autouse=True)
def nothing_is_left():
    yield
    assert sharing._outermost == {}
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert not [thread for thread in threading.enumerate() if "_work" in thread.name]


def fail(error):
    raise error


@every_number
def test_outcomes_are_in_order(n_threads):
    error = ValueError("three")
    jobs = [lambda i=i: i for i in range(3)] + [lambda: fail(error), lambda: 4, lambda: fail(SystemExit())]
    outcomes = run_side_by_side(jobs, n_threads=n_threads)
    assert outcomes[:5] == [(0, None), (1, None), (2, None), (None, error), (4, None)]
    assert isinstance(outcomes[5][1], SystemExit)
    assert run_side_by_side([], n_threads=n_threads) == []


def test_the_costliest_begins_first():
    begun = []
    lock = threading.Barrier(2)

    def job(i):
        begun.append(i)
        lock.wait(PATIENCE)

    run_side_by_side([lambda i=i: job(i) for i in range(4)], n_threads=2, costs=[1, 5, 2, 4])
    assert (set(begun[:2]), set(begun[2:])) == ({1, 3}, {0, 2})


@pytest.mark.parametrize(("n_threads", "n_jobs"), [(1, 4), (2, 4), (3, 3), (8, 4), (8, 3)])
def test_no_more_threads_than_are_allowed(n_threads, n_jobs):
    shares, meet = [], threading.Barrier(min(n_threads, n_jobs))

    def job():
        meet.wait(PATIENCE)
        share = threads_now()
        meet.wait(PATIENCE)
        shares.append(share)

    run_side_by_side([job] * n_jobs, n_threads=n_threads)
    expected = {3: [2, 3, 3], 4: [2] * 4}[n_jobs] if n_threads == 8 else [1] * n_jobs
    assert sorted(shares) == expected


def test_the_last_ones_get_the_threads_of_those_that_have_ended():
    shares = []

    def last():
        end = time.monotonic() + PATIENCE
        while threads_now() < 4 and time.monotonic() < end:
            time.sleep(0.01)
        shares.append((threads_now(), threads_now(3)))

    run_side_by_side([last, lambda: None], n_threads=4)
    assert shares == [(4, 3)]


def test_runs_within_a_job_have_its_share():
    meet, outer_meet = [threading.Barrier(2), threading.Barrier(2)], threading.Barrier(2)

    def inner(i):
        meet[i].wait(PATIENCE)
        share = threads_now()
        meet[i].wait(PATIENCE)
        return share

    def outer(i):
        outer_meet.wait(PATIENCE)
        shares = [share for share, _ in run_side_by_side([lambda: inner(i)] * 2)]
        shares += [share for share, _ in run_side_by_side([threads_now], n_threads=64)]
        outer_meet.wait(PATIENCE)
        return shares

    outcomes = run_side_by_side([lambda: outer(0), lambda: outer(1)], n_threads=4)
    assert outcomes == [([1, 1, 2], None)] * 2


@pytest.mark.parametrize("n_started", [0, 1])
def test_where_the_system_starts_no_more_threads(n_started, monkeypatch):
    class Thread(threading.Thread):
        n_left = n_started

        def start(self):
            if Thread.n_left == 0:
                raise RuntimeError("can't start new thread")
            Thread.n_left -= 1
            super().start()

    monkeypatch.setattr(side_by_side, "Thread", Thread)
    assert run_side_by_side([lambda: 1, lambda: 2, lambda: 3], n_threads=3) == [(1, None), (2, None), (3, None)]


@every_number
def test_settings_of_the_calling_thread_hold_in_jobs(n_threads):
    def job():
        return np.geterr()["over"], sklearn.get_config()["assume_finite"]

    with np.errstate(over="raise"), sklearn.config_context(assume_finite=True):
        assert run_side_by_side([job] * 3, n_threads=n_threads) == [(("raise", True), None)] * 3


# -- warnings ----------------------------------------------------------------------------------------------------------


@every_number
def test_warnings_point_at_the_line_that_runs_them(n_threads):
    fits = [MLPClassifier((3,), max_iter=1).fit, Perceptron(max_iter=1).fit]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run_side_by_side([partial(fit, X, y) for fit in fits], n_threads=n_threads)
    assert [warning.filename for warning in caught] == [__file__] * 2


def test_filters_are_as_before():
    """Python's catch_warnings is not made for threads: one restores what another has set."""
    meet = threading.Barrier(2)

    def first():
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            meet.wait(PATIENCE)
            meet.wait(PATIENCE)

    def second():
        meet.wait(PATIENCE)
        with warnings.catch_warnings():
            meet.wait(PATIENCE)
            time.sleep(0.05)

    before = list(warnings.filters)
    run_side_by_side([first, second], n_threads=2)
    assert warnings.filters == before


# -- Ctrl-C ------------------------------------------------------------------------------------------------------------


def press():
    os.kill(os.getpid(), signal.SIGINT)


ENDLESS_FITS = {
    "adam": lambda: MLPClassifier((40,), random_state=0, **ENDLESS),
    # It comes to its end in 40 to 300 iterations, hence the pauses between them.
    "lbfgs": lambda: MLPClassifier(
        (40,),
        solver="lbfgs",
        dtype="float64",
        callback=lambda fit: time.sleep(0.05),
        random_state=0,
        **ENDLESS | {"n_iter_no_change": 10**9, "max_fun": 10**9},
    ),
    "perceptron": lambda: Perceptron(max_iter=10**9, tol=None),
}


@pytest.fixture
def first_press(monkeypatch):
    """Ctrl-C is not the second within a second, whatever the last test did."""
    monkeypatch.setattr("fastnn.training.interruption._last_press", -np.inf)


@every_number
@pytest.mark.parametrize("seconds", [0.02, 0.2])
@pytest.mark.usefixtures("first_press")
def test_ctrl_c_ends_all_fits(n_threads, seconds):
    models, pressed = [make() for make in ENDLESS_FITS.values()], []
    refitted = MLPClassifier((40,), max_iter=2, tol=0, random_state=0).partial_fit(X, y, classes=range(4))
    before = refitted.predict_proba(X)
    refitted.set_params(**ENDLESS)

    def later():
        time.sleep(seconds)
        pressed.append(time.process_time())
        press()

    threading.Thread(target=later).start()
    with pytest.raises(KeyboardInterrupt):
        run_side_by_side([lambda model=model: model.fit(X, y) for model in [refitted, *models]], n_threads=n_threads)
    assert time.process_time() - pressed[0] < 0.5 * os.cpu_count()  # which other work here does not lengthen
    assert not any(hasattr(model, "n_iter_") for model in models)
    np.testing.assert_array_equal(refitted.predict_proba(X), before)
    refitted.partial_fit(X, y)  # it is free again


@pytest.mark.usefixtures("first_press")
def test_what_had_ended_stays_and_what_has_not_begun_is_left_out():
    done, begun = threading.Event(), []
    first = MLPClassifier((3,), max_iter=1, random_state=0)
    endless = MLPClassifier((30,), random_state=0, **ENDLESS)

    def fit_first():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            first.fit(X, y)
        done.set()
        time.sleep(PATIENCE if not pressed.wait(PATIENCE) else 0.2)

    def fit_endless():
        done.wait(PATIENCE)
        threading.Timer(0.05, lambda: (press(), pressed.set())).start()
        endless.fit(X, y)

    pressed = threading.Event()
    with pytest.raises(KeyboardInterrupt):
        run_side_by_side([fit_first, fit_endless, lambda: begun.append(1)], n_threads=2)
    assert hasattr(first, "n_iter_")
    assert not hasattr(endless, "n_iter_")
    assert begun == []


@every_number
def test_a_job_that_raises_keyboard_interrupt_ends_all(n_threads):
    def callback(model):
        raise KeyboardInterrupt

    models = [MLPClassifier((3,), callback=callback, **ENDLESS), MLPClassifier((3,), **ENDLESS)]
    with pytest.raises(KeyboardInterrupt):
        run_side_by_side([lambda model=model: model.fit(X, y) for model in models], n_threads=n_threads)


@pytest.mark.usefixtures("first_press")
def test_runs_within_jobs_end_too():
    models = [MLPClassifier((3,), random_state=i, **ENDLESS) for i in range(4)]

    def job(pair):
        run_side_by_side([lambda model=model: model.fit(X, y) for model in pair])

    threading.Timer(0.1, press).start()
    with pytest.raises(KeyboardInterrupt):
        run_side_by_side([lambda: job(models[:2]), lambda: job(models[2:])], n_threads=4)
    assert not any(hasattr(model, "n_iter_") for model in models)


@pytest.mark.usefixtures("first_press")
def test_on_another_thread_ctrl_c_is_the_main_threads():
    ends, outcomes = threading.Event(), []
    thread = threading.Thread(target=lambda: outcomes.append(run_side_by_side([ends.wait, lambda: 2], n_threads=2)))
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        press()
        time.sleep(1)
    ends.set()
    thread.join(PATIENCE)
    assert outcomes == [[(True, None), (2, None)]]


IMPATIENT = """if True:
    import os, signal, threading, time
    from fastnn.training.side_by_side import run_side_by_side

    signal.signal(signal.SIGINT, signal.default_int_handler)
    def press():
        for seconds in (0.2, 0.2, 0.2):
            time.sleep(seconds)
            os.kill(os.getpid(), signal.SIGINT)
    threading.Thread(target=press).start()
    start = time.monotonic()
    try:
        run_side_by_side([lambda: time.sleep(30), lambda: time.sleep(30)], n_threads=2)
    except KeyboardInterrupt:
        print(time.monotonic() - start < 10)
"""


def test_jobs_that_do_not_end_are_left_after_more_presses():
    assert run_python(IMPATIENT).strip() == "True"


# -- display -----------------------------------------------------------------------------------------------------------


@every_number
def test_lines(n_threads, capsys, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    run_side_by_side([lambda: 1, lambda: 2], n_threads=n_threads, names=["left", "right"], verbose=1)
    lines = capsys.readouterr().out.splitlines()
    assert [line[:6] for line in lines] == ["Fit 1:", "Fit 2:"]
    assert {line[7:] for line in lines} == {"left", "right"}


@pytest.mark.parametrize("library", ["rich", "tqdm"])
def test_bars(library, capsys, monkeypatch):
    pytest.importorskip(library)
    import importlib.util

    found = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: found(name) if name == library else None)
    run_side_by_side([lambda: 1, lambda: 2], n_threads=2, names=["left", "right"], verbose=1)
    shown = capsys.readouterr()
    assert "2/2" in shown.out + shown.err
    assert "fit" in shown.out + shown.err
