cimport numpy as cnp
from libc.stddef cimport size_t

from fastnn.engine.kernels cimport fastnn_kernels, fastnn_rescaling, fastnn_samples
from fastnn.engine.layers.layer cimport Layer, Parameter
from fastnn.engine.layers.signal cimport Signal
from fastnn.engine.prediction cimport Forward


cdef class Network:
    cdef const fastnn_kernels *kernels
    cdef Layer *layer_list  # (n_layers)
    cdef Parameter *parameter_list  # (n_parameters) what all layers learn, and their state
    cdef readonly size_t n_parameters
    cdef Signal *signal_list  # (n_layers) the shapes of what the layers make
    cdef readonly tuple layers, description, input_shape, sizes, activations, groups, shapes, penalised
    cdef readonly str head
    cdef readonly object dtype
    cdef readonly bint is_ragged
    cdef bint is_recurrent  # whether samples should be taken many at a time, and as long ones together
    cdef readonly size_t state_size
    cdef readonly double sample_flops  # floating-point operations that take one sample forward
    cdef readonly double update_flops  # those of a step of training, whatever the batch
    cdef const fastnn_rescaling *input_rescaling  # what the first layer does while X is gathered; NULL: nothing
    cdef size_t scratch_size  # the most numbers that any layer needs for the time of one call; of X of one shape
    # Samples that go through all layers together. Shapes alone decide, so that a loss has the same bits.
    cdef size_t block_samples
    cdef size_t widest  # the longest row of any signal
    cdef readonly object all_terms  # 0, 1, 2, ...: the terms of a sum in which none is left out
    cdef readonly object parameters  # (n_packed,) the numbers of parameter_list, packed
    cdef readonly size_t version
    cdef public tuple predictor, stepper
    cdef size_t[::1] group_starts  # (n_groups + 1) where each group's columns begin, and where the last group's end

    cdef void shape_input(self, Signal *signal) noexcept
    cdef check_samples(self, const fastnn_samples *samples)
    cdef size_t first_layer(self, size_t depth) noexcept
    cdef bint reads_entries(self, const fastnn_samples *samples, depth) except -1
    cdef _lay_out(self)
    cdef _place_parameters(self, n_packed)
    cdef char *_part(self, cnp.ndarray packed, size_t i) noexcept
    cdef _run(self, Forward *job, X, int n_threads)
