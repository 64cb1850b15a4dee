/* The kernels that work number by number: activations, dropout, transposition. */
#include "harness.h"

static double rounded(double value) { return K->itemsize == 8 ? value : (double)(float)value; }

/* -- activations --------------------------------------------------------------------------------------------------- */

static double logistic(double z) { return 1 / (1 + exp(-z)); }
/* In long double, since erfc makes more of its argument's rounding the further left it is. */
static double normal_cdf(double z) { return (double)(0.5L * erfcl(-z * sqrtl(0.5L))); }

/* Each activation and its derivative, of z. */
#define ACTIVATION_IS(name, function, slope)                 \
    static double true_##name(double z) { return function; } \
    static double slope_##name(double z) { return z * 0 + slope; }

ACTIVATION_IS(identity, z, 1)
ACTIVATION_IS(relu, z > 0 ? z : 0, (z > 0))
ACTIVATION_IS(logistic, logistic(z), logistic(z) * logistic(-z))
ACTIVATION_IS(tanh, tanh(z), 1 / (cosh(z) * cosh(z)))
ACTIVATION_IS(leaky_relu, z > 0 ? z : 0.01 * z, z > 0 ? 1 : 0.01)
ACTIVATION_IS(elu, z > 0 ? z : expm1(z), z > 0 ? 1 : exp(z))
ACTIVATION_IS(softplus, fmax(z, 0) + log1p(exp(-fabs(z))), logistic(z))
ACTIVATION_IS(exp, exp(z), exp(z))
ACTIVATION_IS(gelu, z *normal_cdf(z), normal_cdf(z) + z * exp(-z * z / 2) * 0.3989422804014327)
ACTIVATION_IS(silu, z *logistic(z), logistic(z) * (1 + z * logistic(-z)))

enum { OUTPUT, INPUT };
static const struct {
    const char *name;
    double (*function)(double), (*slope)(double);
    int keeps;
} activations[] = {
#define ACTIVATION(NAME, name, keeps) {#name, true_##name, slope_##name, keeps},
#include "activations.def"
#undef ACTIVATION
};

static void test_activation(int activation, size_t cols, size_t gap)
{
    enum { ROWS = 3 };
    matrix z = random_matrix(ROWS, cols, gap), a = new_matrix(ROWS, cols, gap), in_place = new_matrix(ROWS, cols, gap);
    matrix kept = new_matrix(ROWS, cols, gap), delta = new_matrix(ROWS, cols, gap);
    matrix mask = random_matrix(ROWS, cols, gap), masked = new_matrix(ROWS, cols, gap);
    for (size_t i = 0; i < ROWS; i++)
        for (size_t j = 0; j < cols; j++) {
            set(z, i, j, 4 * at(z, i, j));
            set(in_place, i, j, at(z, i, j));
            set(kept, i, j,
                activations[activation].keeps == INPUT ? at(z, i, j) : activations[activation].function(at(z, i, j)));
            set(delta, i, j, (double)j - 2);
            set(masked, i, j, (double)j - 2);
        }
    K->activate(activation, ROWS, cols, z.values, z.ld, a.values, a.ld);
    K->activate(activation, ROWS, cols, in_place.values, in_place.ld, in_place.values, in_place.ld);
    K->multiply_gradient(activation, ROWS, cols, kept.values, NULL, kept.ld, delta.values, delta.ld);
    K->multiply_gradient(activation, ROWS, cols, kept.values, mask.values, kept.ld, masked.values, masked.ld);
    for (size_t i = 0; i < ROWS; i++)
        for (size_t j = 0; j < cols; j++) {
            const double expected = activations[activation].function(at(z, i, j));
            const double slope = ((double)j - 2) * activations[activation].slope(at(z, i, j));
            expect(at(a, i, j), expected, 8 * EPS * fabs(expected), activations[activation].name, i, j);
            expect(at(in_place, i, j), at(a, i, j), 0, "in place", i, j);
            expect(at(delta, i, j), slope, 8 * EPS * fmax(fabs((double)j - 2), fabs(slope)), "delta", i, j);
            expect(at(masked, i, j), at(delta, i, j) * at(mask, i, j), EPS * fabs(at(masked, i, j)), "masked", i, j);
        }
    expect_gaps(a, "the gap of a");
    expect_gaps(delta, "the gap of delta");
    expect_gaps(masked, "the gap of masked");
}

void test_activations(void)
{
    for (int activation = 0; activation < FASTNN_N_ACTIVATIONS; activation++)
        for (size_t cols = 1; cols <= 2 * LANES + 1; cols++)
            for (size_t gap = 0; gap < 2; gap++)
                test_activation(activation, cols, gap);
}

/* -- the sum of squares ------------------------------------------------------------------------------------------- */

