/* A block of LANES vectors, transposed in registers. */
#ifndef FASTNN_TRANSPOSE_H
#define FASTNN_TRANSPOSE_H

#include "simd.h"

/* The lower and the upper halves of a and b, interleaved. */
#if FASTNN_VECTOR_BYTES == 16 && defined(FASTNN_DOUBLE)
#define LOWER 0, 2
#define UPPER 1, 3
#elif FASTNN_VECTOR_BYTES == 16 || (FASTNN_VECTOR_BYTES == 32 && defined(FASTNN_DOUBLE))
#define LOWER 0, 4, 1, 5
#define UPPER 2, 6, 3, 7
#elif FASTNN_VECTOR_BYTES == 32 || (FASTNN_VECTOR_BYTES == 64 && defined(FASTNN_DOUBLE))
#define LOWER 0, 8, 1, 9, 2, 10, 3, 11
#define UPPER 4, 12, 5, 13, 6, 14, 7, 15
#else
#define LOWER 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define UPPER 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#endif

/* One perfect shuffle of the block's rows and lanes; log2(LANES) of them transpose it. */
INLINE void shuffle_block(const vreal in[LANES], vreal out[LANES])
{
#pragma GCC unroll 16
    for (int i = 0; i < LANES / 2; i++) {
        out[2 * i] = __builtin_shufflevector(in[i], in[i + LANES / 2], LOWER);
        out[2 * i + 1] = __builtin_shufflevector(in[i], in[i + LANES / 2], UPPER);
    }
}

INLINE void transpose_lanes(vreal block[LANES])
{
    vreal turned[LANES];
#pragma GCC unroll 4
    for (int width = 1; width < LANES; width *= 2) {
        shuffle_block(block, turned);
#pragma GCC unroll 16
        for (int i = 0; i < LANES; i++)
            block[i] = turned[i];
    }
}

/* Rows of few outputs are transposed, LANES of them at a time, so that a vector has one output of each row: a single
 * row of ten outputs would spend its time in sums along a vector, and in waiting for what it has stored in part. The
 * choice depends on n_outputs only, so a row's bits do not depend on its neighbours.
 */
enum { FEW_OUTPUTS = 32 };

/* Up to LANES rows z (rows, n_outputs) turned: a vector for each output. */
INLINE void turn_rows(size_t rows, size_t n_outputs, const real *z, size_t ldz, vreal turned[])
{
    if (n_outputs == 0)
        __builtin_unreachable(); /* else GCC warns that turned[0] may not be set */
    for (size_t j = 0; j < n_outputs; j += LANES) {
        vreal *block = turned + j;
        for (size_t i = 0; i < LANES; i++)
            block[i] = i < rows ? load_row(z + i * ldz, j, n_outputs) : (vreal){0};
        transpose_lanes(block);
    }
}

#endif
