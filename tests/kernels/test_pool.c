/* Windows over maps: the largest number and the mean of each, and the error carried back. */
#include "harness.h"

typedef struct {
    size_t n, pool, stride, pad, n_windows;
} axis;

static const axis axes[] = {
    {1, 1, 1, 0, 1}, {4, 2, 2, 0, 2}, {5, 2, 2, 0, 2}, {5, 2, 2, 0, 3}, /* the last window is cut off, or left out */
    {6, 3, 2, 1, 3}, {6, 3, 1, 1, 6}, {3, 5, 2, 2, 2}, {7, 2, 3, 0, 2}, {70, 67, 2, 0, 2},
};
enum { N_AXES = sizeof axes / sizeof *axes };

/* The positions of window i along an axis that are within, from *first on; returns how many. */
static size_t inside(axis a, size_t i, size_t *first)
{
    size_t n = 0;
    for (size_t k = a.pool; k-- > 0;) {
        const size_t at = i * a.stride + k;
        if (at >= a.pad && at - a.pad < a.n)
            *first = at - a.pad, n++;
    }
    return n;
}

static int64_t integer_at(const void *integers, size_t i)
{
    return K->itemsize == 8 ? ((const int64_t *)integers)[i] : ((const int32_t *)integers)[i];
}

/* Maps of one sample as matrices of positions by channels. Rows of positions are `apart` positions apart. */
typedef struct {
    fastnn_windows w;
    axis down, across;
    size_t apart, out_apart, gap;
} problem;

static matrix new_map(const problem *p, size_t rows, size_t apart, int is_random)
{
    return (is_random ? random_matrix : new_matrix)(rows * apart, p->w.channels, p->gap);
}

/* The window's largest number of a channel, and the number of its position; or its mean. */
static double best_of(const problem *p, matrix x, size_t i, size_t j, size_t channel, int64_t *pick)
{
    size_t top = 0, left = 0, rows = inside(p->down, i, &top), cols = inside(p->across, j, &left);
    double best = 0;
    for (size_t k = 0; k < rows * cols; k++) {
        const size_t row = top + k / cols, col = left + k % cols;
        const double number = at(x, row * p->apart + col, channel);
        if (k == 0 || number > best || isnan(number)) {
            best = number;
            *pick = (int64_t)((row + p->down.pad - i * p->down.stride) * p->across.pool + col + p->across.pad -
                              j * p->across.stride);
        }
    }
    return best;
}

static double mean_of(const problem *p, matrix x, size_t i, size_t j, size_t channel)
{
    size_t top = 0, left = 0, rows = inside(p->down, i, &top), cols = inside(p->across, j, &left);
    double sum = 0;
    for (size_t k = 0; k < rows * cols; k++)
        sum += at(x, (top + k / cols) * p->apart + left + k % cols, channel);
    return sum / (double)(rows * cols);
}

/* Rows [first, last) alone. x is given from the first row on that they need, which the sanitizers notice. */
static void test_forward_rows(const problem *p, matrix x, size_t first, size_t last, matrix out, matrix mean,
                              char *picks)
{
    size_t x_row = 0;
    inside(p->down, first, &x_row);
    const fastnn_windows *w = &p->w;
    const char *from = (const char *)x.values + x_row * p->apart * x.ld * K->itemsize;
    const size_t skipped = first * p->out_apart * out.ld * K->itemsize;
    K->max_pool_forward(w, first, last, from, x_row, p->apart * x.ld, x.ld, (char *)out.values + skipped,
                        p->out_apart * out.ld, out.ld,
                        picks ? picks + first * w->out_cols * w->channels * K->itemsize : NULL);
    K->average_pool_forward(w, first, last, from, x_row, p->apart * x.ld, x.ld, (char *)mean.values + skipped,
                            p->out_apart * out.ld, out.ld);
}

static char *test_pool_forward(const problem *p, matrix x)
{
    const fastnn_windows *w = &p->w;
    matrix out = new_map(p, w->out_rows, p->out_apart, 0), mean = new_map(p, w->out_rows, p->out_apart, 0);
    matrix unpicked = new_map(p, w->out_rows, p->out_apart, 0);
    char *picks = new_block(w->out_rows * w->out_cols * w->channels * K->itemsize, 0);
    for (size_t i = 0; i < w->out_rows; i++)
        test_forward_rows(p, x, i, i + 1, out, mean, picks);
    test_forward_rows(p, x, 0, w->out_rows, unpicked, mean, NULL);
    for (size_t i = 0; i < w->out_rows; i++)
        for (size_t j = 0; j < p->out_apart; j++)
            for (size_t c = 0; c < w->channels; c++) {
                const size_t row = i * p->out_apart + j;
                int64_t pick = -1;
                if (j >= w->out_cols) {
                    expect(at(out, row, c), NAN, 0, "beside the largest numbers", row, c);
                    expect(at(mean, row, c), NAN, 0, "beside the means", row, c);
                    continue;
                }
                const double average = mean_of(p, x, i, j, c);
                expect(at(out, row, c), best_of(p, x, i, j, c, &pick), 0, "the largest", row, c);
                expect(at(unpicked, row, c), at(out, row, c), 0, "the largest, not picked", row, c);
                expect((double)integer_at(picks, (i * w->out_cols + j) * w->channels + c), (double)pick, 0, "pick", row,
                       c);
                expect(at(mean, row, c), average, 2 * EPS * fabs(average), "mean", row, c);
            }
    expect_gaps(out, "the gap of the largest");
    expect_gaps(mean, "the gap of the means");
    return picks;
}

