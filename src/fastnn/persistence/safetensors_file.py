"""The file format safetensors, https://github.com/huggingface/safetensors: named arrays, and strings about them.

A file has eight bytes that say how long the header is, a header in JSON, and the arrays' bytes one after the other.
It holds no code. All of it is checked here, since a file may be damaged, or made up to do harm.
"""

import json
import math
import os
import re
import sys
from itertools import islice

import numpy as np

from fastnn.data.quoted import quoted
from fastnn.persistence.checks import shown

LENGTH_BYTES = 8  # of the number that says how long the header is
# The safetensors package takes 100 MB, which can be made to take 2 GB of memory. A million names of features, of ten
# letters each, are 16 MB; a thousand layers, with what their optimizer remembers, 2 MB.
MOST_HEADER_BYTES = 2**24
# A part is a list, an object or a name in one: Python needs some thirty times its bytes. A layer has a hundred parts.
MOST_PARTS = 2**19
MOST_AXES = 32  # as many as every version of NumPy supports

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
# All that comes before a part, strings too (the last one may have no end), and the part's first character.
_PART = re.compile(r'(?:[^"\[{:]++|"[^"\\]*+(?:\\.[^"\\]*+)*+"?)*+(?:[\[{:]|\Z)', re.DOTALL)
_SIZES = f"integers from 0 to {sys.maxsize}"
_NAMES = {np.dtype(code): name for name, code in _DTYPES.items()}


def can_hold(dtype):
    """Whether the format has arrays of this dtype, in whatever byte order."""
    return dtype.newbyteorder("<") in _NAMES


def parsed(text):
    """The value of a text in JSON.

    Raises
    ------
    ValueError
        When the text is not JSON; when it has NaN, or a name twice in an object, both of which `json` accepts; when it
        is nested too deeply for Python; and when its value would take memory out of proportion to its length.
    """
    _check_parts(text)

    def unique(pairs):
        names = dict(pairs)
        if len(names) < len(pairs):
            raise ValueError(f"an object must have each name once, got {len(names)} different names of {len(pairs)}")
        return names

    def refused(constant):
        raise ValueError(f"a number in JSON must be finite, got {constant}")

    try:
        return json.loads(text, object_pairs_hook=unique, parse_constant=refused)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _check_parts(text):
    if sum(1 for _ in islice(_PART.finditer(text), MOST_PARTS + 1)) > MOST_PARTS:
        raise ValueError(f"the names and settings must have at most {MOST_PARTS} parts, got more")


