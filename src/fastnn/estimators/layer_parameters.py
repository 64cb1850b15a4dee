"""A network's layers as parameters: ``layers__0`` is a layer, ``layers__0__units`` a setting of it.

A setting that is a layer has settings, too: ``layers__0__layer__units``.
"""

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
        parameters |= _settings(layer, f"layers__{i}")
    return parameters


def _settings(layer, prefix):
    settings = {}
    for field in fields(layer) if isinstance(layer, Layer) else ():
        name, value = f"{prefix}__{field.name}", getattr(layer, field.name)
        settings |= {name: value} | _settings(value, name)
    return settings


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
        _, number, *path = name.split("__")
        if not (number.isascii() and number.isdigit() and int(number) < len(layers)):
            raise ValueError(
                f"{quoted(name, str)} must begin with layers__0 to layers__{len(layers) - 1}, got {quoted(number)}"
            )
        layers[int(number)] = _replaced(layers[int(number)], path, parameters[name], name)
    return layers


def _replaced(layer, path, value, name):
    """A layer with one of its settings, or of those of a layer in it, replaced: itself, where the path ends."""
    if not path:
        return value
    names = [field.name for field in fields(layer)] if isinstance(layer, Layer) else []
    if path[0] not in names or (len(path) > 1 and not isinstance(getattr(layer, path[0]), Layer)):
        rule = f"one of {', '.join(names)} of {quoted(layer)}" if names else f"a setting, which {quoted(layer)} lacks"
        raise ValueError(f"{quoted(name, str)} must name {rule}, got {quoted('__'.join(path))}")
    setting = _replaced(getattr(layer, path[0]), path[1:], value, name)
    return replace(layer, **{path[0]: setting})
