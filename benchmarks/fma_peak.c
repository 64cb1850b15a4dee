/* Fused multiply-adds and nothing else, on every thread: the most arithmetic that these cores can do.
 *
 * Compiled by measuring.py for the machine it runs on (-O3 -march=native -fopenmp).
 */
#include <stddef.h>

#if defined(__AVX512F__)
#define VECTOR_BYTES 64
#elif defined(__AVX__)
#define VECTOR_BYTES 32
#else
#define VECTOR_BYTES 16
#endif
/* Two a cycle, each waiting for its predecessor four or five: ten at once leave none idle. */
enum { CHAINS = 10 };

/* n rounds on each thread; returns the floating-point operations of all of them. sink keeps the results from being
 * optimised away. */
#define DEFINE_PEAK(name, type)                                                                           \
    double name(size_t n, int n_threads, double *sink)                                                    \
    {                                                                                                     \
        typedef type vector __attribute__((vector_size(VECTOR_BYTES)));                                   \
        double total = 0;                                                                                 \
        _Pragma("omp parallel num_threads(n_threads) reduction(+ : total)")                               \
        {                                                                                                 \
            vector sums[CHAINS], half, one;                                                               \
            for (size_t j = 0; j < VECTOR_BYTES / sizeof(type); j++)                                      \
                half[j] = 0.5, one[j] = 1;                                                                \
            for (int i = 0; i < CHAINS; i++)                                                              \
                sums[i] = half * (type)i;                                                                 \
            for (size_t k = 0; k < n; k++)                                                                \
                _Pragma("GCC unroll 10") for (int i = 0; i < CHAINS; i++) sums[i] = sums[i] * half + one; \
            for (int i = 0; i < CHAINS; i++)                                                              \
                total += sums[i][0];                                                                      \
        }                                                                                                 \
        *sink = total;                                                                                    \
        return 2.0 * CHAINS * (VECTOR_BYTES / sizeof(type)) * n * n_threads;                              \
    }

DEFINE_PEAK(peak_float32, float)
DEFINE_PEAK(peak_float64, double)
