"""A recurrent layer's way through all steps of a few samples: see recurrence.pxd.

A group of samples is laid out by steps: first all samples' first steps, then their second ones, and so on. Longer
samples come first, so those that have a step are the first rows of the step before. So the products of a step read
consecutive rows; and the products over all steps, of the inputs and of the gradients, are one each.

In training the rows of all steps are the memo of the signal above, and stay until the error has come back. Outside of
training there are two steps' rows, which take turns.
"""

from libc.stddef cimport size_t
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy, memset

from fastnn.engine.arrays cimport round_up, row_length
from fastnn.engine.kernels cimport (
    FASTNN_IDENTITY, fastnn_batch, fastnn_cell, fastnn_grid, fastnn_kernels, fastnn_matrix, fastnn_rescaling,
    fastnn_terms,
)
from fastnn.engine.layers.layer cimport Layer
from fastnn.engine.layers.signal cimport Signal, Step, memo_of, n_panels, row_of, rows_before, rows_of, sums_of

# The error goes back to the inputs of so many rows at a time.
cdef enum:
    INPUT_ROWS = 64

# For as many tiles as a group has at most: sums of no terms, which are the biases.
cdef uint32_t[GROUP] NO_COUNTS


# Samples that go through all steps together, as one direction sees them.
cdef struct Group:
    size_t direction
    bint from_end  # the steps are taken from the last one to the first
    size_t n, rows, n_steps  # samples, all their steps, and the steps of the longest one
    size_t samples[GROUP]  # their numbers
    size_t lengths[GROUP]  # their steps
    char *memo  # (rows, ld) the rows of all steps; NULL: only two steps' rows are kept


# A thread's memory for a group.
cdef struct Scratch:
    char *recurrent  # (GROUP, n_gates) the gates' sums of the state; on the way back (GROUP, 1) a product before dropout
    char *ends  # (GROUP, n_states) the states that samples end with; on the way back the gradients by the states
    char *steps  # (2, GROUP, ld) the rows of two steps; on the way back (INPUT_ROWS, channels) the gradients by inputs


cdef inline const Recurrent *shape_of(const Layer *layer) noexcept nogil:
    return <const Recurrent *> layer.shape


cdef RowLayout row_layout(const fastnn_kernels *kernels, const Recurrent *shape) noexcept nogil:
    cdef RowLayout row
    cdef size_t channels = round_up(shape.channels, kernels.tile_cols)
    row.section = round_up(shape.units, kernels.tile_cols)
    row.x = 0
    row.gates = row.x + channels
    row.states = row.gates + shape.n_sections * row.section
    row.dropped = row.states + shape.n_states * row.section
    row.outputs = row.dropped + (row.section if shape.recurrent_dropout > 0 else 0)
    row.x_mask = row.outputs + (row.section if shape.merge == MULTIPLIED else 0)
    row.state_mask = row.x_mask + (channels if shape.dropout > 0 else 0)
    row.ld = row_length(row.state_mask + (row.section if shape.recurrent_dropout > 0 else 0), kernels.tile_cols,
                        kernels.itemsize)
    return row


cdef size_t scratch_numbers(const fastnn_kernels *kernels, const Recurrent *shape) noexcept nogil:
    cdef RowLayout row = row_layout(kernels, shape)
    return (GROUP * (shape.n_gates + shape.n_states) * row.section
            + max(2 * GROUP * row.ld, INPUT_ROWS * round_up(shape.channels, kernels.tile_cols)))


cdef inline Scratch scratch_of(const Layer *layer, const RowLayout *row) noexcept nogil:
    cdef const Recurrent *shape = shape_of(layer)
    cdef size_t vectors = GROUP * row.section * layer.kernels.itemsize
    return Scratch(layer.scratch, layer.scratch + shape.n_gates * vectors,
                   layer.scratch + (shape.n_gates + shape.n_states) * vectors)


# -- groups ------------------------------------------------------------------------------------------------------------

