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
    *(f"fastnn.estimators.{name}" for name in ("mlp_classifier", "mlp_regressor", "perceptron")),
    *(f"fastnn.estimators.sequential_{name}" for name in ("classifier", "regressor")),
    *(f"fastnn.layers.{name}" for name in ("activation", "convolution", "dense", "dropout", "normalization")),
    *(f"fastnn.layers.{name}" for name in ("pooling", "rescaling", "reshaping")),
    *("fastnn.persistence.saving", "fastnn.runtime.threads", "fastnn.engine.standalone"),
}


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name):
    outcome = doctest.testmod(
        importlib.import_module(name), optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    )
    assert outcome.failed == 0
    assert outcome.attempted > 0 or name not in WITH_EXAMPLES  # else the examples are no longer found
