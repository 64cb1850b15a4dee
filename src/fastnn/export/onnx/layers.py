"""The layers by ONNX's operators: a row for each kind, which adds the operators that do what the layer does.

A row is a function of the graph, the layer, the `Signal` that the layer reads and its weights by their names. It
returns the `Signal` that the layer makes.
"""

from dataclasses import replace

import numpy as np

from fastnn import layers
from fastnn.export.onnx.activations import ACTIVATIONS
from fastnn.export.onnx.graph import Signal
from fastnn.export.onnx.recurrent import bidirectional, recurrent
from fastnn.export.onnx.windows import (
    average_pooling,
    convolution,
    global_average_pooling,
    global_max_pooling,
    max_pooling,
)
from fastnn.layers.activation import engine_activation


def _unchanged(graph, layer, signal, weights):
    return signal


def _activation(graph, layer, signal, weights):
    return replace(signal, tensor=ACTIVATIONS[engine_activation(layer.name)](graph, signal.tensor))


def _dense(graph, layer, signal, weights):
    """A map is flattened. In a sequence each step is a vector of its own."""
    signal = signal.flat(graph) if len(signal.shape) == 3 else signal.to_last(graph)
    kernel = graph.constant(weights["kernel"], "kernel")
    if len(signal.shape) == 1 and layer.use_bias:
        made = graph.add("Gemm", signal.tensor, kernel, graph.constant(weights["bias"], "bias"))
    else:
        made = graph.add("MatMul", signal.tensor, kernel)
        made = graph.add("Add", made, graph.constant(weights["bias"], "bias")) if layer.use_bias else made
    made = ACTIVATIONS[engine_activation(layer.activation)](graph, made)
    return replace(signal, tensor=made, shape=layer.output_shape(signal.shape))


def _batch_normalization(graph, layer, signal, weights):
    signal = signal.to_first(graph)
    epsilon = float(np.float32(layer.epsilon))  # which the operator has: what is left of it goes to the variances
    variance = weights["moving_variance"] + graph.dtype.type(layer.epsilon - epsilon)
    weights = weights | {"moving_variance": variance}
    names = "gamma", "beta", "moving_mean", "moving_variance"
    parameters = [graph.constant(weights[name], name) for name in names]
    made = graph.add("BatchNormalization", signal.tensor, *parameters, epsilon=epsilon)
    return replace(signal, tensor=made)


def _layer_normalization(graph, layer, signal, weights):
    signal = signal.to_last(graph)
    parameters = [graph.constant(weights[name], name) for name in ("gamma", "beta")]
    epsilon, values = layer.epsilon, signal.tensor
    if graph.dtype != np.float32 and epsilon != float(np.float32(epsilon)):
        # The operator's is of float32: k x with k^2 epsilon is as x with epsilon. onnxruntime leaves out a factor
        # that is near 1.
        epsilon = float(np.float32(4 * epsilon))
        values = graph.add("Mul", values, graph.number(np.sqrt(epsilon / layer.epsilon)))
    made = graph.add("LayerNormalization", values, *parameters, axis=-1, epsilon=epsilon)
    return replace(signal, tensor=made)


def _rescaling(graph, layer, signal, weights):
    made = graph.add("Mul", signal.tensor, graph.number(layer.scale))
    return replace(signal, tensor=graph.add("Add", made, graph.number(layer.offset)))


def _flatten(graph, layer, signal, weights):
    return signal.flat(graph)


def _reshape(graph, layer, signal, weights):
    shape = layer.output_shape(signal.shape)
    made = graph.add("Reshape", signal.to_last(graph).tensor, graph.integers(0, *shape))
    return Signal(made, shape)


def _embedding(graph, layer, signal, weights):
    if layer.mask_zero:
        signal = _without_steps(graph, signal, 0)
    tokens = graph.add("Squeeze", signal.tensor, graph.integers(2))
    made = graph.add("Gather", graph.constant(weights["embeddings"], "embeddings"), tokens)
    return replace(signal, tensor=made, shape=layer.output_shape(signal.shape), tokens=False)


def _masking(graph, layer, signal, weights):
    return _without_steps(graph, signal, layer.mask_value)


def _without_steps(graph, signal, value):
    """Sequences without the steps of which all channels are this number: later ones move up, and padding follows."""
    values, n_steps = signal.tensor, graph.size(signal.tensor, 1)
    # NumPy compares whole numbers with a float as floats of 64 bits, and floats in their own type.
    compared = graph.cast(values, np.float64) if signal.tokens else values
    number = graph.constant(np.array(value, np.float64 if signal.tokens else graph.dtype), "value")
    channels = graph.cast(graph.add("Equal", compared, number), np.int64)
    left_out = graph.add("ReduceMin", channels, graph.integers(2), keepdims=0)
    if signal.lengths is not None:
        beyond = graph.add("Not", graph.before(n_steps, signal.lengths))
        left_out = graph.add("Max", left_out, graph.cast(beyond, np.int64))
    order = graph.add("Add", graph.positions(n_steps), graph.add("Mul", left_out, n_steps))
    _, order = graph.add("TopK", order, n_steps, n_outputs=2, axis=1, largest=0)
    made = graph.add("GatherND", values, graph.add("Unsqueeze", order, graph.integers(2)), batch_dims=1)
    n_left_out = graph.add("ReduceSum", left_out, graph.integers(1), keepdims=0)
    return replace(signal, tensor=made, lengths=graph.add("Sub", n_steps, n_left_out))


#: Each kind of layer, and the function that adds its operators.
LAYERS = {
    layers.Activation: _activation,
    layers.AveragePooling1D: average_pooling,
    layers.AveragePooling2D: average_pooling,
    layers.BatchNormalization: _batch_normalization,
    layers.Bidirectional: bidirectional,
    layers.Conv1D: convolution,
    layers.Conv2D: convolution,
    layers.Dense: _dense,
    layers.Dropout: _unchanged,
    layers.Embedding: _embedding,
    layers.Flatten: _flatten,
    layers.GRU: recurrent,
    layers.GlobalAveragePooling1D: global_average_pooling,
    layers.GlobalAveragePooling2D: global_average_pooling,
    layers.GlobalMaxPooling1D: global_max_pooling,
    layers.GlobalMaxPooling2D: global_max_pooling,
    layers.LSTM: recurrent,
    layers.LayerNormalization: _layer_normalization,
    layers.Masking: _masking,
    layers.MaxPooling1D: max_pooling,
    layers.MaxPooling2D: max_pooling,
    layers.Rescaling: _rescaling,
    layers.Reshape: _reshape,
    layers.SimpleRNN: recurrent,
    type(None): _unchanged,
}
