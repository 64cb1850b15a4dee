/* The kernels of a dense layer: packing, its three products, and the optimizers' steps. */
#include "harness.h"

typedef struct {
    size_t rows, fan_in, fan_out;
} shape;

enum { N_SHAPES = 17, MOST_MEMORIES = 2 };

/* Equal to, a multiple of, one under and one over the tile either way; beyond the blocks for the cache; and one
 * row with several panels. */
static shape shape_number(int i)
{
    const size_t r = TILE_ROWS, c = TILE_COLS;
    return ((const shape[N_SHAPES]){
        {1, 1, 1},
        {1, 2 * r + 1, 2 * c + 1},
        {c + 1, 1, c + 1},
        {r + 1, c + 1, 1},
        {r, r, c},
        {c, c, c},
        {r - 1, r - 1, c - 1},
        {r + 1, r + 1, c + 1},
        {c - 1, c - 1, r - 1},
        {c + 1, c + 1, r + 1},
        {2 * c, 3 * r, 3 * c},
        {r + 2, 1100, c + 2},
        {c, 97, c - 1},
        {c + 1, r + 1, 1100},
        {600, 18 * r + 1, 6 * c + 1},
        {1, 50, 9 * c + 1},
        {1, 1100, 4 * c},
    })[i];
}

void test_pack(void)
{
    for (int i = 0; i < N_SHAPES; i++) {
        const shape s = shape_number(i);
        layer l = random_layer(s.fan_in, s.fan_out);
        matrix transposed = new_matrix(s.fan_out, s.fan_in, 1);
        for (size_t k = 0; k < s.fan_in; k++)
            for (size_t n = 0; n < s.fan_out; n++)
                set(transposed, n, k, at(l.W, k, n));
        for (int turned = 0; turned < 2; turned++) {
            if (turned)
                K->pack_matrix(&l.dense, transposed.values, (ptrdiff_t)K->itemsize,
                               (ptrdiff_t)(transposed.ld * K->itemsize), l.b.values);
            for (size_t k = 0; k <= s.fan_in; k++)
                for (size_t n = 0; n < padded(s.fan_out); n++)
                    expect(get(l.packed.values, packed_index(&l.dense, k, n)), weight(&l, k, n), 0, "packed", k, n);
        }
        matrix W = new_matrix(s.fan_in, s.fan_out, 0), b = new_matrix(1, s.fan_out, 0);
        K->unpack_matrix(&l.dense, l.packed.values, W.values, b.values);
        for (size_t n = 0; n < s.fan_out; n++) {
            expect(at(b, 0, n), at(l.b, 0, n), 0, "unpacked b", 0, n);
            for (size_t k = 0; k < s.fan_in; k++)
                expect(at(W, k, n), at(l.W, k, n), 0, "unpacked W", k, n);
        }
    }
}

enum { NONE_IDLE, SOME_IDLE, ALL_IDLE, N_PATTERNS };

/* Whether a term is to be left out of a tile's sums. */
static int is_idle(int pattern, size_t tile, size_t term)
{
    return pattern == ALL_IDLE || (pattern == SOME_IDLE && (tile + term) % 3 < 2);
}

/* Lists of the terms that are not idle; what follows a list is no term at all. */
static fastnn_terms terms_of(int pattern, size_t n_tiles, size_t n_terms)
{
    const size_t n_lists = pattern == NONE_IDLE ? 1 : n_tiles;
    uint32_t *terms = new_block(n_lists * n_terms * sizeof *terms, sizeof *terms);
    uint32_t *counts = new_block(n_lists * sizeof *counts, sizeof *counts);
    for (size_t tile = 0; tile < n_lists; tile++) {
        counts[tile] = 0;
        for (size_t term = 0; term < n_terms; term++)
            if (!is_idle(pattern, tile, term))
                terms[tile * n_terms + counts[tile]++] = (uint32_t)term;
    }
    return pattern == NONE_IDLE ? (fastnn_terms){terms, NULL, 0} : (fastnn_terms){terms, counts, n_terms};
}

