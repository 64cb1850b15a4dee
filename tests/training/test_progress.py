"""The progress of a fit: lines, live bars, other displays at the same time, and output that fails."""

import contextlib
import importlib.util
import io
import os
import sys
import threading

import numpy as np
import pytest
from processes import PATIENCE, in_thread
from sklearn.linear_model import Perceptron as SklearnPerceptron
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neural_network import MLPClassifier as SklearnMLPClassifier
from sklearn.pipeline import make_pipeline

from fastnn import MLPClassifier, MLPRegressor, Perceptron
from fastnn.training.progress import Bar, Lines, NoProgress, progress

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

ESTIMATORS = {
    "adam": lambda **parameters: MLPClassifier((5,), max_iter=4, random_state=0, **parameters),
    "lbfgs": lambda **parameters: MLPClassifier((5,), solver="lbfgs", max_iter=4, random_state=0, **parameters),
    "regressor": lambda **parameters: MLPRegressor("squared_error", (5,), max_iter=4, random_state=0, **parameters),
    "perceptron": lambda **parameters: Perceptron(max_iter=4, **parameters),
}
estimators = pytest.mark.parametrize("make", ESTIMATORS.values(), ids=ESTIMATORS)
libraries = pytest.mark.parametrize("library", ["rich", "tqdm"])


@pytest.fixture
def data(rng):
    return rng.normal(size=(80, 4)), rng.integers(0, 3, 80)


@pytest.fixture(params=[False, True], ids=["file", "terminal"])
def terminal(request):
    """Whether rich assumes that its output is a terminal."""
    rich = pytest.importorskip("rich")
    rich.reconfigure(force_terminal=request.param, width=100)
    yield request.param
    rich.reconfigure()


def only(monkeypatch, library):
    """Make it appear that only one library for bars is installed, or that there is none."""
    if library:
        pytest.importorskip(library)
    found, others = importlib.util.find_spec, {"rich", "tqdm"} - {library}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in others else found(name))


def assert_no_bar_is_left():
    """rich can show another bar, and another thread can show one of tqdm's."""
    tqdm = pytest.importorskip("tqdm")
    in_thread(lambda: tqdm.tqdm(total=1, file=io.StringIO()).close())
    live = pytest.importorskip("rich.live")
    with live.Live("", auto_refresh=False) as another:
        assert not getattr(another, "_nested", False)  # an attribute of rich from 14.1 on


# -- lines and bars ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("learning_rate", ["constant", "adaptive"])
def test_scikit_learns_lines(early_stopping, learning_rate, rng, capsys):
    X, y = rng.normal(size=(80, 4)), rng.integers(0, 2, 80)
    texts = []
    for estimator in (MLPClassifier, SklearnMLPClassifier):
        model = estimator(
            (5,), solver="sgd", verbose=1, tol=0.05, n_iter_no_change=1, learning_rate=learning_rate, random_state=0,
            early_stopping=early_stopping, learning_rate_init=0.1,
        )  # fmt: skip
        model.fit(X, y)
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1]
    assert "Stopping." in texts[0]


def test_scikit_learns_lines_of_a_perceptron(data, capfd):
    X, y = data
    lines = []
    for estimator in (Perceptron, SklearnPerceptron):
        estimator(verbose=2, max_iter=3).fit(X, y > 1)
        sys.stdout.flush()
        lines.append([line for line in capfd.readouterr().out.splitlines() if line.startswith("-- Epoch")])
    assert lines[0] == lines[1] == ["-- Epoch 1", "-- Epoch 2", "-- Epoch 3"]


@pytest.mark.parametrize("library", ["rich", "tqdm", None])
def test_a_live_bar_or_lines(library, data, capsys, monkeypatch):
    only(monkeypatch, library)
    MLPClassifier((5,), verbose=2, n_iter_no_change=1, tol=10.0, max_iter=50).fit(*data)
    printed = capsys.readouterr()
    assert "did not improve more than" in printed.out + printed.err
    if library:
        assert "loss" in printed.out + printed.err
        assert "Iteration" not in printed.out
    else:
        assert printed.out.startswith("Iteration 1, loss = ")


