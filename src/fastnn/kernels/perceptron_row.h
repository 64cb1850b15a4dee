/* A row of X and a unit's weights: their product, and the row added to the weights. For dense and for sparse rows.
 *
 * Sums are rounded as scikit-learn rounds them: products are rounded to X's type and summed in double, and perceptron.c
 * is compiled without fused multiply-adds. Adding c x to w and then subtracting it must leave w as it was: else a sum
 * that is 0 in scikit-learn is not 0 here, and whether a row is a mistake depends on that.
 */
#ifndef FASTNN_PERCEPTRON_ROW_H
#define FASTNN_PERCEPTRON_ROW_H

#include "kernels.h"
#include "simd.h"

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

/* Numbers of the type, products among them, and those widened to double, in which they are summed. */
#define VECTORS(lanes)                                                                  \
    typedef real vreal_##lanes __attribute__((vector_size((lanes) * sizeof(real))));    \
    typedef double vsum_##lanes __attribute__((vector_size((lanes) * sizeof(double)))); \
    INLINE vreal_##lanes load_##lanes(const real *p)                                    \
    {                                                                                   \
        vreal_##lanes v;                                                                \
        memcpy(&v, p, sizeof v);                                                        \
        return v;                                                                       \
    }

VECTORS(2)
INLINE vsum_2 widened_2(vreal_2 v) { return __builtin_convertvector(v, vsum_2); }
INLINE vreal_2 narrowed_2(vsum_2 v) { return __builtin_convertvector(v, vreal_2); }

#if FASTNN_VECTOR_BYTES >= 32
VECTORS(4)
INLINE vsum_4 widened_4(vreal_4 v) { return __builtin_convertvector(v, vsum_4); }
INLINE vreal_4 narrowed_4(vsum_4 v) { return __builtin_convertvector(v, vreal_4); }
#endif

#if FASTNN_VECTOR_BYTES == 64
VECTORS(8)
#if defined(__AVX512F__) && !defined(FASTNN_DOUBLE)
/* GCC 12 converts vectors of 64 bytes by halves, which takes twice as long. */
INLINE vsum_8 widened_8(vreal_8 v) { return (vsum_8)_mm512_cvtps_pd((__m256)v); }
INLINE vreal_8 narrowed_8(vsum_8 v) { return (vreal_8)_mm512_cvtpd_ps((__m512d)v); }
#else
INLINE vsum_8 widened_8(vreal_8 v) { return __builtin_convertvector(v, vsum_8); }
INLINE vreal_8 narrowed_8(vsum_8 v) { return __builtin_convertvector(v, vreal_8); }
#endif
#endif

enum { SUM_LANES = FASTNN_VECTOR_BYTES / sizeof(double), N_SUMS = 4 };

#if FASTNN_VECTOR_BYTES == 64
typedef vsum_8 vsum;
#define PRODUCT(x, w) widened_8(load_8(x) * load_8(w))
#elif FASTNN_VECTOR_BYTES == 32
typedef vsum_4 vsum;
#define PRODUCT(x, w) widened_4(load_4(x) * load_4(w))
#else
typedef vsum_2 vsum;
#define PRODUCT(x, w) widened_2(load_2(x) * load_2(w))
#endif

