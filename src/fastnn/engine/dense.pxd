"""The three products of a dense layer, each shared among a team's threads.

Every function is to be called by all threads of a team, does the calling thread's part, and does not wait for the
others. The tasks are output tiles: never is a sum split, so the number of threads changes no bit.
"""

from libc.stddef cimport size_t
from libc.stdint cimport uint32_t

from fastnn.engine.kernels cimport fastnn_batch, fastnn_dense, fastnn_entries, fastnn_kernels, fastnn_update

cdef size_t n_panels(const fastnn_kernels *kernels, const fastnn_dense *layer) noexcept nogil
cdef size_t n_tiles(const fastnn_kernels *kernels, size_t rows) noexcept nogil
cdef size_t packed_size(const fastnn_kernels *kernels, size_t fan_in, size_t fan_out) noexcept nogil

cdef fastnn_batch whole_batch(size_t rows, const void *values, size_t ld, const uint32_t *all_terms) noexcept nogil
cdef fastnn_batch sparse_batch(size_t rows, fastnn_entries entries) noexcept nogil
cdef fastnn_batch batch_part(const fastnn_kernels *kernels, const fastnn_batch *x, size_t first,
                             size_t last) noexcept nogil

cdef void dense_forward(const fastnn_kernels *kernels, const fastnn_dense *layer, const fastnn_batch *x,
                        char *z, size_t ldz, char *a, size_t lda) noexcept nogil
cdef void dense_forward_alone(const fastnn_kernels *kernels, const fastnn_dense *layer, const fastnn_batch *x,
                              char *z, size_t ldz, char *a, size_t lda) noexcept nogil
cdef void dense_grad_input(const fastnn_kernels *kernels, const fastnn_dense *layer, size_t rows,
                           const char *delta_out_t, int activation_below, const char *kept, size_t ldk,
                           const char *mask, char *delta_in, size_t ldi, char *delta_in_t) noexcept nogil
cdef void transpose_weights(const fastnn_kernels *kernels, const fastnn_dense *layer, size_t panel, size_t first,
                            size_t last, const fastnn_dense *transposed) noexcept nogil
cdef void transpose_rows(const fastnn_kernels *kernels, size_t first, size_t last, size_t cols, const char *matrix,
                         size_t ld, char *matrix_t) noexcept nogil
cdef size_t n_weight_tasks(const fastnn_kernels *kernels, const fastnn_dense *layer) noexcept nogil
cdef void dense_grad_weights(const fastnn_kernels *kernels, const fastnn_dense *layer, const fastnn_batch *x,
                             const char *delta, size_t ldd, const fastnn_update *update, double *squares,
                             const fastnn_dense *transposed) noexcept nogil