/* What of x is not NaN as entries, row after row, and column by column; in a block each, without spare capacity. */
static fastnn_entries entries_of(matrix x)
{
    size_t n = 0;
    for (size_t row = 0; row < x.rows; row++)
        for (size_t k = 0; k < x.cols; k++)
            n += !isnan(at(x, row, k));
    const size_t bytes = n * sizeof(uint32_t);
    const fastnn_entries entries = {
        .starts = new_block((x.rows + 1) * sizeof(size_t), 0),
        .capacity = n,
        .columns = new_block(bytes, 0),
        .rows = new_block(bytes, 0),
        .values = new_block(n * K->itemsize, 0),
        .heads = new_block(x.cols * sizeof(uint32_t), 0),
        .next = new_block(bytes, 0),
    };
    n = 0;
    for (size_t row = 0; row < x.rows; row++) {
        entries.starts[row] = n;
        for (size_t k = 0; k < x.cols; k++)
            if (!isnan(at(x, row, k))) {
                entries.columns[n] = (uint32_t)k, entries.rows[n] = (uint32_t)row;
                put(entries.values, n++, at(x, row, k));
            }
    }
    entries.starts[x.rows] = n;
    K->link_entries(&entries, x.rows, 0, x.cols);
    return entries;
}

static size_t n_tiles(size_t n) { return (n + TILE_ROWS - 1) / TILE_ROWS; }

void test_forward(void)
{
    for (int i = 0; i < N_SHAPES; i++)
        for (int pattern = 0; pattern < N_PATTERNS; pattern++) {
            const shape s = shape_number(i);
            const size_t cols = padded(s.fan_out), n_panels = cols / TILE_COLS, cut = n_panels / 2;
            const layer l = random_layer(s.fan_in, s.fan_out);
            matrix x = random_matrix(s.rows, s.fan_in, 3), z = new_matrix(s.rows, cols, 1);
            matrix sparse = new_matrix(s.rows, cols, 1), start = random_matrix(s.rows, cols, 2);
            matrix onto = new_matrix(s.rows, cols, 2), sparse_onto = new_matrix(s.rows, cols, 0);
            for (size_t row = 0; row < s.rows; row++)
                for (size_t n = 0; n < cols; n++)
                    set(onto, row, n, at(start, row, n)), set(sparse_onto, row, n, at(start, row, n));
            for (size_t row = 0; row < s.rows; row++)
                for (size_t k = 0; k < s.fan_in; k++)
                    if (is_idle(pattern, row / TILE_ROWS, k)) /* in place of 0: it is not to be read at all */
                        set(x, row, k, NAN);
            const fastnn_batch batch = {
                .rows = s.rows,
                .values = x.values,
                .ld = x.ld,
                .columns = terms_of(pattern, n_tiles(s.rows), s.fan_in),
            };
            const fastnn_batch stored = {.rows = s.rows, .entries = entries_of(x)};
            K->dense_forward(&l.dense, &batch, 0, cut, 0, z.values, z.ld);
            K->dense_forward(&l.dense, &batch, cut, n_panels, 0, z.values, z.ld);
            K->dense_forward(&l.dense, &batch, 0, n_panels, 1, onto.values, onto.ld);
            K->dense_forward(&l.dense, &stored, 0, n_panels, 0, sparse.values, sparse.ld);
            K->dense_forward(&l.dense, &stored, 0, n_panels, 1, sparse_onto.values, sparse_onto.ld);
            for (size_t row = 0; row < s.rows; row++)
                for (size_t n = 0; n < cols; n++) {
                    double sum = 0;
                    for (size_t k = 0; k < s.fan_in; k++)
                        if (!is_idle(pattern, row / TILE_ROWS, k))
                            sum += at(x, row, k) * weight(&l, 1 + k, n);
                    const int empty = n >= (s.fan_out + LANES - 1) / LANES * LANES; /* the panel's second vector */
                    const double expected = empty ? NAN : weight(&l, 0, n) + sum, from = at(start, row, n);
                    expect(at(z, row, n), expected, 0, "z", row, n);
                    expect(at(sparse, row, n), expected, 0, "z of sparse x", row, n);
                    expect(at(onto, row, n), empty ? from : from + sum, 0, "onto z", row, n);
                    expect(at(sparse_onto, row, n), empty ? from : from + sum, 0, "onto z of sparse x", row, n);
                }
            expect_gaps(sparse, "the gap of z of sparse x");
            expect_gaps(z, "the gap of z");
            expect_gaps(onto, "the gap of z added to");
        }
}

