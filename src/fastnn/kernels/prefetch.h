/* Rows in random order, which no CPU predicts, are prefetched.
 *
 * They are prefetched into the second-level cache. A core waits for few lines on their way to the first one at a time:
 * on a Zen 4, reading rows of 100 doubles in random order took 80 ns by way of the first, as without prefetching, and
 * 50 by way of the second.
 */
#ifndef FASTNN_PREFETCH_H
#define FASTNN_PREFETCH_H

#include "simd.h"

enum { CACHE_LINE = 64, READ = 0, SECOND_LEVEL = 2 };

/* The first n bytes, or the `most` first of them: behind those the core itself prefetches. */
INLINE void prefetch_bytes(const void *start, size_t n, size_t most)
{
    const char *const bytes = start;
    n = n < most ? n : most;
    for (size_t offset = 0; offset < n; offset += CACHE_LINE)
        __builtin_prefetch(bytes + offset, READ, SECOND_LEVEL);
    if (n > 0) /* a row that does not begin where a line does may end in one more */
        __builtin_prefetch(bytes + n - 1, READ, SECOND_LEVEL);
}

#endif
