/* The perceptron's epoch, row by row: what it says of a row, and if that is wrong, the row added to the weights.
 *
 * Scikit-learn's numbers, sum for sum: rows are multiplied in double whatever their type, and this file is compiled
 * without fused multiply-adds. w + c x and then w - c x must leave w as it was, or a sum that is zero there is not
 * zero here, and whether a row counts as a mistake hangs on that.
 */
#include "table.h"

#include <math.h>

/* How rows are stored: a constant once inlined. */
enum { DENSE, SPARSE_32, SPARSE_64 };

typedef struct {
    size_t n;            /* numbers stored */
    const real *values;  /* (n) */
    const void *columns; /* (n) if sparse */
} row;

INLINE size_t index_at(const int kind, const void *indices, size_t i)
{
    return kind == SPARSE_32 ? (size_t)((const int32_t *)indices)[i] : (size_t)((const int64_t *)indices)[i];
}

INLINE row row_of(const int kind, const fastnn_examples *X, size_t sample)
{
    if (kind == DENSE)
        return (row){X->n_features, (const real *)X->values + sample * X->ld, NULL};
    const size_t start = index_at(kind, X->starts, sample), end = index_at(kind, X->starts, sample + 1);
    const size_t index_bytes = kind == SPARSE_32 ? sizeof(int32_t) : sizeof(int64_t);
    return (row){end - start, (const real *)X->values + start, (const char *)X->columns + start * index_bytes};
}

INLINE size_t column_of(const int kind, row x, size_t k) { return kind == DENSE ? k : index_at(kind, x.columns, k); }

/* -- sums ---------------------------------------------------------------------------------------------------------- */

typedef double vsum __attribute__((vector_size(FASTNN_VECTOR_BYTES)));
enum { SUM_LANES = FASTNN_VECTOR_BYTES / sizeof(double), N_SUMS = 4 };

INLINE vsum load_wide(const real *p)
{
    typedef real narrow __attribute__((vector_size(SUM_LANES * sizeof(real))));
    narrow v;
    memcpy(&v, p, sizeof v);
    return __builtin_convertvector(v, vsum);
}

INLINE double dense_dot(size_t n, const real *restrict x, const real *restrict w)
{
    vsum sums[N_SUMS] = {{0}};
    size_t k = 0;
    for (; k + N_SUMS * SUM_LANES <= n; k += N_SUMS * SUM_LANES)
#pragma GCC unroll 4
        for (int s = 0; s < N_SUMS; s++)
            sums[s] += load_wide(x + k + s * SUM_LANES) * load_wide(w + k + s * SUM_LANES);
    for (; k + SUM_LANES <= n; k += SUM_LANES)
        sums[0] += load_wide(x + k) * load_wide(w + k);
    const vsum all = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    double sum = 0, rest = 0;
    for (; k < n; k++)
        rest += (double)x[k] * w[k];
    for (int lane = 0; lane < SUM_LANES; lane++)
        sum += all[lane];
    return sum + rest;
}