void test_grad_input(void)
{
    for (int i = 0; i < N_SHAPES; i++) {
        const shape s = shape_number(i);
        const size_t rows = padded(s.rows), cut = s.fan_in < 50 ? s.fan_in / 2 : 48;
        const layer l = random_layer(s.fan_in, s.fan_out);
        matrix kept = random_matrix(rows, s.fan_in, 2), mask = random_matrix(rows, s.fan_in, 2);
        matrix delta_in = new_matrix(rows, s.fan_in, 3), alone = new_matrix(rows, s.fan_in, 0);
        for (size_t first = 0; first < rows; first += TILE_COLS) {
            matrix delta_out_t = random_matrix(s.fan_out, TILE_COLS, 0);
            matrix delta_in_t = new_matrix(s.fan_in, TILE_COLS, 0);
            for (int part = 0; part < 2; part++)
                K->dense_grad_input(&l.dense, part ? cut : 0, part ? s.fan_in : cut, delta_out_t.values, first,
                                    FASTNN_RELU, kept.values, kept.ld, mask.values, delta_in.values, delta_in.ld,
                                    delta_in_t.values);
            K->dense_grad_input(&l.dense, 0, s.fan_in, delta_out_t.values, first, FASTNN_RELU, kept.values, kept.ld,
                                NULL, alone.values, alone.ld, NULL);
            for (size_t row = first; row < first + TILE_COLS; row++)
                for (size_t k = 0; k < s.fan_in; k++) {
                    double sum = 0;
                    for (size_t n = 0; n < s.fan_out; n++)
                        sum += at(delta_out_t, n, row - first) * at(l.W, k, n);
                    sum *= at(kept, row, k) > 0;
                    expect(at(delta_in, row, k), sum * at(mask, row, k), 0, "delta_in", row, k);
                    expect(at(delta_in_t, k, row - first), sum * at(mask, row, k), 0, "delta_in_t", k, row);
                    expect(at(alone, row, k), sum, 0, "delta_in without mask and transpose", row, k);
                }
        }
        expect_gaps(delta_in, "the gap of delta_in");
    }
}

/* The optimizers: the new weight, given its gradient and what is remembered of it. */
#define STEP(name) static double true_##name(const fastnn_update *u, double g, double w, double *memory)
#define UNUSED (void)u, (void)g, (void)w, (void)memory

STEP(gradient)
{
    UNUSED;
    return memory[0] = g, w;
}
STEP(accumulate)
{
    UNUSED;
    return memory[0] += g, w;
}
STEP(sgd)
{
    UNUSED;
    return w - u->learning_rate * g;
}
STEP(momentum) { return w + (memory[0] = u->decay_1 * memory[0] - u->learning_rate * g); }
STEP(nesterov)
{
    memory[0] = u->decay_1 * memory[0] - u->learning_rate * g;
    return w + u->decay_1 * memory[0] - u->learning_rate * g;
}
STEP(rmsprop)
{
    memory[0] = u->decay_1 * memory[0] + (1 - u->decay_1) * g * g;
    return w - u->learning_rate * g / (sqrt(memory[0]) + u->epsilon);
}
STEP(adam)
{
    memory[0] = u->decay_1 * memory[0] + (1 - u->decay_1) * g;
    memory[1] = u->decay_2 * memory[1] + (1 - u->decay_2) * g * g;
    return w - u->learning_rate * memory[0] / (sqrt(memory[1]) + u->epsilon);
}
STEP(adagrad)
{
    memory[0] += g * g;
    return w - u->learning_rate * g / (sqrt(memory[0]) + u->epsilon);
}

