"""Recurrent operators of ONNX's, as layers of fastnn's."""

import numpy as np

from fastnn import layers
from fastnn.export.onnx.nodes import check_attributes, check_reads, integers_of, value_of, weights_of, what_of
from fastnn.persistence.checks import shown

CELLS = {"RNN": layers.SimpleRNN, "GRU": layers.GRU, "LSTM": layers.LSTM}
_USUAL = {"RNN": ["Tanh"], "GRU": ["Sigmoid", "Tanh"], "LSTM": ["Sigmoid", "Tanh", "Tanh"]}
# The places of ONNX's gates in Keras's order.
_GATES = {"RNN": [0], "GRU": [0, 1, 2], "LSTM": [0, 2, 3, 1]}
# The names of ONNX's activations of cells, with the alpha and beta that fastnn has, by fastnn's names.
_OF_CELLS = {
    "Affine": ("identity", 1.0, 0.0),
    "Elu": ("elu", 1.0, None),
    "LeakyRelu": ("leaky_relu", 0.01, None),
    "Relu": ("relu", None, None),
    "Sigmoid": ("sigmoid", None, None),
    "Softplus": ("softplus", None, None),
    "Tanh": ("tanh", None, None),
}


def recurrent(walk, node, attributes):
    check_reads(walk, node)
    kind = node.op_type
    check_attributes(node, attributes, {"linear_before_reset": 1, "layout": 0, "input_forget": 0, "clip": ()})
    if kind == "GRU" and "linear_before_reset" not in attributes:
        raise ValueError(f"linear_before_reset of {what_of(node)} must be 1 for fastnn, got 0")
    walk.settle(["s", "n", "c"])
    lengths, *states = [*node.input[4:], ""]
    if lengths and lengths not in (walk.lengths or ()):
        raise ValueError(f"the lengths of {what_of(node)} must be the graph's input, got {shown(lengths)}")
    for name in states:
        if name and (name not in walk.constants or walk.constants[name].any()):
            raise ValueError(f"the first state of {what_of(node)} must be zeros, got {shown(name)}")
    weights = weights_of(walk, node, W=1, R=2, B=3)
    passes_on = [i for i, name in enumerate(node.output) if name and walk.readers(name)]
    if passes_on not in ([0], [1]):
        raise ValueError(f"one output of {what_of(node)}, of all steps or of the last, must be read, got {passes_on}")
    direction = value_of(attributes, "direction", "forward")
    n_ways = 2 if direction == "bidirectional" else 1
    backwards = walk.is_reversed or direction == "reverse"
    if (direction == "reverse" and (walk.is_reversed or passes_on == [0])) or (n_ways == 2 and walk.is_reversed):
        raise ValueError(f"direction of {what_of(node)} must be forward where all outputs are read, got {direction}")
    units = value_of(attributes, "hidden_size", weights["R"].shape[-1] if weights["R"].ndim == 3 else 0)
    its = _activations(node, attributes, n_ways)
    its |= {"return_sequences": passes_on == [0], "use_bias": "B" in weights, "go_backwards": backwards}
    layer = CELLS[kind](units, **its)
    by_way = [_of_way(node, weights, i, n_ways, layer) for i in range(n_ways)]
    if n_ways == 2:
        names = zip(("forward", "backward"), by_way, strict=True)
        by_way = [{f"{way}_{name}": array for way, each in names for name, array in each.items()}]
        layer = layers.Bidirectional(layer)
    walk.add(node, layer, by_way[0])
    walk.is_reversed = False
    axes = ["s", "d", "n", "c"] if passes_on == [0] else ["d", "n", "c"]
    walk.go_on(node, axes=axes, output=passes_on[0])


def _activations(node, attributes, n_ways):
    names = value_of(attributes, "activations", _USUAL[node.op_type] * n_ways)
    n = len(_USUAL[node.op_type])
    of_way = names[:n]
    known = [name for name in names if name in _OF_CELLS]
    if len(known) != n * n_ways or names != of_way * n_ways or (n == 3 and of_way[1] != of_way[2]):
        raise ValueError(
            f"the activations of {what_of(node)} must be such of {', '.join(_OF_CELLS)}, got {shown(names)}"
        )
    for place, attribute in (1, "activation_alpha"), (2, "activation_beta"):
        expected = [_OF_CELLS[name][place] for name in names if _OF_CELLS[name][place] is not None]
        given = value_of(attributes, attribute, expected)
        if len(given) != len(expected) or not np.allclose(given, expected, rtol=1e-6, atol=0):
            raise ValueError(f"{attribute} of {what_of(node)} must be {expected} for fastnn, got {shown(given)}")
    its = {"activation": _OF_CELLS[of_way[-1]][0]}
    return its if n == 1 else its | {"recurrent_activation": _OF_CELLS[of_way[0]][0]}


def _of_way(node, weights, way, n_ways, layer):
    """The weights in one direction, with the gates in Keras's order."""
    n_gates = len(_GATES[node.op_type])

    def by_gate(array):
        parts = np.split(array, n_gates)
        return np.concatenate([parts[i] for i in _GATES[node.op_type]])

    columns = n_gates * layer.units
    for name, shape in (
        ("W", (n_ways, columns, None)),
        ("R", (n_ways, columns, layer.units)),
        ("B", (n_ways, 2 * columns)),
    ):
        array = weights.get(name)
        if array is not None and (
            array.ndim != len(shape) or any(b not in (None, a) for a, b in zip(array.shape, shape, strict=False))
        ):
            raise ValueError(f"{name} of {what_of(node)} must have shape {shape}, got {array.shape}")
    made = {"kernel": by_gate(weights["W"][way]).T, "recurrent_kernel": by_gate(weights["R"][way]).T}
    if "B" in weights:
        biases = [by_gate(each) for each in np.split(weights["B"][way], 2)]
        made["bias"] = np.stack(biases) if layer.has_recurrent_bias else biases[0] + biases[1]
    return made


def reversal(walk, node, attributes):
    """A Slice or ReverseSequence that reads the steps from the last to the first."""
    if node.op_type == "Slice":
        ends = [integers_of(walk, node, place) for place in range(1, len(node.input))]
        is_reversal = len(ends) == 4 and ends[0] == [-1] and ends[1][0] < -(2**31) and ends[2:] == [[1], [-1]]
    else:
        is_reversal = node.input[1] in (walk.lengths or ()) and value_of(attributes, "batch_axis", 1) == 0
        is_reversal = is_reversal and value_of(attributes, "time_axis", 0) == 1
    if not is_reversal or len(walk.axes) != 3 or walk.is_reversed:
        raise ValueError(f"{what_of(node)} must reverse the steps of sequences, got other settings")
    walk.settle(["n", "s", "c"])
    walk.is_reversed = True
    walk.go_on(node)
