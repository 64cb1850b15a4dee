"""The error's way back through all steps of a recurrent layer, for a few samples laid out as in recurrence.pyx.

First what the memo has of the gates becomes the gradients by their sums, from the last step to the first. Of these and
of the rows follow the gradients of the weights, and the error of the layer below: products over all steps.
"""

from libc.stddef cimport size_t
from libc.string cimport memcpy, memset

from fastnn.engine.arrays cimport round_up
from fastnn.engine.kernels cimport fastnn_batch, fastnn_cell, fastnn_grid, fastnn_kernels, fastnn_rescaling
from fastnn.engine.layers.layer cimport Layer
from fastnn.engine.layers.recurrence cimport (
    AVERAGED, CONCATENATED, GROUP, GRU_CELL, INPUT_ROWS, MULTIPLIED, Group, Recurrent, RowLayout, Scratch, group_of,
    multiply, n_with_step, output_row, row_layout, rows_at, scratch_of, shape_of, time_of, transposed_of,
)
from fastnn.engine.layers.signal cimport Signal, n_panels, row_of, rows_before


cdef inline size_t section_of(const Recurrent *shape, size_t operand, size_t gate) noexcept nogil:
    """The section that has the gradient by a gate's sum over an operand.

    They differ only for a GRU's candidate, whose sum over the state is multiplied by a gate.
    """
    return 3 if shape.cell == GRU_CELL and operand == 1 and gate == 2 else gate


cdef void gates_back_group(const Layer *layer, const Signal *below, const Signal *above, size_t first,
                           size_t last) noexcept nogil:
    """Make of what the memo has of the gates the gradients by their sums, from the last step to the first."""
    cdef RowLayout row = row_layout(layer.kernels, shape_of(layer))
    cdef Group groups[2]
    cdef size_t direction
    for direction in range(shape_of(layer).n_directions):
        groups[direction] = group_of(layer, &row, below, above, first, last, direction)
    for direction in range(shape_of(layer).n_directions):
        gates_back_direction(layer, &row, &groups[direction], &groups[1 - direction], above)


cdef void gates_back_direction(const Layer *layer, const RowLayout *row, const Group *group, const Group *other,
                               const Signal *above) noexcept nogil:
    cdef const Recurrent *shape = shape_of(layer)
    cdef size_t itemsize = layer.kernels.itemsize, ldd = shape.n_states * row.section, t = group.n_steps, n = 0
    cdef Scratch scratch = scratch_of(layer, row)
    cdef char *rows = group.memo + group.rows * row.ld * itemsize
    memset(scratch.ends, 0, GROUP * ldd * itemsize)
    while t > 0:
        t -= 1
        while n < group.n and group.lengths[n] > t:
            n += 1
        rows -= n * row.ld * itemsize
        add_output_deltas(layer, row, group, other, above, t, n, scratch.ends, ldd)
        cells_back(layer, row, n, rows, scratch.ends, ldd)
        if t > 0:
            states_back(layer, row, group, n, rows, &scratch)


cdef inline size_t rows_before_step(const Group *group, size_t step) noexcept nogil:
    """The number of rows of all earlier steps."""
    cdef size_t i, rows = 0
    for i in range(group.n):
        rows += min(group.lengths[i], step)
    return rows


cdef void add_output_deltas(const Layer *layer, const RowLayout *row, const Group *group, const Group *other,
                            const Signal *above, size_t step, size_t n, char *delta, size_t ldd) noexcept nogil:
    """Add the loss's gradients by the outputs of a step to the gradients by the n samples' states after it."""
    cdef const Recurrent *shape = shape_of(layer)
    cdef const fastnn_kernels *kernels = layer.kernels
    cdef fastnn_rescaling half = fastnn_rescaling(0.5, 0)
    cdef size_t itemsize = kernels.itemsize, i, other_step
    cdef const char *of_output
    cdef char *product = scratch_of(layer, row).recurrent
    for i in range(n):
        if not shape.return_sequences and step + 1 < group.lengths[i]:
            continue
        of_output = row_of(kernels, above, above.delta, output_row(shape, above, group, i, step))
        if shape.merge == CONCATENATED:
            of_output += group.direction * shape.units * itemsize
        elif shape.merge == AVERAGED:
            kernels.rescale(1, shape.units, &half, of_output, shape.units, product, shape.units)
            of_output = product
        elif shape.merge == MULTIPLIED:
            other_step = group.lengths[i] - 1 - step if shape.return_sequences else step
            memcpy(product, of_output, shape.units * itemsize)
            multiply(kernels, shape.units, other.memo + (
                (rows_before_step(other, other_step) + i) * row.ld + row.outputs) * itemsize, product)
            of_output = product
        kernels.add(shape.units, of_output, delta + i * ldd * itemsize)


cdef void cells_back(const Layer *layer, const RowLayout *row, size_t n, char *rows, char *delta,
                     size_t ldd) noexcept nogil:
    """The gradients by the gates' sums; and by the states before the step, but for what goes through these sums."""
    cdef const Recurrent *shape = shape_of(layer)
    cdef fastnn_cell cell = fastnn_cell(shape.units, row.section, shape.activation, shape.recurrent_activation)
    cdef size_t itemsize = layer.kernels.itemsize
    shape.cell_grad(&cell, n, rows + row.gates * itemsize, rows + row.states * itemsize, row.ld, delta, ldd)


