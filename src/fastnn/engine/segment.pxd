"""A segment of an epoch, as the trainer lays it out and the operations of segment.pyx work on it."""

from libc.stddef cimport size_t
from libc.stdint cimport intptr_t, uint32_t

from fastnn.engine.kernels cimport fastnn_kernels, fastnn_samples, fastnn_terms, fastnn_update
from fastnn.engine.layers.layer cimport Layer, Parameter
from fastnn.engine.layers.signal cimport Signal, Step
from fastnn.engine.loss cimport TargetRows, TargetSamples
from fastnn.engine.parts cimport Parts
from fastnn.engine.threads.team cimport Team, team_barrier


# A thread's part of one operation of a phase.
ctypedef void (*Work)(Segment *segment, const Batch *batch, const Operation *operation,
                      const Team *team) noexcept nogil
# What a thread does alone for samples first ... last - 1 of the batch.
ctypedef void (*RowWork)(Segment *segment, const Batch *batch, const View *view, size_t layer, size_t first,
                         size_t last) noexcept nogil


cdef struct RowOperation:
    RowWork work
    size_t layer
    size_t number  # among all operations: those of the team, and then those by rows


cdef struct Operation:
    Work work
    size_t layer
    const RowOperation *row_operations  # (n_row_operations) of an operation by rows
    size_t n_row_operations
    bint ends_phase


# Where a thread's time goes, in seconds.
cdef struct OperationTime:
    double working
    double waiting  # at the barrier behind the operation


# The layers and signals as one thread sees them: memory of its own aside, every thread sees the same.
cdef struct View:
    Layer *layers  # (n_layers)
    Signal *signals  # (n_layers) what each layer makes
    bint *own  # (n_layers) whether the signal is the thread's own, and has only the samples that it works on
    bint has_own  # whether any signal is
    size_t part  # of the batch, which the thread works on
    bint part_begins  # whether it takes the part's first samples
    OperationTime *times  # (n_timed) by the operation's number; NULL: nobody wants to know


# What is worked out once for a network, an optimizer and a batch size.
cdef struct Plan:
    const fastnn_kernels *kernels
    size_t n_layers
    size_t first_layer  # the one that reads X, which a layer before it only rescales
    View *views  # (n_threads)
    Parameter *parameters  # (n_parameters) the weights, with what the optimizer remembers of them
    Parameter *gradients  # (n_parameters) the same ones or, for clipping, the weights with their whole gradient
    size_t n_parameters
    Operation *operations  # (n_operations)
    size_t n_operations
    size_t n_timed  # operations, those by rows among them
    size_t batch_size
    size_t part_samples  # a batch is shared out in parts of so many samples, where it is taken by rows
    size_t chunk_samples  # and a thread takes so many of them at a time


# A batch that is a window of some steps of sequences, where these are trained on in windows.
cdef struct Window:
    size_t first, n_samples  # its samples' place in the source's order
    size_t nth, first_step  # it is the nth of its sequences' windows, from 0
    double counted  # how many samples it counts for in an epoch's loss


# The samples of a run, from which the batches come.
cdef struct BatchSource:
    const fastnn_samples *X
    const intptr_t *order  # (n_rows) the samples' numbers
    size_t n_rows
    size_t n_batches
    const Window *windows  # (n_batches) NULL: the batches have batch_size samples, with all their steps
    # Of sequences of any length: where each begins among the rows of X, and for X and what each layer makes, by the
    # batch, where each of its samples begins among its rows; NULL: all have as many rows.
    const intptr_t *sequence_starts  # (n_samples + 1)
    const size_t **starts  # (1 + n_layers) of (n_batches, batch_size + 1)
    const TargetSamples *targets
    const double *rates  # (n_batches) the learning rate's factors; NULL: all are 1


# The samples of a batch, gathered.
cdef struct GatheredBatch:
    Signal signal
    TargetRows targets


# The optimizer's step.
cdef struct Stepping:
    const fastnn_update *hyperparameters
    Step step  # of this batch
    fastnn_update clipped_update  # the optimizer's update, where the gradient is clipped: `step` then only stores it
    double clip_norm  # 0: gradients are not clipped
    double *norms  # (n_panels of all parameters) sums of the squares of the gradient


# How far a segment has come.
cdef struct Progress:
    size_t n_done  # batches
    bint resumes  # whether this team makes another step
    long long steps_before, step_count  # the optimizer's steps before the segment, and up to now
    double *losses  # (n_parts) of a batch
    double loss, loss_scale  # the sum so far, and the factor of this batch's loss


# Memory for the terms that are not zero throughout a tile of a dense batch of X: those of its rows, and those of its
# columns.
cdef struct UsedTerms:
    fastnn_terms columns, samples
    const uint32_t *all_terms  # 0, 1, 2, ...
    bint pay  # whether the last batch had so many zeros that finding them costs less than they do
    size_t n_runs  # since X was booked


cdef struct Segment:
    Plan plan
    UsedTerms used
    BatchSource source
    GatheredBatch gathered[2]  # this batch and, gathered during its last phase, the next one
    Stepping stepping
    Progress progress
    team_barrier barrier


# A batch as one thread sees it.
cdef struct Batch:
    size_t number  # among the source's batches
    size_t n_samples
    Window window  # its samples and their steps
    size_t parity  # which of the two gathered batches it is
    Step step  # its number and the seed. The update is known after the first phase, and stands in the segment's step.


cdef Work operation_work(str name) except NULL
cdef RowWork row_work(str name) except NULL
cdef void refresh_layers(const Plan *plan) noexcept
cdef void run_segment(void *job, const Team *team) noexcept nogil
cdef size_t n_parts(const Plan *plan, size_t n_samples) noexcept nogil
cdef Parts parts_of(const Segment *segment, const Batch *batch) noexcept nogil
cdef double summed(const double *results, size_t n_tasks) noexcept nogil
