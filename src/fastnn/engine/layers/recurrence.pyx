"""Where a recurrent layer has the steps of a few samples that go through all of them together.

A group of samples is laid out by steps: first all samples' first steps, then their second ones, and so on. Longer
samples come first, so those that have a step are the first rows of the step before. So the products of a step read
consecutive rows; and the products over all steps, of the inputs and of the gradients, are one each.

In training the rows of all steps are the memo of the signal above, and stay until the error has come back. Outside of
training there are GROUP rows of as many steps as they hold, and as many of the steps before or after, in turn. So the
weights of the inputs are read once for several steps of a few samples.
"""

from libc.stddef cimport size_t

from fastnn.engine.arrays cimport round_up, row_length
from fastnn.engine.kernels cimport FASTNN_IDENTITY, fastnn_kernels, fastnn_matrix
from fastnn.engine.layers.layer cimport Layer
from fastnn.engine.layers.signal cimport Signal, memo_of, rows_of


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


cdef Scratch scratch_of(const Layer *layer, const RowLayout *row) noexcept nogil:
    cdef const Recurrent *shape = shape_of(layer)
    cdef size_t vectors = GROUP * row.section * layer.kernels.itemsize
    return Scratch(layer.scratch, layer.scratch + shape.n_gates * vectors,
                   layer.scratch + (shape.n_gates + shape.n_states) * vectors)


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


cdef fastnn_matrix *transposed_of(const Layer *layer, size_t parameter) noexcept nogil:
    """A parameter's transpose, by which the error goes back."""
    return <fastnn_matrix *> layer.workspace + parameter


cdef void multiply(const fastnn_kernels *kernels, size_t n, const char *factors, char *numbers) noexcept nogil:
    kernels.multiply_gradient(FASTNN_IDENTITY, 1, n, numbers, factors, n, numbers, n)