cdef Group group_of(const Layer *layer, const RowLayout *row, const Signal *below, const Signal *above, size_t first,
                    size_t last, size_t direction) noexcept nogil:
    """Samples first ... last - 1, the longer ones first, and equal ones in their order."""
    cdef Group group
    cdef size_t i, j, n_steps
    group.direction, group.n, group.rows = direction, last - first, rows_of(below, first, last)
    group.from_end = shape_of(layer).begins_at_end != (direction == 1)
    for i in range(group.n):
        n_steps, j = rows_of(below, first + i, first + i + 1), i
        while j > 0 and group.lengths[j - 1] < n_steps:
            group.lengths[j], group.samples[j] = group.lengths[j - 1], group.samples[j - 1]
            j -= 1
        group.lengths[j], group.samples[j] = n_steps, first + i
    group.n_steps = group.lengths[0]
    group.memo = memo_of(layer.kernels, above, below, first)
    if group.memo != NULL:
        group.memo += direction * group.rows * row.ld * layer.kernels.itemsize
    return group


cdef inline size_t n_with_step(const Group *group, size_t step, size_t n) noexcept nogil:
    """How many samples have a step, if n of them have an earlier one."""
    while n > 0 and group.lengths[n - 1] <= step:
        n -= 1
    return n


cdef inline size_t rows_before_step(const Group *group, size_t step) noexcept nogil:
    """The number of rows of all earlier steps."""
    cdef size_t i, rows = 0
    for i in range(group.n):
        rows += min(group.lengths[i], step)
    return rows


cdef inline size_t time_of(const Group *group, size_t i, size_t step) noexcept nogil:
    """The place in the sequence of a sample's step."""
    return group.lengths[i] - 1 - step if group.from_end else step


cdef inline size_t output_row(const Recurrent *shape, const Signal *above, const Group *group, size_t i,
                              size_t step) noexcept nogil:
    """The row of the signal above that gets the output of a sample's step."""
    cdef size_t row = rows_before(above, group.samples[i])
    if not shape.return_sequences:
        return row
    # As in Keras, a layer that only goes backwards makes its outputs in the order of its steps.
    return row + (time_of(group, i, step) if shape.n_directions == 2 else step)


cdef inline fastnn_matrix *weights_of(const Layer *layer, size_t direction, size_t operand, size_t gate) noexcept nogil:
    """A gate's weights: of operand 0, the inputs, or of operand 1, the state."""
    return &layer.parameters[(2 * direction + operand) * shape_of(layer).n_gates + gate].matrix


cdef inline size_t section_of(const Recurrent *shape, size_t operand, size_t gate) noexcept nogil:
    """The section that has the gradient by a gate's sum over an operand.

    They differ only for a GRU's candidate, whose sum over the state is multiplied by a gate.
    """
    return 3 if shape.cell == GRU_CELL and operand == 1 and gate == 2 else gate


cdef fastnn_matrix *transposed_of(const Layer *layer, size_t parameter) noexcept nogil:
    """A parameter's transpose, by which the error goes back."""
    return <fastnn_matrix *> layer.workspace + parameter


cdef inline fastnn_batch rows_at(const Recurrent *shape, size_t n, const char *values, size_t ld) noexcept nogil:
    """Rows, as the products read them."""
    cdef fastnn_batch batch
    memset(&batch, 0, sizeof(fastnn_batch))
    batch.rows, batch.values, batch.ld, batch.columns.terms = n, values, ld, shape.terms
    return batch


cdef void multiply(const fastnn_kernels *kernels, size_t n, const char *factors, char *numbers) noexcept nogil:
    kernels.multiply_gradient(FASTNN_IDENTITY, 1, n, numbers, factors, n, numbers, n)


# -- forward -----------------------------------------------------------------------------------------------------------

cdef void forward_group(const Layer *layer, const Signal *below, const Signal *above, size_t first, size_t last,
                        const Step *step) noexcept nogil:
    """Make the outputs of samples first ... last - 1, at most GROUP of them. Outside of training step is NULL."""
    cdef const Recurrent *shape = shape_of(layer)
    cdef RowLayout row = row_layout(layer.kernels, shape)
    cdef fastnn_rescaling half = fastnn_rescaling(0.5, 0)
    cdef Group group
    cdef size_t direction, begin = rows_before(above, first)
    cdef char *sums = row_of(layer.kernels, above, sums_of(above), begin)
    for direction in range(shape.n_directions):
        group = group_of(layer, &row, below, above, first, last, direction)
        forward_direction(layer, &row, &group, below, above, step)
    if shape.n_directions == 2 and shape.merge == AVERAGED:
        layer.kernels.rescale(rows_of(above, first, last), above.channels, &half, sums, above.ld, sums, above.ld)


