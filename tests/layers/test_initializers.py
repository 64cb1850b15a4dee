"""Initial weights: their distributions are Keras's."""

import numpy as np
import pytest

from fastnn.layers import Conv2D, Dense
from fastnn.layers.initializers import INITIALIZERS

SHAPE = (3, 3, 40, 60)
VARIANCES = {"glorot": 2 / (9 * 100), "he": 2 / (9 * 40), "lecun": 1 / (9 * 40)}


@pytest.mark.parametrize("name", [name for name in INITIALIZERS if name.split("_")[0] in VARIANCES])
def test_variances_and_bounds(name):
    family, distribution = name.split("_")
    numbers, deviation = INITIALIZERS[name](SHAPE, np.random.RandomState(0)), np.sqrt(VARIANCES[family])
    assert numbers.shape == SHAPE
    assert numbers.std() == pytest.approx(deviation, rel=0.02)
    assert abs(numbers.mean()) < 0.02 * deviation
    bound = np.sqrt(3) if distribution == "uniform" else 2 / 0.87962566103423978
    assert 0.99 * bound * deviation < np.abs(numbers).max() <= bound * deviation


@pytest.mark.parametrize("shape", [(20, 7), (7, 20), (3, 3, 2, 5), (1, 1, 2, 5)])
def test_orthogonal(shape):
    matrix = INITIALIZERS["orthogonal"](shape, np.random.RandomState(0)).reshape(-1, shape[-1])
    product = matrix.T @ matrix if len(matrix) >= shape[-1] else matrix @ matrix.T
    np.testing.assert_allclose(product, np.eye(len(product)), atol=1e-12)


def test_constants():
    assert not INITIALIZERS["zeros"](SHAPE, None).any()
    assert (INITIALIZERS["ones"](SHAPE, None) == 1).all()


def test_dense_draws_as_scikit_learn_does():
    kernel, bias = Dense(30).initial_weights((20,), np.random.RandomState(3), 6.0)
    expected, bound = np.random.RandomState(3), np.sqrt(6 / 50)
    np.testing.assert_array_equal(kernel, expected.uniform(-bound, bound, (20, 30)))
    np.testing.assert_array_equal(bias, expected.uniform(-bound, bound, 30))


@pytest.mark.parametrize("layer", [Dense(30, kernel_initializer="glorot_uniform"), Conv2D(30, 1)])
def test_a_named_distribution_is_the_kernels_alone(layer):
    shape = (20,) if isinstance(layer, Dense) else (5, 5, 20)
    kernel, bias = layer.initial_weights(shape, np.random.RandomState(3), 6.0)
    bound = np.sqrt(6 / 50)
    np.testing.assert_allclose(kernel, np.random.RandomState(3).uniform(-bound, bound, (20, 30)), rtol=1e-12)
    assert not bias.any()
