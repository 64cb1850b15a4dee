"""What a model has learnt: the weights of a layer as images, or those of all layers as histograms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fastnn.data.quoted import quoted
from fastnn.estimators.modular import BaseModular
from fastnn.plot.display import COLOUR_MAP, DARK, MIDDLE, Display, font_size, panel, shortened, without_frame
from fastnn.plot.images import grid_of, limits_of
from fastnn.plot.kernels import images_of, weights_of
from fastnn.plot.reading import checked_model

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Literal, Self

    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from numpy.typing import ArrayLike

KINDS = "auto", "images", "histograms"
_MOST_IMAGES = 64
_FEW = 30  # numbers that are drawn one by one, since a histogram of them says little


class WeightsDisplay(Display):
    # From tools/docstrings: <axes and figure>
    """The weights of a model: those of a layer that reads images as images, others as a histogram for each array.

    `from_estimator` makes it of a fitted model. As images, weights of 0 are grey, negative ones are darker and positive
    ones are brighter.

    Parameters
    ----------
    weights : dict of str to dict of str to array-like, default=None
        The weights by their names, for each layer by its name, for histograms.
    images : array-like of shape (n_units, n_channels, height, width), default=None
        Weights to draw as images in place of histograms: one for each unit or filter, and for each channel.
    name : str, default=""
        The layer that the images are of.
    unit : str, default="unit"
        What the first axis of images is.
    channel : str, default="channel"
        What the second axis of images is.
    labels : list of str, default=None
        A text for each unit.
    n_units : int, default=None
        The number of units that the layer has, if `images` are the first of them only.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where the picture is.
    figure_ : matplotlib Figure
        The figure that has it.
    image_ : matplotlib AxesImage or None
        All images, in one.
    colorbar_ : matplotlib Colorbar or None
        What their colours say.
    axes_ : dict of (str, str) to matplotlib Axes
        The Axes of each histogram, by the names of the layer and of its weights.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from fastnn import MLPClassifier
    >>> from fastnn.plot import WeightsDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> model = MLPClassifier((16,), random_state=0, tol=0.01).fit(X / 16, y)
    >>> WeightsDisplay.from_estimator(model, image_shape=(8, 8)).images.shape
    (16, 1, 8, 8)
    >>> list(WeightsDisplay.from_estimator(model).axes_)
    [('0 Dense(16)', 'kernel'), ('0 Dense(16)', 'bias'), ('output', 'kernel'), ('output', 'bias')]
    """

    def __init__(
        self,
        weights: Mapping[str, Mapping[str, ArrayLike]] | None = None,
        *,
        images: ArrayLike | None = None,
        name: str = "",
        unit: str = "unit",
        channel: str = "channel",
        labels: Sequence[str] | None = None,
        n_units: int | None = None,
    ) -> None:
        self.weights = weights
        self.images = images
        self.name = name
        self.unit = unit
        self.channel = channel
        self.labels = labels
        self.n_units = n_units

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        kind: Literal["auto", "images", "histograms"] = "auto",
        layer: int | None = None,
        image_shape: tuple[int, ...] | None = None,
        cmap: str | Colormap | None = None,
        ax: Axes | None = None,
    ) -> Self:
        # From tools/docstrings: <any estimator>, <image_shape>, <cmap>, <ax>, <raises of displays>
        """Draw the weights of a fitted model.

        Parameters
        ----------
        estimator : estimator
            Any of fastnn's.
        kind : {"auto", "images", "histograms"}, default="auto"
            What to draw. "auto" is images if the first layer with weights reads maps, or if `layer` or `image_shape`
            are given, and else histograms.
        layer : int, default=None
            The number of the layer whose weights are drawn as images, as in `weights_`: from 0, and -1 for the output
            layer. None is the first one with weights. Of many units, the first 64 are drawn.
        image_shape : tuple of int, default=None
            (height, width) or (height, width, channels), where the columns of X are the pixels of images. None: as the
            samples were in `fit`, if they had these axes.
        cmap : str or matplotlib Colormap, default=None
            The colours of images. None is "cividis", whose brightness grows with the numbers, so that the picture can
            be printed in black and white.
        ax : matplotlib Axes, default=None
            Where to draw. None: in a new figure.

        Returns
        -------
        display : WeightsDisplay
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
            For weights that are not those of images.
        """
        cls._needs_matplotlib("from_estimator")
        model = checked_model(estimator)
        if kind not in KINDS:
            raise ValueError(f'kind must be "auto", "images" or "histograms", got {quoted(kind)}')
        asked = kind == "images" or layer is not None or image_shape is not None
        if asked and isinstance(model, BaseModular):
            raise ValueError(
                "estimator must be one of the modules, which named_modules_ has, to draw weights as images, got "
                f"{quoted(estimator)}"
            )
        if asked and kind == "histograms":
            raise ValueError('kind must be "auto" or "images" with layer or image_shape, got "histograms"')
        images = None
        if kind != "histograms" and not isinstance(model, BaseModular):
            images = images_of(model, layer, image_shape, asked)
        if images is None:
            weights = weights_of(model)
            if not weights:
                raise ValueError(f"one of the modules must have weights that fastnn knows, got {quoted(estimator)}")
            return cls(weights).plot(ax)
        display = cls(
            images=images.images[:_MOST_IMAGES],
            name=images.name,
            unit=images.unit,
            channel=images.channel,
            labels=images.labels and images.labels[:_MOST_IMAGES],
            n_units=len(images.images),
        )
        return display.plot(ax, cmap=cmap)

    def plot(self, ax: Axes | None = None, *, cmap: str | Colormap | None = None) -> Self:
        # From tools/docstrings: <ax>, <cmap>
        """Draw the weights.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None: in a new figure.
        cmap : str or matplotlib Colormap, default=None
            The colours of images. None is "cividis", whose brightness grows with the numbers, so that the picture can
            be printed in black and white.

        Returns
        -------
        self : WeightsDisplay
            The picture.
        """
        self.image_ = self.colorbar_ = None
        self.axes_ = {}
        if self.images is None:
            self._draw_histograms(ax)
        else:
            self._draw_images(ax, np.asarray(self.images), COLOUR_MAP if cmap is None else cmap)
        return self

    # -- images -------------------------------------------------------------------------------------------------------

    def _draw_images(self, ax, images, cmap):
        n, n_channels = images.shape[:2]
        if n_channels == 1:
            grid, places = grid_of(images[:, 0], aspect=1.4, header=0.0 if self.labels is None else 0.22)
        else:  # a column for each unit, and a row for each of its channels
            grid, places = grid_of(images.swapaxes(0, 1).reshape(-1, *images.shape[2:]), n)
        width = min(7.0, 5.4 * max(1.0, (grid.shape[1] / grid.shape[0]) ** 0.5))
        height = (width - 1.2) * grid.shape[0] / grid.shape[1] + (0.5 if n_channels == 1 else 0.9)
        ax = self._draw_on(ax, (width, min(9.0, max(1.6, height))))
        low, high = limits_of(images)
        self.image_ = ax.imshow(grid, cmap=cmap, vmin=low, vmax=high, interpolation="nearest")
        without_frame(ax, ["top", "right", "bottom", "left"])
        ax.tick_params(length=0, labelsize=font_size(0.9))
        ax.set_title(self._title(n), fontsize=font_size(), loc="left")
        if n_channels > 1:
            self._number_channels(ax, places, n, n_channels)
        elif self.labels is None:
            first_of_rows = np.flatnonzero(places[:, 0] == places[0, 0])
            ax.set_xticks([])
            ax.set_yticks(places[first_of_rows, 1], [str(i) for i in first_of_rows])
        else:
            self._label_units(ax, places, grid.shape[0])
        self.colorbar_ = self.figure_.colorbar(self.image_, cax=panel(ax, 1.02, 0, 0.025, 1), label="weight")
        self.colorbar_.outline.set_visible(False)
        self._settle_layout()

    def _title(self, n):
        """The layer, and how many of its units are drawn."""
        n_units = n if self.n_units is None else self.n_units
        shown = f"{n}" if n == n_units else f"{n} of {n_units}"
        return f"{self.name}: {shown} {self.unit}{'s' if n_units > 1 else ''}"

    def _number_channels(self, ax, places, n, n_channels):
        every, every_channel = -(-n // 16), -(-n_channels // 16)
        ax.set_xticks(places[:n:every, 0], range(0, n, every))
        ax.set_yticks(places[:: n * every_channel, 1], range(0, n_channels, every_channel))
        ax.set(xlabel=self.unit, ylabel=self.channel)

    def _label_units(self, ax, places, n_rows):
        """A text above each image, where the grid has room for it."""
        ax.set(xticks=[], yticks=[])
        half = n_rows - places[-1, 1]
        for (x, y), label in zip(places, self.labels, strict=True):
            ax.text(x, y - half, str(label), ha="center", va="bottom", fontsize=font_size(0.9))

    # -- histograms ---------------------------------------------------------------------------------------------------

    def _draw_histograms(self, ax):
        """A row for each layer, with a panel for each of its arrays."""
        n_rows, n_columns = len(self.weights), max(map(len, self.weights.values()))
        width, row_height, size = 2.2 * n_columns, 1.05, font_size(0.85)
        ax = self._draw_on(ax, (width, row_height * n_rows + 0.1))
        ax.set_axis_off()
        for i, (layer, arrays) in enumerate(self.weights.items()):
            bottom, height = 1 - (i + 1) / n_rows, 1 / n_rows
            title = shortened(layer, width - 0.2, size, "bold")
            ax.text(0, bottom + 0.93 * height, title, transform=ax.transAxes, size=size, weight="bold", va="center")
            for j, (name, values) in enumerate(arrays.items()):
                inner = panel(ax, j / n_columns, bottom + 0.26 * height, 0.92 / n_columns, 0.4 * height)
                self.axes_[layer, name] = inner
                self._draw_histogram(inner, name, np.asarray(values, dtype=float).ravel(), size)

    def _draw_histogram(self, ax, name, values, size):
        from matplotlib.ticker import MaxNLocator

        if values.size < _FEW:
            ax.vlines(values, 0, 1, color=DARK, lw=1.2)
        else:
            counts, edges = np.histogram(values, bins=min(60, int(values.size**0.5) + 4))
            ax.stairs(counts, edges, fill=True, color=MIDDLE)
            ax.stairs(counts, edges, color=DARK, lw=0.8)
        ax.set_ylim(0)
        ax.set_yticks([])
        ax.xaxis.set_major_locator(MaxNLocator(4))
        ax.tick_params(labelsize=size, length=2.5)
        without_frame(ax, ["top", "right", "left"])
        ax.set_title(f"{name}, {values.size:,}, std {values.std():.2g}", fontsize=size, loc="left", pad=2)