def test_nothing_is_printed(data, capsys):
    for make in ESTIMATORS.values():
        make().fit(*data)
    assert capsys.readouterr() == ("", "")
    assert type(progress(0, 3)) is type(progress(False, 3)) is NoProgress
    assert type(progress(1, 3)) is type(progress(True, 3)) is Lines


@libraries
@pytest.mark.parametrize("seconds", [0.0, 1000.0])
def test_a_bar_is_drawn_at_most_so_often(library, seconds, data, terminal, capsys, monkeypatch):
    only(monkeypatch, library)
    monkeypatch.setattr("fastnn.training.progress.SECONDS_BETWEEN_DRAWINGS", seconds)
    ESTIMATORS["adam"](verbose=2).fit(*data)
    printed = capsys.readouterr()
    drawn = [epoch for epoch in range(5) if f"{epoch}/4" in printed.out + printed.err]
    if library == "rich" and not terminal:
        assert drawn == [4]
    else:
        assert drawn == ([0, 1, 4] if seconds else [0, 1, 2, 3, 4])


# -- beside other displays ---------------------------------------------------------------------------------------------


@estimators
@libraries
def test_a_bar_within_a_live_display_of_the_users(make, library, terminal, data, monkeypatch):
    """Before 14.1 rich allows one at a time: without care the scores of four folds of five are NaN."""
    only(monkeypatch, library)
    live = pytest.importorskip("rich.live")
    with live.Live("the user's", auto_refresh=False):
        scores = cross_val_score(make_pipeline(make(verbose=2)), *data, error_score="raise")
    assert np.isfinite(scores).all()
    assert_no_bar_is_left()


@libraries
def test_bars_of_several_threads(library, terminal, data, monkeypatch, capsys):
    only(monkeypatch, library)
    n_threads = 3
    together = threading.Barrier(n_threads)

    def wait(model):
        if model.n_iter_ <= 4:
            together.wait(PATIENCE)

    models = [MLPClassifier((5,), max_iter=4 + i, verbose=2, callback=wait) for i in range(n_threads)]
    threads = [threading.Thread(target=model.fit, args=data) for model in models]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert [model.n_iter_ for model in models] == [4, 5, 6]
    if library == "rich":
        assert capsys.readouterr().out.count("Iteration 4, loss") == n_threads - 1
        assert_no_bar_is_left()


def test_a_bar_within_a_bar(data, terminal, capsys):
    """The user's function fits a model of its own."""
    inner, outer = ESTIMATORS["adam"](verbose=2), ESTIMATORS["adam"](verbose=2)
    outer.set_params(callback=lambda model: inner.fit(*data) is None).fit(*data)
    assert inner.n_iter_ == outer.n_iter_ == 4
    assert capsys.readouterr().out.count("Iteration 4, loss") == 4
    assert_no_bar_is_left()


@pytest.mark.parametrize("make", [ESTIMATORS["adam"], ESTIMATORS["lbfgs"], ESTIMATORS["regressor"]])
@pytest.mark.parametrize("depth", [0, 1])
def test_lines_beside_scikit_learns_progress_bar(make, depth, terminal, data, capsys):
    """scikit-learn's bar is drawn by rich in a thread of its own, which fails if rich already shows a bar."""
    callbacks = pytest.importorskip("sklearn.callback", reason="scikit-learn has callbacks from 1.9 on")
    make(verbose=2).set_callbacks(callbacks.ProgressBar(depth)).fit(*data)
    assert "Iteration 2, loss" in capsys.readouterr().out
    search = GridSearchCV(make(verbose=2), {"alpha": [0.1, 1.0]}, cv=2, error_score="raise")
    if hasattr(search, "set_callbacks"):
        search.set_callbacks(callbacks.ProgressBar(depth)).fit(*data)
        assert capsys.readouterr().out.count("Iteration 2, loss") == 5
    assert_no_bar_is_left()


# -- output that fails -------------------------------------------------------------------------------------------------


def closed_file():
    file = io.StringIO()
    file.close()
    return file


