"""A segment of an epoch, as the trainer lays it out and the phases of backprop.pyx work on it."""

from libc.stddef cimport size_t
from libc.stdint cimport intptr_t, uint32_t, uint64_t

from fastnn.engine.kernels cimport fastnn_dense, fastnn_entries, fastnn_kernels, fastnn_samples, fastnn_update
from fastnn.engine.loss cimport LossRows, WantedSamples
from fastnn.engine.team cimport team_meeting


# What a batch leaves behind in a layer. Matrices have batch_rows rows, `ld` numbers apart.
cdef struct LayerSpace:
    size_t ld
    char *a  # (rows, fan_out) the layer's output
    char *z  # (rows, fan_out) the activation's input, where it keeps that; else NULL
    char *kept  # (rows, fan_out) what the activation's derivative is taken from: z, a, or what a was before dropout
    char *mask  # (rows, fan_out) what dropout multiplied a by; NULL: there is none
    double dropout  # its rate
    char *delta  # (rows, fan_out) the loss's gradient by the activation's input
    char *delta_t  # its transpose, in tiles (fan_out, tile_cols), where dense_grad_input is to carry it back
    fastnn_dense transposed  # W^T, packed as a layer, of a layer whose rows' errors go back one by one; else no weights


# What all threads share.
cdef struct Segment:
    const fastnn_kernels *kernels
    fastnn_dense *layers
    LayerSpace *spaces
    size_t n_layers
    size_t first_by_rows  # the first of the layers that each thread takes rows of its own through
    size_t first_back  # the first of those through which it carries their error back, too
    size_t chunk_rows  # so many rows at a time
    size_t batch_size, batch_rows  # batch_rows: padded to whole tiles
    const fastnn_samples *X
    const intptr_t *order  # (n_rows) the samples' numbers
    size_t n_rows
    size_t n_done  # of those rows
    bint goes_on
    const WantedSamples *wanted
    LossRows wanted_rows[2]  # what is wanted of this batch's samples and the next one's
    fastnn_entries entries[2]  # of a sparse X, this batch's samples and the next one's; of a dense X:
    char *x[2]  # (batch_rows, ldx)
    size_t ldx
    uint32_t *columns  # (n_row_tiles, n_features) and (n_row_tiles): the columns each tile of this batch's rows uses
    uint32_t *column_counts
    uint32_t *samples  # (n_column_tiles, batch_size) and (n_column_tiles): the rows each tile of its columns uses
    uint32_t *sample_counts
    const uint32_t *all_terms
    const fastnn_update *settings
    const double *rates  # (n_batches) what the learning rate is multiplied by; NULL: 1
    fastnn_update update  # this step's
    uint64_t dropout_seed
    double clip_norm  # 0: gradients are not clipped, and the rest of these not used
    fastnn_dense *gradient_layers  # layers whose state is their gradient
    fastnn_update step  # what is then done with it
    double *norms  # one per panel of every layer
    team_meeting meeting
    long long steps_before, step_count  # before the segment, and so far
    double *losses  # one per output task
    double *squares  # one per weight task of every layer
    double loss, loss_scale


cdef void run_segment(Segment *segment) noexcept nogil
cdef size_t n_output_tasks(Segment *segment, size_t rows) noexcept nogil
