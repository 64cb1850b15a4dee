"""The pictures themselves, beside those in baseline/, which docs/plots.md shows.

To draw them anew: pytest tests/plot/test_pictures.py --mpl-generate-path=tests/plot/baseline. Look at them then.
"""

import matplotlib
import numpy as np
import pytest
from plotted_models import convnet, images, mlp, tagger, walks

from fastnn import MLPClassifier, ModularClassifier, Perceptron
from fastnn.plot import ActivationsDisplay, LossCurveDisplay, NetworkDisplay, PerceptronDisplay, WeightsDisplay

pytest.importorskip("pytest_mpl")
MADE_WITH = "3.11"  # other versions of matplotlib draw texts in other ways
pytestmark = pytest.mark.skipif(
    not matplotlib.__version__.startswith(f"{MADE_WITH}."), reason=f"the pictures are those of matplotlib {MADE_WITH}"
)


def picture(test):
    """A test that returns a figure, which is compared with that of its name."""
    name = test.__name__.removeprefix("test_")
    how = {"style": "default", "savefig_kwargs": {"dpi": 80}, "filename": f"{name}.png", "tolerance": 4}
    return pytest.mark.mpl_image_compare(**how)(test)


def curve(start, rate, n_epochs, noise=0.0, seed=0):
    fall = start * np.exp(-rate * np.arange(n_epochs)) + 0.05
    return fall * (1 + noise * np.random.default_rng(seed).normal(size=n_epochs))


@picture
def test_loss_of_one_model():
    losses, held_out = curve(2.3, 0.12, 40), curve(2.2, 0.14, 40, 0.04) + 0.004 * np.arange(40)
    best = int(held_out.argmin()) + 1
    display = LossCurveDisplay(
        {"MLPClassifier": losses},
        validation_losses={"MLPClassifier": held_out},
        best_epochs={"MLPClassifier": best},
        loss_name="log-loss",
    )
    return display.plot().figure_


@picture
def test_loss_of_several_models():
    rates = {"alpha=0.0001": 0.08, "alpha=0.01": 0.2, "alpha=1": 0.5}
    lengths = dict(zip(rates, (50, 40, 20), strict=True))
    scores = {name: 0.97 - curve(0.9, rate, lengths[name], 0.05) / 3 for name, rate in rates.items()}
    display = LossCurveDisplay(
        {name: curve(2.3, rate, lengths[name]) for name, rate in rates.items()},
        validation_scores=scores,
        best_epochs={name: int(each.argmax()) + 1 for name, each in scores.items()},
        loss_name="log-loss",
        score_name="accuracy",
    )
    return display.plot(validation="score", log_scale=True).figure_


@picture
def test_weights_of_units():
    return WeightsDisplay.from_estimator(mlp(), image_shape=(8, 8)).figure_


@picture
def test_weights_of_classes():
    model = mlp(sizes=(64, 10))
    return WeightsDisplay.from_estimator(model, image_shape=(8, 8)).figure_


@picture
def test_weights_of_filters():
    kernel = np.random.default_rng(0).normal(size=(12, 3, 5, 5))
    return WeightsDisplay(images=kernel, name="0 Conv2D(12, 5)", unit="filter", channel="input channel").plot().figure_


@picture
def test_weights_as_histograms():
    return WeightsDisplay.from_estimator(convnet(), kind="histograms").figure_


@picture
def test_network_of_layers():
    return NetworkDisplay.from_estimator(convnet()).figure_


@picture
def test_network_of_modules():
    X, y = np.random.default_rng(0).normal(size=(40, 64)), np.arange(40) % 4
    short = MLPClassifier((16,), max_iter=1, random_state=0, solver="lbfgs", tol=1e9)
    modules = [("left", short, slice(0, 32)), ("right", short, slice(32, 64)), ("parity", short, [0, 1, 2, 5, 9])]
    with np.errstate(all="ignore"):
        model = ModularClassifier(modules, targets={"parity": lambda y: y % 2}, combine=short, cv=2).fit(X, y)
    return NetworkDisplay.from_estimator(model).figure_


@picture
def test_activations_of_images():
    return ActivationsDisplay.from_estimator(convnet(), images()).figure_


@picture
def test_activations_of_a_sequence():
    return ActivationsDisplay.from_estimator(tagger(), walks(), sample=1).figure_


def plane(n_samples, gap):
    """Samples of two classes with a gap between them, or, where it is negative, an overlap."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_samples, 2))
    X = X[np.abs(X @ [0.5, 1] - 0.2) > gap]
    return X, np.where(X @ [0.5, 1] > 0.2, "above", "below")


@picture
def test_perceptron_with_a_margin():
    X, y = plane(80, 0.15)
    return PerceptronDisplay.from_estimator(Perceptron(random_state=0).fit(X, y), X, y, history=True).figure_


@picture
def test_perceptron_of_three_classes():
    rng = np.random.default_rng(0)
    y = np.repeat(["east", "north", "west"], 25)
    centres = {"east": (2, 0), "north": (0, 2), "west": (-2, 0)}
    X = np.array([centres[label] for label in y]) + rng.normal(0, 0.75, (75, 2))
    model = Perceptron(average=True, random_state=0).fit(X, y)
    return PerceptronDisplay.from_estimator(model, X, y).figure_
