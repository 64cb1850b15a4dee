"""Activations and their derivatives against the reference: the whole range, and the special values."""

import numpy as np
import pytest
from reference import ACTIVATIONS

from fastnn.engine.activation import activate, activation_names, gradient, keeps_input
from fastnn.engine.isa import tile_shape

# Errors in units in the last place, in float32 and in float64, over RANGE. What is one operation is exact or rounded
# once; logistic and tanh are held to vmath.h's promise. gelu's left tail has the error of normal_cdf there, rounded
# once more.
ULPS = {
    "identity": (0, 0),
    "relu": (0, 0),
    "leaky_relu": (1, 1),
    "logistic": (2, 4),
    "tanh": (2, 4),
    "elu": (2, 4),
    "softplus": (3, 4),
    "exp": (2, 4),
    "gelu": (7, 8),
    "silu": (3, 4),
}
# Derivatives, but for exp's, are at most 1.13, and what they are taken from has been rounded: so their error is
# measured beside 1. silu's is the largest, where z (1 - p) multiplies the rounding of p by z: 17 in float32, 37 in
# float64.
SLOPE_EPS = 20

# Where exponentials neither overflow nor underflow, in float32 as in float64.
RANGE = np.concatenate([np.linspace(-80, 80, 20_001), np.geomspace(1e-30, 80, 2_000), -np.geomspace(1e-30, 80, 2_000)])

# But for the normal distribution, which falls faster: below, its values are subnormal.
FIRST = {"gelu": (-12.5, -37)}

INF, NAN = np.inf, np.nan
# What becomes of -inf, -0.0, +0.0 and +inf, the sign of zero included.
SPECIAL = {
    "identity": (-INF, -0.0, 0.0, INF),
    "relu": (0.0, -0.0, 0.0, INF),
    "logistic": (0.0, 0.5, 0.5, 1.0),
    "tanh": (-1.0, -0.0, 0.0, 1.0),
    "leaky_relu": (-INF, -0.0, 0.0, INF),
    "elu": (-1.0, -0.0, 0.0, INF),
    "softplus": (0.0, np.log(2), np.log(2), INF),
    "exp": (0.0, 1.0, 1.0, INF),
    "gelu": (NAN, -0.0, 0.0, INF),  # -inf * 0, as in PyTorch
    "silu": (NAN, -0.0, 0.0, INF),
}


@pytest.fixture(params=activation_names)
def name(request):
    return request.param


def what_it_keeps(name, z, level):
    return z if keeps_input(name) else activate(name, z, level)


def test_the_reference_is_complete():
    assert set(activation_names) == set(ACTIVATIONS) == set(ULPS) == set(SPECIAL)


def test_values(name, dtype, level):
    is_double = dtype == "float64"
    z = np.maximum(RANGE, FIRST.get(name, (-80, -80))[is_double]).astype(dtype)
    expected = ACTIVATIONS[name][0](z.astype(np.longdouble))
    unit = np.spacing(np.abs(expected).astype(dtype)).astype(float)
    error = np.abs(activate(name, z, level) - expected) / unit
    # Half an ULP more: the unit is that of the rounded value.
    assert error.max() <= ULPS[name][is_double] + 0.5 * (ULPS[name][0] > 0)


def test_derivatives(name, dtype, level):
    z = RANGE.astype(dtype)
    expected = ACTIVATIONS[name][1](z.astype(float))
    error = np.abs(gradient(name, what_it_keeps(name, z, level), level) - expected) / np.maximum(1, expected)
    assert error.max() <= SLOPE_EPS * np.finfo(dtype).eps


def test_special_values(name, dtype, level):
    got = activate(name, np.array([-INF, -0.0, 0.0, INF], dtype), level)
    expected = np.array(SPECIAL[name], dtype)
    np.testing.assert_array_max_ulp(got, expected, 1)
    assert np.array_equal(np.signbit(got)[~np.isnan(got)], np.signbit(expected)[~np.isnan(expected)])


def test_nan_goes_through(name, dtype, level):
    z = np.array([1.0, NAN, -NAN, -1.0] * 9, dtype)  # in vectors and beside them
    assert np.array_equal(np.isnan(activate(name, z, level)), np.isnan(z))


def test_huge_inputs_saturate(name, dtype, level):
    big = np.finfo(dtype).max
    z = np.array([-big, -1e4, 1e4, big], dtype)
    with np.errstate(over="ignore"):  # the reference squares and doubles them
        values, slopes = (f(z.astype(float)).astype(dtype) for f in ACTIVATIONS[name])
    np.testing.assert_allclose(activate(name, z, level), values, rtol=2 * np.finfo(dtype).eps)
    got = gradient(name, what_it_keeps(name, z, level), level)
    np.testing.assert_allclose(got, slopes, atol=np.finfo(dtype).eps)


def test_every_length_of_tail(name, rng, dtype, level):
    """Numbers beside the last whole vector get what they would get inside one."""
    z = rng.normal(size=3 * tile_shape(dtype, level)[1]).astype(dtype)
    whole, slopes = activate(name, z, level), gradient(name, z, level)
    for n in range(len(z)):
        assert activate(name, z[:n], level).tobytes() == whole[:n].tobytes()
        assert gradient(name, z[:n], level).tobytes() == slopes[:n].tobytes()


def test_any_array_will_do(rng):
    z = rng.normal(size=(4, 6))
    for view in [z, z.T, z[::-1, ::2], z[:, 1:3]]:
        assert np.array_equal(activate("tanh", view), activate("tanh", view.copy()))


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match=r"activation must be one of identity, relu, .*, got 'swish'"):
        activate("swish", np.ones(3))
    with pytest.raises(ValueError, match="float32 or float64"):
        activate("relu", np.ones(3, np.float16))
