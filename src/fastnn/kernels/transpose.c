/* out = in^T, in square blocks of vectors. */
#include "transpose.h"
#include "table.h"

/* Up to LANES rows and columns, whole vectors of them if both are LANES. */
INLINE void transpose_block(size_t rows, size_t cols, const real *in, size_t ldi, real *out, size_t ldo)
{
    vreal block[LANES];
#pragma GCC unroll 16
    for (size_t i = 0; i < LANES; i++)
        block[i] = i >= rows ? (vreal){0} : cols == LANES ? load(in + i * ldi) : load_part(in + i * ldi, cols, 0);
    transpose_lanes(block);
#pragma GCC unroll 16
    for (size_t j = 0; j < LANES; j++)
        if (j < cols && rows == LANES)
            store(out + j * ldo, block[j]);
        else if (j < cols)
            store_part(out + j * ldo, rows, block[j]);
}

void KERNEL(transpose)(size_t rows, size_t cols, const void *in, size_t ldi, void *out, size_t ldo)
{
    for (size_t i = 0; i < rows; i += LANES)
        for (size_t j = 0; j < cols; j += LANES) {
            const real *from = (const real *)in + i * ldi + j;
            real *to = (real *)out + j * ldo + i;
            if (rows - i >= LANES && cols - j >= LANES)
                transpose_block(LANES, LANES, from, ldi, to, ldo);
            else
                transpose_block(rows - i < LANES ? rows - i : LANES, cols - j < LANES ? cols - j : LANES, from, ldi, to,
                                ldo);
        }
}
