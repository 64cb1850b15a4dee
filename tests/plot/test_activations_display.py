"""The data in pictures of activations."""

import numpy as np
import pytest
import scipy.sparse as sp
from modular_networks import halves
from numpy.testing import assert_array_equal
from plotted_models import convnet, images, mlp, regressor, tagger, walks
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import LinearSVC

from fastnn import MLPClassifier, ModularClassifier, ModularRegressor, Perceptron, SequentialClassifier
from fastnn.layers import GRU, Embedding, Flatten, Masking
from fastnn.plot import ActivationsDisplay

FAST = {"tol": 1e9, "n_iter_no_change": 1, "max_iter": 200, "batch_size": "auto", "random_state": 0}


def draw(*arguments, **settings):
    return ActivationsDisplay.from_estimator(*arguments, **settings)


def test_maps_are_images():
    X, model = images(), convnet()
    display = draw(model, X, sample=2)
    names = [
        "X",
        "0 Conv2D(8, 3)",
        "1 MaxPooling2D()",
        "2 BatchNormalization()",
        "4 Dense(16, trainable=False)",
        "output",
    ]
    assert list(display.activations) == list(display.axes_) == names  # without Dropout
    assert list(display.images_) == names[:4]
    assert_array_equal(display.activations["X"], X[2][..., None])
    for i, name in ((0, names[1]), (1, names[2]), (2, names[3]), (4, names[4])):
        assert_array_equal(display.activations[name], model.hidden_activations(X, layer=i)[2])
    assert_array_equal(display.activations["output"], model.predict_proba(X)[2])
    grid = display.images_["1 MaxPooling2D()"].get_array()
    pixels = display.activations["1 MaxPooling2D()"][..., 0]
    assert_array_equal(grid[0:12:4, 0:12:4], pixels)  # each is sixteen
    norm = display.images_["0 Conv2D(8, 3)"].norm
    assert (norm.vmin, norm.vmax) == (0, display.activations["0 Conv2D(8, 3)"].max())
    norm = display.images_["2 BatchNormalization()"].norm
    assert -norm.vmin == norm.vmax == abs(display.activations["2 BatchNormalization()"]).max()


def test_what_is_written_beside_them():
    display = draw(convnet(), images())
    written = [text.get_text() for text in display.ax_.texts]
    assert written[:3] == ["X", "8 × 8 × 1", f"0 to {images()[0].max():.3g}"]
    assert written[3:6] == ["0 Conv2D", "8, 3", "6 × 6 × 8"]
    assert any(text.startswith("\N{MINUS SIGN}") for text in written)  # a minus as on the axes
    bars = display.axes_["output"]
    assert [text.get_text() for text in bars.get_xticklabels()] == ["cat", "dog", "fox"]
    heights = [bar.get_height() for bar in bars.patches]
    np.testing.assert_allclose(heights, display.activations["output"])
    assert bars.texts[0].get_text() == f"{max(heights):.3g}"
    colours = {bar.get_facecolor() for bar in bars.patches}
    assert len(colours) == 2  # the answer is darker


def test_an_mlp_with_images_in_rows():
    X, model = images().reshape(-1, 64), mlp()
    display = draw(model, X, sample=-1, image_shape=(8, 8))
    assert_array_equal(display.activations["X"], X[-1].reshape(8, 8, 1))
    assert_array_equal(display.activations["0 Dense(16)"], model.hidden_activations(X)[-1])
    assert display.labels == {"output": list("abcdefghij")}
    assert draw(model, X).activations["X"].shape == (64,)
    sparse = draw(model, sp.coo_matrix(X), sample=1)
    assert_array_equal(sparse.activations["X"], X[1])
    pandas = pytest.importorskip("pandas")
    assert_array_equal(draw(model, pandas.DataFrame(X), sample=1).activations["X"], X[1])
    np.testing.assert_allclose(draw(model, X.tolist(), sample=1).activations["X"], X[1])


def test_sequences_are_heat_maps():
    X, model = walks(), tagger()
    display = draw(model, X, sample=1)
    assert {name: values.shape for name, values in display.activations.items()} == {
        "X": (30, 2),
        "0 GRU(6, return_sequences=True)": (30, 6),
        "output": (30, 3),
    }
    assert_array_equal(display.activations["output"], model.predict_proba(X)[1])
    assert_array_equal(display.images_["output"].get_array(), model.predict_proba(X)[1].T)
    assert [text.get_text() for text in display.axes_["output"].get_yticklabels()] == ["x", "y", "z"]
    objects = np.empty(3, object)
    objects[:] = X
    assert_array_equal(draw(model, objects, sample=1).activations["output"], display.activations["output"])
    assert_array_equal(draw(model, np.stack([X[1]] * 2)).activations["X"], X[1])
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({name: [each[:, i].tolist() for each in X] for i, name in enumerate("ab")})
    assert_array_equal(draw(model, frame, sample=1).activations["X"], X[1])


def test_series_are_lines(rng):
    X = [rng.normal(size=n) for n in (5, 9, 7, 6)]
    model = SequentialClassifier([GRU(4)], **FAST).fit(X, [0, 1, 0, 1])
    display = draw(model, X, sample=1)
    assert display.activations["X"].shape == (9, 1)
    assert_array_equal(display.axes_["X"].lines[0].get_ydata(), X[1])
    assert display.images_ == {}


def test_tokens_and_steps_that_are_left_out(rng):
    X = [[3, 1, 0, 0], [2, 2, 1, 0], [1, 0, 0, 0]]
    model = SequentialClassifier([Masking(0), Embedding(4, 5), GRU(3)], **FAST).fit(X, [0, 1, 0])
    display = draw(model, X)
    assert_array_equal(display.activations["X"][:, 0], [3, 1, 0, 0])
    assert_array_equal(display.activations["0 Masking(0)"][:, 0], [3, 1])
    assert display.activations["1 Embedding(4, 5)"].shape == (2, 5)


