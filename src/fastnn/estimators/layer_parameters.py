"""A network's layers as parameters: ``layers__0`` is a layer, ``layers__0__units`` a setting of it."""

from dataclasses import fields, replace

from fastnn.data.quoted import quoted
from fastnn.layers import Layer


def layer_parameters(layers):
    """Each layer and each setting of each layer, by the names of their parameters.

    Parameters
    ----------
    layers : sequence of Layer or None
        Anything else has none: the parameter `layers` is checked by `fit`.

    Returns
    -------
    dict
    """
    parameters = {}
    for i, layer in enumerate(layers if isinstance(layers, (list, tuple)) else ()):
        parameters[f"layers__{i}"] = layer
        if isinstance(layer, Layer):
            parameters |= {f"layers__{i}__{field.name}": getattr(layer, field.name) for field in fields(layer)}
    return parameters


def with_parameters(layers, parameters):
    """A new list of layers with some layers, and after that some settings, replaced.

    Parameters
    ----------
    layers : sequence of Layer or None
    parameters : dict
        By names as ``layers__0`` and ``layers__0__units``.

    Returns
    -------
    list

    Raises
    ------
    ValueError
        If there is no such layer, or if it has no such setting.
    """
    if not isinstance(layers, (list, tuple)):
        raise ValueError(
            f"layers must be a list of layers to set {quoted(', '.join(parameters), str)}, got {quoted(layers)}"
        )
    layers = list(layers)
    for name in sorted(parameters, key=lambda name: name.count("__")):  # whole layers first
        _, number, *setting = name.split("__", 2)
        if not (number.isascii() and number.isdigit() and int(number) < len(layers)):
            raise ValueError(
                f"{quoted(name, str)} must begin with layers__0 to layers__{len(layers) - 1}, got {quoted(number)}"
            )
        i = int(number)
        if not setting:
            layers[i] = parameters[name]
            continue
        names = [field.name for field in fields(layers[i])] if isinstance(layers[i], Layer) else []
        if setting[0] not in names:
            rule = (
                f"one of {', '.join(names)} of {quoted(layers[i])}"
                if names
                else f"a setting, which {quoted(layers[i])} lacks"
            )
            raise ValueError(f"{quoted(name, str)} must name {rule}, got {quoted(setting[0])}")
        layers[i] = replace(layers[i], **{setting[0]: parameters[name]})
    return layers
