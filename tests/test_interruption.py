"""Ctrl-C at any moment of a fit."""

import copy
import signal
import sys
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
from processes import run_python

import fastnn
from fastnn import MLPClassifier, Perceptron
from fastnn.interruption import Interruption

rng = np.random.default_rng(0)
X = rng.normal(size=(60, 5))
y = (X[:, :2] + rng.normal(size=(60, 2)) > 0).sum(axis=1)
HERE = str(Path(fastnn.__file__).parent)
MODELS = {
    "adam": lambda: MLPClassifier((4,), max_iter=2, random_state=0),
    "lbfgs": lambda: MLPClassifier((4,), solver="lbfgs", max_iter=2, random_state=0),
    "warm start": lambda: MLPClassifier((4,), warm_start=True, max_iter=1, random_state=0),
    "perceptron": lambda: Perceptron(max_iter=3, average=True),
}


@pytest.mark.skipif(sys.platform != "linux", reason="it looks at the memory in use, as Linux tells it")
@pytest.mark.parametrize("kind", ["adam", "lbfgs", "perceptron"])
def test_ctrl_c_at_random_moments_leaves_a_whole_model(kind):
    assert kind in run_python(Path(__file__).parent / "soak" / "interruption.py", kind, 24)


def at_line(n, function):
    """Call it, with Ctrl-C at the n-th line of fastnn that it runs; returns whether there were so many."""
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


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_ctrl_c_at_any_line_leaves_the_old_model_or_a_new_one(make):
    """And it is never lost: it raises, or the fit says that it was interrupted."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        old = make().fit(X[:30], y[:30])
        new = copy.deepcopy(old).fit(X, y)
        outcomes = []
        while True:
            caught.clear()
            model = copy.deepcopy(old)
            try:
                if not at_line(len(outcomes) + 1, lambda model=model: model.fit(X, y)):
                    break
                assert "Training interrupted by user." in [str(warning.message) for warning in caught]
                outcomes.append("stopped early")
            except KeyboardInterrupt:
                is_old = np.array_equal(model.predict(X), old.predict(X))
                assert is_old or np.array_equal(model.predict(X), new.predict(X))
                outcomes.append("old" if is_old else "new")
            assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
            assert vars(model).keys() == vars(old).keys()
            model.fit(X, y)  # nobody holds it
    assert outcomes.count("old") > 40


def test_ctrl_c_after_the_last_look_is_not_lost():
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
