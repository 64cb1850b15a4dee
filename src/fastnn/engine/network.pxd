from libc.stddef cimport size_t
from libc.stdint cimport uint32_t

from fastnn.engine.kernels cimport fastnn_dense, fastnn_kernels, fastnn_samples
from fastnn.engine.loss cimport LossRows, WantedSamples


# Samples on their way through the layers.
cdef struct Forward:
    const fastnn_kernels *kernels
    const fastnn_dense *layers
    size_t n_layers
    const fastnn_samples *X
    size_t n_samples, block_rows
    size_t next_block  # the counter that the team takes blocks from
    int head
    const size_t *group_starts
    size_t n_groups
    char *out  # for outputs; or
    double *losses  # one per block, of
    const WantedSamples *wanted
    LossRows loss_rows  # to be filled from those, block by block
    const uint32_t *all_terms
    bint in_place  # the rows of X are what a batch is made of
    size_t n_entries  # the most that a block of a sparse X has
    # Per thread: two matrices (block_rows, ld) of activations, the first layer's terms or entries, and what the loss
    # needs.
    char *space
    size_t n_finished  # threads that found no block left, the first of them at
    double finished  # seconds
    size_t thread_bytes, matrix_bytes, label_bytes, target_bytes, ld


cdef class Network:
    cdef const fastnn_kernels *kernels
    cdef fastnn_dense *dense  # the layers, first to last; their state belongs to whoever trains
    cdef size_t n_dense
    cdef readonly tuple sizes, activations, groups
    cdef readonly str head
    cdef readonly object dtype
    cdef readonly object all_terms  # 0, 1, 2, ...: the terms of a sum in which nothing is left out
    cdef readonly object parameters  # every weight and bias, packed, layer after layer

    cdef size_t[::1] group_starts  # where each group's columns begin, the last's end

    cdef size_t _offset(self, size_t layer) noexcept
    cdef _run(self, Forward *job, X, int n_threads)
