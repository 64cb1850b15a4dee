/* Elementary functions of a vector.
 *
 * One source for float and double: they differ in the constants and polynomials at the top only. Nothing branches or
 * looks up a table. Polynomials are our own near-minimax fits (Remez exchange; Mills' quotient by reweighted least
 * squares; 50 digits and more), each with its largest error relative to the function it serves.
 *
 * tests/kernels/vmath_accuracy.c holds every function to its error. The worst found, in ULP, with and without fused
 * multiply-add (of the first four every float, save where they are trivial; else 2e8 floats, 2e7 doubles):
 *
 *               exp   tanh  logistic  expm1  log1p_unit  normal_cdf  normal_pdf
 *     float     0.97  1.75  1.82      1.27   1.26        5.03        1.96
 *     double    0.96  1.62  1.75      1.29   1.12        7.18        2.14
 *
 * Nothing here reads or changes the floating-point environment, and the order of operations is meant: it must not be
 * compiled with -ffast-math.
 */
#ifndef FASTNN_VMATH_H
#define FASTNN_VMATH_H

#include "simd.h"

/* As wide as real. Unsigned, since here bits are shifted out and sums wrap, which signed lanes may not. */
#ifdef FASTNN_DOUBLE
typedef uint64_t vunsigned __attribute__((vector_size(FASTNN_VECTOR_BYTES)));
#define MANTISSA_BITS 52
#define EXPONENT_BIAS 1023

#define LOG2_E 1.4426950408889634
#define INV_SQRT_2PI 0.3989422804014327
/* ln 2, first 40 bits and the rest: a whole number of up to 12 bits times the first part is exact. */
#define LN2_HI 0x1.62e42fefa2p-1
#define LN2_LO 7.371002565167799e-13

/* e^x: 0 below EXP_MIN, infinite from below EXP_MAX on. */
#define EXP_MIN (-746.0)
#define EXP_MAX 710.0
#define EXPM1_MIN (-38.0)    /* expm1(x) rounds to -1 from here on down */
#define TANH_MAX 20.0        /* tanh(x) rounds to 1 from here on up */
#define NORMAL_MAX 39.0      /* Phi(-x) rounds to 0 */
#define NORMAL_SPLIT_BITS 27 /* what is cut off a mantissa so that its square is exact */

/* (e^r - 1 - r) / r^2, |r| <= ln(2)/2: 2^-55.6 of expm1. */
static const real EXPM1_POLYNOMIAL[] = {
    0.5000000000000006,     0.1666666666666659,     0.041666666666575744,   0.008333333333387724,
    0.0013888888931916723,  0.00019841269724777972, 2.4801504828455415e-05, 2.7557400662273483e-06,
    2.7626222946955705e-07, 2.5056520686919004e-08,
};
/* (2 atanh(s) - 2s) / s^3 in s^2, |s| <= 1/3: 2^-59.4 of the logarithm. */
static const real LOG1P_POLYNOMIAL[] = {
    0.6666666666666631, 0.40000000000157243, 0.28571428547853767, 0.22222223969741245, 0.18181743924509786,
    0.15386559932739,   0.13300973452667259, 0.12106087338682538, 0.08340096705329163, 0.17018584258267752,
};
/* e^(t^2/2) Phi(-t), 0 <= t <= 39, as a quotient: 2^-54.1. All terms are positive, so no sum cancels. */
static const real MILLS_NUMERATOR[] = {
    0.5,
    0.7749284737848163,
    0.5941259060310977,
    0.2893899125004539,
    0.09772523590960085,
    0.0236303897125375,
    0.004091017658585996,
    0.0004906657615838211,
    3.7276920534719645e-05,
    1.3867260084326302e-06,
};
static const real MILLS_DENOMINATOR[] = {
    1.0,
    2.3477415083724877,
    2.5614785143489596,
    1.714634750505534,
    0.7822007102778316,
    0.25502860956117873,
    0.060455568076160905,
    0.010348099906885377,
    0.001233392678199676,
    9.343938300137714e-05,
    3.4760066219136703e-06,
};
#else
typedef uint32_t vunsigned __attribute__((vector_size(FASTNN_VECTOR_BYTES)));
#define MANTISSA_BITS 23
#define EXPONENT_BIAS 127

