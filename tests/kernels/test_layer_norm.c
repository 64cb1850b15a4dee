/* Layer normalization, and its gradients; and rescaling. */
#include "harness.h"

enum { ROWS = 5 };

static void test_layer_norm_of(size_t cols, size_t gap, double shift)
{
    const double epsilon = 0.125;
    matrix x = random_matrix(ROWS, cols, gap), out = new_matrix(ROWS, cols, gap),
           delta = random_matrix(ROWS, cols, gap);
    matrix gamma = random_matrix(1, cols, 0), beta = random_matrix(1, cols, 0), statistics = new_matrix(ROWS, 2, 0);
    matrix delta_in = new_matrix(ROWS, cols, gap), unnoted = new_matrix(ROWS, cols, gap);
    matrix grad_gamma = random_matrix(1, cols, 0), grad_beta = random_matrix(1, cols, 0);
    double *gammas = calloc(2 * cols, sizeof *gammas), *betas = gammas + cols;
    for (size_t j = 0; j < cols; j++) {
        gammas[j] = at(grad_gamma, 0, j), betas[j] = at(grad_beta, 0, j);
        for (size_t i = 0; i < ROWS; i++)
            set(x, i, j, at(x, i, j) + shift);
    }
    K->layer_norm_forward(ROWS, cols, epsilon, x.values, x.ld, gamma.values, beta.values, out.values, out.ld,
                          statistics.values);
    K->layer_norm_forward(ROWS, cols, epsilon, x.values, x.ld, gamma.values, beta.values, unnoted.values, unnoted.ld,
                          NULL);
    K->layer_norm_grad_input(ROWS, cols, x.values, x.ld, statistics.values, gamma.values, delta.values, delta.ld,
                             delta_in.values, delta_in.ld);
    K->layer_norm_grad_weights(ROWS, cols, x.values, x.ld, statistics.values, delta.values, delta.ld, grad_gamma.values,
                               grad_beta.values);
    const double n = (double)cols, tolerance = (40 + 8 * fabs(shift)) * EPS;
    for (size_t i = 0; i < ROWS; i++) {
        double mean = 0, variance = 0, sum = 0, products = 0;
        for (size_t j = 0; j < cols; j++)
            mean += at(x, i, j) / n;
        for (size_t j = 0; j < cols; j++)
            variance += (at(x, i, j) - mean) * (at(x, i, j) - mean) / n;
        const double scale = 1 / sqrt(variance + epsilon);
        expect(at(statistics, i, 0), mean, tolerance, "mean", i, 0);
        expect(at(statistics, i, 1), scale, tolerance * scale, "scale", i, 0);
        for (size_t j = 0; j < cols; j++) {
            const double d = at(delta, i, j) * at(gamma, 0, j);
            sum += d / n, products += d * (at(x, i, j) - mean) * scale / n;
        }
        for (size_t j = 0; j < cols; j++) {
            const double normal = (at(x, i, j) - mean) * scale, d = at(delta, i, j) * at(gamma, 0, j);
            expect(at(out, i, j), normal * at(gamma, 0, j) + at(beta, 0, j), 4 * tolerance, "normal", i, j);
            expect(at(unnoted, i, j), at(out, i, j), 0, "normal, without statistics", i, j);
            expect(at(delta_in, i, j), (d - sum - normal * products) * scale, 16 * tolerance, "delta_in", i, j);
            gammas[j] += at(delta, i, j) * normal, betas[j] += at(delta, i, j);
        }
    }
    for (size_t j = 0; j < cols; j++) {
        expect(at(grad_gamma, 0, j), gammas[j], 32 * tolerance, "gamma's gradient", 0, j);
        expect(at(grad_beta, 0, j), betas[j], 0, "beta's gradient", 0, j);
    }
    expect_gaps(out, "the gap of what is normal");
    expect_gaps(delta_in, "the gap of delta_in");
    free(gammas);
}

void test_layer_norm(void)
{
    for (size_t cols = 1; cols <= 3 * LANES + 1; cols++)
        for (size_t gap = 0; gap < 2; gap++) {
            test_layer_norm_of(cols, gap, 0);
            test_layer_norm_of(cols, gap, 1000);
        }
}

void test_rescale(void)
{
    for (size_t cols = 1; cols <= 2 * LANES + 1; cols++)
        for (size_t gap = 0; gap < 2; gap++) {
            matrix x = random_matrix(ROWS, cols, gap), out = new_matrix(ROWS, cols, 2 * gap);
            K->rescale(ROWS, cols, &(fastnn_rescaling){0.5, -3}, x.values, x.ld, out.values, out.ld);
            for (size_t i = 0; i < ROWS; i++)
                for (size_t j = 0; j < cols; j++)
                    expect(at(out, i, j), at(x, i, j) / 2 - 3, 0, "rescaled", i, j);
            K->rescale(ROWS, cols, &(fastnn_rescaling){2, 6}, out.values, out.ld, out.values, out.ld);
            for (size_t i = 0; i < ROWS; i++)
                for (size_t j = 0; j < cols; j++)
                    expect(at(out, i, j), at(x, i, j), 0, "rescaled in place", i, j);
            expect_gaps(out, "the gap of what is rescaled");
        }
}
