"""The operators of ONNX that are layers of fastnn's: a row for each, which takes it over.

A row is a function of the `Walk`, the node, and its attributes by their names. It adds layers, and goes on behind the
node, or behind several that are one layer together.
"""

import math
from dataclasses import replace

import numpy as np

from fastnn import layers
from fastnn.export.onnx.cell_operators import CELLS, recurrent, reversal
from fastnn.export.onnx.nodes import (
    SPATIAL,
    axes_of,
    check_attributes,
    check_reads,
    integers_of,
    value_of,
    weights_of,
    what_of,
)
from fastnn.export.onnx.window_operators import convolution, global_pooling, pooling, reduction
from fastnn.persistence.checks import shown

_ACTIVATIONS = {
    "Elu": "elu",
    "Exp": "exp",
    "LeakyRelu": "leaky_relu",
    "Relu": "relu",
    "Sigmoid": "logistic",
    "Softplus": "softplus",
    "Tanh": "tanh",
}


# -- dense layers ------------------------------------------------------------------------------------------------------


def _gemm(walk, node, attributes):
    check_reads(walk, node)
    check_attributes(node, attributes, {"alpha": 1.0, "beta": 1.0, "transA": 0})
    walk.settle(["n", "c"])
    weights = weights_of(walk, node, kernel=1, bias=2)
    if value_of(attributes, "transB", 0):
        weights["kernel"] = weights["kernel"].T
    _add_dense(walk, node, weights)
    walk.go_on(node)


def _matmul(walk, node, attributes):
    check_reads(walk, node)
    walk.settled()
    walk.settle([*walk.axes[:-1], "c"])
    weights, nodes = weights_of(walk, node, kernel=1), [node]
    add = walk.only_reader(node.output[0], "Add")
    bias = None if add is None else walk.constant_beside(add, node.output[0])
    if bias is not None and bias.ndim == 1 and bias.shape == weights["kernel"].shape[-1:]:
        weights["bias"], nodes = bias, [node, add]
    _add_dense(walk, node, weights)
    walk.go_on(*nodes)


def _add_dense(walk, node, weights):
    if weights["kernel"].ndim != 2:
        raise ValueError(f"the kernel of {what_of(node)} must be a matrix, got shape {weights['kernel'].shape}")
    walk.add(node, layers.Dense(weights["kernel"].shape[1], None, use_bias="bias" in weights), weights)


# -- functions of each number ------------------------------------------------------------------------------------------


def _activation(walk, node, attributes):
    name = _ACTIVATIONS[node.op_type]
    check_attributes(node, attributes, {"alpha": (0.01, float(np.float32(0.01))) if name == "leaky_relu" else 1.0})
    _activate(walk, node, name)
    walk.go_on(node)


def _activate(walk, node, name):
    if walk.takeover is None:
        walk.add(node, layers.Activation(name))
    else:
        walk.takeover.activate(what_of(node), name)


def _gelu(walk, node, attributes):
    check_attributes(node, attributes, {"approximate": "none"})
    _activate(walk, node, "gelu")
    walk.go_on(node)


def _softmax(walk, node, attributes):
    n = len(walk.axes)
    check_attributes(node, attributes, {"axis": (-1, n - 1)})
    if walk.settled().layers and walk.axes[-1] == "c":
        walk.takeover.activate(what_of(node), "softmax")
    walk.go_on(node)


def _unchanged(walk, node, attributes):
    walk.go_on(node)


def _scaled(walk, node, attributes):
    """A product or a sum with one number."""
    number = walk.constant_beside(node, walk.tensor)
    if number is None or number.size != 1 or number.dtype.kind != "f" or not np.isfinite(number).all():
        raise ValueError(f"{what_of(node)} must read one finite number beside {shown(walk.tensor)}, got something else")
    number = float(number.reshape(-1)[0])
    last = walk.takeover.layers[-1] if walk.takeover and walk.takeover.layers else None
    if node.op_type in ("Add", "Sub"):
        number = -number if node.op_type == "Sub" else number
        if node.op_type == "Sub":
            check_reads(walk, node)
        if isinstance(last, layers.Rescaling) and last.offset == 0:
            walk.takeover.layers[-1] = replace(last, offset=number)
        elif walk.takeover is None and walk._waiting and isinstance(walk._waiting[-1][1], layers.Rescaling):
            what, waiting = walk._waiting.pop()
            walk._waiting.append((what, replace(waiting, offset=waiting.offset + number)))
        else:
            walk.add(node, layers.Rescaling(1.0, number))
    else:
        if node.op_type == "Div":
            check_reads(walk, node)
            number = 1 / number if number else math.inf
        walk.add(node, layers.Rescaling(number))
    walk.go_on(node)


