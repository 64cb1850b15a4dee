"""Every example runs: those in docstrings, in Python and in Cython, those of the README, and those of docs/."""

import doctest
import importlib
import pkgutil
import re
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

import fastnn

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(fastnn.__path__, "fastnn.")
    if not module.name.endswith("__main__")  # importing it would run it
)
WITH_EXAMPLES = {
    *(f"fastnn.estimators.{name}" for name in ("mlp_classifier", "mlp_regressor", "perceptron", "fit_many")),
    *(f"fastnn.estimators.sequential_{name}" for name in ("classifier", "regressor", "steps")),
    *(f"fastnn.estimators.modular_{name}" for name in ("classifier", "regressor", "outputs")),
    *(f"fastnn.estimators.{name}" for name in ("dense_weights", "linear_decision", "modular", "sequential")),
    "fastnn.estimators.network_outputs",
    *(f"fastnn.layers.{name}" for name in ("activation", "convolution", "dense", "dropout", "normalization")),
    *(f"fastnn.layers.{name}" for name in ("pooling", "rescaling", "reshaping")),
    *(f"fastnn.layers.{name}" for name in ("recurrent", "bidirectional", "embedding", "spec")),
    *(f"fastnn.sequences.{name}" for name in ("making", "scoring", "step_transformer")),
    *(f"fastnn.plot.{name}" for name in ("activations", "blocks", "loss_curve", "network", "perceptron", "weights")),
    *("fastnn.dask.base", "fastnn.dask.estimators"),
    "fastnn.data.ragged",
    *(f"fastnn.export.{name}" for name in ("keras", "torch", "onnx.pipelines", "onnx.reading", "onnx.writing")),
    *("fastnn.persistence.saving", "fastnn.runtime.threads", "fastnn.engine.standalone"),
}


# The packages that examples need beside what fastnn needs.
NEEDED = {
    "fastnn.cli.torch_networks": "torch",
    "fastnn.dask": "distributed",
    "fastnn.export.onnx.pipelines": "skl2onnx",
    "fastnn.export.onnx.reading": "onnx",
    "fastnn.export.onnx.writing": "onnx",
    "fastnn.plot": "matplotlib",
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning:skl2onnx")
@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name):
    for module, package in NEEDED.items():
        if name.startswith(module):
            pytest.importorskip(package)
    outcome = doctest.testmod(
        importlib.import_module(name), optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    )
    assert outcome.failed == 0
    assert outcome.attempted > 0 or name not in WITH_EXAMPLES  # else the examples are no longer found


ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
GUIDES = sorted(path.name for path in (ROOT / "docs").glob("*.md") if "```python" in path.read_text())


EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


@pytest.fixture(autouse=True)
def no_figures_are_left():
    yield
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close("all")


def run_examples(page, at_least=1):
    """Run a page's examples one after the other, as a reader would. Returns the names that they define."""
    examples = re.findall(r"^```python\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    assert len(examples) >= at_least
    names = {}
    for example in examples:
        exec(compile(example, str(page), "exec"), names)
    return names


@pytest.mark.skipif(not README.exists(), reason="the README is in the repository only")
def test_examples_of_the_readme(tmp_path, monkeypatch):
    """A warning is an error."""
    monkeypatch.chdir(tmp_path)
    names = run_examples(README, at_least=2)
    assert names["convnet"].score(names["test"], names["digits_test"]) > 0.97
    assert names["model"].score(names["test"].reshape(-1, 64), names["digits_test"]) > 0.95


WHAT_GUIDES_SHOW = {
    "index.md": lambda names: names["model"].score(names["X_test"], names["y_test"]) > 0.97,
    "mlps.md": lambda names: names["model"].score(names["X_test"], names["y_test"]) > 0.95,
    "perceptron.md": lambda names: names["averaged"].score(names["X_test"], names["y_test"]) > 0.94,
    "convolutions.md": lambda names: names["convnet"].score(names["test"], names["digits_test"]) > 0.97,
    "saving.md": lambda names: names["resumed"].loss_curve_ == names["ten"].loss_curve_,
    "threads.md": lambda names: names["one"].loss_curve_ == names["free"].loss_curve_,
    "reproducibility.md": lambda names: len(names["others"]) == 2,
    "from_sklearn.md": lambda names: names["search"].best_score_ > 0.85,
    "from_keras.md": lambda names: names["model"].best_validation_score_ > 0.95,
    "from_pytorch.md": lambda names: names["model"].best_validation_score_ > 0.95,
    "plots.md": lambda names: names["planes"].margin_ > 0,
    "export.md": lambda names: (names["label"] == names["model"].predict(names["test"])).all(),
    "modular.md": lambda names: names["quarters"].score(names["X_test"], names["y_test"]) > 0.9,
    "sequences.md": lambda names: names["forecaster"].score(names["past"], names["following"]) > 0.8,
    "dask.md": lambda names: names["again"].loss_curve_ == names["model"].loss_curve_[: names["again"].n_iter_],
    "side_by_side.md": lambda names: names["search"].best_score_ > 0.8,
    "streams.md": lambda names: names["from_files"].score(names["X"], np.where(names["y"], "a", "b")) > 0.9,
}


@pytest.mark.parametrize("guide", GUIDES)
def test_examples_of_guides(guide):
    if guide == "plots.md":
        pytest.importorskip("matplotlib")
    if guide == "dask.md":
        pytest.importorskip("distributed")
    if guide == "export.md":
        pytest.importorskip("onnxruntime")
        pytest.importorskip("skl2onnx")
    if guide == "streams.md":
        pytest.importorskip("pyarrow.parquet")
        pytest.importorskip("pandas")
    names = run_examples(ROOT / "docs" / guide)
    assert WHAT_GUIDES_SHOW[guide](names)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_examples_in_files(example, capsys):
    """A warning is an error."""
    if "fastnn.plot" in example.read_text():
        pytest.importorskip("matplotlib")
    runpy.run_path(str(example), run_name="__main__")
    assert capsys.readouterr().out
