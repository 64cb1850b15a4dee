"""What diagrams are drawn with: boxes with a title and lines of text."""

from matplotlib.patches import FancyBboxPatch

COLOURS = {"python": "#dbe9f6", "cython": "#fde8cf", "c": "#dff0d8", "plain": "#f2f2f2"}


def box(ax, x, y, width, height, title, text="", colour="plain", title_size=10):
    """A box with its lower left corner at (x, y)."""
    shape = FancyBboxPatch(
        (x, y), width, height, boxstyle="round,pad=0,rounding_size=0.08", facecolor=COLOURS[colour], edgecolor="#444444"
    )
    ax.add_patch(shape)
    middle = x + width / 2
    if not text:
        ax.text(middle, y + height / 2, title, ha="center", va="center", fontsize=title_size)
        return
    ax.text(middle, y + height - 0.12, title, ha="center", va="top", fontsize=title_size, fontweight="bold")
    ax.text(middle, y + height - 0.5, text, ha="center", va="top", fontsize=8.5, linespacing=1.4)


def canvas(ax, width, height):
    """Axes without lines, of the given size in units of the boxes."""
    ax.set_xlim(-0.05, width)
    ax.set_ylim(-0.05, height)
    ax.set_aspect("equal")
    ax.axis("off")


def arrow(ax, start, end, text="", side="left"):
    """An arrow, with what is passed along beside it."""
    ax.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": "#444444", "shrinkA": 0, "shrinkB": 0})
    if text:
        x, y = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
        shift = -0.12 if side == "left" else 0.12
        ax.text(x + shift, y, text, ha="right" if side == "left" else "left", va="center", fontsize=8.5, style="italic")
