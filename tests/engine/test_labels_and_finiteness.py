"""The engine's numbers of classes, and its look for NaN and infinity while it reads samples."""

import numpy as np
import pytest

from fastnn.engine import isa
from fastnn.engine.network import Network

GROUPS = [(2,), (10,), (3, 5, 1), (40,), (100, 7)]
SPECIALS = [None, np.nan, np.inf, -np.inf]


def identity(n, head, dtype, level=None, groups=None):
    """A network whose logits are its samples."""
    network = Network([("dense", n, "identity")], (n,), head, dtype, level, groups)
    network.set_weights([np.eye(n), np.zeros(n)])
    return network


def close_logits(rng, n, dtype):
    """Rows of logits that differ in all bits, in the last ones, or not at all; large and small ones."""
    logits = rng.standard_normal((150, n))
    logits[::7] = np.round(logits[::7])
    logits[::11] *= 1e-8
    logits[::13] += 1e4
    logits[5], logits[6] = 0, 1e30 * logits[6]
    return logits.astype(dtype)


@pytest.mark.parametrize("level", isa.available_levels())
@pytest.mark.parametrize("groups", GROUPS)
@pytest.mark.parametrize("special", SPECIALS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_labels_are_those_of_the_largest_probabilities(rng, level, groups, special, dtype):
    n = sum(groups)
    network = identity(n, "softmax", dtype, level, groups)
    X = close_logits(rng, n, dtype)
    if special is not None:
        X[3::17, n // 2] = X[4::19] = special
    with np.errstate(all="ignore"):
        outputs = np.split(network.forward(X, 1), np.cumsum(groups)[:-1], axis=1)
        for n_threads in (1, 2, 3):
            labels = network.labels(X, n_threads)
            np.testing.assert_array_equal(labels, np.stack([part.argmax(axis=1) for part in outputs], axis=1))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_labels_of_other_heads_are_those_above_a_half(rng, dtype):
    network = identity(3, "logistic", dtype)
    X = close_logits(rng, 3, dtype)
    X[::5, 1] = np.nextafter(np.zeros(30, dtype), np.ones(30, dtype) * rng.choice([-1, 1], 30))
    X[3, 2] = np.nan
    np.testing.assert_array_equal(network.labels(X, 1), network.forward(X, 1) > 0.5)


FORMS = {
    "C order": np.ascontiguousarray,
    "Fortran order": np.asfortranarray,
    "every other row and column": lambda X: np.repeat(np.repeat(X, 2, axis=0), 2, axis=1)[::2, ::2],
    "from the last one": lambda X: np.ascontiguousarray(X[::-1, ::-1])[::-1, ::-1],
    "not aligned": lambda X: unaligned(X),
}


def unaligned(X):
    copied = np.frombuffer(bytearray(1 + X.nbytes), np.uint8)[1:].view(X.dtype).reshape(X.shape)
    copied[...] = X
    return copied


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("source", ["float16", "float32", "float64"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(5,), (40,), (4, 5)])
def test_the_engine_finds_what_is_not_finite_wherever_it_is(rng, form, source, dtype, shape):
    n = int(np.prod(shape))
    network = Network([("dense", 2, "identity")], shape, "identity", dtype)
    X = rng.standard_normal((200, n)).astype(source)
    for row, column, value in [(0, 0, np.nan), (64, n - 1, np.inf), (100, n // 2, -np.inf), (199, n - 1, np.nan)]:
        changed = X.copy()
        changed[row, column] = value
        for n_threads in (1, 2):
            with pytest.raises(ValueError, match="X must be finite in float"):
                network.forward(FORMS[form](changed), n_threads, must_be_finite=True)
    network.forward(FORMS[form](X), 2, must_be_finite=True)


def test_infinities_that_cancel_are_found(rng):
    X = rng.standard_normal((100, 8))
    X[50, 2], X[50, 5] = np.inf, -np.inf
    with pytest.raises(ValueError, match="X must be finite"):
        identity(8, "softmax", "float64").labels(X, 1, must_be_finite=True)


def test_numbers_beyond_the_networks_type_are_found(rng):
    X = rng.standard_normal((100, 8))
    X[99, 7] = 1e39
    with pytest.raises(ValueError, match="X must be finite in float32"):
        identity(8, "softmax", "float32").labels(X, 1, must_be_finite=True)
    identity(8, "softmax", "float64").labels(X, 1, must_be_finite=True)


@pytest.mark.parametrize("source", ["uint8", "int8", "bool", "int64", "uint64"])
def test_whole_numbers_are_finite(rng, source):
    X = np.full((100, 8), np.iinfo(source).max if source != "bool" else True, source)
    identity(8, "softmax", "float32").labels(X, 1, must_be_finite=True)


def test_numbers_are_looked_at_after_they_are_rescaled(rng):
    network = Network([("rescaling", 1e-3, 5.0), ("dense", 2, "identity")], (8,), "identity", "float32")
    X = rng.standard_normal((100, 8))
    network.forward(X, 1, must_be_finite=True)
    X[70, 3] = np.nan
    with pytest.raises(ValueError, match="X must be finite"):
        network.forward(X, 1, must_be_finite=True)
