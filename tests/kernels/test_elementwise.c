/* The kernels that work number by number or row by row: gathering, activations, losses, transposition. */
#include "harness.h"

/* -- gathering ----------------------------------------------------------------------------------------------------- */

/* IEEE half precision, by its definition. */
static double from_half(uint16_t half)
{
    const int exponent = half >> 10 & 31, mantissa = half & 1023;
    const double magnitude = exponent == 31 ? (mantissa ? NAN : INFINITY)
                             : exponent     ? ldexp(1024 + mantissa, exponent - 25)
                                            : ldexp(mantissa, -24);
    return half >> 15 ? -magnitude : magnitude;
}

typedef double real; /* what sources.def converts to */
#define SOURCE(name, type, convert)                 \
    static double plant_##name(char *p, int number) \
    {                                               \
        const type value = (type)number;            \
        memcpy(p, &value, sizeof value);            \
        return convert(value);                      \
    }
#include "sources.def"
#undef SOURCE

static const struct {
    const char *name;
    size_t size;
    double (*plant)(char *p, int number); /* writes it as the type's number, or bits; returns what it is */
} sources[] = {
#define SOURCE(name, type, convert) {#name, sizeof(type), plant_##name},
#include "sources.def"
#undef SOURCE
};

static double rounded(double value) { return K->itemsize == 8 ? value : (double)(float)value; }

/* gap: bytes between neighbours; at an odd address, rows backwards. */
static void test_gather_from(int source, size_t n_features, size_t gap)
{
    static const intptr_t order[] = {3, 0, 3, 1};
    enum { N_SAMPLES = 5, N_ROWS = sizeof order / sizeof *order };
    const size_t step = sources[source].size + gap, row_bytes = n_features * step + 1;
    char *data = new_block(N_SAMPLES * row_bytes - 1 - gap, 1);
    const fastnn_samples X = {(enum fastnn_source)source, data + (N_SAMPLES - 1) * row_bytes, -(ptrdiff_t)row_bytes,
                              (ptrdiff_t)step, n_features};
    matrix truth = new_matrix(N_SAMPLES, n_features, 0), out = new_matrix(N_ROWS, n_features, 2);
    matrix first = new_matrix(2, n_features, 0);
    for (size_t i = 0; i < N_SAMPLES; i++)
        for (size_t j = 0; j < n_features; j++) {
            const int number = random_bits() % 4 ? 0 : (int)(random_bits() % 200) - 100;
            set(truth, i, j, sources[source].plant(data + (N_SAMPLES - 1 - i) * row_bytes + j * step, number));
        }
    K->gather(&X, order, N_ROWS, out.values, out.ld);
    K->gather(&X, NULL, 2, first.values, first.ld);
    for (size_t j = 0; j < n_features; j++) {
        for (size_t i = 0; i < N_ROWS; i++)
            expect(at(out, i, j), rounded(at(truth, (size_t)order[i], j)), 0, sources[source].name, i, j);
        for (size_t i = 0; i < 2; i++)
            expect(at(first, i, j), rounded(at(truth, i, j)), 0, "the first rows", i, j);
    }
    expect_gaps(out, "the gap of out");
}

void test_gather(void)
{
    for (int source = 0; source < FASTNN_N_SOURCES; source++)
        for (size_t n_features = 1; n_features <= 2 * TILE_COLS + 1; n_features += 4)
            for (size_t gap = 0; gap < 3; gap++)
                test_gather_from(source, n_features, gap);
}

