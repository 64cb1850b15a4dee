"""The three products of a dense layer, shared among threads: see products.pxd."""

from libc.stddef cimport size_t
from libc.stdint cimport uint32_t

from fastnn.engine.arrays cimport round_up
from fastnn.engine.kernels cimport fastnn_batch, fastnn_kernels, fastnn_matrix, fastnn_terms, fastnn_update
from fastnn.engine.layers.layer cimport Parameter
from fastnn.engine.layers.signal cimport (
    Signal, Step, finish_values, n_panels, n_tiles, row_of, signal_rows, sums_of,
)
from fastnn.engine.threads.team cimport Share, Team, my_share

# A task of the forward product is so many tiles of batch rows by so many panels: what it reads and writes of x, W and z
# stays in the second-level cache. The tasks of a small product are smaller, so that there are some for many threads.
cdef size_t FORWARD_TILES = 16
cdef size_t FORWARD_PANELS = 4
cdef size_t FORWARD_TASKS = 64
# A task of the weights' gradient is a block of the kernel: so many tiles of rows of W by so many panels. A matrix with
# few of them is cut finer, and across all of its panels: the last of these may be narrow, and shares are to be even.
cdef size_t WEIGHT_TILES = 16
cdef size_t WEIGHT_PANELS = 4
cdef size_t WEIGHT_TASKS = 16
cdef size_t SMALL_WEIGHT_TILES = 2
# A task of the error's way back is a block of the kernel: so many inputs of one batch tile. A strip is so many batch
# tiles, whose errors stay in the second-level cache.
cdef size_t INPUT_BLOCK = 48
cdef size_t INPUT_TILES = 4


# The position of a task in a grid of tasks.
cdef struct TilePosition:
    size_t row, column
    size_t strip_end  # the column after the strip's last


