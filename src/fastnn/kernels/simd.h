/* One vector of one number type: the operations that every kernel is written in.
 *
 * A kernel source is compiled once per instruction set and number type. The build says which:
 *
 *   FASTNN_DOUBLE        defined for double, absent for float
 *   FASTNN_VECTOR_BYTES  16, 32 or 64
 *   FASTNN_TILE_ROWS     rows (broadcast operand) of the register tile
 *   FASTNN_TILE_VECTORS  vectors across the register tile
 *   FASTNN_LEVEL         the instruction set's name, as a bare word: avx2
 *
 * Everything is GCC's and Clang's vector extensions. The exceptions are what these have no form of, each an intrinsic
 * per vector width, below: the square root (GCC 12), and parts of vectors, by masks.
 */
#ifndef FASTNN_SIMD_H
#define FASTNN_SIMD_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#define INLINE static inline __attribute__((always_inline))

#ifdef FASTNN_DOUBLE
typedef double real;
typedef int64_t real_bits; /* as wide as real: masks, exponents */
#define FASTNN_DTYPE f64
#else
typedef float real;
typedef int32_t real_bits;
#define FASTNN_DTYPE f32
#endif

/* KERNEL(dense_forward) is dense_forward_avx2_f32: one symbol per (instruction set, number type). */
#define FASTNN_JOIN_(name, level, dtype) name##_##level##_##dtype
#define FASTNN_JOIN(name, level, dtype) FASTNN_JOIN_(name, level, dtype)
#define KERNEL(name) FASTNN_JOIN(name, FASTNN_LEVEL, FASTNN_DTYPE)

typedef real vreal __attribute__((vector_size(FASTNN_VECTOR_BYTES)));
typedef real_bits vbits __attribute__((vector_size(FASTNN_VECTOR_BYTES))); /* a comparison's type: -1 where it holds */

enum {
    LANES = FASTNN_VECTOR_BYTES / sizeof(real),
    TILE_ROWS = FASTNN_TILE_ROWS,
    TILE_VECTORS = FASTNN_TILE_VECTORS,
    TILE_COLS = TILE_VECTORS * LANES,
};

/* memcpy, so that no alignment is assumed: compilers make one unaligned move of it. */
INLINE vreal load(const real *p)
{
    vreal v;
    memcpy(&v, p, sizeof v);
    return v;
}

INLINE void store(real *p, vreal v) { memcpy(p, &v, sizeof v); }

/* x + 0 would turn -0 into +0, x - 0 does not. */
INLINE vreal broadcast(real x) { return x - (vreal){0}; }

INLINE vbits broadcast_bits(real_bits x) { return x - (vbits){0}; }

/* a where mask is -1, b where it is 0; NaN in either passes through untouched. (Not select(): POSIX has one, which
 * immintrin.h declares by way of stdlib.h.) */
INLINE vreal choose(vbits mask, vreal a, vreal b) { return (vreal)((mask & (vbits)a) | (~mask & (vbits)b)); }

/* -1 in the first n lanes, 0 in the others. */
INLINE vbits first_lanes(size_t n)
{
    vbits lane;
    for (int i = 0; i < LANES; i++)
        lane[i] = i;
    return lane < broadcast_bits((real_bits)n);
}

/* The first n < LANES numbers at p, and nothing beyond them; the other lanes are filled. By a mask where there is one:
 * rows of ten outputs are nothing but such parts, and by way of memory each took as long as its exponentials. */
INLINE vreal load_part(const real *p, size_t n, real fill)
{
#if defined(__AVX512F__) && FASTNN_VECTOR_BYTES == 64 && defined(FASTNN_DOUBLE)
    return (vreal)_mm512_mask_loadu_pd((__m512d)broadcast(fill), (__mmask8)((1u << n) - 1), p);
#elif defined(__AVX512F__) && FASTNN_VECTOR_BYTES == 64
    return (vreal)_mm512_mask_loadu_ps((__m512)broadcast(fill), (__mmask16)((1u << n) - 1), p);
#elif defined(__AVX__) && FASTNN_VECTOR_BYTES == 32 && defined(FASTNN_DOUBLE)
    return choose(first_lanes(n), (vreal)_mm256_maskload_pd(p, (__m256i)first_lanes(n)), broadcast(fill));
#elif defined(__AVX__) && FASTNN_VECTOR_BYTES == 32
    return choose(first_lanes(n), (vreal)_mm256_maskload_ps(p, (__m256i)first_lanes(n)), broadcast(fill));
#else
    real lanes[LANES];
    for (int i = 0; i < LANES; i++)
        lanes[i] = fill;
    memcpy(lanes, p, n * sizeof(real));
    return load(lanes);
#endif
}

INLINE void store_part(real *p, size_t n, vreal v)
{
#if defined(__AVX512F__) && FASTNN_VECTOR_BYTES == 64 && defined(FASTNN_DOUBLE)
    _mm512_mask_storeu_pd(p, (__mmask8)((1u << n) - 1), (__m512d)v);
#elif defined(__AVX512F__) && FASTNN_VECTOR_BYTES == 64
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), (__m512)v);
#elif defined(__AVX__) && FASTNN_VECTOR_BYTES == 32 && defined(FASTNN_DOUBLE)
    _mm256_maskstore_pd(p, (__m256i)first_lanes(n), (__m256d)v);
