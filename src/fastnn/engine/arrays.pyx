"""NumPy arrays as the kernels take them."""

import sys

import numpy as np

cimport numpy as cnp
from fastnn.engine.kernels cimport FASTNN_N_SOURCES, fastnn_samples

cnp.import_array()

cdef extern from *:
    """
    #include "kernels.h"
    static const char *const fastnn_source_names[FASTNN_N_SOURCES] = {
    #define SOURCE(name, type, convert) #name,
    #include "sources.def"
    #undef SOURCE
    };
    """
    const char *const fastnn_source_names[]

cdef size_t CACHE_LINE = 64

#: The dtypes X may have, as `fit` and `predict` read them without a copy.
source_dtypes = tuple(np.dtype(fastnn_source_names[i].decode()) for i in range(FASTNN_N_SOURCES))


def aligned_zeros(n, dtype):
    """A 1-D array of n zeros that starts on a cache line.

    Parameters
    ----------
    n : int
    dtype : dtype

    Raises
    ------
    MemoryError
        When so much cannot be had, or not even be counted in bytes.
    """
    dtype = np.dtype(dtype)
    n_bytes = n * dtype.itemsize
    if n_bytes > sys.maxsize - CACHE_LINE:
        raise MemoryError(f"an array of {n} numbers of type {dtype} is more than can be addressed")
    buffer = np.zeros(n_bytes + CACHE_LINE, dtype=np.uint8)
    offset = -buffer.ctypes.data % CACHE_LINE
    return buffer[offset : offset + n_bytes].view(dtype)


cdef fastnn_samples samples_of(cnp.ndarray X) except *:
    """X as the gather kernel takes it; X must be kept alive as long as that is used."""
    cdef fastnn_samples samples
    dtype = np.dtype(np.uint8) if X.dtype == np.bool_ else X.dtype
    if X.ndim != 2 or dtype not in source_dtypes or not dtype.isnative:
        raise TypeError(f"cannot read samples from an array of {X.ndim} dimensions and type {X.dtype}")
    samples.type = source_dtypes.index(dtype)
    samples.data = <const char *> cnp.PyArray_DATA(X)
    samples.row_stride, samples.col_stride = X.strides[0], X.strides[1]
    samples.n_features = X.shape[1]
    return samples


cdef size_t round_up(size_t n, size_t multiple) noexcept nogil:
    return (n + multiple - 1) // multiple * multiple


cdef size_t row_length(size_t n, size_t tile_cols, size_t itemsize) noexcept nogil:
    """Elements from one row of a workspace matrix of n columns to the next.

    Whole tiles, and an odd number of cache lines: walking down a column then visits every set of the cache instead
    of crowding a few.
    """
    cdef size_t lines = round_up(round_up(n, tile_cols) * itemsize, CACHE_LINE) // CACHE_LINE
    return (lines | 1) * CACHE_LINE // itemsize
