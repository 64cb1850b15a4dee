/* A batch's rows out of the caller's array, of any type, strides and alignment, converted on the way.
 *
 * So training from uint8 pixels or a memory map needs no copy of X. Rows of a sparse X stay sparse where the first
 * layer reads entries, and become dense elsewhere.
 */
#include "prefetch.h"
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

/* The n entries of a sparse row from `begin` on, each added to the number in its column. */
#define SOURCE(name, type, convert)                                                            \
    static void add_entries_##name(const fastnn_samples *X, size_t begin, size_t n, real *out) \
    {                                                                                          \
        for (size_t k = begin; k < begin + n; k++) {                                           \
            size_t column = (size_t)index_at(X->columns, X->wide_indices, k);                  \
            type value;                                                                        \
            memcpy(&value, X->data + k * sizeof value, sizeof value);                          \
            if (column < X->n_features)                                                        \
                out[column] += convert(value);                                                 \
        }                                                                                      \
    }
#include "sources.def"
#undef SOURCE

static void (*const gather_row[FASTNN_N_SOURCES])(const char *, ptrdiff_t, size_t, real *) = {
#define SOURCE(name, type, convert) [FASTNN_##name] = gather_row_##name,
#include "sources.def"
#undef SOURCE
};

static void (*const add_entries[FASTNN_N_SOURCES])(const fastnn_samples *, size_t, size_t, real *) = {
#define SOURCE(name, type, convert) [FASTNN_##name] = add_entries_##name,
#include "sources.def"
#undef SOURCE
};

static const size_t source_size[FASTNN_N_SOURCES] = {
#define SOURCE(name, type, convert) [FASTNN_##name] = sizeof(type),
#include "sources.def"
#undef SOURCE
};

/* How many entries a row of a sparse matrix has, from *begin on. Whatever the starts are, no address beyond the arrays
 * is formed: a negative start is too large as an unsigned number, and a row that leads out of the arrays is empty. */
INLINE size_t stored_row(const fastnn_samples *X, size_t row, size_t *begin)
{
    size_t start = (size_t)index_at(X->starts, X->wide_indices, row);
    size_t end = (size_t)index_at(X->starts, X->wide_indices, row + 1);
    int there = start <= end && end <= X->n_stored;
    *begin = there ? start : 0;
    return there ? end - start : 0;
}

/* Rows are prefetched so many before they are read, and so many bytes of each. Those of 10 and of 50 numbers otherwise
 * took an eighth of a small network's step. */
enum { ROWS_AHEAD = 16, MOST_AHEAD = 512 };

void KERNEL(gather)(const fastnn_samples *X, const intptr_t *rows, size_t n, void *out, size_t ldo)
{
    const size_t row_bytes = X->n_features * source_size[X->type];
    for (size_t i = 0; i < n; i++) {
        ptrdiff_t row = rows ? rows[i] : (ptrdiff_t)i;
        if (rows && !X->starts && i + ROWS_AHEAD < n)
            prefetch_bytes(X->data + rows[i + ROWS_AHEAD] * X->row_stride, row_bytes, MOST_AHEAD);
        real *to = (real *)out + i * ldo;
        if (X->starts) {
            size_t begin, n_entries = stored_row(X, (size_t)row, &begin);
            memset(to, 0, X->n_features * sizeof *to);
            add_entries[X->type](X, begin, n_entries, to);
        } else
            gather_row[X->type](X->data + row * X->row_stride, X->col_stride, X->n_features, to);
        if (X->rescaling) /* while the row is in the cache */
            KERNEL(rescale)(1, X->n_features, X->rescaling, to, X->n_features, to, X->n_features);
    }
}

void KERNEL(gather_entries)(const fastnn_samples *X, const intptr_t *rows, size_t first, size_t last,
                            const fastnn_entries *out)
{
    const size_t size = source_size[X->type];
    size_t begin, at = 0;
    real *values = out->values;
    if (first == 0)
        out->starts[0] = 0;
    for (size_t i = 0; i < last; i++) {
        size_t n = stored_row(X, rows ? (size_t)rows[i] : i, &begin);
        if (n > out->capacity - at)
            n = out->capacity - at;
        if (i >= first) {
            gather_row[X->type](X->data + begin * size, (ptrdiff_t)size, n, values + at);
            if (X->rescaling)
                KERNEL(rescale)(1, n, X->rescaling, values + at, n, values + at, n);
            for (size_t k = 0; k < n; k++) {
                size_t column = (size_t)index_at(X->columns, X->wide_indices, begin + k);
                int there = column < X->n_features;
                out->columns[at + k] = there ? (uint32_t)column : 0;
                out->rows[at + k] = (uint32_t)i;
                if (!there)
                    values[at + k] = 0;
            }
            out->starts[i + 1] = at + n;
        }
        at += n;
    }
}

/* From the last one back, so that a column's entries ascend and their sum is the dense one's, to the bit. */
void KERNEL(link_entries)(const fastnn_entries *entries, size_t n_rows, size_t first, size_t last)
{
    memset(entries->heads + first, 0xff, (last - first) * sizeof *entries->heads); /* FASTNN_NO_ENTRY */
    for (size_t k = entries->starts[n_rows]; k-- > 0;) {
        uint32_t column = entries->columns[k];
        if (column >= first && column < last) {
            entries->next[k] = entries->heads[column];
            entries->heads[column] = (uint32_t)k;
        }
    }
}
