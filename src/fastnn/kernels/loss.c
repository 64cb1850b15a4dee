/* Losses and their gradients.
 *
 * Where a loss is computed from logits, its gradient is the prediction minus the target, as for every canonical link.
 * Losses are added up in double, row by row. A row or target of weight 0 adds nothing, not even NaN.
 */
#include "losses.h"
#include "table.h"
#include "transpose.h"
#include "vmath.h"

#include <math.h>

/* -- softmax ------------------------------------------------------------------------------------------------------- */

/* exp(z - the row's largest), which cannot overflow, and their sum, at least 1; a row with NaN becomes NaN. */
static void exponentials_of_row(const real *z, size_t n_outputs, real *out, real *shift, real *sum)
{
    vreal sums = {0};
    *shift = z[0];
    for (size_t j = 1; j < n_outputs; j++)
        *shift = z[j] > *shift ? z[j] : *shift;
    for (size_t j = 0; j < n_outputs; j += LANES) {
        vreal e = v_exp(load_row_filled(z, j, n_outputs, -INFINITY) - *shift);
        sums += e;
        store_row(out, j, n_outputs, e);
    }
    *sum = sum_lanes(sums);
}

INLINE void turn_back(size_t rows, size_t n_outputs, vreal turned[], real *out, size_t ldo)
{
    for (size_t j = 0; j < n_outputs; j += LANES) {
        vreal *block = turned + j;
        transpose_lanes(block);
        for (size_t i = 0; i < rows; i++)
            store_row(out + i * ldo, j, n_outputs, block[i]);
    }
}

INLINE void exponentials_of_turned(size_t n_outputs, vreal turned[], vreal *shift, vreal *sum)
{
    *shift = turned[0], *sum = (vreal){0};
    for (size_t j = 1; j < n_outputs; j++)
        *shift = choose(turned[j] > *shift, turned[j], *shift);
    for (size_t j = 0; j < n_outputs; j++) {
        turned[j] = v_exp(turned[j] - *shift);
        *sum += turned[j];
    }
}

static void scale_row(real *row, size_t cols, real factor)
{
    for (size_t j = 0; j < cols; j += LANES)
        store_row(row, j, cols, factor * load_row(row, j, cols));
}

static void fill_row(real *row, size_t cols, real value)
{
    for (size_t j = 0; j < cols; j++)
        row[j] = value;
}

static void softmax_of_few(size_t rows, size_t n_outputs, real *z, size_t ldz)
{
    vreal turned[FEW_OUTPUTS + LANES], shift, sum;
    turn_rows(rows, n_outputs, z, ldz, turned);
    exponentials_of_turned(n_outputs, turned, &shift, &sum);
    for (size_t j = 0; j < n_outputs; j++)
        turned[j] *= 1 / sum;
    turn_back(rows, n_outputs, turned, z, ldz);
}

void KERNEL(softmax)(size_t rows, size_t n_outputs, void *z, size_t ldz)
{
    real *row = z, shift, sum;
    if (n_outputs <= FEW_OUTPUTS)
        for (size_t i = 0; i < rows; i += LANES)
            softmax_of_few(rows - i < LANES ? rows - i : LANES, n_outputs, row + i * ldz, ldz);
    else
        for (size_t i = 0; i < rows; i++, row += ldz) {
            exponentials_of_row(row, n_outputs, row, &shift, &sum);
            scale_row(row, n_outputs, 1 / sum);
        }
}

/* -- cross-entropy of one class among several ---------------------------------------------------------------------- */

/* The logit of a row's class or, smoothed, the mean of its logits, weighted by their target probabilities. */
INLINE double target_logit(const real *z, size_t n_outputs, int32_t label, double smoothing)
{
    double shared = 0;
    if (smoothing == 0)
        return z[label];
    for (size_t j = 0; j < n_outputs; j++)
        shared += smoothing / (double)n_outputs * (double)z[j];
    return shared + (1 - smoothing) * z[label];
}

/* The sum of weight * log(x). Successive terms of the same weight need one logarithm, of their product. */
typedef struct {
    double total, product, weight;
} sum_of_logs;

INLINE void take_log(sum_of_logs *sum)
{
    if (sum->product != 1)
        sum->total += sum->weight * log(sum->product);
    sum->product = 1;
}

