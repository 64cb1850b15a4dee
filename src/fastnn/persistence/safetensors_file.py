"""The file format safetensors, https://github.com/huggingface/safetensors: named arrays, and strings about them.

Eight bytes that say how long the header is, a header in JSON, and the arrays' bytes one after the other. There is no
code in it, and nothing that is not looked at here: a reader may be given anything.
"""

import json
import math
import os
import re
import sys
from itertools import islice

import numpy as np

LENGTH_BYTES = 8  # of the number that says how long the header is
# The safetensors package takes 100 MB, which can be made to take 2 GB of memory. A million names of features, of ten
# letters each, are 16 MB; a thousand layers, with what their optimizer remembers, 2 MB.
MOST_HEADER_BYTES = 2**24
# Lists, objects and names in them, which take some thirty times their bytes: a layer has a hundred.
MOST_PARTS = 2**19
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
# What comes before a part, texts among it (the last one may have no end), and its first character.
_PART = re.compile(r'(?:[^"\[{:]++|"[^"\\]*+(?:\\.[^"\\]*+)*+"?)*+(?:[\[{:]|\Z)', re.DOTALL)
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
        too deeply to be taken apart, or would take memory out of proportion to its length.
    """
    _check_parts(text)

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


def _check_parts(text):
    if sum(1 for _ in islice(_PART.finditer(text), MOST_PARTS + 1)) > MOST_PARTS:
        raise ValueError(f"the names and settings have more than {MOST_PARTS} parts")


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
        When the header is longer than readers take, or has more parts.
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
        raise ValueError(f"the names and settings take {len(text)} bytes, of {MOST_HEADER_BYTES} that a file may have")
    return [len(text).to_bytes(LENGTH_BYTES, "little"), text, *(arrays[name] for name in order)]


def read_header(file):
    """What a file says of its arrays, and the metadata in it.

    Parameters
    ----------
    file : binary file, unbuffered or not
        At its beginning.

    Returns
    -------
    layout : dict of str to (dtype, shape, start, end)
        Of each array; in the order of their bytes, which follow each other to the file's end.
    metadata : dict of str to str

    Raises
    ------
    ValueError
        For whatever is not as the format has it.
    """
    n_bytes = os.fstat(file.fileno()).st_size
    start = file.read(LENGTH_BYTES)
    if len(start) < LENGTH_BYTES:
        raise ValueError(f"it ends after {len(start)} bytes")
    n_header = int.from_bytes(start, "little")
    if n_header > min(n_bytes - LENGTH_BYTES, MOST_HEADER_BYTES):
        raise ValueError(
            f"a header of {n_header} bytes, in a file of {n_bytes}: it is no safetensors file, or has more than "
            f"{MOST_HEADER_BYTES} bytes of names and settings"
        )
    header = parsed(file.read(n_header).decode())
    if not isinstance(header, dict):
        raise ValueError("the header is no JSON object")
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ValueError("the metadata are no strings")
    layout = {name: _checked_entry(name, entry) for name, entry in header.items()}
    layout = dict(sorted(layout.items(), key=lambda item: item[1][2:]))
    end = 0
    for name in layout:
        if layout[name][2] != end:
            raise ValueError(f"the array {name!r} begins at byte {layout[name][2]} of the data, not at {end}")
        end = layout[name][3]
    if LENGTH_BYTES + n_header + end != n_bytes:
        raise ValueError(f"{end} bytes of data, in a file that has {n_bytes - LENGTH_BYTES - n_header}")
    return layout, metadata


def read_arrays(file, layout):
    """The arrays in a file whose header has been read.

    Parameters
    ----------
    file : binary file
        At the header's end.
    layout : dict
        From `read_header`.

    Returns
    -------
    dict of str to ndarray
        In this machine's byte order, writeable.

    Raises
    ------
    ValueError
        For a file that ends before they do, and truth values that are none.
    """
    return {name: _array(file, name, dtype, shape) for name, (dtype, shape, _, _) in layout.items()}


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
