"""Models in files that hold arrays and settings only: nothing in them is run, whoever wrote them."""

import errno
import json
import os
import stat
from contextlib import suppress

from fastnn.estimators.mlp_classifier import MLPClassifier
from fastnn.estimators.mlp_regressor import MLPRegressor
from fastnn.estimators.perceptron import Perceptron
from fastnn.persistence.json_values import Reader, Writer
from fastnn.persistence.networks import make_mlp, mlp_parts
from fastnn.persistence.perceptrons import make_perceptron, perceptron_parts
from fastnn.persistence.safetensors_file import contents, parsed, read_arrays, read_header

FORMAT, VERSION = "fastnn", "2"
KNOWN_VERSIONS = ("1", "2")  # of which the first knew dense layers only
MOST_SAID = 500  # characters, about what is wrong: it may quote the file, at any length

#: How each class of models is taken apart and made, by its name.
_MODELS = {
    "MLPClassifier": (MLPClassifier, mlp_parts, make_mlp),
    "MLPRegressor": (MLPRegressor, mlp_parts, make_mlp),
    "Perceptron": (Perceptron, perceptron_parts, make_perceptron),
}


def save(model, path):
    """Write a model, fitted or not, to a file that `load` reads.

    The file is in the format safetensors, which other programs read too: the weights are its arrays, all else is in
    its header. It takes the place of an older one when it is complete, and not before.

    Parameters
    ----------
    model : MLPClassifier, MLPRegressor or Perceptron
    path : str, bytes or os.PathLike

    Raises
    ------
    TypeError
        When the model, one of its parameters (which the message names: a function, for instance) or an attribute that
        it was given besides is nothing that such a file can hold.
    ValueError
        When the model is one that `load` would refuse: for weights that are not finite, say.
    OSError
        When the file cannot be written; the old one, if any, is then still there.

    Notes
    -----
    It has the mode of the file whose place it takes; a link stays one.

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
        raise TypeError(f"This {type(model).__name__} has attributes that cannot be saved: {', '.join(besides)}.")
    _write(parts, path)


def load(path):
    """The model in a file that `save` has written.

    Nothing in the file is run, and all of it is checked: it may come from anywhere.

    Parameters
    ----------
    path : str, bytes or os.PathLike

    Returns
    -------
    MLPClassifier, MLPRegressor or Perceptron
        It predicts the same, bit by bit, and training goes on as it would have with the one that was saved.

    Raises
    ------
    ValueError
        When the file does not hold such a model, complete and undamaged.
    OSError
        When it cannot be read.
    """
    path = os.fsdecode(path)
    with open(path, "rb") as file:
        try:
            layout, metadata = read_header(file)
            settings = _settings(metadata)  # before memory is taken for arrays that may be no model's
            return _put_together(read_arrays(file, layout), settings)
        except (ValueError, TypeError, OverflowError) as error:  # the latter from scikit-learn's checks of parameters
            raise ValueError(f"{path} is not a fastnn model: {str(error)[:MOST_SAID]}") from error


def _taken_apart(model):
    """A model as a file's arrays and metadata."""
    name = type(model).__name__
    if name not in _MODELS or type(model) is not _MODELS[name][0]:
        raise TypeError(f"A model to save must be one of {', '.join(_MODELS)}, not {type(model)}.")
    writer = Writer()
    parameters = model.get_params(deep=False)
    settings = {
        "class": name,
        "parameters": {key: writer.write(value, f"parameters.{key}") for key, value in parameters.items()},
        "fitted": writer.write(_MODELS[name][1](model), "fitted") if hasattr(model, "n_iter_") else None,
    }
    return writer.arrays, {"format": FORMAT, "version": VERSION, "model": json.dumps(settings, allow_nan=False)}


def _settings(metadata):
    """What a file's metadata, which may be anything, say of the model: its class, parameters, and what was fitted."""
    if metadata.get("format") != FORMAT or "model" not in metadata:
        raise ValueError("it holds arrays, but no model")
    if metadata.get("version") not in KNOWN_VERSIONS:
        raise ValueError(f"its version must be one of {', '.join(KNOWN_VERSIONS)}, got {metadata.get('version')!r}")
    settings = parsed(metadata["model"])
    if not isinstance(settings, dict) or settings.keys() != {"class", "parameters", "fitted"}:
        raise ValueError("the settings are none of a model")
    name, parameters = settings["class"], settings["parameters"]
    if not isinstance(name, str) or name not in _MODELS:
        raise ValueError(f"there is no class {name!r}")
    if not isinstance(parameters, dict) or not parameters.keys() <= set(_MODELS[name][0]._get_param_names()):
        raise ValueError(f"the parameters are none of {name}")
    return settings


def _put_together(arrays, settings):
    """The model of a file's arrays, and of its settings."""
    cls, _, make = _MODELS[settings["class"]]
    model = cls()
    reader = Reader(arrays)
    model.set_params(**{key: reader.read(value) for key, value in settings["parameters"].items()})
    model._validate_params()
    if settings["fitted"] is not None:
        make(model, reader.read(settings["fitted"]))
    if reader.unused:
        raise ValueError(f"there are arrays of no use: {', '.join(map(repr, sorted(reader.unused)))}")
    return model


def _write(parts, path):
    """Write a file, whole or not at all: one beside it, which then takes its place, and has its mode."""
    if os.path.basename(path) in ("", os.curdir, os.pardir):
        number = errno.EISDIR if path else errno.ENOENT
        raise OSError(number, os.strerror(number), path)
    path = os.path.realpath(path)  # where a link leads, that the link stays one
    try:
        mode = os.stat(path).st_mode  # which also says so where links lead in a circle
    except FileNotFoundError:
        mode = None
    if mode is not None and not stat.S_ISREG(mode):  # a device, say, whose place a file would take
        raise FileExistsError(errno.EEXIST, "is no regular file", path)
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        raise FileNotFoundError(errno.ENOENT, "there is no folder to write to", folder)
    temporary = os.path.join(folder, f".fastnn-{os.urandom(8).hex()}.tmp")
    # Never to be read by more than may read the old one, nor before it is complete.
    permissions = 0o666 if mode is None else stat.S_IMODE(mode)
    with open(temporary, "xb", opener=lambda name, flags: os.open(name, flags, permissions)) as file:
        try:
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
            if mode is not None:
                os.chmod(temporary, permissions)  # with what the umask has left out
            os.replace(temporary, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
