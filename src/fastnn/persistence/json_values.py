"""Plain values, as estimators have them for settings, in JSON with arrays beside it, and back.

Lists, strings, truth values, None and finite numbers are JSON's own. Everything else is an object of one name, its
kind: ``{"tuple": [1, 2]}``, ``{"array": "fitted.coefs.0"}``.
"""

import math

import numpy as np

from fastnn.persistence.safetensors_file import can_hold

# What a parameter `dtype` may be.
_TYPES = {"float": float, "numpy.float32": np.float32, "numpy.float64": np.float64}
_DTYPES = {"float32": np.dtype(np.float32), "float64": np.dtype(np.float64)}


class Writer:
    """Takes values apart.

    Attributes
    ----------
    arrays : dict of str to ndarray
        Those that the values had.
    """

    def __init__(self):
        self.arrays = {}
        self._names = {}  # of arrays by their ids, so that one that is there twice is written once, and stays one

    def write(self, value, name):
        """A value in JSON.

        Parameters
        ----------
        value : object
        name : str
            What it is, for its arrays and for messages.

        Raises
        ------
        TypeError
            For what is not plain.
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
        if isinstance(value, np.ndarray):
            return self._write_array(value, name)
        if isinstance(value, np.generic):
            return {"scalar": self._write_array(np.asarray(value), name)}
        for kind, known in (("type", _TYPES), ("dtype", _DTYPES)):
            for known_name, one in known.items():
                if type(value) is type(one) and value == one:
                    return {kind: known_name}
        if type(value) is np.random.RandomState and value.get_state(legacy=False)["bit_generator"] == "MT19937":
            return {"random_state": self._written(value.get_state(), name)}
        raise TypeError(
            f"{name} is {value!r}, which cannot be saved: plain settings are None, numbers and strings; lists, tuples, "
            "dicts and arrays of them; and a RandomState."
        )

    def _written(self, values, name):
        return [self.write(value, f"{name}.{i}") for i, value in enumerate(values)]

    def _write_array(self, array, name):
        if array.dtype.kind == "O" and array.ndim == 1:
            return {"objects": self._written(array.tolist(), name)}
        if array.dtype.kind == "U":
            # Their code points: in NumPy's memory each string is so many, filled up with zeros.
            codes = array.astype(array.dtype.newbyteorder("="), order="C").reshape(-1).view(np.uint32)
            return {"text": self._kept(codes.reshape(*array.shape, array.itemsize // 4), name)}
        if not can_hold(array.dtype):
            raise TypeError(f"{name} is an array of {array.ndim} axes and dtype {array.dtype}, which cannot be saved")
        return {"array": self._kept(array, name)}

    def _kept(self, array, name):
        """The name under which an array is kept, and with it its id."""
        if id(array) not in self._names:
            while name in self.arrays:
                name += "_"
            self._names[id(array)], self.arrays[name] = name, array
        return self._names[id(array)]


class Reader:
    """Puts values together again.

    Parameters
    ----------
    arrays : dict of str to ndarray
    """

    def __init__(self, arrays):
        self.arrays = arrays
        self.unused = set(arrays)
        self._kinds = {
            "float": self._float,
            "tuple": lambda content: tuple(self._all(content)),
            "dict": self._dict,
            "items": self._items,
            "array": self._array,
            "text": self._text,
            "objects": self._objects,
            "scalar": self._scalar,
            "type": lambda content: _named(_TYPES, content),
            "dtype": lambda content: _named(_DTYPES, content),
            "random_state": self._random_state,
        }

    def read(self, value):
        """The value that was written so.

        Raises
        ------
        ValueError
            For what no value is written as, and what is nested too deeply.
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
            raise ValueError(f"an object of {len(value)} names is no value")
        ((kind, content),) = value.items()
        return _named(self._kinds, kind)(content)

    def _all(self, contents):
        if not isinstance(contents, list):
            raise ValueError("what should be a list is none")
        return [self._read(content) for content in contents]

    def _dict(self, content):
        if not isinstance(content, dict):
            raise ValueError("what should be a dict is none")
        return {key: self._read(item) for key, item in content.items()}

    def _items(self, content):
        pairs = self._all(content)
        if not all(isinstance(pair, list) and len(pair) == 2 and _can_be_key(pair[0]) for pair in pairs):
            raise ValueError("what should be a dict is none")
        values = {key: value for key, value in pairs}
        if len(values) < len(pairs):
            raise ValueError("a dict has a key twice")
        return values

    @staticmethod
    def _float(content):
        if content not in ("nan", "inf", "-inf"):
            raise ValueError(f"{content!r} is no float")
        return float(content)

    def _array(self, name):
        array = _named(self.arrays, name)
        self.unused.discard(name)
        return array

    def _text(self, name):
        codes = self._array(name)
        if codes.dtype != np.uint32 or codes.ndim < 1 or codes.shape[-1] < 1 or codes.max(initial=0) > 0x10FFFF:
            raise ValueError(f"the array {name!r} is no text")
        return codes.reshape(-1).view(f"=U{codes.shape[-1]}").reshape(codes.shape[:-1])

    def _objects(self, content):
        values = self._all(content)
        array = np.empty(len(values), object)
        array[:] = values
        return array

    def _scalar(self, content):
        array = self._read(content)
        if not isinstance(array, np.ndarray) or array.ndim != 0 or array.dtype == object:
            raise ValueError("what should be a single number is none")
        return array[()]

    def _random_state(self, content):
        state = self._all(content)
        if len(state) != 5 or state[0] != "MT19937":
            raise ValueError("the random numbers are of an unknown kind")
        key, position, has_gauss, gauss = state[1:]
        # NumPy takes any position, and reads there; and a key of zeros, which makes nothing but zeros.
        if not isinstance(key, np.ndarray) or key.dtype != np.uint32 or key.shape != (624,) or not key[1:].any():
            raise ValueError("the random numbers' key is none")
        if (
            type(position) is not int
            or not 0 <= position <= 624
            or type(has_gauss) is not int
            or type(gauss) is not float
        ):
            raise ValueError("the random numbers' state is none")
        random_state = np.random.RandomState()
        random_state.set_state(("MT19937", key, position, has_gauss & 1, gauss))
        return random_state


def _can_be_key(value):
    return value is None or isinstance(value, (bool, int, float, str, np.generic))


def _named(table, name):
    if not isinstance(name, str) or name not in table:
        raise ValueError(f"there is no {name!r} here" if isinstance(name, (str, int)) else "a name is no string")
    return table[name]
