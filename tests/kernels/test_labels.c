/* The numbers of classes, which must be those of the softmax's largest probabilities; and whether numbers are finite.
 */
#include "harness.h"

/* As NumPy's argmax: the first of the largest, or the first NaN. */
static size_t first_largest(matrix p, size_t i)
{
    size_t best = 0;
    for (size_t j = 1; j < p.cols; j++)
        if (!isnan(at(p, i, best)) && (isnan(at(p, i, j)) || at(p, i, j) > at(p, i, best)))
            best = j;
    return best;
}

/* The kinds of rows: logits that differ much; in their last bits; not at all; huge ones; and any of these with NaN or
 * infinity in one place. */
static double logit(size_t i, double eighth)
{
    static const double spread[] = {4, 0x1p-20, 0x1p-9, 0, 0x1p100, -0x1p100};
    return (i % 2 ? 3 : 0) + eighth * spread[i % 6];
}

static void test_softmax_labels(size_t rows, size_t n_outputs)
{
    static const double specials[] = {NAN, INFINITY, -INFINITY};
    enum { GROUPS = 2 }; /* labels of every other column */
    matrix z = random_matrix(rows, n_outputs, 3), p = new_matrix(rows, n_outputs, 0);
    intptr_t *labels = new_block(rows * GROUPS * sizeof *labels, sizeof *labels);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < n_outputs; j++) {
            double value = logit(i, at(z, i, j));
            if (i % 8 == 7 && random_bits() % n_outputs == 0)
                value = specials[random_bits() % 3];
            set(z, i, j, value);
            set(p, i, j, value);
        }
    K->softmax(rows, n_outputs, p.values, p.ld);
    K->softmax_labels(rows, n_outputs, z.values, z.ld, labels, GROUPS);
    for (size_t i = 0; i < rows; i++) {
        expect((double)labels[i * GROUPS], (double)first_largest(p, i), 0, "label", n_outputs, i);
        if (i + 1 < rows)
            expect((double)labels[i * GROUPS + 1], -1, 0, "another group's label", n_outputs, i);
    }
    expect_gaps(z, "the gap of logits");
}

static void test_likely_labels(size_t n_outputs)
{
    static const double probabilities[] = {0, 0.5, 0.50001, 1, NAN, 0.25};
    enum { ROWS = 5, N = sizeof probabilities / sizeof *probabilities };
    matrix p = new_matrix(ROWS, n_outputs, 1);
    intptr_t *labels = new_block(ROWS * n_outputs * sizeof *labels, sizeof *labels);
    for (size_t i = 0; i < ROWS; i++)
        for (size_t j = 0; j < n_outputs; j++)
            set(p, i, j, probabilities[(i * n_outputs + j) % N]);
    K->likely_labels(ROWS, n_outputs, p.values, p.ld, labels, n_outputs);
    for (size_t i = 0; i < ROWS; i++)
        for (size_t j = 0; j < n_outputs; j++)
            expect((double)labels[i * n_outputs + j], at(p, i, j) > 0.5, 0, "likely", i, j);
}

static void test_all_finite(size_t rows, size_t cols)
{
    static const double specials[] = {NAN, INFINITY, -INFINITY};
    matrix x = random_matrix(rows, cols, 2); /* the gap is NaN */
    const double most = K->itemsize == 8 ? 0x1.fffffffffffffp1023 : 0x1.fffffep127;
    set(x, 0, 0, most);
    set(x, rows - 1, cols - 1, -most);
    expect(K->all_finite(rows, cols, x.values, x.ld), 1, 0, "finite", rows, cols);
    for (size_t place = 0; place < rows * cols; place++) {
        const size_t i = place / cols, j = place % cols;
        const double before = at(x, i, j);
        set(x, i, j, specials[place % 3]);
        expect(K->all_finite(rows, cols, x.values, x.ld), 0, 0, "not finite", i, j);
        set(x, i, j, before);
    }
}

void test_labels(void)
{
    for (size_t n_outputs = 1; n_outputs <= 2 * LANES + 1; n_outputs++) {
        test_softmax_labels(3 * LANES + 5, n_outputs);
        test_likely_labels(n_outputs);
        test_all_finite(3, n_outputs);
    }
    for (size_t n_outputs = 31; n_outputs <= 35; n_outputs++) /* where rows are no longer turned */
        test_softmax_labels(48, n_outputs);
    test_softmax_labels(48, 1000);
    test_all_finite(2, 9 * LANES + 1);
}
