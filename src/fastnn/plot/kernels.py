"""The weights of models, by layers; and those of one layer as images."""

import math
from dataclasses import dataclass
from numbers import Integral

import numpy as np

from fastnn.data.quoted import quoted
from fastnn.estimators.modular import BaseModular
from fastnn.estimators.network import BaseNetwork
from fastnn.estimators.perceptron import Perceptron
from fastnn.layers import Activation, BatchNormalization, Conv1D, Conv2D, Dense, Dropout, Flatten, Rescaling
from fastnn.plot.reading import chain_of_network, checked_model, labels_of_outputs, layer_names

# Layers that leave a map a map, or only write its numbers in a row.
_KEEP_PLACES = Activation, BatchNormalization, Dropout, Flatten, Rescaling, type(None)


@dataclass(frozen=True)
class Images:
    """The weights of a layer as images.

    Attributes
    ----------
    images : ndarray of shape (n_units, n_channels, height, width)
    name : str
        The layer.
    unit, channel : str
        What the first two axes are, such as "filter".
    labels : list of str or None
        A text for each unit.
    """

    images: np.ndarray
    name: str
    unit: str = "unit"
    channel: str = "channel"
    labels: list | None = None


def weights_of(model):
    """The weights of each layer that has any: by the layers' names, and by their own.

    Parameters
    ----------
    model : estimator
        A fitted model of fastnn's, or a module of one.

    Returns
    -------
    dict of str to dict of str to ndarray
    """
    if isinstance(model, BaseModular):
        parts = {name: weights_of(module) for name, module in model.named_modules_.items()}
        if not isinstance(model._combination, str):
            parts["combine"] = weights_of(model._combination)
        return {f"{name}: {layer}": arrays for name, of_layers in parts.items() for layer, arrays in of_layers.items()}
    if isinstance(model, Perceptron):
        model = checked_model(model)
        return {"perceptron": {"coef": _dense_coef(model), "intercept": model.intercept_}}
    if not isinstance(model, BaseNetwork):
        return {}
    model = checked_model(model)
    chain = chain_of_network(model)
    by_layer = zip(layer_names(chain), chain.by_layer(model._network.weights()), strict=True)
    return {name: arrays for name, arrays in by_layer if arrays}


def images_of(model, layer, image_shape, asked):
    """The weights of a layer as Images; None where they are not such, and nobody has asked for any.

    Parameters
    ----------
    model : BaseNetwork or Perceptron
        A snapshot of a fitted one.
    layer : int or None
        The number of the layer, -1 being the output layer. None: the first one with weights.
    image_shape : tuple of int or None
    asked : bool
        Whether to refuse weights that are not images.

    Raises
    ------
    ValueError, TypeError
    """
    if isinstance(model, Perceptron):
        labels = labels_of_outputs(model)[-model.coef_.shape[0] :]  # of two classes, a unit decides for the second
        kernel, name, shape = _dense_coef(model).T, "Perceptron", None
    else:
        chain = chain_of_network(model)
        i = _checked_number(layer, chain)
        link, weights = chain.links[i], chain.by_layer(model._network.weights())[i]
        kernel, name = weights.get("kernel"), layer_names(chain)[i]
        labels = labels_of_outputs(model) if i == len(chain.layers) else None
        if isinstance(link.layer, Conv2D):
            return Images(kernel.transpose(3, 2, 0, 1), name, "filter", "input channel")
        if isinstance(link.layer, Conv1D):
            return Images(kernel.transpose(2, 1, 0)[:, None], name, "filter")
        if not isinstance(link.layer, Dense):
            if asked:
                raise ValueError(
                    f"layer must be the number of a Conv2D, Conv1D or Dense, to draw its weights as images, got "
                    f"{i}, which is {quoted(link.layer)}"
                )
            return None
        shape = _shape_before(chain, i, len(kernel))
    shape = shape if image_shape is None else _checked_shape(image_shape, len(kernel), name)
    if shape is None:
        if asked:
            raise ValueError(
                f"image_shape must be given, since {name} does not read images, but {len(kernel)} numbers, got None"
            )
        return None
    images = kernel.T.reshape(-1, *shape).transpose(0, 3, 1, 2)
    return Images(images, name, labels=labels if labels and len(labels) == len(images) else None)


def _dense_coef(model):
    return model.coef_ if isinstance(model.coef_, np.ndarray) else model.coef_.toarray()


def _checked_number(layer, chain):
    """The number of a layer, from 0; of the first one with weights if it is None."""
    n_layers = len(chain.links)
    if layer is None:
        return next(i for i, shapes in enumerate(chain.weight_shapes()) if shapes)
    if not isinstance(layer, Integral):
        raise TypeError(f"layer must be an integer, got {quoted(layer)}")
    if not -n_layers <= layer < n_layers:
        raise ValueError(
            f"layer must be at least {-n_layers} and less than {n_layers}, since the network has {n_layers} layers "
            f"with the output layer, got {layer}"
        )
    return int(layer) % n_layers


def _shape_before(chain, i, n):
    """The height, width and channels of the map that a dense layer reads; None if it reads another thing."""
    while i > 0 and isinstance(chain.layers[i - 1], _KEEP_PLACES):
        i -= 1
    shape = chain.sample_shape if i == 0 else chain.links[i - 1].output_shape
    if None in shape or math.prod(shape) != n or not 2 <= len(shape) <= 3:
        return None
    return (*shape, 1) if len(shape) == 2 else shape


def _checked_shape(image_shape, n, name):
    shape = checked_image_shape(image_shape)
    if math.prod(shape) != n:
        raise ValueError(
            f"image_shape must have {n} numbers, as {name} reads, got {quoted(image_shape)}, which has "
            f"{math.prod(shape)}"
        )
    return shape


def checked_image_shape(image_shape):
    """The shape of an image with its channels.

    Raises
    ------
    ValueError
    """
    is_shape = isinstance(image_shape, (tuple, list)) and all(isinstance(n, Integral) and n > 0 for n in image_shape)
    if not is_shape or len(image_shape) not in (2, 3):
        raise ValueError(f"image_shape must be (height, width) or (height, width, channels), got {quoted(image_shape)}")
    return (*map(int, image_shape), 1)[:3]
