from libc.stddef cimport size_t

from fastnn.engine.arrays cimport Workspace
from fastnn.engine.network cimport Network
from fastnn.engine.segment cimport OperationTime, Plan


cdef class Profile:
    cdef Network network
    cdef list phases
    cdef list n_products  # (n_layers) how often the matrices of each layer were multiplied by a row
    cdef readonly int n_threads
    cdef readonly double n_samples, n_steps
    cdef Workspace space
    cdef size_t stride
    cdef OperationTime *times  # (n_threads, stride)

    cdef book(self, Plan *plan)


cdef Profile profile_if_wanted(Network network, list phases, int n_threads, Plan *plan)
