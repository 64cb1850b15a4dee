"""What all displays share: matplotlib, which is imported when a picture is drawn, an Axes, and a look."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastnn.data.quoted import quoted
from fastnn.runtime.installation import DISTRIBUTION

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Colours for several curves (Okabe and Ito's, without yellow), which colour-blind readers tell apart; the markers and
# the lines tell them apart in black and white.
COLOURS = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000"
MARKERS = "o", "s", "^", "D", "v", "P", "X", "<"
DARK, MIDDLE, LIGHT = "#1f3d5c", "#6b7f94", "#dfe7ef"
_ROUNDING = 1.08
# The brightness of this map grows evenly; where numbers have signs, its grey middle is 0.
COLOUR_MAP = "cividis"


class Display:
    """A picture of a model: the data, and how they are drawn."""

    ax_: Axes
    figure_: Figure

    @classmethod
    def _needs_matplotlib(cls, method):
        """Refuse a call without matplotlib, before anything is computed.

        Raises
        ------
        ImportError
        """
        try:
            import matplotlib.pyplot  # noqa: F401
        except ImportError as error:
            raise ImportError(
                f"{cls.__name__}.{method} needs matplotlib: pip install '{DISTRIBUTION}[plot]'"
            ) from error

    def _draw_on(self, ax, size):
        """Set `ax_` and `figure_`: the Axes given, or one in a new figure of this size in inches."""
        self._needs_matplotlib("plot")
        import matplotlib.pyplot as plt
        from matplotlib.axes import Axes

        self._owns_figure = ax is None
        if ax is None:
            ax = plt.subplots(figsize=size, layout="constrained")[1]
        elif not isinstance(ax, Axes):
            raise TypeError(f"ax must be an Axes of matplotlib, or None, got {quoted(ax)}")
        self.ax_, self.figure_ = ax, ax.figure
        return ax

    def _settle_layout(self):
        """Lay out the display's own figure: panels move with their Axes, and texts are known to fit after that only."""
        if self._owns_figure:
            for _ in range(2):
                self.figure_.get_layout_engine().execute(self.figure_)


def font_size(scale=1.0):
    """The size of texts in points: the user's, times a factor."""
    import matplotlib

    return scale * matplotlib.font_manager.FontProperties(size=matplotlib.rcParams["font.size"]).get_size_in_points()


def text_width(text, size, weight="normal"):
    """The most width of a text in inches, in the user's font: on a screen, letters are rounded to whole pixels."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    if not text.strip():
        return 0.0
    return TextPath((0, 0), text, prop=FontProperties(weight=weight), size=size).get_extents().x1 / 72 * _ROUNDING


def shortened(text, width, size, weight="normal"):
    """A text that is at most so many inches wide: the end of a longer one is left out."""
    if text_width(text, size, weight) <= width:
        return text
    while text and text_width(f"{text}…", size, weight) > width:
        text = text[:-1]
    return f"{text.rstrip(' ,(')}…"


def without_frame(ax, sides=("top", "right")):
    """Take away sides of an Axes' frame that say nothing."""
    for side in sides:
        ax.spines[side].set_visible(False)


def panel(ax, left, bottom, width, height):
    """An Axes inside another one, at a place in parts of it."""
    return ax.inset_axes([left, bottom, width, height])