/* x is from 1 to the number of outputs, or NaN. */
INLINE void add_log(sum_of_logs *sum, double x, double weight)
{
    if (weight != sum->weight || sum->product > 0x1p900)
        take_log(sum);
    sum->weight = weight;
    sum->product *= x;
}

/* The loss so far, but for its logarithms; and what a class's target probability is made of. */
typedef struct {
    double loss;
    sum_of_logs logs;
    double smoothing;
    real own, shared; /* with the row's class, and with every class */
} softmax_sums;

INLINE void add_row_loss(softmax_sums *sums, real weight, real shift, double target, real sum)
{
    sums->loss += (double)weight * ((double)shift - target);
    add_log(&sums->logs, (double)sum, (double)weight);
}

/* Of up to LANES rows of few outputs, while they are turned. */
static void softmax_loss_of_few(size_t rows, size_t n_outputs, const real *z, size_t ldz, const int32_t *labels,
                                size_t ldl, const real *weights, size_t ldw, softmax_sums *sums, real *delta,
                                size_t ldd)
{
    vreal turned[FEW_OUTPUTS + LANES], weight = {0}, shift, sum;
    double targets[LANES];
    real *gradients = (real *)turned;
    for (size_t i = 0; i < rows; i++) {
        targets[i] = target_logit(z + i * ldz, n_outputs, labels[i * ldl], sums->smoothing);
        weight[i] = weights[i * ldw];
    }
    turn_rows(rows, n_outputs, z, ldz, turned);
    exponentials_of_turned(n_outputs, turned, &shift, &sum);
    for (size_t j = 0; j < n_outputs; j++)
        turned[j] = choose(weight != 0, turned[j] * (weight / sum), (vreal){0});
    for (size_t i = 0; i < rows; i++)
        if (weight[i] != 0) {
            add_row_loss(sums, weight[i], shift[i], targets[i], sum[i]);
            gradients[labels[i * ldl] * LANES + i] -= weight[i] * sums->own;
        }
    for (size_t j = 0; sums->smoothing != 0 && j < n_outputs; j++)
        turned[j] -= weight * sums->shared;
    turn_back(rows, n_outputs, turned, delta, ldd);
}

static void softmax_loss_of_row(size_t n_outputs, const real *z, int32_t label, real weight, softmax_sums *sums,
                                real *delta)
{
    double target = target_logit(z, n_outputs, label, sums->smoothing); /* now: delta may be z itself */
    real shift, sum;
    exponentials_of_row(z, n_outputs, delta, &shift, &sum);
    if (weight == 0) {
        fill_row(delta, n_outputs, 0);
        return;
    }
    add_row_loss(sums, weight, shift, target, sum);
    scale_row(delta, n_outputs, weight / sum);
    delta[label] -= weight * sums->own;
    for (size_t j = 0; sums->smoothing != 0 && j < n_outputs; j++)
        delta[j] -= weight * sums->shared;
}

double KERNEL(softmax_loss)(size_t rows, size_t n_outputs, const void *z, size_t ldz, const int32_t *labels, size_t ldl,
                            const void *weights, size_t ldw, double smoothing, void *delta, size_t ldd)
{
    const real *logits = z, *weight = weights;
    real *deltas = delta;
    softmax_sums sums = {0, {0, 1, 0}, smoothing, (real)(1 - smoothing), (real)(smoothing / (double)n_outputs)};
    if (n_outputs <= FEW_OUTPUTS)
        for (size_t i = 0; i < rows; i += LANES)
            softmax_loss_of_few(rows - i < LANES ? rows - i : LANES, n_outputs, logits + i * ldz, ldz, labels + i * ldl,
                                ldl, weight + i * ldw, ldw, &sums, deltas + i * ldd, ldd);
    else
        for (size_t i = 0; i < rows; i++)
            softmax_loss_of_row(n_outputs, logits + i * ldz, labels[i * ldl], weight[i * ldw], &sums, deltas + i * ldd);
    take_log(&sums.logs);
    return sums.loss + sums.logs.total;
}

/* -- losses of one output ------------------------------------------------------------------------------------------ */

/* loss_name(z, target, setting, gradient): of a vector of outputs or logits z; the gradient is by z. */

