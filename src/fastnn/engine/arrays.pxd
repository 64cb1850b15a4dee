from libc.stddef cimport size_t
from libc.stdint cimport intptr_t, uint32_t

from fastnn.engine.kernels cimport fastnn_samples


# Memory that lives as long as this object does.
cdef class Workspace:
    cdef list arrays

    cdef char *zeros(self, n, dtype) except NULL
    cdef const uint32_t *terms(self, n) except NULL

cdef fastnn_samples samples_of(arrays, str name) except *
cdef void skip_samples(fastnn_samples *samples, size_t n) noexcept nogil
cdef bint names_rows(const intptr_t *order, size_t n, size_t n_rows) noexcept nogil
cdef size_t round_up(size_t n, size_t multiple) noexcept nogil
cdef size_t row_length(size_t n, size_t tile_cols, size_t itemsize) noexcept nogil
