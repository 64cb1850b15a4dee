"""A segment of an epoch, as the trainer lays it out and the phases of backprop.pyx work on it."""

from libc.stddef cimport size_t
from libc.stdint cimport int32_t, intptr_t, uint32_t

from fastnn.engine.kernels cimport fastnn_dense, fastnn_kernels, fastnn_samples, fastnn_update
from fastnn.engine.team cimport team_meeting


# What a batch leaves behind in a layer. Matrices have batch_rows rows, `ld` numbers apart.
cdef struct LayerSpace:
    size_t ld
    char *a  # (rows, fan_out) the layer's output; of the last layer the logits, and then delta
    char *z  # (rows, fan_out) the activation's input, where it keeps that; else NULL
    char *delta  # (rows, fan_out) the loss's gradient by the activation's input
    char *delta_t  # (fan_out, batch_rows) its transpose, where there is a layer below to carry it back to


# What all threads share.
cdef struct Segment:
    const fastnn_kernels *kernels
    fastnn_dense *layers
    LayerSpace *spaces
    size_t n_layers
    size_t batch_size, batch_rows  # batch_rows: padded to whole tiles
    const fastnn_samples *X
    const intptr_t *order  # (n_rows) the samples' numbers
    size_t n_rows
    int head
    const int32_t *labels  # (n_samples) for softmax
    const fastnn_samples *targets  # (n_samples, n_outputs) for the others
    int32_t *label_rows  # (batch_rows) this batch's classes
    char *target_rows  # (batch_rows, n_outputs) or targets
    char *x[2]  # (batch_rows, ldx) this batch's samples and the next one's
    size_t ldx
    uint32_t *columns  # (n_row_tiles, n_features) and (n_row_tiles): the columns each tile of this batch's rows uses
    uint32_t *column_counts
    uint32_t *samples  # (n_column_tiles, batch_size) and (n_column_tiles): the rows each tile of its columns uses
    uint32_t *sample_counts
    const uint32_t *all_terms
    const fastnn_update *settings
    fastnn_update update  # this step's
    team_meeting meeting
    long long step_count
    double *losses  # one per output task
    double *squares  # one per weight task of every layer
    double loss


cdef void run_segment(Segment *segment) noexcept nogil
cdef size_t n_output_tasks(Segment *segment, size_t rows) noexcept nogil