def two_readers(walk, readers):
    """Take over what several nodes that read one tensor are together: leaky_relu, silu or gelu.

    Raises
    ------
    ValueError
    """
    by_kind = {node.op_type: node for node in readers}
    if len(readers) == 2 and by_kind.keys() == {"Mul", "Max"}:
        scaled, largest = by_kind["Mul"], by_kind["Max"]
        slope = walk.constant_beside(scaled, walk.tensor)
        if (
            slope is not None
            and slope.size == 1
            and slope == 0.01
            and {*largest.input} == {walk.tensor, *scaled.output}
        ):
            _activate(walk, largest, "leaky_relu")
            return walk.go_on(scaled, largest)
    if len(readers) == 2 and by_kind.keys() == {"Sigmoid", "Mul"}:
        sigmoid, product = by_kind["Sigmoid"], by_kind["Mul"]
        if sorted(product.input) == sorted([walk.tensor, *sigmoid.output]):
            _activate(walk, product, "silu")
            return walk.go_on(sigmoid, product)
    for first in readers:
        nodes = _gelu_from(walk, first) if first.op_type in ("Mul", "Div") else None
        if nodes is not None and len(readers) == 2 and all(any(each is node for node in nodes) for each in readers):
            _activate(walk, first, "gelu")
            return walk.go_on(*nodes)
    kinds = shown([node.op_type for node in readers])
    raise ValueError(f"the operators must be one after the other, got {kinds}, which all read {shown(walk.tensor)}")


def _gelu_from(walk, first):
    """The nodes of x (1 + erf(x / sqrt(2))) / 2, the first of which scales x; None if they are something else."""
    z = np.linspace(-3, 3, 7)
    value, nodes, name, had_erf = z, [], walk.tensor, False
    node = first
    while node is not None and len(nodes) < 5:
        number = walk.constant_beside(node, name)
        if node.op_type == "Erf":
            value, had_erf = np.array([math.erf(each) for each in value]), True
        elif node.op_type == "Mul" and sorted(node.input) == sorted([name, walk.tensor]) and name != walk.tensor:
            value = value * z
        elif (
            number is None or number.size != 1 or number.dtype.kind != "f" or node.op_type not in ("Add", "Mul", "Div")
        ):
            return None
        else:
            operate = {"Add": np.add, "Mul": np.multiply, "Div": np.divide}[node.op_type]
            with np.errstate(all="ignore"):
                value = operate(value, float(number.reshape(-1)[0]))
        nodes.append(node)
        name = node.output[0]
        node = walk.only_reader(name, "Erf", "Add", "Mul", "Div")
    expected = [each * (1 + math.erf(each / math.sqrt(2))) / 2 for each in z]
    return nodes if had_erf and np.allclose(value, expected, rtol=1e-6, atol=1e-6) else None


# -- normalization and embedding ---------------------------------------------------------------------------------------


def _batch_normalization(walk, node, attributes):
    check_attributes(node, attributes, {"training_mode": 0})
    walk.settle(["n", "c", *SPATIAL.get(len(walk.axes) - 2, [])])
    weights = weights_of(walk, node, gamma=1, beta=2, moving_mean=3, moving_variance=4)
    given, momentum = (value_of(attributes, *each) for each in (("epsilon", 1e-5), ("momentum", 0.9)))
    epsilon, variance = _short(given), weights.get("moving_variance")
    if variance is not None and variance.dtype == np.float64:
        weights["moving_variance"] = np.maximum(variance + (given - epsilon), 0)
    walk.add(node, layers.BatchNormalization(momentum=_short(momentum), epsilon=epsilon), weights)
    walk.go_on(node)


