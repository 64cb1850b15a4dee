/* The products of a convolution over grids of positions, and what adds their gradients up. */
#include "harness.h"

/* Positions of a map, and a kernel: what the fields of a fastnn_grid follow from. */
typedef struct {
    size_t height, width, kernel_rows, kernel_cols, stride, dilation;
    size_t channels, group_channels; /* of x, and how many of them the kernel reads */
    size_t fan_out, gap;             /* z has so many numbers after those of each position, and of each row */
} shape;

enum { N_SHAPES = 32 };

/* Equal to, one under and one over the tile either way, and the blocks for the cache. */
static shape shape_number(int i)
{
    const size_t r = TILE_ROWS, c = TILE_COLS, l = LANES;
    const size_t block = 16 * 1024 / (c * K->itemsize); /* rows of a panel, or positions, that kernels take at a time */
    return ((const shape[N_SHAPES]){
        {1, 1, 1, 1, 1, 1, 1, 1, 1, 0},
        {1, r, 1, 1, 1, 1, 1, 1, c, 0},
        {1, r - 1, 1, 2, 1, 1, 1, 1, l, 0},
        {2, r + 1, 2, 1, 1, 1, 1, 1, l - 1, 0},
        {3, 2 * r + 1, 3, 3, 1, 1, 1, 1, l + 1, 0},
        {4, 3 * r + 2, 3, 3, 1, 1, 3, 3, c - 1, 0},
        {3, 3, 3, 3, 1, 1, 4, 4, c + 1, 1},
        {1, 1, 5, 5, 1, 1, 2, 2, 2 * c, 3},
        {5, 1, 1, 1, 1, 1, r, r, 2 * c - 1, c},
        {1, 2 * r - 1, 1, 1, 1, 1, r + 1, r + 1, 2 * c + 1, 0},
        {4, r + 2, 2, 2, 2, 1, r - 1, r - 1, 3, 0},
        {4, r + 3, 2, 2, 3, 1, 2, 2, c + l, 2},
        {3, 4, 1, 1, 5, 1, 1, 1, c + l + 1, 0}, /* some numbers of x belong to no position */
        {3, 5, 3, 2, 1, 2, 2, 2, c + l - 1, 0},
        {2, r, 2, 3, 2, 3, 5, 5, 2, 1},
        {3, 6, 2, 2, 1, 1, 6, 2, 3, 3}, /* groups: z has other groups' numbers in the gaps */
        {3, 7, 3, 1, 2, 2, 9, 1, 1, 8},
        {2, 2, 2, 2, 1, 1, 2 * r + 3, r + 1, c, 2 * c},
        {3, r + 1, 0, 0, 1, 1, 2, 2, c + 1, 1}, /* no tap: the bias alone */
        {1, 1, 0, 0, 1, 1, 1, 1, 1, 0},
        {2, 5, 1, 1, 1, 1, block, block, l + 1, 0},
        {2, 5, 1, 1, 1, 1, block + 1, block + 1, l, 0},
        {1, r + 1, 2, 3, 1, 1, block, block, c + 1, 1},
        {2, 3, 3, 1, 1, 2, block - 1, block - 1, 2 * c + l, 0},
        {1, block, 1, 1, 1, 1, 1, 1, c, 0},
        {2, block - 1, 1, 2, 1, 1, 2, 2, 3, 0},
        {2, block + 1, 1, 2, 2, 1, 1, 1, c + 1, 0},
        {3, 2 * block + 1, 2, 1, 1, 1, 1, 1, l + 1, 1},
        {5, block / 2 + 1, 1, 1, 1, 1, 1, 1, l, 0},
        {block + 1, 1, 1, 1, 1, 1, 2, 2, 5, 0},
        {2 * block + 1, 2, 3, 1, 1, 1, 1, 1, c - 1, 0},
        {26, 26, 3, 3, 1, 1, 3, 3, c, 0},
    })[i];
}

typedef struct {
    fastnn_grid grid;
    matrix x; /* all that no term reads is NaN */
    size_t z_size;
} problem;

static size_t z_at(const problem *p, size_t i, size_t j) { return i * p->grid.z_row + j * p->grid.z_col; }

static double term(const problem *p, size_t k, size_t i, size_t j)
{
    return get(p->x.values, p->grid.offsets[k] + i * p->grid.x_row + j * p->grid.x_col);
}

