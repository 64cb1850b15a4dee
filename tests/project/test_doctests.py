"""Every example runs: those in docstrings, in Python and in Cython, and those of the README."""

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import fastnn

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(fastnn.__path__, "fastnn.")
    if not module.name.endswith("__main__")  # importing it would run it
)
WITH_EXAMPLES = {
    *(f"fastnn.estimators.{name}" for name in ("mlp_classifier", "mlp_regressor", "perceptron")),
    *(f"fastnn.estimators.sequential_{name}" for name in ("classifier", "regressor")),
    *(f"fastnn.layers.{name}" for name in ("activation", "convolution", "dense", "dropout", "normalization")),
    *(f"fastnn.layers.{name}" for name in ("pooling", "rescaling", "reshaping")),
    *("fastnn.sequences", "fastnn.data.ragged"),
    *("fastnn.persistence.saving", "fastnn.runtime.threads", "fastnn.engine.standalone"),
}


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name):
    outcome = doctest.testmod(
        importlib.import_module(name), optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    )
    assert outcome.failed == 0
    assert outcome.attempted > 0 or name not in WITH_EXAMPLES  # else the examples are no longer found


README = Path(__file__).parents[2] / "README.md"


@pytest.mark.skipif(not README.exists(), reason="the README is in the repository only")
def test_examples_of_the_readme(tmp_path, monkeypatch):
    """One after the other, as a reader would run them; a warning is an error."""
    monkeypatch.chdir(tmp_path)
    examples = re.findall(r"^```python\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL)
    assert len(examples) >= 6
    names = {}
    for example in examples:
        exec(compile(example, str(README), "exec"), names)
    assert names["convnet"].score(names["test"], names["digits_test"]) > 0.97
