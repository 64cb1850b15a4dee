/* A batch's rows out of the caller's array: converted on the way, whatever its type, strides and alignment.
 *
 * This is why training from uint8 pixels or a memory map costs no second X.
 */
#include "table.h"

/* IEEE half to single, exactly: the exponent is rebiased by a multiplication, which also takes care of subnormals. */
INLINE real from_half(uint16_t half)
{
    uint32_t magnitude = (uint32_t)(half & 0x7fff) << 13;
    float x;
    memcpy(&x, &magnitude, sizeof x);
    x *= 0x1p112f;
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits |= magnitude >= (uint32_t)0x7c00 << 13 ? 0x7f800000 : 0; /* infinity, NaN */
    bits |= (uint32_t)(half & 0x8000) << 16;
    memcpy(&x, &bits, sizeof x);
    return (real)x;
}

/* One row, stride bytes from one element to the next. Inlined with the stride a constant it becomes vector code. */
#define SOURCE(name, type, convert)                                                        \
    INLINE void strided_row_##name(const char *row, ptrdiff_t stride, size_t n, real *out) \
    {                                                                                      \
        for (size_t j = 0; j < n; j++) {                                                   \
            type value;                                                                    \
            memcpy(&value, row + (ptrdiff_t)j * stride, sizeof value);                     \
            out[j] = convert(value);                                                       \
        }                                                                                  \
    }                                                                                      \
    static void gather_row_##name(const char *row, ptrdiff_t stride, size_t n, real *out)  \
    {                                                                                      \
        if (stride == sizeof(type))                                                        \
            strided_row_##name(row, sizeof(type), n, out);                                 \
        else                                                                               \
            strided_row_##name(row, stride, n, out);                                       \
    }
#include "sources.def"
#undef SOURCE

/* The k-th of some indices, of either width and any alignment. */
INLINE int64_t index_at(const void *indices, int wide, size_t k)
{
    int64_t index;
    int32_t narrow;
    if (wide)
        return memcpy(&index, (const char *)indices + k * sizeof index, sizeof index), index;
    return memcpy(&narrow, (const char *)indices + k * sizeof narrow, sizeof narrow), narrow;
}

/* A row of a sparse matrix, whose columns may be in any order, and twice: those add up. Whatever the indices are,
 * nothing beyond the arrays is touched: a negative one is, unsigned, too large. */
#define SOURCE(name, type, convert)                                                      \
    INLINE void scatter_##name(const fastnn_samples *X, int wide, size_t row, real *out) \
    {                                                                                    \
        size_t begin = (size_t)index_at(X->starts, wide, row);                           \
        size_t end = (size_t)index_at(X->starts, wide, row + 1);                         \
        for (size_t k = begin; k < end && end <= X->n_stored; k++) {                     \
            size_t column = (size_t)index_at(X->columns, wide, k);                       \
            type value;                                                                  \
            memcpy(&value, X->data + k * sizeof value, sizeof value);                    \
            if (column < X->n_features)                                                  \
                out[column] += convert(value);                                           \
        }                                                                                \
    }                                                                                    \
    static void gather_sparse_row_##name(const fastnn_samples *X, size_t row, real *out) \
    {                                                                                    \
        memset(out, 0, X->n_features * sizeof(real));                                    \
        if (X->wide_indices)                                                             \
            scatter_##name(X, 1, row, out);                                              \
        else                                                                             \
            scatter_##name(X, 0, row, out);                                              \
    }
#include "sources.def"
#undef SOURCE

void KERNEL(gather)(const fastnn_samples *X, const intptr_t *rows, size_t n, void *out_matrix, size_t ldo)
{
    static void (*const gather_row[FASTNN_N_SOURCES])(const char *, ptrdiff_t, size_t, real *) = {
#define SOURCE(name, type, convert) [FASTNN_##name] = gather_row_##name,
#include "sources.def"
#undef SOURCE
    };
    static void (*const gather_sparse_row[FASTNN_N_SOURCES])(const fastnn_samples *, size_t, real *) = {
#define SOURCE(name, type, convert) [FASTNN_##name] = gather_sparse_row_##name,
#include "sources.def"
#undef SOURCE
    };
    for (size_t i = 0; i < n; i++) {
        ptrdiff_t row = rows ? rows[i] : (ptrdiff_t)i;
        real *out = (real *)out_matrix + i * ldo;
        if (X->starts)
            gather_sparse_row[X->type](X, (size_t)row, out);
        else
            gather_row[X->type](X->data + row * X->row_stride, X->col_stride, X->n_features, out);
    }
}
