/* Batch normalisation: each column of a batch's rows is shifted and scaled to mean 0 and variance 1.
 *
 * A block of rows, few enough for the first-level cache, is passed over vector by vector, so that what belongs to a
 * column stays in registers.
 */
#include "kernels.h"
#include "simd.h"
#include "table.h"

enum { BLOCK_BYTES = 16 * 1024, LEAST_BLOCK = 16, CHAINS = 4 }; /* sums in parallel: one would wait for itself */

static size_t rows_of_block(size_t cols)
{
    const size_t rows = BLOCK_BYTES / (cols * sizeof(real));
    return rows < LEAST_BLOCK ? LEAST_BLOCK : rows;
}

/* n is LANES as a constant, or the number of columns in the last vector. */
INLINE vreal load_columns(const real *p, size_t n) { return n == LANES ? load(p) : load_part(p, n, 0); }

INLINE void store_columns(real *p, size_t n, vreal v)
{
    if (n == LANES)
        store(p, v);
    else
        store_part(p, n, v);
}

INLINE vreal sum_chains(const vreal *sums) { return (sums[0] + sums[1]) + (sums[2] + sums[3]); }

/* Calls function(col, n, ...) for each vector of columns. */
#define FOR_COLUMNS(cols, function, ...)                    \
    do {                                                    \
        const size_t whole_ = (cols) - (cols) % LANES;      \
        for (size_t col_ = 0; col_ < whole_; col_ += LANES) \
            function(col_, LANES, __VA_ARGS__);             \
        if (whole_ < (cols))                                \
            function(whole_, (cols) - whole_, __VA_ARGS__); \
    } while (0)

/* -- means and variances ------------------------------------------------------------------------------------------- */

/* The differences are taken from a first mean, which is not quite exact: what they add up to corrects it. So no large
 * numbers cancel, however far the mean is from 0. The means of several blocks are put together as by Chan, Golub and
 * LeVeque (1979). */
INLINE void moments_of_block(size_t col, size_t n, size_t rows, const real *x, size_t ldx, size_t rows_before,
                             real *means, real *squares)
{
    const vreal count = broadcast((real)rows);
    vreal sums[CHAINS] = {{0}}, differences[CHAINS] = {{0}}, squared[CHAINS] = {{0}};
    size_t row = 0;
    x += col, means += col, squares += col;
    for (; row + CHAINS <= rows; row += CHAINS)
#pragma GCC unroll 4
        for (size_t i = 0; i < CHAINS; i++)
            sums[i] += load_columns(x + (row + i) * ldx, n);
    for (; row < rows; row++)
        sums[0] += load_columns(x + row * ldx, n);

    const vreal first = sum_chains(sums) / count;
    for (row = 0; row + CHAINS <= rows; row += CHAINS)
#pragma GCC unroll 4
        for (size_t i = 0; i < CHAINS; i++) {
            const vreal difference = load_columns(x + (row + i) * ldx, n) - first;
            differences[i] += difference;
            squared[i] += difference * difference;
        }
    for (; row < rows; row++) {
        const vreal difference = load_columns(x + row * ldx, n) - first;
        differences[0] += difference;
        squared[0] += difference * difference;
    }
    const vreal correction = sum_chains(differences);
    vreal mean = first + correction / count;
    vreal square = at_least(sum_chains(squared) - correction * correction / count, (vreal){0});
    if (rows_before > 0) {
        const real part = (real)rows / (real)(rows_before + rows);
        const vreal mean_before = load_columns(means, n), apart = mean - mean_before;
        mean = mean_before + apart * part;
        square += load_columns(squares, n) + apart * apart * ((real)rows_before * part);
    }
    store_columns(means, n, mean);
    store_columns(squares, n, square);
}

void KERNEL(batch_moments)(size_t rows, size_t cols, const void *x, size_t ldx, size_t rows_before, void *means,
                           void *squares)
{
    const size_t block = rows_of_block(cols);
    for (size_t row = 0, n; row < rows; row += n) {
        n = rows - row < block ? rows - row : block;
        FOR_COLUMNS(cols, moments_of_block, n, (const real *)x + row * ldx, ldx, rows_before + row, means, squares);
    }
}

/* Since all parts' means are at hand, the squares are taken from the mean of all. */
INLINE void moments_of_parts(size_t col, size_t n, size_t n_parts, const size_t *part_rows, const real *means,
                             const real *squares, size_t ld, real *mean, real *variance)
{
    size_t rows = 0;
    for (size_t i = 0; i < n_parts; i++)
        rows += part_rows[i];
    vreal sum = {0}, square = {0};
    means += col, squares += col;
    const vreal first = load_columns(means, n);
    for (size_t i = 1; i < n_parts; i++)
        sum += (load_columns(means + i * ld, n) - first) * (real)part_rows[i];
    const vreal total = first + sum / (real)rows;
    for (size_t i = 0; i < n_parts; i++) {
        const vreal apart = load_columns(means + i * ld, n) - total;
        square += load_columns(squares + i * ld, n) + apart * apart * (real)part_rows[i];
    }
    store_columns(mean + col, n, total);
    store_columns(variance + col, n, square / (real)rows);
}

void KERNEL(batch_moments_of_parts)(size_t n_parts, const size_t *part_rows, size_t cols, const void *means,
                                    const void *squares, size_t ld, void *mean, void *variance)
{
    FOR_COLUMNS(cols, moments_of_parts, n_parts, part_rows, means, squares, ld, mean, variance);
}

void KERNEL(moving_average)(size_t n, double momentum, const void *x, void *average)
{
    const real *from = x, keep = (real)momentum, take = (real)(1 - momentum);
    real *onto = average;
    for (size_t i = 0; i < n; i++)
        onto[i] = keep * onto[i] + take * from[i];
}