def _short(number):
    """A number of float32 as the shortest decimal that is it."""
    return float(str(np.float32(number)))


def _layer_normalization(walk, node, attributes):
    check_attributes(node, attributes, {"axis": (-1, len(walk.axes) - 1)})
    n = walk.settled().shape[-1]
    walk.settle([*walk.axes[:-1], "c"])
    weights = {"beta": np.zeros(n, np.float32)} | weights_of(walk, node, gamma=1, beta=2)
    epsilon, last = value_of(attributes, "epsilon", 1e-5), walk.takeover.layers[-1:]
    if last and isinstance(last[0], layers.Rescaling) and last[0].scale > 0 and last[0].offset == 0:
        walk.takeover.drop()  # of k x with epsilon it makes what it makes of x with epsilon / k^2
        epsilon = float(f"{epsilon / last[0].scale ** 2:.14g}")
    else:
        epsilon = _short(epsilon)
    walk.add(node, layers.LayerNormalization(epsilon=epsilon), weights)
    walk.go_on(node)


def _gather(walk, node, attributes):
    """Rows of a matrix, by the numbers that X has."""
    check_reads(walk, node, 1)
    check_attributes(node, attributes, {"axis": 0})
    if not walk.has_tokens or (walk.takeover is not None and walk.takeover.layers):
        raise ValueError(f"{what_of(node)} must read X, of integers, got {shown(walk.tensor)}")
    walk.settle_tokens()
    matrix = weights_of(walk, node, embeddings=0)["embeddings"]
    if matrix.ndim != 2:
        raise ValueError(f"the constant of {what_of(node)} must be a matrix, got shape {matrix.shape}")
    walk.add(node, layers.Embedding(*matrix.shape), {"embeddings": matrix})
    walk.go_on(node, axes=["n", "s", "c"])


# -- other shapes ------------------------------------------------------------------------------------------------------


def _transpose(walk, node, attributes):
    n = len(walk.axes)
    perm = value_of(attributes, "perm", list(range(n))[::-1])
    if sorted(perm) != list(range(n)):
        raise ValueError(f"perm of {what_of(node)} must be a permutation of {n} axes, got {shown(perm)}")
    walk.go_on(node, axes=[walk.axes[i] for i in perm])


def _squeeze(walk, node, attributes):
    axes = axes_of(walk, node, attributes)
    places = {axis % len(walk.axes) for axis in axes}
    names = [walk.axes[place] for place in places]
    if walk.takeover is None and walk.has_tokens and places == {2} and walk.sizes[1] == 1:
        return walk.go_on(node, axes=walk.axes[:2])
    last = walk.takeover.layers[-1:] if walk.takeover else []
    one_way = last and not isinstance(last[0], layers.Bidirectional)
    if not all(name == "1" or (name == "d" and one_way) for name in names):
        raise ValueError(f"{what_of(node)} must leave out axes of one entry, got the axes {shown(axes)}")
    return walk.go_on(node, axes=[axis for i, axis in enumerate(walk.axes) if i not in places])


def _flatten(walk, node, attributes):
    check_attributes(node, attributes, {"axis": 1})
    _flatten_here(walk, node)


def _flatten_here(walk, node):
    takeover = walk.settled()
    axes = [axis for axis in walk.axes if axis != "1"]
    if axes[0] != "n" or "d" in axes or (len(axes) > 2 and "c" not in (axes[1], axes[-1])):
        raise ValueError(f"{what_of(node)} must flatten each sample, got the axes {', '.join(walk.axes)}")
    if len(axes) > 2 and axes[1] == "c" and axes[2:] != SPATIAL[len(axes) - 2]:
        raise ValueError(f"{what_of(node)} must read the axes in their order, got {', '.join(walk.axes)}")
    takeover.flatten(what_of(node), channels_first=axes[1] == "c")
    walk.go_on(node, axes=["n", "c"])


