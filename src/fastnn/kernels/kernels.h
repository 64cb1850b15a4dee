/* The table of kernels: everything the engine asks of one core.
 *
 * One fastnn_kernels exists per (instruction set, number type); fastnn_select() picks by name. A pointer to void in a
 * signature is an array of the table's number type, `itemsize` bytes each: callers never need to know which.
 * No kernel allocates, locks, starts a thread or keeps state. All of them take any alignment.
 *
 * Shapes stand beside the pointers, row-major, with the distance between rows (ld..., in elements) beside them.
 */
#ifndef FASTNN_KERNELS_H
#define FASTNN_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "activations.h"
#include "losses.h"
#include "optimizers.h"

/* A matrix of weights W (fan_in, fan_out) and its biases b (fan_out), packed in panels of tile_cols columns.
 *
 * A panel is 1 + fan_in rows of tile_cols numbers: the panel's part of the bias, then its part of each row of W.
 * Panels follow each other. The columns that pad the last panel are zero, and every kernel keeps them zero. A vector of
 * parameters is a matrix without rows: fan_in is 0, and the biases are all there is.
 * What an optimizer remembers is laid out as the weights are, `state_stride` elements from one memory to the next.
 */
typedef struct {
    size_t fan_in, fan_out;
    void *weights; /* (n_panels, 1 + fan_in, tile_cols) */
    void *state;   /* (n_memories, ...) */
    size_t state_stride;
} fastnn_matrix;

/* Which terms the sums of each register tile have, tile by tile.
 *
 * Where x is zero throughout a tile's scalars, the term adds nothing, and is left out: of MNIST's 784 pixels, eight
 * images use 370. A tile's terms are ascending, so leaving some out changes no bit of a sum.
 */
typedef struct {
    const uint32_t *terms;  /* (n_tiles, stride) the terms' numbers */
    const uint32_t *counts; /* (n_tiles) how many there are; NULL: all, in every tile */
    size_t stride;          /* 0: every tile has the same */
} fastnn_terms;

/* The entries of a batch of sparse samples, row after row. The entries of a row are in the order of X. */
typedef struct {
    size_t *starts; /* (rows + 1) where each row's entries begin, and where the last row's end */
    size_t capacity;
    uint32_t *columns, *rows; /* (capacity) */
    void *values;             /* (capacity) */
    uint32_t *heads;          /* (fan_in) the first entry of each column, or FASTNN_NO_ENTRY */
    uint32_t *next;           /* (capacity) the next entry in the same column, or FASTNN_NO_ENTRY */
} fastnn_entries;

#define FASTNN_NO_ENTRY UINT32_MAX

/* A batch of inputs to a layer: dense, or, where there are entries.starts, sparse. */
typedef struct {
    size_t rows;
    const void *values; /* (rows, fan_in) */
    size_t ld;
    fastnn_terms columns; /* per tile_rows rows: the columns to sum over in the forward product */
    fastnn_terms samples; /* per tile_rows columns: the rows to sum over in the weights' gradient */
    fastnn_entries entries;
} fastnn_batch;

/* The positions that a convolution makes of one sample, and where the terms of their sums lie in the sample.
 *
 * Position (i, j) is at i * z_row + j * z_col of what is made. Term k of its sum is at
 * offsets[k] + i * x_row + j * x_col of x, and belongs to row k of W. Padding must be in x, as zeros.
 */
typedef struct {
    size_t height, width; /* in positions */
    size_t x_row, x_col, z_row, z_col;
    size_t n_terms, run;     /* the offsets come in runs of so many consecutive numbers */
    const uint32_t *offsets; /* (n_terms) */
} fastnn_grid;

/* What batch normalisation makes of column j of x: (x - mean[j]) / sqrt(variance[j] + epsilon) * gamma[j] + beta[j]. */
typedef struct {
    size_t cols;
    const void *mean, *variance, *gamma, *beta; /* (cols) */
    double epsilon;
} fastnn_batch_norm;

/* The cells of a recurrent layer. In a row that has several numbers of each unit, such as its gates, these are
 * sections, each with the units side by side: `section` numbers, a multiple of the vector, from one section to the
 * next. Kernels read and write whole vectors; what they find beyond the units may be any finite numbers. The
 * activations' derivatives must be computed from their output: activations.def. The simple cell has no recurrent
 * activation.
 */
