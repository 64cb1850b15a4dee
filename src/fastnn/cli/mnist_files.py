"""IDX files, MNIST's format: a header with the shape, and one byte for each number; gzipped or not.

A file may be damaged: every size in its header is compared with the size of the file before memory is allocated.
"""

import gzip
import math
import os
import zlib
from contextlib import contextmanager

import numpy as np

UNSIGNED_BYTES = 8  # the only type of number in MNIST's files
# The largest ratio that deflate reaches (https://zlib.net/zlib_tech.html): no file has more data than that.
MAX_COMPRESSION = 1032


class IdxError(ValueError):
    """A file that cannot be used; the message says why, in one line."""


@contextmanager
def _naming(path):
    """A context that turns errors of reading a file into IdxErrors that name the file."""
    try:
        yield
    except EOFError:
        raise IdxError(f"{path}: truncated: the gzipped data ends too early") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise IdxError(f"{path}: damaged gzipped data: {error}") from None
    except OSError as error:
        raise IdxError(f"{path}: {error.strerror or error}") from None


def read_idx(path, n_dimensions):
    """Read the array in an IDX file of unsigned bytes.

    Parameters
    ----------
    path : str
    n_dimensions : int
        The number of axes that the array must have: 1 for labels, 3 for images.

    Returns
    -------
    ndarray of shape (n_items, ...), uint8

    Raises
    ------
    IdxError
        When the file cannot be read, is not an IDX file of unsigned bytes, or has more or fewer bytes than its header
        says.
    """
    with _naming(path), open(path, "rb") as raw:
        n_bytes = os.fstat(raw.fileno()).st_size
        gzipped = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        file = gzip.GzipFile(fileobj=raw) if gzipped else raw

        header = file.read(4 + 4 * n_dimensions)
        magic = bytes([0, 0, UNSIGNED_BYTES, n_dimensions])
        if header[:4] != magic:
            raise IdxError(
                f"{path}: an IDX file of bytes in {n_dimensions} dimensions must start with {magic.hex()}, got "
                f"{header[:4].hex() or 'an empty file'}"
            )
        if len(header) < 4 + 4 * n_dimensions:
            raise IdxError(f"{path}: truncated: its header must have {4 + 4 * n_dimensions} bytes, got {len(header)}")
        shape = tuple(map(int, np.frombuffer(header, ">u4", offset=4)))
        size = math.prod(shape)
        there = n_bytes * MAX_COMPRESSION if gzipped else n_bytes - len(header)
        if size > there:
            raise IdxError(
                f"{path}: truncated: it must have {' x '.join(map(str, shape))} bytes after its header, got "
                f"{'at most ' if gzipped else ''}{there}"
            )

        items = np.empty(size, np.uint8)
        n_read = file.readinto(items)
        while 0 < n_read < size and (n := file.readinto(items[n_read:])):
            n_read += n
        if n_read < size:
            raise IdxError(f"{path}: truncated: it must have {size} bytes after its header, got {n_read}")
        if file.read(1):  # at its end, gzip verifies the checksum
            raise IdxError(f"{path}: it must have {size} bytes after its header, got more")
    return items.reshape(shape)


def _find(folder, name):
    """The path of a file, of which `name` is for instance train-images-idx3, in a folder."""
    names = f"{name}-ubyte", f"{name}-ubyte".replace("-idx", ".idx")
    for file in (each + end for each in names for end in ("", ".gz")):
        if os.path.isfile(path := os.path.join(folder, file)):
            return path
    raise IdxError(f"{folder}: no such file: {names[0]}, gzipped or not")


def read_mnist(folder):
    """Read MNIST, or another data set in the same four files.

    Parameters
    ----------
    folder : str
        The folder with train-images-idx3-ubyte, train-labels-idx1-ubyte, and the two files for t10k. The names may end
        in ``.gz``, and may have a dot before ``idx``.

    Returns
    -------
    X_train, y_train, X_test, y_test : ndarray, uint8
        Images of shape (n_samples, height, width), labels of shape (n_samples,).

    Raises
    ------
    IdxError
        When a file is missing or damaged, or the files do not belong together.
    """
    if not os.path.isdir(folder):
        raise IdxError(f"{folder}: no such folder")
    parts = []
    for name in ("train", "t10k"):
        images = read_idx(_find(folder, f"{name}-images-idx3"), 3)
        labels = read_idx(_find(folder, f"{name}-labels-idx1"), 1)
        if len(images) != len(labels):
            raise IdxError(
                f"{folder}: {name} must have a label for each image, got {len(images)} images and {len(labels)} labels"
            )
        if images.size == 0:
            raise IdxError(f"{folder}: {name} must have at least 1 image, got 0")
        parts += [images, labels]
    X_train, y_train, X_test, y_test = parts
    if X_train.shape[1:] != X_test.shape[1:]:
        raise IdxError(
            f"{folder}: t10k images must have {X_train.shape[1]} x {X_train.shape[2]} pixels, as train images have, "
            f"got {X_test.shape[1]} x {X_test.shape[2]}"
        )
    if y_train.min() == y_train.max():
        raise IdxError(f"{folder}: train labels must have at least 2 classes, got {y_train[0]} only")
    return X_train, y_train, X_test, y_test
