"""The data in pictures of weights."""

import numpy as np
import pytest
from modular_networks import halves
from numpy.testing import assert_array_equal
from plotted_models import convnet, mlp, tagger
from sklearn.linear_model import LogisticRegression

from fastnn import ModularClassifier, Perceptron, SequentialClassifier, SequentialRegressor
from fastnn.layers import Conv1D, Conv2D, Dense, Flatten, GlobalMaxPooling2D
from fastnn.plot import WeightsDisplay
from fastnn.plot.images import grid_of, limits_of

FAST = {"tol": 1e9, "n_iter_no_change": 1, "random_state": 0}


def modular(rng, **parameters):
    X, y = rng.normal(size=(40, 64)), np.arange(40) % 2
    modules = [
        (name, each.set_params(**FAST, max_iter=200, batch_size="auto"), columns) for name, each, columns in halves()
    ]
    return ModularClassifier([*modules, ("other", LogisticRegression(), [1])], **parameters).fit(X, y)


def test_units_of_an_mlp_as_images():
    model = mlp()
    display = WeightsDisplay.from_estimator(model, image_shape=(8, 8))
    kernel = model.coefs_[0]
    assert display.images.shape == (16, 1, 8, 8)
    assert_array_equal(display.images[3, 0], kernel[:, 3].reshape(8, 8))
    grid = display.image_.get_array()
    assert_array_equal(grid[0:16:2, 0:16:2], kernel[:, 0].reshape(8, 8))  # each pixel is four
    assert grid.mask[16].all()  # between two rows
    assert -display.image_.norm.vmin == display.image_.norm.vmax == abs(kernel).max()
    assert display.ax_.get_title("left") == "0 Dense(16): 16 units"
    assert [text.get_text() for text in display.ax_.get_yticklabels()] == ["0", "4", "8", "12"]
    assert display.colorbar_.ax.get_ylabel() == "weight"
    assert display.image_.cmap.name == "cividis"
    assert WeightsDisplay.from_estimator(model, image_shape=(8, 8), cmap="gray").image_.cmap.name == "gray"


def test_channels_are_rows():
    display = WeightsDisplay.from_estimator(mlp(), image_shape=[4, 8, 2])
    assert_array_equal(display.images[3], mlp().coefs_[0][:, 3].reshape(4, 8, 2).transpose(2, 0, 1))
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("unit", "channel")
    assert [text.get_text() for text in display.ax_.get_yticklabels()] == ["0", "1"]


def test_output_layer_has_the_classes():
    display = WeightsDisplay.from_estimator(mlp(), layer=-1, image_shape=(4, 4))
    assert display.labels == list("abcdefghij")
    assert [text.get_text() for text in display.ax_.texts] == display.labels
    binary = WeightsDisplay.from_estimator(mlp(classes="ab", sizes=(64, 1)), image_shape=(8, 8))
    assert binary.labels is None
    assert display.name == "output"


def test_many_units():
    display = WeightsDisplay.from_estimator(mlp(sizes=(64, 70, 10)), image_shape=(8, 8))
    assert (len(display.images), display.n_units) == (64, 70)
    assert display.ax_.get_title("left") == "0 Dense(70): 64 of 70 units"


def test_filters():
    model = convnet()
    display = WeightsDisplay.from_estimator(model)
    kernel = model.weights_[0]["kernel"]
    assert_array_equal(display.images, kernel.transpose(3, 2, 0, 1))
    assert display.ax_.get_title("left") == "0 Conv2D(8, 3): 8 filters"
    dense = WeightsDisplay.from_estimator(model, layer=4)  # reads what a pooling layer makes
    assert_array_equal(dense.images[5, 7], model.weights_[4]["kernel"].reshape(3, 3, 8, 16)[..., 7, 5])
    assert next(iter(WeightsDisplay.from_estimator(model, kind="histograms").axes_)) == ("0 Conv2D(8, 3)", "kernel")


def test_filters_of_several_channels(rng):
    X = rng.normal(size=(20, 6, 6, 3))
    model = SequentialClassifier([Conv2D(4, 3, groups=1), GlobalMaxPooling2D()], **FAST).fit(X, np.arange(20) % 2)
    display = WeightsDisplay.from_estimator(model, kind="images")
    assert display.images.shape == (4, 3, 3, 3)
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("filter", "input channel")
    series = SequentialRegressor(layers=[Conv1D(5, 3)], **FAST).fit(X[:, 0], np.zeros((20, 4)))
    display = WeightsDisplay.from_estimator(series)
    assert_array_equal(display.images[:, 0], series.weights_[0]["kernel"].transpose(2, 1, 0))


def test_the_shape_of_samples_is_known(rng):
    X, y = rng.normal(size=(20, 4, 5)), np.arange(20) % 3
    for layers in ([Dense(6)], [Flatten(), Dense(6)], [None, Dense(6)]):
        model = SequentialClassifier(layers, **FAST).fit(X, y)
        display = WeightsDisplay.from_estimator(model, kind="images")
        assert_array_equal(display.images[:, 0], model.weights_[len(layers) - 1]["kernel"].T.reshape(6, 4, 5))
    model = SequentialClassifier([Dense(6)], input_shape=(4, 5), **FAST).fit(X.reshape(20, 20), y)
    assert WeightsDisplay.from_estimator(model).images.shape == (6, 1, 4, 5)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_perceptron(n_classes, rng):
    X, y = rng.normal(size=(30, 12)), np.array(["a", "b", "c"])[np.arange(30) % n_classes]
    model = Perceptron(max_iter=3, tol=None).fit(X, y)
    display = WeightsDisplay.from_estimator(model.sparsify(), image_shape=(3, 4))
    coef = model.densify().coef_
    assert_array_equal(display.images[:, 0], coef.reshape(-1, 3, 4))
    assert display.labels == (["b"] if n_classes == 2 else ["a", "b", "c"])
    display = WeightsDisplay.from_estimator(model)
    assert_array_equal(display.weights["perceptron"]["coef"], coef)