/* tile: of rows, the terms being columns, or turned. A term is used if any of the tile's numbers has a bit set. */
static void expect_terms(matrix x, int turned, const uint32_t *terms, uint32_t count, size_t tile)
{
    const size_t n_terms = turned ? x.rows : x.cols, end = turned ? x.cols : x.rows;
    size_t n = 0;
    for (size_t k = 0; k < n_terms; k++) {
        int used = 0;
        for (size_t i = tile * TILE_ROWS; i < end && i < (tile + 1) * TILE_ROWS; i++) {
            const double number = turned ? at(x, k, i) : at(x, i, k);
            used |= number != 0 || signbit(number);
        }
        if (used)
            expect(n < count ? terms[n] : NAN, (double)k, 0, turned ? "used row" : "used column", tile, n), n++;
    }
    expect(count, (double)n, 0, turned ? "used rows" : "used columns", tile, x.cols);
}

void test_terms(void)
{
    const size_t sizes[] = {1, TILE_ROWS - 1, TILE_ROWS, TILE_ROWS + 1, 2 * LANES + 1, 5 * TILE_ROWS};
    enum { N_SIZES = sizeof sizes / sizeof *sizes };
    for (int i = 0; i < N_SIZES * N_SIZES; i++) {
        const size_t rows = sizes[i / N_SIZES], cols = sizes[i % N_SIZES];
        const size_t row_tiles = 1 + (rows - 1) / TILE_ROWS, col_tiles = 1 + (cols - 1) / TILE_ROWS;
        matrix x = new_matrix(rows, cols, 2);
        for (size_t row = 0; row < rows; row++)
            for (size_t col = 0; col < cols; col++)
                set(x, row, col, random_bits() % 16 ? 0 : random_bits() % 8 ? random_eighth() : -0.0);
        uint32_t *counts = new_block((row_tiles + col_tiles) * sizeof *counts, sizeof *counts);
        uint32_t *columns = new_block(row_tiles * cols * sizeof *columns, sizeof *columns);
        uint32_t *samples = new_block(col_tiles * rows * sizeof *samples, sizeof *samples);
        K->used_columns(rows, cols, x.values, x.ld, columns, counts, cols);
        K->used_rows(rows, cols, x.values, x.ld, samples, counts + row_tiles, rows);
        for (size_t tile = 0; tile < row_tiles; tile++)
            expect_terms(x, 0, columns + tile * cols, counts[tile], tile);
        for (size_t tile = 0; tile < col_tiles; tile++)
            expect_terms(x, 1, samples + tile * rows, counts[row_tiles + tile], tile);
    }
}

/* Every half there is: infinities, NaN and subnormal numbers. */
void test_half(void)
{
    uint16_t *halves = new_block(65536 * sizeof *halves, 0);
    matrix out = new_matrix(1, 65536, 0);
    for (size_t i = 0; i < 65536; i++)
        halves[i] = (uint16_t)i;
    K->gather(&(fastnn_samples){FASTNN_float16, (const char *)halves, 0, 2, 65536}, NULL, 1, out.values, 65536);
    for (size_t i = 0; i < 65536; i++) {
        expect(at(out, 0, i), from_half((uint16_t)i), 0, "half", i, 0);
        expect(signbit(at(out, 0, i)) != 0, i >> 15, 0, "the sign of half", i, 0);
    }
}

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
    for (size_t i = 0; i < ROWS; i++)
        for (size_t j = 0; j < cols; j++) {
            set(z, i, j, 4 * at(z, i, j));
            set(in_place, i, j, at(z, i, j));
            set(kept, i, j,
                activations[activation].keeps == INPUT ? at(z, i, j) : activations[activation].function(at(z, i, j)));
            set(delta, i, j, (double)j - 2);
        }
    K->activate(activation, ROWS, cols, z.values, z.ld, a.values, a.ld);
    K->activate(activation, ROWS, cols, in_place.values, in_place.ld, in_place.values, in_place.ld);
    K->multiply_gradient(activation, ROWS, cols, kept.values, kept.ld, delta.values, delta.ld);
    for (size_t i = 0; i < ROWS; i++)
        for (size_t j = 0; j < cols; j++) {
            const double wanted = activations[activation].function(at(z, i, j));
            const double slope = ((double)j - 2) * activations[activation].slope(at(z, i, j));
            expect(at(a, i, j), wanted, 8 * EPS * fabs(wanted), activations[activation].name, i, j);
            expect(at(in_place, i, j), at(a, i, j), 0, "in place", i, j);
            expect(at(delta, i, j), slope, 8 * EPS * fabs((double)j - 2), "delta", i, j);
        }
    expect_gaps(a, "the gap of a");
    expect_gaps(delta, "the gap of delta");
}

