"""The rule for error messages, and how a call that fails is held to it."""

import contextlib
import io
import re
import warnings

MOST_CHARACTERS = 1000  # a user reads a message in a terminal, however large the value was
# "none" reads as Python's None, and what a thing is not does not say what it has to be.
UNCLEAR = re.compile(r"\b(is|are|be) none\b|\bno (string|number|array|float|value|regular)\b|\bis nothing\b|\bwanted\b")
# What is refused for what happened, not for what was given: these say that, and what to do.
OUTCOMES = re.compile(
    r"diverged|cannot|already|under-/overflow|not fitted|is being|lacks|nested too deeply|is not a|needs|"
    r"has no attribute|no such|not a regular file|interrupted|not enough memory|is shown|took more than|failed|"
    r"damaged|truncated|unrecognized|unexpected keyword|[Ii]s a directory|No such file|transposed"
)


def provoke(provocation):
    """The error by which a call fails.

    Parameters
    ----------
    provocation : callable

    Returns
    -------
    BaseException or None
    """
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        try:
            provocation()
        except (Exception, KeyboardInterrupt) as error:
            if isinstance(error, KeyboardInterrupt) and not error.args:  # the user's own
                raise
            return error
    return None


def faults_of(error):
    """Where an error's text breaks the rule: a list of texts, which is empty for a message that states the rule."""
    text, faults = str(error), []
    if not text.strip():
        return ["it says nothing"]
    if UNCLEAR.search(text):
        faults.append(f"unclear: {UNCLEAR.search(text)[0]!r}")
    if re.search(r" at 0x[0-9a-f]+", text):
        faults.append("it has an address in memory")
    if len(text) > MOST_CHARACTERS:
        faults.append(f"{len(text)} characters")
    # What Python or NumPy could not do with a value, quoted after the rule, names the value or its type.
    quotes = bool(error.__cause__ and str(error.__cause__)) and str(error.__cause__)[:50] in text
    if "must" in text:
        if not re.search(r"\bgot\b", text, re.IGNORECASE) and not quotes:
            faults.append("it does not say what was given")
    elif not OUTCOMES.search(text):
        faults.append("it states no rule")
    return faults
