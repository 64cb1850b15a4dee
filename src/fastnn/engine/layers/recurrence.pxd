"""A recurrent layer's way through all steps of a few samples, time-major: forward, and the error's way back."""

from libc.stddef cimport size_t
from libc.stdint cimport uint32_t

from fastnn.engine.kernels cimport fastnn_kernels, fastnn_matrix
from fastnn.engine.layers.layer cimport Layer
from fastnn.engine.layers.signal cimport Signal, Step

# So many samples go through all steps together: enough rows to repay loading a panel, few enough to stay in the cache.
cdef enum:
    GROUP = 32

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


cdef struct Recurrent:
    CellKind cell
    size_t units, channels
    size_t n_gates
    size_t n_sections  # the vectors of units that the gates keep of a step
    size_t n_states  # the vectors that go from step to step, the first of which is the output
    size_t n_directions
    bint begins_at_end  # the direction, or the first one, begins with the last step
    bint return_sequences
    Merge merge  # where there are two directions
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


cdef RowLayout row_layout(const fastnn_kernels *kernels, const Recurrent *shape) noexcept nogil
cdef size_t scratch_numbers(const fastnn_kernels *kernels, const Recurrent *shape) noexcept nogil
cdef fastnn_matrix *transposed_of(const Layer *layer, size_t parameter) noexcept nogil
cdef void forward_group(const Layer *layer, const Signal *below, const Signal *above, size_t first, size_t last,
                        const Step *step) noexcept nogil
cdef void gates_back_group(const Layer *layer, const Signal *below, const Signal *above, size_t first,
                           size_t last) noexcept nogil
cdef void add_gradients_group(const Layer *layer, const Signal *below, const Signal *above, size_t first, size_t last,
                              char *gradient, bint onto) noexcept nogil
cdef void inputs_back_group(const Layer *layer, const Signal *below, const Signal *above, size_t first,
                            size_t last) noexcept nogil
