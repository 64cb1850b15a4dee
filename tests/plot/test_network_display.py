"""The data in diagrams."""

import numpy as np
import pytest
from modular_networks import halves
from plotted_models import convnet, mlp, regressor, tagger
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline

from fastnn import MLPRegressor, ModularClassifier, ModularRegressor, Perceptron
from fastnn.plot import Block, NetworkDisplay
from fastnn.plot.display import shortened, text_width

FAST = {"tol": 1e9, "n_iter_no_change": 1, "max_iter": 200, "batch_size": "auto"}


def short_halves():
    return [(name, each.set_params(**FAST), columns) for name, each, columns in halves()]


def texts(display):
    return [text.get_text() for text in display.texts_]


def test_layers_of_a_network():
    display = NetworkDisplay.from_estimator(convnet())
    assert display.chains == {
        "SequentialClassifier": [
            Block("Conv2D(8, 3)", "6 × 6 × 8", 80),
            Block("MaxPooling2D()", "3 × 3 × 8", 0),
            Block("BatchNormalization()", "3 × 3 × 8", 32),
            Block("Dropout(0.2)", "3 × 3 × 8", 0),
            Block("Dense(16, trainable=False)", "16", 1168, False),
            Block("output, softmax", "3", 51),
        ]
    }
    assert texts(display)[:6] == ["X", "8 × 8 × 1", "Conv2D", "(8, 3)", "6 × 6 × 8", "80 parameters"]
    assert {"1,168 fixed parameters", "1,331 parameters"} <= {*texts(display)}
    assert len(display.boxes_) == 7
    heights = [box.get_y() for box in display.boxes_]
    assert heights == sorted(heights)
    assert display.boxes_[-1].get_linewidth() > display.boxes_[1].get_linewidth()  # the output layer


def test_other_networks():
    display = NetworkDisplay.from_estimator(mlp())
    assert display.chains["MLPClassifier"] == [Block("Dense(16)", "16", 1040), Block("output, softmax", "10", 170)]
    assert display.inputs == "64 columns"
    display = NetworkDisplay.from_estimator(regressor(2, activation="tanh"))
    assert display.chains["MLPRegressor"] == [Block("Dense(5, 'tanh')", "5", 20), Block("output, identity", "2", 12)]
    display = NetworkDisplay.from_estimator(tagger())
    assert display.inputs == "steps × 2"
    assert display.chains["SequentialClassifier"][0] == Block("GRU(6, return_sequences=True)", "steps × 6", 180)


@pytest.mark.parametrize(
    ("n_classes", "block"), [(2, Block("threshold unit", "1", 4)), (3, Block("3 threshold units", "3", 12))]
)
def test_a_perceptron(n_classes, block, rng):
    model = Perceptron(max_iter=3, tol=None).fit(rng.normal(size=(30, 3)), np.arange(30) % n_classes)
    assert NetworkDisplay.from_estimator(model).chains == {"Perceptron": [block]}


def test_modules_side_by_side(rng):
    X, y = rng.normal(size=(40, 64)), np.arange(40) % 4
    modules = [*short_halves(), ("parity", LogisticRegression(), [0, 3, 9, 11])]
    model = ModularClassifier(modules, targets={"parity": lambda y: y % 2}, combine="product", weights=[1, 2, 1])
    display = NetworkDisplay.from_estimator(model.fit(X, y))
    assert list(display.chains) == ["upper", "lower", "parity"]
    assert display.chains["parity"] == [Block("LogisticRegression()", "2", None)]
    assert display.reads == {
        "upper": "reads 0:32",
        "lower": "reads 32:64",
        "parity": "reads 4 columns, learns f(y)",
    }
    assert display.joined == [Block("weighted product of probabilities", "4")]
    assert texts(display)[
        -1
    ] == f"{display.chains['upper'][0].n_parameters + 68 + 396 + 52:,} parameters, and those of " + ("other libraries")
    x, upper, *_, joined = display.boxes_
    assert x.get_width() == joined.get_width() > 3 * upper.get_width()  # over all modules


