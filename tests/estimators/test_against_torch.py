"""Random chains of layers make what PyTorch's make of the same samples and weights, and have the same gradients."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", exc_type=ImportError)

from torch_layers import ACTIVATIONS, LAYERS, MERGES, through_torch, through_torch_each  # noqa: E402

from fastnn import SequentialRegressor, layers  # noqa: E402
from fastnn.data.ragged import Sequences  # noqa: E402
from fastnn.engine.layers.registry import LAYER_KINDS  # noqa: E402
from fastnn.engine.optimizer import Optimizer  # noqa: E402
from fastnn.engine.trainer import Trainer  # noqa: E402
from fastnn.layers.chain import Chain, sample_shape  # noqa: E402

TOLERANCE = {"float32": 1e-5, "float64": 1e-10}  # relative to the largest number
N_OUTPUTS, N_TOKENS = 3, 9

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
