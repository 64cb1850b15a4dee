"""What nodes of ONNX's graphs say, looked at before it is believed."""

import numpy as np

from fastnn.export.takeover import check_settings
from fastnn.persistence.checks import shown

#: The names of the axes of maps and sequences, but for samples and channels, by their number.
SPATIAL = {1: ["s"], 2: ["h", "w"]}


def what_of(node):
    return f"{node.op_type} {shown(node.name)}"


def value_of(attributes, name, default):
    """The value of an attribute, whose type has been checked."""
    if name not in attributes:
        return default
    attribute = attributes[name]
    kinds = {1: lambda: attribute.f, 2: lambda: attribute.i, 3: lambda: attribute.s.decode("utf-8", "replace")}
    kinds |= {6: lambda: list(attribute.floats), 7: lambda: list(attribute.ints)}
    kinds |= {8: lambda: [each.decode("utf-8", "replace") for each in attribute.strings]}
    return kinds[attribute.type]()


def check_attributes(node, attributes, expected):
    check_settings(what_of(node), {name: value_of(attributes, name, None) for name in attributes}, expected)


def weights_of(walk, node, **places):
    """The constants that a node reads, by the names of weights; biases that it has not are left out."""
    found = {}
    for name, place in places.items():
        if place < len(node.input) and node.input[place] in walk.constants:
            found[name] = walk.constants[node.input[place]]
            if found[name].dtype not in (np.float32, np.float64):
                raise ValueError(f"{name} of {what_of(node)} must be of floats, got {found[name].dtype}")
        elif name not in ("bias", "B", "beta") or (place < len(node.input) and node.input[place]):
            raise ValueError(f"{name} of {what_of(node)} must be a constant, got {shown([*node.input])}")
    return found


def check_reads(walk, node, place=0):
    """Refuse a node that reads the tensor elsewhere."""
    if node.input[place] != walk.tensor:
        raise ValueError(
            f"{what_of(node)} must read {shown(walk.tensor)} as its input {place}, got {shown([*node.input])}"
        )


def axes_of(walk, node, attributes):
    """The axes of an operator: an attribute in older models, and an input in newer ones."""
    if "axes" in attributes:
        return value_of(attributes, "axes", [])
    return integers_of(walk, node, 1)


def integers_of(walk, node, place):
    if place >= len(node.input) or node.input[place] not in walk.constants:
        raise ValueError(f"the input {place} of {what_of(node)} must be a constant, got {shown([*node.input])}")
    array = walk.constants[node.input[place]]
    if array.dtype.kind != "i" or array.ndim > 1 or array.size > 8:
        raise ValueError(f"the input {place} of {what_of(node)} must be a few integers, got shape {array.shape}")
    return array.reshape(-1).tolist()
