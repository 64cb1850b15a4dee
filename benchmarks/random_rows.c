/* Rows read in a given order, each fetched into the second-level cache some rows before: what a perceptron's epoch over
 * more rows than the caches hold takes at least. */
#include <omp.h>
#include <stddef.h>
#include <stdint.h>

enum { LINE = 64, AHEAD = 8 };

static void fetch(const char *row, size_t n_bytes)
{
    for (size_t i = 0; i < n_bytes; i += LINE)
        __builtin_prefetch(row + i, 0, 2);
    __builtin_prefetch(row + n_bytes - 1, 0, 2);
}

/* Seconds to read n rows of n_bytes, a multiple of 8. *sink is there lest the compiler leave reading out. */
double seconds_to_read(const char *rows, size_t n_bytes, const uint32_t *order, size_t n, int64_t *sink)
{
    int64_t sum = 0;
    const double start = omp_get_wtime();
    for (size_t i = 0; i < n; i++) {
        if (i + AHEAD < n)
            fetch(rows + order[i + AHEAD] * n_bytes, n_bytes);
        const int64_t *row = (const int64_t *)(rows + order[i] * n_bytes);
        for (size_t k = 0; k < n_bytes / sizeof *row; k++)
            sum += row[k];
    }
    *sink = sum;
    return omp_get_wtime() - start;
}
