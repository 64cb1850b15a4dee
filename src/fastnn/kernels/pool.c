/* The largest numbers and the means of windows over a map, and the error carried back to it.
 *
 * Back, each position of the map takes what its windows have for it: a gather. So no position is zeroed first, and a
 * sum over windows that overlap is in their order.
 */
#include "table.h"

/* Numbers first ... last - 1 of rows or columns, or of windows. */
typedef struct {
    size_t first, last;
} span;

/* The positions of a window within the map, along one of its sides. */
INLINE span positions_of(size_t window, size_t stride, size_t pad, size_t pool, size_t n)
{
    const size_t begin = window * stride, end = begin + pool - pad;
    return (span){begin > pad ? begin - pad : 0, end < n ? end : n};
}

/* The windows that have a position, along one side: *windows had the position before, or is {0, 0}. */
INLINE void move_to(span *windows, size_t position, size_t stride, size_t pad, size_t pool, size_t n_windows)
{
    while (windows->last < n_windows && windows->last * stride <= position + pad)
        windows->last++;
    while (windows->first < windows->last && windows->first * stride + pool <= position + pad)
        windows->first++;
}

INLINE vreal load_n(const real *p, size_t n) { return n >= LANES ? load(p) : load_part(p, n, 0); }

INLINE void store_n(real *p, size_t n, vreal v)
{
    if (n >= LANES)
        store(p, v);
    else
        store_part(p, n, v);
}

/* Calls f(n, column, ...) for each vector of a position's channels; n is LANES, a constant, for all but the last. */
#define FOR_EACH_VECTOR(channels, f, ...)                       \
    do {                                                        \
        size_t column_ = 0;                                     \
        for (; column_ + LANES <= (channels); column_ += LANES) \
            f(LANES, column_, __VA_ARGS__);                     \
        if (column_ < (channels))                               \
            f((channels) - column_, column_, __VA_ARGS__);      \
    } while (0)

/* -- forward ------------------------------------------------------------------------------------------------------- */

/* What of a window is within the map, and where its result goes. */
typedef struct {
    const real *x;
    size_t stride, ld;
    real *out;
    real_bits *picks;
    real_bits number; /* of the first position, in the whole window */
    size_t pool_cols;
} window;

INLINE void largest(size_t n, size_t column, const size_t rows, const size_t cols, const window *w)
{
    vreal best = load_n(w->x + column, n);
    vbits pick = broadcast_bits(w->number);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = i == 0; j < cols; j++) {
            const vreal x = load_n(w->x + i * w->stride + j * w->ld + column, n);
            const vbits larger = (x > best) | (x != x);
            best = choose(larger, x, best);
            if (w->picks)
                pick = (larger & broadcast_bits(w->number + (real_bits)(i * w->pool_cols + j))) | (~larger & pick);
        }
    store_n(w->out + column, n, best);
    if (w->picks)
        store_n((real *)w->picks + column, n, (vreal)pick);
}

/* Sums of so many numbers are added up, so that the mean of a long sequence is not all rounding. */
enum { RUN = 32 };

INLINE void mean(size_t n, size_t column, const size_t rows, const size_t cols, const window *w)
{
    vreal sum = {0};
    for (size_t i = 0; i < rows; i++)
        for (size_t first = 0; first < cols; first += RUN) {
            const size_t last = cols - first < RUN ? cols : first + RUN;
            vreal part = {0};
            for (size_t j = first; j < last; j++)
                part += load_n(w->x + i * w->stride + j * w->ld + column, n);
            sum += part;
        }
    store_n(w->out + column, n, sum * (1 / (real)(rows * cols)));
}

typedef void of_window(size_t, size_t, size_t, size_t, const window *);

INLINE void pool_forward(of_window *f, const fastnn_windows *windows, size_t first, size_t last, const real *x,
                         size_t x_row, size_t x_stride, size_t ldx, real *out, size_t out_stride, size_t ldo,
                         real_bits *picks)
{
    for (size_t i = first; i < last; i++) {
        const span rows = positions_of(i, windows->stride_rows, windows->pad_rows, windows->pool_rows, windows->rows);
        for (size_t j = 0; j < windows->out_cols; j++) {
            const span cols =
                positions_of(j, windows->stride_cols, windows->pad_cols, windows->pool_cols, windows->cols);
            const size_t above = rows.first + windows->pad_rows - i * windows->stride_rows;
            const size_t left = cols.first + windows->pad_cols - j * windows->stride_cols;
            const window w = {
                .x = x + (rows.first - x_row) * x_stride + cols.first * ldx,
                .stride = x_stride,
                .ld = ldx,
                .out = out + (i - first) * out_stride + j * ldo,
                .picks = picks ? picks + ((i - first) * windows->out_cols + j) * windows->channels : NULL,
                .number = (real_bits)(above * windows->pool_cols + left),
                .pool_cols = windows->pool_cols,
            };
            if (rows.last - rows.first == 2 && cols.last - cols.first == 2)
                FOR_EACH_VECTOR(windows->channels, f, 2, 2, &w);
            else
                FOR_EACH_VECTOR(windows->channels, f, rows.last - rows.first, cols.last - cols.first, &w);
        }
    }
}

