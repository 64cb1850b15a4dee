/* libFuzzer's inputs as samples of any type, strides and order, or as a sparse matrix whose indices may be anything:
 * gathered into a batch, and through a layer and back; and a dense batch as the positions of a sequence, through a
 * convolution. run-fuzzer builds and runs it.
 *
 * Every array has exactly the bytes that the table of kernels asks for, so that AddressSanitizer sees what is read or
 * written beside them. Numbers are compared where they are small integers, whose sums are exact in any order.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels.h"

static const fastnn_kernels *K;

/* The input, byte by byte; when it ends, zeros. */
static const uint8_t *bytes;
static size_t n_bytes;

static uint8_t any_byte(void)
{
    if (!n_bytes)
        return 0;
    n_bytes--;
    return *bytes++;
}

static size_t up_to(size_t n) { return any_byte() % (n + 1); }

static int64_t any_integer(void)
{
    uint64_t bits = 0;
    for (int i = 0; i < 8; i++)
        bits = bits << 8 | any_byte();
    return (int64_t)bits;
}

/* Mostly one that fits; else just one too many or too few, or anything. */
static int64_t any_index(size_t n)
{
    const uint8_t kind = any_byte() % 16;
    return kind > 2 ? (int64_t)up_to(n) : kind == 2 ? (int64_t)n + 1 : kind == 1 ? -1 : any_integer();
}

enum { MOST_BLOCKS = 32 };
static void *blocks[MOST_BLOCKS];
static size_t n_blocks;

static void *block(size_t size) { return blocks[n_blocks++] = calloc(size ? size : 1, 1); }

static void *any_bytes(size_t size)
{
    uint8_t *p = block(size);
    for (size_t i = 0; i < size; i++)
        p[i] = any_byte();
    return p;
}

static void *any_indices(size_t n, size_t limit, int wide)
{
    char *p = block(n * (wide ? 8 : 4));
    for (size_t i = 0; i < n; i++) {
        const int64_t index = any_index(limit);
        const int32_t narrow = (int32_t)index;
        memcpy(p + i * (wide ? 8 : 4), wide ? (const void *)&index : (const void *)&narrow, wide ? 8 : 4);
    }
    return p;
}

static int64_t index_of(const void *indices, int wide, size_t i)
{
    return wide ? ((const int64_t *)indices)[i] : ((const int32_t *)indices)[i];
}

static double get(const void *numbers, size_t i)
{
    return K->itemsize == 8 ? ((const double *)numbers)[i] : (double)((const float *)numbers)[i];
}

static void put(void *numbers, size_t i, double number)
{
    if (K->itemsize == 8)
        ((double *)numbers)[i] = number;
    else
        ((float *)numbers)[i] = (float)number;
}

static void expect(double got, double expected, const char *what, size_t i, size_t j)
{
    if (got == expected || (isnan(got) && isnan(expected)))
        return;
    fprintf(stderr, "%s %zu bytes: %s (%zu, %zu) is %.17g, not %.17g\n", K->level, K->itemsize, what, i, j, got,
            expected);
    abort();
}

/* The two types whose sums can be checked; the others are gathered for what the sanitizers see. */
static int is_checked(enum fastnn_source type) { return type == FASTNN_int8 || type == FASTNN_uint8; }

static double number_at(enum fastnn_source type, const char *p)
{
    return type == FASTNN_int8 ? (double)*(const int8_t *)p : (double)*(const uint8_t *)p;
}

static const size_t source_size[] = {
#define SOURCE(name, type, convert) sizeof(type),
#include "sources.def"
#undef SOURCE
};

