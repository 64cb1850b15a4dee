"""The convolution over sequences and maps: f(sum over taps of x W + b) at each position.

A sample that is padded, or whose positions do not follow each other without gaps, is copied first into the calling
thread's scratch memory, within a border of zeros. The copy is small beside the products that read it.

The gradient of the input is a convolution too: of the error, within a border, by W with the taps reversed and each
tap's matrix transposed, which is kept beside W. Where strides are above 1, positions of the input that leave different
remainders meet different taps: each such class of positions has a grid and a matrix of its own.

Max pooling that follows with windows side by side is done by the same layer, band by band, while the sums are in the
cache: what is kept of a sample is what the next layer reads.
"""

from libc.stddef cimport size_t
from libc.string cimport memcpy, memset

from fastnn.engine.arrays cimport Workspace
from fastnn.engine.kernels cimport fastnn_grid, fastnn_kernels, fastnn_matrix, fastnn_windows
from fastnn.engine.layers.convolution_shape cimport (
    Bordered, Convolution, ConvolutionShape, PositionClass, Rows, bordered_size, class_of, inside, placed,
)
from fastnn.engine.layers.layer import ParameterShape, settings_of
from fastnn.engine.layers.layer cimport EngineLayer, Layer, LayerKind
from fastnn.engine.layers.signal cimport (
    Signal, Step, finish_sample_deltas, finish_sample_values, memo_of, row_of, rows_before, rows_of, sample_of, sums_of,
)
from fastnn.engine.layers.windows cimport windows_of_each
from fastnn.engine.products cimport packed_size

#: Activations that make larger numbers of larger ones, exactly: the largest number is the same before and after them.
KEEP_ORDER = ("identity", "relu", "leaky_relu")


cdef inline const Convolution *shape_of(const Layer *layer) noexcept nogil:
    return <const Convolution *> layer.shape


cdef inline const Convolution *shape_over(const Layer *layer, const Signal *below, size_t sample,
                                          Convolution *own) noexcept nogil:
    """The shape for one sample: that of the layer or, of sequences of any length, the sample's own."""
    if not shape_of(layer).is_ragged:
        return shape_of(layer)
    own[0] = placed(shape_of(layer), rows_of(below, sample, sample + 1))
    return own


cdef inline fastnn_matrix *transposed_of(const Layer *layer, size_t group, size_t i) noexcept nogil:
    """The matrix of a group and a class of positions, by which the error goes back."""
    return <fastnn_matrix *> layer.workspace + group * shape_of(layer).n_classes + i


cdef inline char *delta_scratch(const Layer *layer, const Convolution *shape) noexcept nogil:
    """The scratch memory for the positions' errors or, on the way forward, for their sums; it follows the one for x."""
    return layer.scratch + bordered_size(&shape.x) * layer.kernels.itemsize


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
    cdef size_t itemsize = layer.kernels.itemsize, position = map.channels * itemsize, j
    cdef const char *source = sample_of(layer.kernels, signal, matrix, sample)
    cdef char *target = inside(map, scratch, itemsize)
    if not map.has_border and signal.ld == map.channels:
        return source
    clear_border(map, scratch, itemsize)
    for _ in range(map.height):
        if signal.ld == map.channels:
            memcpy(target, source, map.width * position)
        else:
            for j in range(map.width):
                memcpy(target + j * position, source + j * signal.ld * itemsize, position)
        target += map.columns * position
        source += map.width * signal.ld * itemsize
    return scratch


cdef void unpool(const Layer *layer, const Convolution *shape, const Signal *above, size_t sample) noexcept nogil:
    """The positions' errors into the scratch memory, inside their border."""
    cdef const fastnn_windows *windows = &shape.windows
    layer.kernels.max_pool_grad_input(
        windows, 0, windows.rows, sample_of(layer.kernels, above, above.delta, sample), windows.out_cols * above.ld,
        above.ld, memo_of(layer.kernels, above, above, sample),
        inside(&shape.delta, delta_scratch(layer, shape), layer.kernels.itemsize),
        shape.delta.columns * shape.delta.channels, shape.delta.channels)


cdef inline fastnn_grid grid_onto(const fastnn_grid *grid, size_t ld) noexcept nogil:
    """A grid whose positions, counted so far, are rows of ld numbers."""
    cdef fastnn_grid onto = grid[0]
    onto.z_row *= ld
    onto.z_col *= ld
    return onto


