"""Where the terms of a convolution's sums lie: what follows from its settings and the shape of its input."""

from libc.stddef cimport size_t
from libc.stdint cimport uint32_t

from fastnn.engine.arrays cimport Workspace
from fastnn.engine.kernels cimport fastnn_grid, fastnn_windows
from fastnn.engine.layers.windows cimport Along, Movement, windows_along


# Rows of a class of positions that meet the same taps: those at the edges have some in the border only, where the error
# is zero, and leave them out.
cdef struct Rows:
    size_t first, n, first_term, last_term


# Positions of the input that leave the same remainders by the strides.
cdef struct PositionClass:
    fastnn_grid grid  # over the error within its border; its z is the gradient of the input
    size_t first  # the class's first position
    size_t skipped  # columns of the error before those that the class begins to read at
    size_t n_taps
    const uint32_t *taps  # (n_taps) in the order of the grid's terms
    Rows *rows  # (n_rows)
    size_t n_rows


# A map within a border of zeros. A sequence is a map of one row.
cdef struct Bordered:
    size_t height, width, channels  # without the border
    size_t top, left, rows, columns  # the border's sizes above and to the left, and the sizes of the whole
    bint has_border


# Of sequences of any length, all but the sizes is the same for each: see `placed`.
cdef struct Convolution:
    bint is_ragged
    Movement movement  # if it is
    size_t groups, group_channels, group_filters, n_taps
    Bordered x, delta
    fastnn_grid grid  # over x within its border
    PositionClass *classes  # (n_classes)
    size_t n_classes
    bint pools
    fastnn_windows windows  # over the positions, if it pools
    size_t band_rows  # so many rows of windows at a time


cdef inline void set_sizes(Bordered *map, size_t top, size_t height, size_t bottom, size_t left, size_t width,
                           size_t right) noexcept nogil:
    map.top, map.height, map.rows = top, height, top + height + bottom
    map.left, map.width, map.columns = left, width, left + width + right
    map.has_border = map.rows > map.height or map.columns > map.width


cdef inline size_t errors_read(size_t size, size_t before, size_t stride) noexcept nogil:
    """How many errors the positions of an axis read, counted from the first: some may lie beyond the last one."""
    return (before + size - 1) // stride + 1


cdef inline Convolution placed(const Convolution *shape, size_t steps) noexcept nogil:
    """The convolution over a sequence of so many steps, one of any length."""
    cdef Convolution c = shape[0]
    cdef Along along = windows_along(steps, &c.movement)
    if c.pools:
        c.windows.out_cols = along.n // c.windows.pool_cols
        along.n = c.windows.cols = c.windows.out_cols * c.windows.pool_cols
    c.grid.width = along.n
    set_sizes(&c.x, 0, 1, 0, along.before, steps, along.after)
    set_sizes(&c.delta, 0, 1, 0, c.delta.left, along.n,
              max(errors_read(steps, along.before, c.movement.stride), along.n) - along.n)
    return c


cdef inline PositionClass class_of(const Convolution *shape, size_t i) noexcept nogil:
    """A class of positions. Of sequences of any length, the i-th one is of those within the border that leave i."""
    cdef PositionClass positions = shape.classes[i]
    cdef size_t stride = shape.movement.stride
    if shape.is_ragged:
        positions.first = (i + stride - shape.x.left % stride) % stride
        positions.skipped = (positions.first + shape.x.left - i) // stride
        positions.grid.width = (max(shape.x.width, positions.first) - positions.first + stride - 1) // stride
    return positions


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
