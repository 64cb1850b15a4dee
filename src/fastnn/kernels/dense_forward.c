/* The forward product: z = x W + b, or z += x W.
 *
 * Scalars are numbers of x, vectors are a panel's rows of W. The sums start from the bias, which is the panel's first
 * row, so adding it costs nothing; or from what z already holds.
 */
#include "kernels.h"
#include "table.h"
#include "tile.h"

/* The sums of a single row are a chain of additions each, and a panel has two. So many panels are summed at once. */
enum { ROW_PANELS = 4 };
/* So many rows of a panel (16 KiB) stay in the first-level cache while the batch's rows pass over them. */
enum { DEPTH = 16 * 1024 / (TILE_COLS * sizeof(real)) };

/* z[0 ... rows) (+)= x W, over the columns listed; `fresh` sums start from the bias. */
INLINE void forward_tile(const int rows, const int width, const real *x, size_t ldx, const uint32_t *columns,
                         size_t n_columns, const real *bias, const real *W, real *z, size_t ldz, int fresh)
{
    tile sums;
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
        for (int j = 0; j < width; j++)
            sums[i][j] = load(fresh ? bias + j * LANES : z + i * ldz + j * LANES);
    for (size_t k = 0; k < n_columns; k++) {
        size_t c = columns[k];
        add_outer_product(rows, width, sums, x + c, ldx, W + c * TILE_COLS);
    }
    store_tile(rows, width, sums, z, ldz);
}

/* The columns [begin, end) of the product, for all rows and one panel. */
static void forward_panel(const fastnn_matrix *matrix, const fastnn_batch *batch, size_t panel, size_t begin,
                          size_t end, int fresh, real *z, size_t ldz)
{
    const real *x = batch->values;
    const real *bias = (const real *)matrix->weights + panel * (1 + matrix->fan_in) * TILE_COLS;
    const real *W = bias + TILE_COLS;
    const int width = panel_vectors(matrix->fan_out, panel);

    for (size_t i = 0; i * TILE_ROWS < batch->rows; i++) {
        const uint32_t *columns = batch->columns.terms + i * batch->columns.stride;
        size_t from = begin, to = end, rows = batch->rows - i * TILE_ROWS;
        if (batch->columns.counts) {
            size_t n = batch->columns.counts[i];
            from = count_below(columns, n, begin);
            to = end < matrix->fan_in ? count_below(columns, n, end) : n;
        }
        WITH_CONSTANT_SIZE(rows, width, forward_tile, x + i * TILE_ROWS * batch->ld, batch->ld, columns + from,
                           to - from, bias, W, z + i * TILE_ROWS * ldz, ldz, fresh)
    }
}

/* All of ROW_PANELS panels' product with one row. `panels` begins with the first one's bias, the next is `ld` further.
 */
static void forward_row(const real *x, const uint32_t *columns, size_t n_columns, const real *panels, size_t ld,
                        int fresh, real *z)
{
    vreal sums[ROW_PANELS][TILE_VECTORS];
#pragma GCC unroll 4
    for (int i = 0; i < ROW_PANELS; i++)
#pragma GCC unroll 8
        for (int j = 0; j < TILE_VECTORS; j++)
            sums[i][j] = load((fresh ? panels + i * ld : z + i * TILE_COLS) + j * LANES);
    for (size_t k = 0; k < n_columns; k++) {
        const real *W = panels + (1 + (size_t)columns[k]) * TILE_COLS;
        real s = x[columns[k]];
#pragma GCC unroll 4
        for (int i = 0; i < ROW_PANELS; i++)
#pragma GCC unroll 8
            for (int j = 0; j < TILE_VECTORS; j++)
                sums[i][j] += s * load(W + i * ld + j * LANES);
    }
#pragma GCC unroll 4
    for (int i = 0; i < ROW_PANELS; i++)
#pragma GCC unroll 8
        for (int j = 0; j < TILE_VECTORS; j++)
            store(z + i * TILE_COLS + j * LANES, sums[i][j]);
}

/* The same for as many of the panels first ... last - 1 as come in such groups; returns the first one that is left. */
static size_t forward_row_panels(const fastnn_matrix *matrix, const fastnn_batch *x, size_t first, size_t last,
                                 int fresh, real *z)
{
    const size_t ld = (1 + matrix->fan_in) * TILE_COLS, full = matrix->fan_out / TILE_COLS;
    const size_t n_columns = x->columns.counts ? x->columns.counts[0] : matrix->fan_in;
    last = last < full ? last : full;
    for (; first + ROW_PANELS <= last; first += ROW_PANELS)
        forward_row(x->values, x->columns.terms, n_columns, (const real *)matrix->weights + first * ld, ld, fresh,
                    z + first * TILE_COLS);
    return first;
}

/* All of a panel's product with sparse rows, entry by entry: their columns are too far apart for tiles to share. */
INLINE void forward_entries(const int width, const fastnn_entries *x, size_t rows, const real *bias, int fresh, real *z,
                            size_t ldz)
{
    const real *W = bias + TILE_COLS, *values = x->values;
    for (size_t i = 0; i < rows; i++) {
        vreal sums[TILE_VECTORS];
        for (int j = 0; j < width; j++)
            sums[j] = load((fresh ? bias : z + i * ldz) + j * LANES);
        for (size_t k = x->starts[i]; k < x->starts[i + 1]; k++)
            for (int j = 0; j < width; j++)
                sums[j] += values[k] * load(W + (size_t)x->columns[k] * TILE_COLS + j * LANES);
        for (int j = 0; j < width; j++)
            store(z + i * ldz + j * LANES, sums[j]);
    }
}

static void forward_sparse_panel(const fastnn_matrix *matrix, const fastnn_batch *batch, size_t panel, int fresh,
                                 real *z, size_t ldz)
{
    const real *bias = (const real *)matrix->weights + panel * (1 + matrix->fan_in) * TILE_COLS;
    if (panel_vectors(matrix->fan_out, panel) == TILE_VECTORS)
        forward_entries(TILE_VECTORS, &batch->entries, batch->rows, bias, fresh, z, ldz);
    else
        forward_entries(1, &batch->entries, batch->rows, bias, fresh, z, ldz);
}

void KERNEL(dense_forward)(const fastnn_matrix *matrix, const fastnn_batch *x, size_t first, size_t last, int onto,
                           void *z, size_t ldz)
{
    real *sums = z;
    if (x->entries.starts) {
        for (size_t panel = first; panel < last; panel++)
            forward_sparse_panel(matrix, x, panel, !onto, sums + panel * TILE_COLS, ldz);
    } else {
        if (x->rows == 1)
            first = forward_row_panels(matrix, x, first, last, !onto, sums);
        for (size_t k = 0; k < matrix->fan_in; k += DEPTH) {
            size_t end = k + DEPTH < matrix->fan_in ? k + DEPTH : matrix->fan_in;
            for (size_t panel = first; panel < last; panel++)
                forward_panel(matrix, x, panel, k, end, k == 0 && !onto, sums + panel * TILE_COLS, ldz);
        }
    }
}
