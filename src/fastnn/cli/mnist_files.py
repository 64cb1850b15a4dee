"""IDX files, the format that MNIST comes in: a header with the shape, then bytes; gzipped or not.

Nothing in a file is believed: every figure of the header is held against the size of the file before any memory is
asked for.
"""

import gzip
import math
import os
import zlib
from contextlib import contextmanager

import numpy as np

UNSIGNED_BYTES = 8  # the only type of number that MNIST's files have
# deflate cannot do better than this (https://zlib.net/zlib_tech.html): a header that promises more lies.
MAX_COMPRESSION = 1032


class IdxError(ValueError):
    """A file that cannot be used, and why, in one line."""


@contextmanager
def _blame(path):
    """Errors of reading path as IdxErrors that name it."""
    try:
        yield
    except EOFError:
        raise IdxError(f"{path}: truncated: the gzipped data ends too early") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise IdxError(f"{path}: damaged gzipped data: {error}") from None
    except OSError as error:
        raise IdxError(f"{path}: {error.strerror or error}") from None


def read_idx(path, n_dimensions):
    """The array in an IDX file of unsigned bytes.

    Parameters
    ----------
    path : str
    n_dimensions : int
        How many the array must have: 1 for labels, 3 for images.

    Returns
    -------
    ndarray of shape (n_items, ...), uint8

    Raises
    ------
    IdxError
        For a file that cannot be read, is no such IDX file, or has more or fewer bytes than its header says.
    """
    with _blame(path), open(path, "rb") as raw:
        n_bytes = os.fstat(raw.fileno()).st_size
        gzipped = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        file = gzip.GzipFile(fileobj=raw) if gzipped else raw

        header = file.read(4 + 4 * n_dimensions)
        magic = bytes([0, 0, UNSIGNED_BYTES, n_dimensions])
        if header[:4] != magic:
            raise IdxError(
                f"{path}: not an IDX file of bytes in {n_dimensions} dimensions: it starts with "
                f"{header[:4].hex() or 'nothing'}, not with {magic.hex()}"
            )
        if len(header) < 4 + 4 * n_dimensions:
            raise IdxError(f"{path}: truncated: it ends in the header")
        shape = tuple(map(int, np.frombuffer(header, ">u4", offset=4)))
        size = math.prod(shape)
        there = n_bytes * MAX_COMPRESSION if gzipped else n_bytes - len(header)
        if size > there:
            raise IdxError(
                f"{path}: truncated: its header promises {' x '.join(map(str, shape))} bytes, and there "
                f"are {'at most ' if gzipped else ''}{there}"
            )

        items = np.empty(size, np.uint8)
        n_read = file.readinto(items)
        while 0 < n_read < size and (n := file.readinto(items[n_read:])):
            n_read += n
        if n_read < size:
            raise IdxError(f"{path}: truncated: its header promises {size} bytes, and there are {n_read}")
        if file.read(1):  # which has gzip verify its checksum, too
            raise IdxError(f"{path}: more data than the {size} bytes that its header promises")
    return items.reshape(shape)


def _find(folder, kind):
    """The file for kind, such as train-images-idx3, in folder."""
    names = [name + end for name in (f"{kind}-ubyte", f"{kind}-ubyte".replace("-idx", ".idx")) for end in ("", ".gz")]
    for name in names:
        if os.path.isfile(path := os.path.join(folder, name)):
            return path
    raise IdxError(f"{folder}: no file {names[0]}, gzipped or not")


def read_mnist(folder):
    """MNIST, or any data set that comes as the same four files.

    Parameters
    ----------
    folder : str
        Holds train-images-idx3-ubyte, train-labels-idx1-ubyte and the same for t10k, each with ``.gz`` or without;
        a dot before ``idx`` will do as well.

    Returns
    -------
    X_train, y_train, X_test, y_test : ndarray, uint8
        Images of shape (n_samples, n_pixels), labels of shape (n_samples,).

    Raises
    ------
    IdxError
        When something is missing, damaged, or does not fit together.
    """
    if not os.path.isdir(folder):
        raise IdxError(f"{folder}: no such folder")
    parts = []
    for name in ("train", "t10k"):
        images = read_idx(_find(folder, f"{name}-images-idx3"), 3)
        labels = read_idx(_find(folder, f"{name}-labels-idx1"), 1)
        if len(images) != len(labels):
            raise IdxError(f"{folder}: {len(images)} {name} images, but {len(labels)} labels")
        if images.size == 0:
            raise IdxError(f"{folder}: no {name} images")
        parts += [images, labels]
    X_train, y_train, X_test, y_test = parts
    if X_train.shape[1:] != X_test.shape[1:]:
        raise IdxError(
            f"{folder}: train images of {X_train.shape[1]} x {X_train.shape[2]} pixels, "
            f"but t10k images of {X_test.shape[1]} x {X_test.shape[2]}"
        )
    if y_train.min() == y_train.max():
        raise IdxError(f"{folder}: all train labels are {y_train[0]}: nothing to tell apart")
    return X_train.reshape(len(X_train), -1), y_train, X_test.reshape(len(X_test), -1), y_test
