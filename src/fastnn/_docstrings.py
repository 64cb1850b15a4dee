"""Docstrings of parts that several of them have, written once: each docstring then has them whole, as numpydoc asks.

A docstring names a part in angle brackets, on a line of its own. What a class alone has stays in its docstring.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from typing import TypeVar

T = TypeVar("T")


def documenting(parts: Mapping[str, str]) -> Callable[[T], T]:
    """A decorator that puts the parts that a class's or a function's docstring names into it.

    Parameters
    ----------
    parts : dict of str to str
        The parts, by their names.

    Returns
    -------
    callable
    """

    def part(match):
        indent, name = match.groups()
        return "\n".join(indent + line if line else line for line in parts[name].rstrip("\n").split("\n"))

    def documented(what: T) -> T:
        if what.__doc__:  # python -OO removes docstrings
            what.__doc__ = re.sub(r"^( *)<([\w ]+)>$", part, inspect.cleandoc(what.__doc__), flags=re.MULTILINE)
        return what

    return documented
