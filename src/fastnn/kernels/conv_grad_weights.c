/* The gradient of a convolution's weights: grad[k] = sum over positions of x[offsets[k]] delta.
 *
 * Scalars are numbers of x, vectors are the error's channels. The rows of a register tile are terms that lie side by
 * side in x, such as the channels of one tap, or of a row of taps.
 */
#include "conv_tile.h"
#include "kernels.h"
#include "table.h"

/* Blocks of the grid have at most so many positions, or one row where that is longer than half of them: a panel of
 * their errors (16 KiB) stays in the first-level cache while all tiles pass over it. */
enum { POSITIONS = 16 * 1024 / (TILE_COLS * sizeof(real)) };

/* The size of parts, at most `most` large, that are equal but for the last. */
static size_t part_size(size_t n, size_t most)
{
    size_t n_parts = (n + most - 1) / most;
    return (n + n_parts - 1) / n_parts;
}

/* grad (+)= the sums over the grid; of the last vector's lanes those beyond `tail` become 0. */
INLINE void grad_tile(const int rows, const int width, const real *x, const real *delta, const fastnn_grid *grid,
                      real *grad, size_t tail, int fresh)
{
    tile sums;
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
        for (int j = 0; j < width; j++)
            sums[i][j] = fresh ? (vreal){0} : load(grad + i * TILE_COLS + j * LANES);
    for (size_t i = 0; i < grid->height; i++, x += grid->x_row, delta += grid->z_row) {
        const real *scalars = x, *vectors = delta;
        for (size_t j = 0; j < grid->width; j++, scalars += grid->x_col, vectors += grid->z_col)
            add_outer_product(rows, width, sums, scalars, 1, vectors);
    }
    if (tail < LANES) /* what lies there in delta is the next position's */
        for (int i = 0; i < rows; i++)
            sums[i][width - 1] = choose(first_lanes(tail), sums[i][width - 1], (vreal){0});
    store_tile(rows, width, sums, grad, TILE_COLS);
}

/* The bias's: the sums of the errors alone. */
static void grad_bias(int width, const real *delta, const fastnn_grid *grid, real *grad, size_t tail, int fresh)
{
    for (int v = 0; v < width; v++) {
        vreal sum = fresh ? (vreal){0} : load(grad + v * LANES);
        for (size_t i = 0; i < grid->height; i++)
            for (size_t j = 0; j < grid->width; j++)
                sum += load(delta + i * grid->z_row + j * grid->z_col + v * LANES);
        store(grad + v * LANES, v == width - 1 && tail < LANES ? choose(first_lanes(tail), sum, (vreal){0}) : sum);
    }
}

static void grad_panel(const fastnn_matrix *matrix, const fastnn_grid *grid, size_t panel, const real *x,
                       const real *delta, real *grad, int fresh)
{
    const int width = panel_vectors(matrix->fan_out, panel);
    const size_t tail = last_lanes(matrix->fan_out, panel);

    grad += panel * (1 + matrix->fan_in) * TILE_COLS;
    delta += panel * TILE_COLS;
    grad_bias(width, delta, grid, grad, tail, fresh);
    for (size_t k = 0; k < grid->n_terms; k += grid->run)
        for (size_t i = 0, rows; i < grid->run; i += rows) {
            rows = next_height(grid->run, i);
            WITH_CONSTANT_SIZE(rows, width, grad_tile, x + grid->offsets[k + i], delta, grid,
                               grad + (1 + k + i) * TILE_COLS, tail, fresh)
        }
}

void KERNEL(conv_grad_weights)(const fastnn_matrix *matrix, const fastnn_grid *grid, const void *x, const void *delta,
                               int onto, void *packed_grad)
{
    const size_t width = part_size(grid->width, POSITIONS), height = part_size(grid->height, POSITIONS / width);
    fastnn_grid block = *grid;
    for (size_t i = 0; i < grid->height; i += height)
        for (size_t j = 0; j < grid->width; j += width) {
            block.height = grid->height - i < height ? grid->height - i : height;
            block.width = grid->width - j < width ? grid->width - j : width;
            for (size_t panel = 0; panel * TILE_COLS < matrix->fan_out; panel++)
                grad_panel(matrix, &block, panel, (const real *)x + i * grid->x_row + j * grid->x_col,
                           (const real *)delta + i * grid->z_row + j * grid->z_col, packed_grad,
                           i == 0 && j == 0 && !onto);
        }
}
