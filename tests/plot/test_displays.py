"""What all displays have in common: scikit-learn's conventions, and what they refuse."""

import inspect
import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
from plotted_models import convnet, images, mlp, regressor
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.linear_model import Perceptron as SklearnPerceptron
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier as SklearnClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastnn.plot
from fastnn import MLPClassifier, ModularClassifier, Perceptron, SequentialRegressor
from fastnn.plot import ActivationsDisplay, LossCurveDisplay, NetworkDisplay, PerceptronDisplay, WeightsDisplay

X = np.random.default_rng(0).normal(size=(30, 2))
Y = np.where(X[:, 0] > 0, "right", "left")


def trained():
    return MLPClassifier((3,), tol=1e9, n_iter_no_change=1, random_state=0).fit(X, Y)


def drawn():
    """How each display is drawn: a model, and what `from_estimator` takes besides."""
    return {
        LossCurveDisplay: (trained(), ()),
        WeightsDisplay: (trained(), ()),
        NetworkDisplay: (trained(), ()),
        ActivationsDisplay: (trained(), (X,)),
        PerceptronDisplay: (Perceptron().fit(X, Y), (X, Y)),
    }


DISPLAYS = [getattr(fastnn.plot, name) for name in fastnn.plot.__all__ if name != "Block"]


@pytest.mark.parametrize("cls", DISPLAYS)
def test_a_new_figure_or_the_axes_given(cls):
    model, arguments = drawn()[cls]
    display = cls.from_estimator(model, *arguments)
    assert isinstance(display, cls)
    assert display.figure_ is display.ax_.figure
    figure, axes = plt.subplots(1, 2)
    assert display.plot(axes[1]) is display
    assert display.ax_ is axes[1]
    assert display.figure_ is figure
    assert cls.from_estimator(model, *arguments, ax=axes[0]).ax_ is axes[0]
    figure.draw_without_rendering()


@pytest.mark.parametrize("cls", DISPLAYS)
def test_every_parameter_is_an_attribute(cls):
    model, arguments = drawn()[cls]
    display = cls.from_estimator(model, *arguments)
    assert set(inspect.signature(cls).parameters) <= vars(display).keys()
    again = cls(**{name: getattr(display, name) for name in inspect.signature(cls).parameters})
    assert not hasattr(again, "ax_")
    assert again.plot().figure_ is not display.figure_


@pytest.mark.parametrize("cls", DISPLAYS)
def test_a_model_that_is_not_fitted(cls):
    model, arguments = drawn()[cls]
    with pytest.raises(NotFittedError, match=r"This .* instance is not fitted yet. Call 'fit' with appropriate"):
        cls.from_estimator(type(model)(), *arguments)
    assert plt.get_fignums() == []


@pytest.mark.parametrize("cls", DISPLAYS)
@pytest.mark.parametrize(
    ("estimator", "advice"),
    [
        (LogisticRegression(), r"LogisticRegression\(\)$"),
        (SklearnClassifier(), r"MLPClassifier\(\)$"),
        (SklearnPerceptron(), r"Perceptron\(\)$"),
        (None, "got None"),
        (MLPClassifier, ": make one and fit it"),
        (Perceptron, ": make one and fit it"),
    ],
)
def test_estimators_of_others(cls, estimator, advice):
    _, arguments = drawn()[cls]
    with pytest.raises(TypeError, match=r"estimator must be an? .* of fastnn, got ") as caught:
        cls.from_estimator(estimator, *arguments)
    assert caught.match(advice)


def test_where_the_model_is():
    pipeline = make_pipeline(StandardScaler(), trained()).fit(X, Y)
    with pytest.raises(TypeError, match=r": pass its last step, \[-1\]"):
        WeightsDisplay.from_estimator(pipeline)
    search = GridSearchCV(trained(), {"alpha": [1]}, cv=2).fit(X, Y)
    with pytest.raises(TypeError, match=": pass its best_estimator_"):
        NetworkDisplay.from_estimator(search)
    with pytest.raises(TypeError, match=": PerceptronDisplay shows how it learnt"):
        LossCurveDisplay.from_estimator(Perceptron().fit(X, Y))
    modular = ModularClassifier([("one", Perceptron(), [0, 1])], combine="vote").fit(X, Y)
    with pytest.raises(TypeError, match=": pass one of its modules, which named_modules_ has"):
        PerceptronDisplay.from_estimator(modular, X, Y)


@pytest.mark.parametrize("cls", DISPLAYS)
def test_what_is_not_an_axes(cls):
    model, arguments = drawn()[cls]
    with pytest.raises(TypeError, match="ax must be an Axes of matplotlib, or None, got 3"):
        cls.from_estimator(model, *arguments, ax=3)


@pytest.mark.parametrize("cls", DISPLAYS)
def test_without_matplotlib(cls, monkeypatch):
    model, arguments = drawn()[cls]
    display = cls.from_estimator(model, *arguments)
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "matplotlib.pyplot", None)
        calls = {"from_estimator": lambda: cls.from_estimator(model, *arguments), "plot": display.plot}
        for method, call in calls.items():
            with pytest.raises(ImportError, match=rf"^{cls.__name__}.{method} needs matplotlib: ") as caught:
                call()
            assert caught.match(r"pip install 'scikit-fastnn\[plot\]'$")


def test_matplotlib_is_imported_when_a_picture_is_drawn():
    program = "import sys, fastnn.plot; fastnn.plot.LossCurveDisplay({}); sys.exit('matplotlib' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_picture_does_not_change_the_model_nor_matplotlib():
    model, before = convnet(), dict(plt.rcParams)
    weights = [array.copy() for array in model._network.weights()]
    names = set(vars(model))
    for cls, arguments in ((WeightsDisplay, ()), (NetworkDisplay, ()), (ActivationsDisplay, (images(),))):
        cls.from_estimator(model, *arguments)
    assert set(vars(model)) == names
    assert all(map(np.array_equal, weights, model._network.weights()))
    assert dict(plt.rcParams) == before


def test_every_estimator_is_drawn(rng):
    """A diagram, weights and activations of each class, with each type of targets."""
    y = rng.integers(0, 2, (30, 2))
    short = {"tol": 1e9, "n_iter_no_change": 1, "random_state": 0}
    models = [
        mlp(sizes=(2, 4, 3), classes="abc"),
        regressor(3),
        regressor(4, loss="quantile", quantile=[0.1, 0.9]),
        MLPClassifier((3,), **short).fit(X, y),  # multilabel
        MLPClassifier((3,), **short).fit(X, y + 3),  # columns of classes
        SequentialRegressor(layers=[], **short).fit(X, X),
        Perceptron().fit(X, Y),
        Perceptron().fit(X, np.arange(30) % 3).sparsify(),
    ]
    for model in models:
        n_features = 3 if hasattr(model, "quantile") and not hasattr(model, "layers") else 2
        display = ActivationsDisplay.from_estimator(model, np.ones((1, n_features)))
        *_, (name, answer) = display.activations.items()
        assert len(display.labels[name]) == len(answer)
        assert NetworkDisplay.from_estimator(model).chains
        assert WeightsDisplay.from_estimator(model).axes_
        plt.close("all")
