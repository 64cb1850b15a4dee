/* A batch's rows out of the caller's array: converted on the way, whatever its type, strides and alignment.
 *
 * This is why training from uint8 pixels or a memory map costs no second X. While a row is at hand, the columns in
 * which it holds anything are noted: those that are zero in the whole batch need no arithmetic (kernels.h).
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
#define SOURCE(name, type, convert) \
    INLINE void strided_row_##name(const char *row, ptrdiff_t stride, size_t n, real *out) \
    { \
        for (size_t j = 0; j < n; j++) { \
            type value; \
            memcpy(&value, row + (ptrdiff_t)j * stride, sizeof value); \
            out[j] = convert(value); \
        } \
    } \
    static void gather_row_##name(const char *row, ptrdiff_t stride, size_t n, real *out) \
    { \
        if (stride == sizeof(type)) \
            strided_row_##name(row, sizeof(type), n, out); \
        else \
            strided_row_##name(row, stride, n, out); \
    }
#include "sources.def"
#undef SOURCE

void KERNEL(gather)(const fastnn_samples *X, const intptr_t *rows, size_t n, void *out_matrix, size_t ldo,
                    void *seen_mask)
{
    static void (*const gather_row[FASTNN_N_SOURCES])(const char *, ptrdiff_t, size_t, real *) = {
#define SOURCE(name, type, convert) [FASTNN_##name] = gather_row_##name,
#include "sources.def"
#undef SOURCE
    };
    real_bits *seen = seen_mask;

    for (size_t i = 0; i < n; i++) {
        ptrdiff_t row = rows ? rows[i] : (ptrdiff_t)i;
        real *out = (real *)out_matrix + i * ldo;
        gather_row[X->type](X->data + row * X->row_stride, X->col_stride, X->n_features, out);
        for (size_t j = 0; seen && j < X->n_features; j++) {
            real_bits bits;
            memcpy(&bits, out + j, sizeof bits);
            seen[j] |= bits;
        }
    }
}

size_t KERNEL(active_columns)(size_t n_masks, size_t n_features, const void *masks, uint32_t *columns)
{
    size_t n_active = 0, n_idle = 0;
    for (size_t j = 0; j < n_features; j++) {
        real_bits seen = 0;
        for (size_t m = 0; m < n_masks; m++)
            seen |= ((const real_bits *)masks)[m * n_features + j];
        /* Both ends are written, one is counted: no branch to mispredict. Idle columns fill up from the back. */
        columns[n_active] = (uint32_t)j;
        columns[n_features - 1 - n_idle] = (uint32_t)j;
        n_active += seen != 0;
        n_idle += seen == 0;
    }
    return n_active;
}
