"""Error messages say which parameter, the rule, and what was given: this reads every message in the source.

Other tests provoke the messages, and look at what is put into them.
"""

import re
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "fastnn"
RAISED = re.compile(r"raise (?:ValueError|TypeError|OverflowError)\(")
STRING = re.compile(r"""[rbf]*("{3}|'{3}|"|')((?:\\.|(?!\1).)*)\1""", re.S)
# "none" reads as Python's None, and what a thing is not does not say what it has to be.
UNCLEAR = re.compile(r"\b(is|are|be) none\b|\bno (string|number|array|float|value|regular)\b|\bis nothing\b|\bwanted\b")
# What is refused for what happened, not for what was given: these say that, and what to do.
OUTCOMES = re.compile(
    r"diverged|cannot|already|under-/overflow|not fitted|is being|lacks|nested too deeply|is not a|^{what|^$"
)


def messages():
    """Each message in the source, its parts joined, with the file and the line that raises it."""
    for path in sorted(SOURCE.rglob("*.py*")):
        if path.suffix not in (".py", ".pyx"):
            continue
        text = path.read_text()
        for raised in RAISED.finditer(text):
            end, depth = raised.end(), 1
            while depth:
                string = STRING.match(text, end)
                if string:
                    end = string.end()
                    continue
                depth += {"(": 1, ")": -1}.get(text[end], 0)
                end += 1
            parts = "".join(string[2] for string in STRING.finditer(text[raised.end() : end]))
            yield pytest.param(parts, id=f"{path.relative_to(SOURCE)}:{text.count(chr(10), 0, raised.start()) + 1}")


@pytest.mark.skipif(not SOURCE.is_dir(), reason="the source is not here: a wheel is tested")
@pytest.mark.parametrize("message", list(messages()))
def test_a_message_states_the_rule(message):
    assert not UNCLEAR.search(message), message
    assert "must" in message or OUTCOMES.search(message), message
