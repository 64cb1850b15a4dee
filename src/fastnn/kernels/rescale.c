/* Numbers scaled and shifted. */
#include "table.h"

void KERNEL(rescale)(size_t rows, size_t cols, const fastnn_rescaling *by, const void *x, size_t ldx, void *out,
                     size_t ldo)
{
    const real factor = (real)by->scale, term = (real)by->offset;
    if (ldx == cols && ldo == cols)
        cols *= rows, rows = 1;
    for (size_t i = 0; i < rows; i++) {
        const real *from = (const real *)x + i * ldx;
        real *to = (real *)out + i * ldo;
        for (size_t j = 0; j < cols; j++)
            to[j] = from[j] * factor + term;
    }
}
