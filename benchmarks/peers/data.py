"""What the networks are trained on. Nothing is downloaded: data are read from files, or others like them are made."""

from typing import NamedTuple

import numpy as np
import sequences
from sklearn.datasets import load_digits, make_classification
from sklearn.model_selection import train_test_split

from fastnn.cli.mnist_files import read_mnist

SIZE = 28  # of MNIST's images


class Data(NamedTuple):
    """Samples to train on and to test with, and their classes 0, 1, 2, ... or numbers.

    Samples are float32 in rows, or sequences of different lengths: arrays in an array of objects.
    """

    name: str
    X: np.ndarray
    y: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray


def _data(name, highest, X, y, X_test, y_test):
    X, X_test = (np.divide(part.reshape(len(part), -1), highest, dtype=np.float32) for part in (X, X_test))
    return Data(name, X, y.astype(np.int64), X_test, y_test.astype(np.int64))


def mnist(folder):
    """MNIST from the four files in a folder, or made images where that is None."""
    if folder is None:
        return _data("MADE images, not MNIST's (--data reads those)", 255, *made_images())
    return _data(f"MNIST ({folder})", 255, *read_mnist(folder))


def made_images(n=60_000, n_test=10_000, seed=0):
    """Images as large as MNIST's and with as many zeros: an empty border, and a shape of its own for each class.

    A shape is what is highest of a sum of waves. It is moved by up to two pixels, and each pixel in it has a brightness
    of its own. Networks learn the classes nearly without errors, so that an accuracy says only that a peer has learnt.
    """
    rng = np.random.default_rng(seed)
    inner, border = 20, 4
    across = np.arange(inner) / inner * 2 * np.pi
    waves = np.stack([wave(k * across) for k in (1, 2, 3) for wave in (np.sin, np.cos)])
    heights = np.einsum("cij,ih,jw->chw", rng.normal(size=(10, len(waves), len(waves))), waves, waves)
    lit = heights > np.quantile(heights, 0.63, axis=(1, 2), keepdims=True)  # of all 784 pixels 19 %, as in MNIST
    shapes = np.pad(lit, ((0, 0), (border, border), (border, border)))
    moved = np.stack([np.roll(shapes, (i, j), (1, 2)) for i in range(-2, 3) for j in range(-2, 3)])

    y = rng.integers(0, len(shapes), n + n_test)
    brightness = rng.integers(64, 256, (n + n_test, SIZE, SIZE), dtype=np.uint8)
    images = (brightness * moved[rng.integers(0, len(moved), n + n_test), y]).reshape(-1, SIZE * SIZE)
    return images[:n], y[:n], images[n:], y[n:]


def _divided(name, highest, X, y):
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.2, stratify=y, random_state=0)
    return _data(name, highest, X, y, X_test, y_test)


def digits(folder):
    return _divided("scikit-learn's digits", 16, *load_digits(return_X_y=True))


def table(folder):
    made = make_classification(25_000, 50, n_informative=20, n_classes=5, random_state=0)
    return _divided("made rows (make_classification)", 1, *made)


def vowels(folder):
    """Nine speakers' vowels, 12 numbers a step, or made sequences where the folder is None."""
    if folder is None:
        return _sequences("MADE sequences, not JapaneseVowels (--data reads those)", *sequences.made_vowels())
    return _sequences(f"JapaneseVowels ({folder})", *sequences.read_ts(folder, "JapaneseVowels"))


def reviews(folder):
    """Sentences of film reviews, for or against, as numbers of words; or made ones where the folder is None."""
    if folder is None:
        return _sequences("MADE texts, not film reviews (--data reads those)", *sequences.made_reviews())
    return _sequences(f"film reviews ({folder})", *sequences.read_reviews(folder))


def lengths(folder):
    return _sequences("made noise of 10 to 1000 steps", *sequences.made_lengths())


def _sequences(name, X, y, X_test, y_test):
    classes = np.unique(y)
    y, y_test = (np.searchsorted(classes, part).astype(np.int64) for part in (y, y_test))
    return Data(name, sequences.objects(X), y, sequences.objects(X_test), y_test)


def adding(folder):
    X, y, X_test, y_test = sequences.made_adding()
    return Data("the adding problem", X.reshape(len(X), -1), y, X_test.reshape(len(X_test), -1), y_test)


#: What makes or reads each data set, given a folder or None, by the name that workloads have for it.
DATA = {
    "mnist": mnist,
    "digits": digits,
    "table": table,
    "vowels": vowels,
    "reviews": reviews,
    "lengths": lengths,
    "adding": adding,
}
#: Those that are read from a folder: what must be in it.
FILES = {
    "mnist": "MNIST's four files (http://yann.lecun.com/exdb/mnist)",
    "vowels": "JapaneseVowels_TRAIN.ts and _TEST.ts (https://timeseriesclassification.com)",
    "reviews": "rt-polarity.pos and .neg (https://www.cs.cornell.edu/people/pabo/movie-review-data)",
}
