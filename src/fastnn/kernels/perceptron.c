/* The perceptron's epoch, row by row: its prediction for a row and, if that is wrong, the row added to the weights.
 *
 * Compiled without fused multiply-adds: perceptron_row.h says why.
 */
#include "perceptron_row.h"
#include "table.h"

#include <float.h>
#include <math.h>

/* -- an epoch ------------------------------------------------------------------------------------------------------ */

/* Rows are visited in random order, which no CPU predicts: so they are prefetched here.
 *
 * They are prefetched into the second-level cache. A core waits for few lines on their way to the first one at a time:
 * on a Zen 4, reading rows of 100 doubles in random order took 80 ns by way of the first, as without prefetching, and
 * 50 by way of the second.
 */
enum { CACHE_LINE = 64, AHEAD = 8, MOST_LINES = 32, READ = 0, SECOND_LEVEL = 2 };

INLINE void prefetch_bytes(const void *start, size_t n_bytes)
{
    const char *const bytes = start;
    const size_t most = MOST_LINES * CACHE_LINE, n = n_bytes < most ? n_bytes : most;
    for (size_t offset = 0; offset < n; offset += CACHE_LINE)
        __builtin_prefetch(bytes + offset, READ, SECOND_LEVEL);
    if (n > 0) /* a row that does not begin where a line does may end in one more */
        __builtin_prefetch(bytes + n - 1, READ, SECOND_LEVEL);
}

INLINE void prefetch(const int kind, const fastnn_examples *X, size_t sample)
{
    const row x = row_of(kind, X, sample);
    prefetch_bytes(x.values, x.n * sizeof(real));
    if (kind != DENSE)
        prefetch_bytes(x.columns, x.n * (kind == SPARSE_32 ? sizeof(int32_t) : sizeof(int64_t)));
    __builtin_prefetch(X->classes + sample);
}

INLINE void fetch_ahead(const int kind, const fastnn_examples *X, const uint32_t *order, size_t i, size_t known)
{
    if (kind != DENSE && i + 2 * AHEAD < known)
        __builtin_prefetch((const char *)X->starts + (size_t)order[i + 2 * AHEAD] * (kind == SPARSE_32 ? 4 : 8));
    if (i + AHEAD < known)
        prefetch(kind, X, order[i + AHEAD]);
}

/* A scale below these bounds is multiplied into the weights. The first bound is scikit-learn's. The second one is for
 * averages, which lose as many digits as the scale has lost. */
static const double LEAST_SCALE = sizeof(real) == 8 ? 1e-9 : (real)1e-6, LEAST_AVERAGED_SCALE = 1e-3;

/* The penalty's part of a step. Most units have none. */
INLINE void shrink(fastnn_perceptron *u, size_t n_features)
{
    u->penalty += u->alpha * ((1 - u->l1_ratio) * 0.5 * u->squares + u->l1_ratio * u->absolutes);
    u->scale = (real)(u->scale * (real)u->shrink);
    u->squares *= u->shrink * u->shrink;
    u->absolutes *= u->shrink;
    if (u->scale < (u->sums ? LEAST_AVERAGED_SCALE : LEAST_SCALE))
        unscale(u, n_features);
}

INLINE void average(fastnn_perceptron *u)
{
    if (u->step < u->average_from)
        return;
    u->scale_sum += u->scale;
    u->intercept_sum += u->intercept;
    u->n_averaged++;
}

/* A unit's prediction for a row, before it learns from the row. */
typedef struct {
    size_t sample;
    double margin; /* a mistake: <= 0 */
    int positive, held_out;
} prediction;

/* No CPU predicts the class of the next row, so there is no branch on it. */
static const double signs[] = {-1, 1};

/* plain: neither penalty nor average, a constant once inlined. */
INLINE prediction predict(const int kind, const int plain, fastnn_perceptron *u, const fastnn_examples *X,
                          size_t sample)
{
    const int32_t class = X->classes[sample];
    if (class < 0)
        return (prediction){.held_out = 1};
    const int positive = class == u->positive;
    const double product = dot(kind, row_of(kind, X, sample), u->weights);
    const double decision = (real)(plain ? product : product * u->scale) + u->intercept;
    u->finite += 0 * decision;
    return (prediction){sample, signs[positive] * decision, positive, 0};
}

INLINE void take_step(const int kind, const int plain, fastnn_perceptron *u, const fastnn_examples *X, prediction p)
{
    if (p.held_out)
        return;
    const row x = row_of(kind, X, p.sample);
    if (!plain && u->alpha >= 0)
        shrink(u, X->n_features);
    if (p.margin <= 0) {
        u->loss -= p.margin;
        const real given = X->weights ? ((const real *)X->weights)[p.sample] : 1;
        const double step = signs[p.positive] * u->eta * ((real)u->class_weights[p.positive] * given);
        if (step != 0) {
            u->n_mistakes++;
            add_row(kind, u, x, plain ? (real)step : (real)step / (real)u->scale);
            if (!plain && u->alpha >= 0)
                note_norms(kind, u, x);
            u->intercept += step * u->intercept_rate;
        }
    }
    if (!plain && u->l1_given) {
        u->l1_due += u->l1_ratio * u->eta * u->alpha;
        give_l1(kind, u, x);
    }
    if (!plain && u->sums)
        average(u);
    u->step++;
}

