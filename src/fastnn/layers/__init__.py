"""The layers of networks, as users write them."""

from typing import TYPE_CHECKING

from fastnn.estimators.foreign_names import missing
from fastnn.layers.activation import Activation
from fastnn.layers.bidirectional import Bidirectional
from fastnn.layers.convolution import Conv1D, Conv2D
from fastnn.layers.dense import Dense
from fastnn.layers.dropout import Dropout
from fastnn.layers.embedding import Embedding, Masking
from fastnn.layers.normalization import BatchNormalization, LayerNormalization
from fastnn.layers.pooling import (
    AveragePooling1D,
    AveragePooling2D,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    MaxPooling1D,
    MaxPooling2D,
)
from fastnn.layers.recurrent import GRU, LSTM, SimpleRNN
from fastnn.layers.rescaling import Rescaling
from fastnn.layers.reshaping import Flatten, Reshape
from fastnn.layers.spec import Layer

__all__ = [
    "GRU",
    "LSTM",
    "Activation",
    "AveragePooling1D",
    "AveragePooling2D",
    "BatchNormalization",
    "Bidirectional",
    "Conv1D",
    "Conv2D",
    "Dense",
    "Dropout",
    "Embedding",
    "Flatten",
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
    "GlobalMaxPooling1D",
    "GlobalMaxPooling2D",
    "Layer",
    "LayerNormalization",
    "Masking",
    "MaxPooling1D",
    "MaxPooling2D",
    "Rescaling",
    "Reshape",
    "SimpleRNN",
]


if not TYPE_CHECKING:  # for which every name would be public

    def __getattr__(name):
        """A name that there is not: its error says what there is instead."""
        raise missing(__name__, name)
