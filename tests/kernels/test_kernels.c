/* Every kernel of every table that was built and that this CPU can run, against naive loops; and vmath.h's accuracy.
 *
 *   ./test_kernels [arguments per function for vmath_accuracy.c]
 *
 * The last line is "N passed, N failed"; returns 1 if any failed.
 */
#include "harness.h"

#if defined(__SANITIZE_ADDRESS__)
#define GUARD 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define GUARD 0
#endif
#endif
#ifndef GUARD
#define GUARD 256
#endif

const fastnn_kernels *K;

static struct {
    unsigned char *start;
    size_t before, size; /* bytes ahead of the block, and in it */
} blocks[1 << 15];
static size_t n_blocks;
static int mismatches;
static uint64_t state = 88172645463325252u;

void *new_block(size_t n_bytes, size_t offset)
{
    unsigned char *start = malloc(GUARD + offset + n_bytes + GUARD);
    if (!start || n_blocks == sizeof blocks / sizeof *blocks) {
        printf("no space for another block\n");
        exit(2);
    }
    memset(start, 0xff, GUARD + offset + n_bytes + GUARD);
    blocks[n_blocks].start = start;
    blocks[n_blocks].before = GUARD + offset;
    blocks[n_blocks++].size = n_bytes;
    return start + GUARD + offset;
}

static void free_blocks(void)
{
    for (; n_blocks > 0; n_blocks--) {
        const unsigned char *start = blocks[n_blocks - 1].start;
        const size_t before = blocks[n_blocks - 1].before, end = before + blocks[n_blocks - 1].size;
        for (size_t i = 0; i < end + GUARD; i++)
            if ((i < before || i >= end) && start[i] != 0xff)
                expect((double)i, (double)before, 0, "a byte written beside a block of this size", end - before, i);
        free(blocks[n_blocks - 1].start);
    }
}

double get(const void *array, size_t i)
{
    return K->itemsize == 8 ? ((const double *)array)[i] : (double)((const float *)array)[i];
}

void put(void *array, size_t i, double value)
{
    if (K->itemsize == 8)
        ((double *)array)[i] = value;
    else
        ((float *)array)[i] = (float)value;
}

uint64_t random_bits(void) /* xorshift64* */
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (state * 2685821657736338717u) >> 16;
}

double random_eighth(void) { return (double)((int)(random_bits() % 33) - 16) / 8; }

matrix new_matrix(size_t rows, size_t cols, size_t gap)
{
    const size_t ld = cols + gap;
    return (matrix){new_block(((rows - 1) * ld + cols) * K->itemsize, K->itemsize), rows, cols, ld};
}

matrix random_matrix(size_t rows, size_t cols, size_t gap)
{
    matrix m = new_matrix(rows, cols, gap);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < cols; j++)
            set(m, i, j, random_eighth());
    return m;
}

double at(matrix m, size_t i, size_t j) { return get(m.values, i * m.ld + j); }
void set(matrix m, size_t i, size_t j, double value) { put(m.values, i * m.ld + j, value); }

layer random_layer(size_t fan_in, size_t fan_out)
{
    const size_t n_panels = padded(fan_out) / TILE_COLS;
    layer l = {
        .W = random_matrix(fan_in ? fan_in : 1, fan_out, 2),
        .b = random_matrix(1, fan_out, 0),
        .packed = new_matrix(n_panels * (1 + fan_in), TILE_COLS, 0),
    };
    l.dense = (fastnn_matrix){fan_in, fan_out, l.packed.values, NULL, 0};
    K->pack_matrix(&l.dense, l.W.values, (ptrdiff_t)(l.W.ld * K->itemsize), (ptrdiff_t)K->itemsize, l.b.values);
    return l;
}

size_t padded(size_t n) { return (n + TILE_COLS - 1) / TILE_COLS * TILE_COLS; }

size_t packed_index(const fastnn_matrix *dense, size_t k, size_t column)
{
    return (column / TILE_COLS * (1 + dense->fan_in) + k) * TILE_COLS + column % TILE_COLS;
}

double weight(const layer *l, size_t k, size_t column)
{
    return column >= l->dense.fan_out ? 0 : k == 0 ? at(l->b, 0, column) : at(l->W, k - 1, column);
}

void expect(double got, double expected, double tolerance, const char *what, size_t i, size_t j)
{
    if (fabs(got - expected) <= tolerance || got == expected || (isnan(got) && isnan(expected)))
        return;
    if (mismatches++ < 3)
        printf("    %s (%zu, %zu) is %.17g, not %.17g\n", what, i, j, got, expected);
}

void expect_gaps(matrix m, const char *what)
{
    for (size_t i = 0; i + 1 < m.rows; i++)
        for (size_t j = m.cols; j < m.ld; j++)
            expect(at(m, i, j), NAN, 0, what, i, j);
}

#define TEST(name) {#name, test_##name}
static const struct {
    const char *name;
    void (*run)(void);
} tests[] = {
    TEST(pack),
    TEST(forward),
    TEST(grad_input),
    TEST(grad_weights),
    TEST(whole_gradient),
    TEST(panel_step),
    TEST(conv_forward),
    TEST(conv_grad_weights),
    TEST(add),
    TEST(gather),
    TEST(gather_sparse),
    TEST(half),
    TEST(terms),
    TEST(activations),
    TEST(sum_of_squares),
    TEST(dropout),
    TEST(losses),
    TEST(labels),
    TEST(transpose),
    TEST(perceptron),
    TEST(perceptron_steps),
    TEST(pool),
    TEST(layer_norm),
    TEST(rescale),
    TEST(batch_norm),
    TEST(recurrent_cells),
    TEST(embedding),
    TEST(multiply_add),
};

/* vmath_accuracy.c's main, compiled as each table's kernels are. */
#define LEVEL(name, supported) int vmath_accuracy_##name##_f32(int, char **), vmath_accuracy_##name##_f64(int, char **);
#include "levels.def"
#undef LEVEL

static const struct {
    const char *level;
    int (*run[2])(int, char **);
} accuracies[] = {
#define LEVEL(name, supported) {#name, {vmath_accuracy_##name##_f32, vmath_accuracy_##name##_f64}},
#include "levels.def"
#undef LEVEL
};

int main(int n_arguments, char **arguments)
{
    int passed = 0, failed = 0;
    for (int index = 0; fastnn_level(index); index++)
        for (int is_double = 0; is_double < 2; is_double++) {
            const char *level = fastnn_level(index), *type = is_double ? "double" : "float";
            K = fastnn_select(level, is_double);
            if (!K) {
                printf("%s %s: skipped, this CPU lacks it\n", level, type);
                continue;
            }
            for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
                mismatches = 0;
                tests[i].run();
                free_blocks();
                printf("%s %s: %s %s\n", level, type, tests[i].name, mismatches ? "FAILED" : "passed");
                mismatches ? failed++ : passed++;
            }
            printf("%s %s: vmath_accuracy\n", level, type);
            accuracies[index].run[is_double](n_arguments, arguments) ? failed++ : passed++;
        }
    printf("%d passed, %d failed\n", passed, failed);
    return failed != 0 || passed == 0;
}