#elif defined(__AVX__) && FASTNN_VECTOR_BYTES == 32
    _mm256_maskstore_ps(p, (__m256i)first_lanes(n), (__m256)v);
#else
    memcpy(p, &v, n * sizeof(real));
#endif
}

/* The vector at column j of a row; lanes past the row's end are filled, with 0 if nothing else is said, and not stored.
 */
INLINE vreal load_row_filled(const real *row, size_t j, size_t cols, real fill)
{
    return j + LANES <= cols ? load(row + j) : load_part(row + j, cols - j, fill);
}

INLINE vreal load_row(const real *row, size_t j, size_t cols) { return load_row_filled(row, j, cols, 0); }

INLINE void store_row(real *row, size_t j, size_t cols, vreal v)
{
    if (j + LANES <= cols)
        store(row + j, v);
    else
        store_part(row + j, cols - j, v);
}

/* Bit i of the result says whether lane i of a comparison holds. */
INLINE uint32_t lanes_where(vbits mask)
{
#if defined(__AVX512DQ__) && FASTNN_VECTOR_BYTES == 64 && defined(FASTNN_DOUBLE)
    return _mm512_movepi64_mask((__m512i)mask);
#elif defined(__AVX512DQ__) && FASTNN_VECTOR_BYTES == 64
    return _mm512_movepi32_mask((__m512i)mask);
#elif defined(__AVX__) && FASTNN_VECTOR_BYTES == 32 && defined(FASTNN_DOUBLE)
    return (uint32_t)_mm256_movemask_pd((__m256d)mask);
#elif defined(__AVX__) && FASTNN_VECTOR_BYTES == 32
    return (uint32_t)_mm256_movemask_ps((__m256)mask);
#elif defined(__SSE2__) && FASTNN_VECTOR_BYTES == 16 && defined(FASTNN_DOUBLE)
    return (uint32_t)_mm_movemask_pd((__m128d)mask);
#elif defined(__SSE2__) && FASTNN_VECTOR_BYTES == 16
    return (uint32_t)_mm_movemask_ps((__m128)mask);
#else
    uint32_t lanes = 0;
    for (int i = 0; i < LANES; i++)
        lanes |= (uint32_t)(mask[i] & 1) << i;
    return lanes;
#endif
}

INLINE vreal absolute(vreal x) { return (vreal)((vbits)x & ~(vbits)broadcast((real)-0.0)); }

/* |magnitude| with the sign of `sign`. */
INLINE vreal copy_sign(vreal magnitude, vreal sign)
{
    vbits bit = (vbits)broadcast((real)-0.0);
    return (vreal)(((vbits)magnitude & ~bit) | ((vbits)sign & bit));
}

/* NaN in x comes out as NaN; NaN in bound does not matter, bounds being constants. */
INLINE vreal at_least(vreal x, vreal bound) { return choose(x < bound, bound, x); }
INLINE vreal at_most(vreal x, vreal bound) { return choose(x > bound, bound, x); }

INLINE vreal square_root(vreal x)
{
#if defined(FASTNN_DOUBLE)
#if defined(__AVX512F__) && FASTNN_VECTOR_BYTES == 64
    return (vreal)_mm512_sqrt_pd((__m512d)x);
#elif defined(__AVX__) && FASTNN_VECTOR_BYTES == 32
    return (vreal)_mm256_sqrt_pd((__m256d)x);
#elif defined(__SSE2__) && FASTNN_VECTOR_BYTES == 16
    return (vreal)_mm_sqrt_pd((__m128d)x);
#elif defined(__aarch64__) && FASTNN_VECTOR_BYTES == 16
    return (vreal)vsqrtq_f64((float64x2_t)x);
#else
    for (int i = 0; i < LANES; i++)
        x[i] = __builtin_sqrt(x[i]);
    return x;
#endif
#else
#if defined(__AVX512F__) && FASTNN_VECTOR_BYTES == 64
    return (vreal)_mm512_sqrt_ps((__m512)x);
#elif defined(__AVX__) && FASTNN_VECTOR_BYTES == 32
    return (vreal)_mm256_sqrt_ps((__m256)x);
#elif defined(__SSE2__) && FASTNN_VECTOR_BYTES == 16
    return (vreal)_mm_sqrt_ps((__m128)x);
#elif defined(__aarch64__) && FASTNN_VECTOR_BYTES == 16
    return (vreal)vsqrtq_f32((float32x4_t)x);
#else
    for (int i = 0; i < LANES; i++)
        x[i] = __builtin_sqrtf(x[i]);
    return x;
#endif
#endif
}

/* The lanes added in a fixed order: the same bits wherever it is called. */
INLINE real sum_lanes(vreal v)
{
    real sum = 0;
    for (int i = 0; i < LANES; i++)
        sum += v[i];
    return sum;
}

#endif
