"""The table of kernels in use, for float32 or float64: the best one for this CPU, or the one that FASTNN_ISA names."""

import os

import numpy as np

from fastnn.engine.kernels cimport fastnn_cpu_has, fastnn_kernels, fastnn_level, fastnn_select

cdef list _built = []
cdef int _index = 0
while fastnn_level(_index) != NULL:
    _built.append(fastnn_level(_index).decode())
    _index += 1


def built_levels():
    """Names of the instruction sets this build has kernels for, best first."""
    return list(_built)


def available_levels():
    """Names of those instruction sets among `built_levels` that this CPU has."""
    return [name for name in _built if fastnn_cpu_has(name.encode())]


cdef str _check(str name, str parameter):
    if name not in _built:
        raise ValueError(
            f"{parameter} must be an instruction set of this build of fastnn, one of {', '.join(_built)}, got {name!r}")
    if not fastnn_cpu_has(name.encode()):
        raise ValueError(
            f"{parameter} must be an instruction set of this CPU, one of {', '.join(available_levels())}, got {name!r}")
    return name


def _chosen_level():
    forced = os.environ.get("FASTNN_ISA")
    if not forced:
        return available_levels()[0]
    try:
        return _check(forced, "FASTNN_ISA")
    except ValueError as error:
        raise ImportError(str(error)) from None


#: The instruction set in use, chosen when fastnn is imported.
level = _chosen_level()


cdef const fastnn_kernels *kernels_for(object dtype, object name=None) except NULL:
    """The kernels for a dtype, float32 or float64, and for the instruction set in use unless another one is named."""
    dtype = np.dtype(dtype)
    if dtype != np.float32 and dtype != np.float64:
        raise ValueError(f"dtype must be float32 or float64, got {dtype}")
    return fastnn_select(_check(level if name is None else name, "level").encode(), dtype == np.float64)


def tile_shape(dtype, name=None):
    """Rows and columns of the register tile for a dtype: tests use sizes around it."""
    cdef const fastnn_kernels *kernels = kernels_for(dtype, name)
    return kernels.tile_rows, kernels.tile_cols
