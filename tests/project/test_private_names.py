"""What fastnn uses of scikit-learn's private parts stands in one file, `_sklearn.py`."""

import ast
import re
from pathlib import Path

import pytest

import fastnn

SOURCE = Path(fastnn.__file__).parent
TESTS = Path(__file__).parents[1]
ALLOWED = SOURCE / "_sklearn.py"
FILES = sorted(path for path in [*SOURCE.rglob("*.py"), *TESTS.rglob("*.py")] if path != ALLOWED)
# Private names that are the standard library's and documented.
PYTHONS = {"_getframe", "_replace"}


def is_private(name):
    return name.startswith("_") and not name.startswith("__")


def private_imports(tree):
    """The names that a module imports, or reaches for, in scikit-learn, and that have a private part."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "sklearn":
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name.partition(".")[0] == "sklearn"]
        elif isinstance(node, ast.Attribute) and ast.unparse(node).startswith("sklearn."):
            names = [ast.unparse(node)]
        else:
            continue
        yield from (name for name in names if any(map(is_private, name.split("."))))


def names_in_strings(tree):
    """Strings that are a private name: for getattr, say."""
    parts = {part for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    constants = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and node not in parts)
    return {value for value in constants if isinstance(value, str) and value.isidentifier() and is_private(value)}


def attributes(tree):
    """The private attributes that a module reads, writes or asks for by name."""
    names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return {name for name in names if is_private(name)} | names_in_strings(tree)


def definitions(tree):
    """The names that a module defines, in any scope, or gives an object of its own."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr
        elif isinstance(node, ast.keyword) and node.arg:
            yield node.arg


def parsed(path):
    return ast.parse(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_private_name_of_scikit_learns_is_imported(path):
    assert list(private_imports(parsed(path))) == []


def test_no_private_attribute_of_scikit_learns_is_touched():
    """Whatever private attribute fastnn touches is one that fastnn defines."""
    trees = {path: parsed(path) for path in FILES if path.is_relative_to(SOURCE)}
    defined = set().union(*map(definitions, trees.values())) | PYTHONS
    for cython in SOURCE.rglob("*.pyx"):  # there are none beside an installed package, where nothing is compiled
        defined |= set(re.findall(r"\b_\w+", cython.read_text(encoding="utf-8")))
    foreign = {path.name: names for path, tree in trees.items() if (names := attributes(tree) - defined)}
    assert foreign == {}


def test_what_would_be_found():
    source = """
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils._param_validation import Interval
import sklearn.linear_model._base
sklearn.utils.validation._check_y(y)
getattr(fitted, "_label_binarizer"), fitted._no_improvement_count
"""
    tree = ast.parse(source)
    assert set(private_imports(tree)) == {
        "sklearn.base._fit_context",
        "sklearn.utils._param_validation.Interval",
        "sklearn.linear_model._base",
        "sklearn.utils.validation._check_y",
    }
    assert {"_label_binarizer", "_no_improvement_count"} <= attributes(tree)