cdef void forward_direction(const Layer *layer, const RowLayout *row, const Group *group, const Signal *below,
                            const Signal *above, const Step *step) noexcept nogil:
    cdef const Recurrent *shape = shape_of(layer)
    cdef size_t itemsize = layer.kernels.itemsize, t, n = group.n, n_next, next_rows
    cdef Scratch scratch = scratch_of(layer, row)
    cdef char *rows = group.memo if group.memo != NULL else scratch.steps
    cdef char *following
    cdef bint drops = step != NULL and group.memo != NULL
    if drops:
        draw_masks(layer, row, group, above, step, rows)
    if group.memo != NULL:
        read_inputs(layer, row, group, below, 0, group.n_steps, rows, drops)
        sum_inputs(layer, row, group, group.rows, rows)
    begin_states(layer, row, group, rows)
    for t in range(group.n_steps):
        n_next = n_with_step(group, t + 1, n)
        if group.memo != NULL:
            following = rows + n * row.ld * itemsize
        else:
            following = scratch.steps + (t + 1) % 2 * GROUP * row.ld * itemsize
            read_inputs(layer, row, group, below, t, t + 1, rows, False)
            sum_inputs(layer, row, group, n, rows)
        if drops and shape.recurrent_dropout > 0:
            drop_states(layer, row, group, n, rows)
        sum_states(layer, row, group, n, rows, t == 0 and not resumes(layer), drops, scratch.recurrent)
        step_cells(layer, row, 0, n_next, rows, scratch.recurrent, following + row.states * itemsize, row.ld)
        step_cells(layer, row, n_next, n, rows, scratch.recurrent,
                   scratch.ends + n_next * shape.n_states * row.section * itemsize, shape.n_states * row.section)
        if shape.return_sequences:
            write_outputs(layer, row, group, above, t, 0, n_next, following + row.states * itemsize, row.ld, rows)
        write_outputs(layer, row, group, above, t, n_next, n,
                      scratch.ends + n_next * shape.n_states * row.section * itemsize, shape.n_states * row.section,
                      rows)
        rows, n = following, n_next
    if layer.carried != NULL:
        end_states(layer, row, group, scratch.ends)


cdef void read_inputs(const Layer *layer, const RowLayout *row, const Group *group, const Signal *below, size_t first,
                      size_t last, char *rows, bint drops) noexcept nogil:
    """Copy the inputs of steps first ... last - 1 into their rows."""
    cdef const Recurrent *shape = shape_of(layer)
    cdef const fastnn_kernels *kernels = layer.kernels
    cdef size_t itemsize = kernels.itemsize, t, i, n = group.n
    cdef char *x = rows + row.x * itemsize
    for t in range(first, last):
        n = n_with_step(group, t, n)
        for i in range(n):
            memcpy(x, row_of(kernels, below, below.values, rows_before(below, group.samples[i]) + time_of(group, i, t)),
                   shape.channels * itemsize)
            if drops and shape.dropout > 0:
                multiply(kernels, shape.channels, group.memo + (i * row.ld + row.x_mask) * itemsize, x)
            x += row.ld * itemsize


cdef void sum_inputs(const Layer *layer, const RowLayout *row, const Group *group, size_t n, char *rows) noexcept nogil:
    """The gates' sums over the inputs of n rows."""
    cdef const Recurrent *shape = shape_of(layer)
    cdef size_t itemsize = layer.kernels.itemsize, gate
    cdef fastnn_batch x = rows_at(shape, n, rows + row.x * itemsize, row.ld)
    for gate in range(shape.n_gates):
        layer.kernels.dense_forward(
            weights_of(layer, group.direction, 0, gate), &x, 0, n_panels(layer.kernels, shape.units), 0,
            rows + (row.gates + gate * row.section) * itemsize, row.ld)


