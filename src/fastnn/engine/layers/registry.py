"""The kinds of layers that the engine has, by name: a row for each; and layers made by a description of them."""

from fastnn.engine.layers.dense import DenseLayer

LAYER_KINDS = {
    "dense": DenseLayer,
}


def make_layers(description, input_shape):
    """The layers of a network: those that a description names, one after the other.

    Parameters
    ----------
    description : sequence of tuple
        Of each layer its kind and settings, as ``("dense", units, activation)``: see the kinds' own files.
    input_shape : tuple of int
        Of one sample.

    Returns
    -------
    list of EngineLayer

    Raises
    ------
    ValueError
        For unknown kinds, and for settings and shapes that a kind refuses.
    """
    layers, shape = [], input_shape
    for kind, *settings in description:
        if kind not in LAYER_KINDS:
            raise ValueError(f"a layer's kind must be one of {', '.join(LAYER_KINDS)}, got {kind!r}")
        layers.append(LAYER_KINDS[kind]((kind, *settings), shape))
        shape = layers[-1].output_shape
    return layers


def weight_shapes(layers):
    """The arrays of all that the layers learn, and of their state: of each parameter W, if it has rows, and b,
    unless it has no biases.

    Returns
    -------
    shapes : tuple of tuple of int
        ``(fan_in, fan_out)`` and ``(fan_out,)``.
    penalised : tuple of bool
        Which of them have a penalty: the matrices that are learnt.
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
