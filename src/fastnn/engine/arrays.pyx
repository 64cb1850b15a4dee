"""NumPy arrays and sparse matrices as the kernels read them, and memory for the kernels."""

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

#: The dtypes that X may have for `fit` and `predict` to read it without a copy.
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
        If there is not that much memory, or the number of bytes is more than an address can count.
    """
    dtype = np.dtype(dtype)
    n_bytes = n * dtype.itemsize
    if n_bytes > sys.maxsize - CACHE_LINE:
        raise MemoryError(f"an array must have at most {sys.maxsize} bytes, got {n} numbers of type {dtype}")
    cdef cnp.ndarray buffer = np.zeros(n_bytes + CACHE_LINE, dtype=np.uint8)
    offset = -<size_t> cnp.PyArray_DATA(buffer) % CACHE_LINE
    return buffer[offset : offset + n_bytes].view(dtype)


cdef class Workspace:
    """Memory for a network in training, booked before anything runs."""

    def __init__(self):
        self.arrays = []

    cdef char *zeros(self, n, dtype) except NULL:
        """n zeros, the first of them at the beginning of a cache line."""
        cdef cnp.ndarray array = aligned_zeros(n, dtype)
        self.arrays.append(array)
        return <char *> cnp.PyArray_DATA(array)

    cdef const uint32_t *terms(self, n) except NULL:
        """The numbers 0, 1, ..., n - 1: the terms of a sum in which none is left out."""
        cdef uint32_t *numbers = <uint32_t *> self.zeros(n, np.uint32)
        cdef size_t i, count = n
        for i in range(count):
            numbers[i] = i
        return numbers


def n_rows(X):
    """The number of samples: the rows of an array of two dimensions, or of a sparse matrix."""
    if len(X.shape) != 2:
        raise TypeError(f"X must have 2 dimensions, got {len(X.shape)}")
    return X.shape[0]


def sample_arrays(X):
    """X itself or, if it is a CSR matrix, its shape and its three arrays.

    `samples_of` reads them, and they must be kept alive as long as its result is used.
    """
    if type(X) is np.ndarray or not sp.issparse(X):
        return X
    if X.format != "csr":  # CSC has the same three arrays
        raise TypeError(f"X must be an array or a CSR matrix, got a sparse matrix of format {X.format}")
    return X.shape, *csr_arrays(X)


cdef fastnn_samples samples_of(arrays, str name) except *:
    """The result of `sample_arrays` as the gather kernels read it. The name is for messages."""
    cdef fastnn_samples samples
    cdef cnp.ndarray values, columns, starts
    sparse = isinstance(arrays, tuple)
    values = arrays[1] if sparse else arrays
    number = source_numbers.get(values.dtype)  # None, too, for bytes in the other order
    if not sparse and values.ndim != 2:
        raise TypeError(f"{name} must have 2 dimensions, got {values.ndim}")
    if number is None:
        raise TypeError(f"{name} must have one of the types bool, {', '.join(map(str, source_dtypes))}, in this "
                        f"machine's byte order, got {values.dtype}")
    samples.type = number
    samples.data = <const char *> cnp.PyArray_DATA(values)
    samples.rescaling = NULL
    if sparse:
        shape, _, columns, starts = arrays
        samples.row_stride = samples.col_stride = 0
        samples.n_features = shape[1]
        samples.columns, samples.starts = cnp.PyArray_DATA(columns), cnp.PyArray_DATA(starts)
        samples.wide_indices, samples.n_stored = columns.itemsize == 8, min(len(values), len(columns))
        if len(starts) != shape[0] + 1:
            raise ValueError(f"{name}.indptr must have {shape[0] + 1} numbers, got {len(starts)}")
    else:
        samples.row_stride, samples.col_stride = values.strides[0], values.strides[1]
        samples.n_features = values.shape[1]
        samples.columns = samples.starts = NULL
        samples.wide_indices, samples.n_stored = False, 0
    return samples


def most_entries(arrays, order, batch_size):
    """The most numbers that any batch of a sparse X stores.

    Parameters
    ----------
    arrays : tuple
        The result of `sample_arrays`.
    order : ndarray of intp of shape (n_rows,), default=None
        The rows that are cut into batches. None: all rows, in order.
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
    """Whether each row's numbers are contiguous and aligned, and the next row is a whole number of them further on."""
    if X.ndim != 2:
        return False
    return (X.flags.aligned and (X.shape[1] == 1 or X.strides[1] == X.itemsize)
            and (X.shape[0] == 1 or (X.strides[0] >= 0 and X.strides[0] % X.itemsize == 0)))


