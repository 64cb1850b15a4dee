"""fastnn's layers in PyTorch: channels are last outside of these functions, and first in PyTorch's."""

import math

import torch
from hypothesis import assume
from torch.nn import functional
from torch.nn.utils import rnn

from fastnn import layers
from fastnn.layers.activation import engine_activation

ACTIVATIONS = {
    "identity": lambda z: z,
    "relu": torch.relu,
    "logistic": torch.sigmoid,
    "tanh": torch.tanh,
    "leaky_relu": functional.leaky_relu,
    "elu": functional.elu,
    "softplus": lambda z: torch.logaddexp(z, torch.zeros_like(z)),
    "exp": torch.exp,
    "gelu": functional.gelu,
    "silu": functional.silu,
}


def activated(layer, z):
    return ACTIVATIONS[engine_activation(layer.activation)](z)


def continued(x, layer, window, strides, dilation=1, value=0.0):
    """Samples with channels first, continued as `padding` says: PyTorch knows no more of one side than of the other."""
    borders = []
    each = zip(x.shape[1:-1], *map(layer.along, (window, strides, dilation)), strict=True)
    for size, k, stride, rate in each:
        reach = (k - 1) * rate
        total = {
            "valid": 0,
            "same": max((math.ceil(size / stride) - 1) * stride + reach + 1 - size, 0),
            "causal": reach,
        }[layer.padding]
        before = total if layer.padding == "causal" else total // 2
        borders = [before, total - before, *borders]  # the last axis first
    return functional.pad(x.movedim(-1, 1), borders, value=value)


def dense(layer, x, weights, training):
    x = x.flatten(1) if x.ndim == 4 else x
    return activated(layer, x @ weights["kernel"] + weights.get("bias", 0))


def convolution(layer, x, weights, training):
    convolve = [functional.conv1d, functional.conv2d][layer.n_axes - 1]
    x = continued(x, layer, layer.kernel_size, layer.strides, layer.dilation_rate)
    kernel = weights["kernel"].movedim((-1, -2), (0, 1))
    z = convolve(x, kernel, weights.get("bias"), layer.strides, 0, layer.dilation_rate, layer.groups)
    return activated(layer, z.movedim(1, -1))


def max_pooling(layer, x, weights, training):
    pool = [functional.max_pool1d, functional.max_pool2d][layer.n_axes - 1]
    strides = layer.strides or layer.pool_size
    return pool(continued(x, layer, layer.pool_size, strides, value=-torch.inf), layer.pool_size, strides).movedim(
        1, -1
    )


def average_pooling(layer, x, weights, training):
    pool = [functional.avg_pool1d, functional.avg_pool2d][layer.n_axes - 1]
    strides = layer.strides or layer.pool_size
    sums, counts = (
        pool(continued(z, layer, layer.pool_size, strides), layer.pool_size, strides) for z in (x, torch.ones_like(x))
    )
    return (sums / counts).movedim(1, -1)


def batch_normalization(layer, x, weights, training):
    state = [weights[name].detach().clone() for name in layer.state()]
    by_batch = training and layer.trainable
    x = x.movedim(-1, 1)
    assume(not by_batch or x.numel() > x.shape[1])  # PyTorch refuses a single number
    made = functional.batch_norm(x, *state, weights["gamma"], weights["beta"], by_batch, eps=layer.epsilon)
    return made.movedim(1, -1)


def layer_normalization(layer, x, weights, training):
    return functional.layer_norm(x, x.shape[-1:], weights["gamma"], weights["beta"], layer.epsilon)


# -- recurrent layers: by PyTorch's cells where they have the activations, of packed sequences of any length ----------

MODULES = {"simple": torch.nn.RNN, "gru": torch.nn.GRU, "lstm": torch.nn.LSTM}
ORDER = {"simple": [0], "gru": [1, 0, 2], "lstm": [0, 1, 2, 3]}  # of Keras's gates in PyTorch


def packed_outputs(layer, sequences, weights):
    """The outputs at all steps by PyTorch's cells."""
    kernel, recurrent_kernel = weights["kernel"], weights["recurrent_kernel"]

    def by_gate(array):
        parts = array.split(layer.units, dim=-1)
        return torch.cat([parts[i] for i in ORDER[layer.cell]], dim=-1)

    parameters = {"weight_ih_l0": by_gate(kernel).T, "weight_hh_l0": by_gate(recurrent_kernel).T}
    biases = torch.zeros(2, kernel.shape[1], dtype=kernel.dtype)
    if layer.use_bias:
        biases = weights["bias"] if layer.cell == "gru" else torch.stack([weights["bias"], biases[0]])
    parameters |= {"bias_ih_l0": by_gate(biases[0]), "bias_hh_l0": by_gate(biases[1])}
    settings = {"nonlinearity": layer.activation} if layer.cell == "simple" else {}
    module = MODULES[layer.cell](len(kernel), layer.units, dtype=kernel.dtype, **settings)
    packed = rnn.pack_sequence(sequences, enforce_sorted=False)
    return rnn.unpack_sequence(torch.func.functional_call(module, parameters, (packed,))[0])