void test_activations(void)
{
    for (int activation = 0; activation < FASTNN_N_ACTIVATIONS; activation++)
        for (size_t cols = 1; cols <= 2 * LANES + 1; cols++)
            for (size_t gap = 0; gap < 2; gap++)
                test_activation(activation, cols, gap);
}

/* -- losses -------------------------------------------------------------------------------------------------------- */

static void test_losses_of(size_t n_outputs, int in_place)
{
    enum { ROWS = 5 };
    matrix z = random_matrix(ROWS, n_outputs, 1), targets = new_matrix(ROWS, n_outputs, 2), wanted[2], probability;
    int32_t *labels = new_block(ROWS * sizeof *labels, sizeof *labels);
    double loss[2] = {0, 0};
    for (int head = 0; head < 2; head++)
        wanted[head] = new_matrix(ROWS, n_outputs, 0);
    probability = new_matrix(ROWS, n_outputs, 1);
    for (size_t i = 0; i < ROWS; i++) {
        labels[i] = (int32_t)(random_bits() % n_outputs);
        double sum = 0;
        for (size_t j = 0; j < n_outputs; j++) {
            set(z, i, j, 4 * at(z, i, j));
            set(targets, i, j, (double)((i + j) % 5) / 4);
            set(probability, i, j, at(z, i, j));
            sum += exp(at(z, i, j));
            loss[1] += log1p(exp(at(z, i, j))) - at(z, i, j) * at(targets, i, j);
        }
        loss[0] += log(sum) - at(z, i, (size_t)labels[i]);
        for (size_t j = 0; j < n_outputs; j++) {
            set(wanted[0], i, j, exp(at(z, i, j)) / sum - (j == (size_t)labels[i]));
            set(wanted[1], i, j, logistic(at(z, i, j)) - at(targets, i, j));
        }
    }
    K->softmax(ROWS, n_outputs, probability.values, probability.ld);
    for (int head = 0; head < 2; head++) {
        matrix logits = new_matrix(ROWS, n_outputs, 1), delta = in_place ? logits : new_matrix(ROWS, n_outputs, 2);
        for (size_t i = 0; i < ROWS; i++)
            for (size_t j = 0; j < n_outputs; j++)
                set(logits, i, j, at(z, i, j));
        const double got =
            head == 0 ? K->softmax_loss(ROWS, n_outputs, logits.values, logits.ld, labels, delta.values, delta.ld)
                      : K->logistic_loss(ROWS, n_outputs, logits.values, logits.ld, targets.values, targets.ld,
                                         delta.values, delta.ld);
        expect(got, loss[head], 16 * EPS * (1 + fabs(loss[head])), head ? "logistic loss" : "softmax loss", n_outputs,
               0);
        for (size_t i = 0; i < ROWS; i++)
            for (size_t j = 0; j < n_outputs; j++) {
                const double p = at(wanted[0], i, j) + (j == (size_t)labels[i]);
                expect(at(delta, i, j), at(wanted[head], i, j), 8 * EPS, head ? "logistic delta" : "softmax delta", i,
                       j);
                expect(at(probability, i, j), p, 8 * EPS, "probability", i, j);
            }
        expect_gaps(delta, "the gap of delta");
    }
    expect_gaps(probability, "the gap of probabilities");
}

void test_losses(void)
{
    for (size_t n_outputs = 1; n_outputs <= 2 * LANES + 1; n_outputs++)
        for (int in_place = 0; in_place < 2; in_place++)
            test_losses_of(n_outputs, in_place);
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