#define LOG2_E 1.4426950408889634f
#define INV_SQRT_2PI 0.3989422804014327f
/* ln 2, first 15 bits and the rest. */
#define LN2_HI 0x1.62e4p-1f
#define LN2_LO 1.4286068203094173e-06f

#define EXP_MIN (-105.0f)
#define EXP_MAX 89.0f
#define EXPM1_MIN (-18.0f)
#define TANH_MAX 10.0f
#define NORMAL_MAX 15.0f
#define NORMAL_SPLIT_BITS 12

/* 2^-26.2 */
static const real EXPM1_POLYNOMIAL[] = {
    4.9999997e-01f, 1.6666543e-01f, 4.1667186e-02f, 8.366607e-03f, 1.3883949e-03f,
};
/* 2^-27.7 */
static const real LOG1P_POLYNOMIAL[] = {
    6.666641e-01f,
    4.00217e-01f,
    2.7999142e-01f,
    2.802446e-01f,
};
/* 0 <= t <= 15: 2^-27.2 */
static const real MILLS_NUMERATOR[] = {
    5.0e-01f, 4.3934298e-01f, 1.8401419e-01f, 4.089656e-02f, 4.155581e-03f,
};
static const real MILLS_DENOMINATOR[] = {
    1.0e+00f, 1.6765709e+00f, 1.2057334e+00f, 4.7152779e-01f, 1.0251858e-01f, 1.0416385e-02f,
};
#endif

/* A number this large has no bits left for a fraction: x + ROUNDER - ROUNDER is x to the nearest whole number, and
 * x + ROUNDER holds that number in its low bits. */
#define ROUNDER ((real)(3ull << (MANTISSA_BITS - 1)))

#define POLYNOMIAL(x, coefficients) polynomial(x, coefficients, sizeof(coefficients) / sizeof(real))

/* coefficients[0] + coefficients[1] x + ..., the even and the odd powers apart: half as long a chain of dependent
 * operations as Horner's, and half as many roundings on the way to where the highest powers weigh most. */
INLINE vreal polynomial(vreal x, const real *coefficients, int n)
{
    vreal x2 = x * x;
    vreal sums[2] = {broadcast(coefficients[(n - 1) & ~1]), broadcast(coefficients[(n - 2) | 1])};
#ifndef __clang__ /* which unrolls this anyway, and does not know the pragma; GCC leaves more than 16 turns a loop */
#pragma GCC unroll 32
#endif
    for (int i = n - 3; i >= 0; i--)
        sums[i & 1] = sums[i & 1] * x2 + coefficients[i];
    return sums[0] + x * sums[1];
}

/* 2^n, n being what whole + bias adds up to in the low bits of the argument. */
INLINE vreal power_of_2(vunsigned biased) { return (vreal)(biased << MANTISSA_BITS); }

/* e^(x - tail) for x in [EXP_MIN, EXP_MAX] and a little beyond, or NaN; tail is small, to be 0 where x is exact.
 *
 * e^x = 2^n e^r, with n whole and |r| <= ln(2)/2. 2^n alone may be out of range though the result is not (or is a
 * subnormal number), hence its two halves: the first product is exact, and the second rounds once. The halves' sum
 * carries twice the bias. What the shift of power_of_2() pushes out on the left is ROUNDER itself.
 */
INLINE vreal exp_in_range(vreal x, vreal tail)
{
    const real rounder = ROUNDER + 2 * EXPONENT_BIAS;
    vreal shifted = x * LOG2_E + rounder;
    vreal n = shifted - rounder;
    vreal r_high = x - n * LN2_HI, r_low = -n * LN2_LO - tail, r = r_high + r_low;
    vreal power = 1 + (r_high + (r_low + r * r * POLYNOMIAL(r, EXPM1_POLYNOMIAL)));

    vunsigned sum = (vunsigned)shifted, half = sum >> 1;
    return power * power_of_2(half) * power_of_2(sum - half);
}

/* expm1(x) / 2 for x in [EXPM1_MIN, EXP_MAX] or NaN: 2^(n-1) expm1(r) + (2^(n-1) - 1/2). Half, since 2^(n-1) never
 * overflows, and since tanh needs the half. Zero comes out as +0, whatever its sign. */
