/* Fused multiply-adds and nothing else: the most arithmetic that a core can do. */
#include "table.h"

/* Two a cycle, each waiting for its predecessor four or five: ten at once leave none idle. */
enum { CHAINS = 10 };

double KERNEL(multiply_add)(size_t n, double *sum)
{
    const vreal half = broadcast((real)0.5), one = broadcast(1);
    vreal chains[CHAINS];
    for (int i = 0; i < CHAINS; i++)
        chains[i] = broadcast((real)i);
    for (size_t k = 0; k < n; k++)
        _Pragma("GCC unroll 10") for (int i = 0; i < CHAINS; i++) chains[i] = chains[i] * half + one;
    *sum = 0;
    for (int i = 0; i < CHAINS; i++)
        *sum += chains[i][0];
    return 2.0 * CHAINS * LANES * n;
}
