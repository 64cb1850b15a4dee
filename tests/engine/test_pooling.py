"""Pooling of many shapes, against the reference; what is picked; and what is refused."""

from itertools import product

import numpy as np
import pytest
import reference

from fastnn.engine.loss import Loss
from fastnn.engine.network import Network
from fastnn.engine.optimizer import Optimizer
from fastnn.engine.trainer import Trainer

KINDS = ["max_pooling", "average_pooling"]
# The sizes of the input, the pool and the strides.
SHAPES = [
    ((1,), (1,), (1,)),
    ((9,), (2,), (2,)),
    ((9,), (4,), (1,)),
    ((10,), (3,), (2,)),
    ((5,), (2,), (4,)),
    ((1000,), (999,), (1,)),
    ((1, 1), (1, 1), (1, 1)),
    ((6, 8), (2, 2), (2, 2)),
    ((7, 9), (2, 2), (2, 2)),
    ((7, 9), (3, 3), (1, 1)),
    ((8, 5), (3, 2), (2, 3)),
    ((5, 5), (1, 5), (5, 1)),
    ((6, 7), (2, 3), (3, 4)),
]
CHANNELS = [1, 3, 16, 33]


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


def forward(description, x, dtype=None, level=None):
    """What one layer makes of samples."""
    network = Network([description], x.shape[1:], "identity", x.dtype if dtype is None else dtype, level)
    return network.forward(x.reshape(len(x), -1), 1).reshape(len(x), *network.layers[0].output_shape)


def gradient_by_input(description, x, delta, dtype, level):
    """The error that a layer carries back, by a dense layer below whose weights get it: x is its only output."""
    shape = x.shape[1:]
    below = [("dense", x[0].size, "identity"), ("reshape", shape)]
    n_outputs = delta[0].size
    network = Network([*below, description, ("reshape", (n_outputs,))], (1,), "identity", dtype, level)
    network.set_weights([x.reshape(1, -1), np.zeros(x.size)])
    loss = Loss("squared_error", "identity", n_outputs)
    trainer = Trainer(network, loss, Optimizer("gradient", 1.0), 1, 1)
    targets = network.forward(np.ones((1, 1), dtype), 1) - delta.reshape(1, -1) * n_outputs
    trainer.run(np.ones((1, 1), dtype), targets, np.arange(1))
    return network.unpack(trainer.memories[0])[0].reshape(x.shape)


def expected_gradient(kind, x, delta, pool_size, strides, padding):
    spans = [reference.window_spans(*axis, padding) for axis in zip(x.shape[1:-1], pool_size, strides, strict=True)]
    gradient = np.zeros_like(x)
    for at in np.ndindex(delta.shape[1:-1]):
        where = 0, *(slice(*span[i]) for span, i in zip(spans, at, strict=True))
        for channel in range(x.shape[-1]):
            window = x[*where, channel]
            if kind == "average_pooling":
                gradient[*where, channel] += delta[0, *at, channel] / window.size
            else:
                pick = np.unravel_index(window.argmax(), window.shape)  # the first
                gradient[*where, channel][pick] += delta[0, *at, channel]
    return gradient


@pytest.mark.parametrize(("sizes", "pool_size", "strides"), SHAPES)
@pytest.mark.parametrize("padding", ["valid", "same"])
def test_many_shapes(kind, sizes, pool_size, strides, padding, rng, dtype, level):
    eps = np.finfo(dtype).eps
    for channels in CHANNELS if np.prod(sizes) < 100 else [2]:
        # Few different numbers: ties are frequent.
        x = rng.integers(-3, 4, (1, *sizes, channels)).astype(dtype)
        description = kind, pool_size, strides, padding
        expected, _, _ = reference.LAYERS[kind][0](x.astype(float), [], pool_size, strides, padding)
        got = forward(description, x, level=level)
        assert got.shape == expected.shape
        np.testing.assert_allclose(got, expected, rtol=0, atol=20 * eps)
        delta = rng.integers(-3, 4, expected.shape).astype(float)
        got = gradient_by_input(description, x, delta, dtype, level)
        expected = expected_gradient(kind, x.astype(float), delta, pool_size, strides, padding)
        np.testing.assert_allclose(got, expected, rtol=0, atol=200 * eps * max(1, np.abs(expected).max()))


def test_strides_are_the_pools_size_and_the_padding_valid(kind, rng):
    x = rng.normal(size=(3, 5, 7, 2))
    np.testing.assert_array_equal(forward((kind, (2, 3)), x), forward((kind, (2, 3), (2, 3), "valid"), x))