static void test_pool_grad_input(const problem *p, const char *picks)
{
    const fastnn_windows *w = &p->w;
    matrix delta = new_map(p, w->out_rows, p->out_apart, 1);
    matrix of_largest = new_map(p, w->rows, p->apart, 0), of_mean = new_map(p, w->rows, p->apart, 0);
    double *sums = calloc(2 * w->rows * w->cols * w->channels, sizeof *sums);
    for (size_t y = 0; y < w->rows; y++) {
        const size_t skipped = y * p->apart * of_mean.ld * K->itemsize;
        K->max_pool_grad_input(w, y, y + 1, delta.values, p->out_apart * delta.ld, delta.ld, picks,
                               (char *)of_largest.values + skipped, p->apart * of_mean.ld, of_mean.ld);
        K->average_pool_grad_input(w, y, y + 1, delta.values, p->out_apart * delta.ld, delta.ld,
                                   (char *)of_mean.values + skipped, p->apart * of_mean.ld, of_mean.ld);
    }
    for (size_t i = 0; i < w->out_rows; i++)
        for (size_t j = 0; j < w->out_cols; j++) {
            size_t top = 0, left = 0, rows = inside(p->down, i, &top), cols = inside(p->across, j, &left);
            for (size_t k = 0; k < rows * cols * w->channels; k++) {
                const size_t c = k % w->channels, row = top + k / w->channels / cols,
                             col = left + k / w->channels % cols;
                const size_t number = (row + p->down.pad - i * p->down.stride) * p->across.pool + col + p->across.pad -
                                      j * p->across.stride;
                double *sum = sums + 2 * ((row * w->cols + col) * w->channels + c);
                const double error = at(delta, i * p->out_apart + j, c);
                if ((size_t)integer_at(picks, (i * w->out_cols + j) * w->channels + c) == number)
                    sum[0] += error;
                sum[1] += error / (double)(rows * cols);
            }
        }
    for (size_t y = 0; y < w->rows; y++)
        for (size_t x = 0; x < p->apart; x++)
            for (size_t c = 0; c < w->channels; c++) {
                const size_t row = y * p->apart + x;
                const double *sum = sums + 2 * ((y * w->cols + x) * w->channels + c);
                expect(at(of_largest, row, c), x < w->cols ? sum[0] : NAN, 0, "the error of the largest", row, c);
                expect(at(of_mean, row, c), x < w->cols ? sum[1] : NAN, 16 * EPS, "the error of the mean", row, c);
            }
    expect_gaps(of_largest, "the gap of the largest's error");
    expect_gaps(of_mean, "the gap of the mean's error");
    free(sums);
}

static void test_pool_of(axis down, axis across, size_t channels, size_t gap)
{
    const problem p = {{down.n, across.n, channels, down.n_windows, across.n_windows, down.pool, across.pool,
                        down.stride, across.stride, down.pad, across.pad},
                       down,
                       across,
                       across.n + gap,
                       across.n_windows + gap,
                       gap};
    matrix x = new_map(&p, down.n, p.apart, 1);
    if (channels % 2) /* all numbers of some windows are NaN, and some of others */
        for (size_t i = 0; i < down.n; i++)
            for (size_t j = 0; j < across.n / 2; j++)
                set(x, i * p.apart + j, channels / 2, NAN);
    test_pool_grad_input(&p, test_pool_forward(&p, x));
}

void test_pool(void)
{
    for (size_t i = 0; i < N_AXES; i++)
        for (size_t j = 0; j < N_AXES; j++)
            for (size_t channels = 1; channels <= 2 * LANES + 1; channels += channels < 4 ? 1 : LANES / 2)
                if (axes[i].n * axes[j].n < 100 || (axes[i].n == 1 && channels < 4))
                    test_pool_of(axes[i], axes[j], channels, (i + j + channels) % 2);
}