static const struct {
    const char *name;
    double (*step)(const fastnn_update *, double, double, double *);
    size_t n_memories;
} optimizers[] = {
#define OPTIMIZER(name, memories) {#name, true_##name, memories},
#include "optimizers.def"
#undef OPTIMIZER
};

static void test_step(int optimizer, shape s, int pattern, int sparse)
{
    /* Exact in float too, and each telling itself from the others. */
    const fastnn_update update = {.optimizer = optimizer,
                                  .scale = 0.25,
                                  .l2 = 0.5,
                                  .learning_rate = 0.125,
                                  .decay_1 = 0.75,
                                  .decay_2 = 0.875,
                                  .epsilon = 0.0625,
                                  .keep = 0.75};
    const size_t cols = padded(s.fan_out), size = (1 + s.fan_in) * cols;
    const size_t cut = s.fan_in / 2 / TILE_ROWS * TILE_ROWS;
    layer l = random_layer(s.fan_in, s.fan_out);
    matrix x = random_matrix(s.rows, s.fan_in, 3), delta = random_matrix(s.rows, cols, 1);
    matrix memories = new_matrix(MOST_MEMORIES, size, 5);
    for (size_t row = 0; row < s.rows; row++)
        for (size_t k = 0; k < s.fan_in; k++)
            if (is_idle(pattern, k / TILE_ROWS, row))
                set(x, row, k, NAN);
    const fastnn_batch batch = sparse ? (fastnn_batch){.rows = s.rows, .entries = entries_of(x)}
                                      : (fastnn_batch){.rows = s.rows,
                                                       .values = x.values,
                                                       .ld = x.ld,
                                                       .samples = terms_of(pattern, n_tiles(s.fan_in), s.rows)};
    for (size_t n = s.fan_out; n < cols; n++)
        for (size_t row = 0; row < s.rows; row++)
            set(delta, row, n, 0);
    for (size_t k = 0; k <= s.fan_in; k++)
        for (size_t n = 0; n < cols; n++)
            for (size_t m = 0; m < optimizers[optimizer].n_memories; m++)
                set(memories, m, packed_index(&l.dense, k, n), n < s.fan_out ? (double)((k + n + m) % 5) / 8 : 0);
    l.dense.state = memories.values;
    l.dense.state_stride = memories.ld;

    enum { UPPER, LOWER, PARTS };
    const size_t panels = cols / TILE_COLS;
    double *squares = new_block(PARTS * panels * sizeof *squares, 0);
    for (int others = 0; others < 2; others++) { /* the first panel by itself, then the others */
        const size_t first = (size_t)others, end = others ? panels : 1;
        for (size_t panel = first; panel < end; panel++)
            K->dense_grad_bias(&l.dense, panel, s.rows, delta.values, delta.ld, &update);
        K->dense_grad_weights(&l.dense, &batch, first, end, 0, cut, delta.values, delta.ld, &update,
                              squares + UPPER * panels + first);
        K->dense_grad_weights(&l.dense, &batch, first, end, cut, s.fan_in, delta.values, delta.ld, &update,
                              squares + LOWER * panels + first);
    }
    for (size_t k = 0; k <= s.fan_in; k++)
        for (size_t n = 0; n < cols; n++) {
            const double before = weight(&l, k, n);
            double g = k == 0 ? 0 : update.l2 * before, memory[MOST_MEMORIES];
            for (size_t row = 0; row < s.rows; row++)
                if (k == 0 || !is_idle(pattern, (k - 1) / TILE_ROWS, row))
                    g += k == 0 ? at(delta, row, n) : at(x, row, k - 1) * at(delta, row, n);
            for (size_t m = 0; m < MOST_MEMORIES; m++)
                memory[m] = n < s.fan_out ? (double)((k + n + m) % 5) / 8 : 0;
            const double kept = k == 0 ? before : update.keep * before;
            const double expected = optimizers[optimizer].step(&update, g * update.scale, kept, memory);
            const size_t index = packed_index(&l.dense, k, n);
            expect(get(l.packed.values, index), expected, 16 * EPS * (1 + fabs(expected)), optimizers[optimizer].name,
                   k, n);
            for (size_t m = 0; m < MOST_MEMORIES; m++) /* those that it does not have stay what they were: NaN */
                expect(at(memories, m, index), m < optimizers[optimizer].n_memories ? memory[m] : NAN,
                       16 * EPS * (1 + fabs(memory[m])), "its memory", k, n);
        }
    for (size_t panel = 0; panel < panels; panel++) {
        double expected[PARTS] = {0};
        for (size_t k = 0; k < s.fan_in; k++)
            for (size_t n = panel * TILE_COLS; n < (panel + 1) * TILE_COLS; n++)
                expected[k < cut ? UPPER : LOWER] += weight(&l, k + 1, n) * weight(&l, k + 1, n);
        for (int part = 0; part < PARTS; part++)
            expect(squares[(size_t)part * panels + panel], expected[part], 0, "the sum of squares", panel,
                   (size_t)part);
    }
    expect_gaps(memories, "the gap of the memories");
}

