/* The forward product of a dense layer: a = f(x W + b).
 *
 * Scalars are numbers of x, vectors are a panel's rows of W. The sums start from the bias, which is the panel's first
 * row, so adding it costs nothing. The activation follows while the results are in the first-level cache.
 */
#include "kernels.h"
#include "table.h"
#include "tile.h"

/* So many rows of a panel (32 KiB) stay in the first-level cache while the batch's rows pass over them. */
enum { DEPTH = 32 * 1024 / (TILE_COLS * sizeof(real)) };

/* z[0 ... rows) (+)= x W, over n_columns of x's columns. */
INLINE void forward_tile(const int rows, const real *x, size_t ldx, const uint32_t *columns, size_t n_columns,
                         const real *bias, const real *W, real *z, size_t ldz, int first)
{
    tile sums;
    size_t offset[TILE_ROWS];
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++) {
        offset[i] = i * ldx;
#pragma GCC unroll 8
        for (int j = 0; j < TILE_VECTORS; j++)
            sums[i][j] = load(first ? bias + j * LANES : z + i * ldz + j * LANES);
    }
    for (size_t k = 0; k < n_columns; k++) {
        size_t c = columns[k];
        add_outer_product(rows, sums, x + c, offset, W + c * TILE_COLS);
    }
    store_tile(rows, sums, z, ldz);
}

void KERNEL(dense_forward)(const fastnn_dense *layer, const fastnn_batch *batch, size_t panel, void *z_or_null,
                           size_t ldz, void *a_matrix, size_t lda)
{
    const real *x = batch->values;
    const real *bias = (const real *)layer->weights + panel * (1 + layer->fan_in) * TILE_COLS;
    const real *W = bias + TILE_COLS;
    real *a = (real *)a_matrix + panel * TILE_COLS;
    real *z = z_or_null ? (real *)z_or_null + panel * TILE_COLS : a;
    if (!z_or_null)
        ldz = lda;

    size_t k = 0;
    do { /* at least once: with no active column, the bias is still the answer */
        size_t depth = batch->n_active - k < DEPTH ? batch->n_active - k : DEPTH;
        for (size_t row = 0; row < batch->rows; row += TILE_ROWS) {
            size_t rows = batch->rows - row;
            WITH_CONSTANT_ROWS(rows, forward_tile, x + row * batch->ld, batch->ld, batch->columns + k, depth, bias, W,
                               z + row * ldz, ldz, k == 0)
        }
        k += depth;
    } while (k < batch->n_active);
    KERNEL(activate)(layer->activation, batch->rows, TILE_COLS, z, ldz, a, lda);
}