INLINE double dot(const int kind, row x, const real *restrict w)
{
    if (kind == DENSE)
        return dense_dot(x.n, x.values, w);
    double sums[N_SUMS] = {0};
    size_t k = 0;
    for (; k + N_SUMS <= x.n; k += N_SUMS)
#pragma GCC unroll 4
        for (int s = 0; s < N_SUMS; s++)
            sums[s] += (double)x.values[k + s] * w[column_of(kind, x, k + s)];
    for (; k < x.n; k++)
        sums[0] += (double)x.values[k] * w[column_of(kind, x, k)];
    return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

/* -- changes of the weights ---------------------------------------------------------------------------------------- */

/* Every change of a weight by d takes scale_sum * d off its sum, so that scale_sum * weights + sums stays what it was:
 * the sum of all weight vectors until the last step. Steps that change nothing cost nothing. */
INLINE void add_row(const int kind, const fastnn_perceptron *u, row x, double step)
{
    real *restrict w = u->weights, *restrict sums = u->sums;
    if (sums)
        for (size_t k = 0; k < x.n; k++) {
            const size_t j = column_of(kind, x, k);
            const real before = w[j];
            w[j] = (real)(before + x.values[k] * step);
            sums[j] -= (real)(u->scale_sum * ((double)w[j] - before));
        }
    else
        for (size_t k = 0; k < x.n; k++) {
            const size_t j = column_of(kind, x, k);
            w[j] = (real)(w[j] + x.values[k] * step);
        }
}

/* The norms that the objective is made of, as scikit-learn has them: of the weights that the last change touched. */
INLINE void note_norms(const int kind, fastnn_perceptron *u, row x)
{
    const real *w = u->weights;
    double squares = 0, absolutes = 0;
    if (kind == DENSE && u->l1_given == NULL)
        squares = dense_dot(x.n, w, w);
    else
        for (size_t k = 0; k < x.n; k++) {
            const double weight = w[column_of(kind, x, k)];
            squares += weight * weight;
            absolutes += fabs(weight);
        }
    u->squares = squares * (u->scale * u->scale);
    u->absolutes = absolutes * u->scale;
}

/* The L1 penalty by truncated gradient (Tsuruoka, Tsujii and Ananiadou, 2009): each of the row's weights gets what has
 * fallen due since it was last touched, and stops at zero. */
INLINE void give_l1(const int kind, const fastnn_perceptron *u, row x)
{
    real *restrict w = u->weights, *restrict given = u->l1_given, *restrict sums = u->sums;
    for (size_t k = 0; k < x.n; k++) {
        const size_t j = column_of(kind, x, k);
        const double before = w[j];
        const double lower = before - (u->l1_due + given[j]) / u->scale;
        const double higher = before + (u->l1_due - given[j]) / u->scale;
        const double after = before > 0 ? (lower > 0 ? lower : 0) : before < 0 ? (higher < 0 ? higher : 0) : before;
        w[j] = (real)after;
        given[j] = (real)(given[j] + u->scale * ((double)w[j] - before));
        if (sums)
            sums[j] -= (real)(u->scale_sum * ((double)w[j] - before));
    }
}

INLINE void unscale(fastnn_perceptron *u, size_t n_features)
{
    real *restrict w = u->weights, *restrict sums = u->sums;
    if (sums)
        for (size_t j = 0; j < n_features; j++)
            sums[j] += (real)(u->scale_sum * w[j]);
    for (size_t j = 0; j < n_features; j++)
        w[j] *= (real)u->scale;
    u->scale = 1;
    u->scale_sum = 0;
}

void KERNEL(perceptron_unscale)(fastnn_perceptron *unit, size_t n_features) { unscale(unit, n_features); }

/* -- an epoch ------------------------------------------------------------------------------------------------------ */

/* Rows are visited out of order, which no CPU foresees. */
enum { CACHE_LINE = 64, AHEAD = 6, MOST_LINES = 32 };

INLINE void prefetch_bytes(const void *start, size_t n_bytes)
{
    const size_t lines = n_bytes / CACHE_LINE;
    for (size_t line = 0; line <= (lines < MOST_LINES ? lines : MOST_LINES); line++)
        __builtin_prefetch((const char *)start + line * CACHE_LINE);
}

INLINE void prefetch(const int kind, const fastnn_examples *X, size_t sample)
{
    const row x = row_of(kind, X, sample);
    prefetch_bytes(x.values, x.n * sizeof(real));
    if (kind != DENSE)
        prefetch_bytes(x.columns, x.n * (kind == SPARSE_32 ? sizeof(int32_t) : sizeof(int64_t)));
}

INLINE double decision(const int kind, const fastnn_perceptron *u, row x)
{
    return (real)(dot(kind, x, u->weights) * u->scale) + u->intercept;
}

/* Scales below this are folded into the weights: scikit-learn's bounds. */
static const real LEAST_SCALE = sizeof(real) == 8 ? (real)1e-9 : (real)1e-6;

/* What a step does but the decision: the row added if it is a mistake, and the penalties. */
INLINE void learn_row(const int kind, fastnn_perceptron *u, const fastnn_examples *X, size_t sample, row x)
{
    const int positive = X->classes[sample] == u->positive;
    const double y = positive ? 1 : -1, margin = y * decision(kind, u, x);
    double step = 0;
    u->finite += 0 * margin;
    if (margin <= 0) {
        const real weight = X->weights ? ((const real *)X->weights)[sample] : 1;
        step = y * u->eta * ((real)u->class_weights[positive] * weight);
        u->loss -= margin;
        u->n_mistakes += step != 0;
    }
    if (u->alpha >= 0)
        u->penalty += u->alpha * ((1 - u->l1_ratio) * 0.5 * u->squares + u->l1_ratio * u->absolutes);
    if (u->shrink != 1) {
        u->scale = (real)(u->scale * (real)u->shrink);
        u->squares *= u->shrink * u->shrink;
        u->absolutes *= u->shrink;
        if (u->scale < LEAST_SCALE)
            unscale(u, X->n_features);
    }
    if (step != 0) {
        add_row(kind, u, x, (real)step / (real)u->scale);
        if (u->alpha >= 0)
            note_norms(kind, u, x);
        u->intercept += step * u->intercept_rate;
    }
    if (u->l1_given) {
        u->l1_due += u->l1_ratio * u->eta * u->alpha;
        give_l1(kind, u, x);
    }
    if (u->sums && u->step >= u->average_from) {
        u->scale_sum += u->scale;
        u->intercept_sum += u->intercept;
        u->n_averaged++;
    }
    u->step++;
}

INLINE void learn(const int kind, fastnn_perceptron *unit, const fastnn_examples *X, const uint32_t *order,
                  size_t first, size_t last, size_t known)
{
    fastnn_perceptron u = *unit; /* for which the compiler need not fear that weights alias it */
    for (size_t i = first; i < last; i++) {
        if (order && i + 2 * AHEAD < known && kind != DENSE)
            __builtin_prefetch((const char *)X->starts + order[i + 2 * AHEAD] * (kind == SPARSE_32 ? 4 : 8));
        if (order && i + AHEAD < known) {
            prefetch(kind, X, order[i + AHEAD]);
            __builtin_prefetch(X->classes + order[i + AHEAD]);
        }
        const size_t sample = order ? order[i] : i;
        if (X->classes[sample] >= 0)
            learn_row(kind, &u, X, sample, row_of(kind, X, sample));
    }
    *unit = u;
}

INLINE void score(const int kind, fastnn_perceptron *unit, const fastnn_examples *X, size_t first, size_t last)
{
    for (size_t sample = first; sample < last; sample++) {
        const int32_t label = ~X->classes[sample];
        if (label < 0)
            continue;
        const double weight = X->weights ? ((const real *)X->weights)[sample] : 1;
        const double value = decision(kind, unit, row_of(kind, X, sample));
        unit->finite += 0 * value;
        unit->score += (value > 0) == (label == unit->positive) ? weight : 0;
    }
}

void KERNEL(perceptron_learn)(fastnn_perceptron *unit, const fastnn_examples *X, const uint32_t *order, size_t first,
                              size_t last, size_t known)
{
    if (!X->columns)
        learn(DENSE, unit, X, order, first, last, known);
    else if (!X->wide_indices)
        learn(SPARSE_32, unit, X, order, first, last, known);
    else
        learn(SPARSE_64, unit, X, order, first, last, known);
}

void KERNEL(perceptron_score)(fastnn_perceptron *unit, const fastnn_examples *X, size_t first, size_t last)
{
    if (!X->columns)
        score(DENSE, unit, X, first, last);
    else if (!X->wide_indices)
        score(SPARSE_32, unit, X, first, last);
    else
        score(SPARSE_64, unit, X, first, last);
}

int KERNEL(perceptron_is_finite)(const fastnn_perceptron *unit, size_t n_features)
{
    const real *w = unit->weights;
    real_bits n_others = 0;
    for (size_t j = 0; j < n_features; j++)
        n_others += !isfinite(w[j]);
    return n_others == 0 && isfinite(unit->intercept);
}
