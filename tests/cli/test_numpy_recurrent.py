"""The recurrent network in NumPy with which fastnn is compared is correct, and the same network as fastnn's."""

import numpy as np
import pytest
from recurrent_reference import recurrent
from scipy.special import softmax
from sklearn.datasets import load_digits

from fastnn import SequentialClassifier
from fastnn.cli.numpy_recurrent import NumpyRecurrent
from fastnn.layers import GRU

N_STEPS, N_FEATURES, UNITS, N_CLASSES = 6, 4, 5, 3


@pytest.fixture
def samples(rng):
    return rng.normal(size=(30, N_STEPS, N_FEATURES)), rng.integers(N_CLASSES, size=30)


def network(dtype=np.float64, random_state=0, **settings):
    return NumpyRecurrent(N_FEATURES, UNITS, N_CLASSES, dtype=dtype, random_state=random_state, **settings)


def test_predictions_are_those_of_the_reference(samples, rng):
    X, made = samples[0], network()
    made.parameters[:] = rng.normal(0, 0.5, made.parameters.shape)
    *of_cells, kernel, bias = made.arrays
    expected = softmax(recurrent("gru", X, of_cells).values @ kernel + bias, axis=1)
    np.testing.assert_allclose(made.predict_proba(X), expected, rtol=1e-12)


def test_gradient_is_that_of_finite_differences(samples, rng):
    (X, y), made = samples, network()
    made.parameters[:] = rng.normal(0, 0.5, made.parameters.shape)
    made.backward(X, y)
    grad, step = made.grad.copy(), 1e-6
    for i in range(len(grad)):
        here, losses = made.parameters[i], []
        for there in (here + step, here - step):
            made.parameters[i] = there
            losses.append(made.backward(X, y))
        made.parameters[i] = here
        assert grad[i] == pytest.approx((losses[0] - losses[1]) / (2 * step), rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("solver", ["sgd", "rmsprop", "adam"])
@pytest.mark.parametrize(("dtype", "rtol"), [(np.float32, 2e-4), (np.float64, 1e-10)])
def test_trains_as_fastnn_does(samples, solver, dtype, rtol):
    """Both have the same initial weights, batches (the last one is smaller), losses, and final weights."""
    X, y = samples[0].astype(dtype), samples[1]
    baseline = network(dtype, np.random.RandomState(0), solver=solver, learning_rate=0.002, batch_size=8)
    model = SequentialClassifier(
        [GRU(UNITS)],
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
    learnt = [array for of_layer in model.weights_ for array in of_layer.values()]
    for ours, numpys in zip(learnt, baseline.arrays, strict=True):
        assert ours.dtype == numpys.dtype == dtype
        np.testing.assert_allclose(numpys, ours, rtol=100 * rtol, atol=10 * rtol)


def test_initial_weights_are_keras_s():
    made = network()
    np.testing.assert_allclose(made.recurrent_kernel @ made.recurrent_kernel.T, np.eye(UNITS), atol=1e-12)
    assert np.abs(made.kernel).max() < np.sqrt(6 / (N_FEATURES + 3 * UNITS))
    assert not made.bias.any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_types(samples, dtype):
    """A step and a prediction convert nothing to a wider type, and large numbers cause no warning."""
    X, y = samples
    made = network(dtype)
    made.train_epoch(X.astype(dtype), y)
    assert made.predict_proba(1e6 * X.astype(dtype)).dtype == dtype
    assert all(array.dtype == dtype for memory in made.forward(X.astype(dtype))[1] for array in memory)


def test_learns_digits():
    images, y = load_digits(return_X_y=True)
    X = (images / 16).astype(np.float32).reshape(-1, 8, 8)
    made = NumpyRecurrent(8, 32, 10, learning_rate=0.01, random_state=0)
    for _ in range(10):
        made.train_epoch(X[:1500], y[:1500])
    assert (made.predict(X[1500:]) == y[1500:]).mean() > 0.85
