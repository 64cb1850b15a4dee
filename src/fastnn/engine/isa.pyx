"""Which table of kernels to use: the CPU's best, or the one that FASTNN_ISA names, for float32 or float64."""

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
    """Those of `built_levels` that this CPU has."""
    return [name for name in _built if fastnn_cpu_has(name.encode())]


cdef str _check(str name):
    if name not in _built:
        raise ValueError(f"unknown instruction set {name!r}: this build of fastnn has {', '.join(_built)}")
    if not fastnn_cpu_has(name.encode()):
        raise ValueError(
            f"this CPU lacks the instruction set {name!r}; it has {', '.join(available_levels())}")
    return name


def _chosen_level():
    forced = os.environ.get("FASTNN_ISA")
    if not forced:
        return available_levels()[0]
    try:
        return _check(forced)
    except ValueError as error:
        raise ImportError(f"FASTNN_ISA={forced}: {error}") from None


#: The instruction set in use, chosen when fastnn is imported.
level = _chosen_level()


cdef const fastnn_kernels *kernels_for(object dtype, object name=None) except NULL:
    """The kernels for dtype, float32 or float64; of the chosen level unless another is named."""
    dtype = np.dtype(dtype)
    if dtype != np.float32 and dtype != np.float64:
        raise ValueError(f"fastnn computes in float32 or float64, not in {dtype}")
    return fastnn_select(_check(level if name is None else name).encode(), dtype == np.float64)


def tile_shape(dtype, name=None):
    """Rows and columns of the register tile for dtype, for tests of sizes around it and for the curious."""
    cdef const fastnn_kernels *kernels = kernels_for(dtype, name)
    return kernels.tile_rows, kernels.tile_cols