ctypedef fused index:
    int32_t
    int64_t


def csr_arrays(X):
    """The numbers, columns and starts of a CSR matrix, the latter two of one type.

    They are the matrix's own arrays unless the types differ, or an array is not contiguous or not aligned.
    """
    dtype = np.int32 if max(X.indices.dtype.itemsize, X.indptr.dtype.itemsize) == 4 else np.int64
    return np.require(X.data, None, "CA"), np.require(X.indices, dtype, "CA"), np.require(X.indptr, dtype, "CA")


def check_indices(X, name="X"):
    """Refuse a CSR, CSC or BSR matrix whose indices lead out of its arrays, since SciPy does not check them.

    Indices may be out of order, and occur twice in a row.

    Raises
    ------
    ValueError
        If an index or a start is out of range.
    """
    data, indices, starts = csr_arrays(X)
    major, minor = X.shape if X.format != "csc" else X.shape[::-1]
    if X.format == "bsr":
        major, minor = major // X.blocksize[0], minor // X.blocksize[1]
    n_stored = min(len(data), len(indices))
    if len(starts) != major + 1 or not starts_fit(starts, n_stored):
        ascending = "" if np.all(starts[:-1] <= starts[1:]) else ", which do not ascend"
        raise ValueError(f"{name}.indptr must be {major + 1} numbers that ascend from 0 to at most {n_stored}, "
                         f"the number of {name}.indices and of {name}.data, got {span(starts)}{ascending}")
    if not indices_fit(indices, minor):
        raise ValueError(f"{name}.indices must be from 0 to {minor - 1}, since {name} has shape {X.shape}, "
                         f"got {span(indices)}")


def span(numbers):
    """What an array of numbers has, for an error message."""
    return f"{len(numbers)} numbers" + (f" from {np.min(numbers)} to {np.max(numbers)}" if len(numbers) > 0 else "")


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
    """Whether all of the order's n numbers are rows, from 0 to n_rows - 1."""
    cdef size_t i
    cdef bint there = True
    for i in range(n):
        there &= <size_t> order[i] < n_rows  # one below 0 is huge
    return there


def check_starts(starts, size_t n_rows):
    """Refuse starts of sequences that lead out of their rows, or that leave a sequence without a step.

    Parameters
    ----------
    starts : ndarray of int of shape (n_sequences + 1,)
        The row that each sequence begins with, and the row after the last one.
    n_rows : int

    Raises
    ------
    ValueError
    """
    cdef cnp.ndarray array = np.ascontiguousarray(starts, np.intp)
    cdef const intptr_t *begins = <const intptr_t *> cnp.PyArray_DATA(array)
    cdef size_t i, n = array.size
    cdef bint ascend = array.ndim == 1 and n > 0 and begins[0] >= 0 and <size_t> begins[n - 1] <= n_rows
    ascend = ascend and starts.dtype.kind in "iu"
    for i in range(1, n):
        ascend &= begins[i - 1] < begins[i]
    if not ascend:
        raise ValueError(f"the starts of sequences must ascend from 0 or more to at most {n_rows}, the number of all "
                         f"steps, got {span(starts)} with type {starts.dtype} and shape {starts.shape}")


cdef size_t round_up(size_t n, size_t multiple) noexcept nogil:
    return (n + multiple - 1) // multiple * multiple


cdef size_t row_length(size_t n, size_t tile_cols, size_t itemsize) noexcept nogil:
    """Elements from one row of a workspace matrix of n columns to the next.

    A row is whole tiles and an odd number of cache lines: the numbers of a column then spread over all sets of the
    cache.
    """
    cdef size_t lines = round_up(round_up(n, tile_cols) * itemsize, CACHE_LINE) // CACHE_LINE
    return (lines | 1) * CACHE_LINE // itemsize
