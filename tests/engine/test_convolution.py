"""Convolutions of any shape, forward and back, against the reference; and gradients that are summed by samples."""

import math
from itertools import product

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st

from fastnn.engine.isa import available_levels
from fastnn.engine.layers.registry import weight_shapes
from fastnn.engine.loss import Loss
from fastnn.engine.network import Network
from fastnn.engine.optimizer import Optimizer
from fastnn.engine.trainer import Trainer


def convolution(
    filters,
    kernel_size,
    strides=None,
    padding="valid",
    dilation_rate=None,
    groups=1,
    activation="identity",
    use_bias=True,
    trainable=True,
    pool_size=None,
):
    ones = (1,) * len(kernel_size)
    return (
        "convolution", filters, kernel_size, strides or ones, padding, dilation_rate or ones, groups, activation,
        use_bias, trainable, pool_size,
    )  # fmt: skip


def made_shape(layer, input_shape):
    """The shape of what a convolution makes, counted window by window."""
    _, filters, kernel_size, strides, padding, dilation_rate, *_, pool_size = layer
    shape = []
    for size, k, stride, dilation in zip(input_shape, kernel_size, strides, dilation_rate, strict=False):
        padded = size + sum(reference.padding_of(size, k, stride, dilation, padding))
        shape.append(len(range(0, padded - (k - 1) * dilation, stride)))
    if pool_size is not None:
        shape = [n // pool for n, pool in zip(shape, pool_size, strict=True)]
    return (*shape, filters)


def whole_map(n_outputs, input_shape):
    """A convolution that makes a vector of a map."""
    return convolution(n_outputs, input_shape[:-1])


# -- the reference's gradients -----------------------------------------------------------------------------------------


def convolution_gradients(x, weights, delta, layer):
    """The gradients by x and by the weights, given that by the sums: tap by tap, each scattered to where it read."""
    _, _, kernel_size, strides, padding, dilation_rate, groups, _, use_bias, *_ = layer
    borders = [
        reference.padding_of(*its, padding)
        for its in zip(x.shape[1:-1], kernel_size, strides, dilation_rate, strict=True)
    ]
    padded = np.pad(x, [(0, 0), *borders, (0, 0)])
    back, of_weights = np.zeros_like(padded), []
    channels, filters = x.shape[-1] // groups, delta.shape[-1] // groups
    for group in range(groups):
        W = weights[group * (1 + use_bias)].reshape(*kernel_size, channels, filters)
        read, made = slice(group * channels, (group + 1) * channels), slice(group * filters, (group + 1) * filters)
        grad, errors = np.zeros_like(W), delta[..., made].reshape(-1, filters)
        for tap in np.ndindex(*kernel_size):
            starts = [t * d for t, d in zip(tap, dilation_rate, strict=True)]
            places = tuple(
                slice(start, start + (n - 1) * stride + 1, stride)
                for start, n, stride in zip(starts, delta.shape[1:-1], strides, strict=True)
            )
            grad[tap] = padded[(slice(None), *places, read)].reshape(-1, channels).T @ errors
            back[(slice(None), *places, read)] += delta[..., made] @ W[tap].T
        of_weights += [grad.reshape(-1, filters), errors.sum(axis=0)][: 1 + use_bias]
    inner = tuple(slice(before, before + size) for (before, _), size in zip(borders, x.shape[1:-1], strict=True))
    return back[(slice(None), *inner)], of_weights


def pooled_sums(sums, pool_size):
    """The largest sum of each window; and which sums these are, all of them being different."""
    if pool_size is None:
        return sums, np.ones_like(sums)
    axes = range(1, 1 + len(pool_size))
    largest = reference.LAYERS["max_pooling"][0](sums, [], pool_size)[0]
    picked = largest
    for axis, pool in zip(axes, pool_size, strict=True):
        picked = picked.repeat(pool, axis)
    rest = [(0, n - m) for n, m in zip(sums.shape, picked.shape, strict=True)]
    return largest, 1.0 * (np.pad(picked, rest, constant_values=np.nan) == sums)


def spread(delta, picks, pool_size):
    """The error of windows, carried back to the sums that were picked."""
    if pool_size is None:
        return delta
    for axis, pool in enumerate(pool_size, 1):
        delta = delta.repeat(pool, axis)
    return np.pad(delta, [(0, n - m) for n, m in zip(picks.shape, delta.shape, strict=True)]) * picks


def gradients(description, weights, x, targets):
    """The loss of a chain of convolutions, which is the squared error; and the gradients of its mean by all weights."""
    read, made, n_arrays, result = [], [x], [], []
    for layer in description:
        n_arrays.append((1 + layer[8]) * layer[6])
        own, weights = weights[: n_arrays[-1]], weights[n_arrays[-1] :]
        linear = (*layer[:7], "identity", *layer[8:10])
        sums, picks = pooled_sums(reference.through_layers([linear], [own], made[-1])[0], layer[10])
        read.append((made[-1], own, sums, picks))
        made.append(reference.ACTIVATIONS[layer[7]][0](sums))
    errors = made[-1].reshape(targets.shape) - targets
    delta = (errors / targets.size).reshape(made[-1].shape)
    for layer, (layer_input, own, sums, picks) in zip(description[::-1], read[::-1], strict=True):
        delta = spread(delta * reference.ACTIVATIONS[layer[7]][1](sums), picks, layer[10])
        delta, of_weights = convolution_gradients(layer_input, own, delta, layer)
        result = [*of_weights, *result]
    return (errors**2).mean(axis=1).sum() / 2, made[-1], result


# -- networks ----------------------------------------------------------------------------------------------------------


def make(description, input_shape, rng, dtype="float64", level=None):
    network = Network(description, input_shape, "identity", dtype, level)
    network.set_weights([rng.normal(0, shape[0] ** -0.5, shape) for shape in network.shapes])
    return network


def make_trainer(network, optimizer="gradient", batch_size=50, n_threads=1, clip_norm=None, **hyperparameters):
    loss = Loss("squared_error", "identity", network.sizes[-1])
    return Trainer(
        network, loss, Optimizer(optimizer, 0.01, **hyperparameters), batch_size, n_threads, clip_norm=clip_norm
    )


def make_data(network, n, rng):
    return rng.normal(size=(n, network.sizes[0])), rng.normal(size=(n, network.sizes[-1]))


def assert_is_reference(description, input_shape, n, rng, dtype, level):
    """That outputs, loss and gradients of n samples in one batch are the reference's, to rounding."""
    network = make(description, input_shape, rng, dtype, level)
    X, targets = (array.astype(dtype) for array in make_data(network, n, rng))
    weights = [w.astype(float) for w in network.weights()]
    loss, outputs, expected = gradients(
        description, weights, X.astype(float).reshape(n, *input_shape), targets.astype(float)
    )
    eps = float(np.finfo(dtype).eps)
    got = network.forward(X, 1)
    np.testing.assert_allclose(got, outputs.reshape(n, -1), rtol=0, atol=100 * eps * (1 + np.abs(outputs).max()))
    trainer = make_trainer(network, batch_size=n)
    assert trainer.run(X, targets, np.arange(n)) == pytest.approx(loss, rel=100 * eps)
    for gradient, array in zip(network.unpack(trainer.memories[0]), expected, strict=True):
        largest = max(1e-2, np.abs(array).max())
        np.testing.assert_allclose(gradient, array, rtol=0, atol=200 * eps * largest)


@st.composite
def cases(draw):
    """A network whose second layer is any convolution, between one that its error goes back to, and a last one."""
    rank = draw(st.sampled_from([1, 2]))
    paddings = ["valid", "same", "causal"] if rank == 1 else ["valid", "same"]
    padding, axes = draw(st.sampled_from(paddings)), []
    for _ in range(rank):
        size, stride, dilation = draw(st.integers(1, 9)), draw(st.integers(1, 3)), draw(st.integers(1, 3))
        most = (size - 1) // dilation + 1 if padding == "valid" else 5
        axes.append((size, draw(st.integers(1, most)), stride, dilation))
    sizes, kernel_size, strides, dilation_rate = zip(*axes, strict=True)
    groups, filters = draw(st.sampled_from([1, 1, 2, 3])), draw(st.sampled_from([1, 2, 3, 4, 5, 8, 9, 16, 17, 33]))
    channels = draw(st.sampled_from([1, 2, 3, 5, 9]))
    activations = st.sampled_from(["identity", "relu", "tanh", "gelu"])
    options = [draw(activations), draw(st.booleans()), True]
    first = convolution(groups * channels, (1,) * rank, activation=draw(activations))
    tested = convolution(groups * filters, kernel_size, strides, padding, dilation_rate, groups, *options)
    if options[0] in ("identity", "relu") and draw(st.booleans()):
        pool_size = tuple(draw(st.integers(1, min(n, 3))) for n in made_shape(tested, sizes)[:-1])
        tested = (*tested[:-1], pool_size)
    input_shape = (*sizes, draw(st.integers(1, 3)))
    return [first, tested, whole_map(2, made_shape(tested, input_shape))], input_shape


@settings(max_examples=400, deadline=None, derandomize=True)
@given(cases(), st.sampled_from([1, 2, 7, 20]), st.sampled_from(["f4", "f8"]), st.sampled_from(available_levels()))
def test_any_convolution(case, n, dtype, level):
    assert_is_reference(*case, n, np.random.default_rng(0), dtype, level)


SIZES = [((1, 1), (1, 1)), ((5, 4), (2, 3)), ((4, 5), (4, 5)), ((3, 3), (3, 1)), ((6, 7), (4, 2))]


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(("sizes", "kernel_size"), SIZES)
def test_strides(sizes, kernel_size, padding, rng, level):
    """Also such as are larger than the kernel, and than the map: then no tap reads some of the positions."""
    for strides in product((1, 2, 3, 5, 8), repeat=2):
        layers = [convolution(3, (1, 1), activation="tanh"), convolution(4, kernel_size, strides, padding)]
        layers.append(whole_map(2, made_shape(layers[1], (*sizes, 3))))
        assert_is_reference(layers, (*sizes, 2), 3, rng, "f8", level)


@pytest.mark.parametrize("multiplier", [1, 2, 20])
def test_depthwise(multiplier, rng, dtype, level):
    layers = [
        convolution(6, (1, 1), activation="tanh"),
        convolution(6 * multiplier, (3, 2), (2, 1), "same", groups=6, activation="relu"),
        convolution(6 * multiplier, (2, 2), groups=6 * multiplier, use_bias=False),
    ]
    shape = (5, 6, 3)
    layers.append(whole_map(3, made_shape(layers[2], made_shape(layers[1], shape))))
    assert_is_reference(layers, shape, 9, rng, dtype, level)


def test_more_filters_and_terms_than_blocks_hold(rng, dtype, level):
    """Panels, terms of a sum, and positions: several blocks of each, the last one smaller."""
    layers = [
        convolution(70, (3, 3), padding="same", activation="relu"),
        convolution(67, (3, 3), (2, 2), activation="tanh"),
    ]
    layers.append(whole_map(2, made_shape(layers[1], (41, 43, 70))))
    assert_is_reference(layers, (41, 43, 2), 2, rng, dtype, level)


def test_sizes_just_below_the_limit_take_no_memory_of_their_own():
    """Strides above all positions, and a dilation that only one tap has."""
    layer = convolution(3, (2, 1), (2**31 - 1, 2**31 - 1), "same", (3, 2**31 - 1))
    assert_is_reference(
        [convolution(2, (1, 1)), layer, convolution(2, (1, 1))], (5, 4, 2), 3, np.random.default_rng(0), "f8", None
    )


def test_a_sample_of_one_position_with_zeros(rng, dtype, level):
    """As a vector it has lists of the columns that are not zero, tile by tile of the batch's rows."""
    for first in (("dense", 9, "tanh"), convolution(9, (1,), activation="tanh")):
        network = make([first, convolution(3, (1,))], (1, 5), rng, dtype, level)
        X, targets = (array.astype(dtype) for array in make_data(network, 70, rng))
        X[np.arange(70)[:, None] // 8 % 5 != np.arange(5)] = 0
        weights = [w.astype(float) for w in network.weights()]
        as_convolutions = [convolution(9, (1,), activation="tanh"), network.description[1]]
        loss, outputs, expected = gradients(as_convolutions, weights, X.astype(float)[:, None], targets.astype(float))
        eps = float(np.finfo(dtype).eps)
        np.testing.assert_allclose(network.forward(X, 1), outputs[:, 0], rtol=0, atol=50 * eps)
        trainer = make_trainer(network, batch_size=70)
        assert trainer.run(X, targets, np.arange(70)) == pytest.approx(loss, rel=50 * eps)
        for gradient, array in zip(network.unpack(trainer.memories[0]), expected, strict=True):
            np.testing.assert_allclose(gradient, array, rtol=0, atol=50 * eps)


# -- gradients that are summed by samples: parts.pyx -------------------------------------------------------------------


CHAIN_SHAPE = (16, 15, 2)
CHAIN = (
    convolution(24, (3, 3), padding="same", activation="relu"),
    convolution(6, (3, 2), (2, 1), groups=3, activation="tanh", use_bias=False),
    convolution(40, (1, 1), activation="silu"),
    convolution(2, (7, 14)),
)
BATCH_SIZES = [1, 2, 3, 7, 16, 17, 33, 64, 70]


def frozen(layer):
    return (*layer[:9], False, *layer[10:])


def chain_outcome(network, weights, X, targets, batch_size, n_threads, **settings):
    network = network.copy()
    network.set_weights(weights)
    trainer = make_trainer(network, batch_size=batch_size, n_threads=n_threads, **settings)
    assert trainer.step_flops > 1e6  # or one thread takes all of it, whatever it is told
    loss = trainer.run(X, targets, np.arange(len(X)))
    return loss, network.parameters.tobytes(), trainer.memories.tobytes()


@pytest.mark.parametrize("clip_norm", [None, 0.01])
@pytest.mark.parametrize("batch_size", BATCH_SIZES)
def test_the_number_of_threads_changes_no_bit(batch_size, clip_norm, rng, dtype):
    """Of batches that are cut into any number of parts, with a last one that is smaller."""
    network = make(CHAIN, CHAIN_SHAPE, rng, dtype)
    X, targets = make_data(network, 2 * batch_size + batch_size // 2 + 1, rng)
    settings = {"optimizer": "adam", "l2": 0.1, "decay_1": 0.9, "decay_2": 0.99, "epsilon": 1e-3, "weight_decay": 0.1}
    settings |= {"clip_norm": clip_norm}
    weights = network.weights()
    alone = chain_outcome(network, weights, X, targets, batch_size, 1, **settings)
    assert np.isfinite(alone[0])
    for n_threads in (2, 3, 5, 8):
        assert chain_outcome(network, weights, X, targets, batch_size, n_threads, **settings) == alone, n_threads


@pytest.mark.parametrize("n", [*BATCH_SIZES, 131])
def test_parts_add_up(n, rng):
    """To the gradient of the whole batch, and of the first batches of an epoch whose last one is smaller."""
    network = make(CHAIN, CHAIN_SHAPE, rng)
    X, targets = make_data(network, n, rng)
    weights = network.weights()
    loss, _, expected = gradients(CHAIN, weights, X.reshape(n, *CHAIN_SHAPE), targets)
    for batch_size in {n, n + 1, n + 29, 2 * n}:  # of which this batch is the last and smaller one
        trainer = make_trainer(network, batch_size=batch_size, n_threads=3)
        assert trainer.run(X, targets, np.arange(n)) == pytest.approx(loss, rel=1e-13)
        for gradient, array in zip(network.unpack(trainer.memories[0]), expected, strict=True):
            np.testing.assert_allclose(gradient, array, rtol=0, atol=1e-14 * max(1, np.abs(array).max()))


@pytest.mark.parametrize("norm_part", [None, 2.0, 0.5])
@pytest.mark.parametrize("freeze", [False, True])
def test_a_step_with_penalty_decay_and_clipping(freeze, norm_part, rng, dtype, level):
    """Filters fill several panels. A layer that does not learn has neither a penalty nor a part in the norm."""
    n, shape, l2, decay, rate = 9, (6, 5, 2), 0.3, 0.2, 0.01
    layers = [
        convolution(70, (3, 3), padding="same", activation="tanh"),
        convolution(38, (1, 2), groups=2, activation="tanh", use_bias=False),
        convolution(2, (6, 4)),
    ]
    if freeze:
        layers[1] = frozen(layers[1])
    network = make(layers, shape, rng, dtype, level)
    X, targets = (array.astype(dtype) for array in make_data(network, n, rng))
    before = [w.astype(float) for w in network.weights()]
    of_middle = [False] * 2 + [True] * 2 + [False] * 2
    loss, _, grads = gradients(layers, before, X.astype(float).reshape(n, *shape), targets.astype(float))
    for i, (W, is_middle) in enumerate(zip(before, of_middle, strict=True)):
        if is_middle and freeze:
            grads[i] = np.zeros_like(W)
        elif W.ndim == 2:
            grads[i] = grads[i] + l2 * W / n
            loss += l2 / 2 * (W**2).sum()
    norm = math.sqrt(sum((grad**2).sum() for grad in grads))
    clip_norm = None if norm_part is None else norm_part * norm
    trainer = make_trainer(network, "sgd", n, clip_norm=clip_norm, l2=l2, weight_decay=decay)
    eps = float(np.finfo(dtype).eps)
    assert trainer.run(X, targets, np.arange(n)) == pytest.approx(loss, rel=50 * eps)
    for got, W, grad, is_middle in zip(network.weights(), before, grads, of_middle, strict=True):
        kept = 1 - rate * decay if W.ndim == 2 and not (is_middle and freeze) else 1
        expected = kept * W - rate * min(1, norm_part or 1) * grad
        np.testing.assert_allclose(got, expected, rtol=0, atol=20 * eps)
        if is_middle and freeze:
            assert got.astype(float).tobytes() == W.tobytes()


@pytest.mark.parametrize("optimizer", ["momentum", "rmsprop", "adam", "accumulate"])
@pytest.mark.parametrize("clip_norm", [None, 0.05])
def test_frozen_layers_keep_their_bits_and_absent_biases_stay_0(optimizer, clip_norm, rng, dtype, level):
    layers = [
        frozen(convolution(4, (2, 2), activation="tanh")),
        convolution(18, (2, 2), padding="same", activation="tanh", use_bias=False),
        frozen(convolution(6, (3, 3), padding="same", groups=2, activation="gelu")),
        convolution(3, (2, 1), (2, 1), activation="tanh"),
    ]
    shape = (6, 5, 2)
    layers.append(whole_map(2, made_shape(layers[3], made_shape(layers[0], shape))))
    network = make(layers, shape, rng, dtype, level)
    X, targets = (array.astype(dtype) for array in make_data(network, 60, rng))
    before = network.weights()
    decay = 0.0 if optimizer == "accumulate" else 0.1
    trainer = make_trainer(
        network, optimizer, 17, 2, clip_norm, l2=0.1, decay_1=0.9, decay_2=0.99, epsilon=1e-3, weight_decay=decay
    )
    trainer.run(X, targets, np.arange(60))
    learnt = [
        shape.learnt for layer in network.layers for shape in layer.parameter_shapes() for _ in range(1 + shape.biased)
    ]
    after = network.weights()
    for got, array, is_learnt in zip(after, before, learnt, strict=True):
        assert (got.tobytes() != array.tobytes()) == (is_learnt and optimizer != "accumulate")
    for gradient, is_learnt in zip(network.unpack(trainer.memories[0]), learnt, strict=True):
        assert is_learnt == gradient.any()
    expected, _ = reference.through_layers(layers, by_layer(network, after), X.astype(float).reshape(60, *shape))
    eps = float(np.finfo(dtype).eps)
    np.testing.assert_allclose(network.forward(X, 1), expected.reshape(60, -1), rtol=0, atol=100 * eps)


def by_layer(network, weights):
    """A list of each layer's weights."""
    remaining = iter([w.astype(float) for w in weights])
    return [[next(remaining) for _ in weight_shapes([layer])[0]] for layer in network.layers]
