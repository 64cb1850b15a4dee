/* A convolution's product: for each position of a grid, z = b + sum_k x[offsets[k]] W[k].
 *
 * It is the dense product's loop. The rows of a register tile are neighbours in a row of the grid, whose scalars lie a
 * constant distance apart. So no copy of x is made in which each position has its terms side by side (im2col), and one
 * input channel costs no more than its arithmetic. The gradient of the input is the same product: of the error, with
 * the transposed weights.
 */
#include "conv_tile.h"
#include "kernels.h"
#include "table.h"

/* At most so many rows of a panel (16 KiB) at a time, in equal parts, which stay in the first-level cache while the
 * grid's tiles pass over them. */
enum { DEPTH = 16 * 1024 / (TILE_COLS * sizeof(real)) };

/* z[0 ... rows) (+)= x W over n terms; `fresh` sums start from the bias. */
INLINE void forward_tile(const int rows, const int width, const real *x, size_t x_col, const uint32_t *offsets,
                         size_t n, const real *bias, const real *W, real *z, size_t z_col, size_t tail, int fresh)
{
    tile sums;
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
        for (int j = 0; j < width; j++)
            sums[i][j] = fresh ? load(bias + j * LANES) : load_columns(z + i * z_col, j, width, tail);
    for (size_t k = 0; k < n; k++)
        add_outer_product(rows, width, sums, x + offsets[k], x_col, W + k * TILE_COLS);
    if (tail == LANES)
        store_tile(rows, width, sums, z, z_col);
    else
        store_part_of_tile(rows, width, sums, z, z_col, tail);
}

/* The terms [begin, end) for one panel and all positions; `fresh` if they are the first. */
static void forward_panel(const fastnn_matrix *matrix, const fastnn_grid *grid, size_t panel, size_t begin, size_t end,
                          int fresh, const real *x, real *z)
{
    const real *bias = (const real *)matrix->weights + panel * (1 + matrix->fan_in) * TILE_COLS;
    const real *W = bias + (1 + begin) * TILE_COLS;
    const int width = panel_vectors(matrix->fan_out, panel);
    const size_t tail = last_lanes(matrix->fan_out, panel);

    for (size_t i = 0; i < grid->height; i++, x += grid->x_row, z += grid->z_row)
        for (size_t j = 0, rows; j < grid->width; j += rows) {
            rows = next_height(grid->width, j);
            WITH_CONSTANT_SIZE(rows, width, forward_tile, x + j * grid->x_col, grid->x_col, grid->offsets + begin,
                               end - begin, bias, W, z + j * grid->z_col, grid->z_col, tail, fresh)
        }
}

void KERNEL(conv_forward)(const fastnn_matrix *matrix, const fastnn_grid *grid, size_t first, size_t last,
                          const void *x, void *z)
{
    const size_t n = last - first, n_parts = n <= DEPTH ? 1 : (n + DEPTH - 1) / DEPTH;
    for (size_t part = 0; part < n_parts; part++)
        for (size_t panel = 0; panel * TILE_COLS < matrix->fan_out; panel++)
            forward_panel(matrix, grid, panel, first + n * part / n_parts, first + n * (part + 1) / n_parts, part == 0,
                          x, (real *)z + panel * TILE_COLS);
}
