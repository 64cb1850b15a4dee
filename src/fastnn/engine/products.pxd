"""The three products of a dense layer, each shared among the threads of a team.

All threads of a team call each function that takes a team. It does the calling thread's part, and does not wait for the
others. The tasks are tiles of the output. No sum is split, so the number of threads changes no bit.
"""

from libc.stddef cimport size_t
from libc.stdint cimport uint32_t

from fastnn.engine.kernels cimport fastnn_batch, fastnn_kernels, fastnn_matrix, fastnn_terms, fastnn_update
from fastnn.engine.layers.layer cimport Parameter
from fastnn.engine.layers.signal cimport Signal, Step
from fastnn.engine.threads.team cimport Team

cdef size_t packed_size(const fastnn_kernels *kernels, size_t fan_in, size_t fan_out) noexcept nogil
cdef fastnn_terms every_term(const uint32_t *all_terms) noexcept nogil

cdef void dense_forward(const fastnn_kernels *kernels, const fastnn_matrix *W, const Signal *below, size_t rows,
                        const Signal *above, const Step *step, const Team *team) noexcept nogil
cdef void dense_forward_rows(const fastnn_kernels *kernels, const fastnn_matrix *W, const Signal *below, size_t first,
                             size_t last, const Signal *above, const Step *step) noexcept nogil
cdef void dense_back(const fastnn_kernels *kernels, const fastnn_matrix *W, size_t rows, const char *delta_out_t,
                     const Signal *below, const Team *team) noexcept nogil
cdef void transpose_weights(const fastnn_kernels *kernels, const fastnn_matrix *W, size_t panel, size_t first,
                            size_t last, const fastnn_matrix *transposed) noexcept nogil
cdef size_t weight_task_rows(const fastnn_kernels *kernels, const fastnn_matrix *W) noexcept nogil
cdef size_t n_weight_tasks(const fastnn_kernels *kernels, const fastnn_matrix *W) noexcept nogil
cdef void dense_step(const fastnn_kernels *kernels, const Parameter *parameter, const fastnn_batch *x,
                     const char *delta, size_t ldd, const fastnn_update *update, const fastnn_matrix *transposed,
                     const Team *team) noexcept nogil
