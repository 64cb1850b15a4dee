/* The cells of recurrent layers: what a step makes of its sums and of the state before it, and the error carried back.
 *
 * All gates of a vector of units are computed at once, so that the sums are read and the gates written once, and the
 * gates' exponentials and quotients, long chains of dependent operations, overlap. Nearly all cells have tanh, and the
 * logistic function for their gates: these are inlined into loops of their own.
 */
#include "activation.h"
#include "table.h"

/* An activation of z, and its derivative from its value. */
INLINE vreal known_value(int activation, vreal z)
{
    switch ((enum fastnn_activation)activation) {
#define ACTIVATION(NAME, name, keeps) \
    case FASTNN_##NAME: return forward_##name(z);
#include "activations.def"
#undef ACTIVATION
    case FASTNN_N_ACTIVATIONS: break;
    }
    return z;
}

INLINE vreal known_slope(int activation, vreal a)
{
    switch ((enum fastnn_activation)activation) {
#define ACTIVATION(NAME, name, keeps) \
    case FASTNN_##NAME: return gradient_##name(a);
#include "activations.def"
#undef ACTIVATION
    case FASTNN_N_ACTIVATIONS: break;
    }
    return a;
}

/* Not inlined: five gates with all activations in each are too much code for what few cells have. In memory, since a
 * vector wider than the registers is not passed the same way by all compilers. */
static __attribute__((noinline)) void any_value(int activation, vreal *z) { *z = known_value(activation, *z); }
static __attribute__((noinline)) void any_slope(int activation, vreal *a) { *a = known_slope(activation, *a); }

INLINE vreal value_of(int activation, vreal z)
{
    if (__builtin_constant_p(activation))
        return known_value(activation, z);
    any_value(activation, &z);
    return z;
}

INLINE vreal slope_of(int activation, vreal a)
{
    if (__builtin_constant_p(activation))
        return known_slope(activation, a);
    any_slope(activation, &a);
    return a;
}

/* Calls function(activation, recurrent activation, ...), with constants for the usual two. */
#define WITH_ACTIVATIONS(cell, function, ...)                                                                        \
    do {                                                                                                             \
        if ((cell)->activation == FASTNN_TANH && (cell)->recurrent_activation == FASTNN_LOGISTIC)                    \
            function(FASTNN_TANH, FASTNN_LOGISTIC, (cell)->units, (cell)->section, __VA_ARGS__);                     \
        else                                                                                                         \
            function((cell)->activation, (cell)->recurrent_activation, (cell)->units, (cell)->section, __VA_ARGS__); \
    } while (0)

/* -- the simple cell ----------------------------------------------------------------------------------------------- */

INLINE void simple_forward(int f, size_t units, size_t rows, real *gates, const real *recurrent, size_t ldr,
                           real *after, size_t lda, size_t ld)
{
    for (size_t row = 0; row < rows; row++, gates += ld, recurrent += ldr, after += lda)
        for (size_t j = 0; j < units; j += LANES) {
            const vreal h = value_of(f, load(gates + j) + load(recurrent + j));
            store(gates + j, h);
            store(after + j, h);
        }
}

void KERNEL(simple_cell_forward)(const fastnn_cell *cell, size_t rows, void *gates, const void *recurrent, size_t ldr,
                                 const void *before, void *after, size_t lda, size_t ld)
{
    (void)before;
    switch ((enum fastnn_activation)cell->activation) {
#define ACTIVATION(NAME, name, keeps) \
    case FASTNN_##NAME: simple_forward(FASTNN_##NAME, cell->units, rows, gates, recurrent, ldr, after, lda, ld); break;
#include "activations.def"
#undef ACTIVATION
    case FASTNN_N_ACTIVATIONS: break;
    }
}

INLINE void simple_grad(int f, size_t units, size_t rows, real *gates, size_t ld, real *delta, size_t ldd)
{
    for (size_t row = 0; row < rows; row++, gates += ld, delta += ldd)
        for (size_t j = 0; j < units; j += LANES) {
            store(gates + j, load(delta + j) * slope_of(f, load(gates + j)));
            store(delta + j, (vreal){0});
        }
}

void KERNEL(simple_cell_grad)(const fastnn_cell *cell, size_t rows, void *gates, const void *before, size_t ld,
                              void *delta, size_t ldd)
{
    (void)before;
    switch ((enum fastnn_activation)cell->activation) {
#define ACTIVATION(NAME, name, keeps) \
    case FASTNN_##NAME: simple_grad(FASTNN_##NAME, cell->units, rows, gates, ld, delta, ldd); break;
#include "activations.def"
#undef ACTIVATION
    case FASTNN_N_ACTIVATIONS: break;
    }
}

/* -- the gated recurrent unit -------------------------------------------------------------------------------------- */

