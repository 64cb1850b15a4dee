"""Methods, layers and functions known from Keras, PyTorch and elsewhere: the error says what there is instead."""

import copy
import doctest
import inspect
import pickle
import pydoc
import sys
from importlib import import_module

import pytest
from sklearn.base import clone
from sklearn.utils.metaestimators import available_if

import fastnn
from fastnn import (
    MLPClassifier,
    MLPRegressor,
    ModularClassifier,
    ModularRegressor,
    Perceptron,
    SequentialClassifier,
    SequentialRegressor,
)
from fastnn.dask import DaskClassifier, DaskRegressor
from fastnn.estimators.foreign_names import CONTENTS, METHODS, ForeignName
from fastnn.export import to_onnx
from fastnn.plot import NetworkDisplay

MODELS = [
    *(MLPClassifier(), MLPRegressor(), Perceptron(), SequentialClassifier([]), SequentialRegressor([])),
    *(ModularClassifier([]), ModularRegressor([])),
    *(DaskClassifier(MLPClassifier()), DaskRegressor(MLPRegressor())),
]
NAMES = [name for names in METHODS.values() for name in names.split()]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_each_name_is_refused_with_advice_that_holds(model):
    cls = type(model)
    for name in NAMES:
        if not isinstance(inspect.getattr_static(cls, name), ForeignName):
            assert hasattr(model, name)
            continue
        assert not hasattr(model, name) and not hasattr(cls, name)
        with pytest.raises(
            AttributeError, match=rf"^'{cls.__name__}' object has no attribute '{name}'\. [A-Z]"
        ) as info:
            getattr(model, name)
        assert "{" not in str(info.value)
    with pytest.raises(AttributeError, match=rf"^type object '{cls.__name__}' .*\. Use score\(X, y\)\.$"):
        cls.evaluate  # noqa: B018
    with pytest.raises(AttributeError, match=r"attribute 'zzz'$"):
        model.zzz  # noqa: B018


@pytest.mark.parametrize(
    ("model", "name", "advice"),
    [
        (MLPClassifier(), "get_weights", "coefs_ and intercepts_"),
        (SequentialClassifier([]), "get_weights", "weights_"),
        (Perceptron(), "state_dict", "coef_ and intercept_"),
        (ModularRegressor([]), "parameters", "named_modules_, whose estimators have the weights"),
        (MLPRegressor(), "fit_generator", r"fit_stream\(chunks\)"),
        (ModularClassifier([]), "fit_generator", r"fit\(X, y\)"),
        (DaskRegressor(MLPRegressor()), "train_on_batch", r"partial_fit\(X, y\)"),
        (DaskClassifier(MLPClassifier()), "save", r"fastnn\.save\(model\.to_local\(\), path\)"),
        (DaskClassifier(MLPClassifier()), "get_layer", "estimator of the constructor"),
        (MLPClassifier(), "summary", r"fastnn\.plot\.NetworkDisplay\.from_estimator\(model\)"),
    ],
)
def test_advice_is_that_for_the_class(model, name, advice):
    with pytest.raises(AttributeError, match=rf"\. Use {advice}\.$"):
        getattr(model, name)


def test_reading_an_attribute_costs_nothing():
    assert not any(hasattr(type(model), "__getattr__") for model in MODELS if not hasattr(model, "to_local"))


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_who_looks_for_attributes_sees_none_of_them(model):
    assert not {*dir(model)} & {name for name in NAMES if not hasattr(model, name)}
    assert {"fit", "get_params"} <= {*dir(model)}
    assert not [name for name, _ in inspect.getmembers(model) if name == "evaluate"]
    assert "evaluate" not in dir(clone(model)) and "evaluate" not in dir(copy.copy(model))
    assert pickle.loads(pickle.dumps(model)).get_params(deep=False).keys() == model.get_params(deep=False).keys()
    assert "score(" in pydoc.render_doc(type(model))


def test_a_subclass_may_have_these_names():
    class Own(MLPClassifier):
        def evaluate(self, X):
            return "own"

    model = Own()
    model.history = [1]
    assert model.evaluate(None) == "own" and model.history == [1]
    assert {"evaluate", "history"} <= {*dir(model)} and "train" not in dir(model)


