"""Saves models to files, and loads them: the files hold arrays and settings, and no code that could be run."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from fastnn.data.quoted import quoted
from fastnn.estimators.foreign_names import local_advice
from fastnn.estimators.mlp_classifier import MLPClassifier
from fastnn.estimators.mlp_regressor import MLPRegressor
from fastnn.estimators.sequential_classifier import SequentialClassifier
from fastnn.estimators.sequential_regressor import SequentialRegressor
from fastnn.persistence.checks import listed, shown
from fastnn.persistence.json_values import Reader, Writer
from fastnn.persistence.modulars import check_modules_can_be_saved, make_modular, modular_parts
from fastnn.persistence.networks import make_mlp, mlp_parts
from fastnn.persistence.perceptrons import make_perceptron, perceptron_parts
from fastnn.persistence.safetensors_file import contents, parsed, read_arrays, read_header
from fastnn.persistence.sequentials import make_sequential, sequential_parts
from fastnn.persistence.whole_files import write_whole

if TYPE_CHECKING:
    from typing import Any, TypeAlias

    from fastnn.estimators.modular_classifier import ModularClassifier
    from fastnn.estimators.modular_regressor import ModularRegressor
    from fastnn.estimators.perceptron import Perceptron

    Model: TypeAlias = (
        MLPClassifier
        | MLPRegressor
        | SequentialClassifier
        | SequentialRegressor
        | Perceptron
        | ModularClassifier
        | ModularRegressor
    )

FORMAT, VERSION = "fastnn", "2"
KNOWN_VERSIONS = ("1", "2")  # version 1 had dense layers only
MOST_SAID = 500  # characters of an error message: it may quote the file, at any length


def _models():
    """Each class of models by its name, and the functions that turn a fitted model into parts and back."""
    # Not before they are needed: see fastnn's __getattr__.
    from fastnn.estimators.modular_classifier import ModularClassifier
    from fastnn.estimators.modular_regressor import ModularRegressor
    from fastnn.estimators.perceptron import Perceptron

    return {
        "MLPClassifier": (MLPClassifier, mlp_parts, make_mlp),
        "MLPRegressor": (MLPRegressor, mlp_parts, make_mlp),
        "SequentialClassifier": (SequentialClassifier, sequential_parts, make_sequential),
        "SequentialRegressor": (SequentialRegressor, sequential_parts, make_sequential),
        "Perceptron": (Perceptron, perceptron_parts, make_perceptron),
        "ModularClassifier": (ModularClassifier, modular_parts, make_modular),
        "ModularRegressor": (ModularRegressor, modular_parts, make_modular),
    }


def _parts_of_others():
    """The classes of models that others may have as parts: all that have no such parts themselves."""
    return [cls for name, (cls, _, _) in _models().items() if not name.startswith("Modular")]


def save(model: Model, path: str | bytes | os.PathLike[str] | os.PathLike[bytes]) -> None:
    """Write a model, fitted or not, to a file that `load` reads.

    The file is in the format safetensors, which other programs read too: the weights are its arrays, and its header
    has everything else. The file replaces an older one when it is complete, and not before.

    Parameters
    ----------
    model : MLPClassifier, MLPRegressor, SequentialClassifier, SequentialRegressor, Perceptron, ModularClassifier or \
ModularRegressor
        The estimators of a modular network must be of the others of these classes.
    path : str, bytes or os.PathLike

    Raises
    ------
    TypeError
        When such a file cannot hold the model: because of its class, of a parameter's value (a function, for
        instance), or of an attribute that the user has set. The message names the parameter or attribute.
    ValueError
        When `load` would refuse the model, for instance because a weight is not finite.
    OSError
        When the file cannot be written. An older file is then unchanged.

    Notes
    -----
    The file has the mode of the file that it replaces. Where `path` is a symbolic link, the file that it leads to is
    replaced.

    Examples
    --------
    >>> import os, tempfile
    >>> import fastnn
    >>> xor = fastnn.MLPClassifier.from_weights([[[1, 1], [1, 1]], [[1], [-2]]], [[0, -1], [-0.5]])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     fastnn.save(xor, os.path.join(folder, "xor.safetensors"))
    ...     fastnn.load(os.path.join(folder, "xor.safetensors")).predict([[0, 1], [1, 1]])
    array([1, 0])
    """
    path = os.fsdecode(path)
    try:
        arrays, metadata = _taken_apart(model)
        again = _put_together(arrays, _settings(metadata))
        parts = contents(arrays, metadata)
    except ValueError as error:
        raise ValueError(f"This {type(model).__name__} cannot be saved: {error}") from error
    besides = sorted(vars(model).keys() - vars(again).keys())
    if besides:
        names = quoted(", ".join(besides), str)
        raise TypeError(f"This {type(model).__name__} has attributes that cannot be saved: {names}.")
    write_whole(parts, path)


def load(path: str | bytes | os.PathLike[str] | os.PathLike[bytes]) -> Any:
    """Load the model in a file that `save` has written.

    All of the file is checked, and no code in it is run, so a file from an unknown source does no harm.

    Parameters
    ----------
    path : str, bytes or os.PathLike

    Returns
    -------
    MLPClassifier, MLPRegressor, SequentialClassifier, SequentialRegressor, Perceptron, ModularClassifier or \