void test_grad_weights(void)
{
    for (int optimizer = 0; optimizer < FASTNN_N_OPTIMIZERS; optimizer++)
        for (int i = 0; i < N_SHAPES; i++)
            for (int pattern = 0; pattern < N_PATTERNS; pattern++)
                for (int sparse = 0; sparse < 2; sparse++)
                    test_step(optimizer, shape_number(i), pattern, sparse);
}

/* A step with a gradient that was left whole is the step that would have been made at once; but for rounding, since in
 * which copy of a formula a product and a sum become one instruction is the compiler's choice. */
void test_whole_gradient(void)
{
    for (int i = 0; i < N_SHAPES; i++) {
        const shape s = shape_number(i);
        const size_t cols = padded(s.fan_out), size = (1 + s.fan_in) * cols;
        const layer at_once = random_layer(s.fan_in, s.fan_out);
        matrix x = random_matrix(s.rows, s.fan_in, 3), delta = random_matrix(s.rows, cols, 1);
        matrix packed = new_matrix(1, size, 0), grad = new_matrix(1, size, 0), memories[2];
        for (size_t row = 0; row < s.rows; row++)
            for (size_t n = s.fan_out; n < cols; n++)
                set(delta, row, n, 0);
        for (int m = 0; m < 2; m++) {
            memories[m] = new_matrix(2, size, 0);
            for (size_t k = 0; k < 2 * size; k++)
                put(memories[m].values, k, 0.125);
        }
        memcpy(packed.values, at_once.packed.values, size * K->itemsize);
        memset(grad.values, 0, size * K->itemsize); /* padding is not written */
        fastnn_matrix layers[2] = {at_once.dense, at_once.dense};
        layers[1].weights = packed.values;
        layers[0].state = memories[0].values, layers[1].state = memories[1].values;
        layers[0].state_stride = layers[1].state_stride = size;
        fastnn_matrix gradient_layer = layers[1];
        gradient_layer.state = grad.values;
        const fastnn_batch batch = {
            .rows = s.rows,
            .values = x.values,
            .ld = x.ld,
            .samples = terms_of(0, n_tiles(s.fan_in), s.rows),
        };
        const fastnn_update step = {FASTNN_adam, 0.25, 0.5, 0.1, 0.9, 0.99, 1e-3, 0.75};
        fastnn_update leave = step, take = step;
        leave.optimizer = FASTNN_gradient, leave.keep = 1;
        take.scale = 1;
        const size_t panels = cols / TILE_COLS;
        double *squares = new_block(panels * sizeof *squares, 0);
        K->dense_grad_weights(&layers[0], &batch, 0, panels, 0, s.fan_in, delta.values, delta.ld, &step, squares);
        K->dense_grad_weights(&gradient_layer, &batch, 0, panels, 0, s.fan_in, delta.values, delta.ld, &leave, squares);
        for (size_t panel = 0; panel < panels; panel++) {
            K->dense_grad_bias(&layers[0], panel, s.rows, delta.values, delta.ld, &step);
            K->dense_grad_bias(&gradient_layer, panel, s.rows, delta.values, delta.ld, &leave);
            K->matrix_step(&layers[1], panel, grad.values, &take, NULL);
        }
        for (size_t k = 0; k < size; k++)
            expect(get(packed.values, k), get(layers[0].weights, k), 4 * EPS, "a step made later", k, (size_t)i);
        for (size_t k = 0; k < 2 * size; k++)
            expect(get(memories[1].values, k), get(memories[0].values, k),
                   4 * EPS * (1 + fabs(get(memories[0].values, k))), "its memory", k, (size_t)i);
    }
}

