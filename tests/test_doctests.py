"""Every example in a docstring runs, in Python and in Cython."""

import doctest
import importlib
import pkgutil

import pytest

import fastnn

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(fastnn.__path__, "fastnn.")
    if not module.name.endswith("__main__")  # importing it would run it
)
WITH_EXAMPLES = {
    *("fastnn.classifier", "fastnn.regressor", "fastnn.perceptron", "fastnn.saving", "fastnn.threads"),
    "fastnn.engine.dense",
}


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name):
    outcome = doctest.testmod(
        importlib.import_module(name), optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    )
    assert outcome.failed == 0
    assert outcome.attempted > 0 or name not in WITH_EXAMPLES  # else the examples are no longer found
