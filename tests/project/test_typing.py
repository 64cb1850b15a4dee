"""What type checkers and editors see of the public names: the same as `help` shows."""

import importlib
import inspect
import os
import re
import subprocess
import sys
from collections import Counter
from dataclasses import is_dataclass
from pathlib import Path
from typing import get_args

import pytest

import fastnn
import fastnn.typing
from fastnn import dask, export, layers, plot, sequences, streams
from fastnn.engine.activation import activation_names, keeps_input
from fastnn.estimators.parameters import NetworkParameters
from fastnn.estimators.regressor import LOSSES
from fastnn.layers.activation import ALIASES, engine_activation
from fastnn.layers.initializers import INITIALIZERS
from fastnn.training.schedules import SCHEDULES
from fastnn.training.solvers import SOLVERS

ROOT = Path(__file__).parents[2]
PROGRAMS = ROOT / "tests" / "typing"
SOURCE = Path(fastnn.__file__).parent
MODULES = fastnn, dask, layers, plot, export, sequences, streams
PUBLIC = {
    f"{module.__name__}.{name}": getattr(module, name)
    for module in MODULES
    for name in module.__all__
    if not inspect.ismodule(getattr(module, name))
}
CLASSES = {name: value for name, value in PUBLIC.items() if isinstance(value, type)}


# -- every public name has types --------------------------------------------------------------------------------------


def functions_of(cls):
    """The public methods and properties of a class that fastnn defines, and its constructor, by their names."""
    for base in cls.__mro__:
        if not base.__module__.startswith("fastnn."):
            continue
        for name, value in vars(base).items():
            if name.startswith("_") and name not in ("__init__", "__call__"):
                continue
            if isinstance(value, property):
                yield f"{base.__name__}.{name}", value.fget
            elif callable(value) or isinstance(value, (classmethod, staticmethod)) or hasattr(value, "fn"):
                function = inspect.unwrap(getattr(value, "__func__", getattr(value, "fn", value)))
                if function.__module__.startswith("fastnn."):  # and not what scikit-learn has, with our advice
                    yield f"{base.__name__}.{name}", function


def without_types(name, function):
    """The parameters of a function that lack an annotation, and its result if that does."""
    signature = inspect.signature(function)
    lacking = [
        f"{name}({parameter.name})"
        for i, parameter in enumerate(signature.parameters.values())
        if parameter.annotation is parameter.empty and not (i == 0 and parameter.name in ("self", "cls"))
    ]
    return lacking + ([f"{name} ->"] if signature.return_annotation is signature.empty else [])


def test_no_public_name_lacks_types():
    lacking = set()
    for name, value in PUBLIC.items():
        if isinstance(value, type):
            for method, function in functions_of(value):
                of_dataclass = is_dataclass(value) and method.endswith("__init__")
                lacking.update(each for each in without_types(method, function) if not (of_dataclass and "->" in each))
        else:
            lacking.update(without_types(name, value))
    assert sorted(lacking) == []


def test_the_package_says_that_it_has_types():
    assert (SOURCE / "py.typed").exists()


def test_no_public_name_needs_a_stub():
    assert [name for name, value in PUBLIC.items() if not inspect.getsourcefile(value).endswith(".py")] == []


# -- the names in types are those of the registries -------------------------------------------------------------------


def strings(annotation):
    """The strings in a union of Literals."""
    return [each for part in get_args(annotation) for each in ([part] if isinstance(part, str) else strings(part))]


LAYER_ACTIVATIONS = [*activation_names, *filter(None, ALIASES)]


@pytest.mark.parametrize(
    ("name", "registry"),
    [
        ("Activation", activation_names),
        ("LayerActivation", LAYER_ACTIVATIONS),
        ("CellActivation", [name for name in LAYER_ACTIVATIONS if not keeps_input(engine_activation(name))]),
        ("Solver", SOLVERS),
        ("Schedule", SCHEDULES),
        ("Loss", LOSSES),
        ("Initializer", INITIALIZERS),
    ],
)
def test_names_are_those_of_the_registry(name, registry):
    assert Counter(strings(getattr(fastnn.typing, name))) == Counter([*registry])


@pytest.mark.parametrize(
    ("typed", "cls", "others"),
    [
        (fastnn.typing.NetworkParameters, NetworkParameters, set()),
        (fastnn.typing.MLPClassifierParameters, fastnn.MLPClassifier, {"hidden_layer_sizes", "activation"}),
        (fastnn.typing.MLPRegressorParameters, fastnn.MLPRegressor, {"hidden_layer_sizes", "activation"}),
        (fastnn.typing.SequentialClassifierParameters, fastnn.SequentialClassifier, {"layers", "input_shape"}),
        (fastnn.typing.SequentialRegressorParameters, fastnn.SequentialRegressor, {"layers", "input_shape"}),
    ],
)
def test_dicts_of_parameters_have_those_of_the_constructor(typed, cls, others):
    annotations = {}
    for base in reversed(cls.__mro__):
        annotations |= vars(base).get("__annotations__", {})
    names = set(inspect.signature(cls).parameters) - others
    assert set(typed.__annotations__) == names
    for name in names:  # both are strings in the source
        assert typed.__annotations__[name].__forward_arg__ == annotations[name]


