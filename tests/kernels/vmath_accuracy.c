/* How far vmath.h is from the truth, in units in the last place (ULP), over each function's whole range.
 *
 *   cc -O3 -ffp-contract=fast -mavx2 -mfma -DFASTNN_VECTOR_BYTES=32 -DFASTNN_TILE_ROWS=6 -DFASTNN_TILE_VECTORS=2 \
 *      -DFASTNN_LEVEL=avx2 [-DFASTNN_DOUBLE] -I src/fastnn/kernels tests/kernels/vmath_accuracy.c -lm
 *   ./a.out [arguments per function]
 *
 * Float arguments are bit patterns at even distances, 2^32 of them being all; double arguments are bit patterns at even
 * distances, and then as many again evenly over [-50, 50], where most of what happens happens. The truth is the C
 * library's, in the next wider type (on x86, where that is no wider than long double's 64 bits, good to 2^-11 ULP).
 *
 * Prints each function's worst error and where; returns 1 if one exceeds its bound or a special value is wrong.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "vmath.h"

#ifdef FASTNN_DOUBLE
typedef long double wide;
#define WIDE(function) function##l
#define STRICT_BOUND 4
#define DEFAULT_ARGUMENTS 200000
static const int MIN_EXPONENT = -1022, MAX_EXPONENT = 1023;
#else
typedef double wide;
#define WIDE(function) function
#define STRICT_BOUND 2
#define DEFAULT_ARGUMENTS 2000000
static const int MIN_EXPONENT = -126, MAX_EXPONENT = 127;
#endif
static const double LOOSE_BOUND = 4;
/* Of the lower tail's own size, which falls to the smallest number there is; beside 1 this is nothing. */
static const double TAIL_BOUND = sizeof(real) == 8 ? 9 : 6;

static wide true_exp(wide x) { return WIDE(exp)(x); }
static wide true_expm1(wide x) { return WIDE(expm1)(x); }
static wide true_log1p(wide x) { return WIDE(log1p)(x); }
static wide true_tanh(wide x) { return WIDE(tanh)(x); }
static wide true_logistic(wide x) { return 1 / (1 + WIDE(exp)(-x)); }

/* What the argument of exp or erfc loses by rounding, the result would lose many times over; so that is put back, by
 * the derivative. */
static wide true_normal_pdf(wide x)
{
    if (!(WIDE(fabs)(x) < 100))
        return isnan(x) ? x : 0;
    wide square = x * x, lost = WIDE(fma)(x, x, -square);
    return WIDE(exp)(-square / 2) * (1 - lost / 2) * (wide)0.398942280401432677939946059934381868L;
}

static wide true_normal_cdf(wide x)
{
    if (!(WIDE(fabs)(x) < 100))
        return isnan(x) ? x : x > 0;
    const wide root = (wide)0.707106781186547524400844362104849039L;
    const wide root_lost = WIDE(fma)(-root, root, (wide)0.5) / (2 * root);
    wide y = -x * root, lost = WIDE(fma)(-x, root, -y) - x * root_lost;
    return WIDE(erfc)(y) / 2 * (y > 1 ? 1 - 2 * y * lost : 1);
}

static const real INF = (real)INFINITY, NOT_A_NUMBER = (real)NAN;

typedef struct {
    const char *name;
    void (*compute)(const real *x, real *y); /* one vector */
    wide (*truth)(wide);
    double bound;
    real first, last;                         /* the domain */
    real at_minus_inf, at_minus_zero, at_inf; /* NaN: outside the domain */
} function_under_test;

/* The vector functions are always inline; with pointers, since passing a vector that is wider than the registers is a
 * matter on which compilers differ, and warn. */
#define BODY(name) \
    static void compute_##name(const real *x, real *y) { store(y, v_##name(load(x))); }
BODY(exp)
BODY(expm1)
BODY(log1p_unit)
BODY(tanh)
BODY(logistic)
BODY(normal_cdf)
BODY(normal_pdf)

/* The number of ULP between computed and truth; the ULP is that of the truth's binade, or of the subnormal numbers. */
static double ulp_error(real computed, wide truth)
{
    if (isnan(truth) || isnan(computed))
        return isnan(truth) && isnan(computed) ? 0 : INFINITY;
    wide top = WIDE(ldexp)(1, MAX_EXPONENT + 1); /* what overflows counts as this */
    wide got = isinf(computed) ? WIDE(copysign)(top, computed) : computed;
    if (WIDE(fabs)(truth) > top)
        truth = WIDE(copysign)(top, truth);
    int exponent = MIN_EXPONENT;
    if (truth != 0 && WIDE(ilogb)(truth) > MIN_EXPONENT)
        exponent = WIDE(ilogb)(truth) > MAX_EXPONENT ? MAX_EXPONENT : WIDE(ilogb)(truth);
    return (double)WIDE(ldexp)(WIDE(fabs)(got - truth), MANTISSA_BITS - exponent);
}