def pipe_without_a_reader():
    reading, writing = os.pipe()
    os.close(reading)
    return open(writing, "w", buffering=1)


def ascii_terminal():
    return io.TextIOWrapper(io.BytesIO(), encoding="ascii", write_through=True)


class Failing(io.StringIO):
    def write(self, text):
        raise RuntimeError("as it was told to")


OUTPUTS = {
    "closed file": closed_file,
    "pipe without a reader": pipe_without_a_reader,
    "ascii": ascii_terminal,
    "raises": Failing,
    "none": lambda: None,
}


@estimators
@pytest.mark.parametrize("verbose", [1, 2])
@pytest.mark.parametrize("open_output", OUTPUTS.values(), ids=OUTPUTS)
@libraries
def test_output_that_fails_ends_no_fit(library, open_output, verbose, make, terminal, data, monkeypatch, capsys):
    only(monkeypatch, library)
    expected = make().fit(*data).predict(data[0])
    with monkeypatch.context() as patch:
        outputs = [open_output(), open_output()]
        patch.setattr(sys, "stdout", outputs[0])
        patch.setattr(sys, "stderr", outputs[1])
        model = make(verbose=verbose).fit(*data)
        assert [sys.stdout, sys.stderr] == outputs
    np.testing.assert_array_equal(model.predict(data[0]), expected)
    for output in outputs:
        with contextlib.suppress(OSError, AttributeError):
            output.close()
    assert_no_bar_is_left()
    pytest.importorskip("rich").print("the user's")
    assert "epoch" not in capsys.readouterr().out  # text that could not be written is not printed later


@libraries
def test_lines_from_where_a_bar_fails(library, data, monkeypatch, capsys):
    only(monkeypatch, library)
    module = pytest.importorskip("rich.progress" if library == "rich" else "tqdm.auto")
    owner, name = (module.Progress, "update") if library == "rich" else (module.tqdm, "set_postfix")
    show, n_calls = getattr(owner, name), 0

    def fail(*arguments, **options):
        nonlocal n_calls
        n_calls += 1
        if n_calls > 2:
            raise RuntimeError("as it was told to")
        return show(*arguments, **options)

    monkeypatch.setattr(owner, name, fail)
    MLPClassifier((5,), verbose=2, tol=10.0, n_iter_no_change=3).fit(*data)
    printed = capsys.readouterr()
    assert n_calls == 3
    lines = [line for line in (printed.out + printed.err).splitlines() if line.startswith(("Iteration", "Training"))]
    assert [line[:11] for line in lines] == ["Iteration 3", "Iteration 4", "Iteration 5", "Training lo"]
    assert_no_bar_is_left()


class Display:
    """A display that raises a given error."""

    def __init__(self, error, at):
        self.error, self.at, self.calls = error, at, []

    def __getattr__(self, name):
        def call(*arguments):
            self.calls.append(name)
            if name == self.at:
                raise self.error

        return call


@pytest.mark.parametrize("at", ["start", "epoch", "say", "stop"])
def test_ctrl_c_and_exits_in_a_display_are_not_lost(at):
    for error in (KeyboardInterrupt(), SystemExit(143)):
        display = Display(error, at)
        with pytest.raises(type(error)), Bar(display) as shown:
            shown.epoch(1, 0.5, None)
            shown.say("Stopping.")
        assert display.calls[-1] == ("abandon" if at == "start" else "stop")


def test_a_fit_that_fails_before_its_first_epoch_leaves_no_bar(data):
    """When training resumes, the best weights are scored again first."""

    def score(model, X, y):
        if hasattr(model, "fails"):
            raise KeyError
        return 0.5

    model = MLPClassifier((5,), max_iter=2, verbose=2, early_stopping=True, warm_start=True, scoring=score).fit(*data)
    model.fails = True
    with pytest.raises(KeyError):
        model.fit(*data)
    assert_no_bar_is_left()


def test_another_thread_shows_a_bar(data, capsys, monkeypatch):
    only(monkeypatch, "rich")
    in_thread(lambda: ESTIMATORS["adam"](verbose=2).fit(*data))
    assert "Iteration" not in capsys.readouterr().out
