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

void KERNEL(gather)(const fastnn_samples *X, const intptr_t *rows, size_t n, void *out_matrix, size_t ldo)
{
    static void (*const gather_row[FASTNN_N_SOURCES])(const char *, ptrdiff_t, size_t, real *) = {
#define SOURCE(name, type, convert) [FASTNN_##name] = gather_row_##name,
#include "sources.def"
#undef SOURCE
    };
    for (size_t i = 0; i < n; i++) {
        ptrdiff_t row = rows ? rows[i] : (ptrdiff_t)i;
        gather_row[X->type](X->data + row * X->row_stride, X->col_stride, X->n_features, (real *)out_matrix + i * ldo);
    }
}