cdef void sum_states(const Layer *layer, const RowLayout *row, const Group *group, size_t n, const char *rows,
                     bint are_zero, bint drops, char *sums) noexcept nogil:
    """The gates' sums over the states of n samples."""
    cdef const Recurrent *shape = shape_of(layer)
    cdef size_t itemsize = layer.kernels.itemsize, gate
    cdef size_t operand = row.dropped if drops and shape.recurrent_dropout > 0 else row.states
    cdef fastnn_batch h = rows_at(shape, n, rows + operand * itemsize, row.ld)
    if are_zero:
        h.columns = fastnn_terms(shape.terms, &NO_COUNTS[0], 0)
    for gate in range(shape.n_gates):
        layer.kernels.dense_forward(
            weights_of(layer, group.direction, 1, gate), &h, 0, n_panels(layer.kernels, shape.units), 0,
            sums + gate * row.section * itemsize, shape.n_gates * row.section)


cdef void step_cells(const Layer *layer, const RowLayout *row, size_t first, size_t last, char *rows,
                     const char *recurrent, char *after, size_t lda) noexcept nogil:
    """One step of samples first ... last - 1. `after` gets their states."""
    cdef const Recurrent *shape = shape_of(layer)
    cdef const fastnn_kernels *kernels = layer.kernels
    cdef fastnn_cell cell = fastnn_cell(shape.units, row.section, shape.activation, shape.recurrent_activation)
    cdef size_t ldr = shape.n_gates * row.section, itemsize = kernels.itemsize
    cdef char *gates = rows + (first * row.ld + row.gates) * itemsize
    cdef char *before = rows + (first * row.ld + row.states) * itemsize
    recurrent += first * ldr * itemsize
    if shape.cell == SIMPLE_CELL:
        kernels.simple_cell_forward(&cell, last - first, gates, recurrent, ldr, before, after, lda, row.ld)
    elif shape.cell == GRU_CELL:
        kernels.gru_cell_forward(&cell, last - first, gates, recurrent, ldr, before, after, lda, row.ld)
    else:
        kernels.lstm_cell_forward(&cell, last - first, gates, recurrent, ldr, before, after, lda, row.ld)


cdef void write_outputs(const Layer *layer, const RowLayout *row, const Group *group, const Signal *above, size_t step,
                        size_t first, size_t last, const char *outputs, size_t ldo, char *rows) noexcept nogil:
    """Put the outputs of a step of samples first ... last - 1 into the signal above, merged with what is there."""
    cdef const Recurrent *shape = shape_of(layer)
    cdef const fastnn_kernels *kernels = layer.kernels
    cdef size_t itemsize = kernels.itemsize, n_bytes = shape.units * itemsize, i
    cdef char *out
    for i in range(first, last):
        out = row_of(kernels, above, sums_of(above), output_row(shape, above, group, i, step))
        if shape.n_directions == 2 and shape.merge == MULTIPLIED and group.memo != NULL:
            memcpy(rows + (i * row.ld + row.outputs) * itemsize, outputs, n_bytes)
        if group.direction == 0:
            memcpy(out, outputs, n_bytes)
        elif shape.merge == CONCATENATED:
            memcpy(out + n_bytes, outputs, n_bytes)
        elif shape.merge == MULTIPLIED:
            multiply(kernels, shape.units, outputs, out)
        else:
            kernels.add(shape.units, outputs, out)
        outputs += ldo * itemsize


# -- states and dropout ------------------------------------------------------------------------------------------------

cdef inline bint resumes(const Layer *layer) noexcept nogil:
    """Whether the states before the first step are not zeros."""
    return layer.carried != NULL and not layer.begins


cdef inline char *carried_by(const Layer *layer, const Group *group, size_t i, size_t state) noexcept nogil:
    cdef const Recurrent *shape = shape_of(layer)
    return layer.carried + (group.samples[i] * layer.carried_size
                            + (group.direction * shape.n_states + state) * shape.units) * layer.kernels.itemsize