static real argument(uint64_t i, uint64_t n)
{
    real x;
#ifdef FASTNN_DOUBLE
    if (i % 2)
        return -50 + 100 * ((real)i / (real)n);
    uint64_t bits = i * (UINT64_MAX / n);
#else
    uint32_t bits = (uint32_t)(((unsigned __int128)i << 32) / n);
#endif
    memcpy(&x, &bits, sizeof x);
    return x;
}

static double worst_error(const function_under_test *f, uint64_t n, real *where)
{
    double worst = 0;
    *where = 0;
    for (uint64_t i = 0; i < n; i += LANES) {
        real x[LANES], y[LANES];
        for (int lane = 0; lane < LANES; lane++) {
            x[lane] = argument(i + (uint64_t)lane, n);
            if (x[lane] < f->first || x[lane] > f->last)
                x[lane] = f->last / (1 + (real)(i % 1000));
        }
        f->compute(x, y);
        for (int lane = 0; lane < LANES; lane++) {
            double error = ulp_error(y[lane], f->truth(x[lane]));
            if (error > worst) {
                worst = error;
                *where = x[lane];
            }
        }
    }
    return worst;
}

/* Equal, the sign of zero included, or both NaN. */
static int same(real a, real b) { return (isnan(a) && isnan(b)) || (a == b && !signbit(a) == !signbit(b)); }

static int special_values_wrong(const function_under_test *f)
{
    struct {
        real x, y;
    } cases[] = {
        {NOT_A_NUMBER, NOT_A_NUMBER},   {-NOT_A_NUMBER, NOT_A_NUMBER},
        {(real)-0.0, f->at_minus_zero}, {0, f->at_minus_zero == 0 ? 0 : f->at_minus_zero}, /* +0 where that is -0 */
        {-INF, f->at_minus_inf},        {INF, f->at_inf},
    };
    int wrong = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (isinf(cases[i].x) && f->last <= 1)
            continue;
        real x[LANES], y[LANES];
        store(x, broadcast(cases[i].x));
        f->compute(x, y);
        if (!same(y[LANES - 1], cases[i].y)) {
            printf("%s(%g) is %g, not %g\n", f->name, (double)cases[i].x, (double)y[LANES - 1], (double)cases[i].y);
            wrong = 1;
        }
    }
    return wrong;
}

#define FUNCTION(name, bound, first, last, ...) {#name, compute_##name, true_##name, bound, first, last, __VA_ARGS__}
#define true_log1p_unit true_log1p

int main(int n_strings, char **strings); /* which the build calls otherwise: see CMakeLists.txt */

int main(int n_strings, char **strings)
{
    uint64_t n = n_strings > 1 ? strtoull(strings[1], NULL, 10) : DEFAULT_ARGUMENTS;
    const real half_density = INV_SQRT_2PI;
    const function_under_test functions[] = {
        FUNCTION(exp, STRICT_BOUND, -INF, INF, 0, 1, INF),
        FUNCTION(tanh, STRICT_BOUND, -INF, INF, -1, (real)-0.0, 1),
        FUNCTION(logistic, STRICT_BOUND, -INF, INF, 0, (real)0.5, 1),
        FUNCTION(expm1, LOOSE_BOUND, -INF, INF, -1, (real)-0.0, INF),
        FUNCTION(log1p_unit, LOOSE_BOUND, 0, 1, 0, (real)-0.0, 0),
        FUNCTION(normal_cdf, TAIL_BOUND, -INF, INF, 0, (real)0.5, 1),
        FUNCTION(normal_pdf, LOOSE_BOUND, -INF, INF, 0, half_density, 0),
    };
    int failed = 0;
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        real where;
        double worst = worst_error(&functions[i], n, &where);
        int wrong = special_values_wrong(&functions[i]) || worst > functions[i].bound;
        printf("%-10s %6.3f ULP at %-13.9g%s\n", functions[i].name, worst, (double)where, wrong ? " FAILED" : "");
        failed |= wrong;
    }
    return failed;
}