/* Cross-entropy with the probability `target`, which the setting, label smoothing, draws towards a half. */
INLINE vreal loss_logistic(vreal z, vreal target, vreal smoothing, vreal *gradient)
{
    target = target * (1 - smoothing) + smoothing * (real)0.5;
    /* log(1 + e^z) - z t, with z's sign taken out so that the exponential cannot overflow. */
    vreal positive = choose(z > 0, z, (vreal){0});
    *gradient = v_logistic(z) - target;
    return positive - choose(target != 0, z * target, (vreal){0}) + v_log1p_unit(v_exp(-absolute(z)));
}

/* Half the deviance, t log(t / mean) - t + mean, of counts t with the mean e^z. */
INLINE vreal loss_poisson(vreal z, vreal target, vreal setting, vreal *gradient)
{
    (void)setting;
    vreal mean = v_exp(z), least = {0}; /* the loss at its least is t - t log t below 0 */
    for (int i = 0; i < LANES; i++)
        if (target[i] > 0)
            least[i] = target[i] * (real)log((double)target[i]) - target[i];
    *gradient = mean - target;
    return mean - choose(target != 0, target * z, (vreal){0}) + least;
}

INLINE vreal loss_squared_error(vreal z, vreal target, vreal setting, vreal *gradient)
{
    (void)setting;
    vreal error = z - target;
    *gradient = error;
    return (real)0.5 * error * error;
}

INLINE vreal loss_absolute_error(vreal z, vreal target, vreal setting, vreal *gradient)
{
    (void)setting;
    vreal error = z - target;
    *gradient = choose(error == 0, error, copy_sign(broadcast(1), error));
    *gradient = choose(error == error, *gradient, error);
    return absolute(error);
}

/* Huber (1964): squared up to the setting, then linear. */
INLINE vreal loss_huber(vreal z, vreal target, vreal delta, vreal *gradient)
{
    vreal error = z - target, size = absolute(error);
    *gradient = at_least(at_most(error, delta), -delta);
    return choose(size > delta, delta * (size - (real)0.5 * delta), (real)0.5 * error * error);
}

/* The pinball loss of the quantile in the setting: Koenker and Bassett (1978). */
INLINE vreal loss_quantile(vreal z, vreal target, vreal quantile, vreal *gradient)
{
    vreal error = z - target;
    vreal slope = choose(error > 0, 1 - quantile, choose(error < 0, -quantile, error));
    *gradient = slope;
    return choose(error == 0, (vreal){0}, slope * error);
}

typedef vreal loss_function(vreal, vreal, vreal, vreal *);

/* Inlined into each case of the switch, where `function` is known and is inlined in turn. */
INLINE double loss_rows(loss_function *function, size_t rows, size_t n_outputs, const real *z, size_t ldz,
                        const real *targets, size_t ldt, const real *weights, size_t ldw, const real *settings,
                        real factor, real *delta, size_t ldd)
{
    double loss = 0;
    for (size_t i = 0; i < rows; i++, z += ldz, targets += ldt, weights += ldw, delta += ldd) {
        vreal row_loss = {0};
        for (size_t j = 0; j < n_outputs; j += LANES) {
            /* Lanes past the end have no weight. */
            vreal weight = factor * load_row(weights, j, n_outputs), gradient;
            vreal lost = function(load_row(z, j, n_outputs), load_row(targets, j, n_outputs),
                                  load_row(settings, j, n_outputs), &gradient);
            row_loss += choose(weight != 0, weight * lost, (vreal){0});
            store_row(delta, j, n_outputs, choose(weight != 0, weight * gradient, (vreal){0}));
        }
        loss += sum_lanes(row_loss);
    }
    return loss;
}

double KERNEL(elementwise_loss)(int loss, size_t rows, size_t n_outputs, const void *z, size_t ldz, const void *targets,
                                size_t ldt, const void *weights, size_t ldw, const void *settings, double factor,
                                void *delta, size_t ldd)
{
    switch ((enum fastnn_loss)loss) {
#define LOSS(name, link, mean)                                                                                     \
    case FASTNN_loss_##name:                                                                                       \
        return loss_rows(loss_##name, rows, n_outputs, z, ldz, targets, ldt, weights, ldw, settings, (real)factor, \
                         delta, ldd);
#include "losses.def"
#undef LOSS
    case FASTNN_N_LOSSES: break;
    }
    return 0;
}