INLINE void gru_forward(int f, int s, size_t units, size_t section, size_t rows, real *gates, const real *recurrent,
                        size_t ldr, const real *before, real *after, size_t lda, size_t ld)
{
    for (size_t row = 0; row < rows; row++, gates += ld, recurrent += ldr, before += ld, after += lda)
        for (size_t j = 0; j < units; j += LANES) {
            real *gate = gates + j;
            const real *sum = recurrent + j;
            const vreal q = load(sum + 2 * section);
            const vreal z = value_of(s, load(gate) + load(sum));
            const vreal r = value_of(s, load(gate + section) + load(sum + section));
            const vreal g = value_of(f, load(gate + 2 * section) + r * q);
            store(after + j, z * load(before + j) + (1 - z) * g);
            store(gate, z);
            store(gate + section, r);
            store(gate + 2 * section, g);
            store(gate + 3 * section, q);
        }
}

void KERNEL(gru_cell_forward)(const fastnn_cell *cell, size_t rows, void *gates, const void *recurrent, size_t ldr,
                              const void *before, void *after, size_t lda, size_t ld)
{
    WITH_ACTIVATIONS(cell, gru_forward, rows, gates, recurrent, ldr, before, after, lda, ld);
}

INLINE void gru_grad(int f, int s, size_t units, size_t section, size_t rows, real *gates, const real *before,
                     size_t ld, real *delta, size_t ldd)
{
    for (size_t row = 0; row < rows; row++, gates += ld, before += ld, delta += ldd)
        for (size_t j = 0; j < units; j += LANES) {
            real *gate = gates + j;
            const vreal z = load(gate), r = load(gate + section);
            const vreal g = load(gate + 2 * section), q = load(gate + 3 * section);
            const vreal dh = load(delta + j), dg = dh * (1 - z) * slope_of(f, g);
            store(gate, dh * (load(before + j) - g) * slope_of(s, z));
            store(gate + section, dg * q * slope_of(s, r));
            store(gate + 2 * section, dg);
            store(gate + 3 * section, dg * r);
            store(delta + j, dh * z);
        }
}

void KERNEL(gru_cell_grad)(const fastnn_cell *cell, size_t rows, void *gates, const void *before, size_t ld,
                           void *delta, size_t ldd)
{
    WITH_ACTIVATIONS(cell, gru_grad, rows, gates, before, ld, delta, ldd);
}

/* -- long short-term memory ---------------------------------------------------------------------------------------- */

INLINE void lstm_forward(int f, int s, size_t units, size_t section, size_t rows, real *gates, const real *recurrent,
                         size_t ldr, const real *before, real *after, size_t lda, size_t ld)
{
    for (size_t row = 0; row < rows; row++, gates += ld, recurrent += ldr, before += ld, after += lda)
        for (size_t j = 0; j < units; j += LANES) {
            real *gate = gates + j;
            const real *sum = recurrent + j;
            const vreal input = value_of(s, load(gate) + load(sum));
            const vreal forget = value_of(s, load(gate + section) + load(sum + section));
            const vreal g = value_of(f, load(gate + 2 * section) + load(sum + 2 * section));
            const vreal output = value_of(s, load(gate + 3 * section) + load(sum + 3 * section));
            const vreal c = forget * load(before + section + j) + input * g;
            store(after + j, output * value_of(f, c));
            store(after + section + j, c);
            store(gate, input);
            store(gate + section, forget);
            store(gate + 2 * section, g);
            store(gate + 3 * section, output);
        }
}

void KERNEL(lstm_cell_forward)(const fastnn_cell *cell, size_t rows, void *gates, const void *recurrent, size_t ldr,
                               const void *before, void *after, size_t lda, size_t ld)
{
    WITH_ACTIVATIONS(cell, lstm_forward, rows, gates, recurrent, ldr, before, after, lda, ld);
}

INLINE void lstm_grad(int f, int s, size_t units, size_t section, size_t rows, real *gates, const real *before,
                      size_t ld, real *delta, size_t ldd)
{
    for (size_t row = 0; row < rows; row++, gates += ld, before += ld, delta += ldd)
        for (size_t j = 0; j < units; j += LANES) {
            real *gate = gates + j;
            const vreal input = load(gate), forget = load(gate + section);
            const vreal g = load(gate + 2 * section), output = load(gate + 3 * section);
            const vreal c_before = load(before + section + j);
            const vreal squashed = value_of(f, forget * c_before + input * g); /* the state c, of which h is made */
            const vreal dh = load(delta + j);
            const vreal dc = load(delta + section + j) + dh * output * slope_of(f, squashed);
            store(gate, dc * g * slope_of(s, input));
            store(gate + section, dc * c_before * slope_of(s, forget));
            store(gate + 2 * section, dc * input * slope_of(f, g));
            store(gate + 3 * section, dh * squashed * slope_of(s, output));
            store(delta + j, (vreal){0});
            store(delta + section + j, dc * forget);
        }
}

void KERNEL(lstm_cell_grad)(const fastnn_cell *cell, size_t rows, void *gates, const void *before, size_t ld,
                            void *delta, size_t ldd)
{
    WITH_ACTIVATIONS(cell, lstm_grad, rows, gates, before, ld, delta, ldd);
}
