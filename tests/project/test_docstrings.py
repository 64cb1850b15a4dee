"""The docstrings of estimators and layers are complete: numpydoc's sections, with an entry for each parameter."""

import inspect
import re

import pytest

from fastnn import (
    MLPClassifier,
    MLPRegressor,
    ModularClassifier,
    ModularRegressor,
    Perceptron,
    SequentialClassifier,
    SequentialRegressor,
    dask,
    layers,
    plot,
)

ESTIMATORS = (
    *(MLPClassifier, MLPRegressor, Perceptron, SequentialClassifier, SequentialRegressor),
    *(ModularClassifier, ModularRegressor),
)
DASKS = dask.DaskClassifier, dask.DaskRegressor
LAYERS = tuple(getattr(layers, name) for name in layers.__all__ if name != "Layer")
DISPLAYS = tuple(getattr(plot, name) for name in plot.__all__)
OTHERS = {"set_params", "get_params", "get_metadata_routing", "set_callbacks"}  # scikit-learn's own


def methods(cls):
    for name, method in inspect.getmembers(cls, callable):
        if not name.startswith("_") and name not in OTHERS and not name.endswith("_request"):
            yield pytest.param(method, id=f"{cls.__name__}.{name}")


METHODS = [parameter for cls in (*ESTIMATORS, *DASKS, *DISPLAYS) for parameter in methods(cls)]


def entries(docstring, section):
    """The names in one section, and what follows each."""
    text = re.search(rf"^{section}\n-+\n(.*?)(?=^[\w ]+\n-+$|\Z)", docstring, flags=re.MULTILINE | re.DOTALL)
    if text is None:
        return {}
    lines = re.split(r"^(\S.*)$", text[1], flags=re.MULTILINE)[1:]
    names = (head.partition(" :")[0].lstrip("*") for head in lines[::2])
    return dict(zip(names, map(str.strip, lines[1::2]), strict=True))


@pytest.mark.parametrize("cls", [*ESTIMATORS, *DASKS, *LAYERS, *DISPLAYS])
def test_every_parameter_of_a_class_is_documented(cls):
    documented = entries(inspect.getdoc(cls), "Parameters")
    assert sorted(documented) == sorted(inspect.signature(cls).parameters)
    assert all(documented.values())
    assert all(entries(inspect.getdoc(cls), "Attributes").values())


@pytest.mark.parametrize("method", METHODS)
def test_every_parameter_of_a_method_is_documented(method):
    documented = entries(inspect.getdoc(method), "Parameters")
    assert list(documented) == [name for name in inspect.signature(method).parameters if name not in ("self", "cls")]
    assert all(documented.values())
    assert "Returns\n-------\n" in inspect.getdoc(method)
