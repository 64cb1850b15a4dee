/* Which columns, and which rows, of a matrix a register tile can leave out, being zero throughout: see fastnn_terms. */
#include "table.h"

/* The numbers' bits, or-ed: zero if all are +0. (-0 counts as something, which is harmless.) */
INLINE real_bits bits_of(const real *p)
{
    real_bits bits;
    memcpy(&bits, p, sizeof bits);
    return bits;
}

void KERNEL(used_columns)(size_t rows, size_t cols, const void *x_matrix, size_t ldx, uint32_t *terms, uint32_t *counts,
                          size_t stride)
{
    for (size_t tile = 0; tile * TILE_ROWS < rows; tile++, terms += stride) {
        const real *x = (const real *)x_matrix + tile * TILE_ROWS * ldx;
        size_t height = rows - tile * TILE_ROWS < TILE_ROWS ? rows - tile * TILE_ROWS : TILE_ROWS;
        uint32_t n = 0;
        for (size_t j = 0; j < cols; j += LANES) {
            size_t width = cols - j < LANES ? cols - j : LANES;
            real_bits used[LANES] = {0};
            for (size_t i = 0; i < height; i++)
                for (size_t k = 0; k < width; k++)
                    used[k] |= bits_of(x + i * ldx + j + k);
            /* Written always, counted if used: no branch to mispredict. */
            for (size_t k = 0; k < width; k++) {
                terms[n] = (uint32_t)(j + k);
                n += used[k] != 0;
            }
        }
        counts[tile] = n;
    }
}

void KERNEL(used_rows)(size_t rows, size_t cols, const void *x_matrix, size_t ldx, uint32_t *terms, uint32_t *counts,
                       size_t stride)
{
    for (size_t tile = 0; tile * TILE_ROWS < cols; tile++, terms += stride) {
        const real *x = (const real *)x_matrix + tile * TILE_ROWS;
        size_t width = cols - tile * TILE_ROWS < TILE_ROWS ? cols - tile * TILE_ROWS : TILE_ROWS;
        uint32_t n = 0;
        for (size_t i = 0; i < rows; i++) {
            real_bits used = 0;
            for (size_t k = 0; k < width; k++)
                used |= bits_of(x + i * ldx + k);
            terms[n] = (uint32_t)i;
            n += used != 0;
        }
        counts[tile] = n;
    }
}