cdef inline TilePosition position_of(size_t task, size_t n_rows, size_t n_columns, size_t width) noexcept nogil:
    """The position of a task: tasks are numbered strip by strip of `width` columns, and row by row in a strip."""
    cdef size_t first = task // (n_rows * width) * width
    cdef size_t in_strip = task - first * n_rows
    width = min(width, n_columns - first)
    return TilePosition(in_strip // width, first + in_strip % width, first + width)


cdef size_t packed_size(const fastnn_kernels *kernels, size_t fan_in, size_t fan_out) noexcept nogil:
    """The number of numbers in a matrix's panels, biases included."""
    return (1 + fan_in) * round_up(fan_out, kernels.tile_cols)


cdef fastnn_terms every_term(const uint32_t *all_terms) noexcept nogil:
    """The terms of sums in which none is left out. all_terms has 0, 1, 2 and so on, for the longest sum."""
    return fastnn_terms(all_terms, NULL, 0)


cdef void dense_forward(const fastnn_kernels *kernels, const fastnn_matrix *W, const Signal *below, size_t rows,
                        const Signal *above, const Step *step, const Team *team) noexcept nogil:
    """Make `rows` rows of the signal above: x W + b of the rows x of the signal below, finished."""
    cdef size_t panels = n_panels(kernels, W.fan_out), tiles = n_tiles(kernels, rows)
    cdef size_t wide = min(FORWARD_PANELS, max(1, panels * tiles // (FORWARD_TILES // 4 * FORWARD_TASKS)))
    cdef size_t high = kernels.tile_rows * min(FORWARD_TILES, max(
        FORWARD_TILES // 4, panels * tiles // (FORWARD_PANELS * FORWARD_TASKS)))
    cdef size_t n_strips = (panels + wide - 1) // wide
    cdef size_t task, row, panel, n_chunks = (rows + high - 1) // high
    cdef Share mine = my_share(team, n_strips * n_chunks)
    for task in range(mine.first, mine.last):
        panel, row = task // n_chunks * wide, task % n_chunks * high
        forward_block(kernels, W, below, row, min(row + high, rows), above, panel, min(panel + wide, panels), step)


cdef void dense_forward_rows(const fastnn_kernels *kernels, const fastnn_matrix *W, const Signal *below, size_t first,
                             size_t last, const Signal *above, const Step *step) noexcept nogil:
    """Likewise rows first ... last - 1, by the calling thread alone."""
    forward_block(kernels, W, below, first, last, above, 0, n_panels(kernels, W.fan_out), step)


cdef inline void forward_block(const fastnn_kernels *kernels, const fastnn_matrix *W, const Signal *below, size_t first,
                               size_t last, const Signal *above, size_t first_panel, size_t last_panel,
                               const Step *step) noexcept nogil:
    """Likewise the panels first_panel ... last_panel - 1 of rows first ... last - 1."""
    cdef fastnn_batch x = signal_rows(kernels, below, first, last)
    cdef char *sums = row_of(kernels, above, sums_of(above), first)
    kernels.dense_forward(W, &x, first_panel, last_panel, 0, sums, above.ld)
    finish_values(kernels, above, first, last - first, first_panel, last_panel, step)


cdef void dense_back(const fastnn_kernels *kernels, const fastnn_matrix *W, size_t rows, const char *delta_out_t,
                     const Signal *below, const Team *team) noexcept nogil:
    """The gradient by the sums of the signal below: delta_out W^T, finished, and its transpose if the signal has one.

    delta_out_t (n_tiles, fan_out, tile_cols) is the transpose of delta_out, tile_cols rows at a time.
    """
    cdef size_t task, first, row
    cdef TilePosition position
    cdef size_t n_batch_tiles = (rows + kernels.tile_cols - 1) // kernels.tile_cols
    cdef size_t n_blocks = (W.fan_in + INPUT_BLOCK - 1) // INPUT_BLOCK
    cdef Share mine = my_share(team, n_blocks * n_batch_tiles)
    for task in range(mine.first, mine.last):
        position = position_of(task, n_blocks, n_batch_tiles, INPUT_TILES)
        first = position.row * INPUT_BLOCK
        row = position.column * kernels.tile_cols
        kernels.dense_grad_input(
            W, first, min(first + INPUT_BLOCK, W.fan_in), delta_out_t + row * W.fan_out * kernels.itemsize, row,
            below.activation, below.kept, below.ld, below.mask, below.delta, below.ld,
            below.delta_t + row * W.fan_in * kernels.itemsize if below.delta_t != NULL else NULL)


cdef void transpose_weights(const fastnn_kernels *kernels, const fastnn_matrix *W, size_t panel, size_t first,
                            size_t last, const fastnn_matrix *transposed) noexcept nogil:
    """Write rows [first, last) of a panel of W into W^T, which is packed as a matrix without biases."""
    cdef size_t width = kernels.tile_cols, column = panel * width, past_bias = width * kernels.itemsize
    cdef size_t end, row = first, tile, cols = min(width, W.fan_out - column)
    cdef const char *rows = <const char *> W.weights + (panel * (1 + W.fan_in) * width) * kernels.itemsize + past_bias
    cdef char *tiles = <char *> transposed.weights + past_bias + column * width * kernels.itemsize
    while row < last:
        tile = row - row % width
        end = min(tile + width, last)
        kernels.transpose(end - row, cols, rows + row * width * kernels.itemsize, width,
                          tiles + (tile * (1 + W.fan_out) + row - tile) * kernels.itemsize, width)
        row = end


cdef inline bint has_few_tasks(const fastnn_kernels *kernels, const fastnn_matrix *W) noexcept nogil:
    return n_panels(kernels, W.fan_out) * n_tiles(kernels, W.fan_in) <= WEIGHT_TASKS * WEIGHT_TILES


cdef size_t weight_task_rows(const fastnn_kernels *kernels, const fastnn_matrix *W) noexcept nogil:
    """The number of rows of W that a task of a step has; the last one of a panel may have fewer."""
    return (SMALL_WEIGHT_TILES if has_few_tasks(kernels, W) else WEIGHT_TILES) * kernels.tile_rows


cdef size_t weight_chunks(const fastnn_kernels *kernels, const fastnn_matrix *W) noexcept nogil:
    """The number of tasks of one panel."""
    cdef size_t chunk = weight_task_rows(kernels, W)
    return (W.fan_in + chunk - 1) // chunk


cdef size_t n_weight_tasks(const fastnn_kernels *kernels, const fastnn_matrix *W) noexcept nogil:
    """The number of tasks of a step on W, which is 0 for a vector."""
    return n_panels(kernels, W.fan_out) * weight_chunks(kernels, W)


cdef void dense_step(const fastnn_kernels *kernels, const Parameter *parameter, const fastnn_batch *x,
                     const char *delta, size_t ldd, const fastnn_update *update, const fastnn_matrix *transposed,
                     const Team *team) noexcept nogil:
    """Make one optimizer step on W and b with their gradients x^T delta and sum(delta).

    The parameter's squares get the sums of the squares of W before the step, one for each task. transposed, unless
    NULL, gets W^T after the step.
    """
    cdef const fastnn_matrix *W = &parameter.matrix
    cdef size_t panel, end, first, chunk = weight_task_rows(kernels, W)
    cdef size_t panels = n_panels(kernels, W.fan_out), n_chunks = weight_chunks(kernels, W)
    cdef Share mine = my_share(team, panels * n_chunks)
    cdef size_t task = mine.first, wide = panels if has_few_tasks(kernels, W) else WEIGHT_PANELS
    cdef TilePosition position
    while task < mine.last:  # the kernel takes this thread's tasks in one row of a strip together
        position = position_of(task, n_chunks, panels, wide)
        first, end = position.row * chunk, min(position.strip_end, position.column + mine.last - task)
        kernels.dense_grad_weights(W, x, position.column, end, first, min(first + chunk, W.fan_in), delta, ldd, update,
                                   parameter.squares + task)
        task += end - position.column
        for panel in range(position.column, end):
            if first == 0 and parameter.biased:
                kernels.dense_grad_bias(W, panel, x.rows, delta, ldd, update)
            if transposed != NULL:
                transpose_weights(kernels, W, panel, first, min(first + chunk, W.fan_in), transposed)