def test_images_without_a_layer_that_reads_them(rng):
    X = rng.normal(size=(9, 3, 4))
    display = draw(SequentialClassifier([Flatten()], **FAST).fit(X, np.arange(9) % 2), X, sample=4)
    assert_array_equal(display.activations["X"], X[4][..., None])
    assert display.activations["0 Flatten()"].shape == (12,)


def test_many_numbers_and_many_channels():
    display = ActivationsDisplay(
        {"map": np.ones((3, 3, 70)), "wide": np.arange(500.0), "none": np.full(4, np.nan)}
    ).plot()
    written = [text.get_text() for text in display.ax_.texts]
    assert written[:4] == ["map", "3 × 3 × 70", "the first 64 channels", "1 to 1"]
    assert_array_equal(display.axes_["wide"].patches[0].get_data().values, np.arange(500))


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_perceptron(n_classes, rng):
    X, y = rng.normal(size=(30, 4)), np.array(["a", "b", "c"])[np.arange(30) % n_classes]
    model = Perceptron(max_iter=3, tol=None).fit(X, y)
    display = draw(model, X, sample=5)
    np.testing.assert_allclose(display.activations["decision function"], np.ravel(model.decision_function(X)[5]))
    assert display.labels["decision function"] == (["b"] if n_classes == 2 else ["a", "b", "c"])


def test_types_of_targets(rng):
    X = rng.normal(size=(30, 3))
    display = draw(regressor(4, loss="quantile", quantile=[0.1, 0.9]), X)
    assert display.labels["output"] == ["y[0], 0.1", "y[0], 0.9", "y[1], 0.1", "y[1], 0.9"]
    assert draw(regressor(), X).labels["output"] == ["y"]
    columns = np.c_[np.arange(30) % 2, np.arange(30) % 3]
    model = MLPClassifier((3,), **FAST).fit(X, columns)
    display = draw(model, X)
    assert display.labels["output"] == ["0: 0", "0: 1", "1: 0", "1: 1", "1: 2"]
    assert_array_equal(display.activations["output"], np.hstack([each[0] for each in model.predict_proba(X)]))
    labels = MLPClassifier((3,), **FAST).fit(X, columns % 2)
    assert_array_equal(draw(labels, X).activations["output"], labels.predict_proba(X)[0])
    booleans = MLPClassifier((3,), **FAST).fit(X, X[:, 0] > 0)
    assert draw(booleans, X).labels["output"] == ["False", "True"]


def short_halves():
    return [(name, each.set_params(**FAST), columns) for name, each, columns in halves()]


@pytest.mark.parametrize("combine", ["mean", "product", "vote", LogisticRegression(), LinearSVC()])
def test_modules(combine, rng):
    X, y = rng.normal(size=(60, 64)), np.array(["a", "b", "c"])[np.arange(60) % 3]
    model = ModularClassifier([*short_halves(), ("other", GaussianNB(), [1, 2])], combine=combine, cv=2).fit(X, y)
    display = draw(model, X, sample=7, image_shape=(8, 8))
    assert list(display.activations) == ["X", "upper", "lower", "other", "together"]
    assert display.activations["X"].shape == (8, 8, 1)
    upper = model.named_modules_["upper"]
    if combine == "vote":
        assert_array_equal(display.activations["upper"], upper.classes_ == upper.predict(X[7:8, :32])[0])
        assert display.activations["together"].sum() == 3
    else:
        assert_array_equal(display.activations["upper"], upper.predict_proba(X[7:8, :32])[0])
    together = display.activations["together"]
    assert display.labels["together"] == display.labels["upper"] == ["a", "b", "c"]
    assert model.classes_[together.argmax()] == model.predict(X[7:8])[0]


def test_modules_that_answer_in_other_ways(rng):
    X, y = rng.normal(size=(60, 4)), np.c_[np.arange(60) % 2, np.arange(60) % 3]
    forest = RandomForestClassifier(3, random_state=0)
    model = ModularClassifier([("both", forest, [0, 1])], combine=forest, cv=2).fit(X, y)
    display = draw(model, X)
    assert len(display.activations["both"]) == len(display.activations["together"]) == 5
    assert display.labels["both"] == ["0: 0", "0: 1", "1: 0", "1: 1", "1: 2"]
    only_predicts = ModularClassifier([("svc", LinearSVC(), [0, 1]), ("two", Perceptron(), [2])], combine="vote").fit(
        X, y[:, 0]
    )
    assert_array_equal(np.sort(draw(only_predicts, X).activations["svc"]), [0, 1])
    numbers = ModularRegressor([("one", Ridge(), [0]), ("two", Ridge(), [1])]).fit(X, X[:, :2])
    display = draw(numbers, X, sample=3)
    np.testing.assert_allclose(display.activations["together"], numbers.predict(X)[3])


def test_what_is_refused():
    model, X = mlp(), images().reshape(-1, 64)
    with pytest.raises(TypeError, match=r"sample must be an integer, got 1\.5"):
        draw(model, X, sample=1.5)
    with pytest.raises(ValueError, match="sample must be at least -4 and less than 4, since X has 4 samples, got 4"):
        draw(model, X, sample=4)
    with pytest.raises(ValueError, match="since X has 0 samples"):
        draw(model, 3)
    with pytest.raises(ValueError, match=r"image_shape must have 64 numbers, as a sample of X has, got \(8, 9\)"):
        draw(model, X, image_shape=(8, 9))
    with pytest.raises(ValueError, match="X has 63 features, but MLPClassifier is expecting 64"):
        draw(model, X[:, 1:])