typedef struct {
    size_t units, section;
    int activation, recurrent_activation;
} fastnn_cell;

/* How one step changes a weight, given its gradient: see optimizer.h. */
typedef struct {
    int optimizer;
    double scale; /* of the summed gradient: 1 / the batch's summed sample weight */
    double l2;    /* the penalty's gradient, l2 * weight, is added before scaling; biases have no penalty */
    double learning_rate, decay_1, decay_2, epsilon;
    double keep; /* what the weights, not the biases, are multiplied by first: decoupled weight decay */
} fastnn_update;

/* Windows over the positions of a map (rows, cols, channels), or of a sequence, which is a map of one row.
 *
 * Window (i, j) begins at position (i * stride_rows - pad_rows, j * stride_cols - pad_cols). What is of it beyond the
 * map does not count, and each window has a position within. The windows' positions are numbered row by row.
 */
typedef struct {
    size_t rows, cols, channels;
    size_t out_rows, out_cols; /* how many windows there are */
    size_t pool_rows, pool_cols;
    size_t stride_rows, stride_cols;
    size_t pad_rows, pad_cols;
} fastnn_windows;

/* The element types X may come in: sources of gather(). */
enum fastnn_source {
#define SOURCE(name, type, convert) FASTNN_##name,
#include "sources.def"
#undef SOURCE
    FASTNN_N_SOURCES
};

/* Numbers are multiplied by scale, and offset is added. */
typedef struct {
    double scale, offset;
} fastnn_rescaling;

/* The caller's array X: any of the types above, read only; dense with any strides (in bytes), or sparse (CSR). */
typedef struct {
    enum fastnn_source type;
    const char *data; /* dense: (n_samples, n_features); sparse: (n_stored) */
    ptrdiff_t row_stride, col_stride;
    size_t n_features;
    const void *columns; /* sparse: (n_stored); an entry whose column is out of range counts as 0 */
    const void *starts;  /* sparse: (n_samples + 1) where each row begins, and the last one ends; NULL: X is dense */
    int wide_indices;    /* columns and starts are int64_t, else int32_t */
    size_t n_stored;     /* entries in data and columns; a row that begins or ends outside of them is empty */
    const fastnn_rescaling *rescaling; /* of what is gathered, once it is converted; NULL: it stays as it is */
} fastnn_samples;

/* What perceptrons learn from: rows of X, dense or sparse (CSR), and the class of each row. */
typedef struct {
    size_t n_features;
    const void *values;     /* dense: (n_samples, n_features); sparse: (n_stored) */
    size_t ld;              /* dense */
    const void *columns;    /* sparse: (n_stored), each 0 ... n_features - 1, in any order; NULL: X is dense */
    const void *starts;     /* sparse: (n_samples + 1) where each row begins in values and columns, and the last ends */
    int wide_indices;       /* columns and starts are int64_t, else int32_t */
    const int32_t *classes; /* (n_samples); ~class, which is negative, for a sample held out */
    const void *weights;    /* (n_samples); NULL: all are 1 */
} fastnn_examples;

/* One threshold unit, for one class against the rest: its settings, what it has learnt, and its sums over samples. */
typedef struct {
    int32_t positive;        /* the class */
    double eta;              /* the factor of a mistake's row, beside the sample's and the class's weight */
    double class_weights[2]; /* of the rest, and of the class */
    double intercept_rate;   /* the intercept's learning rate, divided by eta */
    double alpha, l1_ratio;  /* of the penalty; alpha < 0: no penalty */
    double shrink;           /* L2: the factor of the weights in each step */
    uint64_t average_from;   /* the first step after which the weights are averaged */

    /* What is learnt: weights of the table's type, and all else in double. */
    void *weights; /* (n_features), to be multiplied by scale, so that shrinking them all is one multiplication */
    double scale, intercept;
    double *l1_given; /* (n_features) the part of l1_due that each weight has got; NULL: no L1 penalty */
    double l1_due;
    double *sums; /* (n_features) plus scale_sum * weights: the sum of the averaged weights; NULL: no averaging */
    double scale_sum, intercept_sum;
    uint64_t n_averaged, step;

    double squares, absolutes;   /* of the weights, as the penalty counts them */
    double loss, penalty, score; /* summed over samples since the engine last set them to 0 */
    uint64_t n_mistakes;
    double finite; /* 0, or NaN once a sum was infinite or NaN */
} fastnn_perceptron;

