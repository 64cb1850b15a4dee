"""The data in pictures of perceptrons."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal

from fastnn import Perceptron
from fastnn.plot import PerceptronDisplay

pytestmark = pytest.mark.filterwarnings("ignore:The perceptron could not separate")


def separable(rng, gap=0.2):
    X = rng.normal(size=(60, 2))
    X = X[np.abs(X @ [0.6, 0.8]) > gap]
    return X, np.where(X @ [0.6, 0.8] > 0, "yes", "no")


def draw(*arguments, **settings):
    return PerceptronDisplay.from_estimator(*arguments, **settings)


def distance_of(line, points):
    """The distances of points from a line that is drawn."""
    (x, y), (dx, dy) = line.get_xy1(), np.subtract(line.get_xy2(), line.get_xy1())
    return np.abs((points[:, 0] - x) * dy - (points[:, 1] - y) * dx) / np.hypot(dx, dy)


def test_the_line_and_the_margin(rng):
    X, y = separable(rng)
    model = Perceptron(random_state=0).fit(X, y)
    display = draw(model, X, y)
    (line,) = display.lines_
    distances = np.abs(model.decision_function(X)) / np.linalg.norm(model.coef_)
    assert_allclose(distance_of(line, X), distances)
    assert display.margin_ == pytest.approx(distances.min())
    for side in display.margin_lines_:
        assert_allclose(distance_of(side, X[distances.argmin()][None]).min() % (2 * display.margin_), 0, atol=1e-9)
    assert len(display.wrong_.get_offsets()) == 0
    legend = [text.get_text() for text in display.plane_ax_.get_legend().get_texts()]
    assert legend == ["no", "yes", "line", f"margin: {display.margin_:.2g}"]


def test_the_samples(rng):
    X, y = separable(rng)
    wrong = y.copy()
    wrong[:3] = np.where(y[:3] == "yes", "no", "yes")
    display = draw(Perceptron(random_state=0).fit(X, y), X, wrong)
    for label, points in display.points_.items():
        assert_array_equal(points.get_offsets(), X[wrong == label])
    assert_array_equal(display.wrong_.get_offsets(), X[:3])
    assert (display.margin_, display.margin_lines_) == (None, [])
    assert "wrong: 3" in [text.get_text() for text in display.plane_ax_.get_legend().get_texts()]
    markers = [points.get_paths()[0].vertices.shape for points in display.points_.values()]
    assert markers[0] != markers[1]  # which are told apart in black and white


def test_the_mistakes(rng):
    X = rng.normal(size=(60, 2))
    model = Perceptron(max_iter=9, tol=None).fit(X, np.arange(60) % 2)
    display = draw(model, X, np.arange(60) % 2)
    assert_array_equal([bar.get_height() for bar in display.mistakes_ax_.patches], model.n_mistakes_)
    assert (display.mistakes_ax_.get_xlabel(), display.mistakes_ax_.get_ylabel()) == ("epoch", "mistakes")
    long = Perceptron(max_iter=90, tol=None).fit(X, np.arange(60) % 2)
    display = draw(long, X, np.arange(60) % 2)
    assert_array_equal(display.mistakes_ax_.patches[0].get_data().values, long.n_mistakes_)
    without = draw(model, X, np.arange(60) % 2, mistakes=False)
    assert without.mistakes_ax_ is None
    assert without.plane_ax_ is without.ax_


@pytest.mark.parametrize("parameters", [{}, {"average": True}, {"penalty": "l2"}, {"early_stopping": True}])
def test_earlier_epochs(parameters, rng):
    """The lines of a fit's own epochs: each is that of a fit that ended there."""
    X, y = rng.normal(size=(60, 2)).astype(np.float32), np.arange(60) % 2
    weights = rng.uniform(0.5, 2, 60)
    model = Perceptron(max_iter=6, tol=None, random_state=3, **parameters).fit(X, y, sample_weight=weights)
    display = draw(model, X, y, sample_weight=weights, history=True)
    assert list(display.history_lines_) == [1, 2, 4]
    for epoch, (coef, intercept) in display.history.items():
        shorter = Perceptron(max_iter=epoch, tol=None, random_state=3, **parameters).fit(X, y, sample_weight=weights)
        assert_array_equal(coef, shorter.coef_)
        assert_array_equal(intercept, shorter.intercept_)
    assert draw(model, X, y).history is None
    assert "after epoch 1, 2, 4" in [text.get_text() for text in display.plane_ax_.get_legend().get_texts()]


def test_no_history_of_other_samples_or_several_calls(rng):
    X, y = rng.normal(size=(60, 2)), np.arange(60) % 2
    model = Perceptron(max_iter=6, tol=None).fit(X, y)
    assert draw(model, X[:50], y[:50], history=True).history is None
    model.partial_fit(X, y)
    display = draw(model, X, y, history=True)
    assert display.history is None
    assert len(display.mistakes) == 1  # of the last call
    assert draw(Perceptron(max_iter=1, tol=None).fit(X, y), X, y, history=True).history == {}


def test_three_classes(rng):
    X, y = rng.normal(size=(60, 2)), np.arange(60) % 3
    model = Perceptron(max_iter=5, tol=None).fit(X, y)
    display = draw(model, X, y)
    assert len(display.lines_) == 3
    assert list(display.points_) == [0, 1, 2]
    assert_array_equal(display.wrong_.get_offsets(), X[model.predict(X) != y])
    shades = display.plane_ax_.images[0]
    left, right, bottom, top = shades.get_extent()
    corners = [[left, bottom], [right, bottom], [left, top], [right, top]]
    of_classes = np.linspace(1, 0.88, 3)[model.predict(corners)]
    assert_allclose(np.ravel(shades.get_array()[[0, 0, -1, -1], [0, -1, 0, -1]]), of_classes)


def test_frames_sparse_samples_and_sparse_weights(rng):
    X, y = separable(rng)
    model = Perceptron().fit(X, y)
    expected = draw(model, X, y).margin_
    display = draw(model.sparsify(), sp.csr_matrix(X), list(y))
    assert display.margin_ == pytest.approx(expected)
    assert_array_equal(display.X, X)
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=["length", "width"])
    display = draw(Perceptron().fit(frame, y), frame, pandas.Series(y), history=True)
    assert (display.plane_ax_.get_xlabel(), display.plane_ax_.get_ylabel()) == ("length", "width")


def test_a_perceptron_that_has_not_moved():
    """Weights of 0 have no line."""
    X, y = np.zeros((4, 2)), np.arange(4) % 2
    display = draw(Perceptron(max_iter=1, tol=None, fit_intercept=False).fit(X, y), X, y)
    assert (display.lines_, display.margin_) == ([], None)


def test_what_is_refused(rng):
    X, y = separable(rng)
    model = Perceptron().fit(X, y)
    with pytest.raises(ValueError, match="estimator must have been fitted to 2 features, got 3"):
        draw(Perceptron().fit(np.c_[X, X[:, 0]], y), X, y)
    with pytest.raises(ValueError, match=r"y must have labels of classes_, .*, got \['maybe'\] besides"):
        draw(model, X, ["maybe", *y[1:]])
    with pytest.raises(ValueError, match=r"y must have shape \(\d+,\), as X has rows, got \(5,\)"):
        draw(model, X, y[:5])
    with pytest.raises(ValueError, match="X has 3 features, but Perceptron is expecting 2"):
        draw(model, np.c_[X, X[:, 0]], y)
