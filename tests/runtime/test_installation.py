"""The distribution's name, and the warning if the other distribution called fastnn is installed, too."""

import re
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import pytest
from processes import run_python

import fastnn
from fastnn.runtime.installation import DISTRIBUTION

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"

IMPORT = """
import sys, warnings
sys.path[:0] = sys.argv[1:]
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    import fastnn
for warning in caught:
    print(warning.category.__name__, warning.filename, warning.lineno, warning.message)
"""


@pytest.fixture
def namesake(tmp_path):
    """A folder in which a distribution fastnn is installed."""
    folder = tmp_path / "fastnn-0.4.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: fastnn\nVersion: 0.4.0\n")
    return tmp_path


def test_name_and_version():
    project = tomllib.loads(PYPROJECT.read_text())["project"]
    assert project["name"] == DISTRIBUTION == "scikit-fastnn"
    assert fastnn.__version__ == distribution(DISTRIBUTION).version == project["version"]


def test_extras_refer_to_this_distribution():
    """Otherwise pip would install the other distribution with the extra `dev`."""
    project = tomllib.loads(PYPROJECT.read_text())["project"]
    requirements = [requirement for extra in project["optional-dependencies"].values() for requirement in extra]
    assert not [requirement for requirement in requirements if re.match(r"fastnn\b", requirement)]


def test_no_namesake_no_warning(tmp_path):
    assert run_python(IMPORT, tmp_path) == ""


def test_namesake_beside(namesake):
    said = run_python(IMPORT, namesake)
    assert said.startswith("UserWarning <string> 6 another distribution, fastnn, is installed beside scikit-fastnn")
    assert "`pip uninstall -y fastnn scikit-fastnn`" in said
    assert "`pip install --force-reinstall scikit-fastnn`" in said


def test_what_a_broken_uninstallation_left(namesake):
    """A dist-info folder without metadata is ignored."""
    (namesake / "fastnn-0.4.0.dist-info" / "METADATA").unlink()
    assert "pip uninstall" in run_python(IMPORT, namesake)
