"""Rules for what users may set."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fastnn.estimators.constraints import as_float

MOST = 2**31 - 1  # columns are counted in 32 bits, and as many rows or columns have more numbers than memory


class Rule(NamedTuple):
    """A rule for a value.

    Attributes
    ----------
    text : str
        What the value must be, for messages.
    holds : callable
        Returns whether a value, of any type, keeps the rule.
    """

    text: str
    holds: Callable[[Any], bool]


def plain(value):
    """A value as Python's own types have it: no NumPy scalar, and a tuple for each list, tuple and array."""
    if type(value) in (int, str, bool, float):
        return value
    if isinstance(value, (np.generic, np.ndarray)):
        value = value.tolist()
    return tuple(map(plain, value)) if isinstance(value, (list, tuple)) else value


def is_count(value):
    return type(value) is int and 1 <= value <= MOST


def is_number(value):
    return type(value) in (int, float) and math.isfinite(as_float(value))


def one_of(names):
    """The rule for one of some strings, or None where that is among them."""
    shown = ", ".join(name if isinstance(name, str) else repr(name) for name in names)
    return Rule(f"one of {shown}", lambda value: isinstance(value, (str, type(None))) and value in names)


COUNT = Rule("an integer from 1 to 2**31 - 1", is_count)


def counts(n):
    """The rule for a count along each of n axes, or one for all of them."""

    def holds(value):
        return is_count(value) or (isinstance(value, tuple) and len(value) == n and all(map(is_count, value)))

    return Rule(COUNT.text if n == 1 else f"{COUNT.text}, or a tuple of {n}", holds)


BOOL = Rule("True or False", lambda value: type(value) is bool)
NUMBER = Rule("a finite number", is_number)
POSITIVE = Rule("a finite number above 0", lambda value: is_number(value) and value > 0)
RATE = Rule("a number in [0, 1)", lambda value: is_number(value) and 0 <= value < 1)
SHAPE = Rule(
    "a tuple of 1 to 3 integers from 1 to 2**31 - 1",
    lambda value: isinstance(value, tuple) and 1 <= len(value) <= 3 and all(map(is_count, value)),
)


def _is_ragged(value):
    return isinstance(value, tuple) and len(value) == 2 and value[0] is None and is_count(value[1])


SAMPLE_SHAPE = Rule(f"{SHAPE.text}, or (None, channels)", lambda value: SHAPE.holds(value) or _is_ragged(value))
