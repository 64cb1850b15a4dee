"""Convolutions and pooling of ONNX's, as layers of fastnn's."""

import numpy as np

from fastnn import layers
from fastnn.export.onnx.nodes import (
    SPATIAL,
    axes_of,
    check_attributes,
    check_reads,
    value_of,
    weights_of,
    what_of,
)
from fastnn.export.takeover import along_axes, padding_like
from fastnn.persistence.checks import shown


def _settle_for_windows(walk, node):
    n = len(walk.axes) - 2
    if n not in SPATIAL:
        raise ValueError(f"{what_of(node)} must read maps or sequences, got a tensor of {len(walk.axes)} axes")
    walk.settle(["n", "c", *SPATIAL[n]])
    return n


def _movement(node, attributes, kernel, n):
    values = [value_of(attributes, name, [1] * n) for name in ("strides", "dilations")]
    if any(len(each) != n or min(each) < 1 for each in (kernel, *values)):
        raise ValueError(f"windows of {what_of(node)} must have {n} sizes, strides and dilations, got {shown(values)}")
    return tuple(map(tuple, (kernel, *values)))


def _padding(walk, node, attributes, movement):
    n = len(movement[0])
    check_attributes(node, attributes, {"auto_pad": ("NOTSET", "VALID", "SAME_UPPER")})
    automatic = value_of(attributes, "auto_pad", "NOTSET")
    if automatic != "NOTSET":
        return {"VALID": "valid", "SAME_UPPER": "same"}[automatic]
    pads = value_of(attributes, "pads", [0] * 2 * n)
    if len(pads) != 2 * n:
        raise ValueError(f"pads of {what_of(node)} must be {2 * n} integers, got {shown(pads)}")
    return padding_like(what_of(node), walk.takeover.shape, list(zip(pads[:n], pads[n:], strict=True)), movement)


def convolution(walk, node, attributes):
    check_reads(walk, node)
    n = _settle_for_windows(walk, node)
    weights = weights_of(walk, node, kernel=1, bias=2)
    if "kernel" not in weights or weights["kernel"].ndim != n + 2:
        raise ValueError(f"the kernel of {what_of(node)} must have {n + 2} axes, got {shown([*node.input])}")
    movement = _movement(node, attributes, weights["kernel"].shape[2:], n)
    weights["kernel"] = np.moveaxis(weights["kernel"], (0, 1), (-1, -2))
    window, strides, dilation = map(along_axes, movement)
    cls = layers.Conv1D if n == 1 else layers.Conv2D
    layer = cls(
        weights["kernel"].shape[-1], window, strides=strides, dilation_rate=dilation, activation=None,
        groups=value_of(attributes, "group", 1), use_bias="bias" in weights,
        padding=_padding(walk, node, attributes, movement),
    )  # fmt: skip
    walk.add(node, layer, weights)
    walk.go_on(node)


def pooling(walk, node, attributes):
    n = _settle_for_windows(walk, node)
    kernel = value_of(attributes, "kernel_shape", [])
    movement = _movement(node, attributes, kernel, n)
    expected = {"ceil_mode": 0, "storage_order": 0, "dilations": ([1] * n,)}
    padding = _padding(walk, node, attributes, movement)
    check_attributes(node, attributes, expected | ({} if padding == "valid" else {"count_include_pad": 0}))
    kind = "Max" if node.op_type == "MaxPool" else "Average"
    window, strides, _ = map(along_axes, movement)
    cls = getattr(layers, f"{kind}Pooling{n}D")
    walk.add(node, cls(window, strides=None if strides == window else strides, padding=padding), {})
    walk.go_on(node)


def global_pooling(walk, node, attributes):
    n = _settle_for_windows(walk, node)
    _add_global(walk, node, n)
    walk.go_on(node, axes=["n", "c"] + ["1"] * n)


def _add_global(walk, node, n):
    kind = "Max" if "Max" in node.op_type else "Average"
    walk.add(node, getattr(layers, f"Global{kind}Pooling{n}D")(), {})


def reduction(walk, node, attributes):
    """The mean, or the largest, of all positions."""
    walk.settled()
    reduced = {axis % len(walk.axes) for axis in axes_of(walk, node, attributes)}
    spatial = {i for i, axis in enumerate(walk.axes) if axis in ("s", "h", "w")}
    if reduced != spatial or not spatial:
        raise ValueError(f"{what_of(node)} must be over all positions, got the axes {shown(sorted(reduced))}")
    _add_global(walk, node, len(spatial))
    kept = value_of(attributes, "keepdims", 1)
    axes = ["1" if i in spatial else axis for i, axis in enumerate(walk.axes) if kept or i not in spatial]
    walk.go_on(node, axes=axes)
