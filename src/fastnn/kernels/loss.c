/* The output heads: losses and their gradients, computed from the logits.
 *
 * Both gradients are "predicted minus wanted", the canonical link's reward. Losses are added up in double, row by row.
 */
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

double KERNEL(softmax_loss)(size_t rows, size_t n_outputs, const void *z_matrix, size_t ldz, const int32_t *labels,
                            void *delta_matrix, size_t ldd)
{
    double loss = 0;
    for (size_t i = 0; i < rows; i++) {
        const real *z = (const real *)z_matrix + i * ldz;
        real *delta = (real *)delta_matrix + i * ldd;
        real shift = largest(z, n_outputs);
        real wanted = z[labels[i]]; /* before delta, which may be z itself, is written */
        real sum = exponentials(z, n_outputs, shift, delta);
        loss += log((double)sum) + ((double)shift - (double)wanted);
        scale_row(delta, n_outputs, 1 / sum);
        delta[labels[i]] -= 1;
    }
    return loss;
}

double KERNEL(logistic_loss)(size_t rows, size_t n_outputs, const void *z_matrix, size_t ldz, const void *target_matrix,
                             size_t ldt, void *delta_matrix, size_t ldd)
{
    double loss = 0;
    for (size_t i = 0; i < rows; i++) {
        const real *z = (const real *)z_matrix + i * ldz, *targets = (const real *)target_matrix + i * ldt;
        real *delta = (real *)delta_matrix + i * ldd;
        vreal row_loss = {0};
        for (size_t j = 0; j < n_outputs; j += LANES) {
            /* Padding that loses nothing: probability 0 where 0 is wanted. */
            vreal logit = load_row(z, j, n_outputs, -INFINITY), target = load_row(targets, j, n_outputs, 0);
            /* log(1 + e^z) - z t, with z's sign taken out so that the exponential cannot overflow. */
            vreal positive = choose(logit > 0, logit, (vreal){0});
            vreal lost =
                positive - choose(target != 0, logit * target, (vreal){0}) + v_log1p_unit(v_exp(-absolute(logit)));
            row_loss += lost;
            store_row(delta, j, n_outputs, v_logistic(logit) - target);
        }
        loss += sum_lanes(row_loss);
    }
    return loss;
}

void KERNEL(softmax)(size_t rows, size_t n_outputs, void *z_matrix, size_t ldz)
{
    for (size_t i = 0; i < rows; i++) {
        real *z = (real *)z_matrix + i * ldz;
        real sum = exponentials(z, n_outputs, largest(z, n_outputs), z);
        scale_row(z, n_outputs, 1 / sum);
    }
}
