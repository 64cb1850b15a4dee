/* out = in^T, in square blocks of vectors. */
#include "table.h"
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

INLINE void transpose_block(const real *in, size_t ldi, real *out, size_t ldo)
{
    vreal block[LANES], turned[LANES];
#pragma GCC unroll 16
    for (int i = 0; i < LANES; i++)
        block[i] = load(in + i * ldi);
#pragma GCC unroll 4
    for (int width = 1; width < LANES; width *= 2) {
        shuffle_block(block, turned);
#pragma GCC unroll 16
        for (int i = 0; i < LANES; i++)
            block[i] = turned[i];
    }
#pragma GCC unroll 16
    for (int i = 0; i < LANES; i++)
        store(out + i * ldo, block[i]);
}

void KERNEL(transpose)(size_t rows, size_t cols, const void *in_matrix, size_t ldi, void *out_matrix, size_t ldo)
{
    const real *in = in_matrix;
    real *out = out_matrix;
    const size_t whole_rows = rows - rows % LANES, whole_cols = cols - cols % LANES;

    for (size_t i = 0; i < whole_rows; i += LANES)
        for (size_t j = 0; j < whole_cols; j += LANES)
            transpose_block(in + i * ldi + j, ldi, out + j * ldo + i, ldo);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = i < whole_rows ? whole_cols : 0; j < cols; j++)
            out[j * ldo + i] = in[i * ldi + j];
}
