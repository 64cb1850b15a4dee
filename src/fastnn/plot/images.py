"""Many small images as one, with gaps between them."""

import numpy as np

_LEAST_PIXELS = 12  # of an image's shorter side: smaller ones are enlarged, so that gaps are narrow beside them


def grid_of(images, n_columns=None, *, aspect=1.0, header=0.0):
    """One image that has others side by side, in rows.

    Parameters
    ----------
    images : ndarray of shape (n_images, height, width)
    n_columns : int, default=None
        How many there are in a row. None: as many as make the grid as wide as `aspect` says.
    aspect : float, default=1.0
        The width of a grid by its height.
    header : float, default=0.0
        The height that is free above each image, for a text, by the height of an image.

    Returns
    -------
    grid : ndarray of shape (grid_height, grid_width)
        NaN is between the images.
    places : ndarray of shape (n_images, 2)
        The centre of each image: its column and its row in the grid.
    """
    n, height, width = images.shape
    enlarged = max(1, -(-_LEAST_PIXELS // min(height, width)))
    images = images.repeat(enlarged, axis=1).repeat(enlarged, axis=2)
    gap = max(1, round(0.08 * min(images.shape[1:])))
    header = round(header * images.shape[1])
    rows, columns = images.shape[1] + header + gap, images.shape[2] + gap
    if n_columns is None:
        n_columns = _best_number(n, rows, columns, aspect)
    n_rows = -(-n // n_columns)
    grid = np.full((n_rows * rows - gap, n_columns * columns - gap), np.nan)
    places = np.empty((n, 2))
    for i, image in enumerate(images):
        row, column = i // n_columns * rows + header, i % n_columns * columns
        grid[row : row + image.shape[0], column : column + image.shape[1]] = image
        places[i] = column + (image.shape[1] - 1) / 2, row + (image.shape[0] - 1) / 2
    return grid, places


def _best_number(n, rows, columns, aspect):
    """The number of images in a row that makes them largest in a frame of this aspect."""
    sizes = [min(aspect / (n_columns * columns), 1 / (-(-n // n_columns) * rows)) for n_columns in range(1, n + 1)]
    return 1 + int(np.argmax(sizes))


def limits_of(numbers):
    """The numbers that a colour map's ends stand for: from 0 on, or as far below it as above where there are signs."""
    finite = np.asarray(numbers, dtype=float)
    finite = finite[np.isfinite(finite)]
    if not finite.size:
        return 0.0, 1.0
    largest = float(np.abs(finite).max()) or 1.0
    return (-largest if finite.min() < 0 else 0.0), largest
