"""Ctrl-C at any moment of a fit."""

import copy
import math
import signal
import sys
import threading
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from processes import run_python
from sklearn.model_selection import GridSearchCV, cross_val_score

import fastnn
from fastnn import MLPClassifier, MLPRegressor, Perceptron, SequentialClassifier
from fastnn.layers import GRU, BatchNormalization, Conv1D, Flatten
from fastnn.runtime import sharing
from fastnn.training import interruption
from fastnn.training.interruption import Interruption

rng = np.random.default_rng(0)
X = rng.normal(size=(60, 5))
y = (X[:, :2] + rng.normal(size=(60, 2)) > 0).sum(axis=1)
HERE = str(Path(fastnn.__file__).parent)
MODELS = {
    "adam": lambda: MLPClassifier((4,), max_iter=2, random_state=0),
    "lbfgs": lambda: MLPClassifier((4,), solver="lbfgs", max_iter=2, random_state=0),
    "warm start": lambda: MLPClassifier((4,), warm_start=True, max_iter=1, random_state=0),
    "layers": lambda: SequentialClassifier([Conv1D(3, 2), BatchNormalization(), Flatten()], max_iter=2, random_state=0),
    "sequences": lambda: SequentialClassifier([GRU(3)], max_iter=2, random_state=0),
    "perceptron": lambda: Perceptron(max_iter=3, average=True),
}


@pytest.mark.skipif(sys.platform != "linux", reason="it looks at the memory in use, as Linux tells it")
@pytest.mark.parametrize("kind", ["adam", "lbfgs", "layers", "sequences", "perceptron"])
def test_ctrl_c_at_random_moments_leaves_a_whole_model(kind):
    assert kind in run_python(Path(__file__).parents[1] / "soak" / "interruption.py", kind, 24)


def at_line(n, function):
    """Call a function with Ctrl-C at the n-th line of fastnn that it runs; returns whether it ran n lines."""
    left = n

    def trace(frame, event, arg):
        nonlocal left
        if not frame.f_code.co_filename.startswith(HERE):
            return None
        if event == "line":
            left -= 1
            if left == 0:
                signal.raise_signal(signal.SIGINT)
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function()
    finally:
        sys.settrace(before)
    return left <= 0


