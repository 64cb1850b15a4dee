"""NumPy arrays as the kernels take them."""

import sys

import numpy as np
import scipy.sparse as sp

cimport numpy as cnp
from libc.stddef cimport ptrdiff_t, size_t
from libc.stdint cimport int32_t, int64_t, intptr_t, uint32_t

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
cdef dict source_numbers = {dtype: i for i, dtype in enumerate(source_dtypes)}
source_numbers[np.dtype(np.bool_)] = source_numbers[np.dtype(np.uint8)]


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


cdef class Workspace:
    """Memory for a network in training, booked before anything runs."""

    def __init__(self):
        self.arrays = []

    cdef char *zeros(self, n, dtype) except NULL:
        """So many zeros, from a cache line on."""
        cdef cnp.ndarray array = aligned_zeros(n, dtype)
        self.arrays.append(array)
        return <char *> cnp.PyArray_DATA(array)

    cdef const uint32_t *terms(self, n) except NULL:
        """The numbers 0, 1, ..., n - 1: the terms of a sum in which nothing is left out."""
        cdef uint32_t *numbers = <uint32_t *> self.zeros(n, np.uint32)
        cdef size_t i, count = n
        for i in range(count):
            numbers[i] = i
        return numbers


def n_rows(X):
    """How many samples there are: the rows of an array of two dimensions, or of a sparse matrix."""
    if len(X.shape) != 2:
        raise TypeError(f"cannot read samples from an array of {len(X.shape)} dimensions: X must have 2")
    return X.shape[0]


def sample_arrays(X):
    """What `samples_of` reads X from, to be kept alive as long as that is used: an array, or a CSR matrix's three."""
    if not sp.issparse(X):
        return X
    if X.format != "csr":  # CSC has the same three arrays
        raise TypeError(f"cannot read samples from a sparse matrix of format {X.format}: make it CSR")
    return X.shape, *csr_arrays(X)


cdef fastnn_samples samples_of(arrays) except *:
    """What `sample_arrays` gave, as the gather kernel takes it."""
    cdef fastnn_samples samples
    cdef cnp.ndarray values, columns, starts
    sparse = isinstance(arrays, tuple)
    values = arrays[1] if sparse else arrays
    number = source_numbers.get(values.dtype)  # None, too, for bytes in the other order
    if values.ndim != (1 if sparse else 2) or number is None:
        raise TypeError(f"cannot read samples from an array of {values.ndim} dimensions and type {values.dtype}")
    samples.type = number
    samples.data = <const char *> cnp.PyArray_DATA(values)
    if sparse:
        shape, _, columns, starts = arrays
        samples.row_stride = samples.col_stride = 0
        samples.n_features = shape[1]
        samples.columns, samples.starts = cnp.PyArray_DATA(columns), cnp.PyArray_DATA(starts)
        samples.wide_indices, samples.n_stored = columns.itemsize == 8, min(len(values), len(columns))
        if len(starts) != shape[0] + 1:
            raise ValueError(f"{len(starts)} numbers in X.indptr for {shape[0]} rows")
    else:
        samples.row_stride, samples.col_stride = values.strides[0], values.strides[1]
        samples.n_features = values.shape[1]
        samples.columns = samples.starts = NULL
        samples.wide_indices, samples.n_stored = False, 0
    return samples


def most_entries(arrays, order, batch_size):
    """How many numbers of a sparse X any batch stores, at most.

    Parameters
    ----------
    arrays : tuple
        What `sample_arrays` gave.
    order : ndarray of intp of shape (n_rows,), default=None
        The rows that are cut into batches. None: all, from the first to the last.
    batch_size : int
    """
    _, data, columns, starts = arrays
    begin, end = (starts[:-1], starts[1:]) if order is None else (starts[order], starts[order + 1])
    fits = (begin >= 0) & (begin <= end) & (end <= min(len(data), len(columns)))
    counts = np.where(fits, end - begin, 0)
    return int(np.add.reduceat(counts, np.arange(0, len(counts), batch_size), dtype=np.int64).max(initial=0))


cdef void skip_samples(fastnn_samples *samples, size_t n) noexcept nogil:
    """Leave out the first n samples."""
    if samples.starts != NULL:
        samples.starts = <const char *> samples.starts + n * (8 if samples.wide_indices else 4)
    else:
        samples.data += <ptrdiff_t> n * samples.row_stride


def has_contiguous_rows(cnp.ndarray X):
    """Whether the numbers of each row follow each other, aligned, and rows are whole numbers apart, onwards."""
    if X.ndim != 2:
        return False
    return (X.flags.aligned and (X.shape[1] == 1 or X.strides[1] == X.itemsize)
            and (X.shape[0] == 1 or (X.strides[0] >= 0 and X.strides[0] % X.itemsize == 0)))


ctypedef fused index:
    int32_t
    int64_t


def csr_arrays(X):
    """The numbers, columns and starts of a CSR matrix: its own arrays, unless the two kinds of indices differ in type.

    Or are not contiguous, or not aligned.
    """
    dtype = np.int32 if max(X.indices.dtype.itemsize, X.indptr.dtype.itemsize) == 4 else np.int64
    return np.require(X.data, None, "CA"), np.require(X.indices, dtype, "CA"), np.require(X.indptr, dtype, "CA")


def check_indices(X, name="X"):
    """Refuse a CSR, CSC or BSR matrix whose indices lead out of its arrays: SciPy follows them wherever.

    Raises
    ------
    ValueError
        Says which they are. Indices out of order, or twice in a row, are fine.
    """
    data, indices, starts = csr_arrays(X)
    major, minor = X.shape if X.format != "csc" else X.shape[::-1]
    if X.format == "bsr":
        major, minor = major // X.blocksize[0], minor // X.blocksize[1]
    n_stored = min(len(data), len(indices))
    if len(starts) != major + 1 or not starts_fit(starts, n_stored):
        raise ValueError(f"{name}.indptr must be {major + 1} numbers that ascend from 0 to at most {n_stored}, "
                         f"the number of {name}.indices and of {name}.data")
    if not indices_fit(indices, minor):
        raise ValueError(f"{name}.indices must be from 0 to {minor - 1}, {name} being of shape {X.shape}")


def starts_fit(const index[::1] starts, int64_t n_stored):
    cdef Py_ssize_t i
    cdef bint fit = starts[0] >= 0 and starts[starts.shape[0] - 1] <= n_stored
    with nogil:
        for i in range(1, starts.shape[0]):
            fit &= starts[i - 1] <= starts[i]
    return fit


def indices_fit(const index[::1] indices, int64_t n):
    cdef Py_ssize_t i
    cdef bint fit = True
    with nogil:
        for i in range(indices.shape[0]):
            fit &= (indices[i] >= 0) & (indices[i] < n)
    return fit


cdef bint names_rows(const intptr_t *order, size_t n, size_t n_rows) noexcept nogil:
    """Whether there are such rows."""
    cdef size_t i
    cdef bint there = True
    for i in range(n):
        there &= <size_t> order[i] < n_rows  # one below 0 is huge
    return there


cdef size_t round_up(size_t n, size_t multiple) noexcept nogil:
    return (n + multiple - 1) // multiple * multiple


cdef size_t row_length(size_t n, size_t tile_cols, size_t itemsize) noexcept nogil:
    """Elements from one row of a workspace matrix of n columns to the next.

    Whole tiles, and an odd number of cache lines: walking down a column then visits every set of the cache instead
    of crowding a few.
    """
    cdef size_t lines = round_up(round_up(n, tile_cols) * itemsize, CACHE_LINE) // CACHE_LINE
    return (lines | 1) * CACHE_LINE // itemsize
