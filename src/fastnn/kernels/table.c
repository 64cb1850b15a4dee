/* The table of one (instruction set, number type). */
#include "table.h"

#define STRING_(word) #word
#define STRING(word) STRING_(word)

const fastnn_kernels KERNEL(kernels) = {
    .level = STRING(FASTNN_LEVEL),
    .itemsize = sizeof(real),
    .vector_bytes = FASTNN_VECTOR_BYTES,
    .tile_rows = TILE_ROWS,
    .tile_cols = TILE_COLS,
    .pack_dense = KERNEL(pack_dense),
    .unpack_dense = KERNEL(unpack_dense),
    .gather = KERNEL(gather),
    .gather_entries = KERNEL(gather_entries),
    .link_entries = KERNEL(link_entries),
    .used_columns = KERNEL(used_columns),
    .used_rows = KERNEL(used_rows),
    .dense_forward = KERNEL(dense_forward),
    .dense_grad_input = KERNEL(dense_grad_input),
    .dense_grad_weights = KERNEL(dense_grad_weights),
    .dense_grad_bias = KERNEL(dense_grad_bias),
    .activate = KERNEL(activate),
    .multiply_gradient = KERNEL(multiply_gradient),
    .softmax_loss = KERNEL(softmax_loss),
    .elementwise_loss = KERNEL(elementwise_loss),
    .sum_of_squares = KERNEL(sum_of_squares),
    .dense_step = KERNEL(dense_step),
    .dropout = KERNEL(dropout),
    .softmax = KERNEL(softmax),
    .perceptron_learn = KERNEL(perceptron_learn),
    .perceptron_score = KERNEL(perceptron_score),
    .perceptron_begin = KERNEL(perceptron_begin),
    .perceptron_end = KERNEL(perceptron_end),
    .perceptron_is_finite = KERNEL(perceptron_is_finite),
    .transpose = KERNEL(transpose),
};