def _reshape(walk, node, attributes):
    check_reads(walk, node)
    shape = integers_of(walk, node, 1)
    if walk.axes[-2:] == ["d", "c"]:  # both directions side by side
        _check_joins(walk, node, shape)
        return walk.go_on(node, axes=[*walk.axes[:-2], "c"])
    takeover = walk.settled()
    n, sizes = math.prod(each or 0 for each in takeover.shape), list(shape[1:])
    if None in takeover.shape or walk.axes[0] != "n" or not sizes or len(shape) > 4:
        raise ValueError(f"{what_of(node)} must read samples of one size, and keep them apart, got {shown(shape)}")
    if sizes.count(-1) == 1:
        known = -math.prod(sizes)
        sizes[sizes.index(-1)] = n // known if known > 0 else 0
    if math.prod(sizes) != n or min(sizes) < 1:
        raise ValueError(f"{what_of(node)} must keep the {n} numbers of each sample, got the shape {shown(shape)}")
    if len(sizes) == 1:
        return _flatten_here(walk, node)
    walk.settle(["n", *{1: "c", 2: "sc", 3: "hwc"}[len(takeover.shape)]])
    walk.add(node, layers.Reshape(tuple(sizes)), {})
    return walk.go_on(node, axes=["n", *{2: "sc", 3: "hwc"}[len(sizes)]])


def _check_joins(walk, node, shape):
    """Refuse a shape that does something else than to join the outputs of both directions."""
    n = len(walk.axes)
    both = walk.takeover.shape[-1]
    if len(shape) != n - 1 or shape[-1] not in (-1, both) or any(size != 0 for size in shape[1:-1]):
        raise ValueError(f"{what_of(node)} must put both directions side by side, got the shape {shown(shape)}")


def _split(walk, node, attributes):
    """Both directions, which are then added or multiplied."""
    takeover = walk.settled()
    last = takeover.layers[-1] if takeover.layers else None
    axis = value_of(attributes, "axis", 0)
    squeezes = [walk.only_reader(name, "Squeeze") for name in node.output]
    merges = [None if each is None else walk.only_reader(each.output[0], "Add", "Mul") for each in squeezes]
    if (
        not isinstance(last, layers.Bidirectional)
        or not -len(walk.axes) <= axis < len(walk.axes)
        or walk.axes[axis] != "d"
        or len(merges) != 2
        or merges[0] is None
        or merges[0] is not merges[1]
        or any([axis] != axes_of(walk, each, {a.name: a for a in each.attribute}) for each in squeezes)
    ):
        raise ValueError(
            f"{what_of(node)} must part the directions of a recurrent layer, which are then merged, got others"
        )
    mode, nodes = ("mul" if merges[0].op_type == "Mul" else "sum"), [node, *squeezes, merges[0]]
    half = walk.only_reader(merges[0].output[0], "Mul")
    number = None if half is None else walk.constant_beside(half, merges[0].output[0])
    if mode == "sum" and number is not None and number.size == 1 and number.reshape(-1)[0] == 0.5:
        mode, nodes = "ave", [*nodes, half]
    takeover.layers[-1] = replace(last, merge_mode=mode)
    takeover.shape = *takeover.shape[:-1], takeover.shape[-1] // 2
    walk.go_on(*nodes, axes=[name for name in walk.axes if name != "d"])


#: A function for each operator, by its name.
OPERATORS = {
    **dict.fromkeys(_ACTIVATIONS, _activation),
    **dict.fromkeys(CELLS, recurrent),
    **dict.fromkeys(("Add", "Sub", "Mul", "Div"), _scaled),
    **dict.fromkeys(("Identity", "Dropout"), _unchanged),
    **dict.fromkeys(("MaxPool", "AveragePool"), pooling),
    **dict.fromkeys(("GlobalMaxPool", "GlobalAveragePool"), global_pooling),
    **dict.fromkeys(("ReduceMax", "ReduceMean"), reduction),
    **dict.fromkeys(("Slice", "ReverseSequence"), reversal),
    "BatchNormalization": _batch_normalization,
    "Cast": _unchanged,
    "Conv": convolution,
    "Flatten": _flatten,
    "Gather": _gather,
    "Gelu": _gelu,
    "Gemm": _gemm,
    "LayerNormalization": _layer_normalization,
    "MatMul": _matmul,
    "Reshape": _reshape,
    "Softmax": _softmax,
    "Split": _split,
    "Squeeze": _squeeze,
    "Transpose": _transpose,
}
