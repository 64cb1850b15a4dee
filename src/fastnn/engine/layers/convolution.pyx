"""The convolution over sequences and maps: f(sum over taps of x W + b) at each position.

A sample that is padded, or whose positions do not follow each other without gaps, is copied first into the calling
thread's scratch memory, within a border of zeros. The copy is small beside the products that read it.

The gradient of the input is a convolution too: of the error, within a border, by W with the taps reversed and each
tap's matrix transposed, which is kept beside W. Where strides are above 1, positions of the input that leave different
remainders meet different taps: each such class of positions has a grid and a matrix of its own.

Max pooling that follows with windows side by side is done by the same layer, band by band, while the sums are in the
cache: what is kept of a sample is what the next layer reads.
"""

import math
from itertools import product

from libc.stddef cimport size_t
from libc.stdint cimport uint32_t
from libc.string cimport memcpy, memset

from fastnn.engine.arrays cimport Workspace
from fastnn.engine.kernels cimport fastnn_grid, fastnn_kernels, fastnn_matrix, fastnn_windows
from fastnn.engine.layers.layer import ParameterShape, settings_of, sizes_of
from fastnn.engine.layers.layer cimport EngineLayer, Layer, LayerKind
from fastnn.engine.layers.signal cimport (
    Signal, Step, finish_delta, finish_values, memo_of, n_panels, row_of, sample_of, sums_of,
)
from fastnn.engine.products cimport packed_size

# By the number of axes: sequences have a first and a last position, of which maps have several.
PADDINGS = {1: ("valid", "same", "causal"), 2: ("valid", "same")}
# Sums that are pooled are made in bands of at most so many numbers, which stay in the first-level cache, or nearly so.
cdef size_t BAND_NUMBERS = 8_000
#: Activations that make larger numbers of larger ones, exactly: the largest number is the same before and after them.
KEEP_ORDER = ("identity", "relu", "leaky_relu")


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


cdef inline const Convolution *shape_of(const Layer *layer) noexcept nogil:
    return <const Convolution *> layer.shape


cdef inline fastnn_matrix *transposed_of(const Layer *layer, size_t group, size_t i) noexcept nogil:
    """The matrix of a group and a class of positions, by which the error goes back."""
    return <fastnn_matrix *> layer.workspace + group * shape_of(layer).n_classes + i


cdef inline size_t bordered_size(const Bordered *map) noexcept nogil:
    return map.rows * map.columns * map.channels


cdef inline char *inside(const Bordered *map, char *bordered, size_t itemsize) noexcept nogil:
    """Where the first position within the border is."""
    return bordered + (map.top * map.columns + map.left) * map.channels * itemsize


cdef inline char *delta_scratch(const Layer *layer) noexcept nogil:
    """The scratch memory for the positions' errors or, on the way forward, for their sums; it follows the one for x."""
    return layer.scratch + bordered_size(&shape_of(layer).x) * layer.kernels.itemsize


cdef void clear_border(const Bordered *map, char *bordered, size_t itemsize) noexcept nogil:
    cdef size_t position = map.channels * itemsize, row = map.columns * position, i
    cdef size_t right = map.columns - map.left - map.width
    cdef char *begin = inside(map, bordered, itemsize)
    memset(bordered, 0, map.top * row)
    memset(bordered + (map.top + map.height) * row, 0, (map.rows - map.top - map.height) * row)
    for i in range(map.height):
        memset(begin + i * row - map.left * position, 0, map.left * position)
        memset(begin + i * row + map.width * position, 0, right * position)


cdef const char *with_border(const Layer *layer, const Bordered *map, const Signal *signal, char *matrix,
                             size_t sample, char *scratch) noexcept nogil:
    """One sample of a signal's values or errors within a border: where it is or, if need be, in the scratch memory."""
    cdef size_t itemsize = layer.kernels.itemsize, position = map.channels * itemsize, i, j
    cdef const char *source = row_of(layer.kernels, signal, matrix, sample * signal.positions)
    cdef char *target = inside(map, scratch, itemsize)
    if not map.has_border and signal.ld == map.channels:
        return source
    clear_border(map, scratch, itemsize)
    for i in range(map.height):
        if signal.ld == map.channels:
            memcpy(target, source, map.width * position)
        else:
            for j in range(map.width):
                memcpy(target + j * position, source + j * signal.ld * itemsize, position)
        target += map.columns * position
        source += map.width * signal.ld * itemsize
    return scratch


