"""The statements in fastnn's source that raise an error with a text, and those that an error came from."""

import io
import re
import tokenize
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

SOURCE = Path(__file__).parents[2] / "src" / "fastnn"
# In a traceback: absolute for Python, and relative to where Cython was run, or to the package, for Cython.
_IN_PACKAGE = re.compile(r"(?:^|.*[/\\])fastnn[/\\](.+\.(?:py|pyx))$")
_STRING = re.compile(r"""[rbf]*("{3}|'{3}|"|')((?:\\.|(?!\1).)*)\1""", re.S)


class Raise(NamedTuple):
    """A statement that raises an error with a text.

    Attributes
    ----------
    file : str
        Its path below `SOURCE`, with slashes.
    first, last : int
        Its lines.
    code : str
        The statement itself.
    """

    file: str
    first: int
    last: int
    code: str

    def __str__(self):
        return f"{self.file}:{self.first}: {' '.join(self.code.split())}"

    def lines(self):
        return range(self.first, self.last + 1)

    def error(self):
        """The expression that is called, mostly the name of a class of errors."""
        return self.code.removeprefix("raise").partition("(")[0].strip()

    def strings(self):
        """The strings in the statement, joined."""
        return "".join(string[2] for string in _STRING.finditer(self.code))


def find_raises():
    """Every `raise` in Python and Cython that calls a class of errors with arguments, in the order of the source."""
    return [site for path in sorted(SOURCE.rglob("*.py*")) if path.suffix in (".py", ".pyx") for site in _in(path)]


def _in(path):
    # Cython's tokens are Python's, so one way finds the statements in both.
    text = path.read_text()
    lines, statement = text.splitlines(keepends=True), []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.NEWLINE:
            calls = [left.string == "(" and right.string != ")" for left, right in pairwise(statement)]
            if any(calls):
                (first, column), (last, end) = statement[0].start, statement[-1].end
                code = "".join([*lines[first - 1 : last - 1], lines[last - 1][:end]])[column:]
                yield Raise(path.relative_to(SOURCE).as_posix(), first, last, code)
            statement = []
        elif token.type not in (tokenize.COMMENT, tokenize.NL) and (statement or token.string == "raise"):
            statement.append(token)


def errors_of(error):
    """An error, and those that it came from: its causes and contexts, also those that a traceback does not show."""
    found, pending = [], [error]
    while pending:
        error = pending.pop(0)
        if error is not None and error not in found:
            found.append(error)
            pending += error.__cause__, error.__context__
    return found


def place_of(error):
    """The file below `SOURCE` and the line that raised an error; None if fastnn did not."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    frame = traceback and traceback.tb_frame
    if frame is None or frame.f_globals.get("__name__", "").partition(".")[0] != "fastnn":
        return None
    file = _IN_PACKAGE.match(frame.f_code.co_filename)[1].replace("\\", "/")
    return file, traceback.tb_lineno
