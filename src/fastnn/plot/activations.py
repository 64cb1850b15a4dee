"""What each layer of a model makes of a sample."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fastnn.plot.display import COLOUR_MAP, Display, font_size, panel, shortened
from fastnn.plot.outputs import activations_of, input_of_sample, one_sample
from fastnn.plot.pictures import Picture
from fastnn.plot.reading import checked_model, shape_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Self

    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.image import AxesImage
    from numpy.typing import ArrayLike

    from fastnn.typing import SamplesLike

_TEXTS, _PICTURES = 2.2, 5.0  # the widths in inches of what stands on the left and on the right


class ActivationsDisplay(Display):
    # From tools/docstrings: <axes and figure>
    """What each layer of a model makes of one sample: maps as images, sequences as heat maps, vectors as bars.

    `from_estimator` makes it of a fitted model. The layers stand one below the other, from X to the answer, with the
    shape of what each makes and its least and largest number. `Dropout` is left out, since it does nothing in
    predictions. Of a modular network, the outputs of its modules are drawn, and what becomes of them.

    Parameters
    ----------
    activations : dict of str to array-like
        By their names: maps (height, width, channels), sequences (n_steps, channels), vectors (n,).
    labels : dict of str to list of str, default=None
        Texts for the numbers of vectors and for the channels of sequences, such as classes.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where the picture is.
    figure_ : matplotlib Figure
        The figure that has it.
    axes_ : dict of str to matplotlib Axes
        The Axes of each picture.
    images_ : dict of str to matplotlib AxesImage
        The images of maps and sequences.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from fastnn import SequentialClassifier
    >>> from fastnn.layers import Conv2D, Dense, MaxPooling2D
    >>> from fastnn.plot import ActivationsDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> X = X.reshape(-1, 8, 8) / 16
    >>> model = SequentialClassifier([Conv2D(8, 3), MaxPooling2D(), Dense(16)], tol=0.01, random_state=0).fit(X, y)
    >>> display = ActivationsDisplay.from_estimator(model, X, sample=3)
    >>> {name: values.shape for name, values in display.activations.items()}
    {'X': (8, 8, 1), '0 Conv2D(8, 3)': (6, 6, 8), '1 MaxPooling2D()': (3, 3, 8), '2 Dense(16)': (16,), 'output': (10,)}
    """

    axes_: dict[str, Axes]
    images_: dict[str, AxesImage]

    def __init__(
        self, activations: Mapping[str, ArrayLike], *, labels: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        self.activations = activations
        self.labels = labels

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: SamplesLike,
        *,
        sample: int = 0,
        image_shape: tuple[int, ...] | None = None,
        cmap: str | Colormap | None = None,
        ax: Axes | None = None,
    ) -> Self:
        # From tools/docstrings: <any estimator>, <image_shape>, <cmap>, <ax>, <raises of displays>
        """Draw what a fitted model makes of a sample.

        Parameters
        ----------
        estimator : estimator
            Any of fastnn's.
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Samples, as `predict` takes them.
        sample : int, default=0
            The number of the sample in X.
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
        display : ActivationsDisplay
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
            For an X that `predict` refuses, too.
        """
        cls._needs_matplotlib("from_estimator")
        model = checked_model(estimator)
        X = one_sample(X, sample)
        activations, labels = activations_of(model, X)
        display = cls({"X": input_of_sample(model, X, image_shape), **activations}, labels=labels)
        return display.plot(ax, cmap=cmap)

    def plot(self, ax: Axes | None = None, *, cmap: str | Colormap | None = None) -> Self:
        # From tools/docstrings: <ax>, <cmap>
        """Draw what the layers make.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None: in a new figure.
        cmap : str or matplotlib Colormap, default=None
            The colours of images. None is "cividis", whose brightness grows with the numbers, so that the picture can
            be printed in black and white.

        Returns
        -------
        self : ActivationsDisplay
            The picture.
        """
        activations = {name: np.asarray(values, dtype=float) for name, values in self.activations.items()}
        self.axes_, self.images_ = {}, {}
        labels = self.labels or {}
        pictures = {name: Picture(values, labels.get(name), _PICTURES) for name, values in activations.items()}
        height = sum(picture.height + picture.foot for picture in pictures.values()) + 0.1
        width = _TEXTS + _PICTURES
        ax = self._draw_on(ax, (width, height))
        ax.set_axis_off()
        top = height
        for name, picture in pictures.items():
            bottom = top - picture.height
            inner = panel(ax, _TEXTS / width, bottom / height, _PICTURES / width, picture.height / height)
            self.axes_[name] = inner
            self._describe(name, picture, (bottom + picture.height / 2) / height, 0.17 / height)
            image = picture.draw(inner, COLOUR_MAP if cmap is None else cmap)
            if image is not None:
                self.images_[name] = image
            top = bottom - picture.foot
        self._settle_layout()
        return self

    def _describe(self, name, picture, y, line):
        """Write on the left what it is, its shape, and its least and largest number."""
        size, values, width = font_size(0.85), picture.values, _TEXTS - 0.5
        layer, _, settings = name.partition("(")
        finite = values[np.isfinite(values)]
        span = f"{finite.min():.3g} to {finite.max():.3g}".replace("-", "\u2212") if finite.size else ""
        settings = settings.removesuffix(")")
        lines = [text for text in (settings, shape_text(values.shape), picture.note(), span) if text]
        y += line * len(lines) / 2
        for i, text in enumerate([layer, *lines]):
            weight = "normal" if i else "bold"
            text = shortened(text, width, size, weight)
            self.ax_.text(
                0, y - i * line, text, transform=self.ax_.transAxes, va="center", fontsize=size, weight=weight
            )
