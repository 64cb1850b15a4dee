/* The prototypes of one (instruction set, number type)'s kernels; their contracts are in kernels.h. */
#ifndef FASTNN_TABLE_H
#define FASTNN_TABLE_H

#include "kernels.h"
#include "simd.h"

void KERNEL(pack_dense)(const fastnn_matrix *, const void *, ptrdiff_t, ptrdiff_t, const void *);
void KERNEL(unpack_dense)(const fastnn_matrix *, const void *, void *, void *);
void KERNEL(gather)(const fastnn_samples *, const intptr_t *, size_t, void *, size_t);
void KERNEL(gather_entries)(const fastnn_samples *, const intptr_t *, size_t, size_t, const fastnn_entries *);
void KERNEL(link_entries)(const fastnn_entries *, size_t, size_t, size_t);
void KERNEL(used_columns)(size_t, size_t, const void *, size_t, uint32_t *, uint32_t *, size_t);
void KERNEL(used_rows)(size_t, size_t, const void *, size_t, uint32_t *, uint32_t *, size_t);
void KERNEL(dense_forward)(const fastnn_matrix *, const fastnn_batch *, size_t, size_t, int, void *, size_t);
void KERNEL(dense_grad_input)(const fastnn_matrix *, size_t, size_t, const void *, size_t, int, const void *, size_t,
                              const void *, void *, size_t, void *);
void KERNEL(dense_grad_weights)(const fastnn_matrix *, const fastnn_batch *, size_t, size_t, size_t, size_t,
                                const void *, size_t, const fastnn_update *, double *);
void KERNEL(dense_grad_bias)(const fastnn_matrix *, size_t, size_t, const void *, size_t, const fastnn_update *);
void KERNEL(activate)(int, size_t, size_t, const void *, size_t, void *, size_t);
void KERNEL(multiply_gradient)(int, size_t, size_t, const void *, const void *, size_t, void *, size_t);
double KERNEL(softmax_loss)(size_t, size_t, const void *, size_t, const int32_t *, size_t, const void *, size_t, double,
                            void *, size_t);
double KERNEL(elementwise_loss)(int, size_t, size_t, const void *, size_t, const void *, size_t, const void *, size_t,
                                const void *, double, void *, size_t);
double KERNEL(sum_of_squares)(size_t, const void *);
void KERNEL(dense_step)(const fastnn_matrix *, size_t, const void *, const fastnn_update *);
void KERNEL(dropout)(uint64_t, uint64_t, uint64_t, size_t, size_t, size_t, size_t, double, void *, void *, void *,
                     size_t);
void KERNEL(softmax)(size_t, size_t, void *, size_t);
void KERNEL(perceptron_learn)(const fastnn_visits *, size_t, const fastnn_examples *, size_t);
void KERNEL(perceptron_score)(fastnn_perceptron *, const fastnn_examples *, size_t, size_t);
void KERNEL(perceptron_begin)(fastnn_perceptron *, size_t, const void *, const void *);
void KERNEL(perceptron_end)(fastnn_perceptron *, size_t, void *, void *);
int KERNEL(perceptron_is_finite)(const fastnn_perceptron *, size_t);
void KERNEL(transpose)(size_t, size_t, const void *, size_t, void *, size_t);

extern const fastnn_kernels KERNEL(kernels);

#endif