def contents(arrays, metadata):
    """The pieces of a file, which are to be written one after the other.

    Parameters
    ----------
    arrays : dict of str to ndarray
        Their dtypes are those that the format `can_hold`.
    metadata : dict of str to str

    Returns
    -------
    list of bytes or ndarray

    Raises
    ------
    ValueError
        When the header is too long, or has too many parts, for readers to accept it.
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
    text = json.dumps(header)
    _check_parts(text)
    text = text.encode()
    text += b" " * (-len(text) % LENGTH_BYTES)
    if len(text) > MOST_HEADER_BYTES:
        raise ValueError(f"the names and settings must take at most {MOST_HEADER_BYTES} bytes, got {len(text)}")
    return [len(text).to_bytes(LENGTH_BYTES, "little"), text, *(arrays[name] for name in order)]


def read_header(file):
    """Read the layout of a file's arrays, and its metadata.

    Parameters
    ----------
    file : binary file, unbuffered or not
        Its position is the beginning.

    Returns
    -------
    layout : dict of str to (dtype, shape, start, end)
        An entry for each array, in the order of the arrays' bytes, which follow each other to the file's end.
    metadata : dict of str to str

    Raises
    ------
    ValueError
        When the file breaks a rule of the format.
    """
    n_bytes = os.fstat(file.fileno()).st_size
    start = file.read(LENGTH_BYTES)
    if len(start) < LENGTH_BYTES:
        raise ValueError(f"it must have at least {LENGTH_BYTES} bytes, got {len(start)}")
    n_header = int.from_bytes(start, "little")
    most = min(n_bytes - LENGTH_BYTES, MOST_HEADER_BYTES)
    if n_header > most:
        raise ValueError(f"its header must have at most {most} bytes, got {n_header}: it may not be a safetensors file")
    header = parsed(file.read(n_header).decode())
    if not isinstance(header, dict):
        raise ValueError(f"its header must be a JSON object, got a {type(header).__name__}")
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ValueError("the metadata in its header must be an object of strings, got other values")
    layout = {name: _checked_entry(name, entry) for name, entry in header.items()}
    layout = dict(sorted(layout.items(), key=lambda item: item[1][2:]))
    end = 0
    for name in layout:
        if layout[name][2] != end:
            raise ValueError(f"the array {shown(name)} must begin at byte {end} of the data, got {layout[name][2]}")
        end = layout[name][3]
    if LENGTH_BYTES + n_header + end != n_bytes:
        raise ValueError(f"its arrays must have {n_bytes - LENGTH_BYTES - n_header} bytes, got {end} in the header")
    return layout, metadata


def read_arrays(file, layout):
    """Read the arrays of a file whose header has been read.

    Parameters
    ----------
    file : binary file
        Its position is the header's end.
    layout : dict
        What `read_header` returned.

    Returns
    -------
    dict of str to ndarray
        Writeable arrays in this machine's byte order.

    Raises
    ------
    ValueError
        When the file ends before the arrays do, or a boolean's byte is neither 0 nor 1.
    """
    return {name: _array(file, name, dtype, shape) for name, (dtype, shape, _, _) in layout.items()}


def _checked_entry(name, entry):
    """An array's dtype and shape, and the bytes at which it begins and ends."""
    what = f"the array {shown(name)}"
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        given = quoted(", ".join(entry), str) if isinstance(entry, dict) else shown(entry)
        raise ValueError(f"{what} must have dtype, shape and data_offsets, got {given}")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in _DTYPES:
        raise ValueError(f"{what} must have one of the dtypes {', '.join(_DTYPES)}, got {shown(dtype)}")
    if not _are_sizes(shape) or len(shape) > MOST_AXES:
        raise ValueError(f"the shape of {what} must be at most {MOST_AXES} {_SIZES}, got {shown(shape)}")
    if not _are_sizes(offsets) or len(offsets) != 2:
        raise ValueError(f"the data_offsets of {what} must be 2 {_SIZES}, got {shown(offsets)}")
    dtype = np.dtype(_DTYPES[dtype])
    # NumPy refuses a shape whose other axes are too large, even where one axis is of length 0.
    if math.prod(max(size, 1) for size in shape) * dtype.itemsize > sys.maxsize:
        raise ValueError(f"{what} must have at most {sys.maxsize} bytes, got the shape {shown(shape)}")
    n_bytes = math.prod(shape) * dtype.itemsize
    if offsets[1] - offsets[0] != n_bytes:
        given = offsets[1] - offsets[0]
        raise ValueError(f"{what} must have {n_bytes} bytes for its shape {shown(shape)}, got {given}")
    return dtype, tuple(shape), *offsets


def _are_sizes(values):
    return isinstance(values, list) and all(type(value) is int and 0 <= value <= sys.maxsize for value in values)


def _array(file, name, dtype, shape):
    array = np.empty(math.prod(shape), dtype)
    n_read = file.readinto(array.view(np.uint8))
    if n_read != array.nbytes:
        raise ValueError(f"the array {shown(name)} must have {array.nbytes} bytes, got {n_read} before the file's end")
    if dtype == np.bool_ and (most := array.view(np.uint8).max(initial=0)) > 1:  # NumPy would misread it
        raise ValueError(f"the bytes of the array {shown(name)} must be 0 or 1, got {most}")
    return array.reshape(shape).astype(dtype.newbyteorder("="), copy=False)
