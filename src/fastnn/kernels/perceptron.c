/* The perceptron's epoch, row by row: what it says of a row, and if that is wrong, the row added to the weights.
 *
 * Scikit-learn's numbers, sum for sum: rows are multiplied in double whatever their type, and this file is compiled
 * without fused multiply-adds. w + c x and then w - c x must leave w as it was, or a sum that is zero there is not
 * zero here, and whether a row counts as a mistake hangs on that.
 */
#include "table.h"

#include <float.h>
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

typedef real vnarrow __attribute__((vector_size(SUM_LANES * sizeof(real))));

INLINE vsum load_wide(const real *p)
{
    vnarrow v;
    memcpy(&v, p, sizeof v);
    return __builtin_convertvector(v, vsum);
}

INLINE vsum load_sum(const double *p)
{
    vsum v;
    memcpy(&v, p, sizeof v);
    return v;
}

INLINE vsum rounded(vsum v) { return __builtin_convertvector(__builtin_convertvector(v, vnarrow), vsum); }

/* By halves, not one lane after the other: a mistake that was not foreseen costs the time that its sum takes. */
INLINE double sum_of(vsum v)
{
    typedef double vsum_2 __attribute__((vector_size(16)));
#if FASTNN_VECTOR_BYTES == 16
    const vsum_2 two = v;
#else
    typedef double vsum_4 __attribute__((vector_size(32)));
#if FASTNN_VECTOR_BYTES == 64
    const vsum_4 four = __builtin_shufflevector(v, v, 0, 1, 2, 3) + __builtin_shufflevector(v, v, 4, 5, 6, 7);
#else
    const vsum_4 four = v;
#endif
    const vsum_2 two = __builtin_shufflevector(four, four, 0, 1) + __builtin_shufflevector(four, four, 2, 3);
#endif
    return two[0] + two[1];
}

/* In a loop over fewer numbers than a vector has, which is to stay one: what was stored one by one is slow to load as a
 * vector soon after, so sums and changes of the weights must be divided alike. */
#define NO_VECTORS __asm__ volatile("")

INLINE double dense_dot(size_t n, const real *restrict x, const double *restrict w)
{
    vsum sums[N_SUMS] = {{0}};
    double rest = 0;
    size_t k = 0;
    for (; k + N_SUMS * SUM_LANES <= n; k += N_SUMS * SUM_LANES)
#pragma GCC unroll 4
        for (int s = 0; s < N_SUMS; s++)
            sums[s] += load_wide(x + k + s * SUM_LANES) * load_sum(w + k + s * SUM_LANES);
    for (; k + SUM_LANES <= n; k += SUM_LANES)
        sums[0] += load_wide(x + k) * load_sum(w + k);
    for (; k < n; k++) {
        NO_VECTORS;
        rest += (double)x[k] * w[k];
    }
    return sum_of((sums[0] + sums[1]) + (sums[2] + sums[3])) + rest;
}

INLINE double dot(const int kind, row x, const double *restrict w)
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

INLINE void dense_add(size_t n, const real *restrict x, double step, double *restrict w)
{
    const vsum steps = step - (vsum){0};
    size_t k = 0;
    for (; k + SUM_LANES <= n; k += SUM_LANES) {
        const vsum sum = rounded(load_sum(w + k) + load_wide(x + k) * steps);
        memcpy(w + k, &sum, sizeof sum);
    }
    for (; k < n; k++) {
        NO_VECTORS;
        w[k] = (real)(w[k] + x[k] * step);
    }
}

/* Every change of a weight by d takes scale_sum * d off its sum, so that scale_sum * weights + sums stays what it was:
 * the sum of all weight vectors until the last step. Steps that change nothing cost nothing. */
INLINE void add_row(const int kind, const fastnn_perceptron *u, row x, double step)
{
    double *restrict w = u->weights, *restrict sums = u->sums;
    if (sums)
        for (size_t k = 0; k < x.n; k++) {
            const size_t j = column_of(kind, x, k);
            const double before = w[j];
            w[j] = (real)(before + x.values[k] * step);
            sums[j] -= u->scale_sum * (w[j] - before);
        }
    else if (kind == DENSE)
        dense_add(x.n, x.values, step, w);
    else
        for (size_t k = 0; k < x.n; k++) {
            const size_t j = column_of(kind, x, k);
            w[j] = (real)(w[j] + x.values[k] * step);
        }
}