cdef void unpool(const Layer *layer, const Signal *above, size_t sample) noexcept nogil:
    """The positions' errors into the scratch memory, inside their border."""
    cdef const Convolution *shape = shape_of(layer)
    cdef const fastnn_windows *windows = &shape.windows
    layer.kernels.max_pool_grad_input(
        windows, 0, windows.rows, sample_of(layer.kernels, above, above.delta, sample), windows.out_cols * above.ld,
        above.ld, memo_of(layer.kernels, above, sample),
        inside(&shape.delta, delta_scratch(layer), layer.kernels.itemsize), shape.delta.columns * shape.delta.channels,
        shape.delta.channels)


cdef inline fastnn_grid grid_onto(const fastnn_grid *grid, size_t ld) noexcept nogil:
    """A grid whose positions, counted so far, are rows of ld numbers."""
    cdef fastnn_grid placed = grid[0]
    placed.z_row *= ld
    placed.z_col *= ld
    return placed


cdef inline void all_groups_forward(const Layer *layer, const fastnn_grid *grid, const char *x,
                                    char *sums) noexcept nogil:
    cdef const Convolution *shape = shape_of(layer)
    cdef size_t group, itemsize = layer.kernels.itemsize
    for group in range(shape.groups):
        layer.kernels.conv_forward(&layer.parameters[group].matrix, grid, 0, grid.n_terms,
                                   x + group * shape.group_channels * itemsize,
                                   sums + group * shape.group_filters * itemsize)


cdef void forward_and_pool(const Layer *layer, const char *x, char *sums, size_t ld, char *picks) noexcept nogil:
    """One sample's sums, pooled band by band while they are in the cache. ld is the distance of pooled positions."""
    cdef const Convolution *shape = shape_of(layer)
    cdef const fastnn_windows *windows = &shape.windows
    cdef fastnn_grid grid = grid_onto(&shape.grid, windows.channels)
    cdef size_t itemsize = layer.kernels.itemsize, first = 0, last, stride = windows.cols * windows.channels
    grid.z_row = stride
    while first < windows.out_rows:
        last = min(first + shape.band_rows, windows.out_rows)
        grid.height = (last - first) * windows.pool_rows
        all_groups_forward(layer, &grid, x + first * windows.pool_rows * grid.x_row * itemsize, delta_scratch(layer))
        layer.kernels.max_pool_forward(
            windows, first, last, delta_scratch(layer), first * windows.pool_rows, stride, windows.channels,
            sums + first * windows.out_cols * ld * itemsize, windows.out_cols * ld, ld,
            picks + first * windows.out_cols * windows.channels * itemsize if picks != NULL else NULL)
        first = last


cdef void forward_rows(const Layer *layer, const Signal *below, const Signal *above, size_t first, size_t last,
                       const Step *step) noexcept nogil:
    cdef const Convolution *shape = shape_of(layer)
    cdef const fastnn_kernels *kernels = layer.kernels
    cdef fastnn_grid grid = grid_onto(&shape.grid, above.ld)
    cdef size_t sample, row
    cdef const char *x
    cdef char *sums
    for sample in range(first, last):
        row = sample * above.positions
        x = with_border(layer, &shape.x, below, below.values, sample, layer.scratch)
        sums = row_of(kernels, above, sums_of(above), row)
        if shape.pools:
            forward_and_pool(layer, x, sums, above.ld, memo_of(kernels, above, sample))
        else:
            all_groups_forward(layer, &grid, x, sums)
        finish_values(kernels, above, row, above.positions, 0, n_panels(kernels, above.channels), step)


cdef void grad_rows(const Layer *layer, const Signal *below, const Signal *above, size_t first, size_t last,
                    char *gradient, bint onto) noexcept nogil:
    cdef const Convolution *shape = shape_of(layer)
    cdef const fastnn_kernels *kernels = layer.kernels
    cdef fastnn_grid grid = grid_onto(&shape.grid, shape.delta.channels if shape.pools else above.ld)
    cdef size_t sample, group
    cdef const char *x
    cdef const char *delta
    if shape.pools:
        grid.z_row = shape.delta.columns * shape.delta.channels
    for sample in range(first, last):
        x = with_border(layer, &shape.x, below, below.values, sample, layer.scratch)
        if shape.pools:
            unpool(layer, above, sample)
            delta = inside(&shape.delta, delta_scratch(layer), kernels.itemsize)
        else:
            delta = row_of(kernels, above, above.delta, sample * above.positions)
        for group in range(shape.groups):
            kernels.conv_grad_weights(
                &layer.parameters[group].matrix, &grid, x + group * shape.group_channels * kernels.itemsize,
                delta + group * shape.group_filters * kernels.itemsize, onto or sample > first,
                gradient + (layer.parameters[group].offset - layer.parameters[0].offset) * kernels.itemsize)


