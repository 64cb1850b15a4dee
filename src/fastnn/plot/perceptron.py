"""How a perceptron separates the samples of two features: its lines, its margin and its mistakes."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from fastnn.data.quoted import quoted
from fastnn.estimators.perceptron import Perceptron
from fastnn.plot.display import COLOURS, DARK, LIGHT, MARKERS, Display, font_size, panel, without_frame
from fastnn.plot.reading import checked_model

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Self

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

    from fastnn.typing import SamplesLike

_RESOLUTION = 300  # of the regions, along each axis


class PerceptronDisplay(Display):
    # From tools/docstrings: <axes and figure>
    """A perceptron of two features: the samples, the line of each unit, the margin, and the mistakes by epoch.

    `from_estimator` makes it of a fitted perceptron. A sample on the wrong side has a ring. If the line of two classes
    separates them, the dashed lines beside it are the margin: they go through the samples that are closest to it. The
    mistakes are `n_mistakes_`, which each fit counts: the updates of each epoch.

    Parameters
    ----------
    X : array-like of shape (n_samples, 2)
        The samples.
    y : array-like of shape (n_samples,)
        Their labels.
    coef : array-like of shape (n_units, 2)
        The weights of each unit.
    intercept : array-like of shape (n_units,)
        The intercepts.
    classes : array-like of shape (n_classes,)
        The labels, sorted.
    mistakes : array-like of shape (n_epochs,), default=()
        The mistakes in each epoch. Without any, only the plane is drawn.
    history : dict of int to (ndarray, ndarray), default=None
        Weights and intercepts after some earlier epochs, by their numbers.
    feature_names : sequence of str, default=("x0", "x1")
        What the features are.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where the picture is.
    figure_ : matplotlib Figure
        The figure that has it.
    plane_ax_ : matplotlib Axes
        Where the plane is.
    mistakes_ax_ : matplotlib Axes or None
        Where the mistakes are.
    lines_ : list of matplotlib AxLine
        The line of each unit that has one.
    margin_ : float or None
        The distance of the closest sample from the line; None where it does not separate two classes.
    margin_lines_ : list of matplotlib AxLine
        The two lines at this distance.
    history_lines_ : dict of int to list of matplotlib AxLine
        The lines after earlier epochs.
    points_ : dict of object to matplotlib PathCollection
        The samples of each class.
    wrong_ : matplotlib PathCollection
        The rings around samples on the wrong side.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn import Perceptron
    >>> from fastnn.plot import PerceptronDisplay
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(80, 2))
    >>> X = X[np.abs(X @ [0.5, 1]) > 0.15]
    >>> y = np.where(X @ [0.5, 1] > 0, "above", "below")
    >>> model = Perceptron(random_state=0).fit(X, y)
    >>> display = PerceptronDisplay.from_estimator(model, X, y, history=True)
    >>> display.margin_ > 0, min(display.history_lines_)
    (True, 1)
    """

    def __init__(
        self,
        X: ArrayLike,
        y: ArrayLike,
        coef: ArrayLike,
        intercept: ArrayLike,
        classes: ArrayLike,
        *,
        mistakes: Sequence[int] | NDArray[np.integer[Any]] = (),
        history: Mapping[int, tuple[NDArray[Any], NDArray[Any]]] | None = None,
        feature_names: Sequence[str] = ("x0", "x1"),
    ) -> None:
        self.X = X
        self.y = y
        self.coef = coef
        self.intercept = intercept
        self.classes = classes
        self.mistakes = mistakes
        self.history = history
        self.feature_names = feature_names

    @classmethod
    def from_estimator(
        cls,
        estimator: Perceptron,
        X: SamplesLike,
        y: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        history: bool = False,
        mistakes: bool = True,
        ax: Axes | None = None,
    ) -> Self:
        # From tools/docstrings: <ax>, <raises of displays>
        """Draw a fitted perceptron of two features.

        Parameters
        ----------
        estimator : Perceptron
            A fitted perceptron of fastnn's.
        X : array-like or sparse matrix of shape (n_samples, 2)
            Samples to draw, such as those that it learnt from.
        y : array-like of shape (n_samples,)
            Their labels.
        sample_weight : array-like of shape (n_samples,), default=None
            What `fit` was given, if there is to be a history.
        history : bool, default=False
            Whether to draw the lines after epochs 1, 2, 4, 8, ..., too: clones are fitted to X and y with these
            `max_iter`, which together takes at most twice as long as the fit. They are left out where the clones do not
            learn what the perceptron has learnt, since it saw other samples, or was fitted by several calls.
        mistakes : bool, default=True
            Whether to draw the mistakes by epoch.
        ax : matplotlib Axes, default=None
            Where to draw. None: in a new figure.

        Returns
        -------
        display : PerceptronDisplay
            The picture.

        Raises
        ------
        NotFittedError
            Before the model is fitted.
        TypeError
            For an estimator of another kind.
        ImportError
            Without matplotlib.
        ValueError
            For a perceptron of more or fewer than two features, and for labels that it does not know.
        """
        cls._needs_matplotlib("from_estimator")
        model = checked_model(estimator, (Perceptron,))
        if model.n_features_in_ != 2:
            raise ValueError(f"estimator must have been fitted to 2 features, got {model.n_features_in_}")
        model.decision_function(X)  # which refuses an X that it cannot read
        labels = np.asarray(y)
        unknown = np.setdiff1d(labels, model.classes_)
        if len(unknown):
            raise ValueError(
                f"y must have labels of classes_, {quoted(model.classes_, str)}, got {quoted(unknown.tolist())} besides"
            )
        plain = np.asarray(X.toarray() if sp.issparse(X) else X, dtype=float)
        if labels.shape != (len(plain),):
            raise ValueError(f"y must have shape ({len(plain)},), as X has rows, got {labels.shape}")
        display = cls(
            plain,
            labels,
            model.coef_.toarray() if sp.issparse(model.coef_) else model.coef_,
            model.intercept_,
            model.classes_,
            mistakes=model.n_mistakes_ if mistakes else (),
            history=_history(model, X, y, sample_weight) if history else None,
            feature_names=tuple(map(str, getattr(model, "feature_names_in_", ("x0", "x1")))),
        )
        return display.plot(ax)

    def plot(self, ax: Axes | None = None) -> Self:
        # From tools/docstrings: <ax>
        """Draw the plane, and the mistakes beside it.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None: in a new figure.

        Returns
        -------
        self : PerceptronDisplay
            The picture.
        """
        has_mistakes = len(self.mistakes) > 0
        ax = self._draw_on(ax, (8.4, 4.4) if has_mistakes else (5.4, 4.6))
        self.plane_ax_, self.mistakes_ax_ = ax, None
        if has_mistakes:
            ax.set_axis_off()
            self.plane_ax_ = panel(ax, 0, 0, 0.58, 1)
            self.mistakes_ax_ = panel(ax, 0.7, 0, 0.3, 1)
            self._draw_mistakes(self.mistakes_ax_)
        self._draw_plane(self.plane_ax_)
        return self

    # -- the plane ----------------------------------------------------------------------------------------------------

    def _draw_plane(self, ax):
        X, y = np.asarray(self.X, dtype=float), np.asarray(self.y)
        coef, intercept = np.asarray(self.coef, dtype=float), np.asarray(self.intercept, dtype=float)
        low, high = X.min(axis=0), X.max(axis=0)
        pad = np.where(high > low, 0.08 * (high - low), 1.0)
        (left, bottom), (right, top) = low - pad, high + pad
        ax.set(xlim=(left, right), ylim=(bottom, top), xlabel=self.feature_names[0], ylabel=self.feature_names[1])
        self._draw_regions(ax, (left, right, bottom, top), coef, intercept)
        self.history_lines_ = {}
        history = self.history or {}
        for grey, (epoch, weights) in zip(np.linspace(0.72, 0.4, len(history)), history.items(), strict=True):
            self.history_lines_[epoch] = self._draw_lines(ax, *weights, color=str(grey), lw=1)  # later ones are darker
        self.lines_ = self._draw_lines(ax, coef, intercept, color="black", lw=2)
        scores = X @ coef.T + intercept
        self._draw_margin(ax, coef, intercept, scores, y)
        self._draw_points(ax, X, y, scores)

    def _draw_regions(self, ax, extent, coef, intercept):
        """The region of each class, lightly shaded."""
        left, right, bottom, top = extent
        xs, ys = np.linspace(left, right, _RESOLUTION), np.linspace(bottom, top, _RESOLUTION)
        grid = np.stack(np.meshgrid(xs, ys), axis=-1)
        codes = _codes(grid @ coef.T + intercept)
        shades = np.linspace(1.0, 0.88, len(self.classes))[codes]
        ax.imshow(shades, extent=extent, origin="lower", cmap="gray", vmin=0, vmax=1, aspect="auto", zorder=0)

    def _draw_lines(self, ax, coef, intercept, **how):
        """The line on which each unit is undecided; a unit whose weights are all 0 has no line."""
        lines = []
        for (a, b), c in zip(coef, intercept, strict=True):
            norm = np.hypot(a, b)
            if norm > 0:
                point = -c / norm * np.array([a, b]) / norm
                lines.append(ax.axline(point, point + np.array([-b, a]) / norm, zorder=2, **how))
        return lines

    def _draw_margin(self, ax, coef, intercept, scores, y):
        self.margin_, self.margin_lines_ = None, []
        norm = np.hypot(*coef[0])
        if len(self.classes) > 2 or norm == 0:
            return
        distance = float((np.where(y == self.classes[1], 1, -1) * scores[:, 0]).min() / norm)
        if distance > 0:
            self.margin_ = distance
            for side in (-1, 1):
                self.margin_lines_ += self._draw_lines(
                    ax, coef, intercept + side * distance * norm, color="black", lw=1, ls=(0, (4, 3))
                )

    def _draw_points(self, ax, X, y, scores):
        self.points_ = {}
        for i, label in enumerate(self.classes):
            self.points_[label] = ax.scatter(
                *X[y == label].T,
                s=30,
                marker=MARKERS[i % len(MARKERS)],
                color=COLOURS[i % len(COLOURS)],
                edgecolor="white",
                lw=0.6,
                label=str(label),
                zorder=3,
            )
        wrong = np.asarray(self.classes)[_codes(scores)] != y
        self.wrong_ = ax.scatter(*X[wrong].T, s=110, facecolor="none", edgecolor="black", lw=1.2, zorder=4)
        if wrong.any():
            self.wrong_.set_label(f"wrong: {wrong.sum()}")
        handles, labels = ax.get_legend_handles_labels()
        for lines, text in (
            (self.lines_, "line" if len(self.lines_) == 1 else "lines"),
            (self.margin_lines_, "" if self.margin_ is None else f"margin: {self.margin_:.2g}"),
            (next(iter(self.history_lines_.values()), ()), f"after epoch {', '.join(map(str, self.history_lines_))}"),
        ):
            handles, labels = handles + list(lines[:1]), labels + [text] * len(lines[:1])
        how = {"frameon": False, "fontsize": font_size(0.9), "handlelength": 1.8, "columnspacing": 1.2}
        ax.legend(handles, labels, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2, ncols=3, **how)

    # -- the mistakes -------------------------------------------------------------------------------------------------

    def _draw_mistakes(self, ax):
        from matplotlib.ticker import MaxNLocator

        epochs = np.arange(1, len(self.mistakes) + 1)
        if len(epochs) <= 40:
            ax.bar(epochs, self.mistakes, color=DARK, width=0.8)
        else:
            ax.stairs(self.mistakes, np.arange(len(epochs) + 1) + 0.5, fill=True, color=DARK)
        ax.set(xlabel="epoch", ylabel="mistakes", xlim=(0.4, max(len(epochs), 5) + 0.6))
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_locator(MaxNLocator(5, integer=True))
        ax.grid(axis="y", lw=0.6, color=LIGHT)
        ax.set_axisbelow(True)
        without_frame(ax)


def _codes(scores):
    """The number of the class for each of the units' outputs."""
    return (scores[..., 0] > 0).astype(int) if scores.shape[-1] == 1 else scores.argmax(axis=-1)


def _history(model, X, y, sample_weight):
    """The weights after earlier epochs, by the epochs' numbers; None where a fit to X and y leads to other weights.

    A fit with a smaller `max_iter` is the beginning of a longer one: `random_state` gives the same orders of samples.
    """
    epochs = [2**i for i in range(model.n_iter_.bit_length()) if 2**i < model.n_iter_]
    history = {}
    for epoch in [*epochs, model.n_iter_]:
        fitted = clone(model).set_params(max_iter=epoch, verbose=0, warm_start=False)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            fitted.fit(X, y, sample_weight=sample_weight)
        history[epoch] = fitted.coef_, fitted.intercept_
    coef, intercept = history.pop(model.n_iter_)
    is_same = np.array_equal(coef, model.coef_) and np.array_equal(intercept, model.intercept_)
    return history if is_same else None
