/* The perceptron's kernels against its definition, row by row: dense rows, and sparse ones with both kinds of indices.
 */
#include "harness.h"

enum { N_SAMPLES = 41, N_EPOCHS = 3, MOST_FEATURES = 70 };

/* The definition, in double. Exact, and so equal to the bit, as long as the numbers below are multiples of 1/8. */
typedef struct {
    double weights[MOST_FEATURES], sums[MOST_FEATURES];
    double intercept, intercept_sum, loss, score;
    int n_mistakes;
} plain;

static double plain_decision(const plain *p, matrix X, size_t sample)
{
    double decision = p->intercept;
    for (size_t j = 0; j < X.cols; j++)
        decision += p->weights[j] * at(X, sample, j);
    return decision;
}

static void plain_learn(plain *p, matrix X, const int32_t *classes, int32_t positive, const void *weights,
                        size_t sample)
{
    const double y = classes[sample] == positive ? 1 : -1, margin = y * plain_decision(p, X, sample);
    const double step = y * 0.5 * (y > 0 ? 2 : 1) * (weights ? get(weights, sample) : 1);
    if (classes[sample] < 0)
        return;
    if (margin <= 0) {
        p->loss -= margin;
        p->n_mistakes += step != 0;
        for (size_t j = 0; j < X.cols; j++)
            p->weights[j] += step * at(X, sample, j);
        p->intercept += step * 0.25;
    }
    for (size_t j = 0; j < X.cols; j++)
        p->sums[j] += p->weights[j];
    p->intercept_sum += p->intercept;
}

/* Sparse rows of X: without the zeros, columns backwards. */
static void to_sparse(matrix X, int wide, fastnn_examples *examples)
{
    size_t n = 0, k = 0;
    for (size_t i = 0; i < X.rows * X.cols; i++)
        n += at(X, i / X.cols, i % X.cols) != 0;
    const size_t index_bytes = wide ? sizeof(int64_t) : sizeof(int32_t);
    void *values = new_block(n * K->itemsize, K->itemsize);
    char *columns = new_block(n * index_bytes, index_bytes), *starts = new_block((X.rows + 1) * index_bytes, 0);
    for (size_t i = 0; i <= X.rows; i++) {
        wide ? (((int64_t *)starts)[i] = (int64_t)k) : (((int32_t *)starts)[i] = (int32_t)k);
        for (size_t j = X.cols; i < X.rows && j-- > 0;)
            if (at(X, i, j) != 0) {
                wide ? (((int64_t *)columns)[k] = (int64_t)j) : (((int32_t *)columns)[k] = (int32_t)j);
                put(values, k++, at(X, i, j));
            }
    }
    examples->values = values;
    examples->columns = columns;
    examples->starts = starts;
    examples->wide_indices = wide;
}

/* A unit's steps for samples order[first ... last), or first ... last. */
static void learn(fastnn_perceptron *unit, const fastnn_examples *examples, const uint32_t *order, size_t first,
                  size_t last)
{
    const fastnn_visits visits = {unit, order, first, N_SAMPLES};
    K->perceptron_learn(&visits, 1, examples, last - first);
}

static void test_one(size_t n_features, int layout, int averaged, int weighted)
{
    matrix X = random_matrix(N_SAMPLES, n_features, layout == 0 ? 3 : 0);
    matrix coef = random_matrix(1, n_features, 0), means = new_matrix(1, n_features, 0);
    int32_t *classes = new_block(N_SAMPLES * sizeof *classes, 0);
    uint32_t *order = new_block(N_SAMPLES * sizeof *order, 0);
    void *weights = weighted ? new_block(N_SAMPLES * K->itemsize, K->itemsize) : NULL;
    plain p = {.intercept = 0.5};
    fastnn_examples examples = {n_features, X.values, X.ld, NULL, NULL, 0, classes, weights};
    fastnn_perceptron unit = {.positive = 1,
                              .eta = 0.5,
                              .class_weights = {1, 2},
                              .intercept_rate = 0.25,
                              .alpha = -1,
                              .average_from = 1,
                              .step = 1,
                              .scale = 1,
                              .intercept = 0.5};

    for (size_t i = 0; i < N_SAMPLES; i++) {
        classes[i] = (int32_t)(random_bits() % 3);
        classes[i] = random_bits() % 8 ? classes[i] : ~classes[i];
        order[i] = (uint32_t)((i * 17 + 5) % N_SAMPLES);
        if (weighted)
            put(weights, i, (double)(random_bits() % 3));
        for (size_t j = 0; j < n_features; j++)
            if (random_bits() % 2)
                set(X, i, j, 0);
    }
    for (size_t j = 0; j < n_features; j++) {
        p.weights[j] = at(coef, 0, j);
        set(means, 0, j, 0);
    }
    if (layout > 0)
        to_sparse(X, layout == 2, &examples);
    unit.weights = new_block(n_features * K->itemsize, K->itemsize);
    if (averaged)
        unit.sums = new_block(n_features * sizeof(double), 0);
    K->perceptron_begin(&unit, n_features, coef.values, means.values);
    for (int epoch = 0; epoch < N_EPOCHS; epoch++) {
        const uint32_t *visited = epoch == 1 ? NULL : order;
        learn(&unit, &examples, visited, 0, N_SAMPLES / 2);
        learn(&unit, &examples, visited, N_SAMPLES / 2, N_SAMPLES);
        for (size_t i = 0; i < N_SAMPLES; i++)
            plain_learn(&p, X, classes, 1, weights, visited ? visited[i] : i);
    }
    K->perceptron_score(&unit, &examples, 0, N_SAMPLES);
    for (size_t i = 0; i < N_SAMPLES; i++)
        if (classes[i] < 0 && (plain_decision(&p, X, i) > 0) == (~classes[i] == 1))
            p.score += weighted ? get(weights, i) : 1;
    expect(K->perceptron_is_finite(&unit, n_features), 1, 0, "finite", 0, 0);
    K->perceptron_end(&unit, n_features, coef.values, means.values);

    const double n = (double)unit.n_averaged;
    for (size_t j = 0; j < n_features; j++) {
        expect(at(coef, 0, j), p.weights[j], 0, "a weight", (size_t)layout, j);
        expect(at(means, 0, j), averaged ? p.sums[j] / n : 0, EPS * fabs(p.sums[j]), "a mean of weights",
               (size_t)layout, j);
    }
    expect(unit.intercept, p.intercept, 0, "the intercept", (size_t)layout, n_features);
    expect(unit.intercept_sum, averaged ? p.intercept_sum : 0, 0, "the intercept's sum", (size_t)layout, n_features);
    expect(unit.loss, p.loss, 0, "the loss", (size_t)layout, n_features);
    expect(unit.score, p.score, 0, "the score", (size_t)layout, n_features);
    expect((double)unit.n_mistakes, p.n_mistakes, 0, "mistakes", (size_t)layout, n_features);
    expect(unit.finite, 0, 0, "finite sums", (size_t)layout, n_features);
}

