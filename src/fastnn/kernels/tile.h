/* The register tile: what the three products of a dense layer have in common.
 *
 * Each product is a sum of outer products: TILE_ROWS scalars, broadcast, times TILE_VECTORS vectors, kept in registers
 * until the sum is complete. They differ only in where the scalars and vectors lie. Each number of the tile is summed
 * in the order of the sum's index, one fused multiply-add at a time, however many rows the tile has and whichever
 * thread computes it. So results do not depend on the tiles' remainders, nor on the number of threads.
 */
#ifndef FASTNN_TILE_H
#define FASTNN_TILE_H

#include "simd.h"

typedef vreal tile[TILE_ROWS][TILE_VECTORS];

/* How many vectors of a panel hold any of a layer's outputs: the last panel may be half empty, and of ten outputs most
 * of it is. (A vector that is used in part is computed as a whole: its padding is zero.) */
INLINE int panel_vectors(size_t fan_out, size_t panel)
{
    size_t cols = fan_out - panel * TILE_COLS;
    return cols >= TILE_COLS ? TILE_VECTORS : (int)((cols + LANES - 1) / LANES);
}

/* sums[i][:] += scalars[i * stride] * vectors[:], for the first `rows` rows and `width` vectors; both must be constants
 * once inlined. */
INLINE void add_outer_product(const int rows, const int width, tile sums, const real *scalars, size_t stride,
                              const real *vectors)
{
    /* From two of them every row is within reach of one address; from an array of offsets each takes two operations. */
    const real *upper = scalars + 4 * stride;
    vreal v[TILE_VECTORS];
#pragma GCC unroll 8
    for (int j = 0; j < width; j++)
        v[j] = load(vectors + j * LANES);
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++) {
        real s = i < 4 ? scalars[i * stride] : upper[(i - 4) * stride];
#pragma GCC unroll 8
        for (int j = 0; j < width; j++)
            sums[i][j] += s * v[j];
    }
}

INLINE void store_tile(const int rows, const int width, tile sums, real *out, size_t ldo)
{
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
        for (int j = 0; j < width; j++)
            store(out + i * ldo + j * LANES, sums[i][j]);
}

/* How many of the ascending terms are smaller than end. */
INLINE size_t count_below(const uint32_t *terms, size_t n, size_t end)
{
    size_t low = 0;
    while (low < n) {
        size_t middle = (low + n) / 2;
        if (terms[middle] < end)
            low = middle + 1;
        else
            n = middle;
    }
    return low;
}

/* Calls f(rows, width, ...) with both as constants, so that the tile stays in registers whatever its size. */
#define WITH_CONSTANT_SIZE(rows, width, f, ...)                \
    if ((width) == TILE_VECTORS)                               \
        WITH_CONSTANT_ROWS(rows, TILE_VECTORS, f, __VA_ARGS__) \
    else                                                       \
        WITH_CONSTANT_ROWS(rows, 1, f, __VA_ARGS__)
#define WITH_CONSTANT_ROWS(rows, width, f, ...)                          \
    switch (rows) {                                                      \
    case 1: f(1, width, __VA_ARGS__); break;                             \
    case 2: f(2, width, __VA_ARGS__); break;                             \
    case 3: f(3, width, __VA_ARGS__); break;                             \
    case 4: f(4, width, __VA_ARGS__); break;                             \
    case 5: f(TILE_ROWS < 5 ? TILE_ROWS : 5, width, __VA_ARGS__); break; \
    case 6: f(TILE_ROWS < 6 ? TILE_ROWS : 6, width, __VA_ARGS__); break; \
    case 7: f(TILE_ROWS < 7 ? TILE_ROWS : 7, width, __VA_ARGS__); break; \
    default: f(TILE_ROWS, width, __VA_ARGS__); break;                    \
    }
_Static_assert(TILE_ROWS >= 4 && TILE_ROWS <= 8, "WITH_CONSTANT_ROWS lists the heights of 4 to 8 rows");
_Static_assert(TILE_VECTORS == 2, "WITH_CONSTANT_SIZE lists the widths of 1 and 2 vectors");

#endif
