/* The perceptron's epoch, row by row: what it says of a row, and if that is wrong, the row added to the weights.
 *
 * Scikit-learn's numbers, sum for sum: products are rounded to X's type and summed in double, and this file is compiled
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
VECTORS(4)
VECTORS(8)

INLINE vsum_2 widened_2(vreal_2 v) { return __builtin_convertvector(v, vsum_2); }
INLINE vsum_4 widened_4(vreal_4 v) { return __builtin_convertvector(v, vsum_4); }
INLINE vreal_2 narrowed_2(vsum_2 v) { return __builtin_convertvector(v, vreal_2); }
INLINE vreal_4 narrowed_4(vsum_4 v) { return __builtin_convertvector(v, vreal_4); }
/* GCC 12 converts vectors of 64 bytes by halves, which takes twice as long. */
#if FASTNN_VECTOR_BYTES == 64 && defined(__AVX512F__) && !defined(FASTNN_DOUBLE)
INLINE vsum_8 widened_8(vreal_8 v) { return (vsum_8)_mm512_cvtps_pd((__m256)v); }
INLINE vreal_8 narrowed_8(vsum_8 v) { return (vreal_8)_mm512_cvtpd_ps((__m512d)v); }
#else
INLINE vsum_8 widened_8(vreal_8 v) { return __builtin_convertvector(v, vsum_8); }
INLINE vreal_8 narrowed_8(vsum_8 v) { return __builtin_convertvector(v, vreal_8); }
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

/* The norms that the objective is made of, as scikit-learn has them: of the weights that the last change touched. */
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

/* The L1 penalty by truncated gradient (Tsuruoka, Tsujii and Ananiadou, 2009): each of the row's weights gets what has
 * fallen due since it was last touched, and stops at zero. */
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

/* -- an epoch ------------------------------------------------------------------------------------------------------ */

/* Rows are visited out of order, which no CPU foresees. */
enum { CACHE_LINE = 64, AHEAD = 6, MOST_LINES = 32 };

INLINE void prefetch_bytes(const void *start, size_t n_bytes)
{
    const size_t most = MOST_LINES * CACHE_LINE;
    for (size_t offset = 0; offset <= (n_bytes < most ? n_bytes : most); offset += CACHE_LINE)
        __builtin_prefetch((const char *)start + offset);
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

/* What a unit makes of a row before it learns from it. */
typedef struct {
    size_t sample;
    double margin; /* a mistake: <= 0 */
    int positive, held_out;
} verdict;

/* Whose example the next row is, no CPU foresees, so there is no branch on that. */
static const double signs[] = {-1, 1};

/* plain: neither penalty nor average, a constant once inlined. */
INLINE verdict judge(const int kind, const int plain, fastnn_perceptron *u, const fastnn_examples *X, size_t sample)
{
    const int32_t class = X->classes[sample];
    if (class < 0)
        return (verdict){.held_out = 1};
    const int positive = class == u->positive;
    const double product = dot(kind, row_of(kind, X, sample), u->weights);
    const double decision = (real)(plain ? product : product * u->scale) + u->intercept;
    u->finite += 0 * decision;
    return (verdict){sample, signs[positive] * decision, positive, 0};
}

INLINE void take_step(const int kind, const int plain, fastnn_perceptron *u, const fastnn_examples *X, verdict v)
{
    if (v.held_out)
        return;
    const row x = row_of(kind, X, v.sample);
    if (!plain && u->alpha >= 0)
        shrink(u, X->n_features);
    if (v.margin <= 0) {
        u->loss -= v.margin;
        const real given = X->weights ? ((const real *)X->weights)[v.sample] : 1;
        const double step = signs[v.positive] * u->eta * ((real)u->class_weights[v.positive] * given);
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

INLINE verdict visit(const int kind, const int plain, fastnn_perceptron *u, const fastnn_examples *X,
                     const fastnn_visits *visits, size_t i)
{
    if (visits->order)
        fetch_ahead(kind, X, visits->order, i, visits->known);
    return judge(kind, plain, u, X, visits->order ? visits->order[i] : i);
}

/* Units take turns, and each says what it makes of its next row as soon as it has learnt from the last. Which rows are
 * mistakes no CPU foresees either: by the time that it looks, the other units' rows later, the sum is there, and going
 * the wrong way costs less. */
INLINE void learn(const int kind, const int plain, const size_t n_units, const fastnn_visits *all_visits,
                  const fastnn_examples *examples, size_t n_rows)
{
    /* Copies, of which the compiler need not fear that weights alias them. */
    const fastnn_examples X = *examples;
    fastnn_visits visits[FASTNN_MOST_UNITS];
    fastnn_perceptron units[FASTNN_MOST_UNITS];
    verdict verdicts[FASTNN_MOST_UNITS];
    for (size_t k = 0; k < n_units; k++) {
        visits[k] = all_visits[k];
        units[k] = *visits[k].unit;
    }
    for (size_t i = 0; i <= n_rows; i++)
#pragma GCC unroll 4
        for (size_t k = 0; k < n_units; k++) {
            if (i > 0)
                take_step(kind, plain, &units[k], &X, verdicts[k]);
            if (i < n_rows)
                verdicts[k] = visit(kind, plain, &units[k], &X, &visits[k], visits[k].first + i);
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
