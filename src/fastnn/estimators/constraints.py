"""What a parameter may be: one of some strings, a number in an interval, or the number of a layer.

Numbers are checked as floats, since Python has numbers that no float can hold: 10**400 is finite, for example.
"""

import math
from numbers import Integral

from fastnn import _sklearn
from fastnn.data.quoted import quoted


def as_float(number):
    """A number as a float: infinity where it is too large for one, NaN for anything but a number."""
    try:
        return float(number)
    except OverflowError:
        return math.copysign(math.inf, 1 if number > 0 else -1)
    except (TypeError, ValueError):
        return math.nan


class StrOptions(_sklearn.StrOptions):
    """What a parameter may be: one of these strings, which errors list in this order.

    scikit-learn keeps them in a set, whose order is another one in each process.
    """

    def __init__(self, options):
        super().__init__(set(options))
        self.options = tuple(options)


class Interval(_sklearn.Interval):
    """What a parameter may be: a number in this interval, and as a float as well."""

    def is_satisfied_by(self, value):
        return isinstance(value, self.type) and as_float(value) in self


def checked_layer(layer, n_hidden):
    """The number of a hidden layer, from 0, of a number that may be negative.

    Raises
    ------
    ValueError, TypeError
    """
    if not isinstance(layer, Integral):
        raise TypeError(f"layer must be an integer, got {quoted(layer)}")
    if not n_hidden:
        raise ValueError(
            f"layer must be the number of a hidden layer, but the network has only the output layer, got {layer}"
        )
    if not -n_hidden <= layer < n_hidden:
        raise ValueError(
            f"layer must be at least {-n_hidden} and less than {n_hidden}, since the network has {n_hidden} hidden "
            f"layers, got {layer}"
        )
    return layer % n_hidden
