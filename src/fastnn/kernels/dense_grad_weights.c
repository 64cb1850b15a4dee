/* The gradient of a dense layer's weights, x^T delta, and the optimizer's step with it.
 *
 * Scalars are numbers of x, vectors are rows of delta; the sum runs over the batch. The step follows tile by tile, so
 * the gradient as a whole is never written: each weight is read and written once per batch.
 */
#include "kernels.h"
#include "optimizer.h"
#include "prefetch.h"
#include "table.h"
#include "tile.h"

/* So many samples at a time at most, in equal parts: those of a panel of delta (25 KiB) stay in the first-level cache
 * while a block's tiles pass over them; what a block of so many tiles by so many panels needs of x and delta, in the
 * second-level one. */
enum { DEPTH = 200, BLOCK_TILES = 16, BLOCK_PANELS = 4 };

/* A tile's weights and what the optimizer remembers of them. The stride is 0 where it has at most one memory. */
typedef struct {
    real *weights, *memory;
    size_t stride;
} tile_state;

/* Prefetches a cache line of the weights and of each memory into the second-level cache. */
INLINE void fetch_line(tile_state state, size_t at)
{
    __builtin_prefetch(state.weights + at, 1, 2);
    __builtin_prefetch(state.memory + at, 1, 2);
    if (state.stride)
        __builtin_prefetch(state.memory + state.stride + at, 1, 2);
}

/* grad (+)= x^T delta, over the samples listed. */
INLINE void grad_tile(const int rows, const int width, const real *x, size_t ldx, const uint32_t *samples,
                      size_t n_samples, const real *delta, size_t ldd, real *grad, int first, tile_state state)
{
    tile sums;
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
        for (int j = 0; j < width; j++)
            sums[i][j] = first ? (vreal){0} : load(grad + i * TILE_COLS + j * LANES);
    /* What the step will read is prefetched during the sum, a line at every fourth sample. A network of 1024-unit
     * layers took a twelfth longer where it was prefetched all at once, or not at all. */
    enum { LINE = 64 / sizeof(real), EVERY = 4 };
    const uint32_t *sample = samples, *end = samples + n_samples;
    for (size_t at = 0; at < (size_t)rows * TILE_COLS && end - sample >= EVERY; at += LINE) {
        fetch_line(state, at);
        for (const uint32_t *next = sample + EVERY; sample < next; sample++)
            add_outer_product(rows, width, sums, x + *sample * ldx, 1, delta + *sample * ldd);
    }
    for (; sample < end; sample++)
        add_outer_product(rows, width, sums, x + *sample * ldx, 1, delta + *sample * ldd);
    store_tile(rows, width, sums, grad, TILE_COLS);
}

/* Likewise of `rows` columns of a sparse batch, from `column` on. */
INLINE void grad_entries(size_t rows, const int width, const fastnn_entries *x, size_t column, const real *delta,
                         size_t ldd, real *grad)
{
    const real *values = x->values;
    for (size_t i = 0; i < rows; i++) {
        vreal sums[TILE_VECTORS] = {{0}};
        for (uint32_t k = x->heads[column + i]; k != FASTNN_NO_ENTRY; k = x->next[k])
            for (int j = 0; j < width; j++)
                sums[j] += values[k] * load(delta + x->rows[k] * ldd + j * LANES);
        for (int j = 0; j < width; j++)
            store(grad + i * TILE_COLS + j * LANES, sums[j]);
    }
}

/* Not inlined: that would take registers from the dense product. */
static __attribute__((noinline)) void grad_sparse_tile(size_t rows, int width, const fastnn_entries *x, size_t column,
                                                       const real *delta, size_t ldd, real *grad)
{
    if (width == TILE_VECTORS)
        grad_entries(rows, TILE_VECTORS, x, column, delta, ldd, grad);
    else
        grad_entries(rows, 1, x, column, delta, ldd, grad);
}

/* One step for `rows` rows of a panel, grad being summed but not yet scaled. Returns squares plus the weights' squares.
 *
 * Constants and sums are local variables. Through a pointer they would be read and written again for every vector,
 * since the compiler must assume that the stored weights alias them. The rows' divisions overlap with the next tile's
 * products.
 */