INLINE double dense_dot(size_t n, const real *restrict x, const real *restrict w)
{
    vsum sums[N_SUMS] = {{0}};
    size_t k = 0;
    for (; k + N_SUMS * SUM_LANES <= n; k += N_SUMS * SUM_LANES)
#pragma GCC unroll 4
        for (int s = 0; s < N_SUMS; s++)
            sums[s] += PRODUCT(x + k + s * SUM_LANES, w + k + s * SUM_LANES);
    if (n & (2 * SUM_LANES)) {
        sums[0] += PRODUCT(x + k, w + k);
        sums[1] += PRODUCT(x + k + SUM_LANES, w + k + SUM_LANES);
        k += 2 * SUM_LANES;
    }
    if (n & SUM_LANES) {
        sums[2] += PRODUCT(x + k, w + k);
        k += SUM_LANES;
    }
    const vsum sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
#if FASTNN_VECTOR_BYTES == 64
    vsum_4 four = __builtin_shufflevector(sum, sum, 0, 1, 2, 3) + __builtin_shufflevector(sum, sum, 4, 5, 6, 7);
    if (n & 4) {
        four += widened_4(load_4(x + k) * load_4(w + k));
        k += 4;
    }
#elif FASTNN_VECTOR_BYTES == 32
    const vsum_4 four = sum;
#endif
#if FASTNN_VECTOR_BYTES >= 32
    vsum_2 two = __builtin_shufflevector(four, four, 0, 1) + __builtin_shufflevector(four, four, 2, 3);
    if (n & 2) {
        two += widened_2(load_2(x + k) * load_2(w + k));
        k += 2;
    }
#else
    const vsum_2 two = sum;
#endif
    return (two[0] + two[1]) + (n & 1 ? x[k] * w[k] : 0);
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
            sums[s] += x.values[k + s] * w[column_of(kind, x, k + s)];
    for (; k < x.n; k++)
        sums[0] += x.values[k] * w[column_of(kind, x, k)];
    return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

/* -- changes of the weights ---------------------------------------------------------------------------------------- */

/* Divided as dense_dot() divides them: what was stored in parts is slow to load as one vector soon after. */
#define ADD_PART(lanes)                                                                                               \
    {                                                                                                                 \
        const vreal_##lanes before = load_##lanes(w + k), values = load_##lanes(x + k);                               \
        const vreal_##lanes after = exact                                                                             \
                                        ? before + values * (real)step                                                \
                                        : narrowed_##lanes(widened_##lanes(before) + widened_##lanes(values) * step); \
        memcpy(w + k, &after, sizeof after);                                                                          \
        k += lanes;                                                                                                   \
    }

/* exact: x * step is a number of the type too, and a sum rounded to double and then to float is no other than one
 * rounded to float, double having more than twice float's digits. */
INLINE void add_parts(const int exact, size_t n, const real *restrict x, double step, real *restrict w)
{
    size_t k = 0;
#if FASTNN_VECTOR_BYTES == 64
    while (k + 8 <= n)
        ADD_PART(8)
    if (n & 4)
        ADD_PART(4)
    if (n & 2)
        ADD_PART(2)
#elif FASTNN_VECTOR_BYTES == 32
    while (k + 4 <= n)
        ADD_PART(4)
    if (n & 2)
        ADD_PART(2)
#else
    while (k + 2 <= n)
        ADD_PART(2)
#endif
    if (n & 1)
        w[k] = (real)(w[k] + x[k] * step);
}

INLINE void dense_add(size_t n, const real *restrict x, double step, real *restrict w)
{
    if (sizeof(real) == sizeof(double) || step == 1 || step == -1)
        add_parts(1, n, x, step, w);
    else
        add_parts(0, n, x, step, w);
}

/* Every change of a weight by d takes scale_sum * d off its sum, so that scale_sum * weights + sums stays what it was:
 * the sum of all weight vectors until the last step. Steps that change nothing cost nothing. */
INLINE void add_row(const int kind, const fastnn_perceptron *u, row x, double step)
{
    real *restrict w = u->weights;
    double *restrict sums = u->sums;
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

/* The norms in the objective. As in scikit-learn, they are those of the weights that the last step has changed. */
INLINE void note_norms(const int kind, fastnn_perceptron *u, row x)
{
    double squares = 0, absolutes = 0;
    for (size_t k = 0; k < x.n; k++) {
        const double weight = ((const real *)u->weights)[column_of(kind, x, k)];
        squares += weight * weight;
        absolutes += fabs(weight);
    }
    u->squares = squares * (u->scale * u->scale);
    u->absolutes = absolutes * u->scale;
}

/* The L1 penalty by truncated gradient (Tsuruoka, Tsujii and Ananiadou, 2009): each of the row's weights gets the
 * penalty that has become due since it last got any, and stops at zero. */
INLINE void give_l1(const int kind, const fastnn_perceptron *u, row x)
{
    real *restrict w = u->weights;
    double *restrict given = u->l1_given, *restrict sums = u->sums;
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
    real *restrict w = u->weights;
    double *restrict sums = u->sums;
    if (sums)
        for (size_t j = 0; j < n_features; j++)
            sums[j] += u->scale_sum * w[j];
    for (size_t j = 0; j < n_features; j++)
        w[j] = (real)(w[j] * u->scale);
    u->scale = 1;
    u->scale_sum = 0;
}

#endif