def test_a_model_that_combines(rng):
    X, y = rng.normal(size=(40, 64)), np.arange(40) % 4
    model = ModularClassifier(short_halves(), combine=mlp().set_params(hidden_layer_sizes=(7,), **FAST), cv=2).fit(X, y)
    display = NetworkDisplay.from_estimator(model)
    assert display.joined == [
        Block("outputs side by side", "8"),
        Block("Dense(7)", "7", 63),
        Block("output, softmax", "4", 32),
    ]
    model = ModularClassifier(short_halves(), combine=LogisticRegression(), cv=2, passthrough=True).fit(X, y)
    display = NetworkDisplay.from_estimator(model)
    assert display.joined == [Block("outputs and X side by side", "72"), Block("LogisticRegression()", "4", None)]


def test_modules_of_all_kinds(rng):
    """A frame's names, pipelines, modules in modules, several targets."""
    pandas = pytest.importorskip("pandas")
    X = pandas.DataFrame(rng.normal(size=(40, 5)), columns=["a", "b", "c", "d", "e"])
    y = rng.normal(size=(40, 2))
    network = MLPRegressor(hidden_layer_sizes=(4,), random_state=0, **FAST)
    inner = ModularRegressor([("one", network, [0, 1]), ("two", network, [2])])
    modules = [
        ("pipeline", make_pipeline(PCA(2), network), ["a", "c", "e"]),
        ("inner", inner, slice("a", "c")),
        ("first", Ridge(), ["b"]),
    ]
    model = ModularRegressor(modules, targets={"first": 0}, combine=Ridge(), cv=2).fit(X, y)
    display = NetworkDisplay.from_estimator(model)
    assert display.reads == {
        "pipeline": "reads 0, 2, 4",
        "inner": "reads 0:3",
        "first": "reads b, learns y[0]",
    }
    assert [block.name for block in display.chains["pipeline"]] == ["PCA()", "Dense(4)", "output, identity"]
    assert display.chains["inner"] == [Block("ModularRegressor of 2 modules", "2", 22 + 18)]
    assert display.joined[-1] == Block("Ridge()", "2", None)
    mean = ModularRegressor([("one", network, slice(None))]).fit(X, y)
    display = NetworkDisplay.from_estimator(mean)
    assert (display.reads, display.joined) == ({"one": "reads X"}, [Block("mean", "2")])


def test_modules_of_sequences(rng):
    X = [rng.normal(size=(n, 2)) for n in (3, 5, 4)]
    one = tagger().set_params(layers__0__return_sequences=False, **FAST)
    model = ModularClassifier([("a", one, slice(None)), ("b", one, slice(None))], combine="vote").fit(X, [0, 1, 2])
    display = NetworkDisplay.from_estimator(model)
    assert display.inputs == ""
    assert display.joined == [Block("vote", "3")]


def test_texts_fit_their_boxes():
    long = [Block("Conv2D(32, 3, padding='same', activation='leaky_relu', dilation_rate=2)", "8 × 8 × 32", 10**7)]
    display = NetworkDisplay({"one": long}, inputs="8 × 8 × 1").plot()
    display.figure_.draw_without_rendering()
    inside = display.boxes_[1].get_window_extent()
    for text in display.texts_:
        extent = text.get_window_extent()
        if inside.y0 < extent.y0 and extent.y1 < inside.y1:
            assert inside.x0 < extent.x0
            assert extent.x1 < inside.x1
    assert any(text.endswith("…") for text in texts(display))
    assert shortened("abcdef", 10, 9) == "abcdef"
    assert text_width("abc", 18) == pytest.approx(2 * text_width("abc", 9), rel=0.05)
    assert text_width(" ", 9) == 0


def test_texts_follow_the_size_of_the_axes():
    import matplotlib.pyplot as plt

    _, axes = plt.subplots(1, 2, figsize=(4, 3))
    small = NetworkDisplay.from_estimator(mlp(), ax=axes[0]).texts_[0].get_fontsize()
    assert small < NetworkDisplay.from_estimator(mlp()).texts_[0].get_fontsize()
