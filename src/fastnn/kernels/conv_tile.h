/* What the two products of a convolution share beside the register tile: tiles of equal height, and rows of z that end
 * where the next position begins. */
#ifndef FASTNN_CONV_TILE_H
#define FASTNN_CONV_TILE_H

#include "tile.h"

/* The height of the tile that begins at j, of the fewest tiles that cover n rows. Their heights differ by one at most:
 * 26 rows are 7, 7, 6 and 6, and not 8, 8, 8 and 2, whose last tile has too few sums to keep the FMA units busy. */
INLINE size_t next_height(size_t n, size_t j)
{
    size_t left = n - j, n_tiles = (left + TILE_ROWS - 1) / TILE_ROWS;
    return (left + n_tiles - 1) / n_tiles;
}

/* How many lanes of a panel's last vector are columns. */
INLINE size_t last_lanes(size_t fan_out, size_t panel)
{
    size_t cols = fan_out - panel * TILE_COLS;
    return cols >= TILE_COLS || cols % LANES == 0 ? LANES : cols % LANES;
}

/* Vector j of a row of a tile that is `width` vectors wide, the last of which has `tail` lanes. */
INLINE vreal load_columns(const real *row, int j, int width, size_t tail)
{
    return j == width - 1 && tail < LANES ? load_part(row + j * LANES, tail, 0) : load(row + j * LANES);
}

INLINE void store_part_of_tile(const int rows, const int width, tile sums, real *out, size_t ldo, size_t tail)
{
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++) {
#pragma GCC unroll 8
        for (int j = 0; j < width - 1; j++)
            store(out + i * ldo + j * LANES, sums[i][j]);
        store_part(out + i * ldo + (width - 1) * LANES, tail, sums[i][width - 1]);
    }
}

#endif
