"""What several docstrings say is written once, and stands in each of them: by tools/shared_source.py."""

import ast
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / "tools"
if not TOOLS.exists():
    pytest.skip("needs the repository", allow_module_level=True)

sys.path.insert(0, str(TOOLS))
try:
    from shared_docstrings import parts_in, with_docstrings
finally:
    sys.path.remove(str(TOOLS))

SOURCES = sorted((ROOT / "src").rglob("*.py"))
PARTS = {
    "X": ["X : array-like", "    Samples."],
    "epochs": ["epochs : int, default=1", "    How often to go through them."],
    "modules": ["Modules know nothing of each other: only their", "outputs meet."],
    "steps": ["    What is predicted for each step", "    has the form of X."],
    "errors": ["RuntimeError", "    In another thread.", "", "Warns", "-----", "UserWarning", "    On Ctrl-C."],
}
PLACEHOLDERS = '''\
class Network:
    """A network.

    <modules>
    """

    def fit(self, X, y):
        """Train.

        Parameters
        ----------
        <X>
        y : array-like
            Targets.
        <epochs>

        Returns
        -------
        ndarray
            The labels.
        <steps>

        Raises
        ------
        ValueError
            For bad input.
        <errors>
        """
'''
WRITTEN = '''\
class Network:
    # From tools/docstrings: <modules>
    """A network.

    Modules know nothing of each other: only their outputs meet.
    """

    def fit(self, X, y):
        # From tools/docstrings: <X>, <epochs>, <steps>, <errors>
        """Train.

        Parameters
        ----------
        X : array-like
            Samples.
        y : array-like
            Targets.
        epochs : int, default=1
            How often to go through them.

        Returns
        -------
        ndarray
            The labels.
            What is predicted for each step has the form of X.

        Raises
        ------
        ValueError
            For bad input.
        RuntimeError
            In another thread.

        Warns
        -----
        UserWarning
            On Ctrl-C.
        """
'''


def written(text, parts=PARTS):
    return with_docstrings(text, parts)[0]


def test_parts_replace_their_names():
    assert with_docstrings(PLACEHOLDERS, PARTS) == (WRITTEN, ["X", "epochs", "steps", "errors", "modules"])
    assert written(WRITTEN) == WRITTEN


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("X", "Samples.", "Samples,\n    many of them."),
        ("X", "X : array-like", "X : ndarray"),
        ("X", "    Samples.", "    Samples.\nX_val : array-like\n    Samples to watch."),
        ("epochs", "How often", "The number of times"),
        ("modules", "only their\noutputs meet", "each is trained alone"),
        ("steps", "the form of X", "another form"),
        ("errors", "    On Ctrl-C.", "    On Ctrl-C.\nConvergenceWarning\n    At the end."),
        ("errors", "In another thread.", "When another thread is fitting it."),
    ],
)
def test_a_changed_part_is_found_and_written_anew(name, old, new):
    changed = "\n".join(PARTS[name]).replace(old, new).split("\n")
    assert changed != PARTS[name]
    text = written(PLACEHOLDERS, {**PARTS, name: changed})
    assert text != WRITTEN
    assert written(WRITTEN, {**PARTS, name: changed}) == text


def test_an_entry_that_a_part_has_lost_is_removed():
    three = [*PARTS["X"], "Z : int", "    A number.", *PARTS["epochs"]]
    text = PLACEHOLDERS.replace("        <epochs>\n", "")
    assert "Z : int" not in written(written(text, {**PARTS, "X": three}), {**PARTS, "X": three[:2] + three[4:]})


@pytest.mark.parametrize(
    ("line", "edited"),
    [
        ("            Samples.", "            Many samples."),
        ("        X : array-like", "        X : ndarray"),
        ("outputs meet.", "outputs meet!"),
        ("            On Ctrl-C.", "            On Ctrl-D."),
        ("has the form of X.", "has no form."),
        ("            Samples.\n", "            Samples.\n\n            Many samples.\n"),
    ],
)
def test_an_edit_of_one_copy_is_undone(line, edited):
    assert WRITTEN.count(line) == 1
    assert written(WRITTEN.replace(line, edited)) == WRITTEN


