"""Batches of X and of the targets, gathered from the samples of a run."""

from libc.stddef cimport size_t

from fastnn.engine.segment cimport Batch, Operation, Segment, Window
from fastnn.engine.threads.team cimport Team


cdef inline const size_t *starts_of(const Segment *segment, size_t batch, size_t signal) noexcept nogil:
    """Where each sample of the batch of this number has its rows, in what the layer of this number reads; of the number
    after the last layer, in the outputs. NULL: all samples have as many rows."""
    if segment.source.starts == NULL or segment.source.starts[signal] == NULL:
        return NULL
    return segment.source.starts[signal] + batch * (segment.plan.batch_size + 1)


cdef inline Window window_of(const Segment *segment, size_t batch) noexcept nogil:
    """The samples and steps of the batch of this number."""
    cdef size_t first = batch * segment.plan.batch_size
    cdef size_t n = min(segment.plan.batch_size, segment.source.n_rows - first)
    return segment.source.windows[batch] if segment.source.windows != NULL else Window(first, n, 0, 0, n)


cdef size_t n_output_rows(const Segment *segment, const Batch *batch) noexcept nogil
cdef void gather_batch(Segment *segment, size_t batch, size_t parity, const Team *team) noexcept nogil
cdef void gather_next(Segment *segment, const Batch *batch, const Operation *operation,
                      const Team *team) noexcept nogil
cdef void choose_terms(Segment *segment) noexcept
cdef void note_zeros(Segment *segment) noexcept
cdef void find_used_samples(Segment *segment, const Batch *batch, const Team *team) noexcept nogil
