/* Activations and their gradients over matrices, such as the strip that a product has just left in the cache. */
#include "activation.h"
#include "table.h"

typedef vreal function(vreal);

/* Inlined into each case of the switches, where `forward` is known and is inlined in turn. */
INLINE void activate_rows(function *forward, size_t rows, size_t cols, const real *z, size_t ldz, real *a, size_t lda)
{
    size_t whole = cols - cols % LANES;
    for (size_t row = 0; row < rows; row++, z += ldz, a += lda) {
        for (size_t col = 0; col < whole; col += LANES)
            store(a + col, forward(load(z + col)));
        if (whole < cols)
            store_part(a + whole, cols - whole, forward(load_part(z + whole, cols - whole, 0)));
    }
}

INLINE void multiply_rows(function *gradient, size_t rows, size_t cols, const real *kept, size_t ldk, real *delta,
                          size_t ldd)
{
    size_t whole = cols - cols % LANES;
    for (size_t row = 0; row < rows; row++, kept += ldk, delta += ldd) {
        for (size_t col = 0; col < whole; col += LANES)
            store(delta + col, load(delta + col) * gradient(load(kept + col)));
        if (whole < cols) {
            size_t n = cols - whole;
            store_part(delta + whole, n, load_part(delta + whole, n, 0) * gradient(load_part(kept + whole, n, 0)));
        }
    }
}

void KERNEL(activate)(int activation, size_t rows, size_t cols, const void *z, size_t ldz, void *a, size_t lda)
{
    if (ldz == cols && lda == cols) /* one long row: a single tail, however narrow the matrix */
        cols *= rows, rows = 1;
    switch ((enum fastnn_activation)activation) {
#define ACTIVATION(NAME, name, keeps) \
    case FASTNN_##NAME: activate_rows(forward_##name, rows, cols, z, ldz, a, lda); break;
#include "activations.def"
#undef ACTIVATION
    case FASTNN_N_ACTIVATIONS: break;
    }
}

void KERNEL(multiply_gradient)(int activation, size_t rows, size_t cols, const void *kept, const void *mask, size_t ldk,
                               void *delta, size_t ldd)
{
    if (ldk == cols && ldd == cols)
        cols *= rows, rows = 1;
    if (activation != FASTNN_IDENTITY)
        switch ((enum fastnn_activation)activation) {
#define ACTIVATION(NAME, name, keeps) \
    case FASTNN_##NAME: multiply_rows(gradient_##name, rows, cols, kept, ldk, delta, ldd); break;
#include "activations.def"
#undef ACTIVATION
        case FASTNN_N_ACTIVATIONS: break;
        }
    if (mask)
        multiply_rows(forward_identity, rows, cols, mask, ldk, delta, ldd);
}
