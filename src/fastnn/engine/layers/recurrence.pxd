"""Where a recurrent layer has the steps of a few samples, time-major: see recurrence.pyx.

recurrence_forward.pyx goes through them, and recurrence_back.pyx takes the error back.
"""

from libc.stddef cimport size_t
from libc.stdint cimport uint32_t
from libc.string cimport memset

from fastnn.engine.kernels cimport fastnn_batch, fastnn_cell, fastnn_kernels, fastnn_matrix
from fastnn.engine.layers.layer cimport Layer
from fastnn.engine.layers.signal cimport Signal, rows_before

# So many samples go through all steps together: enough rows to repay loading a panel, few enough to stay in the cache.
cdef enum:
    GROUP = 32

# The error goes back to the inputs of so many rows at a time.
cdef enum:
    INPUT_ROWS = 64

cdef enum CellKind:
    SIMPLE_CELL
    GRU_CELL
    LSTM_CELL

# How the outputs of two directions become one.
cdef enum Merge:
    CONCATENATED
    SUMMED
    AVERAGED
    MULTIPLIED


# A cell's kernels: see kernels.h.
ctypedef void (*CellForward)(const fastnn_cell *cell, size_t rows, void *gates, const void *recurrent, size_t ldr,
                             const void *before, void *after, size_t lda, size_t ld) noexcept nogil
ctypedef void (*CellGrad)(const fastnn_cell *cell, size_t rows, void *gates, const void *before, size_t ld, void *delta,
                          size_t ldd) noexcept nogil


cdef struct Recurrent:
    CellKind cell
    CellForward cell_forward
    CellGrad cell_grad
    size_t units, channels
    size_t n_gates
    size_t n_sections  # the vectors of units that the gates keep of a step
    size_t n_states  # the vectors that go from step to step, the first of which is the output
    size_t n_directions
    bint begins_at_end  # the direction, or the first one, begins with the last step
    bint return_sequences
    Merge merge  # CONCATENATED where there is one direction
    int activation, recurrent_activation
    double dropout, recurrent_dropout
    const uint32_t *terms  # 0, 1, 2, ...


# A row has, for one step of one sample in one direction, vectors that begin so many numbers after the row's begin.
cdef struct RowLayout:
    size_t section  # the distance of one vector of units to the next
    size_t x  # (channels) the input
    size_t gates  # (n_sections) their sums of the input; then what the gates are; then the gradients by the sums
    size_t states  # (n_states) the state before the step
    size_t dropped  # (1) its first vector after dropout, where there is recurrent dropout
    size_t outputs  # (1) the output, where the other direction's gradient depends on it
    size_t x_mask, state_mask  # (channels), (1) dropout's factors, in the rows of the first step
    size_t ld  # the distance of one row to the next


# Samples that go through all steps together, as one direction sees them.
cdef struct Group:
    size_t direction
    bint from_end  # the steps are taken from the last one to the first
    size_t n, rows, n_steps  # samples, all their steps, and the steps of the longest one
    size_t samples[GROUP]  # their numbers
    size_t lengths[GROUP]  # their steps
    char *memo  # (rows, ld) the rows of all steps; NULL: only those of some steps are kept


# A thread's memory for a group.
cdef struct Scratch:
    # (GROUP, n_gates) the gates' sums of the state; on the way back (GROUP, 1) a product before dropout
    char *recurrent
    char *ends  # (GROUP, n_states) the states that samples end with; on the way back the gradients by the states
    char *steps  # (2, GROUP, ld) the rows of some steps; on the way back (INPUT_ROWS, channels) the gradients by inputs


cdef RowLayout row_layout(const fastnn_kernels *kernels, const Recurrent *shape) noexcept nogil
cdef size_t scratch_numbers(const fastnn_kernels *kernels, const Recurrent *shape) noexcept nogil
cdef Scratch scratch_of(const Layer *layer, const RowLayout *row) noexcept nogil
cdef Group group_of(const Layer *layer, const RowLayout *row, const Signal *below, const Signal *above, size_t first,
                    size_t last, size_t direction) noexcept nogil
cdef fastnn_matrix *transposed_of(const Layer *layer, size_t parameter) noexcept nogil
cdef void multiply(const fastnn_kernels *kernels, size_t n, const char *factors, char *numbers) noexcept nogil


cdef inline const Recurrent *shape_of(const Layer *layer) noexcept nogil:
    return <const Recurrent *> layer.shape


cdef inline size_t n_with_step(const Group *group, size_t step, size_t n) noexcept nogil:
    """How many samples have a step, if n of them have an earlier one."""
    while n > 0 and group.lengths[n - 1] <= step:
        n -= 1
    return n


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


cdef inline fastnn_batch rows_at(const Recurrent *shape, size_t n, const char *values, size_t ld) noexcept nogil:
    """Rows, as the products read them."""
    cdef fastnn_batch batch
    memset(&batch, 0, sizeof(fastnn_batch))
    batch.rows, batch.values, batch.ld, batch.columns.terms = n, values, ld, shape.terms
    return batch
