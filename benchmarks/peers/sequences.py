"""Sequences of different lengths, from files or made: each data set as X, y, X_test, y_test.

X is a list of arrays (n_steps, n_features) or of token numbers (n_steps,). With those that are made, an accuracy says
only whether a peer has learnt.
"""

import gzip
from collections import Counter
from pathlib import Path

import numpy as np
from workloads import N_WORDS

from fastnn.cli.arguments import CommandError


def objects(X):
    """A list's arrays in an array of objects, from which rows can be taken."""
    return np.fromiter(X, object, len(X))


# -- from files -------------------------------------------------------------------------------------------------------


def lines(folder, name):
    """The lines of a text file, gzipped or not."""
    for path, opened in ((Path(folder, name), open), (Path(folder, f"{name}.gz"), gzip.open)):
        if path.is_file():
            with opened(path, "rt", encoding="latin-1") as file:
                return file.read().splitlines()
    raise CommandError(f"{folder}: no such file: {name}, gzipped or not")


def read_ts(folder, name):
    """A data set of the UEA archive: in each line the values of each feature, parted by colons, and the class."""
    parts = []
    for part in ("TRAIN", "TEST"):
        rows = [line.split(":") for line in lines(folder, f"{name}_{part}.ts") if line.strip() and line[0] not in "#@"]
        try:
            X = [np.array([feature.split(",") for feature in features], np.float32).T for *features, _ in rows]
        except ValueError:
            raise CommandError(f"{folder}: a sample of {name}_{part}.ts has features of different lengths") from None
        parts += [X, np.array([label.strip() for *_, label in rows])]
    return parts


def read_reviews(folder, n_words=N_WORDS, seed=0):
    """Pang and Lee's (2005) sentences, a tenth of them to test with.

    A word is numbered by how often it is in the sentences to train on; those beyond `n_words` are 0.
    """
    by_class = [lines(folder, f"rt-polarity.{name}") for name in ("neg", "pos")]
    texts = [text.split() for of_class in by_class for text in of_class]
    y = np.repeat([0, 1], [len(of_class) for of_class in by_class])
    order = np.random.default_rng(seed).permutation(len(texts))
    n = len(texts) * 9 // 10
    counts = Counter(word for i in order[:n] for word in texts[i])
    by_frequency = sorted(counts, key=lambda word: (-counts[word], word))
    numbers = {word: i for i, word in enumerate(by_frequency[: n_words - 1], 1)}
    X = [np.array([numbers.get(word, 0) for word in texts[i]], np.int32) for i in order]
    return X[:n], y[order[:n]], X[n:], y[order[n:]]


# -- made -------------------------------------------------------------------------------------------------------------


def made_vowels(n=270, n_test=370, seed=0):
    """Sequences as long as the vowels: each class has a mean and a trend, and noise depends on the step before."""
    rng = np.random.default_rng(seed)
    means, trends = rng.normal(size=(2, 9, 12))
    y = rng.integers(9, size=n + n_test)
    X = []
    for label in y:
        n_steps = rng.integers(7, 30)
        noise = rng.normal(0, 0.3, (n_steps, 12))
        for t in range(1, n_steps):
            noise[t] += 0.7 * noise[t - 1]
        X.append((means[label] + np.linspace(-0.5, 0.5, n_steps)[:, None] * trends[label] + noise).astype(np.float32))
    return X[:n], y[:n], X[n:], y[n:]


def made_reviews(n=9595, n_test=1067, seed=0):
    """Texts as long as the sentences, whose words are as frequent as in them: some words are for or against."""
    rng = np.random.default_rng(seed)
    frequencies = 1 / np.arange(1, N_WORDS + 1)
    leanings = rng.normal(size=N_WORDS) ** 3  # most words say little
    texts = [
        rng.choice(N_WORDS, rng.integers(1, 41), p=frequencies / frequencies.sum()).astype(np.int32)
        for _ in range(n + n_test)
    ]
    y = np.array([leanings[text].sum() > 0 for text in texts]).astype(int)
    return texts[:n], y[:n], texts[n:], y[n:]


def made_lengths(n=640, n_test=500, seed=0):
    """Noise about a mean for each of four classes. The logarithms of the sequences' lengths are uniform."""
    rng = np.random.default_rng(seed)
    means = rng.normal(size=(4, 8))
    y = rng.integers(4, size=n + n_test)
    lengths = (10 * 100 ** rng.random(n + n_test)).astype(int)
    X = [rng.normal(means[label], 1, (length, 8)).astype(np.float32) for label, length in zip(y, lengths, strict=True)]
    return X[:n], y[:n], X[n:], y[n:]


def made_adding(n=10_000, n_test=2000, n_steps=200, seed=0):
    """The adding problem: two of the numbers in [0, 1) are marked, one in either half, and their sum is the target.

    The mean of all targets has a squared error of 1/6.
    """
    rng = np.random.default_rng(seed)
    X = np.zeros((n + n_test, n_steps, 2), np.float32)
    X[:, :, 0] = rng.random((n + n_test, n_steps), np.float32)
    rows, half = np.arange(n + n_test), n_steps // 2
    for first, end in ((0, half), (half, n_steps)):
        X[rows, rng.integers(first, end, n + n_test), 1] = 1
    y = X.prod(axis=2).sum(axis=1)
    return X[:n], y[:n], X[n:], y[n:]