@pytest.mark.parametrize("sizes", [(1,), (100,), (1, 1), (7, 7), (3, 50)])
@pytest.mark.parametrize(("global_kind", "kind"), [(f"global_{kind}", kind) for kind in KINDS])
def test_global_pooling_has_one_window(global_kind, kind, sizes, rng, dtype, level):
    for channels in CHANNELS:
        x = rng.normal(size=(2, *sizes, channels)).astype(dtype)
        got = forward((global_kind,), x, level=level)
        assert got.shape == (2, channels)
        assert got.tobytes() == forward((kind, sizes), x, level=level).tobytes()


def test_the_mean_of_a_long_sequence(level):
    x = np.full((1, 30_000, 1), 0.1, np.float32)
    assert forward(("global_average_pooling",), x, level=level)[0, 0] == pytest.approx(np.float32(0.1), rel=1e-5)


def test_nan_and_infinity(kind, dtype, level):
    """NaN is larger than any number, wherever it is in its window."""
    for at, channels in product(range(4), (1, 19)):
        x = np.zeros((1, 4, 4, channels), dtype)
        x[0, at // 2, at % 2, -1] = np.nan
        x[0, 2 + at // 2, 2 + at % 2, :] = np.inf
        x[0, :2, 2:] = -np.inf
        got = forward((kind, (2, 2)), x, level=level)[0]
        assert np.isnan(got[0, 0, -1])
        assert not np.isnan(got[0, 0, :-1]).any()
        assert (got[1, 1] == np.inf).all()
        assert (got[0, 1] == -np.inf).all()
        assert (got[1, 0] == 0).all()


@pytest.mark.parametrize(
    ("settings", "shape", "message"),
    [
        (((2,),), (5,), r"the input of max_pooling must have shape \(steps, channels\) or \(rows, .*, got \(5,\)"),
        (((2,),), (2, 3, 4, 5), r"the input of max_pooling must have shape .*, got \(2, 3, 4, 5\)"),
        (((2,),), (4, 4, 1), r"pool_size must be 2 integers from 1 to 2\*\*31 - 1, got \(2,\)"),
        (((2, 2),), (4, 1), r"pool_size must be 1 integer from 1 to 2\*\*31 - 1, got \(2, 2\)"),
        ((2,), (4, 1), "pool_size must be 1 integer from 1 .*, got 2"),
        (((0, 2),), (4, 4, 1), r"pool_size must be 2 integers from 1 .*, got \(0, 2\)"),
        (((2, 2), (2, 0)), (4, 4, 1), r"strides must be 2 integers from 1 .*, got \(2, 0\)"),
        (((2, 2), (2, 2**31)), (4, 4, 1), r"strides must be 2 integers from 1 .*, got \(2, 2147483648\)"),
        (((2, 2), (2.0, 2)), (4, 4, 1), r"strides must be 2 integers from 1 .*, got \(2.0, 2\)"),
        (((2, 5),), (4, 4, 1), r"pool_size must be at most \(4, 4\), the input's size, with .*, got \(2, 5\)"),
        (
            ((2**16, 2**15), None, "same"),
            (4, 4, 1),
            r"pool_size must have a product below 2\*\*31, got \(65536, 32768\)",
        ),
        (((2, 2), None, "full"), (4, 4, 1), "padding must be 'valid' or 'same', got 'full'"),
        ((), (4, 4, 1), r"max_pooling must have 1 to 3 settings, got 0: \(\)"),
        (((2, 2), None, "same", 1), (4, 4, 1), "max_pooling must have 1 to 3 settings, got 4"),
    ],
)
def test_what_is_refused(settings, shape, message):
    with pytest.raises(ValueError, match=message):
        Network([("max_pooling", *settings)], shape, "identity", "float32")


def test_global_pooling_needs_positions():
    with pytest.raises(ValueError, match=r"the input of global_max_pooling must have shape .*, got \(5,\)"):
        Network([("global_max_pooling",)], (5,), "identity", "float32")
    with pytest.raises(ValueError, match=r"global_average_pooling must have 0 settings, got 1: \(3,\)"):
        Network([("global_average_pooling", 3)], (5, 5), "identity", "float32")


def test_a_pool_much_larger_than_the_input(kind):
    """Windows that begin far outside, by padding, and hold all there is."""
    x = np.arange(12.0).reshape(1, 4, 3)
    got = forward((kind, (2**31 - 1,), (3,), "same"), x)
    np.testing.assert_array_equal(got, [[x[0].max(axis=0) if kind == "max_pooling" else x[0].mean(axis=0)] * 2])
