/* What a batch's numbers are: which columns and rows are not zero throughout a register tile, since its sums need no
 * others; and whether all are finite.
 */
#include "table.h"

/* A number is used if any of its bits is set. So -0 is used too, which changes no sum. */

/* Of the terms j ... j + width - 1 those that are used, after the n found before them. Without AVX-512 every term is
 * written, but counted only if it is used: so there is no branch to mispredict. n <= j, so each has room. */
INLINE uint32_t add_terms(uint32_t used, size_t width, size_t j, uint32_t *terms, uint32_t n)
{
#if defined(__AVX512F__) && FASTNN_VECTOR_BYTES == 64
    const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const uint32_t n_used = (uint32_t)__builtin_popcount(used);
    (void)width;
    _mm512_mask_storeu_epi32(
        terms + n, (__mmask16)((1u << n_used) - 1),
        _mm512_add_epi32(_mm512_maskz_compress_epi32((__mmask16)used, lane), _mm512_set1_epi32((int)j)));
    return n + n_used;
#else
    for (size_t k = 0; k < width; k++) {
        terms[n] = (uint32_t)(j + k);
        n += used >> k & 1;
    }
    return n;
#endif
}

/* The columns [j, j + width) that any of the rows uses, after the n found before them. */
INLINE uint32_t used_of_block(size_t rows, size_t width, const real *x, size_t ldx, size_t j, uint32_t *terms,
                              uint32_t n)
{
    vbits used = {0};
    for (size_t i = 0; i < rows; i++)
        used |= (vbits)(width == LANES ? load(x + i * ldx + j) : load_part(x + i * ldx + j, width, 0));
    return add_terms(lanes_where(used != 0), width, j, terms, n);
}

void KERNEL(used_columns)(size_t rows, size_t cols, const void *x, size_t ldx, uint32_t *terms, uint32_t *counts,
                          size_t stride)
{
    const size_t whole = cols - cols % LANES;
    for (size_t tile = 0; tile * TILE_ROWS < rows; tile++, terms += stride) {
        const real *strip = (const real *)x + tile * TILE_ROWS * ldx;
        size_t height = rows - tile * TILE_ROWS < TILE_ROWS ? rows - tile * TILE_ROWS : TILE_ROWS;
        uint32_t n = 0;
        for (size_t j = 0; j < whole; j += LANES)
            n = used_of_block(height, LANES, strip, ldx, j, terms, n);
        if (whole < cols)
            n = used_of_block(height, cols - whole, strip, ldx, whole, terms, n);
        counts[tile] = n;
    }
}

/* The bits of so many numbers, or-ed; constants once inlined, it is a few words. */
INLINE uint64_t bits_of(const real *x, size_t n)
{
    uint64_t bits = 0, word;
    size_t size = n * sizeof(real), at = 0;
    for (; at + sizeof word <= size; at += sizeof word) {
        memcpy(&word, (const char *)x + at, sizeof word);
        bits |= word;
    }
    word = 0;
    memcpy(&word, (const char *)x + at, size - at);
    return bits | word;
}

INLINE uint32_t used_of_tile(size_t rows, size_t width, const real *x, size_t ldx, uint32_t *terms)
{
    uint32_t n = 0;
    for (size_t i = 0; i < rows; i++) {
        terms[n] = (uint32_t)i;
        n += bits_of(x + i * ldx, width) != 0;
    }
    return n;
}

void KERNEL(used_rows)(size_t rows, size_t cols, const void *x, size_t ldx, uint32_t *terms, uint32_t *counts,
                       size_t stride)
{
    for (size_t tile = 0; tile * TILE_ROWS < cols; tile++, terms += stride) {
        const real *strip = (const real *)x + tile * TILE_ROWS;
        if (cols - tile * TILE_ROWS >= TILE_ROWS)
            counts[tile] = used_of_tile(rows, TILE_ROWS, strip, ldx, terms);
        else
            counts[tile] = used_of_tile(rows, cols - tile * TILE_ROWS, strip, ldx, terms);
    }
}

/* 0 for each number that is finite, else NaN. */
INLINE vreal nan_unless_finite(vreal numbers) { return numbers * (vreal){0}; }

int KERNEL(all_finite)(size_t rows, size_t cols, const void *x, size_t ldx)
{
    enum { CHAINS = 4 }; /* sums that do not wait for each other */
    vreal sums[CHAINS] = {0};
    for (size_t i = 0; i < rows; i++) {
        const real *row = (const real *)x + i * ldx;
        size_t j = 0;
        for (; j + CHAINS * LANES <= cols; j += CHAINS * LANES)
            for (int k = 0; k < CHAINS; k++)
                sums[k] += nan_unless_finite(load(row + j + k * LANES));
        for (; j < cols; j += LANES)
            sums[0] += nan_unless_finite(load_row(row, j, cols));
    }
    return sum_lanes(sums[0] + sums[1] + sums[2] + sums[3]) == 0;
}
