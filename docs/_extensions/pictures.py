"""Draws the pictures of pages that are no example's: each time the documentation is built, into `_generated/`."""

from pathlib import Path

import matplotlib.pyplot as plt
import phases
import speed
import tiers

DRAWN = {"speed": speed.draw, "tiers": tiers.draw, "phases": phases.draw}
SETTINGS = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "fastnn",  # the same file in each build
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def draw_all(app, config):
    """Draw each picture as SVG."""
    folder = Path(app.srcdir, "_generated")
    folder.mkdir(exist_ok=True)
    for name, draw in DRAWN.items():
        with plt.rc_context(SETTINGS):
            figure = draw()
            figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
            plt.close(figure)


def setup(app):
    app.connect("config-inited", draw_all)
    return {"parallel_read_safe": True}
