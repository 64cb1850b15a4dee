/* Layer normalization: each row shifted to mean 0 and scaled to variance 1, then scaled and shifted column by column.
 *
 * A row is in the first-level cache, and read once for its mean, once for its variance and once for the result: the
 * variance as the mean of squares, less the square of the mean, would be all rounding where the mean is large.
 */
#include "table.h"

/* The lanes added by halves: rows are short, and a chain of LANES additions is longer than all else that they need. */
INLINE real sum_halves(vreal v)
{
#pragma GCC unroll 4
    for (int half = LANES / 2; half > 0; half /= 2) {
        vreal turned;
#pragma GCC unroll 16
        for (int i = 0; i < LANES; i++)
            turned[i] = v[i ^ half];
        v += turned;
    }
    return v[0];
}

/* 0 in the lanes past the row's end. */
INLINE vreal within(vreal v, size_t j, size_t cols)
{
    return j + LANES <= cols ? v : choose(first_lanes(cols - j), v, (vreal){0});
}

void KERNEL(layer_norm_forward)(size_t rows, size_t cols, double epsilon, const void *x, size_t ldx, const void *gamma,
                                const void *beta, void *out, size_t ldo, void *statistics)
{
    const real n = (real)cols;
    for (size_t i = 0; i < rows; i++) {
        const real *from = (const real *)x + i * ldx;
        real *to = (real *)out + i * ldo;
        vreal sum = {0}, squares = {0};
        for (size_t j = 0; j < cols; j += LANES)
            sum += load_row(from, j, cols);
        const real mean = sum_halves(sum) / n;
        for (size_t j = 0; j < cols; j += LANES) {
            const vreal difference = within(load_row(from, j, cols) - mean, j, cols);
            squares += difference * difference;
        }
        const real scale = 1 / (real)__builtin_sqrt(sum_halves(squares) / n + (real)epsilon);
        for (size_t j = 0; j < cols; j += LANES) {
            const vreal normal = (load_row(from, j, cols) - mean) * scale;
            store_row(to, j, cols, normal * load_row(gamma, j, cols) + load_row(beta, j, cols));
        }
        if (statistics) {
            ((real *)statistics)[2 * i] = mean;
            ((real *)statistics)[2 * i + 1] = scale;
        }
    }
}

void KERNEL(layer_norm_grad_input)(size_t rows, size_t cols, const void *x, size_t ldx, const void *statistics,
                                   const void *gamma, const void *delta, size_t ldd, void *delta_in, size_t ldi)
{
    const real n = (real)cols;
    for (size_t i = 0; i < rows; i++) {
        const real *from = (const real *)x + i * ldx, *error = (const real *)delta + i * ldd;
        const real mean = ((const real *)statistics)[2 * i], scale = ((const real *)statistics)[2 * i + 1];
        real *to = (real *)delta_in + i * ldi;
        vreal sum = {0}, products = {0};
        for (size_t j = 0; j < cols; j += LANES) { /* past the row's end the error is 0 */
            const vreal d = load_row(error, j, cols) * load_row(gamma, j, cols);
            sum += d;
            products += d * ((load_row(from, j, cols) - mean) * scale);
        }
        const real mean_d = sum_halves(sum) / n, mean_product = sum_halves(products) / n;
        for (size_t j = 0; j < cols; j += LANES) {
            const vreal normal = (load_row(from, j, cols) - mean) * scale;
            const vreal d = load_row(error, j, cols) * load_row(gamma, j, cols);
            store_row(to, j, cols, (d - mean_d - normal * mean_product) * scale);
        }
    }
}

void KERNEL(layer_norm_grad_weights)(size_t rows, size_t cols, const void *x, size_t ldx, const void *statistics,
                                     const void *delta, size_t ldd, void *grad_gamma, void *grad_beta)
{
    real *gammas = grad_gamma, *betas = grad_beta;
    for (size_t j = 0; j < cols; j += LANES) { /* columns outside, so that their sums stay in registers */
        vreal gamma = load_row(gammas, j, cols), beta = load_row(betas, j, cols);
        for (size_t i = 0; i < rows; i++) {
            const real mean = ((const real *)statistics)[2 * i], scale = ((const real *)statistics)[2 * i + 1];
            const vreal d = load_row((const real *)delta + i * ldd, j, cols);
            gamma += d * ((load_row((const real *)x + i * ldx, j, cols) - mean) * scale);
            beta += d;
        }
        store_row(gammas, j, cols, gamma);
        store_row(betas, j, cols, beta);
    }
}
