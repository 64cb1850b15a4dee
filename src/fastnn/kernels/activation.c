/* Activations over whole matrices; the fused kernels apply activation.h to a tile instead. */
#include "activation.h"

/* Both loops below end in the columns that are no whole vector. Those pass through a vector on the stack, so that
 * nothing outside the row is read or written; its unused lanes are 0, which every activation takes. */
INLINE vreal load_part(const real *p, size_t n)
{
    real lanes[LANES] = {0};
    memcpy(lanes, p, n * sizeof(real));
    return load(lanes);
}

INLINE void store_part(real *p, vreal v, size_t n)
{
    real lanes[LANES];
    store(lanes, v);
    memcpy(p, lanes, n * sizeof(real));
}

typedef vreal function(vreal);

/* Inlined into each case of the switches, where `forward` is known and is inlined in turn. */
INLINE void activate_rows(function *forward, size_t rows, size_t cols, const real *z, size_t ldz, real *a, size_t lda)
{
    size_t whole = cols - cols % LANES;
    for (size_t row = 0; row < rows; row++, z += ldz, a += lda) {
        for (size_t col = 0; col < whole; col += LANES)
            store(a + col, forward(load(z + col)));
        if (whole < cols)
            store_part(a + whole, forward(load_part(z + whole, cols - whole)), cols - whole);
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
            store_part(delta + whole, load_part(delta + whole, n) * gradient(load_part(kept + whole, n)), n);
        }
    }
}

void KERNEL(activate)(int activation, size_t rows, size_t cols, const real *z, size_t ldz, real *a, size_t lda)
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

void KERNEL(multiply_gradient)(int activation, size_t rows, size_t cols, const real *kept, size_t ldk, real *delta,
                               size_t ldd)
{
    if (activation == FASTNN_IDENTITY)
        return;
    if (ldk == cols && ldd == cols)
        cols *= rows, rows = 1;
    switch ((enum fastnn_activation)activation) {
#define ACTIVATION(NAME, name, keeps) \
    case FASTNN_##NAME: multiply_rows(gradient_##name, rows, cols, kept, ldk, delta, ldd); break;
#include "activations.def"
#undef ACTIVATION
    case FASTNN_N_ACTIVATIONS: break;
    }
}
