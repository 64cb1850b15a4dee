"""The data in curves of the loss."""

import numpy as np
import pytest
from modular_networks import halves
from plotted_models import mlp
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from fastnn import MLPClassifier, MLPRegressor, ModularClassifier, fit_many
from fastnn.plot import LossCurveDisplay

X, Y = load_digits(return_X_y=True)
X = X / 16
pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
SHORT = {"learning_rate_init": 0.01, "n_iter_no_change": 3, "tol": 0.02, "random_state": 0}


@pytest.fixture(scope="module")
def stopped():
    return MLPClassifier((16,), early_stopping=True, **SHORT).fit(X, Y)


def texts(display):
    return [text.get_text() for text in display.ax_.get_legend().get_texts() if text.get_text()]


def test_training_and_validation_loss(stopped):
    display = LossCurveDisplay.from_estimator(stopped)
    (line,), (held_out,), (best,) = (
        each.values() for each in (display.lines_, display.validation_lines_, display.best_marks_)
    )
    epochs = np.arange(1, stopped.n_iter_ + 1)
    np.testing.assert_array_equal(line.get_xydata(), np.c_[epochs, stopped.loss_curve_])
    np.testing.assert_array_equal(held_out.get_xydata(), np.c_[epochs, stopped.validation_loss_curve_])
    epoch = stopped.best_epoch_
    np.testing.assert_array_equal(best.get_xydata(), [[epoch, stopped.validation_loss_curve_[epoch - 1]]])
    assert (line.get_linestyle(), held_out.get_linestyle()) == ("-", "--")
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("epoch", "log-loss")
    assert texts(display) == ["training loss", "validation loss", f"best epoch: {epoch}"]
    assert display.score_ax_ is None


def test_validation_score(stopped):
    display = LossCurveDisplay.from_estimator(stopped, validation="score", log_scale=True)
    (line,) = display.score_lines_.values()
    np.testing.assert_array_equal(line.get_ydata(), stopped.validation_scores_)
    assert display.validation_lines_ == {}
    assert display.score_ax_.get_ylabel() == "accuracy on samples held out"
    assert display.ax_.get_yscale() == "log"
    assert texts(display)[1] == "validation accuracy"
    both = LossCurveDisplay.from_estimator(stopped, validation="both")
    assert both.validation_lines_.keys() == both.score_lines_.keys() == {"MLPClassifier"}
    both.figure_.canvas.draw()
    assert both.ax_.get_legend().get_window_extent().x1 <= both.figure_.bbox.x1  # all four entries are in the picture
    neither = LossCurveDisplay.from_estimator(stopped, validation=None)
    assert neither.validation_lines_ == neither.score_lines_ == {}
    (mark,) = neither.best_marks_.values()
    assert mark.get_ydata() == [stopped.loss_curve_[stopped.best_epoch_ - 1]]


def test_without_samples_held_out():
    model = MLPRegressor(hidden_layer_sizes=(4,), **SHORT).fit(X, Y)
    display = LossCurveDisplay.from_estimator(model, validation="both")
    assert display.validation_lines_ == display.score_lines_ == {}
    assert display.score_ax_ is None
    assert display.ax_.get_ylabel() == "squared error"


def test_epochs_without_samples_held_out_are_gaps(stopped):
    model = MLPClassifier((16,), early_stopping=True, **SHORT).fit(X, Y)
    n_epochs = model.n_iter_
    display = LossCurveDisplay.from_estimator(model.partial_fit(X, Y), validation="both")
    for lines in (display.validation_lines_, display.score_lines_):
        assert np.isnan(lines["MLPClassifier"].get_ydata()).tolist() == [False] * n_epochs + [True]


@pytest.mark.parametrize(
    ("parameters", "loss", "score"),
    [
        ({"loss": "absolute_error"}, "absolute error", "R²"),
        ({"loss": "quantile", "quantile": [0.1, 0.9]}, "quantile", "D²"),
        ({"scoring": "neg_median_absolute_error"}, "squared error", "neg_median_absolute_error"),
        ({"scoring": lambda model, X, y: 0.5}, "squared error", "<lambda>"),
    ],
)
def test_what_the_axes_are(parameters, loss, score):
    model = MLPRegressor(hidden_layer_sizes=(2,), early_stopping=True, **SHORT, **parameters).fit(X[:100], Y[:100])
    display = LossCurveDisplay.from_estimator(model, validation="score")
    assert (display.ax_.get_ylabel(), display.score_ax_.get_ylabel()) == (loss, f"{score} on samples held out")


def test_several_models_have_names():
    models = fit_many([MLPClassifier((4,), **SHORT | {"alpha": alpha}) for alpha in (0.1, 1.0)], X[:200], Y[:200])
    display = LossCurveDisplay.from_estimator(models)
    assert list(display.lines_) == ["alpha=0.1", "alpha=1.0"]
    lines = list(display.lines_.values())
    assert lines[0].get_marker() != lines[1].get_marker()  # which are told apart in black and white
    assert lines[0].get_color() != lines[1].get_color()
    assert texts(display) == ["alpha=0.1", "alpha=1.0", "training loss", "best epoch"]
    assert list(LossCurveDisplay.from_estimator({"weak": models[0], 2: models[1]}).lines_) == ["weak", "2"]
    same = [models[0], models[0]]
    assert list(LossCurveDisplay.from_estimator(same).lines_) == ["MLPClassifier 0", "MLPClassifier 1"]
    regressor = MLPRegressor(hidden_layer_sizes=(4,), **SHORT).fit(X[:200], Y[:200])
    display = LossCurveDisplay.from_estimator((models[0], regressor))
    assert list(display.lines_) == ["MLPClassifier", "MLPRegressor"]
    assert display.ax_.get_ylabel() == "loss"  # they have different ones


def test_curves_of_modules():
    model = ModularClassifier([*halves(), ("other", LogisticRegression(), slice(0, 9))]).fit(X[:300], Y[:300])
    display = LossCurveDisplay.from_estimator(model)
    assert display.losses == {name: model.named_modules_[name].loss_curve_ for name in ("upper", "lower")}
    assert list(LossCurveDisplay.from_estimator([model]).lines_) == ["upper", "lower"]
    two = LossCurveDisplay.from_estimator({"a": model, "b": model.named_modules_["upper"]})
    assert list(two.lines_) == ["a, upper", "a, lower", "b"]
    nested = ModularClassifier([("inner", model, slice(None))]).fit(X[:300], Y[:300])
    assert list(LossCurveDisplay.from_estimator(nested).lines_) == ["inner, upper", "inner, lower"]


def test_what_has_no_curve():
    with pytest.raises(ValueError, match="the model 'MLPClassifier' must have been trained for at least one epoch"):
        LossCurveDisplay.from_estimator(mlp())
    with pytest.raises(ValueError, match="estimator must be at least one model, got \\[\\]"):
        LossCurveDisplay.from_estimator([])
    model = ModularClassifier([("one", LogisticRegression(), slice(0, 9))]).fit(X[:300], Y[:300])
    with pytest.raises(ValueError, match="one of the modules must be a network of fastnn, got"):
        LossCurveDisplay.from_estimator(model)
    with pytest.raises(TypeError, match=r"estimator must be an MLPClassifier, .* got 'abc'"):
        LossCurveDisplay.from_estimator({"a": "abc"})
    with pytest.raises(ValueError, match='validation must be "loss", "score", "both" or None, got \'accuracy\''):
        LossCurveDisplay({"a": [1]}).plot(validation="accuracy")
