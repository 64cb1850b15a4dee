"""Warnings point at the user's line, and filters by module find them."""

import functools
import linecache
import re
import signal
import warnings
from pathlib import Path

import joblib
import numpy as np
import pytest
from processes import in_thread
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastnn
from fastnn import MLPClassifier, MLPRegressor, Perceptron

rng = np.random.default_rng(0)
X, y = rng.normal(size=(60, 3)), np.tile([0, 1], 30)
lonely = np.r_[1, np.zeros(59)]


def nan(model, X, y):
    return np.nan


# Every warning of fastnn: an estimator, its targets, and the category.
WARNINGS = {
    "max_iter": (MLPClassifier((3,), max_iter=2), y, ConvergenceWarning),
    "max_iter of a regressor": (MLPRegressor("squared_error", (3,), max_iter=2), y, ConvergenceWarning),
    "max_iter of lbfgs": (MLPClassifier((3,), solver="lbfgs", max_iter=2), y, ConvergenceWarning),
    "max_iter of a perceptron": (Perceptron(max_iter=2), y, ConvergenceWarning),
    "batch_size": (MLPClassifier((3,), batch_size=1000), y, UserWarning),
    "score": (MLPClassifier((3,), early_stopping=True, scoring=nan), y, UserWarning),
    "score with lbfgs": (MLPClassifier((3,), early_stopping=True, scoring=nan, solver="lbfgs"), y, UserWarning),
    "stratification": (MLPClassifier((3,), early_stopping=True), lonely, UserWarning),
    "column": (MLPClassifier((3,)), y[:, None], DataConversionWarning),
    "Ctrl-C": (MLPClassifier((3,), callback=lambda model: signal.raise_signal(signal.SIGINT)), y, UserWarning),
}
every_warning = pytest.mark.parametrize(("model", "y", "category"), WARNINGS.values(), ids=WARNINGS)


def fit(model, X, y):
    model.fit(X, y)  # the user's line


WAYS = {
    "fit": fit,
    "pipeline": lambda model, X, y: make_pipeline(StandardScaler(), model).fit(X, y),  # the user's line
    "cross_val_score": lambda model, X, y: cross_val_score(model, X, y, cv=2),  # the user's line
    "grid search": lambda model, X, y: GridSearchCV(model, {"verbose": [0]}, cv=2).fit(X, y),  # the user's line
    "joblib": lambda model, X, y: joblib.Parallel()([joblib.delayed(model.fit)(X, y)]),  # the user's line
    "threads": lambda model, X, y: joblib.Parallel(2, "threading")([joblib.delayed(fit)(model, X, y)]),
}


@every_warning
@pytest.mark.parametrize("way", WAYS)
def test_warnings_point_at_the_users_line(way, model, y, category, request, monkeypatch):
    if y is lonely and way in ("grid search", "cross_val_score"):
        pytest.skip("some folds have no sample of one class")
    if way == "threads" and "Ctrl-C" in request.node.callspec.id:
        pytest.skip("Ctrl-C is for the main thread")
    monkeypatch.setattr("fastnn.training.interruption.REPEAT_SECONDS", 0.0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        WAYS[way](model, X, y)
    ours = [warning for warning in caught if warning.category is category]
    assert ours
    for warning in ours:
        assert warning.filename == __file__
        assert "# the user's line" in linecache.getline(__file__, warning.lineno)


def test_a_schedule_that_is_over_warns_at_the_users_line():
    model = MLPClassifier((3,), learning_rate="cosine", max_iter=1).partial_fit(X, y, classes=[0, 1])
    with pytest.warns(UserWarning, match="has come to its end") as caught:
        model.partial_fit(X, y)
    assert [warning.filename for warning in caught] == [__file__]


def test_a_function_that_a_fit_calls_has_lines_of_the_users():
    inner = MLPClassifier((3,), max_iter=1)
    outer = MLPClassifier((3,), max_iter=1, callback=lambda model: fit(inner, X, y))
    with pytest.warns(ConvergenceWarning) as caught:
        outer.fit(X, y)
    lines = [linecache.getline(warning.filename, warning.lineno).strip() for warning in caught]
    assert lines == ["model.fit(X, y)  # the user's line", "outer.fit(X, y)"]


def test_a_users_package_whose_name_begins_like_ours(tmp_path, monkeypatch):
    """Packages that extend scikit-learn, or fastnn, have such names."""
    for name in ("fastnn_extra", "sklearn_extra", "joblibs"):
        (tmp_path / f"{name}.py").write_text("def fit(model, X, y):\n    model.fit(X, y)\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("fastnn_extra", "sklearn_extra", "joblibs"):
        with pytest.warns(ConvergenceWarning) as caught:
            __import__(name).fit(MLPClassifier((3,), max_iter=1), X, y)
        assert Path(caught[0].filename).name == f"{name}.py"


def test_where_a_thread_has_no_line_of_the_users():
    """The warning then points at the call of fastnn."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = MLPClassifier((3,), max_iter=1)
        in_thread(functools.partial(model.fit, X, y))
        in_thread(lambda: model.fit(X, y))
    folders = [Path(warning.filename).parent for warning in caught]
    assert folders == [Path(fastnn.__file__).parent / "estimators", Path(__file__).parent]


@every_warning
@pytest.mark.parametrize(
    "module", ["fastnn", "fastnn.*", re.escape("fastnn") + r"\Z", ""], ids=["as sklearn's users", "", "-W", "category"]
)
def test_filters_of_the_module_and_the_category_find_them(module, model, y, category):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.filterwarnings("ignore", category=category, module=module)
        model.fit(X, y)
    assert [warning for warning in caught if warning.category is category] == []


@pytest.mark.parametrize(
    ("action", "lines"), [("default", [2, 3]), ("once", [2]), ("module", [2]), ("always", [2, 2, 3])]
)
def test_what_was_shown_is_noted_with_the_line(action, lines):
    def fits():
        for _ in range(2):
            MLPClassifier((3,), max_iter=1).fit(X, y)
        MLPClassifier((3,), max_iter=1).fit(X, y)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter(action)
        fits()
    assert [warning.lineno - fits.__code__.co_firstlineno for warning in caught] == lines