/* A unit, and from which samples it is to learn: order[first], order[first + 1] and so on; order == NULL: first,
 * first + 1 and so on. The order is known up to `known`, so that rows can be fetched ahead. */
typedef struct {
    fastnn_perceptron *unit;
    const uint32_t *order;
    size_t first, known;
} fastnn_visits;

/* The most units that learn at the same time on one thread. */
enum { FASTNN_MOST_UNITS = 4 };

typedef struct {
    const char *level;   /* the instruction set */
    size_t itemsize;     /* of a number: 4 or 8 bytes */
    size_t vector_bytes; /* of a vector */
    size_t tile_rows;    /* of the register tile: the operand that is broadcast */
    size_t tile_cols;    /* of the register tile: a panel's width; grad_input's batch tile */

    /* Weights in and out of their panels; W (fan_in, fan_out) with strides in bytes, b (fan_out) contiguous. */
    void (*pack_matrix)(const fastnn_matrix *matrix, const void *W, ptrdiff_t row_stride, ptrdiff_t col_stride,
                        const void *b);
    void (*unpack_matrix)(const fastnn_matrix *matrix, const void *packed, void *W, void *b);

    /* rows[0 ... n) of X, converted and rescaled, into out (n, n_features); rows == NULL: the first n rows. Of a sparse
     * X they become dense: entries of one row in the same column are added up. */
    void (*gather)(const fastnn_samples *X, const intptr_t *rows, size_t n, void *out, size_t ldo);
    /* rows[first ... last) of a sparse X into their place among the entries, which depends on the rows before them.
     * Entries beyond the capacity are left out. */
    void (*gather_entries)(const fastnn_samples *X, const intptr_t *rows, size_t first, size_t last,
                           const fastnn_entries *out);
    /* Links the entries of n_rows rows that are in columns [first, last) into a list for each column, by row. */
    void (*link_entries)(const fastnn_entries *entries, size_t n_rows, size_t first, size_t last);
    /* The terms of x (rows, cols): for each tile_rows of its rows the columns, and for each tile_rows of its columns
     * the rows, that are not zero throughout. Lists are `stride` apart, and as long as counts say. */
    void (*used_columns)(size_t rows, size_t cols, const void *x, size_t ldx, uint32_t *terms, uint32_t *counts,
                         size_t stride);
    void (*used_rows)(size_t rows, size_t cols, const void *x, size_t ldx, uint32_t *terms, uint32_t *counts,
                      size_t stride);
    /* Whether x (rows, cols) has neither NaN nor infinity. */
    int (*all_finite)(size_t rows, size_t cols, const void *x, size_t ldx);

    /* Panels [first, last) of the forward product: z[:, panels] = x W + b or, where `onto`, z[:, panels] += x W. Whole
     * vectors are written, padding and all: ldz >= n_panels * tile_cols. */
    void (*dense_forward)(const fastnn_matrix *matrix, const fastnn_batch *x, size_t first, size_t last, int onto,
                          void *z, size_t ldz);

    /* The error carried back through W to inputs [first, last) and batch rows [first_row, first_row + tile_cols):
     * delta_in = (delta_out W^T) * f'(kept), f being the activation below and kept what it kept.
     * Of delta_out those rows come transposed (fan_out, tile_cols). delta_in is written as it is (rows, fan_in) and,
     * unless delta_in_t is NULL, those rows transposed as well (fan_in, tile_cols); all tile_cols rows are written, in
     * both. mask (as kept), unless NULL, multiplies delta_in too: see dropout. */
    void (*dense_grad_input)(const fastnn_matrix *matrix, size_t first, size_t last, const void *delta_out_t,
                             size_t first_row, int activation_below, const void *kept, size_t ldk, const void *mask,
                             void *delta_in, size_t ldi, void *delta_in_t);

    /* The gradient of rows [first, last) of W in panels [first_panel, last_panel), x^T delta summed over the batch,
     * given straight to the optimizer; first is a multiple of tile_rows. squares (last_panel - first_panel) gets the
     * sum of those weights' squares before the step, panel by panel, for the penalty. */
    void (*dense_grad_weights)(const fastnn_matrix *matrix, const fastnn_batch *x, size_t first_panel,
                               size_t last_panel, size_t first, size_t last, const void *delta, size_t ldd,
                               const fastnn_update *update, double *squares);
    /* Likewise of a panel's biases: delta summed over the batch. */
    void (*dense_grad_bias)(const fastnn_matrix *matrix, size_t panel, size_t rows, const void *delta, size_t ldd,
                            const fastnn_update *update);

    /* For each of `rows` tokens, ldt apart, its row of W into out. Whole vectors are written, padding and all. For what
     * is no token from 0 to fan_in - 1, the fan_out numbers are NaN. */
    void (*embedding_forward)(const fastnn_matrix *matrix, size_t rows, const void *tokens, size_t ldt, void *out,
                              size_t ldo);
    /* Those tokens that are in [first, last) as entries of a sparse x, of which row i has one 1, in column tokens[i]:
     * entry i. Other entries and heads stay as they are, as do starts and columns. So a thread can link columns of its
     * own, and give them to dense_grad_weights. */
    void (*link_tokens)(size_t rows, const void *tokens, size_t ldt, size_t first, size_t last,
                        const fastnn_entries *out);

    /* z = x * W + b over a grid, of which the sums have terms [first, last). Of each position the fan_out numbers are
     * written, and nothing beyond them. */
    void (*conv_forward)(const fastnn_matrix *matrix, const fastnn_grid *grid, size_t first, size_t last, const void *x,
                         void *z);
    /* The gradients of W and b over a grid, packed as the matrix is, or these added to what is there. delta lies as z
     * does. A vector's length beyond its last number is read, though not used. */
    void (*conv_grad_weights)(const fastnn_matrix *matrix, const fastnn_grid *grid, const void *x, const void *delta,
                              int onto, void *packed_grad);

    /* The step of a whole panel with a gradient that is packed as the weights are, with zeros as padding. Unless
     * squares is NULL it gets the sum of the squares of W's part before the step; if it is NULL, the penalty's gradient
     * is in the gradient already. */
    void (*matrix_step)(const fastnn_matrix *matrix, size_t panel, const void *packed_grad, const fastnn_update *update,
                        double *squares);
    /* For clipping, which needs the whole gradient before a step: the sum of the squares of n numbers. */
    double (*sum_of_squares)(size_t n, const void *x);
    /* onto += x, n numbers of each. */
    void (*add)(size_t n, const void *x, void *onto);

    /* Dropout of rows [first_row, first_row + rows) and columns [first_col, first_col + cols) of a matrix, of which a
     * is that part: mask gets 0 where a unit is dropped, at this rate, and 1 / (1 - rate) elsewhere; kept, unless NULL,
     * gets a; a is multiplied by mask. Which units are dropped depends on seed, step, layer, row and column only. The
     * rows of all three are ld apart. */
    void (*dropout)(uint64_t seed, uint64_t step, uint64_t layer, size_t first_row, size_t rows, size_t first_col,
                    size_t cols, double rate, void *a, void *kept, void *mask, size_t ld);

    /* a = f(z), and delta *= f'(kept), element by element, and delta *= mask (as kept) unless that is NULL. In place is
     * allowed. */
    void (*activate)(int activation, size_t rows, size_t cols, const void *z, size_t ldz, void *a, size_t lda);
    void (*multiply_gradient)(int activation, size_t rows, size_t cols, const void *kept, const void *mask, size_t ldk,
                              void *delta, size_t ldd);

    /* Rows [first, last) of windows over one sample: the largest number of each window, channel by channel, or their
     * mean. Of equal numbers the first is picked; NaN is larger than any other. x is the map's row x_row, out the first
     * of these rows of windows. Rows are `..._stride` numbers apart, positions ld... . picks (last - first, out_cols,
     * channels) gets the numbers of the positions picked, integers as wide as x's numbers; NULL: nobody needs them. */
    void (*max_pool_forward)(const fastnn_windows *windows, size_t first, size_t last, const void *x, size_t x_row,
                             size_t x_stride, size_t ldx, void *out, size_t out_stride, size_t ldo, void *picks);
    void (*average_pool_forward)(const fastnn_windows *windows, size_t first, size_t last, const void *x, size_t x_row,
                                 size_t x_stride, size_t ldx, void *out, size_t out_stride, size_t ldo);
    /* The error carried back to rows [first, last) of the map, of which delta_in is the first. delta and picks are
     * those of all the sample's windows. A position's sum over several windows is in their order. */
    void (*max_pool_grad_input)(const fastnn_windows *windows, size_t first, size_t last, const void *delta,
                                size_t delta_stride, size_t ldd, const void *picks, void *delta_in, size_t in_stride,
                                size_t ldi);
    void (*average_pool_grad_input)(const fastnn_windows *windows, size_t first, size_t last, const void *delta,
                                    size_t delta_stride, size_t ldd, void *delta_in, size_t in_stride, size_t ldi);

    /* Each row of x (rows, cols) shifted and scaled to mean 0 and variance 1, times gamma (cols), plus beta (cols);
     * epsilon is added to the variance. statistics (rows, 2) gets each row's mean, and what it is scaled by; NULL:
     * nobody needs them. Then the error carried back, delta_in (rows, cols); and what the rows add to the gradients of
     * gamma and beta. */
    void (*layer_norm_forward)(size_t rows, size_t cols, double epsilon, const void *x, size_t ldx, const void *gamma,
                               const void *beta, void *out, size_t ldo, void *statistics);
    void (*layer_norm_grad_input)(size_t rows, size_t cols, const void *x, size_t ldx, const void *statistics,
                                  const void *gamma, const void *delta, size_t ldd, void *delta_in, size_t ldi);
    void (*layer_norm_grad_weights)(size_t rows, size_t cols, const void *x, size_t ldx, const void *statistics,
                                    const void *delta, size_t ldd, void *grad_gamma, void *grad_beta);

    /* n rounds of multiply-adds in registers; `sum` is what came of them. Returns the floating-point operations. */
    double (*multiply_add)(size_t n, double *sum);

    /* out = x * scale + offset, number by number. In place is allowed. */
    void (*rescale)(size_t rows, size_t cols, const fastnn_rescaling *by, const void *x, size_t ldx, void *out,
                    size_t ldo);

    /* The mean of each column of x (rows, cols), and the sum of the squared differences from it: of these rows and of
     * rows_before others, whose means and squares (cols) are there. */
    void (*batch_moments)(size_t rows, size_t cols, const void *x, size_t ldx, size_t rows_before, void *means,
                          void *squares);
    /* The mean and the variance (cols) of all rows, of those of parts of part_rows[i] rows: means and squares (n_parts,
     * cols) are ld apart. */
    void (*batch_moments_of_parts)(size_t n_parts, const size_t *part_rows, size_t cols, const void *means,
                                   const void *squares, size_t ld, void *mean, void *variance);
    /* average = momentum * average + (1 - momentum) * x, n numbers of each. */
    void (*moving_average)(size_t n, double momentum, const void *x, void *average);
    /* z (rows, norm->cols) of x; what the rows add to the gradients of gamma and beta, or these added to what is there;
     * and the error carried back. This depends on the complete gradients over a batch of batch_rows rows, whose mean
     * and variance are the norm's; batch_rows is 0 where these do not depend on the batch. In place is allowed. */
    void (*batch_norm_forward)(const fastnn_batch_norm *norm, size_t rows, const void *x, size_t ldx, void *z,
                               size_t ldz);
    void (*batch_norm_grad_weights)(const fastnn_batch_norm *norm, size_t rows, const void *x, size_t ldx,
                                    const void *delta, size_t ldd, int onto, void *grad_gamma, void *grad_beta);
    void (*batch_norm_grad_input)(const fastnn_batch_norm *norm, size_t rows, const void *x, size_t ldx,
                                  const void *delta, size_t ldd, size_t batch_rows, const void *grad_gamma,
                                  const void *grad_beta, void *delta_in, size_t ldi);

    /* One step of a recurrent layer's cells, a sequence in each row. gates and `before` are ld apart.
     * gates has a section x W + b for each gate; recurrent (ldr apart) a section h U for each gate, for the GRU with
     * the recurrent bias; before, the state: a section h and, for the LSTM, a section c. after (lda apart) gets the
     * state after the step, gates what the error needs on its way back. after may be before.
     * simple: h = f(gates + recurrent), which gates gets too.
     * gru:    z, r = s(gates + recurrent); q = recurrent of the third gate; g = f(its gate + r * q);
     *         h = z * h + (1 - z) * g. gates gets z, r, g and, as its fourth section, q.
     * lstm:   i, f, g, o = the gates + recurrent, g by the activation, the others by the recurrent one;
     *         c = f * c + i * g; h = o * activation(c). gates gets i, f, g, o. */
    void (*simple_cell_forward)(const fastnn_cell *cell, size_t rows, void *gates, const void *recurrent, size_t ldr,
                                const void *before, void *after, size_t lda, size_t ld);
    void (*gru_cell_forward)(const fastnn_cell *cell, size_t rows, void *gates, const void *recurrent, size_t ldr,
                             const void *before, void *after, size_t lda, size_t ld);
    void (*lstm_cell_forward)(const fastnn_cell *cell, size_t rows, void *gates, const void *recurrent, size_t ldr,
                              const void *before, void *after, size_t lda, size_t ld);
    /* Back through one step, from the gates that forward left. delta has sections as the state has: the gradient by the
     * state after the step becomes that by the state before it, without what goes through `recurrent`. gates gets the
     * gradient by the sums. They are those of x W + b and of h U alike, but for the GRU's third gate: of its h U the
     * gradient is in the fourth section. */
    void (*simple_cell_grad)(const fastnn_cell *cell, size_t rows, void *gates, const void *before, size_t ld,
                             void *delta, size_t ldd);
    void (*gru_cell_grad)(const fastnn_cell *cell, size_t rows, void *gates, const void *before, size_t ld, void *delta,
                          size_t ldd);
    void (*lstm_cell_grad)(const fastnn_cell *cell, size_t rows, void *gates, const void *before, size_t ld,
                           void *delta, size_t ldd);

    /* The loss of z (rows, n_outputs), times its weights, summed; delta gets its gradient by z, and may be z itself.
     * softmax_loss: of logits z, with a class (rows, at distance ldl) and a weight (rows, at distance ldw) a row;
     * smoothing is the part of the target probability that all classes share.
     * elementwise_loss: losses.def says of what; with a target and a weight for each number of z, and a setting for
     * each column; factor multiplies every weight. */
    double (*softmax_loss)(size_t rows, size_t n_outputs, const void *z, size_t ldz, const int32_t *labels, size_t ldl,
                           const void *weights, size_t ldw, double smoothing, void *delta, size_t ldd);
    double (*elementwise_loss)(int loss, size_t rows, size_t n_outputs, const void *z, size_t ldz, const void *targets,
                               size_t ldt, const void *weights, size_t ldw, const void *settings, double factor,
                               void *delta, size_t ldd);
    /* Rows of logits to probabilities, in place. */
    void (*softmax)(size_t rows, size_t n_outputs, void *z, size_t ldz);
    /* The number of each row's largest probability, or first NaN, of those that softmax makes of logits z; of equal
     * ones the first: logits that are not equal may have equal probabilities. z is overwritten. */
    void (*softmax_labels)(size_t rows, size_t n_outputs, void *z, size_t ldz, intptr_t *labels, size_t ldl);
    /* 1 for each probability above 1/2, else 0. */
    void (*likely_labels)(size_t rows, size_t n_outputs, const void *p, size_t ldp, intptr_t *labels, size_t ldl);

    /* n_rows steps of each of 1 ... FASTNN_MOST_UNITS perceptrons, which share all but their class and its weights. */
    void (*perceptron_learn)(const fastnn_visits *visits, size_t n_units, const fastnn_examples *X, size_t n_rows);
    /* Adds to the unit's score the weights of those of samples [first, last) that are held out and classified
     * correctly. */
    void (*perceptron_score)(fastnn_perceptron *unit, const fastnn_examples *X, size_t first, size_t last);
    /* coef and the means of n_averaged weights (n_features) into the unit's own arrays, and back; l1_given starts at 0.
     */
    void (*perceptron_begin)(fastnn_perceptron *unit, size_t n_features, const void *coef, const void *means);
    void (*perceptron_end)(fastnn_perceptron *unit, size_t n_features, void *coef, void *means);
    /* Whether no weight is infinite or NaN. */
    int (*perceptron_is_finite)(const fastnn_perceptron *unit, size_t n_features);

    /* out (cols, rows) = the transpose of in (rows, cols). */
    void (*transpose)(size_t rows, size_t cols, const void *in, size_t ldi, void *out, size_t ldo);
} fastnn_kernels;

/* The table for a level by name, NULL if it is unknown, was not built, or this CPU lacks it. */
const fastnn_kernels *fastnn_select(const char *level, int is_double);
/* The levels that were built, best first; NULL past the last. */
const char *fastnn_level(int index);
/* Whether this CPU has it. */
int fastnn_cpu_has(const char *level);

#endif