cdef void states_back(const Layer *layer, const RowLayout *row, const Group *group, size_t n, const char *rows,
                      const Scratch *scratch) noexcept nogil:
    """Add what goes through the sums: the gradients by them, times U^T."""
    cdef const Recurrent *shape = shape_of(layer)
    cdef const fastnn_kernels *kernels = layer.kernels
    cdef bint drops = shape.recurrent_dropout > 0
    cdef size_t itemsize = kernels.itemsize, gate, i, ldd = shape.n_states * row.section
    cdef size_t first = (2 * group.direction + 1) * shape.n_gates
    cdef fastnn_batch delta
    for gate in range(shape.n_gates):
        delta = rows_at(shape, n, rows + (row.gates + section_of(shape, 1, gate) * row.section) * itemsize, row.ld)
        kernels.dense_forward(
            transposed_of(layer, first + gate), &delta, 0, n_panels(kernels, shape.units), not drops or gate > 0,
            scratch.recurrent if drops else scratch.ends, row.section if drops else ldd)
    for i in range(n if drops else 0):
        multiply(kernels, shape.units, group.memo + (i * row.ld + row.state_mask) * itemsize,
                 scratch.recurrent + i * row.section * itemsize)
        kernels.add(shape.units, scratch.recurrent + i * row.section * itemsize, scratch.ends + i * ldd * itemsize)


cdef void add_gradients_group(const Layer *layer, const Signal *below, const Signal *above, size_t first, size_t last,
                              char *gradient, bint onto) noexcept nogil:
    """The gradients of all weights, or these added to what is there: sums over all steps of all samples."""
    cdef const Recurrent *shape = shape_of(layer)
    cdef const fastnn_kernels *kernels = layer.kernels
    cdef RowLayout row = row_layout(kernels, shape)
    cdef size_t itemsize = kernels.itemsize, direction, operand, gate, parameter = 0, column
    cdef fastnn_grid grid
    cdef Group group
    memset(&grid, 0, sizeof(fastnn_grid))
    grid.height, grid.offsets = 1, shape.terms
    grid.x_col = grid.z_col = row.ld
    for direction in range(shape.n_directions):
        group = group_of(layer, &row, below, above, first, last, direction)
        grid.width = group.rows
        for operand in range(2):
            column = row.x if operand == 0 else row.dropped if shape.recurrent_dropout > 0 else row.states
            grid.n_terms = grid.run = shape.channels if operand == 0 else shape.units
            for gate in range(shape.n_gates):
                kernels.conv_grad_weights(
                    &layer.parameters[parameter].matrix, &grid, group.memo + column * itemsize,
                    group.memo + (row.gates + section_of(shape, operand, gate) * row.section) * itemsize, onto,
                    gradient + (layer.parameters[parameter].offset - layer.parameters[0].offset) * itemsize)
                parameter += 1


cdef void inputs_back_group(const Layer *layer, const Signal *below, const Signal *above, size_t first,
                            size_t last) noexcept nogil:
    """Carry the error back to the inputs: the gradients by the gates' sums, times W^T."""
    cdef RowLayout row = row_layout(layer.kernels, shape_of(layer))
    cdef Group group
    cdef size_t direction
    for direction in range(shape_of(layer).n_directions):
        group = group_of(layer, &row, below, above, first, last, direction)
        inputs_back_direction(layer, &row, &group, below)


cdef void inputs_back_direction(const Layer *layer, const RowLayout *row, const Group *group,
                                const Signal *below) noexcept nogil:
    cdef const Recurrent *shape = shape_of(layer)
    cdef const fastnn_kernels *kernels = layer.kernels
    cdef size_t itemsize = kernels.itemsize, ldx = round_up(shape.channels, kernels.tile_cols)
    cdef size_t begin = 0, n, gate, j, step = 0, i = 0, n_alive = group.n
    cdef char *products = scratch_of(layer, row).steps
    cdef char *x
    cdef char *target
    cdef fastnn_batch delta
    while begin < group.rows:
        n = min(<size_t> INPUT_ROWS, group.rows - begin)
        for gate in range(shape.n_gates):
            delta = rows_at(shape, n, group.memo + (begin * row.ld + row.gates + gate * row.section) * itemsize, row.ld)
            kernels.dense_forward(transposed_of(layer, 2 * group.direction * shape.n_gates + gate), &delta, 0,
                                  n_panels(kernels, shape.channels), gate > 0, products, ldx)
        for j in range(n):
            x = products + j * ldx * itemsize
            if shape.dropout > 0:
                multiply(kernels, shape.channels, group.memo + (i * row.ld + row.x_mask) * itemsize, x)
            target = row_of(kernels, below, below.delta,
                            rows_before(below, group.samples[i]) + time_of(group, i, step))
            if group.direction == 0:
                memcpy(target, x, shape.channels * itemsize)
            else:
                kernels.add(shape.channels, x, target)
            i += 1
            if i == n_alive:
                i, step = 0, step + 1
                n_alive = n_with_step(group, step, n_alive)
        begin += n
