cimport numpy as cnp
from libc.stddef cimport size_t

from fastnn.engine.kernels cimport fastnn_kernels
from fastnn.engine.layers.layer cimport Layer, Parameter
from fastnn.engine.layers.signal cimport Signal


cdef class LayerStack:
    cdef const fastnn_kernels *kernels
    cdef Layer *layer_list  # (n_layers)
    cdef Signal *signal_list  # (n_layers) the shapes of what the layers make
    cdef Parameter *parameter_list  # (n_parameters) what all layers learn, and their state
    cdef readonly size_t n_parameters
    cdef readonly tuple description, input_shape, layers, sizes, activations, shapes, penalised
    cdef readonly object dtype
    cdef readonly bint is_ragged
    cdef readonly size_t state_size
    cdef readonly double sample_flops  # floating-point operations that take one sample forward
    cdef readonly double update_flops  # those of a step of training, whatever the batch
    cdef readonly object all_terms  # 0, 1, 2, ...: the terms of a sum in which none is left out
    cdef readonly object parameters  # (n_packed,) the numbers of parameter_list, packed
    cdef readonly size_t version

    cdef _make_layers(self)
    cdef _make_parameters(self)
    cdef _list_terms(self)
    cdef void shape_input(self, Signal *signal) noexcept
    cdef _place_parameters(self, n_packed)
    cdef char *_part(self, cnp.ndarray packed, size_t i) noexcept
