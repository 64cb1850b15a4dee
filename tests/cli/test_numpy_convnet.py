"""The convolutional network in NumPy with which fastnn is compared is correct, and the same network as fastnn's."""

import numpy as np
import pytest

from fastnn import SequentialClassifier
from fastnn.cli.numpy_convnet import NumpyConvnet
from fastnn.layers import Conv2D, MaxPooling2D

SHAPE, FILTERS, N_CLASSES = (11, 12), (3, 4), 3


@pytest.fixture
def samples(rng):
    return rng.normal(size=(30, *SHAPE)), rng.integers(N_CLASSES, size=30)


def network(padding="valid", dtype=np.float64, random_state=0, **settings):
    return NumpyConvnet(SHAPE, FILTERS, N_CLASSES, padding, dtype=dtype, random_state=random_state, **settings)


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_gradient_is_that_of_finite_differences(samples, padding):
    (X, y), made = samples, network(padding)
    made.backward(X, y)
    grad, step = made.grad.copy(), 1e-6
    for i in range(0, len(grad), 7):
        here, losses = made.parameters[i], []
        for there in (here + step, here - step):
            made.parameters[i] = there
            losses.append(made.backward(X, y))
        made.parameters[i] = here
        assert grad[i] == pytest.approx((losses[0] - losses[1]) / (2 * step), rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("solver", ["sgd", "rmsprop", "adam"])
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(("dtype", "rtol"), [(np.float32, 2e-4), (np.float64, 1e-10)])
def test_trains_as_fastnn_does(samples, solver, padding, dtype, rtol):
    """Both have the same initial weights, batches (the last one is smaller), losses, and final weights."""
    X, y = samples[0].astype(dtype), samples[1]
    baseline = network(padding, dtype, np.random.RandomState(0), solver=solver, learning_rate=0.002, batch_size=8)
    layers = [layer for n in FILTERS for layer in (Conv2D(n, 3, padding=padding), MaxPooling2D(2))]
    model = SequentialClassifier(
        layers,
        solver=solver,
        alpha=0,
        learning_rate_init=0.002,
        batch_size=8,
        random_state=np.random.RandomState(0),
    )
    for _ in range(5):
        model.partial_fit(X, y, classes=range(N_CLASSES))
        assert baseline.train_epoch(X, y) == pytest.approx(model.loss_, rel=rtol)
    np.testing.assert_allclose(baseline.predict_proba(X), model.predict_proba(X), rtol=100 * rtol)
    for kernel, weights in zip(baseline.kernels, filter(None, model.weights_), strict=True):
        assert kernel.dtype == weights["kernel"].dtype == dtype
        np.testing.assert_allclose(kernel, weights["kernel"], rtol=100 * rtol, atol=10 * rtol)


def test_dropout_leaves_out_a_part_of_the_numbers(samples):
    """Where each class has the same chance, the expected gradient by the output's biases is that without dropout."""
    X, y = samples
    plain, dropped = network(), network(dropout=0.5)
    np.testing.assert_array_equal(plain.parameters, dropped.parameters)
    for made in plain, dropped:
        made.kernels[-1][:] = 0
        made.backward(X, y)
    np.testing.assert_allclose(plain.grads[-1], dropped.grads[-1])
    ratio = np.zeros_like(plain.grads[-2])
    for _ in range(400):
        dropped.backward(X, y)
        ratio += dropped.grads[-2] / 400
    np.testing.assert_allclose(ratio, plain.grads[-2], atol=0.1 * np.abs(plain.grads[-2]).max())
    np.testing.assert_array_equal(plain.predict_proba(X), dropped.predict_proba(X))


def test_learns(samples):
    X, y = samples[0].astype(np.float32), samples[1]
    made = network(dtype=np.float32, learning_rate=0.02, batch_size=10)
    for _ in range(60):
        made.train_epoch(X, y)
    assert (made.predict(X) == y).all()
