from libc.stddef cimport size_t

from fastnn.engine.kernels cimport fastnn_dense, fastnn_kernels


# What the output layer ends in, in the order of `heads`.
cdef enum:
    IDENTITY
    SOFTMAX
    LOGISTIC


cdef class Network:
    cdef const fastnn_kernels *kernels
    cdef fastnn_dense *dense  # the layers, first to last; their state belongs to whoever trains
    cdef size_t n_dense
    cdef readonly tuple sizes, activations
    cdef readonly str head
    cdef readonly object dtype
    cdef readonly object all_terms  # 0, 1, 2, ...: the terms of a sum in which nothing is left out
    cdef readonly object parameters  # every weight and bias, packed, layer after layer

    cdef size_t _offset(self, size_t layer) noexcept
