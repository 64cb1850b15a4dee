"""The way of samples through a network's layers outside of training, block by block: to outputs, labels or losses."""

from libc.stddef cimport size_t
from libc.stdint cimport int32_t, intptr_t, uint32_t
from libc.string cimport memcpy

from fastnn.engine.arrays cimport round_up, skip_samples
from fastnn.engine.kernels cimport FASTNN_IDENTITY, fastnn_entries, fastnn_kernels, fastnn_samples, fastnn_terms
from fastnn.engine.layers.layer cimport Layer
from fastnn.engine.layers.signal cimport Signal, n_tiles, rows_of, sample_of, signal_size
from fastnn.engine.loss cimport TargetRows, gather_targets, rows_loss
from fastnn.engine.threads.team cimport Team, team_count, team_next, team_seconds

cdef size_t CACHE_LINE = 64  # bytes: no two threads write to one


cdef inline size_t block_size(const Forward *job, const Signal *signal) noexcept nogil:
    """The most numbers of a block in a signal."""
    return job.block_rows * signal.ld if signal.positions == 0 else job.block_samples * signal_size(signal)


cdef void divide_space(Forward *job) noexcept nogil:
    """How many bytes each thread needs, and for which of its arrays."""
    cdef size_t i, itemsize = job.kernels.itemsize
    cdef size_t most = 0 if job.reads_entries else block_size(job, &job.input)
    for i in range(job.n_layers):
        most = max(most, block_size(job, &job.signals[i]))
    # Vectors may be read that end past the last row.
    job.matrix_bytes = round_up((most + job.kernels.tile_cols) * itemsize, CACHE_LINE)
    job.thread_bytes = 2 * job.matrix_bytes + job.scratch_bytes
    if job.reads_entries:
        job.thread_bytes += round_up((job.block_samples + 1) * sizeof(size_t)
                                     + job.n_entries * (itemsize + 2 * sizeof(uint32_t)), CACHE_LINE)
    else:
        job.thread_bytes += round_up(
            n_tiles(job.kernels, job.block_samples) * (1 + job.X.n_features) * sizeof(uint32_t), CACHE_LINE)
    if job.losses != NULL:
        most = block_size(job, &job.signals[job.n_layers - 1]) // job.signals[job.n_layers - 1].ld
        job.label_bytes = round_up(most * job.target_rows.n_groups * sizeof(int32_t), CACHE_LINE)
        job.target_bytes = round_up(most * job.target_rows.n_outputs * itemsize, CACHE_LINE)
        job.thread_bytes += job.label_bytes + 2 * job.target_bytes


cdef void forward_blocks(void *forward, const Team *team) noexcept nogil:
    """Take blocks of samples through all layers, one block after the other, until none is left."""
    cdef Forward *job = <Forward *> forward
    cdef char *space = job.space + team.rank * job.thread_bytes
    cdef size_t block = team_next(&job.next_block), n_taken = 0
    cdef double start = team_seconds(), end
    while block < job.n_blocks and team_count(&job.n_not_finite) == 0:
        if not forward_block(job, block, space):
            team_next(&job.n_not_finite)
        n_taken += 1
        block = team_next(&job.next_block)
    end = team_seconds()
    if team.rank == 0:
        job.seconds, job.n_timed = end - start, n_taken
    if team_next(&job.n_finished) == 0:
        job.finished = end


cdef bint forward_block(const Forward *job, size_t block, char *space) noexcept nogil:
    """Take one block through all layers and the head, or to its labels or loss, in the calling thread's space.

    Returns False, and makes nothing, if the block has a number that it may not have.
    """
    cdef const fastnn_kernels *kernels = job.kernels
    cdef size_t first = block * job.block_samples, n = min(job.block_samples, job.n_samples - first), rows
    cdef fastnn_samples X = job.X[0]
    cdef Signal below = job.input, above
    cdef Layer layer
    cdef size_t i, start, state
    cdef char *values[2]
    cdef char *scratch = space + 2 * job.matrix_bytes
    values[0], values[1] = space, space + job.matrix_bytes
    if job.cuts != NULL:
        first, n = job.cuts[block], job.cuts[block + 1] - job.cuts[block]

    state = first * job.state_size
    place_block(job, 0, first, &below)
    if job.order == NULL:
        skip_samples(&X, first if job.starts == NULL else below.first_row)
    if job.reads_entries:
        read_sparse_block(job, &X, n, &below, scratch + job.scratch_bytes)
    else:
        read_dense_block(job, &X, first, n, &below, values[0], scratch + job.scratch_bytes)
        if job.must_be_finite and not is_finite(kernels, n, &below):
            return False
    for i in range(job.first_layer, job.n_layers):
        above = job.signals[i]
        place_block(job, 1 + i, first, &above)
        above.values = values[1 - (i - job.first_layer) % 2]
        layer = job.layers[i]
        layer.scratch = scratch
        if job.carried != NULL:
            layer.carried, layer.begins = job.carried + state * kernels.itemsize, job.begins
            state += layer.carried_size
            layer.carried_size = job.state_size
        layer.kind.forward_rows(&layer, &below, &above, 0, n, NULL)
        below = above

    rows = rows_of(&above, 0, n)
    if job.head == SOFTMAX_HEAD and job.labels == NULL:
        for i in range(job.n_groups):
            start = job.group_starts[i]
            kernels.softmax(rows, job.group_starts[i + 1] - start, above.values + start * kernels.itemsize, above.ld)
    elif job.head != FASTNN_IDENTITY and job.head != SOFTMAX_HEAD:
        kernels.activate(job.head, rows, above.channels, above.values, above.ld, above.values, above.ld)
    if job.losses != NULL:
        job.losses[block] = block_loss(job, first, n, &above, space + job.thread_bytes)
    elif job.order != NULL:
        write_in_order(job, first, n, &above)
    else:
        write_rows(job, above.first_row if above.starts != NULL else first * above.positions, rows, &above,
                   above.values)
    return True


