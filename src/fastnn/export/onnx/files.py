"""Models of ONNX in files that may be damaged, or made up to do harm: nothing is taken on trust, and nothing is run."""

import math
import os
import stat

import numpy as np

from fastnn.persistence.checks import shown

MOST_BYTES = 2**31 - 1  # which protobuf's messages have
# The types of tensors that are read, by ONNX's numbers: the field that has their values, and NumPy's type.
_TYPES = {
    1: ("float_data", np.dtype("<f4")),
    6: ("int32_data", np.dtype("<i4")),
    7: ("int64_data", np.dtype("<i8")),
    9: ("int32_data", np.dtype("?")),
    11: ("double_data", np.dtype("<f8")),
}
_STRINGS, _EXTERNAL = 8, 1


def parsed(path, onnx):
    """The model in a file.

    Raises
    ------
    ValueError
        For a file that does not hold a model of ONNX.
    OSError
    """
    with open(path, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_size > MOST_BYTES:
            raise ValueError(f"it must be a regular file of at most {MOST_BYTES} bytes, got {status.st_size}")
        data = file.read(status.st_size)
    try:
        model = onnx.ModelProto.FromString(data)
    except Exception as error:  # of protobuf, which may be of any implementation
        raise ValueError(f"it is not a model of ONNX: {error}") from error
    if not model.HasField("graph") or not model.opset_import:
        raise ValueError("it is not a model of ONNX: its graph or its opset is missing")
    return model


class Constants:
    """The constants of a graph, each of which is looked at when it is needed.

    Parameters
    ----------
    tensors : dict of str to onnx.TensorProto
    folder : str
        Where the model's file is: data outside the model must be in it.
    """

    def __init__(self, tensors, folder):
        self.tensors, self._folder, self._arrays = tensors, os.path.realpath(folder), {}

    def __contains__(self, name):
        return name in self.tensors

    def __getitem__(self, name):
        """The array of a constant.

        Raises
        ------
        ValueError
            Where its shape and its data do not fit each other, or its data is elsewhere.
        """
        if name not in self._arrays:
            self._arrays[name] = self._array(name, self.tensors[name])
        return self._arrays[name]

    def _array(self, name, tensor):
        shape, what = tuple(tensor.dims), f"the constant {shown(name)}"
        if any(size < 0 for size in shape):
            raise ValueError(f"the shape of {what} must have sizes of at least 0, got {shown(shape)}")
        n = math.prod(shape)
        if tensor.data_type == _STRINGS:
            return np.array(self._counted(what, tensor.string_data, n), object).reshape(shape)
        if tensor.data_type not in _TYPES:
            raise ValueError(f"{what} must be of float32, float64, integers, booleans or strings, got another type")
        field, dtype = _TYPES[tensor.data_type]
        if tensor.data_location == _EXTERNAL:
            data = self._external(what, tensor, n * dtype.itemsize)
        elif tensor.HasField("raw_data"):
            data = tensor.raw_data
        else:
            return np.array(self._counted(what, getattr(tensor, field), n), dtype).reshape(shape)
        self._counted(what, data, n * dtype.itemsize)
        return np.frombuffer(data, dtype).reshape(shape)

    def _counted(self, what, values, n):
        if len(values) != n:
            raise ValueError(f"{what} must have {shown(n)} values or bytes for its shape, got {len(values)}")
        return values

    def _external(self, what, tensor, n_bytes):
        entries = {entry.key: entry.value for entry in tensor.external_data}
        location = entries.get("location", "")
        path = os.path.realpath(os.path.join(self._folder, location))
        if not location or os.path.dirname(path) != self._folder or not os.path.isfile(path):
            raise ValueError(f"the data of {what} must be in a file of the model's folder, got {shown(location)}")
        offset, length = (_count(entries.get(key), default) for key, default in (("offset", 0), ("length", n_bytes)))
        if offset is None or length != n_bytes or offset + n_bytes > os.path.getsize(path):
            raise ValueError(
                f"the data of {what} must be {shown(n_bytes)} bytes of {shown(location)}, got {shown(entries)}"
            )
        with open(path, "rb") as file:
            file.seek(offset)
            return file.read(n_bytes)


def _count(text, default):
    """A number of bytes; None for any other text."""
    if text is None:
        return default
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None
