/* The error carried back through a dense layer: delta_in = (delta_out W^T) * f'(kept).
 *
 * W's panels run along its columns, over which this product sums. So the vectors lie along the batch, in the transpose
 * of delta_out, and the scalars are a panel's numbers, TILE_ROWS rows of W at a time. The result is the transpose of
 * delta_in, which is transposed back block by block while it is in the first-level cache.
 */
#include "kernels.h"
#include "prefetch.h"
#include "table.h"
#include "tile.h"

/* Inputs per block: a multiple of every tile height and vector length, so that only the last block has remainders. */
enum { BLOCK = 48 };
_Static_assert(BLOCK % TILE_ROWS == 0 && BLOCK % LANES == 0, "blocks are made of whole tiles and whole vectors");

/* Outputs summed over at a time: so many rows of a batch tile of the error (32 KiB) stay in the first-level cache while
 * the block's inputs pass over them. */
enum { DEPTH = 32 * 1024 / (TILE_COLS * sizeof(real)) / TILE_COLS * TILE_COLS };

/* The outputs [begin, end), which are the first ones if begin is 0. */
INLINE void grad_input_tile(const int rows, const int width, const real *W, size_t panel_size, size_t begin, size_t end,
                            const real *delta_out_t, real *block)
{
    tile sums;
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
        for (int j = 0; j < width; j++)
            sums[i][j] = begin == 0 ? (vreal){0} : load(block + i * TILE_COLS + j * LANES);
    /* The same rows of the next block are prefetched meanwhile: no CPU predicts rows of one panel after those of
     * another. A network of 1024-unit layers took an eighth longer for this product without. */
    const size_t ahead = BLOCK * TILE_COLS;
    W += begin / TILE_COLS * panel_size;
    delta_out_t += begin * TILE_COLS;
    for (size_t n = begin; n < end; n += TILE_COLS, W += panel_size) {
        size_t cols = end - n < TILE_COLS ? end - n : TILE_COLS;
        for (size_t c = 0; c < cols; c++, delta_out_t += TILE_COLS) {
            __builtin_prefetch(W + ahead + c * TILE_ROWS, READ, SECOND_LEVEL);
            add_outer_product(rows, width, sums, W + c, TILE_COLS, delta_out_t);
        }
    }
    store_tile(rows, width, sums, block, TILE_COLS);
}

void KERNEL(dense_grad_input)(const fastnn_matrix *matrix, size_t first, size_t last, const void *delta_out_t,
                              size_t first_row, int activation_below, const void *kept, size_t ldk, const void *mask,
                              void *delta_in, size_t ldi, void *delta_in_t)
{
    const size_t panel_size = (1 + matrix->fan_in) * TILE_COLS;
    const real *W = (const real *)matrix->weights + TILE_COLS;
    real block[BLOCK * TILE_COLS];

    for (size_t i = first; i < last; i += BLOCK) {
        size_t inputs = last - i < BLOCK ? last - i : BLOCK;
        for (size_t n = 0; n < matrix->fan_out; n += DEPTH) {
            size_t end = matrix->fan_out - n < DEPTH ? matrix->fan_out : n + DEPTH;
            for (size_t r = 0; r < inputs; r += TILE_ROWS) {
                size_t rows = inputs - r;
                WITH_CONSTANT_ROWS(rows, TILE_VECTORS, grad_input_tile, W + (i + r) * TILE_COLS, panel_size, n, end,
                                   delta_out_t, block + r * TILE_COLS)
            }
        }
        real *in = (real *)delta_in + first_row * ldi + i;
        KERNEL(transpose)(inputs, TILE_COLS, block, TILE_COLS, in, ldi);
        KERNEL(multiply_gradient)(activation_below, TILE_COLS, inputs, (const real *)kept + first_row * ldk + i,
                                  mask ? (const real *)mask + first_row * ldk + i : NULL, ldk, in, ldi);
        if (delta_in_t)
            KERNEL(transpose)(TILE_COLS, inputs, in, ldi, (real *)delta_in_t + i * TILE_COLS, TILE_COLS);
    }
}
