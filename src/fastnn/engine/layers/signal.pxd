"""Signals: what one layer makes and the next one reads, and the error that goes back."""

from libc.stddef cimport size_t
from libc.stdint cimport uint64_t

from fastnn.engine.kernels cimport fastnn_batch, fastnn_entries, fastnn_kernels, fastnn_terms, fastnn_update


# The constants of a step of training.
cdef struct Step:
    long long number  # the first step has 1
    long long first_number  # that of the step with the sequences' first window, if these are trained on in windows
    fastnn_update update
    uint64_t dropout_seed


# A matrix whose rows are the samples' positions, one sample's after the other's: of `channels` numbers, `ld` numbers
# apart. Sequences of any length have each their own number of positions, and then `starts` says where they begin. A
# thread may have a signal of its own, with the rows of a few samples at a time: the first of them are `first_sample` and
# `first_row`.
#
# The layer below makes a signal: it writes the sums, and calls finish_values() to make values of them. The layer above
# carries the error back: it writes the loss's gradient by the values, and calls finish_delta() to make of it the
# gradient by the sums. So neither layer depends on the kind of the other.
cdef struct Signal:
    size_t positions, channels, ld  # positions is 0 where samples differ in it
    const size_t *starts  # (n_samples + 1) the row with which each sample begins; NULL: each has `positions` rows
    size_t first_sample, first_row
    int activation
    char *values  # (rows, channels) what the layer above reads; before the activation its sums, where `sums` is NULL
    char *sums  # (rows, channels) the activation's input, where its derivative is computed from that; else NULL
    char *kept  # (rows, channels) what the derivative is computed from: the sums, or the values before dropout
    char *mask  # (rows, channels) the factors of the values in dropout; NULL: no unit is dropped
    double dropout  # the rate
    size_t number  # of this signal among the network's: dropout draws other numbers for each
    char *delta  # (rows, channels) the loss's gradient; NULL: no layer needs it
    char *delta_t  # (n_tiles, channels, tile_cols) delta's transpose, tile_cols rows at a time; NULL: no layer needs it
    char *memo  # (rows, memo_size) what the layer below has to know again when the error goes back; NULL: nothing
    size_t memo_size  # in numbers, or in what is as wide
    fastnn_terms columns, samples  # the terms of sums over the values: all terms, except in a batch of X
    fastnn_entries entries  # a batch of a sparse X, which has no values


cdef inline size_t rows_before(const Signal *signal, size_t sample) noexcept nogil:
    """The row with which a sample begins."""
    return signal.starts[sample] if signal.starts != NULL else sample * signal.positions


cdef inline size_t rows_of(const Signal *signal, size_t first, size_t last) noexcept nogil:
    """The number of rows of samples first ... last - 1."""
    return rows_before(signal, last) - rows_before(signal, first)


cdef fastnn_batch signal_rows(const fastnn_kernels *kernels, const Signal *signal, size_t first,
                              size_t last) noexcept nogil
cdef size_t signal_size(const Signal *signal) noexcept nogil
cdef char *row_of(const fastnn_kernels *kernels, const Signal *signal, char *matrix, size_t row) noexcept nogil
cdef char *sample_of(const fastnn_kernels *kernels, const Signal *signal, char *matrix, size_t sample) noexcept nogil
cdef char *memo_of(const fastnn_kernels *kernels, const Signal *signal, const Signal *by,
                   size_t sample) noexcept nogil
cdef char *sums_of(const Signal *signal) noexcept nogil
cdef void finish_sample_values(const fastnn_kernels *kernels, const Signal *signal, size_t first, size_t last,
                               const Step *step) noexcept nogil
cdef void finish_sample_deltas(const fastnn_kernels *kernels, const Signal *signal, size_t first,
                               size_t last) noexcept nogil
cdef void finish_values(const fastnn_kernels *kernels, const Signal *signal, size_t first_row, size_t rows,
                        size_t first_panel, size_t last_panel, const Step *step) noexcept nogil
cdef void finish_delta(const fastnn_kernels *kernels, const Signal *signal, size_t first_row, size_t rows,
                       size_t first_panel, size_t last_panel) noexcept nogil
cdef size_t n_panels(const fastnn_kernels *kernels, size_t channels) noexcept nogil
cdef size_t n_tiles(const fastnn_kernels *kernels, size_t rows) noexcept nogil