void test_sum_of_squares(void)
{
    const double scales[] = {1, 0x1p-100, 0x1p100}; /* float has neither of the squares of the others */
    for (int i = 0; i < 3; i++)
        for (size_t n = 0; n <= 4 * LANES + 1; n++) {
            matrix x = random_matrix(1, n + 1, 0);
            double squares = 0;
            for (size_t k = 0; k < n; k++) {
                set(x, 0, k, scales[i] * at(x, 0, k));
                squares += at(x, 0, k) * at(x, 0, k);
            }
            set(x, 0, n, NAN); /* not to be read */
            expect(K->sum_of_squares(n, x.values), squares, 0, "squares", n, (size_t)i);
            for (size_t k = 0; k < n; k += 3) {
                const double number = at(x, 0, k);
                set(x, 0, k, NAN);
                expect(K->sum_of_squares(n, x.values), NAN, 0, "squares with NaN", n, k);
                set(x, 0, k, -INFINITY);
                expect(K->sum_of_squares(n, x.values), INFINITY, 0, "squares with infinity", n, k);
                set(x, 0, k, number);
            }
        }
}

/* -- dropout ------------------------------------------------------------------------------------------------------- */

/* Which units are dropped is tested against NumPy's generator, in Python: here, that it is the same for a part of the
 * rows and columns, and what is written. */
static void test_dropout_of(size_t cols, double rate)
{
    enum { ROWS = 7, CUT = 3 };
    const size_t gap = 2;
    matrix a = random_matrix(ROWS, cols, gap), masked = new_matrix(ROWS, cols, gap), kept = new_matrix(ROWS, cols, gap);
    matrix mask = new_matrix(ROWS, cols, gap), part = new_matrix(ROWS, cols, gap), unkept = new_matrix(ROWS, cols, gap);
    for (size_t i = 0; i < ROWS; i++)
        for (size_t j = 0; j < cols; j++)
            set(masked, i, j, at(a, i, j)), set(unkept, i, j, at(a, i, j));
    K->dropout(1, 2, 3, 0, ROWS, 0, cols, rate, masked.values, kept.values, mask.values, mask.ld);
    const size_t left = cols / 2; /* in the middle of a block of units, for most numbers of columns */
    for (int right = 0; right < 2; right++) {
        const size_t first = right ? left : 0, n = right ? cols - left : left;
        const size_t skipped = (CUT * part.ld + first) * K->itemsize;
        K->dropout(1, 2, 3, CUT, ROWS - CUT, first, n, rate, (char *)unkept.values + skipped, NULL,
                   (char *)part.values + skipped, part.ld);
    }
    for (size_t i = 0; i < ROWS; i++)
        for (size_t j = 0; j < cols; j++) {
            const double m = at(mask, i, j), scale = rounded(1 / (1 - rate));
            expect(m, m == 0 ? 0 : scale, 0, "mask", i, j);
            expect(at(kept, i, j), at(a, i, j), 0, "kept", i, j);
            expect(at(masked, i, j), rounded(at(a, i, j) * m), 0, "masked", i, j);
            expect(at(part, i, j), i < CUT ? NAN : m, 0, "mask of a part", i, j);
            expect(at(unkept, i, j), i < CUT ? at(a, i, j) : at(masked, i, j), 0, "masked, not kept", i, j);
        }
    expect_gaps(masked, "the gap of a");
    expect_gaps(mask, "the gap of the mask");
    expect_gaps(kept, "the gap of kept");
}

void test_dropout(void)
{
    for (size_t cols = 1; cols < 20; cols++)
        for (int eighths = 0; eighths < 8; eighths++)
            test_dropout_of(cols, eighths / 8.0);
}

/* -- transposition ------------------------------------------------------------------------------------------------- */

void test_transpose(void)
{
    for (size_t rows = 1; rows <= 2 * LANES + 1; rows += rows < LANES - 1 ? 2 : 1)
        for (size_t cols = 1; cols <= 2 * LANES + 1; cols += cols < LANES - 1 ? 2 : 1) {
            matrix in = random_matrix(rows, cols, 1), out = new_matrix(cols, rows, 2);
            K->transpose(rows, cols, in.values, in.ld, out.values, out.ld);
            for (size_t i = 0; i < rows; i++)
                for (size_t j = 0; j < cols; j++)
                    expect(at(out, j, i), at(in, i, j), 0, "transposed", j, i);
            expect_gaps(out, "the gap of the transpose");
        }
}

/* -- multiply-adds ------------------------------------------------------------------------------------------------- */

/* Each of ten chains i goes from i halfway to 2, n times. */
void test_multiply_add(void)
{
    double sum = -1;
    expect(K->multiply_add(0, &sum), 0, 0, "operations of no round", 0, 0);
    expect(sum, 45, 0, "what the chains begin with", 0, 0);
    expect(K->multiply_add(3, &sum), 3 * 2.0 * 10 * LANES, 0, "operations", 0, 0);
    expect(sum, 20 + 25 / 8.0, 0, "after three rounds", 0, 0);
}