ModularRegressor
        The model has the same predictions as the saved one, bit by bit, and its training resumes in the same way.

    Raises
    ------
    ValueError
        When the file does not hold such a model, complete and undamaged.
    OSError
        When the file cannot be read.

    Examples
    --------
    >>> import os, tempfile
    >>> import fastnn
    >>> line = fastnn.MLPRegressor.from_weights([[[2.0]]], [[1.0]])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     fastnn.save(line, os.path.join(folder, "line.safetensors"))
    ...     fastnn.load(os.path.join(folder, "line.safetensors")).predict([[3.0]])
    array([7.])
    """
    path = os.fsdecode(path)
    with open(path, "rb") as file:
        try:
            layout, metadata = read_header(file)
            settings = _settings(metadata)  # first, before the arrays take memory: they may belong to no model
            return _put_together(read_arrays(file, layout), settings)
        except (ValueError, TypeError, OverflowError) as error:  # the last one from scikit-learn's checks of parameters
            raise ValueError(f"{path} is not a fastnn model: {str(error)[:MOST_SAID]}") from error


def _taken_apart(model):
    """A file's arrays and metadata, from a model."""
    name = type(model).__name__
    if name not in _models() or type(model) is not _models()[name][0]:
        raise TypeError(f"model must be one of {', '.join(_models())}, got {type(model)}{local_advice(model)}")
    if name.startswith("Modular"):
        check_modules_can_be_saved(model, _parts_of_others())
    writer = Writer(_part_taken_apart)
    settings = _written(model, writer, "")
    return writer.arrays, {"format": FORMAT, "version": VERSION, "model": json.dumps(settings, allow_nan=False)}


def _part_taken_apart(part, writer, prefix):
    """A model that is a part of another one, as `_written` returns it; None for anything else."""
    return _written(part, writer, prefix) if type(part) in _parts_of_others() else None


def _written(model, writer, prefix):
    """A model's class, its parameters, and its fitted parts, as JSON; its arrays' names begin with the prefix."""
    name, parameters = type(model).__name__, model.get_params(deep=False)
    is_fitted = hasattr(model, "n_iter_") or hasattr(model, "named_modules_")
    return {
        "class": name,
        "parameters": {key: writer.write(value, f"{prefix}parameters.{key}") for key, value in parameters.items()},
        "fitted": writer.write(_models()[name][1](model), f"{prefix}fitted") if is_fitted else None,
    }


def _settings(metadata):
    """A model's class, its parameters, and its fitted parts, all as JSON, from a file's metadata."""
    for name in ("format", "version", "model"):
        if name not in metadata:
            raise ValueError(f'its header lacks "{name}"')
    if metadata["format"] != FORMAT:
        raise ValueError(f"its format must be {FORMAT!r}, got {shown(metadata['format'])}")
    if metadata["version"] not in KNOWN_VERSIONS:
        raise ValueError(f"its version must be one of {', '.join(KNOWN_VERSIONS)}, got {shown(metadata['version'])}")
    return _checked(parsed(metadata["model"]), _models())


def _checked(settings, models):
    """The settings of one of these models, with a class and parameters that there are."""
    if not isinstance(settings, dict) or settings.keys() != {"class", "parameters", "fitted"}:
        raise ValueError(f"its settings must be a dict with class, parameters and fitted, got {shown(settings)}")
    name, parameters = settings["class"], settings["parameters"]
    if not isinstance(name, str) or name not in models:
        raise ValueError(f"its class must be one of {', '.join(models)}, got {shown(name)}")
    if not isinstance(parameters, dict):
        raise ValueError(f"the parameters must be a dict, got {shown(parameters)}")
    if unknown := sorted(parameters.keys() - set(_models()[name][0]._get_param_names())):
        raise ValueError(f"the parameters must be those of {name}, got {listed(unknown)} besides")
    return settings


def _put_together(arrays, settings):
    """A model, from a file's arrays and settings."""
    reader = Reader(arrays, _part_put_together)
    model = _read(settings, reader)
    if reader.unused:
        raise ValueError(f"its arrays must be those of the model, got {listed(sorted(reader.unused))} besides")
    return model


def _part_put_together(settings, reader):
    """A model that is a part of another one."""
    return _read(_checked(settings, [cls.__name__ for cls in _parts_of_others()]), reader)


def _read(settings, reader):
    """The model that `_written` has written."""
    cls, _, make = _models()[settings["class"]]
    model = cls(**{key: reader.read(value) for key, value in settings["parameters"].items()})
    model._validate_params()
    if settings["fitted"] is not None:
        make(model, reader.read(settings["fitted"]))
    return model
