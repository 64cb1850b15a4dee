"""Values of estimators' parameters, written as JSON with arrays beside it, and read from it.

Lists, strings, booleans, None and finite numbers are JSON's own. Every other value is an object with one name, which
says its type: ``{"tuple": [1, 2]}``, ``{"array": "fitted.weights.0"}``.
"""

import math
from dataclasses import fields

import numpy as np

from fastnn import layers
from fastnn.data.inputs import refusing
from fastnn.persistence.checks import shown
from fastnn.persistence.safetensors_file import can_hold

# The values that a parameter `dtype` may have.
_TYPES = {"float": float, "numpy.float32": np.float32, "numpy.float64": np.float64}
_DTYPES = {"float32": np.dtype(np.float32), "float64": np.dtype(np.float64)}
# The layers that a network may have.
_LAYERS = {name: getattr(layers, name) for name in layers.__all__ if name != "Layer"}


class Writer:
    """Turns values into JSON and arrays.

    Parameters
    ----------
    taken_apart : callable
        Makes simple values of a model, of this writer and of the beginning of its arrays' names; None of what is not a
        model that can be saved within another one.

    Attributes
    ----------
    arrays : dict of str to ndarray
        The arrays in the values that were written.
    """

    def __init__(self, taken_apart):
        self.taken_apart = taken_apart
        self.arrays = {}
        self._names = {}  # of arrays, by their ids: an array that is there twice is written once, and read as one

    def write(self, value, name):
        """Turn a value into what JSON can hold.

        Parameters
        ----------
        value : object
        name : str
            The value's name in messages, with which its arrays' names begin.

        Raises
        ------
        TypeError
            When the value is of a type that cannot be saved.
        """
        if value is None or type(value) in (bool, int, str) or (type(value) is float and math.isfinite(value)):
            return value
        if type(value) is float:
            return {"float": repr(value)}
        if type(value) in (list, tuple):
            items = self._written(value, name)
            return items if type(value) is list else {"tuple": items}
        if type(value) is dict:
            if all(type(key) is str for key in value):
                return {"dict": {key: self.write(item, f"{name}.{key}") for key, item in value.items()}}
            return {"items": [self._written(pair, name) for pair in value.items()]}
        if type(value) is slice:
            return {"slice": self._written((value.start, value.stop, value.step), name)}
        if (model := self.taken_apart(value, self, f"{name}.")) is not None:
            return {"model": model}
        if type(value) in _LAYERS.values():
            settings = {field.name: getattr(value, field.name) for field in fields(value)}
            return {"layer": [type(value).__name__, self.write(settings, name)]}
        if isinstance(value, np.ndarray):
            return self._write_array(value, name)
        if isinstance(value, np.generic):
            return {"scalar": self._write_array(np.asarray(value), name)}
        for type_name, known in (("type", _TYPES), ("dtype", _DTYPES)):
            for known_name, one in known.items():
                if type(value) is type(one) and value == one:
                    return {type_name: known_name}
        if type(value) is np.random.RandomState and value.get_state(legacy=False)["bit_generator"] == "MT19937":
            return {"random_state": self._written(value.get_state(), name)}
        raise TypeError(
            f"{name} must be None, a boolean, a number, a string, a list, tuple, dict or array of these, or a "
            f"RandomState, to be saved, got {shown(value)}"
        )

    def _written(self, values, name):
        return [self.write(value, f"{name}.{i}") for i, value in enumerate(values)]

    def _write_array(self, array, name):
        if array.dtype.kind == "O" and array.ndim == 1:
            return {"objects": self._written(array.tolist(), name)}
        if array.dtype.kind == "U":
            # As code points: NumPy keeps every string as equally many, the last of them zeros.
            codes = array.astype(array.dtype.newbyteorder("="), order="C").reshape(-1).view(np.uint32)
            return {"text": self._kept(codes.reshape(*array.shape, array.itemsize // 4), name)}
        if not can_hold(array.dtype):
            raise TypeError(
                f"{name} must be an array of booleans, numbers or strings, or one of objects with 1 axis, to be saved, "
                f"got {shown(array)}"
            )
        return {"array": self._kept(array, name)}

    def _kept(self, array, name):
        """The name under which an array is kept; keeping the array also keeps its id from being used again."""
        if id(array) not in self._names:
            while name in self.arrays:
                name += "_"
            self._names[id(array)], self.arrays[name] = name, array
        return self._names[id(array)]


class Reader:
    """Turns JSON and arrays into values again.

    Parameters
    ----------
    arrays : dict of str to ndarray
    put_together : callable
        Makes a model of what the writer's `taken_apart` made of it, and of this reader.

    Attributes
    ----------
    unused : set of str
        The names of the arrays that no value had so far.
    """

    def __init__(self, arrays, put_together):
        self.arrays = arrays
        self.unused = set(arrays)
        # Of each object by its name: the type of its content, and the function that makes the value.
        self._types = {
            "float": (str, _float),
            "tuple": (list, lambda items: tuple(self._all(items))),
            "dict": (dict, lambda items: {key: self._read(item) for key, item in items.items()}),
            "items": (list, self._items),
            "array": (str, self._array),
            "text": (str, self._text),
            "objects": (list, self._objects),
            "scalar": (dict, self._scalar),
            "type": (str, lambda name: _named(_TYPES, name, "type")),
            "dtype": (str, lambda name: _named(_DTYPES, name, "dtype")),
            "random_state": (list, self._random_state),
            "layer": (list, self._layer),
            "slice": (list, self._slice),
            "model": (dict, lambda settings: put_together(settings, self)),
        }

    def read(self, value):
        """The value that was written so.

        Raises
        ------
        ValueError
            When no value is written so, or when it is nested too deeply.
        """
        try:
            return self._read(value)
        except RecursionError:
            raise ValueError("it is nested too deeply") from None

    def _read(self, value):
        if isinstance(value, list):
            return self._all(value)
        if not isinstance(value, dict):
            return value
        if len(value) != 1:
            raise ValueError(f"an object in the settings must have 1 name, got {len(value)}")
        ((name, content),) = value.items()
        content_type, make = _named(self._types, name, "the name of an object in the settings")
        if not isinstance(content, content_type):
            raise ValueError(f"{name!r} in the settings must be a {content_type.__name__}, got {shown(content)}")
        return make(content)

    def _all(self, contents):
        return [self._read(content) for content in contents]

    def _items(self, content):
        pairs = self._all(content)
        for pair in pairs:
            if not isinstance(pair, list) or len(pair) != 2:
                raise ValueError(f"'items' in the settings must be a list of lists of 2 values, got {shown(pair)}")
            if not _can_be_key(pair[0]):
                raise ValueError(f"a dict's key must be None, a boolean, a number or a string, got {shown(pair[0])}")
        values = {key: value for key, value in pairs}
        if len(values) < len(pairs):
            raise ValueError(f"a dict must have each key once, got {len(values)} different keys of {len(pairs)}")
        return values

    def _array(self, name):
        if name not in self.arrays:
            raise ValueError(f"it lacks the array {shown(name)}")
        self.unused.discard(name)
        return self.arrays[name]

    def _text(self, name):
        codes = self._array(name)
        if codes.dtype != np.uint32 or codes.ndim < 1 or codes.shape[-1] < 1 or codes.max(initial=0) > 0x10FFFF:
            raise ValueError(f"the array {shown(name)} must be Unicode code points of uint32, got {shown(codes)}")
        return codes.reshape(-1).view(f"=U{codes.shape[-1]}").reshape(codes.shape[:-1])

    def _objects(self, content):
        values = self._all(content)
        array = np.empty(len(values), object)
        array[:] = values
        return array

    def _scalar(self, content):
        array = self._read(content)
        if not isinstance(array, np.ndarray) or array.ndim != 0 or array.dtype == object:
            raise ValueError(f"'scalar' in the settings must be an array of shape (), got {shown(array)}")
        return array[()]

    def _layer(self, content):
        if len(content) != 2 or not isinstance(content[0], str):
            raise ValueError(f"'layer' in the settings must be a name and a dict, got {shown(content)}")
        cls, settings = _named(_LAYERS, content[0], "the name of a layer"), self._read(content[1])
        if not isinstance(settings, dict):
            raise ValueError(f"the settings of {content[0]} must be a dict, got {shown(settings)}")
        names = {field.name for field in fields(cls)}
        if not settings.keys() <= names:
            raise ValueError(f"the settings of {content[0]} must be among {sorted(names)}, got {shown(settings)}")
        with refusing(f"{content[0]} must have all settings without a default", errors=(TypeError,)):
            return cls(**settings)

    def _slice(self, content):
        ends = self._all(content)
        if len(ends) != 3 or not all(end is None or type(end) in (int, str) for end in ends):
            raise ValueError(f"'slice' in the settings must be 3 integers, strings or None, got {shown(ends)}")
        return slice(*ends)

    def _random_state(self, content):
        state = self._all(content)
        if len(state) != 5 or state[0] != "MT19937":
            raise ValueError(f"random_state must be the 5 parts of an MT19937 generator, got {shown(state)}")
        key, position, has_gauss, gauss = state[1:]
        # NumPy takes any position, and reads there; and a key of zeros, which makes nothing but zeros.
        if not isinstance(key, np.ndarray) or key.dtype != np.uint32 or key.shape != (624,) or not key[1:].any():
            raise ValueError(
                f"random_state's key must be an array of uint32 and shape (624,), not all zero, got {shown(key)}"
            )
        if type(position) is not int or not 0 <= position <= 624:
            raise ValueError(f"random_state's position must be an integer from 0 to 624, got {shown(position)}")
        if type(has_gauss) is not int or type(gauss) is not float:
            raise ValueError(
                f"random_state's last two parts must be an integer and a float, got {shown((has_gauss, gauss))}"
            )
        random_state = np.random.RandomState()
        random_state.set_state(("MT19937", key, position, has_gauss & 1, gauss))
        return random_state


def _float(text):
    if text not in ("nan", "inf", "-inf"):
        raise ValueError(f"'float' in the settings must be one of nan, inf, -inf, got {shown(text)}")
    return float(text)


def _can_be_key(value):
    return value is None or isinstance(value, (bool, int, float, str, np.generic))


def _named(table, name, what):
    """The entry of a table under a name; `what` says in messages what the name is."""
    if name not in table:
        raise ValueError(f"{what} must be one of {', '.join(table)}, got {shown(name)}")
    return table[name]