static problem random_problem(shape s)
{
    const size_t n_taps = s.kernel_rows * s.kernel_cols, n_terms = n_taps * s.group_channels;
    const size_t reach_rows = n_taps ? (s.kernel_rows - 1) * s.dilation : 0;
    const size_t reach_cols = n_taps ? (s.kernel_cols - 1) * s.dilation : 0;
    const size_t rows = (s.height - 1) * s.stride + reach_rows + 1, cols = (s.width - 1) * s.stride + reach_cols + 1;
    uint32_t *offsets = new_block(n_terms * sizeof *offsets, 0);
    for (size_t tap = 0, k = 0; tap < n_taps; tap++)
        for (size_t channel = 0; channel < s.group_channels; channel++)
            offsets[k++] =
                (uint32_t)((tap / s.kernel_cols * s.dilation * cols + tap % s.kernel_cols * s.dilation) * s.channels +
                           channel);
    problem p = {.grid = {.height = s.height,
                          .width = s.width,
                          .x_row = s.stride * cols * s.channels,
                          .x_col = s.stride * s.channels,
                          .z_row = s.width * (s.fan_out + s.gap) + s.gap,
                          .z_col = s.fan_out + s.gap,
                          .n_terms = n_terms,
                          .run = s.dilation == 1 && s.channels == s.group_channels && n_taps
                                     ? s.kernel_cols * s.channels
                                     : s.group_channels,
                          .offsets = offsets}};
    p.x = new_matrix(1, rows * cols * s.channels - (s.channels - s.group_channels), 0);
    for (size_t i = 0; i < s.height; i++)
        for (size_t j = 0; j < s.width; j++)
            for (size_t k = 0; k < n_terms; k++)
                put(p.x.values, offsets[k] + i * p.grid.x_row + j * p.grid.x_col, random_eighth());
    p.z_size = z_at(&p, s.height - 1, s.width - 1) + s.fan_out;
    return p;
}

/* The sums over terms [first, last). */
static void test_sums(int number, size_t first, size_t last, const problem *p, const layer *l)
{
    const shape s = shape_number(number);
    void *z = new_block(p->z_size * K->itemsize, K->itemsize);
    size_t next = 0;
    K->conv_forward(&l->dense, &p->grid, first, last, p->x.values, z);
    for (size_t i = 0; i < s.height; i++)
        for (size_t j = 0; j < s.width; j++) {
            for (; next < z_at(p, i, j); next++)
                expect(get(z, next), NAN, 0, "a number between positions", next, (size_t)number);
            for (size_t n = 0; n < s.fan_out; n++, next++) {
                double sum = weight(l, 0, n);
                for (size_t k = first; k < last; k++)
                    sum += term(p, k, i, j) * weight(l, 1 + k, n);
                expect(get(z, next), sum, 0, "z", next, (size_t)number);
            }
        }
}

void test_conv_forward(void)
{
    for (int number = 0; number < N_SHAPES; number++) {
        const problem p = random_problem(shape_number(number));
        const size_t n = p.grid.n_terms;
        const layer l = random_layer(n, shape_number(number).fan_out);
        test_sums(number, 0, n, &p, &l);
        test_sums(number, n / 3, n - n / 4, &p, &l);
        test_sums(number, n / 2, n / 2, &p, &l);
    }
}

static void test_gradient(int number, int onto)
{
    const shape s = shape_number(number);
    const problem p = random_problem(s);
    const size_t fan_in = p.grid.n_terms, cols = padded(s.fan_out);
    const fastnn_matrix l = {fan_in, s.fan_out, NULL, NULL, 0};
    /* What is read beyond the last number, and between positions, is NaN. */
    void *delta = new_block((p.z_size + LANES - 1) * K->itemsize, K->itemsize);
    matrix grad = new_matrix(cols / TILE_COLS * (1 + fan_in), TILE_COLS, 0);
    matrix start = random_matrix(grad.rows, grad.cols, 0);
    for (size_t i = 0; i < s.height; i++)
        for (size_t j = 0; j < s.width; j++)
            for (size_t n = 0; n < s.fan_out; n++)
                put(delta, z_at(&p, i, j) + n, random_eighth());
    for (size_t k = 0; k <= fan_in && onto; k++)
        for (size_t n = 0; n < s.fan_out; n++)
            put(grad.values, packed_index(&l, k, n), get(start.values, packed_index(&l, k, n)));
    K->conv_grad_weights(&l, &p.grid, p.x.values, delta, onto, grad.values);
    for (size_t k = 0; k <= fan_in; k++)
        for (size_t n = 0; n < cols; n++) {
            double sum = onto && n < s.fan_out ? get(start.values, packed_index(&l, k, n)) : 0;
            for (size_t i = 0; i < s.height && n < s.fan_out; i++)
                for (size_t j = 0; j < s.width; j++)
                    sum += get(delta, z_at(&p, i, j) + n) * (k == 0 ? 1 : term(&p, k - 1, i, j));
            if (n >= (s.fan_out + LANES - 1) / LANES * LANES)
                sum = NAN; /* the panel's second vector: it is not written */
            expect(get(grad.values, packed_index(&l, k, n)), sum, 0, onto ? "onto grad" : "grad", k, n);
        }
}

void test_conv_grad_weights(void)
{
    for (int number = 0; number < N_SHAPES; number++)
        for (int onto = 0; onto < 2; onto++)
            test_gradient(number, onto);
}

void test_add(void)
{
    for (size_t n = 0; n < 3 * LANES + 2; n++) {
        void *x = new_block(n * K->itemsize, K->itemsize), *onto = new_block(n * K->itemsize, 0);
        double *sums = new_block(n * sizeof *sums, 0);
        for (size_t i = 0; i < n; i++) {
            put(x, i, random_eighth()), put(onto, i, random_eighth());
            sums[i] = get(x, i) + get(onto, i);
        }
        K->add(n, x, onto);
        for (size_t i = 0; i < n; i++)
            expect(get(onto, i), sums[i], 0, "a sum", i, n);
    }
}