#define OPTIMIZER(name, memories)                                                                                     \
    INLINE vreal update_rows_##name(const update_constants constants, size_t rows, const int width, const real *grad, \
                                    real *weights, real *memory, size_t stride, vreal squares)                        \
    {                                                                                                                 \
        const update_constants c = constants;                                                                         \
        for (size_t row = 0; row < rows * TILE_COLS; row += TILE_COLS)                                                \
            for (size_t at = row; at < row + (size_t)width * LANES; at += LANES) {                                    \
                vreal weight = load(weights + at);                                                                    \
                vreal g = (load(grad + at) + c.l2 * weight) * c.scale;                                                \
                squares += weight * weight;                                                                           \
                store(weights + at, step_##name(&c, g, c.keep * weight, memory + at, stride));                        \
            }                                                                                                         \
        return squares;                                                                                               \
    }
#include "optimizers.def"
#undef OPTIMIZER

static const int n_memories[] = {
#define OPTIMIZER(name, memories) memories,
#include "optimizers.def"
#undef OPTIMIZER
};

INLINE vreal update_rows(int optimizer, update_constants c, size_t rows, int width, const real *grad, real *weights,
                         real *memory, size_t stride, vreal squares)
{
    switch (optimizer) {
#define OPTIMIZER(name, memories)                                                                      \
    case FASTNN_##name:                                                                                \
        return width == TILE_VECTORS                                                                   \
                   ? update_rows_##name(c, rows, TILE_VECTORS, grad, weights, memory, stride, squares) \
                   : update_rows_##name(c, rows, 1, grad, weights, memory, stride, squares);
#include "optimizers.def"
#undef OPTIMIZER
    default: return squares;
    }
}

/* The part of a tile's gradient that the samples [begin, end) have, added to what those before them had. */
static void grad_of_samples(const fastnn_batch *batch, size_t column, size_t rows, int width, size_t begin, size_t end,
                            const real *delta, size_t ldd, real *grad, tile_state state)
{
    const fastnn_terms *used = &batch->samples;
    const uint32_t *samples = used->terms + column / TILE_ROWS * used->stride;
    size_t from = begin, to = end;
    if (used->counts) {
        size_t n = used->counts[column / TILE_ROWS];
        from = count_below(samples, n, begin);
        to = end < batch->rows ? count_below(samples, n, end) : n;
    }
    WITH_CONSTANT_SIZE(rows, width, grad_tile, (const real *)batch->values + column, batch->ld, samples + from,
                       to - from, delta, ldd, grad, begin == 0, state)
}

/* The samples that a block reads next, as far as its tiles have not prefetched them: a row of x and one of delta each.
 * A tile prefetches a few, since many in a row would wait for each other. Batches of 2048 took a seventh longer
 * without. */
typedef struct {
    const real *x, *delta;
    size_t samples, per_tile, x_bytes, delta_bytes;
} upcoming;

/* Not inlined either. */
static __attribute__((noinline)) void prefetch_upcoming(upcoming *next, size_t ldx, size_t ldd)
{
    for (size_t i = 0; i < next->per_tile && next->samples > 0; i++, next->samples--) {
        prefetch_bytes(next->x, next->x_bytes, next->x_bytes);
        prefetch_bytes(next->delta, next->delta_bytes, next->delta_bytes);
        next->x += ldx;
        next->delta += ldd;
    }
}

/* What the samples [begin, end) add to the gradient of the panel's rows [first, last), and, once they are the batch's
 * last, the step. Returns the sum of the weights' squares before it. */
static double grad_rows(const fastnn_matrix *matrix, const fastnn_batch *batch, size_t panel, size_t first, size_t last,
                        size_t begin, size_t end, const real *delta, size_t ldd, upcoming *next, real *grad,
                        const fastnn_update *update)
{
    const update_constants c = constants_of(update);
    const size_t at = (panel * (1 + matrix->fan_in) + 1) * TILE_COLS; /* past the biases */
    const size_t stride = n_memories[update->optimizer] > 1 ? matrix->state_stride : 0;
    const int width = panel_vectors(matrix->fan_out, panel);
    vreal squares = {0};

    for (size_t i = first; i < last; i += TILE_ROWS, grad += TILE_ROWS * TILE_COLS) {
        size_t rows = last - i < TILE_ROWS ? last - i : TILE_ROWS;
        const tile_state state = {(real *)matrix->weights + at + i * TILE_COLS,
                                  (real *)matrix->state + at + i * TILE_COLS, stride};
        prefetch_upcoming(next, batch->ld, ldd);
        if (batch->entries.starts)
            grad_sparse_tile(rows, width, &batch->entries, i, delta, ldd, grad);
        else
            grad_of_samples(batch, i, rows, width, begin, end, delta, ldd, grad, state);
        if (end == batch->rows)
            squares =
                update_rows(update->optimizer, c, rows, width, grad, state.weights, state.memory, stride, squares);
    }
    return sum_lanes(squares);
}

void KERNEL(dense_grad_weights)(const fastnn_matrix *matrix, const fastnn_batch *x, size_t first_panel,
                                size_t last_panel, size_t first, size_t last, const void *delta, size_t ldd,
                                const fastnn_update *update, double *squares)
{
    enum { BLOCK_ROWS = BLOCK_TILES * TILE_ROWS };
    real grads[BLOCK_PANELS][BLOCK_ROWS * TILE_COLS];
    const size_t n_parts = x->entries.starts || x->rows <= DEPTH ? 1 : (x->rows + DEPTH - 1) / DEPTH;
    const size_t depth = (x->rows + n_parts - 1) / n_parts;

    for (size_t panel = first_panel; panel < last_panel; panel++)
        squares[panel - first_panel] = 0;
    for (size_t block = first_panel; block < last_panel; block += BLOCK_PANELS) {
        size_t block_end = last_panel - block < BLOCK_PANELS ? last_panel : block + BLOCK_PANELS;
        for (size_t row = first; row < last; row += BLOCK_ROWS) {
            size_t row_end = last - row < BLOCK_ROWS ? last : row + BLOCK_ROWS;
            for (size_t begin = 0; begin < x->rows; begin += depth) {
                size_t end = x->rows - begin < depth ? x->rows : begin + depth;
                upcoming next = {
                    /* of a sparse batch the first part is the last */
                    .x = n_parts > 1 ? (const real *)x->values + end * x->ld + row : NULL,
                    .delta = (const real *)delta + end * ldd + block * TILE_COLS,
                    .samples = x->rows - end < depth ? x->rows - end : depth,
                    .per_tile = depth * TILE_ROWS / ((row_end - row) * (block_end - block)) + 1,
                    .x_bytes = (row_end - row) * sizeof(real),
                    .delta_bytes = (block_end - block) * TILE_COLS * sizeof(real),
                };
                for (size_t panel = block; panel < block_end; panel++)
                    squares[panel - first_panel] +=
                        grad_rows(matrix, x, panel, row, row_end, begin, end, (const real *)delta + panel * TILE_COLS,
                                  ldd, &next, grads[panel - block], update);
            }
        }
    }
}

void KERNEL(dense_grad_bias)(const fastnn_matrix *matrix, size_t panel, size_t rows, const void *delta, size_t ldd,
                             const fastnn_update *update)
{
    update_constants c = constants_of(update);
    c.l2 = 0;
    c.keep = 1;
    const real *deltas = (const real *)delta + panel * TILE_COLS;
    const size_t at = panel * (1 + matrix->fan_in) * TILE_COLS;
    const int width = panel_vectors(matrix->fan_out, panel);
    real grad[TILE_COLS];

    for (int j = 0; j < width; j++) {
        vreal sum = {0};
        for (size_t b = 0; b < rows; b++)
            sum += load(deltas + b * ldd + j * LANES);
        store(grad + j * LANES, sum);
    }
    update_rows(update->optimizer, c, 1, width, grad, (real *)matrix->weights + at, (real *)matrix->state + at,
                matrix->state_stride, (vreal){0});
}

void KERNEL(add)(size_t n, const void *x, void *onto)
{
    const real *numbers = x;
    real *sums = onto;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        store(sums + i, load(sums + i) + load(numbers + i));
    for (; i < n; i++)
        sums[i] += numbers[i];
}

/* In double, since the squares of the gradients that most need clipping are beyond float. */
double KERNEL(sum_of_squares)(size_t n, const void *x)
{
    enum { DOUBLES = FASTNN_VECTOR_BYTES / sizeof(double) };
    typedef double vdouble __attribute__((vector_size(FASTNN_VECTOR_BYTES)));
    typedef real as_many __attribute__((vector_size(DOUBLES * sizeof(real))));
    const real *numbers = x;
    vdouble even = {0}, odd = {0}; /* two sums, which do not depend on each other */
    double sum = 0;
    size_t i = 0;
    for (; i + 2 * DOUBLES <= n; i += 2 * DOUBLES) {
        as_many first, second;
        memcpy(&first, numbers + i, sizeof first);
        memcpy(&second, numbers + i + DOUBLES, sizeof second);
        vdouble v = __builtin_convertvector(first, vdouble), w = __builtin_convertvector(second, vdouble);
        even += v * v;
        odd += w * w;
    }
    even += odd;
    for (int j = 0; j < DOUBLES; j++)
        sum += even[j];
    for (; i < n; i++)
        sum += (double)numbers[i] * numbers[i];
    return sum;
}

void KERNEL(matrix_step)(const fastnn_matrix *matrix, size_t panel, const void *packed_grad,
                         const fastnn_update *update, double *squares)
{
    update_constants c = constants_of(update);
    const int width = panel_vectors(matrix->fan_out, panel);
    const size_t at = panel * (1 + matrix->fan_in) * TILE_COLS, past_bias = at + TILE_COLS;
    const real *grad = packed_grad;
    real *weights = matrix->weights, *memory = matrix->state;
    if (squares)
        *squares = sum_lanes(update_rows(update->optimizer, c, matrix->fan_in, width, grad + past_bias,
                                         weights + past_bias, memory + past_bias, matrix->state_stride, (vreal){0}));
    c.l2 = 0; /* of W, it is in the gradient already */
    if (!squares)
        update_rows(update->optimizer, c, matrix->fan_in, width, grad + past_bias, weights + past_bias,
                    memory + past_bias, matrix->state_stride, (vreal){0});
    c.keep = 1;
    update_rows(update->optimizer, c, 1, width, grad + at, weights + at, memory + at, matrix->state_stride, (vreal){0});
}
