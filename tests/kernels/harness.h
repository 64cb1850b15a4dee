/* What the kernels' tests share: matrices that notice what is read or written beside them, and a tally.
 *
 * Numbers are multiples of 1/8 from -2 to 2 wherever sums of products are tested: in float too these are exact, in any
 * order, so that a naive loop in double must give the same number to the bit.
 */
#ifndef FASTNN_TEST_HARNESS_H
#define FASTNN_TEST_HARNESS_H

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels.h"

extern const fastnn_kernels *K; /* the table under test */
#define TILE_ROWS (K->tile_rows)
#define TILE_COLS (K->tile_cols)
#define LANES (K->vector_bytes / K->itemsize)
#define EPS (K->itemsize == 8 ? 0x1p-52 : 0x1p-23)

/* n_bytes of all ones (NaN, as numbers), `offset` bytes off any alignment. Exactly so many: the sanitizers see what is
 * read or written beyond, and without them guards tell what was written. Freed when the test ends. */
void *new_block(size_t n_bytes, size_t offset);

double get(const void *array, size_t i);
void put(void *array, size_t i, double value);
uint64_t random_bits(void);
double random_eighth(void);

typedef struct {
    void *values; /* (rows, cols), ld numbers from one row to the next */
    size_t rows, cols, ld;
} matrix;

matrix new_matrix(size_t rows, size_t cols, size_t gap); /* all NaN; after the last row there is no gap */
matrix random_matrix(size_t rows, size_t cols, size_t gap);
double at(matrix m, size_t i, size_t j);
void set(matrix m, size_t i, size_t j, double value);

/* W and b, and a matrix that has them in panels. */
typedef struct {
    fastnn_matrix dense;
    matrix W, b, packed;
} layer;

layer random_layer(size_t fan_in, size_t fan_out);
size_t padded(size_t n); /* to whole panels */
/* Where row k of a packed column is; the bias is row 0. */
size_t packed_index(const fastnn_matrix *dense, size_t k, size_t column);
/* W and b as one matrix, the bias being row 0, and 0 in the padding. */
double weight(const layer *l, size_t k, size_t column);

/* Counts a mismatch, and prints the first few; NaN matches NaN. */
void expect(double got, double expected, double tolerance, const char *what, size_t i, size_t j);
/* That nothing was written between the rows. */
void expect_gaps(matrix m, const char *what);

void test_pack(void), test_forward(void), test_grad_input(void), test_grad_weights(void), test_whole_gradient(void),
    test_panel_step(void);
void test_conv_forward(void), test_conv_grad_weights(void), test_add(void);
void test_gather(void), test_gather_sparse(void), test_half(void), test_terms(void), test_activations(void),
    test_sum_of_squares(void), test_dropout(void), test_losses(void), test_transpose(void), test_perceptron(void),
    test_perceptron_steps(void), test_pool(void), test_layer_norm(void), test_rescale(void), test_batch_norm(void),
    test_recurrent_cells(void), test_embedding(void), test_multiply_add(void), test_labels(void);

#endif