def test_lines_are_wrapped_by_their_indentation_and_formulas_stay_whole():
    part = [
        "X : array",
        "    " + "word " * 20 + "``1 / (t_ + 1) ** power_t`` " + "word " * 4,
        "",
        "    - " + "one " * 40,
    ]
    docstring = written('def fit():\n    """Train.\n\n    <X>\n    """\n', {"X": part}).splitlines()
    assert max(map(len, docstring)) <= 120
    assert "        ``1 / (t_ + 1) ** power_t`` word word word word" in docstring
    assert [line[:12] for line in docstring[8:10]] == ["        - on", "          on"]


def test_a_part_that_cannot_be_found_is_an_error():
    with pytest.raises(ValueError, match=r"^3: the docstring lacks <modules>: write <modules> where it should be"):
        written(WRITTEN.replace("Modules know nothing", "Nothing is known"))
    with pytest.raises(ValueError, match=r"^2: tools/docstrings lacks <weights>$"):
        written(PLACEHOLDERS.replace("<modules>", "<weights>"))
    with pytest.raises(ValueError, match=r"^3: tools/docstrings lacks <weights>$"):
        written(WRITTEN.replace("<modules>", "<weights>"))


def test_a_name_stands_for_one_part(tmp_path):
    for name in "a.txt", "b.txt":
        (tmp_path / name).write_text("<X>\nX : array-like\n    Samples.\n")
    with pytest.raises(ValueError, match=r"^b.txt has <X>, which is in another place already$"):
        parts_in(tmp_path)


# -- fastnn's own -----------------------------------------------------------------------------------------------------


def test_every_part_is_in_several_docstrings():
    parts, n_uses = parts_in(), Counter()
    for path in SOURCES:
        n_uses.update(with_docstrings(path.read_text(encoding="utf-8"), parts)[1])
    assert [name for name in parts if n_uses[name] < 2] == []


def test_no_docstring_has_the_name_of_a_part():
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
                docstring = ast.get_docstring(node) or ""
                assert not re.search(r"^ *<[\w ]+>$", docstring, flags=re.MULTILINE), f"{path}: {docstring}"


def shared_source(copy, *arguments):
    done = subprocess.run(
        [sys.executable, copy / "tools" / "shared_source.py", *arguments], capture_output=True, text=True
    )
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines()


def test_a_check_finds_what_has_changed_and_writing_repairs_it(tmp_path):
    shutil.copytree(TOOLS, tmp_path / "tools")
    for path in SOURCES:
        copy = tmp_path / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    assert shared_source(tmp_path, "--check") == (0, [])

    parts = tmp_path / "tools" / "docstrings" / "plot.txt"
    parts.write_text(parts.read_text(encoding="utf-8").replace("Where to draw.", "The axes to draw in."))
    displays = "activations", "loss_curve", "network", "perceptron", "weights"
    paths = [f"src/fastnn/plot/{name}.py" for name in displays]
    refused = [f"{path}: must be written anew by tools/shared_source.py" for path in paths]
    assert shared_source(tmp_path, "--check") == (1, refused)
    assert shared_source(tmp_path) == (0, [f"{path}: written" for path in paths])
    assert shared_source(tmp_path, "--check") == (0, [])
    for path in paths:
        assert "The axes to draw in. None: in a new figure." in (tmp_path / path).read_text(encoding="utf-8")

    network = tmp_path / "src" / "fastnn" / "plot" / "network.py"
    text = network.read_text(encoding="utf-8")
    network.write_text(text.replace("The axes to draw in.", "Axes.", 1))
    assert shared_source(tmp_path, "--check") == (1, refused[2:3])
    assert shared_source(tmp_path) == (0, ["src/fastnn/plot/network.py: written"])
    assert network.read_text(encoding="utf-8") == text

    network.write_text(text.replace("<ax>", "<no such part>", 1))
    for arguments in ["--check"], []:
        (code, (message,)) = shared_source(tmp_path, *arguments)
        assert code == 1
        assert re.fullmatch(r"src/fastnn/plot/network\.py:\d+: tools/docstrings lacks <no such part>", message)