cdef inline void all_groups_forward(const Layer *layer, const Convolution *shape, const fastnn_grid *grid,
                                    const char *x, char *sums) noexcept nogil:
    cdef size_t group, itemsize = layer.kernels.itemsize
    for group in range(shape.groups):
        layer.kernels.conv_forward(&layer.parameters[group].matrix, grid, 0, grid.n_terms,
                                   x + group * shape.group_channels * itemsize,
                                   sums + group * shape.group_filters * itemsize)


cdef void forward_and_pool(const Layer *layer, const Convolution *shape, const char *x, char *sums, size_t ld,
                           char *picks) noexcept nogil:
    """One sample's sums, pooled band by band while they are in the cache. ld is the distance of pooled positions."""
    cdef const fastnn_windows *windows = &shape.windows
    cdef fastnn_grid grid = grid_onto(&shape.grid, windows.channels)
    cdef size_t itemsize = layer.kernels.itemsize, first = 0, last, stride = windows.cols * windows.channels
    grid.z_row = stride
    while first < windows.out_rows:
        last = min(first + shape.band_rows, windows.out_rows)
        grid.height = (last - first) * windows.pool_rows
        all_groups_forward(layer, shape, &grid, x + first * windows.pool_rows * grid.x_row * itemsize,
                           delta_scratch(layer, shape))
        layer.kernels.max_pool_forward(
            windows, first, last, delta_scratch(layer, shape), first * windows.pool_rows, stride, windows.channels,
            sums + first * windows.out_cols * ld * itemsize, windows.out_cols * ld, ld,
            picks + first * windows.out_cols * windows.channels * itemsize if picks != NULL else NULL)
        first = last


cdef void forward_rows(const Layer *layer, const Signal *below, const Signal *above, size_t first, size_t last,
                       const Step *step) noexcept nogil:
    cdef const fastnn_kernels *kernels = layer.kernels
    cdef const Convolution *shape
    cdef Convolution own
    cdef fastnn_grid grid
    cdef size_t sample
    cdef const char *x
    cdef char *sums
    for sample in range(first, last):
        shape = shape_over(layer, below, sample, &own)
        x = with_border(layer, &shape.x, below, below.values, sample, layer.scratch)
        sums = sample_of(kernels, above, sums_of(above), sample)
        if shape.pools:
            forward_and_pool(layer, shape, x, sums, above.ld, memo_of(kernels, above, above, sample))
        else:
            grid = grid_onto(&shape.grid, above.ld)
            all_groups_forward(layer, shape, &grid, x, sums)
        finish_sample_values(kernels, above, sample, sample + 1, step)


cdef void grad_rows(const Layer *layer, const Signal *below, const Signal *above, size_t first, size_t last,
                    char *gradient, bint onto) noexcept nogil:
    cdef const fastnn_kernels *kernels = layer.kernels
    cdef const Convolution *shape
    cdef Convolution own
    cdef fastnn_grid grid
    cdef size_t sample, group
    cdef const char *x
    cdef const char *delta
    for sample in range(first, last):
        shape = shape_over(layer, below, sample, &own)
        grid = grid_onto(&shape.grid, shape.delta.channels if shape.pools else above.ld)
        x = with_border(layer, &shape.x, below, below.values, sample, layer.scratch)
        if shape.pools:
            grid.z_row = shape.delta.columns * shape.delta.channels
            unpool(layer, shape, above, sample)
            delta = inside(&shape.delta, delta_scratch(layer, shape), kernels.itemsize)
        else:
            delta = sample_of(kernels, above, above.delta, sample)
        for group in range(shape.groups):
            kernels.conv_grad_weights(
                &layer.parameters[group].matrix, &grid, x + group * shape.group_channels * kernels.itemsize,
                delta + group * shape.group_filters * kernels.itemsize, onto or sample > first,
                gradient + (layer.parameters[group].offset - layer.parameters[0].offset) * kernels.itemsize)


