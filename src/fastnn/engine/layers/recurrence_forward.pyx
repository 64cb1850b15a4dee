"""A recurrent layer's way forward through all steps of a few samples, which are laid out as in recurrence.pyx."""

from libc.stddef cimport size_t
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy, memset

from fastnn.engine.kernels cimport (
    fastnn_batch, fastnn_cell, fastnn_kernels, fastnn_matrix, fastnn_rescaling, fastnn_terms,
)
from fastnn.engine.layers.layer cimport Layer
from fastnn.engine.layers.recurrence cimport (
    AVERAGED, CONCATENATED, GROUP, MULTIPLIED, Group, Recurrent, RowLayout, Scratch, group_of, multiply, n_with_step,
    output_row, row_layout, rows_at, scratch_of, shape_of, time_of,
)
from fastnn.engine.layers.signal cimport Signal, Step, n_panels, row_of, rows_before, rows_of, sums_of

# For as many tiles as a group has at most: sums of no terms, which are the biases.
cdef uint32_t[GROUP] NO_COUNTS


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
    cdef size_t itemsize = layer.kernels.itemsize, t, n = group.n, n_next
    cdef size_t end = 0, n_rows, half = 0  # of the steps whose rows lie together
    cdef Scratch scratch = scratch_of(layer, row)
    cdef char *rows = group.memo if group.memo != NULL else scratch.steps
    cdef char *following
    cdef bint drops = step != NULL and group.memo != NULL
    if drops:
        draw_masks(layer, row, group, above, step, rows)
    begin_states(layer, row, group, rows)
    for t in range(group.n_steps):
        if t == end:
            end = t + n_steps_within(group, t, n, group.rows if group.memo != NULL else GROUP, &n_rows)
            read_inputs(layer, row, group, below, t, end, rows, drops)
            sum_inputs(layer, row, group, n_rows, rows)
        n_next = n_with_step(group, t + 1, n)
        following = rows + n * row.ld * itemsize
        if t + 1 == end:
            half = 1 - half
            following = scratch.steps + half * GROUP * row.ld * itemsize
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


cdef size_t n_steps_within(const Group *group, size_t step, size_t n, size_t most_rows, size_t *n_rows) noexcept nogil:
    """For how many steps from this one on, which n samples have, there is room in so many rows. At least for one."""
    cdef size_t t = step
    n_rows[0] = 0
    while n > 0 and n_rows[0] + n <= most_rows:
        n_rows[0] += n
        t += 1
        n = n_with_step(group, t, n)
    return t - step


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


cdef inline fastnn_matrix *weights_of(const Layer *layer, size_t direction, size_t operand, size_t gate) noexcept nogil:
    """A gate's weights: of operand 0, the inputs, or of operand 1, the state."""
    return &layer.parameters[(2 * direction + operand) * shape_of(layer).n_gates + gate].matrix


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
    cdef fastnn_cell cell = fastnn_cell(shape.units, row.section, shape.activation, shape.recurrent_activation)
    cdef size_t ldr = shape.n_gates * row.section, itemsize = layer.kernels.itemsize
    cdef char *gates = rows + (first * row.ld + row.gates) * itemsize
    cdef char *before = rows + (first * row.ld + row.states) * itemsize
    recurrent += first * ldr * itemsize
    shape.cell_forward(&cell, last - first, gates, recurrent, ldr, before, after, lda, row.ld)


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
