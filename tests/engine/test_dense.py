"""The three products of a dense layer against the reference, for sizes around the tile."""

import math

import numpy as np
import pytest
from reference import ACTIVATIONS

from fastnn.engine.activation import activate, activation_names, keeps_input
from fastnn.engine.isa import tile_shape
from fastnn.engine.standalone import Dense

# (rows of the batch, fan_in, fan_out), for a tile of r rows and c columns. Products tile the batch by r (forward) or c
# (grad_input), fan_in by r and fan_out by c.
SHAPES = {
    "one number": lambda r, c: (1, 1, 1),
    "one row": lambda r, c: (1, 2 * r + 1, 2 * c + 1),
    "one input": lambda r, c: (c + 1, 1, c + 1),
    "one output": lambda r, c: (r + 1, c + 1, 1),
    "the tile": lambda r, c: (r, r, c),
    "the tile turned": lambda r, c: (c, c, c),
    "one under": lambda r, c: (r - 1, r - 1, c - 1),
    "one over": lambda r, c: (r + 1, r + 1, c + 1),
    "one under, turned": lambda r, c: (c - 1, c - 1, r - 1),
    "one over, turned": lambda r, c: (c + 1, c + 1, r + 1),
    "multiples": lambda r, c: (2 * r * c, 3 * r, 3 * c),
    "several tasks": lambda r, c: (8 * r + 3, 32 * r + 1, 2 * c - 1),
    "several strips of tasks": lambda r, c: (9 * c + 1, 17 * r + 1, 4 * c + 1),
    "a panel beyond the cache": lambda r, c: (r + 2, 1100, c + 2),
}


@pytest.fixture(params=SHAPES)
def shape(request, dtype, level):
    return SHAPES[request.param](*tile_shape(dtype, level))


def unaligned(array):
    """The same numbers, one element off any alignment, in rows that are further apart than they are long."""
    n, m = array.shape
    space = np.full(n * (m + 3) + 1, np.nan, array.dtype)
    view = space[1:].reshape(n, m + 3)[:, :m]
    view[:] = array
    return view


def check(got, A, B, start=0.0):
    """got is start + A B, summed in got's type.

    Each of the K + 1 roundings of a sum is off by at most eps/2 of |start| + |A| |B|, which no partial sum exceeds. As
    their signs are as good as random, they add up to sqrt(K) rather than to K of them. The other half eps is a margin.
    """
    A, B = A.astype(float), B.astype(float)
    scale = np.abs(A) @ np.abs(B) + np.abs(start)
    bound = np.finfo(got.dtype).eps * math.sqrt(A.shape[1] + 1) * scale
    assert np.all(np.abs(got - (A @ B + start)) <= bound)


def normal(rng, shape, dtype):
    return rng.normal(size=shape).astype(dtype)


def test_forward(rng, shape, dtype, level, n_threads):
    n, fan_in, fan_out = shape
    x, W, b = (normal(rng, s, dtype) for s in [(n, fan_in), (fan_in, fan_out), (fan_out,)])
    layer = Dense(W, b, n_threads=n_threads, level=level)
    a = layer.forward(x)
    check(a, x, W, b)
    assert layer.forward(unaligned(x)).tobytes() == a.tobytes()
    assert Dense(np.asfortranarray(W), b, level=level).forward(x).tobytes() == a.tobytes()


def test_grad_input(rng, shape, dtype, level, n_threads):
    n, fan_in, fan_out = shape
    delta, W, kept = (normal(rng, s, dtype) for s in [(n, fan_out), (fan_in, fan_out), (n, fan_in)])
    b = np.full(fan_out, np.nan, dtype)  # has no say in it
    below = Dense(W, b, n_threads=n_threads, level=level).grad_input(delta, kept)
    check(below, delta, W.T)
    assert Dense(unaligned(W), b, level=level).grad_input(unaligned(delta), kept).tobytes() == below.tobytes()


