/* The register tile: what the three products of a dense layer have in common.
 *
 * Each product is a sum of outer products: TILE_ROWS scalars, broadcast, times TILE_VECTORS vectors, kept in registers
 * until the sum is complete. They differ only in where the scalars and vectors lie. Each number of the tile is summed
 * in the order of the sum's index, one fused multiply-add at a time, however many rows the tile has and whoever
 * computes it: this is what makes results independent of tile remainders and threads.
 */
#ifndef FASTNN_TILE_H
#define FASTNN_TILE_H

#include "simd.h"

typedef vreal tile[TILE_ROWS][TILE_VECTORS];

/* sums[i][:] += scalars[offset[i]] * vectors[:], for the first `rows` rows; rows must be a constant once inlined. */
INLINE void add_outer_product(const int rows, tile sums, const real *scalars, const size_t *offset, const real *vectors)
{
    vreal v[TILE_VECTORS];
#pragma GCC unroll 8
    for (int j = 0; j < TILE_VECTORS; j++)
        v[j] = load(vectors + j * LANES);
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++) {
        real s = scalars[offset[i]];
#pragma GCC unroll 8
        for (int j = 0; j < TILE_VECTORS; j++)
            sums[i][j] += s * v[j];
    }
}

INLINE void store_tile(const int rows, tile sums, real *out, size_t ldo)
{
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
        for (int j = 0; j < TILE_VECTORS; j++)
            store(out + i * ldo + j * LANES, sums[i][j]);
}

/* Calls f(rows, ...) with rows as a constant, so that the tile stays in registers whatever its height. */
#define WITH_CONSTANT_ROWS(rows, f, ...)                          \
    switch (rows) {                                               \
    case 1: f(1, __VA_ARGS__); break;                             \
    case 2: f(2, __VA_ARGS__); break;                             \
    case 3: f(3, __VA_ARGS__); break;                             \
    case 4: f(4, __VA_ARGS__); break;                             \
    case 5: f(TILE_ROWS < 5 ? TILE_ROWS : 5, __VA_ARGS__); break; \
    case 6: f(TILE_ROWS < 6 ? TILE_ROWS : 6, __VA_ARGS__); break; \
    case 7: f(TILE_ROWS < 7 ? TILE_ROWS : 7, __VA_ARGS__); break; \
    default: f(TILE_ROWS, __VA_ARGS__); break;                    \
    }
_Static_assert(TILE_ROWS >= 4 && TILE_ROWS <= 8, "WITH_CONSTANT_ROWS lists the heights of 4 to 8 rows");

#endif
