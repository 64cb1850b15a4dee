"""Convolutions and pooling by ONNX's operators.

ONNX continues all samples at the same places. Sequences that differ in their lengths are continued each at its own
ends: their steps are moved to where the windows of the first operator without padding find them.
"""

from dataclasses import replace

import numpy as np

from fastnn.export.onnx.activations import ACTIVATIONS
from fastnn.layers.activation import engine_activation


def convolution(graph, layer, signal, weights):
    """Conv1D and Conv2D."""
    signal, pads, lengths = _placed(graph, layer, signal, 0.0)
    kernel = np.moveaxis(weights["kernel"], (-1, -2), (0, 1))
    parameters = [graph.constant(np.ascontiguousarray(kernel), "kernel")]
    if layer.use_bias:
        parameters.append(graph.constant(weights["bias"], "bias"))
    window, strides, dilations = layer.movement()
    made = graph.add(
        "Conv", signal.to_first(graph).tensor, *parameters,
        kernel_shape=window, strides=strides, dilations=dilations, group=layer.groups, pads=pads,
    )  # fmt: skip
    made = ACTIVATIONS[engine_activation(layer.activation)](graph, made)
    return replace(signal, tensor=made, shape=layer.output_shape(signal.shape), lengths=lengths, channels_first=True)


def max_pooling(graph, layer, signal, weights):
    """MaxPooling1D and MaxPooling2D."""
    signal, pads, lengths = _placed(graph, layer, signal, -np.inf)
    made = _pooled(graph, "MaxPool", layer, signal.to_first(graph).tensor, pads)
    return replace(signal, tensor=made, shape=layer.output_shape(signal.shape), lengths=lengths, channels_first=True)


def average_pooling(graph, layer, signal, weights):
    """AveragePooling1D and AveragePooling2D: what lies beyond an edge is not counted."""
    placed, pads, lengths = _placed(graph, layer, signal, 0.0)
    made = _pooled(graph, "AveragePool", layer, placed.to_first(graph).tensor, pads)
    if signal.lengths is not None and layer.padding != "valid":
        ones = graph.filled(graph.add("Shape", signal.to_last(graph).tensor), graph.dtype.type(1))
        inside, *_ = _placed(graph, layer, replace(signal, tensor=ones, channels_first=False), 0.0)
        counts = _pooled(graph, "AveragePool", layer, inside.to_first(graph).tensor, pads)
        # Windows of which nothing is inside come after the last step.
        made = graph.add("Div", made, graph.add("Max", counts, graph.number(np.finfo(graph.dtype).tiny)))
    return replace(placed, tensor=made, shape=layer.output_shape(signal.shape), lengths=lengths, channels_first=True)


def _pooled(graph, operator, layer, tensor, pads):
    window, strides, _ = layer.movement()
    return graph.add(operator, tensor, kernel_shape=window, strides=strides, pads=pads)


def global_max_pooling(graph, layer, signal, weights):
    """GlobalMaxPooling1D and GlobalMaxPooling2D."""
    return _over_all(graph, "ReduceMax", _with_padding_of(graph, signal, -np.inf))


def global_average_pooling(graph, layer, signal, weights):
    """GlobalAveragePooling1D and GlobalAveragePooling2D."""
    if signal.lengths is None:
        return _over_all(graph, "ReduceMean", signal)
    summed = _over_all(graph, "ReduceSum", _with_padding_of(graph, signal, 0.0))
    counts = graph.add("Unsqueeze", graph.cast(signal.lengths, graph.dtype), graph.integers(1))
    return replace(summed, tensor=graph.add("Div", summed.tensor, counts))


def _over_all(graph, operator, signal):
    n = len(signal.shape)
    axes = range(2, n + 1) if signal.channels_first else range(1, n)
    made = graph.add(operator, signal.tensor, graph.integers(*axes), keepdims=0)
    return replace(signal, tensor=made, shape=signal.shape[-1:], lengths=None, channels_first=False)


def _with_padding_of(graph, signal, fill):
    """A signal with a number in place of the padding that follows sequences."""
    if signal.lengths is None:
        return signal
    signal = signal.to_last(graph)
    inside = graph.before(graph.size(signal.tensor, 1), signal.lengths)
    return replace(signal, tensor=graph.chosen(inside, signal.tensor, fill))


def _placed(graph, layer, signal, fill):
    """The signal that the layer's windows move over, what an operator adds before and after, and the new lengths."""
    window, strides, dilation = layer.movement()
    if signal.lengths is not None:
        return _placed_each(graph, layer, signal, fill)
    before, after = [], []
    for size, k, stride, rate in zip(signal.shape, window, strides, dilation, strict=False):
        reach = (k - 1) * rate
        total = {
            "valid": 0,
            "same": max((-(-size // stride) - 1) * stride + reach + 1 - size, 0),
            "causal": reach,
        }[layer.padding]
        before.append(total if layer.padding == "causal" else total // 2)
        after.append(total - before[-1])
    return signal, before + after, None


def _placed_each(graph, layer, signal, fill):
    """Of sequences that differ in length: each is continued at its own ends, and the operator adds nothing."""
    (k,), (stride,), (rate,) = layer.movement()
    reach, lengths = (k - 1) * rate, signal.lengths

    def integer(value):
        return graph.constant(np.array(value, np.int64), "integer")

    if layer.padding == "valid":
        made = graph.add("Sub", lengths, integer(reach + 1 - stride))
        return signal, [0, 0], made if stride == 1 else graph.add("Div", made, integer(stride))
    made = lengths
    if stride > 1:
        made = graph.add("Div", graph.add("Add", lengths, integer(stride - 1)), integer(stride))
    if layer.padding == "causal":
        before = integer([reach])
    else:
        last = graph.add("Mul", graph.add("Sub", made, integer(1)), integer(stride))
        total = graph.add("Sub", graph.add("Add", last, integer(reach + 1)), lengths)
        before = graph.add("Div", graph.add("Max", total, integer(0)), integer(2))
    signal = signal.to_last(graph)
    n_steps = graph.size(signal.tensor, 1)
    places = graph.positions(graph.add("Add", n_steps, graph.integers(reach)))
    places = graph.add("Sub", places, graph.add("Unsqueeze", before, graph.integers(1)))
    ends = graph.add("Unsqueeze", lengths, graph.integers(1))
    places = graph.add("Expand", places, graph.add("Concat", graph.size(lengths, 0), graph.integers(1), axis=0))
    inside = graph.add(
        "And",
        graph.add("GreaterOrEqual", places, integer(0)),
        graph.add("Less", places, ends),
    )
    last = graph.add("Sub", n_steps, integer(1))
    read = graph.add("Min", graph.add("Max", places, integer(0)), last)
    values = graph.add("GatherND", signal.tensor, graph.add("Unsqueeze", read, graph.integers(2)), batch_dims=1)
    return replace(signal, tensor=graph.chosen(inside, values, fill)), [0, 0], made