cdef void back_to_class(const Layer *layer, size_t i, const char *delta, char *delta_in, size_t ld) noexcept nogil:
    """The gradient of one sample's input, at the positions of a class."""
    cdef const Convolution *shape = shape_of(layer)
    cdef const PositionClass *positions = &shape.classes[i]
    cdef const Rows *rows
    cdef fastnn_grid grid = grid_onto(&positions.grid, ld)
    cdef size_t group, j, itemsize = layer.kernels.itemsize
    for j in range(positions.n_rows):
        rows = &positions.rows[j]
        grid.height = rows.n
        for group in range(shape.groups):
            layer.kernels.conv_forward(
                transposed_of(layer, group, i), &grid, rows.first_term, rows.last_term,
                delta + (rows.first * grid.x_row + group * shape.group_filters) * itemsize,
                delta_in + (rows.first * grid.z_row + group * shape.group_channels) * itemsize)


cdef void back_rows(const Layer *layer, const Signal *below, const Signal *above, size_t first,
                    size_t last) noexcept nogil:
    cdef const Convolution *shape = shape_of(layer)
    cdef const fastnn_kernels *kernels = layer.kernels
    cdef size_t sample, i, row
    cdef const char *delta
    cdef char *delta_in
    for sample in range(first, last):
        row = sample * below.positions
        if shape.pools:
            clear_border(&shape.delta, delta_scratch(layer), kernels.itemsize)
            unpool(layer, above, sample)
            delta = delta_scratch(layer)
        else:
            delta = with_border(layer, &shape.delta, above, above.delta, sample, delta_scratch(layer))
        for i in range(shape.n_classes):
            delta_in = row_of(kernels, below, below.delta, row + shape.classes[i].first)
            back_to_class(layer, i, delta, delta_in, below.ld)
        finish_delta(kernels, below, row, below.positions, 0, n_panels(kernels, below.channels))


cdef void refresh(const Layer *layer, size_t parameter, size_t panel) noexcept nogil:
    """Transpose the panel's part of each tap's matrix into its class's matrix."""
    cdef const Convolution *shape = shape_of(layer)
    cdef const fastnn_matrix *W = &layer.parameters[parameter].matrix
    cdef const PositionClass *positions
    cdef fastnn_matrix *transposed
    cdef size_t width = layer.kernels.tile_cols, itemsize = layer.kernels.itemsize, i, tap, channel
    cdef size_t filters = min(width, W.fan_out - panel * width)
    cdef const char *rows = <const char *> W.weights + (panel * (1 + W.fan_in) + 1) * width * itemsize
    if layer.workspace == NULL:
        return
    for i in range(shape.n_classes):
        positions, transposed = &shape.classes[i], transposed_of(layer, parameter, i)
        for tap in range(positions.n_taps):
            channel = 0
            while channel < shape.group_channels:
                layer.kernels.transpose(
                    min(width, shape.group_channels - channel), filters,
                    rows + (positions.taps[tap] * shape.group_channels + channel) * width * itemsize, width,
                    <char *> transposed.weights
                    + (channel * (1 + transposed.fan_in)
                       + (1 + tap * shape.group_filters + panel * width) * width) * itemsize, width)
                channel += width


cdef LayerKind CONVOLUTION = LayerKind(forward_rows, back_rows, grad_rows, NULL, NULL, NULL, refresh)


