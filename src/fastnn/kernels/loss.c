/* Losses and their gradients.
 *
 * Where a loss is computed from logits its gradient is "predicted minus wanted", the canonical link's reward. Losses
 * are added up in double, row by row. What has no weight adds nothing, not even NaN.
 */
#include "losses.h"
#include "table.h"
#include "vmath.h"

#include <math.h>

/* The vector at column j of a row; lanes past the row's end are filled, and not stored. */
INLINE vreal load_row(const real *row, size_t j, size_t cols, real fill)
{
    return j + LANES <= cols ? load(row + j) : load_part(row + j, cols - j, fill);
}

INLINE void store_row(real *row, size_t j, size_t cols, vreal v)
{
    if (j + LANES <= cols)
        store(row + j, v);
    else
        store_part(row + j, cols - j, v);
}

/* The largest of a row; NaN if any is, so that what follows is NaN too. */
static real largest(const real *row, size_t cols)
{
    real best = row[0];
    for (size_t j = 1; j < cols; j++)
        if (!(row[j] <= best))
            best = row[j];
    return best;
}

/* out = exp(row - largest), which cannot overflow; returns their sum, at least 1. */
static real exponentials(const real *row, size_t cols, real shift, real *out)
{
    vreal sum = {0};
    for (size_t j = 0; j < cols; j += LANES) {
        vreal e = v_exp(load_row(row, j, cols, -INFINITY) - shift);
        sum += e;
        store_row(out, j, cols, e);
    }
    return sum_lanes(sum);
}

static void scale_row(real *row, size_t cols, real factor)
{
    for (size_t j = 0; j < cols; j++)
        row[j] *= factor;
}

static void fill_row(real *row, size_t cols, real value)
{
    for (size_t j = 0; j < cols; j++)
        row[j] = value;
}

/* -- cross-entropy of one class among several ---------------------------------------------------------------------- */

double KERNEL(softmax_loss)(size_t rows, size_t n_outputs, const void *z_matrix, size_t ldz, const int32_t *labels,
                            size_t ldl, const void *weight_matrix, size_t ldw, double smoothing, void *delta_matrix,
                            size_t ldd)
{
    const double shared = smoothing / (double)n_outputs; /* of the wanted probability, with every class */
    double loss = 0;
    for (size_t i = 0; i < rows; i++) {
        const real *z = (const real *)z_matrix + i * ldz;
        real *delta = (real *)delta_matrix + i * ldd;
        const real weight = ((const real *)weight_matrix)[i * ldw];
        const int32_t label = labels[i * ldl];
        if (weight == 0) {
            fill_row(delta, n_outputs, 0);
            continue;
        }
        /* Before delta, which may be z itself, is written. */
        real shift = largest(z, n_outputs);
        double wanted = z[label];
        if (smoothing != 0) {
            wanted *= 1 - smoothing;
            for (size_t j = 0; j < n_outputs; j++)
                wanted += shared * (double)z[j];
        }
        real sum = exponentials(z, n_outputs, shift, delta);
        loss += (double)weight * (log((double)sum) + ((double)shift - wanted));
        scale_row(delta, n_outputs, weight / sum);
        delta[label] -= weight * (real)(1 - smoothing);
        if (smoothing != 0)
            for (size_t j = 0; j < n_outputs; j++)
                delta[j] -= weight * (real)shared;
    }
    return loss;
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
            vreal weight = factor * load_row(weights, j, n_outputs, 0), gradient;
            vreal lost = function(load_row(z, j, n_outputs, 0), load_row(targets, j, n_outputs, 0),
                                  load_row(settings, j, n_outputs, 0), &gradient);
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

void KERNEL(softmax)(size_t rows, size_t n_outputs, void *z_matrix, size_t ldz)
{
    for (size_t i = 0; i < rows; i++) {
        real *z = (real *)z_matrix + i * ldz;
        real sum = exponentials(z, n_outputs, largest(z, n_outputs), z);
        scale_row(z, n_outputs, 1 / sum);
    }
}
