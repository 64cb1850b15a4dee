"""What goes from one layer to the next, and back."""

from libc.stddef cimport size_t
from libc.stdint cimport uint64_t

from fastnn.engine.kernels cimport fastnn_batch, fastnn_entries, fastnn_kernels, fastnn_terms, fastnn_update


# What is the same for a whole step of training.
cdef struct Step:
    long long number  # the first is 1
    fastnn_update update
    uint64_t dropout_seed


# Of each sample of a batch `positions` rows of `channels` numbers, `ld` apart. Whoever makes a signal writes the sums
# and lets finish_values() make values of them; whoever carries an error back writes the gradient by the values and lets
# finish_delta() make of it the gradient by the sums. So neither needs to know what the other is.
cdef struct Signal:
    size_t positions, channels, ld
    int activation
    char *values  # (rows, channels) what the next layer reads; the sums, too, until they are finished, unless there are
    char *sums  # (rows, channels) which is where the activation keeps its input; else NULL
    char *kept  # (rows, channels) what the activation's derivative is taken from: the sums, or the values before dropout
    char *mask  # (rows, channels) what dropout multiplied the values by; NULL: there is none
    double dropout  # its rate, and
    size_t number  # which of the random numbers are this signal's
    char *delta  # (rows, channels) the loss's gradient; NULL: nobody wants it
    char *delta_t  # its transpose, in tiles (channels, tile_cols), for a layer that asks for it; else NULL
    fastnn_terms columns, samples  # the terms of sums over the values: all of them, but for a batch of X
    fastnn_entries entries  # a batch of a sparse X, which has no values


cdef fastnn_batch signal_rows(const fastnn_kernels *kernels, const Signal *signal, size_t first,
                              size_t last) noexcept nogil
cdef char *row_of(const fastnn_kernels *kernels, const Signal *signal, char *matrix, size_t row) noexcept nogil
cdef void finish_values(const fastnn_kernels *kernels, const Signal *signal, size_t first_row, size_t rows,
                        size_t first_panel, size_t last_panel, const Step *step) noexcept nogil
cdef void finish_delta(const fastnn_kernels *kernels, const Signal *signal, size_t first_row, size_t rows,
                       size_t first_panel, size_t last_panel) noexcept nogil
cdef size_t n_panels(const fastnn_kernels *kernels, size_t channels) noexcept nogil
cdef size_t n_tiles(const fastnn_kernels *kernels, size_t rows) noexcept nogil
