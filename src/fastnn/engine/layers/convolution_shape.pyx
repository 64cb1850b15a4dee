"""Where the terms of a convolution's sums lie: see convolution_shape.pxd."""

from itertools import product

from libc.stddef cimport size_t
from libc.stdint cimport uint32_t

from fastnn.engine.arrays cimport Workspace
from fastnn.engine.kernels cimport fastnn_grid, fastnn_windows
from fastnn.engine.layers.layer import sizes_of
from fastnn.engine.layers.windows cimport Along, Movement, movement_of, windows_along

# By the number of axes: sequences have a first and a last position, of which maps have several.
PADDINGS = {1: ("valid", "same", "causal"), 2: ("valid", "same")}
# Sums that are pooled are made in bands of at most so many numbers, which stay in the first-level cache, or nearly so.
cdef size_t BAND_NUMBERS = 8_000


cdef class ConvolutionShape:
    """What follows from a convolution's settings, as `ConvolutionLayer` has them, and its input's shape.

    Attributes
    ----------
    output_shape : tuple of int
        The shape of one sample of what the convolution makes, after the pooling.

    Raises
    ------
    ValueError
        If a setting breaks its rule, or the input is too small. Nothing is allocated.
    """

    def __init__(self, tuple input_shape, filters, kernel_size, strides, padding, dilation_rate, groups, pool_size):
        cdef Convolution *c = &self.convolution
        check_settings(input_shape, filters, kernel_size, strides, padding, dilation_rate, groups)
        *sizes, channels = input_shape
        rank = len(sizes)
        if pool_size is not None:
            pool_size = sizes_of("pool_size", pool_size, rank)
        c.is_ragged = None in sizes
        if c.is_ragged:  # what is the same for each is worked out for a short one, in which a class begins at each step
            (span,), (stride,) = spans(kernel_size, dilation_rate), strides
            c.movement = movement_of(span, stride, padding)
            sizes, padding = [max(stride, span + stride * ((1 if pool_size is None else pool_size[0]) - 1))], "valid"
        borders, made = zip(*map(border_and_size, sizes, kernel_size, strides, dilation_rate, [padding] * rank))
        if pool_size is not None:
            pooled = tuple(n // pool for n, pool in zip(made, pool_size))
            if min(pooled) < 1:
                raise ValueError(f"pool_size must be at most {made}, the convolution's output, got {pool_size}")
            made = tuple(n * pool for n, pool in zip(pooled, pool_size))
        self.output_shape = (*(made if pool_size is None else pooled), filters)
        if c.is_ragged:
            self.output_shape = None, filters
        self.space = Workspace()
        if rank == 1:  # as maps of one row
            sizes, kernel_size = [1, *sizes], (1, *kernel_size)
            strides, dilation_rate = (1, *strides), (1, *dilation_rate)
            borders, made, pool_size = ((0, 0), *borders), (1, *made), pool_size and (1, *pool_size)
        c.groups, c.group_channels, c.group_filters = groups, channels // groups, filters // groups
        c.n_taps = kernel_size[0] * kernel_size[1]
        # Rows of the error's border: so many that no tap of any position of the input lies outside.
        border = []
        for size, (before, _), span, stride, n in zip(sizes, borders, spans(kernel_size, dilation_rate), strides, made):
            border.append(((span - 1) // stride, max(0, errors_read(size, before, stride) - n)))
        self._place(&c.x, "input", (*sizes, channels), borders)
        self._place(&c.delta, "output", (*made, filters), border)
        taps = list(product(*map(range, kernel_size)))
        starts = [tuple(i * d for i, d in zip(tap, dilation_rate)) for tap in taps]
        c.grid = self._grid(&c.x, starts, c.group_channels, made, strides, (made[1], 1), kernel_size[1])
        self._classify(sizes, borders, strides, starts, border)
        if pool_size is not None:
            self._pool(made, filters, pool_size)

    cdef _place(self, Bordered *map, name, shape, borders):
        height, width, channels = shape
        (top, bottom), (left, right) = borders
        rows, columns = top + height + bottom, left + width + right
        if rows * columns * channels >= 2**31:  # offsets within it have 32 bits
            raise ValueError(f"a convolution's {name} must have fewer than 2**31 numbers with its padding, got shape "
                             f"({rows}, {columns}, {channels})")
        map.channels = channels
        set_sizes(map, top, height, bottom, left, width, right)

    cdef fastnn_grid _grid(self, const Bordered *map, starts, channels, size, strides, steps, taps_in_row) except *:
        """A grid over a map, of a size, with taps that start at these rows and columns."""
        cdef fastnn_grid grid
        cdef uint32_t *offsets
        cdef size_t i = 0
        grid.height, grid.width = size
        grid.x_row, grid.x_col = strides[0] * map.columns * map.channels, strides[1] * map.channels
        grid.z_row, grid.z_col = steps
        grid.n_terms = len(starts) * channels
        # Neighbouring taps of all channels are side by side: one run.
        neighbours = len(starts) > 1 and starts[1] == (starts[0][0], starts[0][1] + 1) and channels == map.channels
        grid.run = channels * (taps_in_row if neighbours else 1)
        offsets = <uint32_t *> self.space.zeros(max(1, grid.n_terms), "u4")
        for row, column in starts:
            for channel in range(channels):
                offsets[i] = (row * map.columns + column) * map.channels + channel
                i += 1
        grid.offsets = offsets
        return grid

    cdef _classify(self, sizes, borders, strides, starts, border):
        """Sort the positions of the input into classes, by the remainder of their place within the border."""
        cdef Convolution *c = &self.convolution
        cdef PositionClass *positions
        cdef uint32_t *tap_numbers
        cdef size_t j
        places = []  # of each class and axis: the first position, and how many there are
        for size, stride in zip(sizes, strides):
            places.append([(first, -((first - size) // stride)) for first in range(min(size, stride))])
        c.n_classes = len(places[0]) * len(places[1])
        c.classes = positions = <PositionClass *> self.space.zeros(c.n_classes * sizeof(PositionClass), "u1")
        for (row, height), (column, width) in product(*places):
            first = [place + before for place, (before, _) in zip((row, column), borders)]
            # Tap t reads output (first - t) / stride, if that is whole; in the border the outputs begin at its size.
            met = [(i, tuple((f - s) // stride + before for f, s, stride, (before, _)
                             in zip(first, start, strides, border)))
                   for i, start in enumerate(starts)
                   if all((f - s) % stride == 0 for f, s, stride in zip(first, start, strides))]
            met.reverse()  # ascending in memory
            positions.n_taps, positions.first = len(met), row * sizes[1] + column
            positions.grid = self._grid(&c.delta, [start for _, start in met], c.group_filters, (height, width), (1, 1),
                                        (strides[0] * sizes[1], strides[1]), 1)
            positions.taps = tap_numbers = <uint32_t *> self.space.zeros(max(1, len(met)), "u4")
            for j in range(len(met)):
                tap_numbers[j] = met[j][0]
            self._find_rows(positions, [start[0] for _, start in met])
            positions += 1

    cdef _find_rows(self, PositionClass *positions, starts):
        """Group a class's rows by the taps whose rows, which start there, are in the border for none of them."""
        cdef const Convolution *c = &self.convolution
        cdef size_t row
        cdef Rows *rows
        positions.rows = rows = <Rows *> self.space.zeros(positions.grid.height * sizeof(Rows), "u1")
        for row in range(positions.grid.height):
            met = [i for i, start in enumerate(starts) if c.delta.top <= row + start < c.delta.top + c.delta.height]
            terms = (met[0] * c.group_filters, (met[-1] + 1) * c.group_filters) if met else (0, 0)
            if row > 0 and terms == ((rows - 1).first_term, (rows - 1).last_term):
                (rows - 1).n += 1
                continue
            rows.first, rows.n, (rows.first_term, rows.last_term) = row, 1, terms
            rows += 1
        positions.n_rows = rows - positions.rows

    cdef _pool(self, made, filters, pool_size):
        cdef fastnn_windows *windows = &self.convolution.windows
        (windows.rows, windows.cols), windows.channels = made, filters
        windows.pool_rows, windows.pool_cols = windows.stride_rows, windows.stride_cols = pool_size
        windows.out_rows, windows.out_cols = made[0] // pool_size[0], made[1] // pool_size[1]
        windows.pad_rows = windows.pad_cols = 0
        self.convolution.pools = True
        self.convolution.band_rows = max(1, BAND_NUMBERS // (windows.pool_rows * windows.cols * windows.channels))


def check_settings(input_shape, filters, kernel_size, strides, padding, dilation_rate, groups):
    """Refuse settings that break their rules, whatever the sizes of the input."""
    rank = len(sizes_of("kernel_size", kernel_size))
    if rank not in PADDINGS:
        raise ValueError(f"kernel_size must have 1 or 2 numbers, got {kernel_size!r}")
    if len(input_shape) != rank + 1:
        raise ValueError(f"a convolution with kernel_size {kernel_size} must read samples of {rank + 1} dimensions, "
                         f"got shape {input_shape}")
    sizes_of("strides", strides, rank)
    sizes_of("dilation_rate", dilation_rate, rank)
    if padding not in PADDINGS[rank]:
        raise ValueError(f"padding must be one of {', '.join(PADDINGS[rank])} with a kernel_size of {rank} "
                         f"number{'s' * (rank > 1)}, got {padding!r}")
    if not is_size(filters):
        raise ValueError(f"filters must be from 1 to 2**31 - 1, got {filters!r}")
    if not is_size(groups) or input_shape[-1] % groups or filters % groups:
        raise ValueError(f"groups must divide the {input_shape[-1]} channels and the {filters} filters, got {groups!r}")


def is_size(number):
    return isinstance(number, int) and 1 <= number < 2**31


def spans(kernel_size, dilation_rate):
    """How many positions the taps span along each axis."""
    return [(n_taps - 1) * dilation + 1 for n_taps, dilation in zip(kernel_size, dilation_rate)]


def border_and_size(size, kernel_size, stride, dilation, padding):
    """The zeros before and after an axis, and the number of outputs along it."""
    (span,) = spans([kernel_size], [dilation])
    cdef Movement movement = movement_of(span, stride, padding)
    cdef Along along = windows_along(size, &movement)
    if along.n == 0:
        raise ValueError(f"kernel_size must span at most the {size} positions of the input, got {kernel_size} with "
                         f"dilation_rate {dilation}")
    return (along.before, along.after), along.n