INLINE vreal half_expm1_in_range(vreal x)
{
    const real rounder = ROUNDER + EXPONENT_BIAS - 1;
    vreal shifted = x * LOG2_E + rounder;
    vreal n = shifted - rounder;
    vreal r_high = x - n * LN2_HI, r_low = -n * LN2_LO, r = r_high + r_low;
    vreal small = r_low + r * r * POLYNOMIAL(r, EXPM1_POLYNOMIAL);

    vreal scale = power_of_2((vunsigned)shifted);
    return scale * small + (scale * r_high + (scale - (real)0.5));
}

INLINE vreal v_exp(vreal x)
{
    x = at_most(at_least(x, broadcast(EXP_MIN)), broadcast(EXP_MAX));
    return exp_in_range(x, (vreal){0});
}

/* e^x - 1, exact to its last bits near 0. */
INLINE vreal v_expm1(vreal x)
{
    vreal within = at_most(at_least(x, broadcast(EXPM1_MIN)), broadcast(EXP_MAX));
    return copy_sign(2 * half_expm1_in_range(within), x);
}

/* tanh|x| = h / (h + 1), where h = expm1(2|x|) / 2.
 *
 * Rounding h + 1 and then the quotient q costs up to 2.4 ULP in all, so one Newton step follows. Its exact factor would
 * be 1 / (h + 1) = 1 - q. The square of that does as well for small h, where the step matters, and keeps out the
 * rounding error of h - q for large h, where q has no need of it.
 */
INLINE vreal v_tanh(vreal x)
{
    vreal h = half_expm1_in_range(2 * at_most(absolute(x), broadcast(TANH_MAX)));
    vreal q = h / (h + 1), rest = 1 - q;
    return copy_sign(q + ((h - q) - q * h) * (rest * rest), x);
}

/* With e = e^-|x|, which cannot overflow, and q = e / (1 + e): 1 - q right of 0, q left of it. q is taken as e - e q,
 * which for small e is not touched by the rounding of 1 + e and of the quotient: 1.8 ULP in place of 2.4. */
INLINE vreal v_logistic(vreal x)
{
    vreal e = exp_in_range(-at_most(absolute(x), broadcast(-EXP_MIN)), (vreal){0});
    vreal q = e / (1 + e);
    return choose(x < 0, e - e * q, 1 - q);
}

/* log(1 + x) for x in [0, 1] or NaN: 2 atanh(s), where s = x / (2 + x), taken as x - s (x - s^2 P(s^2)): x is exact,
 * the rest a correction. */
INLINE vreal v_log1p_unit(vreal x)
{
    vreal s = x / (2 + x), s2 = s * s;
    return x - s * (x - s2 * POLYNOMIAL(s2, LOG1P_POLYNOMIAL));
}

/* e^(-x^2/2). The rounding error of x^2 would be an error of the exponent, so |x| is cut into a head, whose square is
 * exact, and a rest: x^2 = head^2 + (|x| - head) (|x| + head). */
INLINE vreal exp_minus_half_square(vreal magnitude)
{
    vbits kept = broadcast_bits(~(((real_bits)1 << NORMAL_SPLIT_BITS) - 1));
    vreal head = (vreal)((vbits)magnitude & kept);
    vreal tail = (real)0.5 * (magnitude - head) * (magnitude + head);
    return exp_in_range((real)-0.5 * head * head, tail);
}

/* phi(x), the standard normal density. */
INLINE vreal v_normal_pdf(vreal x)
{
    vreal magnitude = at_most(absolute(x), broadcast(NORMAL_MAX));
    return INV_SQRT_2PI * exp_minus_half_square(magnitude);
}

/* Phi(x), the standard normal distribution function, accurate in its left tail too: Phi(-t) = e^(-t^2/2) M(t), where
 * M is Mills' ratio but for a factor, and falls smoothly from 1/2 as 1 / t does. */
INLINE vreal v_normal_cdf(vreal x)
{
    vreal t = at_most(absolute(x), broadcast(NORMAL_MAX));
    vreal mills = POLYNOMIAL(t, MILLS_NUMERATOR) / POLYNOMIAL(t, MILLS_DENOMINATOR);
    vreal tail = exp_minus_half_square(t) * mills;
    return choose(x > 0, 1 - tail, tail);
}

#endif