/* What X says, without the kernels: x (n_rows, n_features). */
static double *naive(const fastnn_samples *X, size_t n_samples, const intptr_t *order, size_t n_rows)
{
    double *x = block(n_rows * X->n_features * sizeof *x);
    for (size_t i = 0; i < n_rows; i++) {
        const size_t row = (size_t)order[i];
        if (!X->starts) {
            for (size_t j = 0; j < X->n_features; j++)
                x[i * X->n_features + j] =
                    number_at(X->type, X->data + (ptrdiff_t)row * X->row_stride + (ptrdiff_t)j * X->col_stride);
            continue;
        }
        const int64_t begin = index_of(X->starts, X->wide_indices, row);
        const int64_t end = index_of(X->starts, X->wide_indices, row + 1);
        if (begin < 0 || begin > end || end > (int64_t)X->n_stored)
            continue;
        for (int64_t k = begin; k < end; k++) {
            const int64_t column = index_of(X->columns, X->wide_indices, (size_t)k);
            if (column >= 0 && column < (int64_t)X->n_features)
                x[i * X->n_features + (size_t)column] += number_at(X->type, X->data + k);
        }
    }
    (void)n_samples;
    return x;
}

static fastnn_samples any_samples(size_t n_samples)
{
    fastnn_samples X = {.type = (enum fastnn_source)up_to(FASTNN_N_SOURCES - 1), .n_features = 1 + up_to(70)};
    const size_t size = source_size[X.type];
    if (any_byte() % 2) {
        X.n_stored = up_to(80);
        X.wide_indices = any_byte() % 2;
        X.columns = any_indices(X.n_stored, X.n_features - 1, X.wide_indices);
        X.starts = any_indices(n_samples + 1, X.n_stored, X.wide_indices);
        X.data = any_bytes(X.n_stored * size);
        return X;
    }
    X.row_stride = (int8_t)any_byte(), X.col_stride = (int8_t)any_byte();
    const ptrdiff_t rows = (ptrdiff_t)(n_samples - 1) * X.row_stride,
                    cols = (ptrdiff_t)(X.n_features - 1) * X.col_stride;
    const ptrdiff_t lowest = (rows < 0 ? rows : 0) + (cols < 0 ? cols : 0);
    const ptrdiff_t highest = (rows > 0 ? rows : 0) + (cols > 0 ? cols : 0);
    X.data = (char *)any_bytes((size_t)(highest - lowest) + size) - lowest;
    return X;
}

/* What the engine makes of X: a batch of its rows `order`, dense or sparse. */
static fastnn_batch gathered(const fastnn_samples *X, const intptr_t *order, size_t n_rows)
{
    fastnn_batch batch = {.rows = n_rows};
    if (X->starts) {
        size_t capacity = up_to(200), cut = up_to(n_rows), columns_cut = up_to(X->n_features);
        batch.entries = (fastnn_entries){
            .starts = block((n_rows + 1) * sizeof(size_t)),
            .capacity = capacity,
            .columns = block(capacity * sizeof(uint32_t)),
            .rows = block(capacity * sizeof(uint32_t)),
            .values = block(capacity * K->itemsize),
            .heads = block(X->n_features * sizeof(uint32_t)),
            .next = block(capacity * sizeof(uint32_t)),
        };
        K->gather_entries(X, order, cut, n_rows, &batch.entries);
        K->gather_entries(X, order, 0, cut, &batch.entries);
        K->link_entries(&batch.entries, n_rows, columns_cut, X->n_features);
        K->link_entries(&batch.entries, n_rows, 0, columns_cut);
        return batch;
    }
    const size_t n_row_tiles = (n_rows + K->tile_rows - 1) / K->tile_rows;
    const size_t n_column_tiles = (X->n_features + K->tile_rows - 1) / K->tile_rows;
    void *x = block(n_rows * X->n_features * K->itemsize);
    uint32_t *columns = block(n_row_tiles * X->n_features * sizeof *columns), *column_counts = block(n_row_tiles * 4);
    uint32_t *rows = block(n_column_tiles * n_rows * sizeof *rows), *row_counts = block(n_column_tiles * 4);
    K->gather(X, order, n_rows, x, X->n_features);
    K->used_columns(n_rows, X->n_features, x, X->n_features, columns, column_counts, X->n_features);
    K->used_rows(n_rows, X->n_features, x, X->n_features, rows, row_counts, n_rows);
    batch.values = x, batch.ld = X->n_features;
    batch.columns = (fastnn_terms){columns, column_counts, X->n_features};
    batch.samples = (fastnn_terms){rows, row_counts, n_rows};
    return batch;
}