def outputs_step_by_step(layer, x, weights):
    """The outputs at all steps of one sequence, by the cells' definitions."""
    bias = weights["bias"] if layer.use_bias else torch.zeros(1, dtype=x.dtype)
    sums = x @ weights["kernel"] + (bias[0] if layer.cell == "gru" and layer.use_bias else bias)
    f = ACTIVATIONS[engine_activation(layer.activation)]
    s = ACTIVATIONS[engine_activation(layer.recurrent_activation)]
    h, c, made = torch.zeros(layer.units, dtype=x.dtype), torch.zeros(layer.units, dtype=x.dtype), []
    for of_x in sums:
        of_h = h @ weights["recurrent_kernel"]
        if layer.cell == "simple":
            h = f(of_x + of_h)
        elif layer.cell == "gru":
            of_h = of_h + (bias[1] if layer.use_bias else bias)
            z, r, g = ((a, b) for a, b in zip(of_x.split(layer.units), of_h.split(layer.units), strict=True))
            z, candidate = s(z[0] + z[1]), f(g[0] + s(r[0] + r[1]) * g[1])
            h = z * h + (1 - z) * candidate
        else:
            i, forget, g, o = (of_x + of_h).split(layer.units)
            c = s(forget) * c + s(i) * f(g)
            h = s(o) * f(c)
        made.append(h)
    return torch.stack(made)


def one_way(layer, sequences, weights):
    if layer.cell == "simple":
        usual = layer.activation in ("tanh", "relu")
    else:
        usual = layer.activation == "tanh" and layer.recurrent_activation == "sigmoid"
    if usual:
        made = packed_outputs(layer, sequences, weights)
    else:
        made = [outputs_step_by_step(layer, x, weights) for x in sequences]
    return made if layer.return_sequences else [each[-1] for each in made]


def recurrent(layer, x, weights, training):
    backwards = [each.flip(0) for each in x] if layer.go_backwards else list(x)
    made = one_way(layer, backwards, weights)
    return torch.stack(made) if torch.is_tensor(x) or not layer.return_sequences else made


MERGES = {
    "concat": lambda a, b: torch.cat([a, b], dim=-1),
    "sum": torch.add,
    "mul": torch.mul,
    "ave": lambda a, b: (a + b) / 2,
}


def bidirectional(layer, x, weights, training):
    by_way = [
        {name.removeprefix(f"{way}_"): array for name, array in weights.items() if name.startswith(way)}
        for way in ("forward", "backward")
    ]
    forward = one_way(layer.layer, list(x), by_way[0])
    backward = one_way(layer.layer, [each.flip(0) for each in x], by_way[1])
    if layer.return_sequences:
        backward = [each.flip(0) for each in backward]
    made = list(map(MERGES[layer.merge_mode], forward, backward))
    return torch.stack(made) if torch.is_tensor(x) or not layer.return_sequences else made


LAYERS = {
    layers.Activation: lambda layer, x, *_: ACTIVATIONS[engine_activation(layer.name)](x),
    layers.AveragePooling1D: average_pooling,
    layers.AveragePooling2D: average_pooling,
    layers.BatchNormalization: batch_normalization,
    layers.Bidirectional: bidirectional,
    layers.Conv1D: convolution,
    layers.Conv2D: convolution,
    layers.Dense: dense,
    layers.Dropout: lambda layer, x, *_: x,
    layers.Embedding: lambda layer, x, weights, _: weights["embeddings"][x[..., 0].long()],
    layers.Flatten: lambda layer, x, *_: x.flatten(1),
    layers.GRU: recurrent,
    layers.GlobalAveragePooling1D: lambda layer, x, *_: x.mean(1),
    layers.GlobalAveragePooling2D: lambda layer, x, *_: x.mean((1, 2)),
    layers.GlobalMaxPooling1D: lambda layer, x, *_: x.amax(1),
    layers.GlobalMaxPooling2D: lambda layer, x, *_: x.flatten(1, 2).max(1).values,
    layers.LSTM: recurrent,
    layers.LayerNormalization: layer_normalization,
    layers.MaxPooling1D: max_pooling,
    layers.MaxPooling2D: max_pooling,
    layers.Rescaling: lambda layer, x, *_: x * layer.scale + layer.offset,
    layers.Reshape: lambda layer, x, *_: x.reshape(-1, *layer.target_shape),
    layers.SimpleRNN: recurrent,
    type(None): lambda layer, x, *_: x,
}


def through_torch(chain, X, weights, training):
    """What each layer makes of the samples, the output layer last."""
    x, made = X.reshape(-1, *chain.input_shape), []
    for link, of_layer in zip(chain.links, weights, strict=True):
        x = LAYERS[type(link.layer)](link.layer, x, of_layer, training)
        made.append(x)
    return made


def through_torch_each(chain, X, weights):
    """The outputs for sequences of any length: a list of them, or one vector for each."""
    x = [torch.from_numpy(each) for each in X]
    for link, of_layer in zip(chain.links, weights, strict=True):
        translated = LAYERS[type(link.layer)]
        takes_list = torch.is_tensor(x) or translated in (recurrent, bidirectional)
        x = translated(link.layer, x, of_layer, True) if takes_list else [
            translated(link.layer, each, of_layer, True) for each in x
        ]  # fmt: skip
    return x
