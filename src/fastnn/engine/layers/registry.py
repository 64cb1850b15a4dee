"""The kinds of layers that the engine has, by name: a row for each."""

from fastnn.engine.layers.dense import DenseLayer

LAYER_KINDS = {
    "dense": DenseLayer,
}