cdef void back_to_class(const Layer *layer, const Convolution *shape, size_t i, const PositionClass *positions,
                        const char *delta, char *delta_in, size_t ld) noexcept nogil:
    """The gradient of one sample's input, at the positions of the i-th class."""
    cdef const Rows *rows
    cdef fastnn_grid grid = grid_onto(&positions.grid, ld)
    cdef size_t group, j, itemsize = layer.kernels.itemsize
    for j in range(positions.n_rows):
        rows = &positions.rows[j]
        grid.height = rows.n
        for group in range(shape.groups):
            layer.kernels.conv_forward(
                transposed_of(layer, group, i), &grid, rows.first_term, rows.last_term,
                delta + (rows.first * grid.x_row + positions.skipped * grid.x_col + group * shape.group_filters)
                * itemsize,
                delta_in + (rows.first * grid.z_row + group * shape.group_channels) * itemsize)


cdef void back_rows(const Layer *layer, const Signal *below, const Signal *above, size_t first,
                    size_t last) noexcept nogil:
    cdef const fastnn_kernels *kernels = layer.kernels
    cdef const Convolution *shape
    cdef Convolution own
    cdef PositionClass positions
    cdef size_t sample, i
    cdef const char *delta
    cdef char *delta_in
    for sample in range(first, last):
        shape = shape_over(layer, below, sample, &own)
        if shape.pools:
            clear_border(&shape.delta, delta_scratch(layer, shape), kernels.itemsize)
            unpool(layer, shape, above, sample)
            delta = delta_scratch(layer, shape)
        else:
            delta = with_border(layer, &shape.delta, above, above.delta, sample, delta_scratch(layer, shape))
        for i in range(shape.n_classes):
            positions = class_of(shape, i)
            if positions.grid.width > 0:
                delta_in = row_of(kernels, below, below.delta, rows_before(below, sample) + positions.first)
                back_to_class(layer, shape, i, &positions, delta, delta_in, below.ld)
        finish_sample_deltas(kernels, below, sample, sample + 1)


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

    Sizes are tuples of one number for sequences (steps, channels), which may be of any length, and of two for maps
    (height, width, channels). With a pool_size, the layer makes the largest numbers of windows side by side, as a layer
    of max pooling would make them of the convolution's output. Positions in no window are not computed. The activation
    must be one that keeps the order of numbers exactly, since it follows the pooling.
    """

    cdef ConvolutionShape geometry
    cdef readonly bint use_bias, trainable

    def __init__(self, tuple description, tuple input_shape):
        self.description, self.input_shape = description, input_shape
        (filters, kernel_size, strides, padding, dilation_rate, groups, self.activation, self.use_bias, self.trainable,
         pool_size) = settings_of(description, 10, True, True, None)
        if pool_size is not None and self.activation not in KEEP_ORDER:
            raise ValueError(f"activation must be one of {', '.join(KEEP_ORDER)} with a pool_size, "
                             f"got {self.activation!r}")
        self.geometry = ConvolutionShape(
            input_shape, filters, kernel_size, strides, padding, dilation_rate, groups, pool_size)
        self.output_shape = self.geometry.output_shape
        self.kind, self.shape = &CONVOLUTION, &self.geometry.convolution

    def memo_size(self):
        return self.output_shape[-1] if self.geometry.convolution.pools else 0

    def carried_size(self):
        shape = self.geometry.convolution
        return 0 if shape.n_taps == 1 and shape.grid.x_col == shape.x.channels and not shape.pools else None

    def output_steps(self, steps):
        cdef Convolution *shape = &self.geometry.convolution
        return windows_of_each(steps, &shape.movement) // (shape.windows.pool_cols if shape.pools else 1)

    def n_products(self):
        if self.geometry.convolution.is_ragged:
            return 1
        return self.geometry.convolution.grid.height * self.geometry.convolution.grid.width  # before the pooling

    def parameter_shapes(self):
        shape = self.geometry.convolution
        return [ParameterShape(shape.n_taps * shape.group_channels, shape.group_filters, self.trainable, self.use_bias)
                ] * shape.groups

    def reads_whole_vectors(self):
        return False

    def scratch_size(self, steps):
        cdef Convolution shape = self.geometry.convolution
        if shape.is_ragged:
            shape = placed(&self.geometry.convolution, steps)
        # Vectors of the errors may be read that end past the last position.
        return bordered_size(&shape.x) + bordered_size(&shape.delta) + self.kernels.tile_cols

    cdef void *book(self, Layer *layer, size_t batch_size, bint by_rows, Workspace space) except? NULL:
        cdef Convolution *c = &self.geometry.convolution
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
