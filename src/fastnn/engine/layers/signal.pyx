"""Signals between layers: see signal.pxd."""

from fastnn.engine.kernels cimport FASTNN_IDENTITY


cdef size_t n_panels(const fastnn_kernels *kernels, size_t channels) noexcept nogil:
    """The number of panels that cover so many columns."""
    return (channels + kernels.tile_cols - 1) // kernels.tile_cols


cdef size_t n_tiles(const fastnn_kernels *kernels, size_t rows) noexcept nogil:
    """The number of register tiles that cover so many rows, of a batch or of W."""
    return (rows + kernels.tile_rows - 1) // kernels.tile_rows


cdef size_t signal_size(const Signal *signal) noexcept nogil:
    """The numbers of one sample's values, padding included."""
    return signal.positions * signal.ld


cdef char *row_of(const fastnn_kernels *kernels, const Signal *signal, char *matrix, size_t row) noexcept nogil:
    """Where a row of one of the signal's matrices begins; NULL if there is no such matrix."""
    return matrix + (row - signal.first_row) * signal.ld * kernels.itemsize if matrix != NULL else NULL


cdef char *sample_of(const fastnn_kernels *kernels, const Signal *signal, char *matrix, size_t sample) noexcept nogil:
    """Where a sample's rows of one of the signal's matrices begin; NULL if there is no such matrix."""
    return row_of(kernels, signal, matrix, rows_before(signal, sample))


cdef char *memo_of(const fastnn_kernels *kernels, const Signal *signal, const Signal *by,
                   size_t sample) noexcept nogil:
    """Where a sample's memo begins; NULL if the signal has no memo.

    by: the signal whose rows it has a row for: the same one, or that which the layer reads.
    """
    if signal.memo == NULL:
        return NULL
    return signal.memo + rows_of(by, signal.first_sample, sample) * signal.memo_size * kernels.itemsize


cdef char *sums_of(const Signal *signal) noexcept nogil:
    """The matrix that the layer below writes its sums to, before `finish_values` makes values of them."""
    return signal.values if signal.sums == NULL else signal.sums


cdef void finish_sample_values(const fastnn_kernels *kernels, const Signal *signal, size_t first, size_t last,
                               const Step *step) noexcept nogil:
    """`finish_values` for all rows and columns of samples first ... last - 1."""
    finish_values(kernels, signal, rows_before(signal, first), rows_of(signal, first, last), 0,
                  n_panels(kernels, signal.channels), step)


cdef void finish_sample_deltas(const fastnn_kernels *kernels, const Signal *signal, size_t first,
                               size_t last) noexcept nogil:
    """`finish_delta` likewise."""
    finish_delta(kernels, signal, rows_before(signal, first), rows_of(signal, first, last), 0,
                 n_panels(kernels, signal.channels))


cdef fastnn_batch signal_rows(const fastnn_kernels *kernels, const Signal *signal, size_t first,
                              size_t last) noexcept nogil:
    """Rows first ... last - 1 of a signal's values, as the products read them. first is a multiple of tile_rows."""
    cdef fastnn_batch batch = fastnn_batch(last - first, row_of(kernels, signal, signal.values, first), signal.ld,
                                           signal.columns, signal.samples, signal.entries)
    cdef size_t tile = first // kernels.tile_rows
    batch.columns.terms += tile * batch.columns.stride
    if batch.columns.counts != NULL:
        batch.columns.counts += tile
    if batch.entries.starts != NULL:
        batch.entries.starts += first
    return batch


cdef void finish_values(const fastnn_kernels *kernels, const Signal *signal, size_t first_row, size_t rows,
                        size_t first_panel, size_t last_panel, const Step *step) noexcept nogil:
    """Make values of complete sums, by activation and dropout: in so many rows, and in the columns of these panels.

    To be called while the sums are in the cache. Outside of training step is NULL, and no unit is dropped.
    """
    cdef size_t lanes = kernels.vector_bytes // kernels.itemsize, first = first_panel * kernels.tile_cols
    # Padding is finished with its vector, where rows are padded.
    cdef size_t vectors_end = min((signal.channels + lanes - 1) // lanes * lanes, signal.ld)
    cdef size_t end = last_panel * kernels.tile_cols, skipped = first * kernels.itemsize
    cdef char *values = row_of(kernels, signal, signal.values, first_row) + skipped
    cdef char *sums = values
    if signal.sums != NULL:
        sums = row_of(kernels, signal, signal.sums, first_row) + skipped
    if signal.sums != NULL or signal.activation != FASTNN_IDENTITY:
        kernels.activate(signal.activation, rows, min(end, vectors_end) - first, sums, signal.ld, values, signal.ld)
    if step != NULL and signal.mask != NULL:
        kernels.dropout(
            step.dropout_seed, step.number, signal.number, first_row, rows, first, min(end, signal.channels) - first,
            signal.dropout, values,
            NULL if signal.kept == signal.sums else row_of(kernels, signal, signal.kept, first_row) + skipped,
            row_of(kernels, signal, signal.mask, first_row) + skipped, signal.ld)


cdef void finish_delta(const fastnn_kernels *kernels, const Signal *signal, size_t first_row, size_t rows,
                       size_t first_panel, size_t last_panel) noexcept nogil:
    """Make the gradient by the sums of the gradient by the values: in so many rows, and in the columns of these panels.

    The transpose follows where the signal has one.
    """
    cdef size_t row = first_row, end = first_row + rows, tile, n
    cdef size_t first = first_panel * kernels.tile_cols, skipped = first * kernels.itemsize
    cdef size_t cols = min(last_panel * kernels.tile_cols, signal.channels) - first
    cdef char *mask = row_of(kernels, signal, signal.mask, first_row)
    kernels.multiply_gradient(
        signal.activation, rows, cols, row_of(kernels, signal, signal.kept, first_row) + skipped,
        mask + skipped if mask != NULL else NULL, signal.ld,
        row_of(kernels, signal, signal.delta, first_row) + skipped, signal.ld)
    while signal.delta_t != NULL and row < end:
        # In tiles: the rows of a whole transpose would be a batch apart, and each term of a sum on a page of its own.
        tile = row - row % kernels.tile_cols
        n = min(tile + kernels.tile_cols, end) - row
        kernels.transpose(n, cols, row_of(kernels, signal, signal.delta, row) + skipped, signal.ld,
                          signal.delta_t + (tile * signal.channels + first * kernels.tile_cols + row - tile)
                          * kernels.itemsize, kernels.tile_cols)
        row += n