/* Units that learn together come to what each comes to alone, bit for bit, in whatever order it sees the samples. */
static void test_together(size_t n_features, int averaged)
{
    matrix X = random_matrix(N_SAMPLES, n_features, 1);
    int32_t classes[N_SAMPLES];
    uint32_t orders[FASTNN_MOST_UNITS][N_SAMPLES];
    const fastnn_examples examples = {n_features, X.values, X.ld, NULL, NULL, 0, classes, NULL};
    fastnn_perceptron units[2][FASTNN_MOST_UNITS];
    fastnn_visits together[FASTNN_MOST_UNITS];

    for (size_t i = 0; i < N_SAMPLES; i++)
        classes[i] = (int32_t)(random_bits() % 5) - 1;
    for (size_t k = 0; k < FASTNN_MOST_UNITS; k++)
        for (size_t i = 0; i < N_SAMPLES; i++)
            orders[k][i] = (uint32_t)((i * (k + 2) + k) % N_SAMPLES);
    for (size_t n_units = 1; n_units <= FASTNN_MOST_UNITS; n_units++) {
        for (size_t k = 0; k < n_units; k++) {
            for (int i = 0; i < 2; i++) {
                fastnn_perceptron *unit = &units[i][k];
                *unit = (fastnn_perceptron){.positive = (int32_t)k,
                                            .eta = k % 2 ? 1 : 0.3,
                                            .class_weights = {1, 1},
                                            .intercept_rate = 1,
                                            .alpha = -1,
                                            .scale = 1};
                unit->weights = new_block(n_features * K->itemsize, K->itemsize);
                memset(unit->weights, 0, n_features * K->itemsize);
                unit->sums = averaged ? new_block(n_features * sizeof(double), 0) : NULL;
                if (averaged)
                    memset(unit->sums, 0, n_features * sizeof(double));
            }
            learn(&units[0][k], &examples, orders[k], k, N_SAMPLES - FASTNN_MOST_UNITS + k);
            together[k] = (fastnn_visits){&units[1][k], orders[k], k, N_SAMPLES};
        }
        K->perceptron_learn(together, n_units, &examples, N_SAMPLES - FASTNN_MOST_UNITS);
        for (size_t k = 0; k < n_units; k++) {
            const fastnn_perceptron *alone = &units[0][k], *beside = &units[1][k];
            for (size_t j = 0; j < n_features; j++)
                expect(get(beside->weights, j), get(alone->weights, j), 0, "a weight learnt together", k, j);
            for (size_t j = 0; averaged && j < n_features; j++)
                expect(beside->sums[j], alone->sums[j], 0, "a sum learnt together", k, j);
            expect(beside->intercept, alone->intercept, 0, "an intercept learnt together", k, n_features);
            expect(beside->loss, alone->loss, 0, "a loss learnt together", k, n_features);
            expect((double)beside->n_mistakes, (double)alone->n_mistakes, 0, "mistakes made together", k, n_features);
        }
    }
}

static void test_not_finite(size_t n_features)
{
    const double bad[] = {NAN, INFINITY, -INFINITY};
    const int32_t class = 0;
    for (size_t i = 0; i < 3; i++)
        for (size_t j = 0; j < n_features; j++) {
            matrix X = random_matrix(1, n_features, 0);
            set(X, 0, j, bad[i]);
            const fastnn_examples examples = {n_features, X.values, X.ld, NULL, NULL, 0, &class, NULL};
            void *weights = new_block(n_features * K->itemsize, K->itemsize);
            memset(weights, 0, n_features * K->itemsize);
            fastnn_perceptron unit = {.eta = 1, .class_weights = {1, 1}, .alpha = -1, .scale = 1, .weights = weights};
            learn(&unit, &examples, NULL, 0, 1);
            expect(unit.finite, NAN, 0, "a row that is not finite", n_features, j);
            put(weights, j, bad[i]);
            expect(K->perceptron_is_finite(&unit, n_features), 0, 0, "a weight that is not finite", n_features, j);
        }
}

void test_perceptron(void)
{
    for (size_t n_features = 1; n_features < 2 * LANES + 3; n_features++)
        test_not_finite(n_features);
}

void test_perceptron_steps(void)
{
    const size_t sizes[] = {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 65, MOST_FEATURES};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int variant = 0; variant < 12; variant++)
            test_one(sizes[i], variant % 3, variant / 3 % 2, variant / 6);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int averaged = 0; averaged < 2; averaged++)
            test_together(sizes[i], averaged);
}
