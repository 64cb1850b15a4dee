"""Figures as benchmarks/README.md records them, so that no page can say anything else.

A figure that is not found there is an error, which names what was looked for.
"""

import re
from functools import cache
from pathlib import Path

PAGE = Path(__file__).parents[2] / "benchmarks" / "README.md"


@cache
def _page():
    return PAGE.read_text(encoding="utf-8")


def row(table, work):
    """What the cells of a row record, in the first table after the text `table`: a number, and a ratio in parentheses.

    The row is that whose first cell is `work`. A ratio is a text such as "6.5 ×", or empty.
    """
    _, found, after = _page().partition(table)
    if not found:
        raise LookupError(f"benchmarks/README.md must have the text {table!r}")
    match = re.search(rf"^\| {re.escape(work)} \|(.*)\|$", after, re.MULTILINE)
    if not match:
        raise LookupError(f"benchmarks/README.md must have a row {work!r} after {table!r}")
    cells = [re.match(r"([\d.]+)(?: \(([\d.]+ ×)\))?", cell.strip().replace(",", "")) for cell in match[1].split("|")]
    return [(float(cell[1]), cell[2] or "") for cell in cells if cell]


def said(pattern):
    """The numbers that the groups of a pattern match in the text, whose line breaks are spaces."""
    match = re.search(pattern, " ".join(_page().split()))
    if not match:
        raise LookupError(f"benchmarks/README.md must have a text like {pattern!r}")
    return [float(number) for number in match.groups()]
