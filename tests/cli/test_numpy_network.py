"""The NumPy network with which fastnn is compared is correct, and the same network as fastnn's."""

import numpy as np
import pytest

from fastnn import MLPClassifier
from fastnn.cli.numpy_network import NumpyNetwork

SIZES = (7, 6, 5, 4)


@pytest.fixture
def samples(rng):
    return rng.normal(size=(50, SIZES[0])), rng.integers(SIZES[-1], size=50)


def test_gradient_is_that_of_finite_differences(samples):
    X, y = samples
    network = NumpyNetwork(SIZES, batch_size=len(X), dtype=np.float64, random_state=0)
    network.backward(X, y)
    grad, step = network.grad.copy(), 1e-6
    differences = np.empty_like(grad)
    for i in range(len(grad)):
        here = network.parameters[i]
        network.parameters[i] = here + step
        above = network.backward(X, y)
        network.parameters[i] = here - step
        differences[i] = (above - network.backward(X, y)) / (2 * step)
        network.parameters[i] = here
    np.testing.assert_allclose(grad, differences, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("solver", ["sgd", "rmsprop", "adam"])
@pytest.mark.parametrize(("dtype", "rtol"), [(np.float32, 2e-4), (np.float64, 1e-10)])
def test_trains_as_fastnn_does(samples, solver, dtype, rtol):
    """Both have the same initial weights, batches (the last one is smaller), losses, and final weights."""
    X, y = samples[0].astype(dtype), samples[1]
    baseline = NumpyNetwork(SIZES, solver, 0.01, 16, dtype, np.random.RandomState(0))
    model = MLPClassifier(
        SIZES[1:-1],
        solver=solver,
        alpha=0,
        learning_rate_init=0.01,
        batch_size=16,
        random_state=np.random.RandomState(0),
    )
    for _ in range(5):
        model.partial_fit(X, y, classes=range(SIZES[-1]))
        assert baseline.train_epoch(X, y) == pytest.approx(model.loss_, rel=rtol)
    np.testing.assert_allclose(baseline.predict_proba(X), model.predict_proba(X), rtol=100 * rtol)
    for W, coef in zip(baseline.coefs, model.coefs_, strict=True):
        assert W.dtype == coef.dtype == dtype
        np.testing.assert_allclose(W, coef, rtol=100 * rtol, atol=10 * rtol)


def test_learns(samples):
    X, y = samples[0].astype(np.float32), samples[1]
    network = NumpyNetwork((SIZES[0], 64, SIZES[-1]), learning_rate=0.01, batch_size=16, random_state=0)
    for _ in range(60):
        network.train_epoch(X, y)
    assert (network.predict(X) == y).all()


def test_large_sums_do_not_overflow():
    network = NumpyNetwork((1, 3), random_state=0)
    X = np.full((2, 1), 1e30, np.float32)
    assert np.isfinite(network.predict_proba(X)).all()
    assert np.isfinite(network.backward(X, np.array([0, 1])))
