"""kernels.h, as Cython sees it. Contracts stand there."""

from libc.stddef cimport ptrdiff_t, size_t
from libc.stdint cimport int32_t, intptr_t, uint32_t, uint64_t


cdef extern from "kernels.h" nogil:
    enum:
        FASTNN_IDENTITY
        FASTNN_N_ACTIVATIONS
        FASTNN_gradient
        FASTNN_accumulate
        FASTNN_N_SOURCES

    const uint32_t FASTNN_NO_ENTRY

    ctypedef struct fastnn_matrix:
        size_t fan_in, fan_out
        void *weights
        void *state
        size_t state_stride

    ctypedef struct fastnn_terms:
        const uint32_t *terms
        const uint32_t *counts
        size_t stride

    ctypedef struct fastnn_entries:
        size_t *starts
        size_t capacity
        uint32_t *columns
        uint32_t *rows
        void *values
        uint32_t *heads
        uint32_t *next

    ctypedef struct fastnn_batch:
        size_t rows
        const void *values
        size_t ld
        fastnn_terms columns
        fastnn_terms samples
        fastnn_entries entries

    ctypedef struct fastnn_update:
        int optimizer
        double scale, l2, learning_rate, decay_1, decay_2, epsilon, keep

    ctypedef struct fastnn_samples:
        int type
        const char *data
        ptrdiff_t row_stride, col_stride
        size_t n_features
        const void *columns
        const void *starts
        int wide_indices
        size_t n_stored

    ctypedef struct fastnn_examples:
        size_t n_features
        const void *values
        size_t ld
        const void *columns
        const void *starts
        int wide_indices
        const int32_t *classes
        const void *weights

    ctypedef struct fastnn_perceptron:
        int32_t positive
        double eta
        double class_weights[2]
        double intercept_rate, alpha, l1_ratio, shrink
        uint64_t average_from
        void *weights
        double scale, intercept
        double *l1_given
        double l1_due
        double *sums
        double scale_sum, intercept_sum
        uint64_t n_averaged, step
        double squares, absolutes, loss, penalty, score
        uint64_t n_mistakes
        double finite

    ctypedef struct fastnn_visits:
        fastnn_perceptron *unit
        const uint32_t *order
        size_t first, known

    enum:
        FASTNN_MOST_UNITS

    ctypedef struct fastnn_kernels:
        const char *level
        size_t itemsize, vector_bytes, tile_rows, tile_cols

        void (*pack_dense)(const fastnn_matrix *, const void *, ptrdiff_t, ptrdiff_t, const void *) noexcept nogil
        void (*unpack_dense)(const fastnn_matrix *, const void *, void *, void *) noexcept nogil
        void (*gather)(const fastnn_samples *, const intptr_t *, size_t, void *, size_t) noexcept nogil
        void (*gather_entries)(const fastnn_samples *, const intptr_t *, size_t, size_t,
                               const fastnn_entries *) noexcept nogil
        void (*link_entries)(const fastnn_entries *, size_t, size_t, size_t) noexcept nogil
        void (*used_columns)(size_t, size_t, const void *, size_t, uint32_t *, uint32_t *, size_t) noexcept nogil
        void (*used_rows)(size_t, size_t, const void *, size_t, uint32_t *, uint32_t *, size_t) noexcept nogil
        void (*dense_forward)(const fastnn_matrix *, const fastnn_batch *, size_t, size_t, int, void *,
                              size_t) noexcept nogil
        void (*dense_grad_input)(const fastnn_matrix *, size_t, size_t, const void *, size_t, int, const void *,
                                 size_t, const void *, void *, size_t, void *) noexcept nogil
        void (*dense_grad_weights)(const fastnn_matrix *, const fastnn_batch *, size_t, size_t, size_t, size_t,
                                   const void *, size_t, const fastnn_update *, double *) noexcept nogil
        void (*dense_grad_bias)(const fastnn_matrix *, size_t, size_t, const void *, size_t,
                                const fastnn_update *) noexcept nogil
        double (*sum_of_squares)(size_t, const void *) noexcept nogil
        void (*dense_step)(const fastnn_matrix *, size_t, const void *, const fastnn_update *) noexcept nogil
        void (*dropout)(uint64_t, uint64_t, uint64_t, size_t, size_t, size_t, size_t, double, void *, void *, void *,
                        size_t) noexcept nogil
        void (*activate)(int, size_t, size_t, const void *, size_t, void *, size_t) noexcept nogil
        void (*multiply_gradient)(int, size_t, size_t, const void *, const void *, size_t, void *,
                                  size_t) noexcept nogil
        double (*softmax_loss)(size_t, size_t, const void *, size_t, const int32_t *, size_t, const void *, size_t,
                               double, void *, size_t) noexcept nogil
        double (*elementwise_loss)(int, size_t, size_t, const void *, size_t, const void *, size_t, const void *,
                                   size_t, const void *, double, void *, size_t) noexcept nogil
        void (*softmax)(size_t, size_t, void *, size_t) noexcept nogil
        void (*perceptron_learn)(const fastnn_visits *, size_t, const fastnn_examples *, size_t) noexcept nogil
        void (*perceptron_score)(fastnn_perceptron *, const fastnn_examples *, size_t, size_t) noexcept nogil
        void (*perceptron_begin)(fastnn_perceptron *, size_t, const void *, const void *) noexcept nogil
        void (*perceptron_end)(fastnn_perceptron *, size_t, void *, void *) noexcept nogil
        int (*perceptron_is_finite)(const fastnn_perceptron *, size_t) noexcept nogil
        void (*transpose)(size_t, size_t, const void *, size_t, void *, size_t) noexcept nogil

    const fastnn_kernels *fastnn_select(const char *level, int is_double)
    const char *fastnn_level(int index)
    int fastnn_cpu_has(const char *level)
