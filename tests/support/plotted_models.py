"""Small models with given weights, for pictures that do not depend on how a CPU rounds."""

from itertools import pairwise

import numpy as np

from fastnn import MLPClassifier, MLPRegressor, SequentialClassifier
from fastnn.layers import GRU, BatchNormalization, Conv2D, Dense, Dropout, MaxPooling2D

# What Conv2D, BatchNormalization and Dense make of images of 8 x 8 pixels.
CONVNET = [Conv2D(8, 3), MaxPooling2D(), BatchNormalization(), Dropout(0.2), Dense(16, trainable=False)]


def smooth(rng, *shape):
    """Random images without noise: (..., height, width), where neighbouring pixels are alike."""
    images = rng.normal(size=shape)
    for axis in (-2, -1):
        for _ in range(2):
            images = images + np.roll(images, 1, axis) + np.roll(images, -1, axis)
    return images / images.std()


def images(n_samples=4):
    """Images of 8 x 8 pixels, from 0 to 1."""
    pixels = smooth(np.random.default_rng(1), n_samples, 8, 8)
    return np.clip(pixels / 4 + 0.4, 0, 1)


def mlp(classes=tuple("abcdefghij"), sizes=(64, 16, 10), **parameters):
    """A network whose first layer has smooth weights, if it reads images of 8 x 8 pixels."""
    rng = np.random.default_rng(0)
    coefs = [rng.normal(0, fan_in**-0.5, (fan_in, fan_out)) for fan_in, fan_out in pairwise(sizes)]
    if sizes[0] == 64:
        coefs[0] = smooth(rng, sizes[1], 8, 8).reshape(-1, 64).T / 8
    intercepts = [rng.normal(0, 0.1, n) for n in sizes[1:]]
    return MLPClassifier.from_weights(coefs, intercepts, classes=list(classes), **parameters)


def regressor(n_targets=1, **parameters):
    rng = np.random.default_rng(0)
    coefs = [rng.normal(size=(3, 5)), rng.normal(size=(5, n_targets))]
    return MLPRegressor.from_weights(coefs, [np.zeros(5), np.zeros(n_targets)], **parameters)


def convnet():
    """A convolutional network for images of 8 x 8 pixels and three classes."""
    rng = np.random.default_rng(0)
    weights = [
        {"kernel": rng.normal(0, 0.3, (3, 3, 1, 8)), "bias": np.zeros(8)},
        {},
        {name: rng.uniform(0.5, 1.5, 8) for name in ("gamma", "beta", "moving_mean", "moving_variance")},
        {},
        {"kernel": rng.normal(0, 0.1, (72, 16)), "bias": rng.normal(0, 0.1, 16)},
        {"kernel": rng.normal(0, 0.5, (16, 3)), "bias": np.zeros(3)},
    ]
    classes = ["cat", "dog", "fox"]
    return SequentialClassifier.from_weights(CONVNET, weights, input_shape=(8, 8, 1), classes=classes)


def tagger():
    """A recurrent network that tags each step of sequences of 2 channels."""
    rng = np.random.default_rng(0)
    weights = [
        {
            "kernel": rng.normal(size=(2, 18)),
            "recurrent_kernel": rng.normal(0, 0.4, (6, 18)),
            "bias": np.zeros((2, 18)),
        },
        {"kernel": rng.normal(size=(6, 3)), "bias": np.zeros(3)},
    ]
    layers = [GRU(6, return_sequences=True)]
    return SequentialClassifier.from_weights(layers, weights, input_shape=(None, 2), classes=["x", "y", "z"])


def walks():
    """Sequences of 2 channels and different lengths."""
    rng = np.random.default_rng(2)
    return [rng.normal(0, 0.5, (n_steps, 2)).cumsum(axis=0) for n_steps in (7, 30, 12)]