@pytest.mark.parametrize("repeated", [False, True], ids=["once", "again"])
@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_ctrl_c_at_any_line_leaves_the_old_model_or_a_new_one(make, repeated, monkeypatch):
    """Ctrl-C is never lost: it raises, or the fit warns, unless another fit has just been ended by Ctrl-C."""
    monkeypatch.setattr(interruption, "REPEAT_SECONDS", 1e9 if repeated else 0.0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        old = make().fit(X[:30], y[:30])
        new = copy.deepcopy(old).fit(X, y)
        outcomes = []
        while True:
            caught.clear()
            model = copy.deepcopy(old)
            interruption._last_press = time.monotonic() if repeated else -math.inf
            try:
                if not at_line(len(outcomes) + 1, lambda model=model: model.fit(X, y)):
                    break
                assert not repeated
                assert "Training interrupted by user." in [str(warning.message) for warning in caught]
                outcomes.append("stopped early")
            except KeyboardInterrupt:
                is_old = np.array_equal(model.predict(X), old.predict(X))
                assert is_old or np.array_equal(model.predict(X), new.predict(X))
                outcomes.append("old" if is_old else "new")
            assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
            assert sharing._outermost == {}
            assert sharing._place_here() is None
            assert vars(model).keys() == vars(old).keys()
            model.fit(X, y)  # no call is changing it
    assert outcomes.count("old") > 40


def test_ctrl_c_after_the_last_check_is_not_lost():
    with pytest.raises(KeyboardInterrupt), Interruption() as interruption:
        interruption.check()
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_another_thread_leaves_the_handler_alone():
    handlers = []

    def enter():
        with Interruption():
            handlers.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert handlers == [signal.default_int_handler]


# -- a second Ctrl-C ---------------------------------------------------------------------------------------------------

ENDLESS = {"max_iter": 10**6, "tol": 0.0, "n_iter_no_change": 10**6, "random_state": 0}
interrupted = pytest.mark.filterwarnings("ignore:Training interrupted by user")


def press(model=None, times=1):
    """Press Ctrl-C, as a callback of a fit."""
    for _ in range(times):
        signal.raise_signal(signal.SIGINT)


ENDED = {
    "adam": lambda: MLPClassifier((4,), callback=press, **ENDLESS),
    "lbfgs": lambda: MLPClassifier((4,), solver="lbfgs", callback=press, **ENDLESS),
    "regressor": lambda: MLPRegressor("squared_error", (4,), callback=press, **ENDLESS),
}
ended = pytest.mark.parametrize("make", ENDED.values(), ids=ENDED)


@interrupted
@ended
@pytest.mark.parametrize("search", ["cross_val_score", "grid search"])
def test_a_second_ctrl_c_ends_a_search(search, make, monkeypatch):
    def run():
        if search == "cross_val_score":
            return cross_val_score(make(), X, y, cv=3, error_score="raise")
        return GridSearchCV(make(), {"alpha": [0.1]}, cv=3, refit=False, error_score="raise").fit(X, y)

    with pytest.raises(KeyboardInterrupt):
        run()
    monkeypatch.setattr(interruption, "REPEAT_SECONDS", 0.0)  # as if more than a second passed between any two
    run()


@interrupted
@ended
@pytest.mark.parametrize("second", [*ENDED, "perceptron"])
def test_a_second_ctrl_c_in_another_fit(make, second, monkeypatch):
    first = make().fit(X, y)
    assert first.n_iter_ == 1
    monkeypatch.setattr("fastnn.training.perceptron_loop.Lines.say", lambda self, text: press())
    other = Perceptron(verbose=1) if second == "perceptron" else ENDED[second]()
    with pytest.raises(KeyboardInterrupt):
        other.fit(X, y)
    assert not hasattr(other, "classes_")
    assert not hasattr(other, "n_iter_")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@interrupted
@ended
def test_a_second_ctrl_c_in_the_same_fit(make, monkeypatch):
    """It raises at once, without waiting for the next check, and however long after the first it came."""
    fitted = make().fit(X, y)
    before = fitted.predict(X)
    went_on = []

    def press_twice(model):
        press(times=2)
        went_on.append(model)

    for seconds in (1.0, 0.0):
        monkeypatch.setattr(interruption, "REPEAT_SECONDS", seconds)
        with pytest.raises(KeyboardInterrupt):
            fitted.set_params(callback=press_twice).fit(X, y)
        np.testing.assert_array_equal(fitted.predict(X), before)
    assert went_on == []


@interrupted
@ended
def test_a_second_ctrl_c_in_a_fit_within_a_fit(make):
    """The inner fit has no handler of its own, and must not keep Ctrl-C from the outer one."""
    inner = make().set_params(callback=lambda model: press(times=2))
    outer = make().set_params(callback=lambda model: inner.fit(X, y) is None)
    with pytest.raises(KeyboardInterrupt):
        outer.fit(X, y)
    assert not hasattr(inner, "n_iter_")
    assert not hasattr(outer, "n_iter_")


@interrupted
@ended
def test_a_second_ctrl_c_by_a_handler_of_the_programs_own(make):
    def handler(number, frame):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, handler)
    try:
        assert make().fit(X, y).n_iter_ == 1
        assert signal.getsignal(signal.SIGINT) is handler
        with pytest.raises(KeyboardInterrupt):
            make().fit(X, y)
    finally:
        signal.signal(signal.SIGINT, before)


@interrupted
def test_a_second_ctrl_c_that_the_garbage_collector_ignores():
    """Python ignores errors there: the next check raises KeyboardInterrupt again."""

    def swallow(model):
        press()
        try:
            press()
        except KeyboardInterrupt:
            return

    with pytest.raises(KeyboardInterrupt):
        MLPClassifier((4,), callback=swallow, **ENDLESS).fit(X, y)


@interrupted
def test_other_threads_have_no_second_ctrl_c():
    def stop(model):
        raise KeyboardInterrupt

    models = [MLPClassifier((4,), callback=stop, **ENDLESS) for _ in "ab"]

    def fit():
        for model in models:
            model.fit(X, y)

    thread = threading.Thread(target=fit)
    thread.start()
    thread.join()
    assert [model.n_iter_ for model in models] == [1, 1]
