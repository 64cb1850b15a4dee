"""What the parts of a model that come from a file can be: it may be damaged, or made up to do harm."""

import numpy as np


def is_count(value):
    """Whether it is a number that the engine can count to."""
    return type(value) is int and 0 <= value < 2**62


def is_number(value):
    return type(value) is float


def is_text(value):
    return type(value) is str


def is_curve(value):
    return is_array(value, np.float64, 1)


def is_array(value, dtype, n_axes):
    return isinstance(value, np.ndarray) and value.dtype == dtype and value.ndim == n_axes


def is_matrix(value):
    return isinstance(value, np.ndarray) and value.ndim == 2


def is_order(value):
    """Whether it is an order of numbers 0, 1, ..., without a gap."""
    return is_array(value, np.int64, 1) and np.array_equal(np.sort(value), np.arange(len(value)))


def is_split(value):
    parts = isinstance(value, tuple) and len(value) == 2 and all(is_array(rows, np.int64, 1) for rows in value)
    return parts and is_order(np.concatenate(value))


def are_arrays(value, shapes, dtype):
    """Whether it is a list of arrays of these shapes and this type, each another one."""
    if not isinstance(value, list) or len(value) != len(shapes):
        return False
    # A file may name one array for all of a million layers: small itself, and a network that fits no memory.
    if len({id(array) for array in value}) < len(value):
        return False
    return all(
        is_array(array, dtype, len(shape)) and array.shape == shape for array, shape in zip(value, shapes, strict=True)
    )


def are_weights(value, network):
    """Whether they are finite weights for this network."""
    return are_memory(value, network) and all(np.isfinite(array).all() for array in value)


def are_memory(value, network):
    """Whether it is a number for each of a network's weights: an optimizer's may be infinite where gradients were."""
    return are_arrays(value, network.shapes, network.dtype)


def are_classes(value):
    """Whether it is an array of classes, sorted."""
    if not isinstance(value, np.ndarray) or value.ndim != 1 or value.dtype.kind not in "biufUO":
        return False
    if value.dtype == object and not all(type(label) is str for label in value):
        return False
    return len(value) > 0 and bool((value[1:] > value[:-1]).all())


def are_feature_names(value):
    return value is None or (is_array(value, object, 1) and all(type(name) is str for name in value))


def or_none(check):
    return lambda value: value is None or check(value)


def check(what, parts, checks):
    """Refuse parts that are not those asked for, each passing its check.

    Parameters
    ----------
    what : str
        What they are parts of.
    parts : object
    checks : dict of str to callable
        By the parts' names.

    Raises
    ------
    ValueError
    """
    if not isinstance(parts, dict) or parts.keys() != checks.keys():
        raise ValueError(f"{what} must have {', '.join(checks)}")
    for name, check in checks.items():
        if not check(parts[name]):
            raise ValueError(f"{name} of {what} is none that there can be")


def set_features(model, n_features, names):
    """Give a model its number of features, and their names, if any.

    Raises
    ------
    ValueError
        For more names, or fewer.
    """
    model.n_features_in_ = n_features
    if names is not None:
        if len(names) != n_features:
            raise ValueError(f"{len(names)} names of {n_features} features")
        model.feature_names_in_ = names