/* Nor is a step with a panel's gradient, penalty and all, another one than the step made tile by tile. */
void test_panel_step(void)
{
    for (int optimizer = 0; optimizer < FASTNN_N_OPTIMIZERS; optimizer++)
        for (int i = 0; i < N_SHAPES; i++) {
            const shape s = shape_number(i);
            const size_t cols = padded(s.fan_out), size = (1 + s.fan_in) * cols, panels = cols / TILE_COLS;
            const layer l = random_layer(s.fan_in, s.fan_out);
            const fastnn_update update = {optimizer, 0.25, 0.5, 0.125, 0.75, 0.875, 0.0625, 0.75};
            matrix x = random_matrix(s.rows, s.fan_in, 3), delta = random_matrix(s.rows, cols, 1);
            fastnn_matrix by_tiles = l.dense, by_panels = l.dense, gradient = l.dense;
            double *squares[2];
            for (size_t row = 0; row < s.rows; row++)
                for (size_t n = s.fan_out; n < cols; n++)
                    set(delta, row, n, 0);
            for (int which = 0; which < 2; which++) {
                fastnn_matrix *stepped = which ? &by_panels : &by_tiles;
                matrix packed = new_matrix(1, size, 0), memories = new_matrix(MOST_MEMORIES, size, 3);
                memcpy(packed.values, l.packed.values, size * K->itemsize);
                for (size_t m = 0; m < optimizers[optimizer].n_memories; m++) /* the others stay NaN */
                    for (size_t k = 0; k < size; k++)
                        set(memories, m, k, (double)(k % 5) / 8);
                stepped->weights = packed.values, stepped->state = memories.values;
                stepped->state_stride = memories.ld;
                squares[which] = new_block(panels * sizeof(double), 0);
            }
            gradient.state = new_matrix(1, size, 0).values;
            memset(gradient.state, 0, size * K->itemsize); /* padding is not written */
            const fastnn_batch batch = {
                .rows = s.rows, .values = x.values, .ld = x.ld, .samples = terms_of(0, n_tiles(s.fan_in), s.rows)};
            const fastnn_update leave = {.optimizer = FASTNN_gradient, .scale = 1, .keep = 1};
            K->dense_grad_weights(&gradient, &batch, 0, panels, 0, s.fan_in, delta.values, delta.ld, &leave,
                                  squares[1]);
            K->dense_grad_weights(&by_tiles, &batch, 0, panels, 0, s.fan_in, delta.values, delta.ld, &update,
                                  squares[0]);
            for (size_t panel = 0; panel < panels; panel++) {
                K->dense_grad_bias(&gradient, panel, s.rows, delta.values, delta.ld, &leave);
                K->dense_grad_bias(&by_tiles, panel, s.rows, delta.values, delta.ld, &update);
            }
            for (size_t panel = panels; panel-- > 0;) {
                K->matrix_step(&by_panels, panel, gradient.state, &update, squares[1] + panel);
                expect(squares[1][panel], squares[0][panel], 0, "the sum of squares", panel, (size_t)i);
            }
            for (size_t k = 0; k < size; k++) {
                const double expected = get(by_tiles.weights, k);
                expect(get(by_panels.weights, k), expected, 8 * EPS * (1 + fabs(expected)), optimizers[optimizer].name,
                       k, (size_t)i);
            }
            for (size_t k = 0; k < MOST_MEMORIES * size; k++) {
                const size_t at = k / size * by_tiles.state_stride + k % size;
                const double expected = get(by_tiles.state, at);
                expect(get(by_panels.state, at), expected, 8 * EPS * (1 + fabs(expected)), "its memory", k, (size_t)i);
            }
        }
}