def test_a_subclass_may_have_bases_with_these_names_on_either_side():
    class Mixin:
        summary = property(lambda self: "summary")

        def evaluate(self, X):
            return "own"

        @available_if(lambda self: False)
        def train(self):
            """Not available."""

    class After(MLPClassifier, Mixin):
        def evaluate(self, X):
            return super().evaluate(X)

    class Before(Mixin, MLPClassifier):
        pass

    for cls in After, Before:
        model = cls()
        assert model.evaluate(None) == "own" and model.summary == "summary"
        assert cls.summary is Mixin.summary
        assert {"evaluate", "summary"} <= {*dir(model)} and "compile" not in dir(model)
        assert not hasattr(model, "train")
        with pytest.raises(AttributeError, match=r"has no attribute 'compile'\. Leave it out"):
            model.compile  # noqa: B018


def test_errors_of_attributes_that_there_are_stay():
    with pytest.raises(AttributeError, match="not fitted yet, so it has no weights"):
        MLPClassifier().coefs_  # noqa: B018
    assert hasattr(MLPClassifier(), "predict_proba") and not hasattr(MLPRegressor(), "predict_proba")


@pytest.mark.parametrize(
    ("module", "name", "advice"),
    [
        ("fastnn", "Sequential", r"Use SequentialClassifier\(layers\) or SequentialRegressor\(layers\)\."),
        ("fastnn", "Dense", r"Use fastnn\.layers\.Dense\."),
        ("fastnn", "Linear", r"See fastnn\.layers: Use Dense\."),
        ("fastnn", "MLPclassifier", r"Use MLPClassifier\."),
        ("fastnn", "MLPClasifier", r"Did you mean 'MLPClassifier'\?"),
        ("fastnn.layers", "Conv2d", r"Use Conv2D\."),
        ("fastnn.layers", "Input", r"Leave it out: the shape of the input follows from X\."),
        ("fastnn.layers", "MLPClassifier", r"Use fastnn\.MLPClassifier\."),
        ("fastnn.plot", "plot_model", r"Use NetworkDisplay\."),
        ("fastnn.export", "to_torch", r"Use to_onnx, whose models other libraries read\."),
        ("fastnn.streams", "read_csv", r"Use pandas\.read_csv\(path, chunksize=\)"),
        ("fastnn.sequences", "pad_sequences", r"Leave it out: sequences are a list of arrays"),
    ],
)
def test_names_of_modules(module, name, advice):
    with pytest.raises(AttributeError, match=rf"^module '{module}' has no attribute '{name}'\. {advice}"):
        getattr(import_module(module), name)
    with pytest.raises(ImportError, match=rf"^cannot import name '{name}' from '{module}'\. {advice}"):
        exec(f"from {module} import {name}")


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (SequentialClassifier([]), "step"),
        (SequentialClassifier([]), "get_weights"),
        (import_module("fastnn.streams"), "parqet"),
    ],
)
def test_python_adds_no_suggestion_to_the_advice(owner, name, capsys):
    with pytest.raises(AttributeError) as info:
        getattr(owner, name)
    sys.__excepthook__(info.type, info.value, None)
    assert capsys.readouterr().err.endswith(f"\nAttributeError: {info.value}\n")
    assert info.value.name == name


@pytest.mark.parametrize("module", CONTENTS)
def test_modules_are_as_others(module):
    loaded = import_module(module)
    assert not [name for name in CONTENTS[module] if hasattr(loaded, name)]
    assert getattr(loaded, "zzz", None) is None
    with pytest.raises(AttributeError, match=rf"^module '{module}' has no attribute 'zzz'$"):
        loaded.zzz  # noqa: B018
    with pytest.raises(ImportError, match=rf"^cannot import name 'zzz' from '{module}' \("):
        exec(f"from {module} import zzz")
    names = {}
    exec(f"from {module} import *", names)
    assert {*loaded.__all__} <= {*names}
    assert isinstance(doctest.DocTestFinder().find(loaded), list)
    assert inspect.unwrap(loaded) is loaded and not hasattr(loaded, "__wrapped__")


def test_advice_names_what_modules_have():
    for module, table in CONTENTS.items():
        for advice in table.values():
            what, _, _ = advice.removeprefix("Use ").partition(".")
            first = what.split(",")[0].split(" ")[0].split("(")[0]
            if advice.startswith("Use ") and first[0].isupper():
                assert hasattr(fastnn, first) or hasattr(import_module(module), first), advice


@pytest.mark.parametrize(
    "take", [lambda model: fastnn.save(model, "model.fastnn"), to_onnx, NetworkDisplay.from_estimator], ids=range(3)
)
def test_what_takes_networks_asks_for_the_local_one_of_a_cluster(take):
    with pytest.raises(TypeError, match=r"must be .*, got .*DaskClassifier.*: pass its to_local\(\)$"):
        take(DaskClassifier(MLPClassifier()))
