cimport numpy as cnp
from libc.stddef cimport size_t
from libc.stdint cimport uint32_t

from fastnn.engine.kernels cimport fastnn_kernels, fastnn_samples
from fastnn.engine.layers.layer cimport Layer, Parameter
from fastnn.engine.layers.signal cimport Signal
from fastnn.engine.loss cimport TargetRows, TargetSamples


# Samples on their way through the layers.
cdef struct Forward:
    const fastnn_kernels *kernels
    const Layer *layers
    const Signal *signals  # what each layer makes of a block; where, is each thread's own
    size_t n_layers
    Signal input
    const fastnn_samples *X
    size_t n_samples, block_samples
    size_t next_block  # the counter that the team takes blocks from
    int head
    const size_t *group_starts
    size_t n_groups
    char *out  # (n_samples, n_outputs), for outputs; or
    double *losses  # one per block, of
    const TargetSamples *targets
    TargetRows target_rows  # to be filled from those, block by block
    const uint32_t *all_terms
    bint in_place  # the rows of X are what a batch is made of
    size_t n_entries  # the most that a block of a sparse X has
    # Per thread: two signals' values, the first layer's terms or entries, and what the loss needs.
    char *space
    size_t thread_bytes, matrix_bytes, label_bytes, target_bytes
    size_t n_finished  # threads that found no block left, the first of them at
    double finished  # seconds


cdef class Network:
    cdef const fastnn_kernels *kernels
    cdef Layer *layer_list
    cdef Parameter *parameter_list  # all that is learnt, and the layers' state, in one list
    cdef readonly size_t n_parameters
    cdef Signal *signal_list  # the shapes of what the layers make
    cdef readonly tuple layers, description, input_shape, sizes, activations, groups, shapes, penalised
    cdef readonly str head
    cdef readonly object dtype
    cdef readonly object all_terms  # 0, 1, 2, ...: the terms of a sum in which nothing is left out
    cdef readonly object parameters  # the block that the list is of, packed
    cdef size_t[::1] group_starts  # where each group's columns begin, the last's end

    cdef void shape_input(self, Signal *signal) noexcept
    cdef check_samples(self, const fastnn_samples *samples)
    cdef _lay_out(self)
    cdef char *_part(self, cnp.ndarray packed, size_t i) noexcept
    cdef _run(self, Forward *job, X, int n_threads)
