"""What `fastnn.` and Tab offer, and that all of it is documented."""

import inspect
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import fastnn


def test_completion_offers_the_public_names():
    offered = {name for name in dir(fastnn) if not name.startswith("__")}
    assert offered == {
        *("MLPClassifier", "MLPRegressor", "Perceptron", "SequentialClassifier", "SequentialRegressor"),
        *("ModularClassifier", "ModularRegressor"),
        *("dask", "export", "fit_many", "layers", "load", "plot", "save", "sequences", "show_config", "streams"),
    }
    assert {"__version__", "__doc__", "__all__"} <= set(dir(fastnn))
    assert all(hasattr(fastnn, name) for name in dir(fastnn))


MODULES = "fastnn", "fastnn.dask", "fastnn.export", "fastnn.layers", "fastnn.plot", "fastnn.sequences", "fastnn.streams"
# Methods by which every estimator, transformer and Display of scikit-learn's is used: examples of classes show them.
SKLEARNS = {
    *("fit", "partial_fit", "predict", "predict_proba", "predict_log_proba", "decision_function", "score"),
    *("transform", "fit_transform", "inverse_transform", "get_feature_names_out", "from_estimator", "plot"),
    *("get_params", "set_params", "get_metadata_routing", "set_callbacks", "set_output"),
}


def public_names():
    """Each public class and function, and the methods that fastnn's estimators have beside scikit-learn's."""
    for module in map(import_module, MODULES):
        for name in module.__all__:
            value = getattr(module, name)
            if inspect.ismodule(value):
                continue
            yield f"{module.__name__}.{name}", value
            if hasattr(value, "fit"):
                for method, function in inspect.getmembers(value, callable):
                    if not method.startswith("_") and method not in SKLEARNS and not method.endswith("_request"):
                        yield f"{module.__name__}.{name}.{method}", function


def test_every_public_name_has_a_docstring_with_an_example():
    assert [name for name, value in public_names() if ">>> " not in (inspect.getdoc(value) or "")] == []


REFERENCE = Path(__file__).parents[2] / "docs" / "reference"


@pytest.mark.skipif(not REFERENCE.exists(), reason="the documentation is in the repository only")
def test_every_public_name_has_a_page_and_no_other_name_has_one():
    listed, module = set(), None
    lines = [line for page in REFERENCE.glob("*.rst") for line in page.read_text(encoding="utf-8").splitlines()]
    for line in lines:
        if directive := re.match(r"\.\. currentmodule:: (\S+)", line):
            module = directive[1]
        elif name := re.match(r"   (\w+)$", line):
            assert f"{module}.{name[1]}" not in listed
            listed.add(f"{module}.{name[1]}")
    public = {f"{module}.{name}" for module in MODULES for name in import_module(module).__all__}
    assert listed == public - set(MODULES)


def test_threads_may_use_names_for_the_first_time_at_once():
    code = """
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
import fastnn
meet = Barrier(len(fastnn.__all__))
def use(name):
    meet.wait()
    return getattr(fastnn, name)
with ThreadPoolExecutor(len(fastnn.__all__)) as threads:
    list(threads.map(use, fastnn.__all__))
"""
    for _ in range(3):  # threads rarely meet in the same way
        subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
