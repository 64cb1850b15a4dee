/* The losses, against their definitions in double: of any number of outputs, with and without weights. */
#include "harness.h"

static double logistic(double z) { return 1 / (1 + exp(-z)); }

/* Each loss of one number, and its gradient: of z, a target t and a setting s. */
#define LOSS_IS(name, loss, gradient)                                                        \
    static double true_##name(double z, double t, double s) { return s * 0 + t * 0 + loss; } \
    static double slope_##name(double z, double t, double s) { return s * 0 + t * 0 + gradient; }

#define SMOOTHED (t * (1 - s) + s / 2)
LOSS_IS(logistic, log1p(exp(z)) - z * SMOOTHED, logistic(z) - SMOOTHED)
LOSS_IS(poisson, (t > 0 ? t * log(t) - t : 0) - t * z + exp(z), exp(z) - t)
LOSS_IS(squared_error, (z - t) * (z - t) / 2, z - t)
LOSS_IS(absolute_error, fabs(z - t), (z > t) - (z < t))
LOSS_IS(huber, fabs(z - t) <= s ? (z - t) * (z - t) / 2 : s * (fabs(z - t) - s / 2), fmin(fmax(z - t, -s), s))
LOSS_IS(quantile, z > t ? (1 - s) * (z - t) : s * (t - z), z > t ? 1 - s : z < t ? -s : 0)

static const struct {
    const char *name;
    double (*loss)(double, double, double), (*gradient)(double, double, double);
} losses[] = {
#define LOSS(name, link, mean) {#name, true_##name, slope_##name},
#include "losses.def"
#undef LOSS
};

enum { ROWS = 5 };

static matrix copy_of(matrix m, size_t gap)
{
    matrix copy = new_matrix(m.rows, m.cols, gap);
    for (size_t i = 0; i < m.rows; i++)
        for (size_t j = 0; j < m.cols; j++)
            set(copy, i, j, at(m, i, j));
    return copy;
}

/* In eighths, from 0; what has no weight must not count, whatever it is. */
static double weight_of(size_t i, size_t j) { return (double)((3 * i + j) % 5) / 8; }

static void test_elementwise_loss(int loss, size_t n_outputs, int in_place)
{
    matrix z = random_matrix(ROWS, n_outputs, 1), targets = new_matrix(ROWS, n_outputs, 2);
    matrix weights = new_matrix(ROWS, n_outputs, 3), settings = new_matrix(1, n_outputs, 0);
    matrix outputs = copy_of(z, 1), delta = in_place ? outputs : new_matrix(ROWS, n_outputs, 2);
    double expected = 0, size = 0;
    for (size_t i = 0; i < ROWS; i++)
        for (size_t j = 0; j < n_outputs; j++) {
            set(targets, i, j, (double)((i + j) % 5) / 4);
            set(settings, 0, j, (double)(j % 3 + 1) / 4);
            set(weights, i, j, weight_of(i, j));
            if (weight_of(i, j) == 0) {
                set(targets, i, j, NAN);
                set(outputs, i, j, INFINITY);
                continue;
            }
            const double one = losses[loss].loss(at(z, i, j), at(targets, i, j), at(settings, 0, j));
            expected += 0.5 * weight_of(i, j) * one;
            size += fabs(one);
        }
    const double got =
        K->elementwise_loss(loss, ROWS, n_outputs, outputs.values, outputs.ld, targets.values, targets.ld,
                            weights.values, weights.ld, settings.values, 0.5, delta.values, delta.ld);
    expect(got, expected, 16 * EPS * (1 + size), losses[loss].name, n_outputs, 0);
    for (size_t i = 0; i < ROWS; i++)
        for (size_t j = 0; j < n_outputs; j++) {
            const double w = 0.5 * weight_of(i, j);
            const double slope = w == 0 ? 0 : losses[loss].gradient(at(z, i, j), at(targets, i, j), at(settings, 0, j));
            expect(at(delta, i, j), w * slope, 8 * EPS * (1 + fabs(slope)), losses[loss].name, i, j);
        }
    expect_gaps(delta, "the gap of delta");
}

static void test_softmax_loss(size_t n_outputs, int in_place, double smoothing)
{
    enum { GROUPS = 2 }; /* labels and weights of every other column */
    matrix z = random_matrix(ROWS, n_outputs, 1), weights = new_matrix(ROWS, GROUPS, 0);
    matrix logits = copy_of(z, 1), delta = in_place ? logits : new_matrix(ROWS, n_outputs, 2), p = copy_of(z, 1);
    int32_t *labels = new_block(ROWS * GROUPS * sizeof *labels, sizeof *labels);
    double expected = 0;
    for (size_t i = 0; i < ROWS; i++) {
        const size_t label = random_bits() % n_outputs;
        const double weight = weight_of(i, 0);
        labels[i * GROUPS] = (int32_t)label;
        set(weights, i, 0, weight);
        double sum = 0;
        for (size_t j = 0; j < n_outputs; j++)
            sum += exp(at(z, i, j));
        for (size_t j = 0; j < n_outputs; j++) {
            const double share = smoothing / (double)n_outputs + (j == label ? 1 - smoothing : 0);
            expected += weight * share * (log(sum) - at(z, i, j));
            if (weight == 0)
                set(logits, i, j, NAN);
        }
    }
    const double got = K->softmax_loss(ROWS, n_outputs, logits.values, logits.ld, labels, GROUPS, weights.values,
                                       weights.ld, smoothing, delta.values, delta.ld);
    expect(got, expected, 16 * EPS * (1 + expected), "softmax loss", n_outputs, 0);
    K->softmax(ROWS, n_outputs, p.values, p.ld);
    for (size_t i = 0; i < ROWS; i++) {
        double sum = 0;
        for (size_t j = 0; j < n_outputs; j++)
            sum += exp(at(z, i, j));
        for (size_t j = 0; j < n_outputs; j++) {
            const double share = smoothing / (double)n_outputs + (j == (size_t)labels[i * GROUPS] ? 1 - smoothing : 0);
            expect(at(p, i, j), exp(at(z, i, j)) / sum, 8 * EPS, "probability", i, j);
            expect(at(delta, i, j), weight_of(i, 0) * (exp(at(z, i, j)) / sum - share), 8 * EPS, "softmax delta", i, j);
        }
    }
    expect_gaps(delta, "the gap of delta");
    expect_gaps(p, "the gap of probabilities");
}

void test_losses(void)
{
    /* 32 outputs are few in all types of numbers. */
    for (size_t n_outputs = 1; n_outputs <= 2 * LANES + 1 || n_outputs <= 34; n_outputs++)
        for (int in_place = 0; in_place < 2; in_place++) {
            for (int loss = 0; loss < FASTNN_N_LOSSES; loss++)
                test_elementwise_loss(loss, n_outputs, in_place);
            test_softmax_loss(n_outputs, in_place, 0);
            test_softmax_loss(n_outputs, in_place, 0.25);
        }
}
