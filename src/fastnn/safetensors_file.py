"""The file format safetensors, https://github.com/huggingface/safetensors: named arrays, and strings about them.

Eight bytes that say how long the header is, a header in JSON, and the arrays' bytes one after the other. There is no
code in it, and nothing that is not looked at here: a reader may be given anything.
"""

import json
import math
import os
import sys

import numpy as np

LENGTH_BYTES = 8  # of the number that says how long the header is
MOST_HEADER_BYTES = 100_000_000  # which the safetensors package has for a limit too
MOST_AXES = 32  # which every NumPy can have

_DTYPES = {
    "BOOL": "|b1",
    "U8": "|u1",
    "I8": "|i1",
    "U16": "<u2",
    "I16": "<i2",
    "F16": "<f2",
    "U32": "<u4",
    "I32": "<i4",
    "F32": "<f4",
    "U64": "<u8",
    "I64": "<i8",
    "F64": "<f8",
}
_NAMES = {np.dtype(code): name for name, code in _DTYPES.items()}


def can_hold(dtype):
    """Whether the format has arrays of this dtype, in whatever byte order."""
    return dtype.newbyteorder("<") in _NAMES


def parsed(text):
    """What a text in JSON says.

    Raises
    ------
    ValueError
        Also for what `json` lets pass: a name given twice, of which it takes the last, and NaN; and for what is nested
        too deeply to be taken apart.
    """

    def unique(pairs):
        names = dict(pairs)
        if len(names) < len(pairs):
            raise ValueError("a name is there twice")
        return names

    def refused(constant):
        raise ValueError(f"{constant} is no JSON")

    try:
        return json.loads(text, object_pairs_hook=unique, parse_constant=refused)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def contents(arrays, metadata):
    """A file's parts, to be written one after the other.

    Parameters
    ----------
    arrays : dict of str to ndarray
        Of dtypes that the format `can_hold`.
    metadata : dict of str to str

    Returns
    -------
    list of bytes or ndarray

    Raises
    ------
    ValueError
        When the header is longer than readers take.
    """
    arrays = {
        name: array.astype(array.dtype.newbyteorder("<"), order="C", copy=False) for name, array in arrays.items()
    }
    # The widest numbers come first, so that all are aligned for whoever maps the file into memory.
    order = sorted(arrays, key=lambda name: (-arrays[name].itemsize, name))
    header, offset = {"__metadata__": metadata}, 0
    for name in order:
        array = arrays[name]
        header[name] = {
            "dtype": _NAMES[array.dtype],
            "shape": list(array.shape),
            "data_offsets": [offset, offset + array.nbytes],
        }
        offset += array.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % LENGTH_BYTES)
    if len(text) > MOST_HEADER_BYTES:
        raise ValueError(f"the names and settings take {len(text)} bytes, of {MOST_HEADER_BYTES} that a file may have")
    return [len(text).to_bytes(LENGTH_BYTES, "little"), text, *(arrays[name] for name in order)]


def read(file):
    """The arrays and the metadata in a file.

    Parameters
    ----------
    file : binary file, unbuffered or not
        At its beginning.

    Returns
    -------
    arrays : dict of str to ndarray
        In this machine's byte order, writeable.
    metadata : dict of str to str

    Raises
    ------
    ValueError
        For whatever is not as the format has it. No memory is taken for more than the file has bytes for.
    """
    n_bytes = os.fstat(file.fileno()).st_size
    start = file.read(LENGTH_BYTES)
    if len(start) < LENGTH_BYTES:
        raise ValueError(f"it ends after {len(start)} bytes")
    n_header = int.from_bytes(start, "little")
    if n_header > min(n_bytes - LENGTH_BYTES, MOST_HEADER_BYTES):
        raise ValueError(f"it is no safetensors file: a header of {n_header} bytes, in a file of {n_bytes}")
    header = parsed(file.read(n_header).decode())
    if not isinstance(header, dict):
        raise ValueError("the header is no JSON object")
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ValueError("the metadata are no strings")
    layout = {name: _checked_entry(name, entry) for name, entry in header.items()}
    order = sorted(layout, key=lambda name: layout[name][2:])
    end = 0
    for name in order:
        if layout[name][2] != end:
            raise ValueError(f"the array {name!r} begins at byte {layout[name][2]} of the data, not at {end}")
        end = layout[name][3]
    if LENGTH_BYTES + n_header + end != n_bytes:
        raise ValueError(f"{end} bytes of data, in a file that has {n_bytes - LENGTH_BYTES - n_header}")
    return {name: _array(file, name, *layout[name][:2]) for name in order}, metadata


def _checked_entry(name, entry):
    """An array's dtype and shape, and where it begins and ends."""
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"the array {name!r} needs a dtype, a shape and data_offsets")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in _DTYPES:
        raise ValueError(f"the array {name!r} is of the unknown dtype {dtype!r}")
    if not _are_sizes(shape) or len(shape) > MOST_AXES or not _are_sizes(offsets) or len(offsets) != 2:
        raise ValueError(f"the array {name!r} has a shape, or offsets, that there cannot be")
    dtype = np.dtype(_DTYPES[dtype])
    # An axis of length 0 is no excuse for one that NumPy could not count the bytes of.
    if math.prod(max(size, 1) for size in shape) * dtype.itemsize > sys.maxsize:
        raise ValueError(f"the array {name!r} is too large")
    if offsets[1] - offsets[0] != math.prod(shape) * dtype.itemsize:
        raise ValueError(
            f"the array {name!r} has {offsets[1] - offsets[0]} bytes, which its shape {shape} does not need"
        )
    return dtype, tuple(shape), *offsets


def _are_sizes(values):
    return isinstance(values, list) and all(type(value) is int and 0 <= value <= sys.maxsize for value in values)


def _array(file, name, dtype, shape):
    array = np.empty(math.prod(shape), dtype)
    if file.readinto(array.view(np.uint8)) != array.nbytes:
        raise ValueError(f"it ends in the array {name!r}")
    if dtype == np.bool_ and array.view(np.uint8).max(initial=0) > 1:  # which NumPy would take for neither
        raise ValueError(f"the array {name!r} is of truth values, and has others")
    return array.reshape(shape).astype(dtype.newbyteorder("="), copy=False)