/* Whether the capacity was enough for all entries. */
static int is_whole(const fastnn_samples *X, const fastnn_batch *batch, const intptr_t *order)
{
    size_t n = 0;
    if (!X->starts)
        return 1;
    for (size_t i = 0; i < batch->rows; i++) {
        const int64_t begin = index_of(X->starts, X->wide_indices, (size_t)order[i]);
        const int64_t end = index_of(X->starts, X->wide_indices, (size_t)order[i] + 1);
        n += begin < 0 || begin > end || end > (int64_t)X->n_stored ? 0 : (size_t)(end - begin);
    }
    return n <= batch->entries.capacity;
}

/* A batch's rows as a sequence, through any convolution of some of its columns; and the gradient of that by the
 * weights, the error being its output. */
static void convolve(const fastnn_batch *x, size_t n_columns, int is_checked, int is_double)
{
    const size_t n_taps = up_to(4), dilation = 1 + up_to(3), stride = 1 + up_to(4), fan_out = 1 + up_to(70);
    const size_t channels = 1 + up_to(n_columns - 1), z_col = fan_out + up_to(3), n_terms = n_taps * channels;
    const size_t reach = n_taps ? (n_taps - 1) * dilation : 0;
    if (reach >= x->rows)
        return;
    uint32_t *offsets = block(n_terms * sizeof *offsets);
    for (size_t k = 0; k < n_terms; k++)
        offsets[k] = (uint32_t)(k / channels * dilation * x->ld + k % channels);
    const size_t width = (x->rows - reach - 1) / stride + 1;
    const int whole = dilation == 1 && channels == x->ld && n_taps;
    const fastnn_grid grid = {.height = 1,
                              .width = width,
                              .x_col = stride * x->ld,
                              .z_col = z_col,
                              .n_terms = n_terms,
                              .run = whole ? n_terms : channels,
                              .offsets = offsets};

    const size_t packed = (fan_out + K->tile_cols - 1) / K->tile_cols * (1 + n_terms) * K->tile_cols * K->itemsize;
    const size_t lanes = K->vector_bytes / K->itemsize, n_numbers = (width - 1) * z_col + fan_out;
    void *W = block(n_terms * fan_out * K->itemsize), *b = block(fan_out * K->itemsize);
    for (size_t i = 0; i < n_terms * fan_out; i++)
        put(W, i, (double)(i * 7 % 5) - 2);
    for (size_t i = 0; i < fan_out; i++)
        put(b, i, (double)(i % 3));
    fastnn_matrix layer = {n_terms, fan_out, block(packed), NULL, 0};
    K->pack_matrix(&layer, W, (ptrdiff_t)(fan_out * K->itemsize), (ptrdiff_t)K->itemsize, b);
    void *z = block(n_numbers * K->itemsize), *delta = block((n_numbers + lanes - 1) * K->itemsize);
    K->conv_forward(&layer, &grid, 0, n_terms, x->values, z);
    memcpy(delta, z, n_numbers * K->itemsize);
    layer.state = block(packed);
    K->conv_grad_weights(&layer, &grid, x->values, delta, 0, layer.state);
    void *gradient = block(n_terms * fan_out * K->itemsize), *bias_gradient = block(fan_out * K->itemsize);
    K->unpack_matrix(&layer, layer.state, gradient, bias_gradient);
    if (!is_checked)
        return;
    for (size_t i = 0; i < width; i++)
        for (size_t n = 0; n < z_col && i * z_col + n < n_numbers; n++) {
            double sum = n < fan_out ? get(b, n) : 0; /* what is between positions stays 0 */
            for (size_t k = 0; k < n_terms && n < fan_out; k++)
                sum += get(x->values, offsets[k] + i * grid.x_col) * get(W, k * fan_out + n);
            expect(get(z, i * z_col + n), sum, "a sum of a convolution", i, n);
        }
    for (size_t k = 0; is_double && k < n_terms; k++)
        for (size_t n = 0; n < fan_out; n++) {
            double sum = 0;
            for (size_t i = 0; i < width; i++)
                sum += get(x->values, offsets[k] + i * grid.x_col) * get(z, i * z_col + n);
            expect(get(gradient, k * fan_out + n), sum, "a gradient of a convolution", k, n);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size); /* libFuzzer has no header */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bytes = data, n_bytes = size;
    int n_levels = 0;
    while (fastnn_level(n_levels))
        n_levels++;
    const int is_double = any_byte() % 2;
    K = fastnn_select(fastnn_level((int)up_to((size_t)n_levels - 1)), is_double);
    if (!K)
        return 0;

    const size_t n_samples = 1 + up_to(9), n_rows = 1 + up_to(40), fan_out = 1 + up_to(70);
    const fastnn_samples X = any_samples(n_samples);
    intptr_t *order = block(n_rows * sizeof *order);
    for (size_t i = 0; i < n_rows; i++)
        order[i] = (intptr_t)up_to(n_samples - 1);
    const fastnn_batch batch = gathered(&X, order, n_rows);

    const size_t n_panels = (fan_out + K->tile_cols - 1) / K->tile_cols, ld = n_panels * K->tile_cols;
    void *W = block(X.n_features * fan_out * K->itemsize), *b = block(fan_out * K->itemsize);
    for (size_t i = 0; i < X.n_features * fan_out; i++)
        put(W, i, (double)(i * 7 % 5) - 2);
    fastnn_matrix layer = {X.n_features, fan_out, block(n_panels * (1 + X.n_features) * K->tile_cols * K->itemsize),
                           block(n_panels * (1 + X.n_features) * K->tile_cols * K->itemsize), 0};
    K->pack_matrix(&layer, W, (ptrdiff_t)(fan_out * K->itemsize), (ptrdiff_t)K->itemsize, b);
    void *a = block(n_rows * ld * K->itemsize);
    K->dense_forward(&layer, &batch, 0, n_panels, 0, a, ld);

    const fastnn_update update = {.optimizer = FASTNN_gradient, .scale = 1, .keep = 1};
    double *squares = block(n_panels * sizeof *squares);
    K->dense_grad_weights(&layer, &batch, 0, n_panels, 0, X.n_features, a, ld, &update, squares);
    void *gradient = block(X.n_features * fan_out * K->itemsize), *bias_gradient = block(fan_out * K->itemsize);
    K->unpack_matrix(&layer, layer.state, gradient, bias_gradient);

    void *dense = block(n_rows * X.n_features * K->itemsize);
    K->gather(&X, order, n_rows, dense, X.n_features);
    if (is_checked(X.type) && is_whole(&X, &batch, order)) {
        const double *x = naive(&X, n_samples, order, n_rows);
        for (size_t i = 0; i < n_rows * X.n_features; i++)
            expect(get(dense, i), x[i], "a number of X", i / X.n_features, i % X.n_features);
        for (size_t n = 0; n < fan_out; n++)
            for (size_t i = 0; i < n_rows; i++) {
                double sum = 0;
                for (size_t k = 0; k < X.n_features; k++)
                    sum += x[i * X.n_features + k] * get(W, k * fan_out + n);
                expect(get(a, i * ld + n), sum, "a sum", i, n);
            }
        for (size_t k = 0; is_double && k < X.n_features; k++)
            for (size_t n = 0; n < fan_out; n++) {
                double sum = 0;
                for (size_t i = 0; i < n_rows; i++)
                    sum += x[i * X.n_features + k] * get(a, i * ld + n);
                expect(get(gradient, k * fan_out + n), sum, "a gradient", k, n);
            }
    }
    if (!X.starts)
        convolve(&batch, X.n_features, is_checked(X.type), is_double);
    while (n_blocks)
        free(blocks[--n_blocks]);
    return 0;
}
