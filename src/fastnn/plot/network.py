"""A diagram of a model's layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastnn.estimators.modular import BaseModular
from fastnn.plot.blocks import Block, blocks_of, combination_of, input_of, modules_of, n_parameters
from fastnn.plot.display import DARK, LIGHT, MIDDLE, Display, font_size, shortened, text_width
from fastnn.plot.reading import checked_model

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Self

    from matplotlib.axes import Axes

# In inches: of a box and of what is between two.
_HEIGHT, _ARROW, _GAP, _MARGIN, _HEADER = 0.6, 0.26, 0.3, 0.1, 0.64
_WIDTHS, _PADDING = (2.0, 3.2), 0.1


class NetworkDisplay(Display):
    # From tools/docstrings: <axes and figure>
    """A diagram of a model: its layers from above to below, with the shape that each makes, and their parameters.

    `from_estimator` makes it of a fitted model. The bar at the foot of a box says how many of all parameters are in
    it. The modules of a modular network stand side by side, and what combines their outputs is below them.

    Parameters
    ----------
    chains : dict of str to list of Block
        The layers, one after the other; of a modular network, those of each module by its name.
    inputs : str, default=""
        The shape of a sample.
    reads : dict of str to str, default=None
        What each module reads and learns.
    joined : list of Block, default=()
        What makes one answer of several chains.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where the picture is.
    figure_ : matplotlib Figure
        The figure that has it.
    boxes_ : list of matplotlib FancyBboxPatch
        The boxes: of X, of the layers, chain by chain, and of what joins the chains.
    texts_ : list of matplotlib Text
        What is written in the boxes and beside them.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from fastnn import SequentialClassifier
    >>> from fastnn.layers import Conv2D, Dense, MaxPooling2D
    >>> from fastnn.plot import NetworkDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> layers = [Conv2D(16, 3), MaxPooling2D(), Dense(32)]
    >>> model = SequentialClassifier(layers, tol=0.01, random_state=0).fit(X.reshape(-1, 8, 8) / 16, y)
    >>> display = NetworkDisplay.from_estimator(model)
    >>> [block.name for block in display.chains["SequentialClassifier"]]
    ['Conv2D(16, 3)', 'MaxPooling2D()', 'Dense(32)', 'output, softmax']
    """

    def __init__(
        self,
        chains: Mapping[str, Sequence[Block]],
        *,
        inputs: str = "",
        reads: Mapping[str, str] | None = None,
        joined: Sequence[Block] = (),
    ) -> None:
        self.chains = chains
        self.inputs = inputs
        self.reads = reads
        self.joined = joined

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Axes | None = None) -> Self:
        # From tools/docstrings: <ax>, <raises of displays>
        """Draw the diagram of a fitted model.

        Parameters
        ----------
        estimator : estimator
            Any of fastnn's. Modules of a modular network may be of other libraries, and are one box each.
        ax : matplotlib Axes, default=None
            Where to draw. None: in a new figure.

        Returns
        -------
        display : NetworkDisplay
            The picture.

        Raises
        ------
        NotFittedError
            Before the model is fitted.
        TypeError
            For an estimator of another kind.
        ImportError
            Without matplotlib.
        """
        cls._needs_matplotlib("from_estimator")
        model = checked_model(estimator)
        if not isinstance(model, BaseModular):
            return cls({type(model).__name__: blocks_of(model)}, inputs=input_of(model)).plot(ax)
        modules = modules_of(model)
        display = cls(
            {name: blocks for name, (blocks, _) in modules.items()},
            inputs=input_of(model),
            reads={name: text for name, (_, text) in modules.items()},
            joined=combination_of(model),
        )
        return display.plot(ax)

    def plot(self, ax: Axes | None = None) -> Self:
        # From tools/docstrings: <ax>
        """Draw the diagram.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None: in a new figure.

        Returns
        -------
        self : NetworkDisplay
            The picture.
        """
        self._needs_matplotlib("plot")
        blocks = [block for chain in self.chains.values() for block in chain] + list(self.joined)
        self._total = n_parameters(blocks)
        self._most = sum(block.n_parameters or 0 for block in blocks)
        size = font_size(0.9)
        self._width = min(_WIDTHS[1], max([_WIDTHS[0], *(_width_of(block, size) for block in blocks)]))
        n_chains, n_rows = len(self.chains), max(map(len, self.chains.values()))
        header = _HEADER if self.reads else 0.0
        pitch = _HEIGHT + _ARROW
        width = n_chains * self._width + (n_chains - 1) * _GAP + 2 * _MARGIN
        height = (1 + n_rows + len(self.joined)) * pitch + header + 2 * _MARGIN
        ax = self._draw_on(ax, (width, height))
        ax.set(xlim=(0, width), ylim=(height, 0), aspect="equal")
        ax.set_axis_off()
        self._scale = self._inches_of_a_unit(width, height)
        self.boxes_, self.texts_ = [], []
        self._box(Block("X", self.inputs), width / 2, _MARGIN, width - 2 * _MARGIN, face=LIGHT)
        last_rows = []
        for i, (name, chain) in enumerate(self.chains.items()):
            x, y = _MARGIN + self._width / 2 + i * (self._width + _GAP), _MARGIN + _HEIGHT
            if header:
                self._arrow(x, y, y + _ARROW)
                self._header(name, self.reads[name], x, y + _ARROW)
            y += header
            y = self._chain(chain, x, y)
            last_rows.append((x, y))
        bottom = _MARGIN + _HEIGHT + header + n_rows * pitch
        for x, y in last_rows:
            if self.joined:
                self._arrow(x, y, bottom + _ARROW)
        for i, block in enumerate(self.joined):
            is_last = i == len(self.joined) - 1
            y = bottom + i * pitch
            if i:
                self._arrow(width / 2, y, y + _ARROW)
            span = width - 2 * _MARGIN if i == 0 else self._width
            self._box(block, width / 2, y + _ARROW, span, edge=1.8 if is_last else 1.0)
        total = f"{self._most:,} parameters" + ("" if self._total is not None else ", and those of other libraries")
        self._text(width / 2, height - _MARGIN - _ARROW / 2, total, ha="center")
        return self

    def _inches_of_a_unit(self, width, height):
        """The size of texts follows that of the boxes, which fill whatever Axes there are."""
        if self._owns_figure:
            return 0.97  # but for the figure's margin
        box = self.ax_.get_window_extent()
        return min(box.width / width, box.height / height) / self.figure_.dpi

    def _chain(self, chain, x, y):
        """Boxes from there on, one below the other, each with an arrow to it. Returns the lower end."""
        for i, block in enumerate(chain):
            self._arrow(x, y, y + _ARROW)
            is_last = i == len(chain) - 1 and not self.joined
            self._box(block, x, y + _ARROW, self._width, edge=1.8 if is_last else 1.0)
            y += _ARROW + _HEIGHT
        return y

    def _box(self, block, x, y, width, face="white", edge=1.0):
        from matplotlib.patches import FancyBboxPatch, Rectangle

        left, size, inner = x - width / 2, font_size(0.9), width - 2 * _PADDING
        box = FancyBboxPatch(
            (left, y), width, _HEIGHT, boxstyle="round,pad=0,rounding_size=0.06", fc=face, ec=DARK, lw=edge
        )
        self.boxes_.append(self.ax_.add_patch(box))
        name, settings = _name_and_settings(block)
        left, right = left + _PADDING, left + width - _PADDING
        first = self._text(left, y + 0.17, shortened(name, inner, size, "bold"), weight="bold")
        if settings:
            room = inner - text_width(name, size, "bold")
            self._text(1, 0, shortened(settings, room, size), va="bottom", of=first)
        self._text(left, y + 0.36, block.shape)
        if not block.n_parameters:
            return
        self._text(right, y + 0.36, _count_text(block), ha="right")
        for share, colour in ((1.0, LIGHT), (block.n_parameters / self._most, DARK)):
            self.ax_.add_patch(Rectangle((left, y + 0.495), inner * share, 0.045, fc=colour, ec="none"))

    def _header(self, name, reads, x, y):
        size = font_size(0.9)
        self._text(x, y + 0.09, shortened(name, self._width, size, "bold"), weight="bold", ha="center")
        self._text(x, y + 0.25, shortened(reads, self._width, size), ha="center")

    def _arrow(self, x, start, end):
        self.ax_.annotate(
            "",
            (x, end),
            (x, start),
            arrowprops={"arrowstyle": "-|>", "color": MIDDLE, "lw": 1.2, "shrinkA": 0, "shrinkB": 0},
        )

    def _text(self, x, y, text, of=None, **how):
        """A text at a place of the diagram, or of the box around another text."""
        how = {"va": "center", "ha": "left", "color": "black", "fontsize": font_size(0.9) * self._scale} | how
        self.texts_.append(self.ax_.annotate(text, (x, y), xycoords="data" if of is None else of, **how))
        self.texts_[-1].set_in_layout(False)  # the boxes have room for it
        return self.texts_[-1]


def _name_and_settings(block):
    name, bracket, settings = block.name.partition("(")
    return name, bracket + settings


def _count_text(block):
    return f"{block.n_parameters:,} {'' if block.trainable else 'fixed '}parameters"


def _width_of(block, size):
    """The width that a block's texts need."""
    name, settings = _name_and_settings(block)
    second = f"{block.shape}    {_count_text(block)}" if block.n_parameters else block.shape
    first = text_width(name, size, "bold") + text_width(settings, size)
    return 2 * _PADDING + 0.05 + max(first, text_width(second, size))
