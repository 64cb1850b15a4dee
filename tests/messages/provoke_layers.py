"""Layers, and calls to networks of layers, that are refused."""

import numpy as np

from fastnn import SequentialClassifier, SequentialRegressor
from fastnn.engine.layers.registry import make_layers
from fastnn.layers import (
    GRU,
    BatchNormalization,
    Bidirectional,
    Conv1D,
    Conv2D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    GlobalMaxPooling1D,
    Masking,
    MaxPooling2D,
    Reshape,
)
from fastnn.layers.chain import Chain, check_layers, sample_shape
from fastnn.layers.embedding import check_tokens
from fastnn.persistence.json_values import Reader
from fastnn.persistence.sequentials import make_sequential, sequential_parts

X = np.random.default_rng(0).normal(size=(30, 12))
IMAGES = X.reshape(30, 3, 4)
Y = np.arange(30) % 3
MANY = ["a long name of a layer"] * 5000  # messages name the first few


def model(*layers, **parameters):
    return SequentialClassifier(list(layers), **{"max_iter": 2, "random_state": 0} | parameters)


def fit(*layers, **parameters):
    return model(*layers, **parameters).fit(X, Y)


def chained(*layers, shape=(None, 2)):
    """A chain over sequences that differ in their numbers of steps."""
    check_layers(layers)
    return Chain(layers, sample_shape(layers, shape), 3)


def assign(change, *layers):
    fitted = fit(*(layers or (Dense(4),)))
    fitted.weights_ = change(list(fitted.weights_))


def from_weights(weights, *layers):
    return SequentialClassifier.from_weights(list(layers), weights)


def normalized(moving_variance):
    """Weights of a normalization and an output."""
    state = {"moving_mean": np.zeros(2), "moving_variance": np.full(2, moving_variance)}
    return [{"gamma": np.ones(2), "beta": np.zeros(2), **state}, {"kernel": np.ones((2, 3)), "bias": np.zeros(3)}]


def loaded(**parts):
    fitted = SequentialRegressor([Dense(4)], max_iter=2).fit(parts.pop("X", X), Y)
    return make_sequential(SequentialRegressor(), sequential_parts(fitted) | parts)


