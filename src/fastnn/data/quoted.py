"""Users' values in error messages."""

import re

MOST_QUOTED = 240  # characters: a list has any number of classes, layers or names
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")  # in what Python writes for functions and for objects without a repr


def quoted(value, text_of=repr):
    """A value as error messages show it: without its address in memory and, where it is long, without its middle.

    Parameters
    ----------
    value : object
    text_of : callable, default=repr
        The function that makes a text of the value, such as `str`.

    Returns
    -------
    str

    Examples
    --------
    >>> from fastnn.data.quoted import quoted
    >>> quoted([1, 2])
    '[1, 2]'
    >>> quoted(object())
    '<object object>'
    """
    text = _ADDRESS.sub("", text_of(value))
    if len(text) <= MOST_QUOTED:
        return text
    half = (MOST_QUOTED - len(" ... ")) // 2
    return f"{text[:half]} ... {text[-half:]}"