void KERNEL(max_pool_forward)(const fastnn_windows *windows, size_t first, size_t last, const void *x, size_t x_row,
                              size_t x_stride, size_t ldx, void *out, size_t out_stride, size_t ldo, void *picks)
{
    if (picks)
        pool_forward(largest, windows, first, last, x, x_row, x_stride, ldx, out, out_stride, ldo, picks);
    else
        pool_forward(largest, windows, first, last, x, x_row, x_stride, ldx, out, out_stride, ldo, NULL);
}

void KERNEL(average_pool_forward)(const fastnn_windows *windows, size_t first, size_t last, const void *x, size_t x_row,
                                  size_t x_stride, size_t ldx, void *out, size_t out_stride, size_t ldo)
{
    pool_forward(mean, windows, first, last, x, x_row, x_stride, ldx, out, out_stride, ldo, NULL);
}

/* -- back ---------------------------------------------------------------------------------------------------------- */

/* What one window has for one position of the map. */
typedef struct {
    const real *delta;
    const real_bits *picks; /* of the largest number */
    real_bits number;       /* of the position, in the whole window */
    real factor;            /* of a mean: the part that each position has */
    real *delta_in;
} share;

/* onto: added to what the position has from another window. */
INLINE void give(size_t n, size_t column, const int picked, const int onto, const share *s)
{
    vreal delta = load_n(s->delta + column, n);
    if (picked) {
        const vbits pick = (vbits)load_n((const real *)s->picks + column, n);
        delta = (vreal)((vbits)delta & (pick == broadcast_bits(s->number)));
    } else {
        delta *= s->factor;
    }
    store_n(s->delta_in + column, n, onto ? delta + load_n(s->delta_in + column, n) : delta);
}

INLINE size_t length(span s) { return s.last - s.first; }

/* The part of a mean that each position of window (i, j) has. */
INLINE real part_of_mean(const fastnn_windows *w, size_t i, size_t j)
{
    const span rows = positions_of(i, w->stride_rows, w->pad_rows, w->pool_rows, w->rows);
    const span cols = positions_of(j, w->stride_cols, w->pad_cols, w->pool_cols, w->cols);
    return 1 / (real)(length(rows) * length(cols));
}

INLINE void pool_grad_input(const int picked, const fastnn_windows *w, size_t first, size_t last, const real *delta,
                            size_t delta_stride, size_t ldd, const real_bits *picks, real *delta_in, size_t in_stride,
                            size_t ldi)
{
    span rows = {0}, cols;
    for (size_t y = first; y < last; y++, delta_in += in_stride) {
        move_to(&rows, y, w->stride_rows, w->pad_rows, w->pool_rows, w->out_rows);
        cols = (span){0};
        for (size_t x = 0; x < w->cols; x++) {
            share s = {.delta_in = delta_in + x * ldi};
            int onto = 0;
            move_to(&cols, x, w->stride_cols, w->pad_cols, w->pool_cols, w->out_cols);
            for (size_t i = rows.first; i < rows.last; i++)
                for (size_t j = cols.first; j < cols.last; j++) {
                    const size_t above = y + w->pad_rows - i * w->stride_rows;
                    const size_t left = x + w->pad_cols - j * w->stride_cols;
                    s.delta = delta + i * delta_stride + j * ldd;
                    if (picked) {
                        s.picks = picks + (i * w->out_cols + j) * w->channels;
                        s.number = (real_bits)(above * w->pool_cols + left);
                    } else {
                        s.factor = part_of_mean(w, i, j);
                    }
                    if (onto)
                        FOR_EACH_VECTOR(w->channels, give, picked, 1, &s);
                    else
                        FOR_EACH_VECTOR(w->channels, give, picked, 0, &s);
                    onto = 1;
                }
            if (!onto)
                memset(s.delta_in, 0, w->channels * sizeof(real));
        }
    }
}

void KERNEL(max_pool_grad_input)(const fastnn_windows *windows, size_t first, size_t last, const void *delta,
                                 size_t delta_stride, size_t ldd, const void *picks, void *delta_in, size_t in_stride,
                                 size_t ldi)
{
    pool_grad_input(1, windows, first, last, delta, delta_stride, ldd, picks, delta_in, in_stride, ldi);
}

void KERNEL(average_pool_grad_input)(const fastnn_windows *windows, size_t first, size_t last, const void *delta,
                                     size_t delta_stride, size_t ldd, void *delta_in, size_t in_stride, size_t ldi)
{
    pool_grad_input(0, windows, first, last, delta, delta_stride, ldd, NULL, delta_in, in_stride, ldi);
}