INLINE prediction visit(const int kind, const int plain, fastnn_perceptron *u, const fastnn_examples *X,
                        const fastnn_visits *visits, size_t i)
{
    if (visits->order)
        fetch_ahead(kind, X, visits->order, i, visits->known);
    return predict(kind, plain, u, X, visits->order ? visits->order[i] : i);
}

/* Units take turns row by row, and each predicts its next row as soon as it has learnt from the last one. No CPU
 * predicts which rows are mistakes. But when a unit's turn comes again, after the other units' rows, its sum is ready,
 * so that a mispredicted branch costs less. */
INLINE void learn(const int kind, const int plain, const size_t n_units, const fastnn_visits *all_visits,
                  const fastnn_examples *examples, size_t n_rows)
{
    /* Copies, of which the compiler need not fear that weights alias them. */
    const fastnn_examples X = *examples;
    fastnn_visits visits[FASTNN_MOST_UNITS];
    fastnn_perceptron units[FASTNN_MOST_UNITS];
    prediction predictions[FASTNN_MOST_UNITS] = {{0}}; /* GCC does not see that the first round only writes them */
    for (size_t k = 0; k < n_units; k++) {
        visits[k] = all_visits[k];
        units[k] = *visits[k].unit;
    }
    for (size_t i = 0; i <= n_rows; i++)
#pragma GCC unroll 4
        for (size_t k = 0; k < n_units; k++) {
            if (i > 0)
                take_step(kind, plain, &units[k], &X, predictions[k]);
            if (i < n_rows)
                predictions[k] = visit(kind, plain, &units[k], &X, &visits[k], visits[k].first + i);
        }
    for (size_t k = 0; k < n_units; k++)
        *visits[k].unit = units[k];
}

INLINE void score(const int kind, fastnn_perceptron *unit, const fastnn_examples *X, size_t first, size_t last)
{
    for (size_t sample = first; sample < last; sample++) {
        const int32_t label = ~X->classes[sample];
        if (label < 0)
            continue;
        const double weight = X->weights ? ((const real *)X->weights)[sample] : 1;
        const double value = dot(kind, row_of(kind, X, sample), unit->weights) * unit->scale + unit->intercept;
        unit->finite += 0 * value;
        unit->score += (value > 0) == (label == unit->positive) ? weight : 0;
    }
}

/* Calls f(kind, ...) with the kind as a constant. */
#define WITH_CONSTANT_KIND(X, f, ...) \
    if (!(X)->columns)                \
        f(DENSE, __VA_ARGS__);        \
    else if (!(X)->wide_indices)      \
        f(SPARSE_32, __VA_ARGS__);    \
    else                              \
        f(SPARSE_64, __VA_ARGS__);

void KERNEL(perceptron_learn)(const fastnn_visits *visits, size_t n_units, const fastnn_examples *X, size_t n_rows)
{
    const int plain = visits->unit->alpha < 0 && !visits->unit->sums;
    /* Taking turns is for the commonest case, and for it the number of units is a constant too. */
    if (plain && !X->columns && n_units == 2) {
        learn(DENSE, 1, 2, visits, X, n_rows);
    } else if (plain && !X->columns && n_units == 3) {
        learn(DENSE, 1, 3, visits, X, n_rows);
    } else if (plain && !X->columns && n_units == 4) {
        learn(DENSE, 1, 4, visits, X, n_rows);
    } else {
        for (size_t k = 0; k < n_units; k++)
            if (plain) {
                WITH_CONSTANT_KIND(X, learn, 1, 1, visits + k, X, n_rows)
            } else {
                WITH_CONSTANT_KIND(X, learn, 0, 1, visits + k, X, n_rows)
            }
    }
}

void KERNEL(perceptron_score)(fastnn_perceptron *unit, const fastnn_examples *X, size_t first, size_t last)
{
    WITH_CONSTANT_KIND(X, score, unit, X, first, last)
}

int KERNEL(perceptron_is_finite)(const fastnn_perceptron *unit, size_t n_features)
{
    const real most = sizeof(real) == 8 ? (real)DBL_MAX : (real)FLT_MAX;
    int64_t n_others = 0;
    for (size_t j = 0; j < n_features; j++)
        n_others += !(fabs(((const real *)unit->weights)[j]) <= most);
    return n_others == 0 && isfinite(unit->intercept);
}

/* -- from and to the estimator's arrays ---------------------------------------------------------------------------- */

void KERNEL(perceptron_begin)(fastnn_perceptron *unit, size_t n_features, const void *coef, const void *means)
{
    real *weights = unit->weights;
    unit->squares = unit->absolutes = 0;
    for (size_t j = 0; j < n_features; j++) {
        const double weight = weights[j] = ((const real *)coef)[j];
        unit->squares += weight * weight;
        unit->absolutes += fabs(weight);
    }
    if (unit->sums)
        for (size_t j = 0; j < n_features; j++)
            unit->sums[j] = (double)unit->n_averaged * ((const real *)means)[j];
    if (unit->l1_given)
        memset(unit->l1_given, 0, n_features * sizeof *unit->l1_given);
}

void KERNEL(perceptron_end)(fastnn_perceptron *unit, size_t n_features, void *coef, void *means)
{
    unscale(unit, n_features);
    for (size_t j = 0; j < n_features; j++)
        ((real *)coef)[j] = ((const real *)unit->weights)[j];
    if (unit->sums && unit->n_averaged)
        for (size_t j = 0; j < n_features; j++)
            ((real *)means)[j] = (real)(unit->sums[j] / (double)unit->n_averaged);
}