def test_histograms():
    model = mlp(sizes=(64, 30, 3), classes="abc")
    display = WeightsDisplay.from_estimator(model)
    assert list(display.axes_) == [
        *(("0 Dense(30)", name) for name in ("kernel", "bias")),
        *(("output", name) for name in ("kernel", "bias")),
    ]
    assert_array_equal(display.weights["output"]["kernel"], model.coefs_[1])
    ax = display.axes_["0 Dense(30)", "kernel"]
    filled = ax.patches[0].get_data()
    assert filled.values.sum() == 64 * 30
    assert (filled.edges[0], filled.edges[-1]) == (model.coefs_[0].min(), model.coefs_[0].max())
    std = model.coefs_[0].std()
    assert ax.get_title("left") == f"kernel, 1,920, std {std:.2g}"
    few = display.axes_["output", "bias"]  # each number is a line
    assert sorted(x for (x, _), _ in few.collections[0].get_segments()) == sorted(model.intercepts_[1])
    assert [text.get_text() for text in display.ax_.texts] == ["0 Dense(30)", "output"]


def test_histograms_of_recurrent_and_modular_networks(rng):
    assert list(WeightsDisplay.from_estimator(tagger()).weights["0 GRU(6, return_sequences=True)"]) == [
        *("kernel", "recurrent_kernel", "bias")
    ]
    model = modular(rng)
    assert list(WeightsDisplay.from_estimator(model).weights) == [
        *("upper: 0 Dense(16)", "upper: output", "lower: 0 Dense(12)", "lower: output")
    ]
    combined = modular(rng, combine=mlp().set_params(**FAST), cv=2)
    assert list(WeightsDisplay.from_estimator(combined).weights)[-1] == "combine: output"


def test_what_cannot_be_drawn(rng):
    draw, model = WeightsDisplay.from_estimator, mlp()
    with pytest.raises(ValueError, match=r"image_shape must have 64 numbers, as 0 Dense\(16\) reads, got \(8, 9\)"):
        draw(model, image_shape=(8, 9))
    for shape in (64, (8,), (8, 8, 1, 1), (8.0, 8), "88", (-8, -8)):
        with pytest.raises(ValueError, match=r"image_shape must be \(height, width\) or"):
            draw(model, image_shape=shape)
    with pytest.raises(ValueError, match=r"image_shape must be given, since 0 Dense\(16\) does not read images"):
        draw(model, kind="images")
    with pytest.raises(ValueError, match=r"layer must be at least -2 and less than 2, .* got 2"):
        draw(model, layer=2)
    with pytest.raises(TypeError, match=r"layer must be an integer, got 1\.0"):
        draw(model, layer=1.0)
    with pytest.raises(ValueError, match=r"layer must be the number of a Conv2D, .* got 1, which is MaxPooling2D\(\)"):
        draw(convnet(), layer=1)
    with pytest.raises(ValueError, match='kind must be "auto", "images" or "histograms", got 3'):
        draw(model, kind=3)
    with pytest.raises(ValueError, match='kind must be "auto" or "images" with layer or image_shape, got "histograms"'):
        draw(model, kind="histograms", layer=0)
    with pytest.raises(ValueError, match="estimator must be one of the modules"):
        draw(modular(rng), image_shape=(8, 4))
    with pytest.raises(ValueError, match="one of the modules must have weights that fastnn knows"):
        draw(ModularClassifier([("a", LogisticRegression(), [0])]).fit(rng.normal(size=(9, 1)), np.arange(9) % 2))


def test_a_grid_of_images():
    images = np.arange(6 * 20 * 30.0).reshape(6, 20, 30)
    grid, places = grid_of(images, 4)
    assert grid.shape == (2 * 20 + 2, 4 * 30 + 3 * 2)
    assert_array_equal(grid[22:42, 32:62], images[5])
    assert_array_equal(places[5], [32 + 14.5, 22 + 9.5])
    assert np.isnan(grid[:, 30]).all()
    assert grid_of(images, aspect=100)[0].shape[0] == 20  # as wide as they can be
    assert grid_of(images, aspect=0.01)[0].shape[1] == 30
    assert grid_of(np.ones((1, 2, 3)))[0].shape == (12, 18)  # small images are enlarged
    header, places = grid_of(images, 6, header=0.5)
    assert np.isnan(header[:10]).all()
    assert places[0, 1] == 10 + 9.5


@pytest.mark.parametrize(
    ("numbers", "limits"), [([0, 2], (0, 2)), ([-3, 2], (-3, 3)), ([0, 0], (0, 1)), ([np.nan], (0, 1)), ([], (0, 1))]
)
def test_limits_of_colours(numbers, limits):
    assert limits_of(numbers) == limits