cdef void begin_states(const Layer *layer, const RowLayout *row, const Group *group, char *rows) noexcept nogil:
    """The states before the first step: zeros, or what is carried."""
    cdef const Recurrent *shape = shape_of(layer)
    cdef size_t itemsize = layer.kernels.itemsize, i, state
    cdef char *states
    for i in range(group.n):
        for state in range(shape.n_states):
            states = rows + (i * row.ld + row.states + state * row.section) * itemsize
            if not resumes(layer):
                memset(states, 0, row.section * itemsize)
            else:
                memcpy(states, carried_by(layer, group, i, state), shape.units * itemsize)


cdef void end_states(const Layer *layer, const RowLayout *row, const Group *group, const char *ends) noexcept nogil:
    cdef const Recurrent *shape = shape_of(layer)
    cdef size_t itemsize = layer.kernels.itemsize, i, state
    for i in range(group.n):
        for state in range(shape.n_states):
            memcpy(carried_by(layer, group, i, state), ends + (i * shape.n_states + state) * row.section * itemsize,
                   shape.units * itemsize)


cdef void draw_masks(const Layer *layer, const RowLayout *row, const Group *group, const Signal *above,
                     const Step *step, char *rows) noexcept nogil:
    """Draw which inputs and outputs a sample lacks in all of its steps.

    The kernel drops units of what stands elsewhere in the row, which is written later.
    """
    cdef const Recurrent *shape = shape_of(layer)
    cdef const fastnn_kernels *kernels = layer.kernels
    # A stream of its own for each: the signals of a network have small numbers.
    cdef uint64_t stream = above.number + (<uint64_t> (1 + 2 * group.direction) << 32)
    cdef size_t i
    cdef char *at
    for i in range(group.n):
        at = rows + i * row.ld * kernels.itemsize
        if shape.dropout > 0:
            kernels.dropout(step.dropout_seed, step.first_number, stream, group.samples[i], 1, 0, shape.channels,
                            shape.dropout, at + row.x * kernels.itemsize, NULL, at + row.x_mask * kernels.itemsize,
                            row.ld)
        if shape.recurrent_dropout > 0:
            kernels.dropout(step.dropout_seed, step.first_number, stream + (<uint64_t> 1 << 32), group.samples[i], 1,
                            0, shape.units, shape.recurrent_dropout, at + row.gates * kernels.itemsize, NULL,
                            at + row.state_mask * kernels.itemsize, row.ld)


cdef void drop_states(const Layer *layer, const RowLayout *row, const Group *group, size_t n,
                      char *rows) noexcept nogil:
    """What the products read of n samples' states."""
    cdef const Recurrent *shape = shape_of(layer)
    cdef size_t itemsize = layer.kernels.itemsize, i
    for i in range(n):
        memcpy(rows + row.dropped * itemsize, rows + row.states * itemsize, shape.units * itemsize)
        multiply(layer.kernels, shape.units, group.memo + (i * row.ld + row.state_mask) * itemsize,
                 rows + row.dropped * itemsize)
        rows += row.ld * itemsize


# -- back --------------------------------------------------------------------------------------------------------------

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
        if shape.n_directions == 2 and shape.merge == CONCATENATED:
            of_output += group.direction * shape.units * itemsize
        elif shape.n_directions == 2 and shape.merge == AVERAGED:
            kernels.rescale(1, shape.units, &half, of_output, shape.units, product, shape.units)
            of_output = product
        elif shape.n_directions == 2 and shape.merge == MULTIPLIED:
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
    cdef const fastnn_kernels *kernels = layer.kernels
    cdef fastnn_cell cell = fastnn_cell(shape.units, row.section, shape.activation, shape.recurrent_activation)
    cdef char *gates = rows + row.gates * kernels.itemsize
    cdef char *before = rows + row.states * kernels.itemsize
    if shape.cell == SIMPLE_CELL:
        kernels.simple_cell_grad(&cell, n, gates, before, row.ld, delta, ldd)
    elif shape.cell == GRU_CELL:
        kernels.gru_cell_grad(&cell, n, gates, before, row.ld, delta, ldd)
    else:
        kernels.lstm_cell_grad(&cell, n, gates, before, row.ld, delta, ldd)


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
