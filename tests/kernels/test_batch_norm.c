/* Batch normalisation: moments of columns in any cut of the rows, and both ways through. */
#include "harness.h"

enum { ROWS = 37, MOST_PARTS = ROWS };

typedef struct {
    double mean, squares; /* of the differences */
} moments;

static moments moments_of(matrix x, size_t col, size_t rows)
{
    moments m = {0, 0};
    for (size_t i = 0; i < rows; i++)
        m.mean += at(x, i, col) / (double)rows;
    for (size_t i = 0; i < rows; i++)
        m.squares += (at(x, i, col) - m.mean) * (at(x, i, col) - m.mean);
    return m;
}

static const char *row(matrix m, size_t i) { return (const char *)m.values + i * m.ld * K->itemsize; }

/* The rows part by part, and each part in two calls: far from 0, too, where squares of the numbers would cancel. */
static void test_moments(size_t cols, size_t part_rows, double far)
{
    const size_t n_parts = (ROWS + part_rows - 1) / part_rows;
    matrix x = random_matrix(ROWS, cols, 2), means = new_matrix(n_parts, cols, 3);
    matrix squares = new_matrix(n_parts, cols, 3), mean = new_matrix(1, cols, 0), variance = new_matrix(1, cols, 0);
    size_t rows[ROWS];
    for (size_t i = 0; i < ROWS; i++)
        for (size_t j = 0; j < cols; j++)
            set(x, i, j, far + at(x, i, j));
    for (size_t part = 0; part < n_parts; part++) {
        const size_t first = part * part_rows, n = ROWS - first < part_rows ? ROWS - first : part_rows;
        void *of_part = (void *)row(means, part), *squares_of_part = (void *)row(squares, part);
        rows[part] = n;
        K->batch_moments((n + 1) / 2, cols, row(x, first), x.ld, 0, of_part, squares_of_part);
        K->batch_moments(n / 2, cols, row(x, first + (n + 1) / 2), x.ld, (n + 1) / 2, of_part, squares_of_part);
    }
    K->batch_moments_of_parts(n_parts, rows, cols, means.values, squares.values, means.ld, mean.values,
                              variance.values);
    for (size_t j = 0; j < cols; j++) {
        const moments all = moments_of(x, j, ROWS);
        expect(at(mean, 0, j), all.mean, 4 * EPS * (2 + fabs(far)), "mean", part_rows, j);
        /* The means of parts are rounded, but their squares never are: these would lose twice as many digits. */
        expect(at(variance, 0, j), all.squares / ROWS, 8 * EPS * (2 + fabs(far)), "variance", part_rows, j);
    }
    expect_gaps(means, "the gap of the means");
    expect_gaps(squares, "the gap of the squares");
}

static void test_both_ways(size_t cols, size_t gap)
{
    const double epsilon = 0.125;
    matrix x = random_matrix(ROWS, cols, gap), z = new_matrix(ROWS, cols, gap), delta = random_matrix(ROWS, cols, gap);
    matrix delta_in = new_matrix(ROWS, cols, gap), constant = new_matrix(ROWS, cols, gap);
    matrix mean = random_matrix(1, cols, 0), variance = random_matrix(1, cols, 0), gamma = random_matrix(1, cols, 0);
    matrix beta = random_matrix(1, cols, 0), grad_gamma = new_matrix(1, cols, 0), grad_beta = new_matrix(1, cols, 0);
    for (size_t j = 0; j < cols; j++)
        set(variance, 0, j, fabs(at(variance, 0, j)));
    const fastnn_batch_norm norm = {cols, mean.values, variance.values, gamma.values, beta.values, epsilon};
    K->batch_norm_forward(&norm, ROWS, x.values, x.ld, z.values, z.ld);
    K->batch_norm_grad_weights(&norm, 1, x.values, x.ld, delta.values, delta.ld, 0, grad_gamma.values,
                               grad_beta.values);
    K->batch_norm_grad_weights(&norm, ROWS - 1, row(x, 1), x.ld, row(delta, 1), delta.ld, 1, grad_gamma.values,
                               grad_beta.values);
    K->batch_norm_grad_input(&norm, ROWS, x.values, x.ld, delta.values, delta.ld, ROWS, grad_gamma.values,
                             grad_beta.values, delta_in.values, delta_in.ld);
    K->batch_norm_grad_input(&norm, ROWS, x.values, x.ld, delta.values, delta.ld, 0, grad_gamma.values,
                             grad_beta.values, constant.values, constant.ld);
    for (size_t j = 0; j < cols; j++) {
        const double inverse = 1 / sqrt(at(variance, 0, j) + epsilon), factor = at(gamma, 0, j) * inverse;
        double of_gamma = 0, of_beta = 0;
        for (size_t i = 0; i < ROWS; i++) {
            const double normalised = (at(x, i, j) - at(mean, 0, j)) * inverse;
            of_gamma += at(delta, i, j) * normalised;
            of_beta += at(delta, i, j);
            expect(at(z, i, j), normalised * at(gamma, 0, j) + at(beta, 0, j), 64 * EPS, "z", i, j);
        }
        expect(at(grad_gamma, 0, j), of_gamma, ROWS * 64 * EPS, "the gradient of gamma", 0, j);
        expect(at(grad_beta, 0, j), of_beta, 0, "the gradient of beta", 0, j);
        for (size_t i = 0; i < ROWS; i++) {
            const double explained = (of_beta + (at(x, i, j) - at(mean, 0, j)) * inverse * of_gamma) / ROWS;
            expect(at(delta_in, i, j), (at(delta, i, j) - explained) * factor, 1024 * EPS, "delta_in", i, j);
            expect(at(constant, i, j), at(delta, i, j) * factor, 64 * EPS, "delta_in of constants", i, j);
        }
    }
    expect_gaps(z, "the gap of z");
    expect_gaps(delta_in, "the gap of delta_in");
}

static void test_moving_average(size_t n)
{
    matrix x = random_matrix(1, n, 0), average = random_matrix(1, n, 0), before = new_matrix(1, n, 0);
    for (size_t j = 0; j < n; j++)
        set(before, 0, j, at(average, 0, j));
    K->moving_average(n, 0.75, x.values, average.values);
    for (size_t j = 0; j < n; j++)
        expect(at(average, 0, j), 0.75 * at(before, 0, j) + 0.25 * at(x, 0, j), 0, "average", 0, j);
}

void test_batch_norm(void)
{
    for (size_t cols = 1; cols <= 2 * LANES + 1; cols++) {
        for (size_t part_rows = 1; part_rows <= MOST_PARTS; part_rows += part_rows < 4 ? 1 : 11)
            for (int i = 0; i < 3; i++)
                test_moments(cols, part_rows, (double[]){0, 1024, -0x1p16}[i]);
        for (size_t gap = 0; gap < 2; gap++)
            test_both_ways(cols, gap);
        test_moving_average(cols);
    }
    test_both_ways(4 * 1024 / K->itemsize, 0); /* blocks of a few rows */
}