def test_grad_weights(rng, shape, dtype, level, n_threads):
    n, fan_in, fan_out = shape
    x, delta, W = (normal(rng, s, dtype) for s in [(n, fan_in), (n, fan_out), (fan_in, fan_out)])
    dW, db = Dense(W, W[0], n_threads=n_threads, level=level).grad_weights(x, delta)
    check(dW, x.T, delta)
    check(db[None], np.ones((1, n)), delta)
    alone = Dense(W, W[0], level=level).grad_weights(unaligned(x), unaligned(delta))
    assert (alone[0].tobytes(), alone[1].tobytes()) == (dW.tobytes(), db.tobytes())


@pytest.mark.parametrize("name", activation_names)
def test_activation_follows_the_product(name, rng, dtype, level):
    """In the tile, where its input is rounded already: so the result is activate()'s, to the bit."""
    x, W, b = (normal(rng, s, dtype) for s in [(11, 13), (13, 37), (37,)])
    z = Dense(W, b, level=level).forward(x)
    fused = Dense(W, b, activation=name, level=level).forward(x)
    assert np.array_equal(fused, activate(name, z, level))


@pytest.mark.parametrize("name", activation_names)
def test_derivative_follows_the_product(name, rng, dtype, level):
    delta, W, z = (normal(rng, s, dtype) for s in [(11, 13), (53, 13), (11, 53)])
    layer = Dense(W, W[0], level=level)
    below = layer.grad_input(delta, z if keeps_input(name) else activate(name, z, level), activation_below=name)
    slope = ACTIVATIONS[name][1](z.astype(float))
    # The derivative itself is rounded a few times: see test_activation.py.
    bound = 16 * np.finfo(dtype).eps * (np.abs(delta).astype(float) @ np.abs(W.T))
    assert np.all(np.abs(below - (delta.astype(float) @ W.T) * slope) <= bound)


def test_an_out_array_is_used_again(rng, dtype, level):
    x, W = normal(rng, (9, 5), dtype), normal(rng, (5, 7), dtype)
    layer = Dense(W, W[0], level=level)
    out = layer.empty(9, 7)
    a = layer.forward(x, out=out)
    assert np.shares_memory(a, out)
    assert np.array_equal(a, layer.forward(x))


def test_wrong_arrays_are_refused(rng, dtype):
    W = normal(rng, (5, 7), dtype)
    layer = Dense(W, W[0])
    other = np.dtype("float64" if dtype == "float32" else "float32")
    for x in [W, np.zeros((3, 5), other), np.zeros(5, dtype), np.zeros((5, 3), dtype).T, np.zeros((3, 5), dtype)[::-1]]:
        with pytest.raises(ValueError, match="x must have"):
            layer.forward(x)
    with pytest.raises(ValueError, match="out must"):
        layer.forward(np.zeros((3, 5), dtype), out=np.zeros((2, 64), dtype))
    with pytest.raises(ValueError, match="b must have shape"):
        Dense(W, W[:, 0])
    with pytest.raises(ValueError, match="float32 or float64"):
        Dense(W.astype("float16"), W[0])


def test_padded_matrices_are_used_as_they_are(rng, dtype, level):
    rows, cols = tile_shape(dtype, level)
    n, fan_in, fan_out = 2 * rows + 1, cols + 3, 2 * cols - 1
    W, x, kept, delta = (
        normal(rng, shape, dtype) for shape in ((fan_in, fan_out), (n, fan_in), (n, fan_in), (n, fan_out))
    )
    layer = Dense(W, W[0], level=level)
    padded_kept, padded_delta, out = layer.empty(n, fan_in), layer.empty(n, fan_out), layer.empty(n, fan_in)
    padded_kept[:n, :fan_in], padded_delta[:n, :fan_out] = kept, delta

    below = layer.grad_input(delta, padded_kept, "relu", out=out)
    assert np.shares_memory(below, out)
    assert np.array_equal(below, layer.grad_input(delta, kept, "relu"))
    assert layer.grad_weights(x, padded_delta, unpack=False) is None
    for padded, plain in zip(layer.grad_weights(x, padded_delta), layer.grad_weights(x, delta), strict=True):
        assert np.array_equal(padded, plain)