cdef void place_block(const Forward *job, size_t i, size_t first, Signal *signal) noexcept nogil:
    """Let a signal have the rows of a block's samples, which are numbered from 0, as in all of what layer i - 1 makes.
    """
    if job.starts != NULL and job.starts[i] != NULL:
        signal.starts = job.starts[i] + first
        signal.first_row = signal.starts[0]


cdef void read_dense_block(const Forward *job, const fastnn_samples *X, size_t first, size_t n, Signal *x,
                           char *values, char *space) noexcept nogil:
    """Let x be n samples of X as dense rows, gathered into `values` unless they can be read where they are."""
    cdef uint32_t *counts = <uint32_t *> space
    cdef uint32_t *columns = counts + n_tiles(job.kernels, job.block_samples)
    x.values = values
    if job.in_place:
        x.values = <char *> X.data
        if x.positions == 1:
            x.ld = X.row_stride // job.kernels.itemsize
    elif job.order != NULL:
        gather_in_order(job, X, first, n, x)
    elif x.starts != NULL:
        job.kernels.gather(X, NULL, rows_of(x, 0, n), x.values, x.ld)
    else:
        job.kernels.gather(X, NULL, n, x.values, x.ld * x.positions)
    if x.positions == 1:
        job.kernels.used_columns(n, X.n_features, x.values, x.ld, columns, counts, X.n_features)
        x.columns = fastnn_terms(columns, counts, X.n_features)


cdef bint is_finite(const fastnn_kernels *kernels, size_t n, const Signal *x) noexcept nogil:
    """Whether n samples, of which all numbers are there, have neither NaN nor infinity."""
    cdef size_t rows = rows_of(x, 0, n)
    if x.ld == x.channels:  # one long row
        return kernels.all_finite(1, rows * x.channels, x.values, rows * x.channels)
    return kernels.all_finite(rows, x.channels, x.values, x.ld)


cdef void gather_in_order(const Forward *job, const fastnn_samples *X, size_t first, size_t n,
                          const Signal *x) noexcept nogil:
    """Gather n sequences, wherever they are in X."""
    cdef fastnn_samples steps
    cdef size_t i
    for i in range(n):
        steps = X[0]
        skip_samples(&steps, job.begins_of_samples[job.order[first + i]])
        job.kernels.gather(&steps, NULL, rows_of(x, i, i + 1), sample_of(job.kernels, x, x.values, i), x.ld)


cdef void write_in_order(const Forward *job, size_t first, size_t n, const Signal *outputs) noexcept nogil:
    """Write the outputs of n sequences to where they are to be."""
    cdef size_t i, row
    for i in range(n):
        row = job.order[first + i] if job.begins_of_outputs == NULL else job.begins_of_outputs[job.order[first + i]]
        write_rows(job, row, rows_of(outputs, i, i + 1), outputs, sample_of(job.kernels, outputs, outputs.values, i))


cdef void write_rows(const Forward *job, size_t row, size_t n, const Signal *outputs, char *values) noexcept nogil:
    """Write n rows of the outputs, or their labels, to where they are to be, from this row on."""
    cdef const fastnn_kernels *kernels = job.kernels
    cdef size_t row_bytes = outputs.channels * kernels.itemsize, i, start
    cdef intptr_t *labels
    if job.labels == NULL:
        for i in range(n):
            memcpy(job.out + (row + i) * row_bytes, values + i * outputs.ld * kernels.itemsize, row_bytes)
        return
    labels = job.labels + row * job.n_labels
    if job.head != SOFTMAX_HEAD:
        kernels.likely_labels(n, outputs.channels, values, outputs.ld, labels, job.n_labels)
        return
    for i in range(job.n_groups):
        start = job.group_starts[i]
        kernels.softmax_labels(n, job.group_starts[i + 1] - start, values + start * kernels.itemsize, outputs.ld,
                               labels + i, job.n_labels)


cdef void read_sparse_block(const Forward *job, const fastnn_samples *X, size_t n, Signal *x,
                            char *space) noexcept nogil:
    """Let x be the entries of n samples of a sparse X, gathered into the space."""
    cdef fastnn_entries *entries = &x.entries
    entries.starts = <size_t *> space
    entries.values = entries.starts + job.block_samples + 1
    entries.columns = <uint32_t *> (<char *> entries.values + job.n_entries * job.kernels.itemsize)
    entries.rows = entries.columns + job.n_entries
    entries.capacity = job.n_entries
    entries.heads = entries.next = NULL  # which only a gradient needs
    job.kernels.gather_entries(X, NULL, 0, n, entries)


cdef double block_loss(const Forward *job, size_t first, size_t n, const Signal *outputs,
                       char *space_end) noexcept nogil:
    """The loss of a block's outputs or logits, which are overwritten.

    The targets and weights are gathered into the end of the thread's space.
    """
    cdef TargetRows targets = job.target_rows
    targets.weights = space_end - job.target_bytes
    targets.targets = targets.weights - job.target_bytes
    targets.labels = <int32_t *> (targets.targets - job.label_bytes)
    gather_targets(job.kernels, job.targets, job.order, first, n, 0, NULL, &targets, 0)
    return rows_loss(job.kernels, &targets, 0, rows_of(outputs, 0, n), outputs.values, outputs.ld, outputs.values,
                     outputs.ld)
