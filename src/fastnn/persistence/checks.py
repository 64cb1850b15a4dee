"""Rules for the parts of a model that come from a file, which may be damaged, or made up to do harm."""

from itertools import islice

import numpy as np

from fastnn.data.quoted import quoted
from fastnn.layers.rules import Rule

MOST_ITEMS_SHOWN, MOST_TEXT_SHOWN = 6, 60  # in messages, of lists and of strings: a file may hold any number


def is_array(value, dtype, n_axes):
    return isinstance(value, np.ndarray) and value.dtype == dtype and value.ndim == n_axes


def _is_order(value):
    return is_array(value, np.int64, 1) and np.array_equal(np.sort(value), np.arange(len(value)))


def _is_split(value):
    parts = isinstance(value, tuple) and len(value) == 2 and all(is_array(rows, np.int64, 1) for rows in value)
    return parts and _is_order(np.concatenate(value))


def _are_classes(value):
    if not isinstance(value, np.ndarray) or value.ndim != 1 or value.dtype.kind not in "biufUO":
        return False
    if value.dtype == object and not all(type(label) is str for label in value):
        return False
    return len(value) > 0 and bool((value[1:] > value[:-1]).all())


def are_arrays(value, shapes, dtype):
    """Whether a value is a list of arrays that have these shapes and this dtype, without one array twice."""
    if not isinstance(value, list) or len(value) != len(shapes):
        return False
    # A file may name one array for all of a million layers: small itself, and a network that fits no memory.
    if len({id(array) for array in value}) < len(value):
        return False
    return all(
        is_array(array, dtype, len(shape)) and array.shape == shape for array, shape in zip(value, shapes, strict=True)
    )


def are_memory(value, network):
    """Whether a value has a number for each of a network's weights: infinite ones too, as an optimizer's may be."""
    return are_arrays(value, network.shapes, network.dtype)


def _is_finite_array(value):
    return isinstance(value, np.ndarray) and bool(np.isfinite(value).all())


def weights_of(network):
    """The rule for a list of a network's weights."""
    return Rule(
        f"finite arrays of the weights' shapes and {network.dtype}",
        lambda value: are_memory(value, network) and all(map(_is_finite_array, value)),
    )


def or_none(rule):
    """A rule that allows None, too."""
    return Rule(f"{rule.text}, or None", lambda value: value is None or rule.holds(value))


ANYTHING = Rule("anything", lambda value: True)
BOOL = Rule("True or False", lambda value: type(value) is bool)
COUNT = Rule("an integer from 0 to 2**62 - 1", lambda value: type(value) is int and 0 <= value < 2**62)  # the engine's
NUMBER = Rule("a float", lambda value: type(value) is float)
TEXT = Rule("a string", lambda value: type(value) is str)
LIST = Rule("a list", lambda value: isinstance(value, list))
DICT = Rule("a dict", lambda value: isinstance(value, dict))
ARRAY = Rule("an array", lambda value: isinstance(value, np.ndarray))
CURVE = Rule("an array of float64 with 1 axis", lambda value: is_array(value, np.float64, 1))
ORDER = Rule("a permutation of 0, 1, ... in an array of int64", _is_order)
SPLIT = Rule("a tuple of 2 arrays of int64, which together are a permutation of 0, 1, ...", _is_split)
CLASSES = Rule("a sorted array of different labels", _are_classes)
FEATURE_NAMES = or_none(
    Rule("an array of strings", lambda value: is_array(value, object, 1) and all(type(name) is str for name in value))
)


def check(what, parts, rules):
    """Refuse parts that are not those that the rules name, or break one.

    Parameters
    ----------
    what : str
        What they are parts of, for messages.
    parts : object
    rules : dict of str to Rule
        The rule for each part, by the part's name.

    Raises
    ------
    ValueError
    """
    if not isinstance(parts, dict) or parts.keys() != rules.keys():
        given = listed(parts) if isinstance(parts, dict) else shown(parts)
        raise ValueError(f"{what} must have the parts {', '.join(rules)}, got {given}")
    for name, rule in rules.items():
        if not rule.holds(parts[name]):
            raise ValueError(f"{name} of {what} must be {rule.text}, got {shown(parts[name])}")


def check_finite(name, array):
    """Refuse an array with NaN or infinity in it.

    Raises
    ------
    ValueError
    """
    if not _is_finite_array(array):
        raise ValueError(f"{name} must be finite, got {array[~np.isfinite(array)][0]}")


def set_features(model, n_features, names):
    """Give a model its number of features and their names, unless they are None.

    Raises
    ------
    ValueError
        When there are more names than features, or fewer.
    """
    if n_features is None:
        if names is not None:
            raise ValueError(f"feature_names must be None for X of several axes, got {shown(names)}")
        return
    model.n_features_in_ = n_features
    if names is not None:
        if len(names) != n_features:
            raise ValueError(f"len(feature_names) must be {n_features}, the number of features, got {len(names)}")
        model.feature_names_in_ = names


def listed(names):
    """Names as messages show them, without the middle of a long list."""
    return quoted(", ".join(map(shown, names)), str)


def shown(value):
    """A value as messages show it: in a few words, however large it is."""
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype} and shape {value.shape}"
    if isinstance(value, str):
        return repr(value if len(value) <= MOST_TEXT_SHOWN else value[:MOST_TEXT_SHOWN] + "...")
    if isinstance(value, (list, tuple)):
        if any(isinstance(item, (list, tuple, dict)) and item for item in value[:MOST_ITEMS_SHOWN]):
            return f"a {type(value).__name__} of length {len(value)}"
        items = [*map(shown, value[:MOST_ITEMS_SHOWN]), *(["..."] if len(value) > MOST_ITEMS_SHOWN else [])]
        return f"[{', '.join(items)}]" if isinstance(value, list) else f"({', '.join(items)})"
    if isinstance(value, dict):
        names = [*map(shown, islice(value, MOST_ITEMS_SHOWN)), *(["..."] if len(value) > MOST_ITEMS_SHOWN else [])]
        return f"a dict with {', '.join(names)}" if names else "an empty dict"
    if isinstance(value, int) and abs(value) >= 2**64:  # Python refuses to print the largest
        return "an integer beyond 64 bits"
    return quoted(value)
