/* Dropout: units whose outputs are 0 for a sample in one step of training.
 *
 * A counter-based generator makes the choice a function of the unit's position and the step: no state is kept, so
 * neither the number of threads nor what was computed before changes it. The generator is Philox4x64-10 of Salmon et
 * al. (2011), "Parallel random numbers: as easy as 1, 2, 3", which is NumPy's Philox too. A block of its four 64-bit
 * words decides on eight units, by the words' halves, the lower first; its counter is (the block's number in the row,
 * row, layer, step).
 */
#include "table.h"

enum { ROUNDS = 10, BLOCK_UNITS = 8 };

/* The lower half of a 64-bit product; the upper one in *high. */
INLINE uint64_t multiply(uint64_t a, uint64_t b, uint64_t *high)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    *high = (uint64_t)(product >> 64);
    return (uint64_t)product;
}

static void philox(uint64_t key, const uint64_t counter[4], uint64_t out[4])
{
    uint64_t key_0 = key, key_1 = 0, x[4];
    memcpy(x, counter, sizeof x);
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t high_0, high_1;
        uint64_t low_0 = multiply(0xD2E7470EE14C6C93u, x[0], &high_0);
        uint64_t low_1 = multiply(0xCA5A826395121157u, x[2], &high_1);
        x[0] = high_1 ^ x[1] ^ key_0;
        x[1] = low_1;
        x[2] = high_0 ^ x[3] ^ key_1;
        x[3] = low_0;
        key_0 += 0x9E3779B97F4A7C15u; /* Weyl sequences: the golden ratio, and sqrt(3) - 1 */
        key_1 += 0xBB67AE8584CAA73Bu;
    }
    memcpy(out, x, sizeof x);
}

/* Units first ... last - 1 of a block: the block's first unit is at units - first. */
INLINE void drop_units(const uint64_t words[4], size_t first, size_t last, double threshold, real scale, real *units,
                       real *factors)
{
    for (size_t k = first; k < last; k++) {
        uint32_t number = (uint32_t)(words[k / 2] >> (k % 2 * 32));
        factors[k - first] = number < threshold ? 0 : scale;
        units[k - first] *= factors[k - first];
    }
}

void KERNEL(dropout)(uint64_t seed, uint64_t step, uint64_t layer, size_t first_row, size_t rows, size_t first_col,
                     size_t cols, double rate, void *a, void *kept, void *mask, size_t ld)
{
    const double threshold = rate * 0x1p32;
    const real scale = (real)(1 / (1 - rate));
    for (size_t i = 0; i < rows; i++) {
        real *units = (real *)a + i * ld, *factors = (real *)mask + i * ld;
        if (kept)
            memcpy((real *)kept + i * ld, units, cols * sizeof(real));
        for (size_t j = 0, n; j < cols; j += n) {
            const size_t first = (first_col + j) % BLOCK_UNITS; /* not 0 where the columns begin within a block */
            const uint64_t counter[4] = {(first_col + j) / BLOCK_UNITS, first_row + i, layer, step};
            uint64_t words[4];
            philox(seed, counter, words);
            n = BLOCK_UNITS - first < cols - j ? BLOCK_UNITS - first : cols - j;
            if (n == BLOCK_UNITS) /* with constants, which the compiler unrolls */
                drop_units(words, 0, BLOCK_UNITS, threshold, scale, units + j, factors + j);
            else
                drop_units(words, first, first + n, threshold, scale, units + j, factors + j);
        }
    }
}
