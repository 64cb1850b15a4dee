"""Where the terms of a convolution's sums lie: what follows from its settings and the shape of its input."""

from libc.stddef cimport size_t
from libc.stdint cimport uint32_t

from fastnn.engine.arrays cimport Workspace
from fastnn.engine.kernels cimport fastnn_grid, fastnn_windows


# Rows of a class of positions that meet the same taps: those at the edges have some in the border only, where the error
# is zero, and leave them out.
cdef struct Rows:
    size_t first, n, first_term, last_term


# Positions of the input that leave the same remainders by the strides.
cdef struct PositionClass:
    fastnn_grid grid  # over the error within its border; its z is the gradient of the input
    size_t first  # the class's first position
    size_t n_taps
    const uint32_t *taps  # (n_taps) in the order of the grid's terms
    Rows *rows  # (n_rows)
    size_t n_rows


# A map within a border of zeros. A sequence is a map of one row.
cdef struct Bordered:
    size_t height, width, channels  # without the border
    size_t top, left, rows, columns  # the border's sizes above and to the left, and the sizes of the whole
    bint has_border


cdef struct Convolution:
    size_t groups, group_channels, group_filters, n_taps
    Bordered x, delta
    fastnn_grid grid  # over x within its border
    PositionClass *classes  # (n_classes)
    size_t n_classes
    bint pools
    fastnn_windows windows  # over the positions, if it pools
    size_t band_rows  # so many rows of windows at a time


cdef inline size_t bordered_size(const Bordered *map) noexcept nogil:
    return map.rows * map.columns * map.channels


cdef inline char *inside(const Bordered *map, char *bordered, size_t itemsize) noexcept nogil:
    """Where the first position within the border is."""
    return bordered + (map.top * map.columns + map.left) * map.channels * itemsize


cdef class ConvolutionShape:
    cdef Convolution convolution
    cdef readonly tuple output_shape
    cdef Workspace space

    cdef _place(self, Bordered *map, name, shape, borders)
    cdef fastnn_grid _grid(self, const Bordered *map, starts, channels, size, strides, steps, taps_in_row) except *
    cdef _classify(self, sizes, borders, strides, starts, border)
    cdef _find_rows(self, PositionClass *positions, starts)
    cdef _pool(self, made, filters, pool_size)