cdef class ConvolutionLayer(EngineLayer):
    """A convolution: ``("convolution", filters, kernel_size, strides, padding, dilation_rate, groups, activation,
    use_bias=True, trainable=True, pool_size=None)``.

    Sizes are tuples of one number for sequences (steps, channels), and of two for maps (height, width, channels). With
    a pool_size, the layer makes the largest numbers of windows side by side, as a layer of max pooling would make them
    of the convolution's output. Positions in no window are not computed. The activation must be one that keeps the
    order of numbers exactly, since it follows the pooling.
    """

    cdef Convolution convolution
    cdef Workspace space
    cdef readonly bint use_bias, trainable

    def __init__(self, tuple description, tuple input_shape):
        cdef Convolution *c = &self.convolution
        self.description, self.input_shape = description, input_shape
        (filters, kernel_size, strides, padding, dilation_rate, groups, self.activation, self.use_bias, self.trainable,
         pool_size) = settings_of(description, 10, True, True, None)
        check_settings(input_shape, filters, kernel_size, strides, padding, dilation_rate, groups)
        *sizes, channels = input_shape
        rank = len(sizes)
        borders, made = zip(*map(border_and_size, sizes, kernel_size, strides, dilation_rate, [padding] * rank))
        if pool_size is not None:
            if self.activation not in KEEP_ORDER:
                raise ValueError(f"activation must be one of {', '.join(KEEP_ORDER)} with a pool_size, "
                                 f"got {self.activation!r}")
            pool_size = sizes_of("pool_size", pool_size, rank)
            pooled = tuple(n // pool for n, pool in zip(made, pool_size))
            if min(pooled) < 1:
                raise ValueError(f"pool_size must be at most {made}, the convolution's output, got {pool_size}")
            made = tuple(n * pool for n, pool in zip(pooled, pool_size))
        self.output_shape = (*(made if pool_size is None else pooled), filters)
        self.space = Workspace()
        if rank == 1:  # as maps of one row
            sizes, kernel_size = [1, *sizes], (1, *kernel_size)
            strides, dilation_rate = (1, *strides), (1, *dilation_rate)
            borders, made, pool_size = ((0, 0), *borders), (1, *made), pool_size and (1, *pool_size)
        c.groups, c.group_channels, c.group_filters = groups, channels // groups, filters // groups
        c.n_taps = kernel_size[0] * kernel_size[1]
        windows = [(n_taps - 1) * dilation + 1 for n_taps, dilation in zip(kernel_size, dilation_rate)]
        # Rows of the error's border: so many that no tap of any position of the input lies outside.
        border = []
        for size, (before, _), window, stride, n in zip(sizes, borders, windows, strides, made):
            border.append(((window - 1) // stride, max(0, (before + size - 1) // stride - (n - 1))))
        self._place(&c.x, "input", (*sizes, channels), borders)
        self._place(&c.delta, "output", (*made, filters), border)
        taps = list(product(*map(range, kernel_size)))
        starts = [tuple(i * d for i, d in zip(tap, dilation_rate)) for tap in taps]
        c.grid = self._grid(&c.x, starts, c.group_channels, made, strides, (made[1], 1), kernel_size[1])
        self._classify(sizes, borders, strides, starts, border)
        if pool_size is not None:
            self._pool(made, filters, pool_size)
        self.kind, self.shape = &CONVOLUTION, c

    cdef _place(self, Bordered *map, name, shape, borders):
        height, width, channels = shape
        (top, bottom), (left, right) = borders
        rows, columns = top + height + bottom, left + width + right
        if rows * columns * channels >= 2**31:  # offsets within it have 32 bits
            raise ValueError(f"a convolution's {name} must have fewer than 2**31 numbers with its padding, got shape "
                             f"({rows}, {columns}, {channels})")
        map.height, map.width, map.channels = shape
        map.top, map.left, map.rows, map.columns = top, left, rows, columns
        map.has_border = map.rows > map.height or map.columns > map.width

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

    def memo_size(self):
        return math.prod(self.output_shape) if self.convolution.pools else 0

    def parameter_shapes(self):
        shape = self.convolution
        return [ParameterShape(shape.n_taps * shape.group_channels, shape.group_filters, self.trainable, self.use_bias)
                ] * shape.groups

    def reads_whole_vectors(self):
        return False

    def scratch_size(self):
        # Vectors of the errors may be read that end past the last position.
        return bordered_size(&self.convolution.x) + bordered_size(&self.convolution.delta) + self.kernels.tile_cols

    cdef void *book(self, Layer *layer, size_t batch_size, bint by_rows, Workspace space) except? NULL:
        cdef Convolution *c = &self.convolution
        cdef fastnn_matrix *transposed
        cdef size_t group, i
        if not by_rows:
            return NULL
        layer.workspace = space.zeros(c.groups * c.n_classes * sizeof(fastnn_matrix), "u1")
        for group in range(c.groups):
            for i in range(c.n_classes):
                transposed = transposed_of(layer, group, i)
                transposed.fan_in, transposed.fan_out = c.classes[i].grid.n_terms, c.group_channels
                transposed.weights = space.zeros(
                    packed_size(layer.kernels, transposed.fan_in, transposed.fan_out),
                    "f4" if layer.kernels.itemsize == 4 else "f8")
        return layer.workspace


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


def border_and_size(size, kernel_size, stride, dilation, padding):
    """The zeros before and after an axis, and the number of outputs along it, as in Keras."""
    window = (kernel_size - 1) * dilation + 1
    before = after = 0
    if padding == "causal":
        before = window - 1
    elif padding == "same":
        total = max(0, (-(-size // stride) - 1) * stride + window - size)
        before, after = total // 2, total - total // 2
    elif size < window:
        raise ValueError(f"kernel_size must span at most the {size} positions of the input, got {kernel_size} with "
                         f"dilation_rate {dilation}")
    return (before, after), (before + size + after - window) // stride + 1
