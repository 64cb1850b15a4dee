"""Batches of X and of the targets, gathered from the samples of a run. Every thread gathers its share."""

from libc.stddef cimport size_t
from libc.stdint cimport uint32_t

from fastnn.engine.arrays cimport skip_samples
from fastnn.engine.kernels cimport fastnn_kernels, fastnn_samples
from fastnn.engine.layers.signal cimport Signal, n_tiles, row_of
from fastnn.engine.loss cimport gather_targets
from fastnn.engine.products cimport every_term
from fastnn.engine.segment cimport Batch, BatchSource, GatheredBatch, Operation, Segment, Window
from fastnn.engine.threads.team cimport Share, Team, my_share


# The part of the terms of a batch's tiles that are not zero, up to which it pays to look for them: it takes a few
# hundredths of the time of a small network.
cdef double MOST_USED = 0.95
# After so many runs zeros are looked for again where they did not pay.
cdef size_t RUNS_BETWEEN_LOOKS = 50


cdef inline size_t output_row(const Segment *segment, size_t batch, size_t sample) noexcept nogil:
    """The row of the outputs with which a sample of a batch begins: each has one, or one for each step."""
    cdef const size_t *starts = starts_of(segment, batch, segment.plan.n_layers)
    if starts != NULL:
        return starts[sample]
    return sample * segment.plan.views[0].signals[segment.plan.n_layers - 1].positions


cdef size_t n_output_rows(const Segment *segment, const Batch *batch) noexcept nogil:
    """The number of rows of a batch's outputs."""
    return output_row(segment, batch.number, batch.n_samples)


cdef void gather_next(Segment *segment, const Batch *batch, const Operation *operation,
                      const Team *team) noexcept nogil:
    """Gather the next batch, beside this one."""
    gather_batch(segment, batch.number + 1, 1 - batch.parity, team)


cdef void gather_batch(Segment *segment, size_t batch, size_t parity, const Team *team) noexcept nogil:
    """Gather this thread's share of a batch's samples, in whole tiles, and their targets."""
    cdef const fastnn_kernels *kernels = segment.plan.kernels
    cdef const BatchSource *source = &segment.source
    cdef GatheredBatch *gathered = &segment.gathered[parity]
    cdef Signal *signal = &gathered.signal
    cdef size_t sample, n
    cdef Window window
    cdef Share mine
    if batch >= source.n_batches:
        return
    window = window_of(segment, batch)
    mine = my_share(team, n_tiles(kernels, window.n_samples))
    sample = mine.first * kernels.tile_rows
    n = min(mine.last * kernels.tile_rows, window.n_samples) - sample
    if team.rank == 0:
        signal.starts = starts_of(segment, batch, 0)
    if signal.entries.starts != NULL:
        kernels.gather_entries(source.X, source.order + window.first, sample, sample + n, &signal.entries)
    elif source.sequence_starts != NULL:
        gather_sequences(segment, batch, &window, sample, n, signal)
    else:
        gather_dense(segment, window.first, sample, n, mine.first, signal)
    gather_targets(kernels, source.targets, source.order, window.first + sample, n, window.first_step,
                   output_starts(segment, batch, sample), &gathered.targets, output_row(segment, batch, sample))


cdef inline const size_t *output_starts(const Segment *segment, size_t batch, size_t sample) noexcept nogil:
    cdef const size_t *starts = starts_of(segment, batch, segment.plan.n_layers)
    return starts + sample if starts != NULL else NULL


cdef void gather_dense(const Segment *segment, size_t first, size_t sample, size_t n, size_t tile,
                       const Signal *signal) noexcept nogil:
    """Gather n samples as rows; and find the columns that their tiles use, the first of which is `tile`."""
    cdef const fastnn_kernels *kernels = segment.plan.kernels
    cdef size_t n_features = segment.source.X.n_features
    cdef char *x = row_of(kernels, signal, signal.values, sample * signal.positions)
    kernels.gather(segment.source.X, segment.source.order + first + sample, n, x, signal.ld * signal.positions)
    if signal.columns.counts != NULL:
        kernels.used_columns(
            n, n_features, x, signal.ld, <uint32_t *> signal.columns.terms + tile * n_features,
            <uint32_t *> signal.columns.counts + tile, n_features)


cdef void gather_sequences(const Segment *segment, size_t batch, const Window *window, size_t sample, size_t n,
                           const Signal *signal) noexcept nogil:
    """Gather n sequences of any length, or their steps in a window, one after the other."""
    cdef const fastnn_kernels *kernels = segment.plan.kernels
    cdef const size_t *starts = starts_of(segment, batch, 0)
    cdef fastnn_samples steps
    cdef size_t i
    for i in range(sample, sample + n):
        steps = segment.source.X[0]
        skip_samples(&steps, segment.source.sequence_starts[segment.source.order[window.first + i]] + window.first_step)
        kernels.gather(&steps, NULL, starts[i + 1] - starts[i],
                       signal.values + starts[i] * signal.ld * kernels.itemsize, signal.ld)


cdef void choose_terms(Segment *segment) noexcept:
    """Let a run on a dense X leave out what is zero throughout a tile, or take all terms. It changes no bit."""
    cdef bint finds_zeros = segment.used.pay or segment.used.n_runs % RUNS_BETWEEN_LOOKS == 0
    cdef Signal *signal
    cdef size_t i
    for i in range(2):
        signal = &segment.gathered[i].signal
        if signal.entries.starts == NULL:
            signal.columns, signal.samples = segment.used.columns, segment.used.samples
            if not finds_zeros:
                signal.columns = signal.samples = every_term(segment.used.all_terms)


cdef void note_zeros(Segment *segment) noexcept:
    """Find out whether zeros pay, from the run's last batch."""
    cdef const Signal *x = &segment.gathered[0].signal
    cdef size_t tile, n_used = 0, n = window_of(segment, segment.source.n_batches - 1).n_samples
    cdef size_t tiles = n_tiles(segment.plan.kernels, n)
    segment.used.n_runs += 1
    if x.columns.counts != NULL:
        for tile in range(tiles):
            n_used += x.columns.counts[tile]
        segment.used.pay = n_used < MOST_USED * tiles * segment.source.X.n_features


cdef void find_used_samples(Segment *segment, const Batch *batch, const Team *team) noexcept nogil:
    """Find the samples that use this thread's share of the tiles of columns, for the gradient of the weights."""
    cdef const fastnn_kernels *kernels = segment.plan.kernels
    cdef const Signal *x = &segment.gathered[batch.parity].signal
    cdef size_t n_features = segment.source.X.n_features
    cdef Share mine = my_share(team, n_tiles(kernels, n_features))
    cdef size_t column = mine.first * kernels.tile_rows, end = min(mine.last * kernels.tile_rows, n_features)
    if x.entries.starts != NULL:
        kernels.link_entries(&x.entries, batch.n_samples, column, end)
    elif x.samples.counts != NULL:
        kernels.used_rows(batch.n_samples, end - column, x.values + column * kernels.itemsize, x.ld,
                          <uint32_t *> x.samples.terms + mine.first * segment.plan.batch_size,
                          <uint32_t *> x.samples.counts + mine.first, segment.plan.batch_size)
