"""The kinds of layers that the engine has, a row for each; and what follows from a network's description."""

from fastnn.engine.layers.batch_normalization import BatchNormalizationLayer
from fastnn.engine.layers.convolution import ConvolutionLayer
from fastnn.engine.layers.dense import DenseLayer
from fastnn.engine.layers.embedding import EmbeddingLayer
from fastnn.engine.layers.layer_normalization import LayerNormalizationLayer
from fastnn.engine.layers.pooling import (
    AveragePoolingLayer,
    GlobalAveragePoolingLayer,
    GlobalMaxPoolingLayer,
    MaxPoolingLayer,
)
from fastnn.engine.layers.recurrent import RecurrentLayer
from fastnn.engine.layers.rescaling import RescalingLayer
from fastnn.engine.layers.reshape import ReshapeLayer

LAYER_KINDS = {
    "dense": DenseLayer,
    "convolution": ConvolutionLayer,
    "reshape": ReshapeLayer,
    "max_pooling": MaxPoolingLayer,
    "average_pooling": AveragePoolingLayer,
    "global_max_pooling": GlobalMaxPoolingLayer,
    "global_average_pooling": GlobalAveragePoolingLayer,
    "rescaling": RescalingLayer,
    "layer_normalization": LayerNormalizationLayer,
    "batch_normalization": BatchNormalizationLayer,
    "recurrent": RecurrentLayer,
    "embedding": EmbeddingLayer,
}


def make_layers(description, input_shape):
    """Make the layers of a network from their description, one after the other.

    Parameters
    ----------
    description : sequence of tuple
        The kind and the settings of each layer, as ``("dense", units, activation)``: see the file of each kind.
    input_shape : tuple of int
        The shape of one sample of what the first layer reads.

    Returns
    -------
    list of EngineLayer

    Raises
    ------
    ValueError
        If there is no such kind, or a kind refuses its settings or its input's shape.
    """
    layers, shape = [], input_shape
    for kind, *settings in description:
        if kind not in LAYER_KINDS:
            raise ValueError(f"a layer's kind must be one of {', '.join(LAYER_KINDS)}, got {kind!r}")
        layers.append(LAYER_KINDS[kind]((kind, *settings), shape))
        shape = layers[-1].output_shape
    return layers


def weight_shapes(layers):
    """The shapes of the arrays that the layers learn, and of their state.

    A parameter has an array W if it has rows, and an array b if it is biased.

    Parameters
    ----------
    layers : sequence of EngineLayer

    Returns
    -------
    shapes : tuple of tuple of int
        ``(fan_in, fan_out)`` for each W, ``(fan_out,)`` for each b, in the order of the layers.
    penalised : tuple of bool
        Which of these arrays have a penalty: each W that is learnt.
    """
    shapes, penalised = [], []
    for layer in layers:
        for fan_in, fan_out, learnt, biased in layer.parameter_shapes():
            if fan_in > 0:
                shapes.append((fan_in, fan_out))
                penalised.append(learnt)
            if biased:
                shapes.append((fan_out,))
                penalised.append(False)
    return tuple(shapes), tuple(penalised)
