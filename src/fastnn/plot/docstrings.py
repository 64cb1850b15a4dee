"""What the docstrings of several displays say, written once: see `fastnn._docstrings`."""

from fastnn._docstrings import documenting

#: The parts, by their names.
PARTS = {
    "ax": """\
ax : matplotlib Axes, default=None
    Where to draw. None: in a new figure.
""",
    "axes and figure": """\
ax_ : matplotlib Axes
    Where the picture is.
figure_ : matplotlib Figure
    The figure that has it.
""",
    "image_shape": """\
image_shape : tuple of int, default=None
    (height, width) or (height, width, channels), where the columns of X are the pixels of images. None: as the samples
    were in `fit`, if they had these axes.
""",
    "cmap": """\
cmap : str or matplotlib Colormap, default=None
    The colours of images. None is "cividis", whose brightness grows with the numbers, so that the picture can be
    printed in black and white.
""",
    "raises of displays": """\
Raises
------
NotFittedError
    Before the model is fitted.
TypeError
    For an estimator of another kind.
ImportError
    Without matplotlib.
""",
}

documented = documenting(PARTS)
