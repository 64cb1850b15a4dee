"""Pictures of what a layer makes of a sample, whatever shape that has."""

import numpy as np

from fastnn.plot.display import DARK, MIDDLE, font_size, without_frame
from fastnn.plot.images import grid_of, limits_of

_MOST_CHANNELS = 64  # of a map: more would be too small to see anything in
_FEW = 40  # numbers of a vector that are drawn as bars of their own


class Picture:
    """A picture of an array.

    Parameters
    ----------
    values : ndarray
        A map (height, width, channels), a sequence (n_steps, channels) or a vector (n,).
    labels : list of str or None
        Texts for its numbers, or for its channels.
    width : float
        The width that it has, in inches.

    Attributes
    ----------
    height, foot : float
        The height that it needs, and that of what is written below it, in inches.
    """

    def __init__(self, values, labels, width):
        n = values.shape[-1]
        self.values, self.labels = values, labels if labels is not None and len(labels) == n else None
        self.foot = 0.36
        if values.ndim == 3:
            shown = np.moveaxis(values, 2, 0)[:_MOST_CHANNELS]
            self.grid, self.places = grid_of(shown, aspect=width / 1.5)
            self.height = min(1.5, width * self.grid.shape[0] / self.grid.shape[1])
            self.foot = 0.2
        elif values.ndim == 2:
            self.height = 0.6 if n == 1 else min(1.5, max(0.6, 0.11 * n))
        else:
            self.height = 0.6
            self.is_slanted = self.labels is not None and sum(map(len, self.labels)) * 0.09 > width
            if self.is_slanted:
                self.foot += 0.35

    def note(self):
        """The shape in full where not all of it is drawn; empty elsewhere."""
        if self.values.ndim == 3 and self.values.shape[2] > _MOST_CHANNELS:
            return f"the first {_MOST_CHANNELS} channels"
        return ""

    def draw(self, ax, cmap):
        """Draw it. Returns the image, if it is one."""
        ax.tick_params(labelsize=font_size(0.8), length=2.5)
        if self.values.ndim == 3:
            return self._draw_map(ax, cmap)
        if self.values.ndim == 2 and self.values.shape[1] > 1:
            return self._draw_sequence(ax, cmap)
        without_frame(ax)
        if self.values.ndim == 2:
            self._draw_series(ax)
        elif self.labels is not None or self.values.size <= _FEW:
            self._draw_bars(ax)
        else:
            ax.stairs(self.values, np.arange(self.values.size + 1) - 0.5, fill=True, color=DARK)
            ax.set_xlim(-0.5, self.values.size - 0.5)
        self._number(ax)
        return None

    def _draw_map(self, ax, cmap):
        low, high = limits_of(self.values)
        image = ax.imshow(self.grid, cmap=cmap, vmin=low, vmax=high, interpolation="nearest")
        ax.set(xticks=[], yticks=[], anchor="W")
        without_frame(ax, ["top", "right", "bottom", "left"])
        return image

    def _draw_sequence(self, ax, cmap):
        """A row for each channel, a column for each step."""
        from matplotlib.ticker import MaxNLocator

        low, high = limits_of(self.values)
        image = ax.imshow(self.values.T, cmap=cmap, vmin=low, vmax=high, interpolation="nearest", aspect="auto")
        ax.xaxis.set_major_locator(MaxNLocator(10, integer=True))
        if self.labels is not None and len(self.labels) <= 12:
            ax.set_yticks(range(len(self.labels)), self.labels)
        else:
            ax.yaxis.set_major_locator(MaxNLocator(4, integer=True))
        without_frame(ax, ["top", "right", "bottom", "left"])
        return image

    def _draw_series(self, ax):
        ax.plot(self.values[:, 0], color=DARK, lw=1.4, marker="o", ms=2.5)

    def _draw_bars(self, ax):
        """A bar for each number; of those with labels, the largest is the answer."""
        n = self.values.size
        largest = int(np.argmax(self.values)) if self.labels is not None and n > 1 else None
        colours = [DARK if largest in (None, i) else MIDDLE for i in range(n)]
        ax.bar(range(n), self.values, width=0.8, color=colours)
        ax.set_xlim(-0.6, max(n, 8) - 0.4)
        if largest is not None:
            ax.annotate(
                f"{self.values[largest]:.3g}",
                (largest, self.values[largest]),
                (0, 1.5),
                textcoords="offset points",
                ha="center",
                va="bottom" if self.values[largest] >= 0 else "top",
                fontsize=font_size(0.8),
            )
        if self.labels is not None:
            how = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"} if self.is_slanted else {}
            ax.set_xticks(range(n), self.labels, **how)

    def _number(self, ax):
        from matplotlib.ticker import MaxNLocator

        ax.axhline(0, color="black", lw=0.8)
        ax.yaxis.set_major_locator(MaxNLocator(2))
        if self.labels is None or self.values.ndim == 2:
            ax.xaxis.set_major_locator(MaxNLocator(10, integer=True))
