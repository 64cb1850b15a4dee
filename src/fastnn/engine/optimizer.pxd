from fastnn.engine.kernels cimport fastnn_update


cdef class Optimizer:
    cdef readonly str name
    cdef readonly int n_memories
    cdef public long long step_count
    cdef readonly double weight_decay
    cdef fastnn_update hyperparameters


cdef fastnn_update update_at(const fastnn_update *hyperparameters, long long step, double total_weight,
                             double rate) noexcept nogil
