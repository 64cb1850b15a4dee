"""A segment of an epoch, as the trainer lays it out and the operations of segment.pyx work on it."""

from libc.stddef cimport size_t
from libc.stdint cimport intptr_t

from fastnn.engine.kernels cimport fastnn_kernels, fastnn_samples, fastnn_update
from fastnn.engine.layers.layer cimport Layer, Parameter
from fastnn.engine.layers.signal cimport Signal, Step
from fastnn.engine.loss cimport TargetRows, TargetSamples
from fastnn.engine.threads.team cimport Team, team_barrier


# A thread's part of one operation of a phase.
ctypedef void (*Work)(Segment *segment, const Batch *batch, const Operation *operation,
                      const Team *team) noexcept nogil
# What a thread does for samples of its own, first ... last - 1 of the batch.
ctypedef void (*RowWork)(Segment *segment, const Batch *batch, size_t layer, size_t first, size_t last) noexcept nogil


cdef struct RowOperation:
    RowWork work
    size_t layer


cdef struct Operation:
    Work work
    size_t layer
    bint ends_phase


# What is worked out once for a network, an optimizer and a batch size.
cdef struct Plan:
    const fastnn_kernels *kernels
    Layer *layers
    size_t n_layers
    Parameter *parameters  # all that is learnt, and state; what the layers' steps write to beside it is
    Parameter *gradients  # either what the optimizer remembers, or, to be clipped, the whole gradient
    size_t n_parameters
    Signal *signals  # (n_layers) what each layer makes
    Operation *operations
    size_t n_operations
    RowOperation *row_operations
    size_t n_row_operations
    size_t batch_size, chunk_samples  # so many samples at a time, where they are taken by rows


# Where batches come from: the samples of a run.
cdef struct BatchSource:
    const fastnn_samples *X
    const intptr_t *order  # (n_rows) the samples' numbers
    size_t n_rows
    const TargetSamples *targets
    const double *rates  # (n_batches) what the learning rate is multiplied by; NULL: 1


# The samples of a batch, gathered: this one's, and meanwhile the next one's.
cdef struct GatheredBatch:
    Signal signal
    TargetRows targets


# The optimizer's step.
cdef struct Stepping:
    const fastnn_update *hyperparameters
    Step step  # this batch's
    fastnn_update clipped_update  # what is done with a gradient that was left whole
    double clip_norm  # 0: it is not
    double *norms  # one per panel of every parameter


# What has been done so far.
cdef struct Progress:
    size_t n_done  # of the source's rows
    bint resumes  # whether this team makes another step
    long long steps_before, step_count  # before the segment, and so far
    double *losses  # one per chunk of samples
    double loss, loss_scale


cdef struct Segment:
    Plan plan
    BatchSource source
    GatheredBatch gathered[2]
    Stepping stepping
    Progress progress
    team_barrier barrier


# A batch as one thread sees it.
cdef struct Batch:
    size_t first, n_samples  # its place in the source's order
    size_t parity  # which of the gathered batches it is
    Step step  # its number, and the seed: the update is known after the first phase, and is the segment's


cdef Work operation_work(str name) except NULL
cdef RowWork row_work(str name) except NULL
cdef void run_segment(void *job, const Team *team) noexcept nogil
cdef size_t n_chunks(const Plan *plan, size_t n_samples) noexcept nogil
