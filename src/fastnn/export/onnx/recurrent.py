"""Recurrent layers by ONNX's operators, which take time as their first axis: onnxruntime refuses another order."""

from dataclasses import replace

import numpy as np

from fastnn.data.quoted import quoted
from fastnn.export.onnx.activations import OF_CELLS
from fastnn.layers.activation import engine_activation

_OPERATORS = {"simple": "RNN", "gru": "GRU", "lstm": "LSTM"}
# The places of Keras's gates in ONNX's order: z, r, h of a GRU; i, o, f, c of an LSTM, which Keras has as i, f, c, o.
_GATES = {"simple": [0], "gru": [0, 1, 2], "lstm": [0, 3, 1, 2]}


def recurrent(graph, layer, signal, weights):
    """SimpleRNN, GRU and LSTM."""
    signal = signal.to_last(graph)
    if layer.go_backwards:
        signal = replace(signal, tensor=_reversed(graph, signal))
    made = _run(graph, layer, signal, [weights])
    return _made(layer, signal, graph.add("Squeeze", made, graph.integers(2 if layer.return_sequences else 1)))


def bidirectional(graph, layer, signal, weights):
    """Bidirectional: what both directions make lies along an axis of its own, (n, steps, 2, units) or (n, 2, units)."""
    signal = signal.to_last(graph)
    by_way = [
        {name.removeprefix(way): array for name, array in weights.items() if name.startswith(way)}
        for way in ("forward_", "backward_")
    ]
    both = _run(graph, layer.layer, signal, by_way)
    axis = 2 if layer.return_sequences else 1
    if layer.merge_mode == "concat":
        made = graph.add("Reshape", both, graph.integers(*[0] * axis, 2 * layer.layer.units))
        return _made(layer, signal, made)
    forward, backward = (
        graph.add("Squeeze", part, graph.integers(axis))
        for part in graph.add("Split", both, graph.integers(1, 1), n_outputs=2, axis=axis)
    )
    made = graph.add("Mul" if layer.merge_mode == "mul" else "Add", forward, backward)
    if layer.merge_mode == "ave":
        made = graph.add("Mul", made, graph.number(0.5))
    return _made(layer, signal, made)


def _made(layer, signal, tensor):
    lengths = signal.lengths if layer.return_sequences else None
    return replace(signal, tensor=tensor, shape=layer.output_shape(signal.shape), lengths=lengths)


def _reversed(graph, signal):
    if signal.lengths is not None:
        return graph.add("ReverseSequence", signal.tensor, signal.lengths, batch_axis=0, time_axis=1)
    ends = graph.integers(-1), graph.integers(np.iinfo(np.int64).min)
    return graph.add("Slice", signal.tensor, *ends, graph.integers(1), graph.integers(-1))


def _run(graph, layer, signal, by_way):
    """The outputs at all steps, (n, steps, directions, units), or the last ones, (n, directions, units)."""
    inputs = [graph.add("Transpose", signal.tensor, perm=[1, 0, 2])]
    for name, kernel in ("W", "kernel"), ("R", "recurrent_kernel"):
        arrays = [_by_gates(layer, weights[kernel]).T for weights in by_way]
        inputs.append(graph.constant(np.ascontiguousarray(np.stack(arrays)), name))
    biases = ""
    if layer.use_bias:
        biases = graph.constant(np.stack([_biases(layer, weights["bias"]) for weights in by_way]), "B")
    inputs.append(biases)
    if signal.lengths is not None:
        inputs.append(graph.cast(signal.lengths, np.int32))
    attributes = {"linear_before_reset": 1} if layer.cell == "gru" else {}
    if len(by_way) == 2:
        attributes["direction"] = "bidirectional"
    made, last = graph.add(
        _OPERATORS[layer.cell], *inputs, n_outputs=2, hidden_size=layer.units,
        **attributes, **_activations(layer, len(by_way)),
    )  # fmt: skip
    if layer.return_sequences:  # (steps, directions, n, units)
        return graph.add("Transpose", made, perm=[2, 0, 1, 3])
    return graph.add("Transpose", last, perm=[1, 0, 2])


def _by_gates(layer, array):
    """The columns in the order of ONNX's gates."""
    parts = np.split(array, layer.n_gates, axis=-1)
    return np.concatenate([parts[i] for i in _GATES[layer.cell]], axis=-1)


def _biases(layer, bias):
    """The biases of the inputs' sums, then those of the state's."""
    of_inputs, of_state = bias if layer.has_recurrent_bias else (bias, np.zeros_like(bias))
    return np.concatenate([_by_gates(layer, of_inputs), _by_gates(layer, of_state)])


def _activations(layer, n_directions):
    names = [engine_activation(layer.activation)]
    if layer.cell != "simple":
        gates = engine_activation(layer.recurrent_activation)
        names = [gates, *names] if layer.cell == "gru" else [gates, *names, *names]
    for name in names:
        if name not in OF_CELLS:
            raise ValueError(
                f"the activations of {quoted(layer)} must be among those that ONNX's {_OPERATORS[layer.cell]} has, "
                f"{', '.join(OF_CELLS)}, got {name}"
            )
    of_cells = [OF_CELLS[name] for name in names] * n_directions
    attributes = {"activations": [operator for operator, _, _ in of_cells]}
    for place, name in (1, "activation_alpha"), (2, "activation_beta"):
        numbers = [each[place] for each in of_cells if each[place] is not None]
        if numbers:
            attributes[name] = numbers
    return attributes