PROVOCATIONS = {
    "a setting known elsewhere": lambda: GRU(hidden_size=3),
    "a setting": lambda: fit(Dense(0)),
    "a long setting": lambda: fit(Dense("a" * 10_000)),
    "no layer": lambda: fit(Dense(3), MANY),
    "vectors for images": lambda: fit(Conv2D(3, 3)),
    "images for sequences": lambda: model(Conv1D(3, 3)).fit(X.reshape(30, 3, 2, 2), Y),
    "a vector for a sequence": lambda: fit(Flatten(), GlobalMaxPooling1D()),
    "a huge window": lambda: model(Conv2D(3, (1, 2**20 + 1), padding="same")).fit(IMAGES, Y),
    "a window": lambda: model(MaxPooling2D(4)).fit(IMAGES, Y),
    "a dilated window": lambda: model(Conv2D(3, 3, dilation_rate=2)).fit(IMAGES, Y),
    "groups": lambda: model(Conv2D(3, 2, groups=2)).fit(IMAGES, Y),
    "target_shape": lambda: fit(Reshape((5, 5))),
    "a sequence in the end": lambda: fit(Conv1D(3, 2)),
    "too large": lambda: model(Conv2D(2**31 - 1, 2)).fit(IMAGES, Y),
    "lbfgs": lambda: fit(Dropout(0.5), solver="lbfgs"),
    "axes": lambda: fit(Dense(3)).predict(X.reshape(30, 3, 2, 2, 1)),
    "one sample": lambda: model().fit(IMAGES, Y).predict(IMAGES[0]),
    "another shape": lambda: fit(Dense(3)).predict(IMAGES),
    "input_shape": lambda: fit(Dense(3), input_shape=(3, 0)),
    "a long input_shape": lambda: fit(Dense(3), input_shape=list(range(5000))),
    "input_shape and columns": lambda: fit(Dense(3), input_shape=(3, 5)),
    "input_shape and X": lambda: model(Dense(3), input_shape=(3, 5)).fit(IMAGES, Y),
    "weights before fit": lambda: model().weights_,
    "weights: their number": lambda: assign(lambda weights: weights[:1]),
    "weights: something else": lambda: assign(lambda weights: "a" * 10_000),
    "weights: a name": lambda: assign(lambda weights: [{"weight": 1}, weights[1]]),
    "weights: a shape": lambda: assign(lambda weights: [weights[1], weights[1]]),
    "weights: a variance": lambda: from_weights(normalized(-1.0), BatchNormalization()),
    "coefs of other layers": lambda: fit(Dense(3, use_bias=False)).coefs_,
    "from_weights: a list": lambda: from_weights([]),
    "from_weights: no kernel": lambda: from_weights([{"a long name": 1}]),
    "from_weights: a kernel": lambda: from_weights([{"kernel": np.ones(3), "bias": np.ones(3)}]),
    "from_weights: a dict": lambda: from_weights([MANY, normalized(1.0)[1]], Dense(3)),
    "from_weights: input_shape": lambda: from_weights(normalized(1.0), Conv2D(3, 3)),
    "to_sklearn": lambda: fit(Dense(3, use_bias=False)).to_sklearn(),
    "to_sklearn: dropout of X": lambda: fit(Dropout(0.5), Dense(3)).to_sklearn(),
    "set_params: a list": lambda: model().set_params(layers=5, layers__0=None),
    "set_params: a number": lambda: model(Dense(3)).set_params(layers__1=None),
    "set_params: a setting": lambda: model(Dense(3)).set_params(layers__0__filters=3),
    "set_params: a long name": lambda: model(None).set_params(**{"layers__0__" + "a" * 10_000: 3}),
    "set_params: a setting of a setting": lambda: model(Bidirectional(GRU(3))).set_params(layers__0__layer__filters=3),
    "sequences: no layer that reads them": lambda: chained(Dense(3)),
    "sequences: many layers": lambda: chained(*[Dense(3)] * 5000),
    "sequences: images": lambda: chained(Conv2D(3, 3)),
    "sequences: Flatten": lambda: chained(Flatten()),
    "sequences: Reshape": lambda: chained(GRU(3, return_sequences=True), Reshape((3, 4))),
    "sequences: too few steps": lambda: chained(Masking(), Conv1D(3, 5)).check_lengths([5, 4]),
    "cells: an activation": lambda: fit(GRU(3, "gelu")),
    "cells: too many units": lambda: fit(GRU(2**16 + 1)),
    "Bidirectional: another layer": lambda: fit(Bidirectional(Dense(3))),
    "Bidirectional: something long": lambda: fit(Bidirectional("a" * 10_000)),
    "Bidirectional: go_backwards": lambda: fit(Bidirectional(GRU(3, go_backwards=True))),
    "Bidirectional: merge_mode": lambda: fit(Bidirectional(GRU(3), None)),
    "Masking: its place": lambda: fit(Dense(3), Masking()),
    "Embedding: its place": lambda: fit(Dense(3), Embedding(9, 3)),
    "Embedding: channels": lambda: model(Embedding(9, 3), GRU(3)).fit(IMAGES, Y),
    "Embedding: a token": lambda: check_tokens(X, None, 9, "layers[0], Embedding(9, 3)"),
    "the engine: a dense layer": lambda: make_layers([("dense", 3)], (4,)),
    "a file: a layer": lambda: Reader({}, None).read({"layer": [3]}),
    "a file: a layer's dict": lambda: Reader({}, None).read({"layer": ["Dense", 3]}),
    "a file: a layer's settings": lambda: Reader({}, None).read({"layer": ["Dense", {"dict": {"unit": 3}}]}),
    "a file: input_shape": lambda: loaded(n_features=13),
    "a file: outputs": lambda: loaded(weights=[X]),
    "a file: feature names": lambda: loaded(X=IMAGES, feature_names=np.array(["a"], object)),
}