# -- what type checkers and editors find ------------------------------------------------------------------------------


def test_the_source_has_the_constructors_of_fields_and_the_shared_parts_of_docstrings():
    tool = ROOT / "tools" / "shared_source.py"
    if not tool.exists():
        pytest.skip("needs the repository")
    subprocess.run([sys.executable, tool, "--check"], check=True)


def test_mypy_accepts_what_is_right_and_refuses_what_is_wrong(tmp_path):
    pytest.importorskip("mypy")
    pytest.importorskip("matplotlib")
    files = [*PROGRAMS.glob("*.py"), *ROOT.glob("examples/*.py")]
    source = str(ROOT / "src") if (ROOT / "src").exists() else ""  # else fastnn is found where it is installed
    done = subprocess.run(
        [
            *(sys.executable, "-m", "mypy", "--config-file", ROOT / "pyproject.toml", "--cache-dir", tmp_path),
            *("--no-pretty", "--no-error-summary", *files),
        ],
        env={**os.environ, "MYPYPATH": source, "NO_COLOR": "1"},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    found = set()
    for line in done.stdout.splitlines():
        if error := re.fullmatch(r"(.+?):(\d+): error: .*\[([\w-]+)\]", line):
            found.add((Path(error[1]).name, int(error[2]), error[3]))
        else:
            assert ": note: " in line, line
    expected = {
        (path.name, number, code)
        for path in files
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        for code in re.findall(r"# error: ([\w-]+)$", line)
    }
    assert expected
    assert sorted(found) == sorted(expected)


@pytest.fixture
def jedi_in_source(monkeypatch):
    """Jedi as an editor uses it: it reads the source, and imports nothing of fastnn."""
    jedi = pytest.importorskip("jedi")
    finders = [finder for finder in sys.meta_path if "editable" not in type(finder).__module__]
    monkeypatch.setattr(sys, "meta_path", finders)
    project = jedi.Project(SOURCE.parent, added_sys_path=[str(SOURCE.parent)], smart_sys_path=False)

    def script(code):
        return jedi.Script(code, project=project, environment=jedi.InterpreterEnvironment())

    return script


@pytest.mark.parametrize("name", [name for name in PUBLIC if not name.startswith("fastnn.layers.")])
def test_an_editor_shows_the_parameters_that_help_shows(jedi_in_source, name):
    module, _, name = name.rpartition(".")
    (signature,) = jedi_in_source(f"from {module} import {name}\n{name}(").get_signatures()
    parameters = inspect.signature(getattr(importlib.import_module(module), name)).parameters.values()
    expected = [parameter.name for parameter in parameters if parameter.kind is not parameter.VAR_KEYWORD]
    shown = [parameter.name for parameter in signature.params if parameter.name]  # "*" has no name
    assert shown[: len(expected)] == expected  # Jedi may know what other keywords are passed on


@pytest.mark.parametrize("name", PUBLIC)
def test_an_editor_shows_the_docstring_that_help_shows(jedi_in_source, name):
    module, _, name = name.rpartition(".")
    expected = inspect.getdoc(getattr(importlib.import_module(module), name))
    (shown,) = jedi_in_source(f"from {module} import {name}\n{name}").help()
    assert shown.docstring(raw=True) == expected


@pytest.mark.parametrize("name", ["fit", "predict", "predict_proba", "partial_fit", "fit_stream", "from_weights"])
def test_an_editor_shows_the_docstring_of_a_method(jedi_in_source, name):
    (shown,) = jedi_in_source(f"from fastnn import MLPClassifier\nMLPClassifier().{name}").help()
    assert shown.docstring(raw=True) == inspect.getdoc(getattr(fastnn.MLPClassifier, name))


def test_an_editor_completes_parameters_and_methods(jedi_in_source):
    script = jedi_in_source("from fastnn import MLPClassifier\nMLPClassifier(hid")
    assert "hidden_layer_sizes=" in [completion.name for completion in script.complete()]
    script = jedi_in_source("from fastnn import MLPClassifier\nMLPClassifier().fit(1, 2).predict_")
    assert {"predict_proba", "predict_log_proba"} <= {completion.name for completion in script.complete()}


@pytest.mark.parametrize("name", [name for name in CLASSES if name.startswith("fastnn.layers.") and name != "Layer"])
def test_an_editor_completes_the_settings_of_layers(jedi_in_source, name):
    name = name.rpartition(".")[2]
    completions = jedi_in_source(f"from fastnn.layers import {name}\n{name}(").complete()
    offered = {completion.name.removesuffix("=") for completion in completions}
    assert set(inspect.signature(getattr(layers, name)).parameters) <= offered


def test_a_notebook_completes_parameters():
    jedi = pytest.importorskip("jedi")
    interpreter = jedi.Interpreter("MLPClassifier(", [{"MLPClassifier": fastnn.MLPClassifier}])
    names = {completion.name.removesuffix("=") for completion in interpreter.complete()}
    assert set(inspect.signature(fastnn.MLPClassifier).parameters) <= names


# -- and nobody pays for it -------------------------------------------------------------------------------------------


def test_importing_fastnn_does_not_make_types():
    code = (
        "import sys, fastnn; fastnn.Perceptron, fastnn.SequentialClassifier; assert 'fastnn.typing' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