/* -- forward and back ---------------------------------------------------------------------------------------------- */

INLINE vreal inverse_deviation(const fastnn_batch_norm *norm, size_t col, size_t n)
{
    return 1 / square_root(load_columns((const real *)norm->variance + col, n) + (real)norm->epsilon);
}

INLINE void forward_columns(size_t col, size_t n, const fastnn_batch_norm *norm, size_t rows, const real *x, size_t ldx,
                            real *z, size_t ldz)
{
    const vreal mean = load_columns((const real *)norm->mean + col, n);
    const vreal beta = load_columns((const real *)norm->beta + col, n);
    const vreal factor = load_columns((const real *)norm->gamma + col, n) * inverse_deviation(norm, col, n);
    for (size_t row = 0; row < rows; row++) /* the mean first: it may be much larger than what is left */
        store_columns(z + row * ldz + col, n, (load_columns(x + row * ldx + col, n) - mean) * factor + beta);
}

void KERNEL(batch_norm_forward)(const fastnn_batch_norm *norm, size_t rows, const void *x, size_t ldx, void *z,
                                size_t ldz)
{
    const size_t block = rows_of_block(norm->cols);
    for (size_t row = 0, n; row < rows; row += n) {
        n = rows - row < block ? rows - row : block;
        FOR_COLUMNS(norm->cols, forward_columns, norm, n, (const real *)x + row * ldx, ldx, (real *)z + row * ldz, ldz);
    }
}

INLINE void grad_columns(size_t col, size_t n, const fastnn_batch_norm *norm, size_t rows, const real *x, size_t ldx,
                         const real *delta, size_t ldd, int onto, real *grad_gamma, real *grad_beta)
{
    const vreal mean = load_columns((const real *)norm->mean + col, n), inverse = inverse_deviation(norm, col, n);
    vreal products[CHAINS] = {{0}}, sums[CHAINS] = {{0}};
    size_t row = 0;
    x += col, delta += col, grad_gamma += col, grad_beta += col;
    for (; row + CHAINS <= rows; row += CHAINS)
#pragma GCC unroll 4
        for (size_t i = 0; i < CHAINS; i++) {
            const vreal error = load_columns(delta + (row + i) * ldd, n);
            products[i] += error * (load_columns(x + (row + i) * ldx, n) - mean);
            sums[i] += error;
        }
    for (; row < rows; row++) {
        const vreal error = load_columns(delta + row * ldd, n);
        products[0] += error * (load_columns(x + row * ldx, n) - mean);
        sums[0] += error;
    }
    vreal gamma = sum_chains(products) * inverse, beta = sum_chains(sums);
    if (onto)
        gamma += load_columns(grad_gamma, n), beta += load_columns(grad_beta, n);
    store_columns(grad_gamma, n, gamma);
    store_columns(grad_beta, n, beta);
}

void KERNEL(batch_norm_grad_weights)(const fastnn_batch_norm *norm, size_t rows, const void *x, size_t ldx,
                                     const void *delta, size_t ldd, int onto, void *grad_gamma, void *grad_beta)
{
    const size_t block = rows_of_block(norm->cols);
    for (size_t row = 0, n; row < rows; row += n) {
        n = rows - row < block ? rows - row : block;
        FOR_COLUMNS(norm->cols, grad_columns, norm, n, (const real *)x + row * ldx, ldx,
                    (const real *)delta + row * ldd, ldd, onto || row > 0, grad_gamma, grad_beta);
    }
}

/* Of the errors, what their mean and their product with the normalised numbers explain is taken away: by these, the
 * batch's mean and variance depend on each row. */
INLINE void back_columns(size_t col, size_t n, const fastnn_batch_norm *norm, size_t rows, const real *x, size_t ldx,
                         const real *delta, size_t ldd, size_t batch_rows, const real *grad_gamma,
                         const real *grad_beta, real *delta_in, size_t ldi)
{
    const vreal inverse = inverse_deviation(norm, col, n);
    const vreal factor = load_columns((const real *)norm->gamma + col, n) * inverse;
    x += col, delta += col, delta_in += col;
    if (batch_rows == 0) {
        for (size_t row = 0; row < rows; row++)
            store_columns(delta_in + row * ldi, n, load_columns(delta + row * ldd, n) * factor);
        return;
    }
    const vreal mean = load_columns((const real *)norm->mean + col, n);
    const vreal shift = load_columns(grad_beta + col, n) / (real)batch_rows;
    const vreal slope = load_columns(grad_gamma + col, n) * inverse / (real)batch_rows;
    for (size_t row = 0; row < rows; row++) {
        const vreal explained = (load_columns(x + row * ldx, n) - mean) * slope + shift;
        store_columns(delta_in + row * ldi, n, (load_columns(delta + row * ldd, n) - explained) * factor);
    }
}

void KERNEL(batch_norm_grad_input)(const fastnn_batch_norm *norm, size_t rows, const void *x, size_t ldx,
                                   const void *delta, size_t ldd, size_t batch_rows, const void *grad_gamma,
                                   const void *grad_beta, void *delta_in, size_t ldi)
{
    const size_t block = rows_of_block(norm->cols);
    for (size_t row = 0, n; row < rows; row += n) {
        n = rows - row < block ? rows - row : block;
        FOR_COLUMNS(norm->cols, back_columns, norm, n, (const real *)x + row * ldx, ldx,
                    (const real *)delta + row * ldd, ldd, batch_rows, grad_gamma, grad_beta,
                    (real *)delta_in + row * ldi, ldi);
    }
}
