"""Losses and targets as the kernels read them."""

cimport numpy as cnp
from libc.stddef cimport size_t
from libc.stdint cimport int32_t, intptr_t

from fastnn.engine.kernels cimport fastnn_kernels, fastnn_samples


cdef enum:
    SOFTMAX_LOSS = -1


# A loss, and the targets or labels, and the weights, of the rows of a batch, gathered.
cdef struct TargetRows:
    int loss  # the number of an elementwise loss, or SOFTMAX_LOSS
    double factor  # of an elementwise loss
    double smoothing  # the setting of the loss softmax
    const void *settings  # (n_outputs) the settings of an elementwise loss, in the network's type
    size_t n_outputs
    size_t n_groups
    const size_t *group_starts  # (n_groups + 1) the columns that each softmax goes over
    int32_t *labels  # (rows, n_groups)
    char *targets  # (rows, n_outputs)
    char *weights  # (rows, n_weights)
    size_t n_weights  # n_groups or n_outputs


cdef class Loss:
    cdef readonly str name, head
    cdef readonly tuple groups, settings
    cdef readonly bint from_logits
    cdef readonly size_t n_outputs
    cdef size_t[::1] starts


# The targets or labels, and the weights, of all samples, as the caller has them.
cdef struct TargetSamples:
    const int32_t *labels  # (n_rows, n_groups)
    fastnn_samples targets
    fastnn_samples weights
    const intptr_t *starts  # (n_samples + 1) where each sample's rows begin; NULL: each has one


cdef class Targets:
    cdef TargetRows rows  # without memory for targets, labels and weights
    cdef TargetSamples samples
    cdef tuple arrays  # kept alive
    cdef _set_weights(self, weights, n_rows, each)
    cdef _set_labels(self, Loss loss, labels, cnp.ndarray order)


cdef void gather_targets(const fastnn_kernels *kernels, const TargetSamples *samples, const intptr_t *order,
                         size_t first, size_t n, size_t first_step, const size_t *row_starts, const TargetRows *rows,
                         size_t row) noexcept nogil
cdef double rows_loss(const fastnn_kernels *kernels, const TargetRows *targets, size_t row, size_t rows, const char *z,
                      size_t ldz, char *delta, size_t ldd) noexcept nogil
cdef double total_weight(const fastnn_kernels *kernels, const TargetRows *targets, size_t rows) noexcept nogil