/* The norms that the objective is made of, as scikit-learn has them: of the weights that the last change touched. */
INLINE void note_norms(const int kind, fastnn_perceptron *u, row x)
{
    double squares = 0, absolutes = 0;
    for (size_t k = 0; k < x.n; k++) {
        const double weight = u->weights[column_of(kind, x, k)];
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
    double *restrict w = u->weights, *restrict given = u->l1_given, *restrict sums = u->sums;
    for (size_t k = 0; k < x.n; k++) {
        const size_t j = column_of(kind, x, k);
        const double before = w[j];
        const double lower = before - (u->l1_due + given[j]) / u->scale;
        const double higher = before + (u->l1_due - given[j]) / u->scale;
        const double after = before > 0 ? (lower > 0 ? lower : 0) : before < 0 ? (higher < 0 ? higher : 0) : before;
        w[j] = (real)after;
        given[j] = (real)(given[j] + u->scale * (w[j] - before));
        if (sums)
            sums[j] -= u->scale_sum * (w[j] - before);
    }
}

/* Makes scale 1 and scale_sum 0. */
INLINE void unscale(fastnn_perceptron *u, size_t n_features)
{
    double *restrict w = u->weights, *restrict sums = u->sums;
    if (sums)
        for (size_t j = 0; j < n_features; j++)
            sums[j] += u->scale_sum * w[j];
    for (size_t j = 0; j < n_features; j++)
        w[j] = (real)(w[j] * u->scale);
    u->scale = 1;
    u->scale_sum = 0;
}

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
    __builtin_prefetch(X->classes + sample);
}

/* Scales below these are folded into the weights: scikit-learn's bounds; and ours for averages, which lose the digits
 * that the scale has lost. */
static const double LEAST_SCALE = sizeof(real) == 8 ? 1e-9 : (real)1e-6, LEAST_AVERAGED_SCALE = 1e-3;

/* What is done in each step beside the decision and the row added: nothing, for most. */
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

/* plain: neither penalty nor average, a constant once inlined. */
INLINE void learn_row(const int kind, const int plain, fastnn_perceptron *u, const fastnn_examples *X, size_t sample,
                      row x)
{
    const int positive = X->classes[sample] == u->positive;
    const real weight = (real)u->class_weights[positive] * (X->weights ? ((const real *)X->weights)[sample] : 1);
    const double step = (positive ? u->eta : -u->eta) * weight; /* ready before it is known whether it is taken */
    const double product = dot(kind, x, u->weights);
    const double decision = (real)(plain ? product : product * u->scale) + u->intercept;
    const double margin = positive ? decision : -decision;
    u->finite += 0 * decision;
    if (!plain && u->alpha >= 0)
        shrink(u, X->n_features);
    if (margin <= 0) {
        u->loss -= margin;
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

INLINE void learn(const int kind, const int plain, fastnn_perceptron *unit, const fastnn_examples *X,
                  const uint32_t *order, size_t first, size_t last, size_t known)
{
    fastnn_perceptron u = *unit; /* for which the compiler need not fear that weights alias it */
    for (size_t i = first; i < last; i++) {
        if (kind != DENSE && order && i + 2 * AHEAD < known)
            __builtin_prefetch((const char *)X->starts + (size_t)order[i + 2 * AHEAD] * (kind == SPARSE_32 ? 4 : 8));
        if (order && i + AHEAD < known)
            prefetch(kind, X, order[i + AHEAD]);
        const size_t sample = order ? order[i] : i;
        if (X->classes[sample] >= 0)
            learn_row(kind, plain, &u, X, sample, row_of(kind, X, sample));
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

void KERNEL(perceptron_learn)(fastnn_perceptron *unit, const fastnn_examples *X, const uint32_t *order, size_t first,
                              size_t last, size_t known)
{
    if (unit->alpha < 0 && !unit->sums) {
        WITH_CONSTANT_KIND(X, learn, 1, unit, X, order, first, last, known)
    } else {
        WITH_CONSTANT_KIND(X, learn, 0, unit, X, order, first, last, known)
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
        n_others += !(fabs(unit->weights[j]) <= most);
    return n_others == 0 && isfinite(unit->intercept);
}

/* -- from and to the estimator's arrays ---------------------------------------------------------------------------- */

void KERNEL(perceptron_begin)(fastnn_perceptron *unit, size_t n_features, const void *coef, const void *means)
{
    unit->squares = unit->absolutes = 0;
    for (size_t j = 0; j < n_features; j++) {
        const double weight = unit->weights[j] = ((const real *)coef)[j];
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
        ((real *)coef)[j] = (real)unit->weights[j];
    if (unit->sums && unit->n_averaged)
        for (size_t j = 0; j < n_features; j++)
            ((real *)means)[j] = (real)(unit->sums[j] / (double)unit->n_averaged);
}
