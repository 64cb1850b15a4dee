"""Random chains of layers make what PyTorch's make of the same samples and weights, and have the same gradients."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", exc_type=ImportError)

from torch.nn import functional  # noqa: E402
from torch.nn.utils import rnn  # noqa: E402

from fastnn import SequentialRegressor, layers  # noqa: E402
from fastnn.data.ragged import Sequences  # noqa: E402
from fastnn.engine.layers.registry import LAYER_KINDS  # noqa: E402
from fastnn.engine.optimizer import Optimizer  # noqa: E402
from fastnn.engine.trainer import Trainer  # noqa: E402
from fastnn.layers.activation import engine_activation  # noqa: E402
from fastnn.layers.chain import Chain, sample_shape  # noqa: E402

TOLERANCE = {"float32": 1e-5, "float64": 1e-10}  # relative to the largest number
N_OUTPUTS, N_TOKENS = 3, 9

# -- fastnn's layers in PyTorch: channels are last outside of these functions, and first in PyTorch's ------------------

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
    s = ACTIVATIONS[engine_activation(getattr(layer, "recurrent_activation", None))]
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
    usual = layer.activation in ("tanh", "relu") if layer.cell == "simple" else layer.activation == "tanh"
    if usual and getattr(layer, "recurrent_activation", "sigmoid") == "sigmoid":
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


# -- random chains -----------------------------------------------------------------------------------------------------

sizes = st.integers(1, 3)
counts = st.sampled_from([1, 2, 3, 5, 17, 33])  # below and above a register tile
flags = st.booleans()
activations = st.sampled_from([*(name for name in ACTIVATIONS if name != "exp"), None])


@st.composite
def windows(draw, shape, *, dilates):
    """The settings of a window that fits a map or a sequence."""
    n_axes = len(shape) - 1
    paddings = ["valid", "same", "causal"] if dilates and n_axes == 1 else ["valid", "same"]
    padding, rates = draw(st.sampled_from(paddings)), [draw(sizes) if dilates else 1 for _ in range(n_axes)]
    most = [4 if padding != "valid" else min(4, (n - 1) // rate + 1) for n, rate in zip(shape, rates, strict=False)]
    window = tuple(draw(st.integers(1, n)) for n in most)
    return window, tuple(rates), {"padding": padding, "strides": tuple(draw(sizes) for _ in range(n_axes))}


@st.composite
def windowed(draw, shape):
    """A layer that takes only maps or only sequences."""
    axes = f"{len(shape) - 1}D"
    kind = draw(st.sampled_from(["Conv", "Conv", "MaxPooling", "AveragePooling", "GlobalMaxPooling"]))
    if kind == "GlobalMaxPooling":
        return getattr(layers, draw(st.sampled_from([kind, "GlobalAveragePooling"])) + axes)()
    window, rates, its = draw(windows(shape, dilates=kind == "Conv"))
    if kind != "Conv":
        its["strides"] = draw(st.sampled_from([its["strides"], None]))
        return getattr(layers, kind + axes)(window, **its)
    groups = draw(st.sampled_from([n for n in (1, 2, 3, 5) if shape[-1] % n == 0]))
    return getattr(layers, kind + axes)(
        groups * draw(counts), window, dilation_rate=rates, groups=groups, activation=draw(activations),
        use_bias=draw(flags), **its,
    )  # fmt: skip


@st.composite
def recurrent_layers(draw, *, sequences=flags):
    """A recurrent layer, mostly one that PyTorch has, too."""
    kind = draw(st.sampled_from([layers.SimpleRNN, layers.GRU, layers.LSTM]))
    its = {"return_sequences": draw(sequences), "use_bias": draw(flags)}
    bounded = st.sampled_from(["tanh", "tanh", "tanh", "sigmoid", "relu" if kind is layers.SimpleRNN else "tanh"])
    if kind is not layers.SimpleRNN:
        its["recurrent_activation"] = draw(st.sampled_from(["sigmoid", "sigmoid", "sigmoid", "tanh"]))
    if draw(flags):
        merge = draw(st.sampled_from(list(MERGES)))
        return layers.Bidirectional(kind(draw(counts), draw(bounded), **its), merge)
    return kind(draw(counts), draw(bounded), go_backwards=draw(flags), **its)


def keeping_shape():
    """Layers that read and make anything."""
    kinds = [
        st.builds(layers.Activation, activations),
        st.builds(layers.Rescaling, st.sampled_from([0.5, -1.0, 1.5]), st.sampled_from([0.0, 0.25])),
        st.builds(layers.LayerNormalization, epsilon=st.sampled_from([1e-3, 0.5])),
        st.builds(layers.Dropout, st.sampled_from([0, 0.5])),
        st.none(),
    ]
    if "batch_normalization" in LAYER_KINDS:
        kinds.append(st.builds(layers.BatchNormalization, epsilon=st.sampled_from([1e-3, 0.5]), trainable=flags))
    return st.one_of(kinds)


@st.composite
def reshaping(draw, shape):
    n = math.prod(shape)
    height = draw(st.sampled_from([k for k in range(1, n + 1) if n % k == 0]))
    channels = draw(st.sampled_from([k for k in (1, 2, 3) if n // height % k == 0]))
    targets = [(n,), (height, n // height), (height, n // height // channels, channels)]
    return draw(st.sampled_from([layers.Flatten(), *map(layers.Reshape, targets)]))


def denses(shape):
    return st.builds(layers.Dense, st.integers(1, 9), activations, use_bias=flags)


@st.composite
def chains(draw):
    """Layers, and the shape of a sample that they read."""
    shape = draw(st.sampled_from([(7,), (6, 3), (5, 1), (5, 6, 2), (13, 11, 1), (1, 1, 4), (9, 8, 17)]))
    chosen, given_shape = [], shape
    if len(shape) > 1:  # the first layer that is not indifferent says what X is
        first = st.one_of([windowed(shape)] + [recurrent_layers()] * (len(shape) == 2))
        chosen = [draw(keeping_shape()), draw(first)]
        shape = chosen[1].output_shape(shape)
    for _ in range(draw(st.integers(0, 6))):
        kinds = [keeping_shape(), denses(shape), reshaping(shape)] + [windowed(shape)] * 3 * (len(shape) > 1)
        kinds += [recurrent_layers()] * 3 * (len(shape) == 2)
        layer = draw(st.one_of(kinds))
        chosen.append(layer)
        shape = (math.prod(shape),) if isinstance(layer, layers.Dense) and len(shape) == 3 else shape
        shape = shape if layer is None else layer.output_shape(shape)
    return chosen + [layers.Flatten()] * (len(shape) == 2), given_shape


@st.composite
def chains_of_any_length(draw):
    """Layers over sequences of any length, with a vector or a sequence at the end."""
    chosen = [draw(recurrent_layers(sequences=st.just(True)))]
    if "embedding" in LAYER_KINDS and draw(flags):
        chosen.insert(0, layers.Embedding(N_TOKENS, draw(counts)))
    for _ in range(draw(st.integers(0, 3))):
        alike = st.builds(layers.LayerNormalization, epsilon=st.sampled_from([1e-3, 0.5]))
        chosen.append(draw(st.one_of(denses((None, 1)), alike, recurrent_layers(sequences=st.just(True)))))
    return chosen + [draw(recurrent_layers(sequences=st.just(False)))] * draw(st.integers(0, 1))


# -- the comparison ----------------------------------------------------------------------------------------------------


def near(got, expected, dtype, what):
    expected = expected.detach().numpy()
    assume(np.isfinite(expected).all())
    bound = TOLERANCE[dtype] * max(1.0, abs(expected).max())
    np.testing.assert_allclose(got, expected, rtol=0, atol=bound, err_msg=str(what))


def parameters_of(chain, rng, dtype):
    """Weights of a size that keeps what layers make near 1."""
    return [
        {
            name: (abs(rng.normal(1, 0.2, shape)) if name in ("gamma", "moving_variance")
                   else rng.normal(0, max(1, math.prod(shape[:-1])) ** -0.5, shape)).astype(dtype)
            for name, shape in shapes.items()
        }
        for shapes in chain.weight_shapes()
    ]  # fmt: skip


@pytest.mark.parametrize("dtype", TOLERANCE)
@settings(max_examples=100, deadline=None, derandomize=True)
@given(chains(), st.sampled_from([1, 2, 7, 33]), st.integers(0, 2**31))
def test_outputs_and_gradients_are_pytorchs(dtype, chain, n_samples, seed):
    chosen, shape = chain
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(n_samples, *shape)).astype(dtype), rng.normal(size=(n_samples, N_OUTPUTS)).astype(dtype)
    chain = Chain(chosen, sample_shape(chosen, shape), N_OUTPUTS)
    weights = parameters_of(chain, rng, dtype)
    model = SequentialRegressor.from_weights(chosen, weights, input_shape=shape)
    assert model._network.dtype == dtype
    theirs = [
        {name: torch.tensor(array, requires_grad=True) for name, array in of_layer.items()} for of_layer in weights
    ]
    made = through_torch(chain, torch.from_numpy(X), theirs, training=False)
    near(model.predict(X), made[-1], dtype, chosen)
    for i in range(len(chosen)):
        near(model.hidden_activations(X, i), made[i], dtype, (i, chosen))

    network = model._network.copy()
    trainer = Trainer(network, model._loss(model._targets), Optimizer("gradient", 1, 0, 0, 0, 1), n_samples, 1)
    loss = trainer.run(X.reshape(n_samples, -1), y, np.arange(n_samples))
    outputs = through_torch(chain, torch.from_numpy(X), theirs, training=True)[-1]
    expected = ((outputs - torch.from_numpy(y)) ** 2).mean() / 2
    expected.backward()
    assert loss / n_samples == pytest.approx(expected.item(), rel=TOLERANCE[dtype])
    gradients = chain.by_layer(network.unpack(trainer.memories[0]))
    for i, (ours, of_layer) in enumerate(zip(gradients, theirs, strict=True)):
        for name, tensor in of_layer.items():
            if tensor.grad is not None and getattr(chain.links[i].layer, "trainable", True):
                near(ours[name], tensor.grad, dtype, (i, name, chosen))


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


@pytest.mark.parametrize("dtype", TOLERANCE)
@settings(max_examples=40, deadline=None, derandomize=True)
@given(chains_of_any_length(), st.lists(st.integers(1, 9), min_size=1, max_size=40), counts, st.integers(0, 2**31))
def test_sequences_of_any_length_are_pytorchs(dtype, chosen, lengths, n_channels, seed):
    """The loss is the mean over all steps of all sequences, where each step has an output."""
    rng = np.random.default_rng(seed)
    X = [rng.normal(size=(n, n_channels)).astype(dtype) for n in lengths]
    if isinstance(chosen[0], layers.Embedding):
        X, n_channels = [rng.integers(0, N_TOKENS, (n, 1)) for n in lengths], 1
    chain = Chain(chosen, (None, n_channels), N_OUTPUTS)
    flat = rng.normal(size=(sum(lengths) if chain.ends_in_sequence else len(X), N_OUTPUTS)).astype(dtype)
    y = np.split(flat, np.cumsum(lengths)[:-1]) if chain.ends_in_sequence else flat
    weights = parameters_of(chain, rng, dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = SequentialRegressor(chosen, max_iter=1, random_state=0, dtype=dtype).fit(X, y)
    model.weights_ = weights
    theirs = [
        {name: torch.tensor(array, requires_grad=True) for name, array in of_layer.items()} for of_layer in weights
    ]
    outputs = through_torch_each(chain, X, theirs)
    outputs = outputs if torch.is_tensor(outputs) else torch.cat(outputs)
    predicted = model.predict(X)
    near(np.concatenate(predicted) if chain.ends_in_sequence else predicted, outputs, dtype, chosen)

    network = model._network.copy()
    trainer = Trainer(network, model._loss(model._targets), Optimizer("gradient", 1, 0, 0, 0, 1), len(X), 1)
    loss = trainer.run(Sequences.from_list(X), flat, np.arange(len(X)))
    expected = ((outputs - torch.from_numpy(flat)) ** 2).mean() / 2
    expected.backward()
    assert loss / len(X) == pytest.approx(expected.item(), rel=TOLERANCE[dtype])
    gradients = chain.by_layer(network.unpack(trainer.memories[0]))
    for i, (ours, of_layer) in enumerate(zip(gradients, theirs, strict=True)):
        for name, tensor in of_layer.items():
            near(ours[name], tensor.grad, dtype, (i, name, chosen))


def test_every_layer_has_a_translation():
    read = {layers.Layer, layers.Masking}  # which only leaves steps out of X
    assert {getattr(layers, name) for name in layers.__all__} - read == set(LAYERS) - {type(None)}
