"""A fitted network of the user's layers as a dict of simple values and arrays, and a fitted network made of one.

It has the layers as the user wrote them, and not the engine's: how these follow may change.
"""

import math

from fastnn.layers import Layer
from fastnn.layers.chain import Chain, check_layers, sample_shape
from fastnn.layers.rules import SAMPLE_SHAPE
from fastnn.persistence.checks import COUNT, check, or_none, set_features
from fastnn.persistence.networks import LAYERS, PARTS, fill, list_of, mlp_parts

_RULES = PARTS | {
    "layers": list_of("layers, or None", lambda value: value is None or isinstance(value, Layer)),
    "input_shape": SAMPLE_SHAPE,
    "n_features": or_none(COUNT),
    "weights": LAYERS["weights"],
}


def sequential_parts(model):
    """What a fitted network has learnt, and all that training needs to resume.

    Parameters
    ----------
    model : BaseSequential

    Returns
    -------
    dict
    """
    return mlp_parts(model) | {
        "layers": list(model._chain.layers),
        "input_shape": model.input_shape_,
        "n_features": getattr(model, "n_features_in_", None),
    }


def make_sequential(model, parts):
    """Make a new model a fitted one.

    Parameters
    ----------
    model : BaseSequential
    parts : object
        A dict that `sequential_parts` has returned; any other value is refused.

    Raises
    ------
    ValueError
        When no model can be made of the parts.
    """
    check("the model", parts, _RULES)
    layers, shape, n_features = parts["layers"], parts["input_shape"], parts["n_features"]
    check_layers(layers)
    # A table may be series of any length.
    fits = n_features is None or (shape[1] == 1 if None in shape else n_features == math.prod(shape))
    if sample_shape(layers, shape) != shape or not fits:
        raise ValueError(f"input_shape and n_features must be those of samples, got {shape} and {n_features}")
    last = parts["weights"][-1]
    if last.ndim != 1 or len(last) < 1:
        raise ValueError(f"weights[-1] must have shape (n_outputs,), got {last.shape}")
    model._chain = Chain(layers, shape, len(last))
    model.input_shape_ = shape
    fill(model, parts, model._chain.description, model._chain.input_shape)
    set_features(model, n_features, parts["feature_names"])
