/* What each optimizer does to a vector of weights, given its gradient.
 *
 * step_<name>(c, grad, weight, memory, stride) returns the new weights. The optimizer's k-th memory of them is at
 * memory + k * stride. The formulas are scikit-learn's (sgd, adam) and Keras's (rmsprop); the bias correction of adam
 * is in the learning rate, which the engine computes once a step.
 */
#ifndef FASTNN_OPTIMIZER_H
#define FASTNN_OPTIMIZER_H

#include "kernels.h"
#include "simd.h"

typedef struct {
    real scale, l2, learning_rate, decay_1, decay_2, epsilon, keep;
} update_constants;

INLINE update_constants constants_of(const fastnn_update *update)
{
    return (update_constants){
        .scale = (real)update->scale,
        .l2 = (real)update->l2,
        .learning_rate = (real)update->learning_rate,
        .decay_1 = (real)update->decay_1,
        .decay_2 = (real)update->decay_2,
        .epsilon = (real)update->epsilon,
        .keep = (real)update->keep,
    };
}

INLINE vreal step_gradient(const update_constants *c, vreal grad, vreal weight, real *memory, size_t stride)
{
    (void)c, (void)stride;
    store(memory, grad);
    return weight;
}

INLINE vreal step_accumulate(const update_constants *c, vreal grad, vreal weight, real *memory, size_t stride)
{
    (void)c, (void)stride;
    store(memory, load(memory) + grad);
    return weight;
}

INLINE vreal step_sgd(const update_constants *c, vreal grad, vreal weight, real *memory, size_t stride)
{
    (void)memory, (void)stride;
    return weight - c->learning_rate * grad;
}

/* Polyak's heavy ball; decay_1 is the momentum. */
INLINE vreal step_momentum(const update_constants *c, vreal grad, vreal weight, real *memory, size_t stride)
{
    (void)stride;
    vreal velocity = c->decay_1 * load(memory) - c->learning_rate * grad;
    store(memory, velocity);
    return weight + velocity;
}

/* Nesterov's momentum as Sutskever et al. (2013) rewrote it: the step looks ahead by one more velocity. */
INLINE vreal step_nesterov(const update_constants *c, vreal grad, vreal weight, real *memory, size_t stride)
{
    (void)stride;
    vreal velocity = c->decay_1 * load(memory) - c->learning_rate * grad;
    store(memory, velocity);
    return weight + (c->decay_1 * velocity - c->learning_rate * grad);
}

/* Tieleman and Hinton (2012); decay_1 is rho. */
INLINE vreal step_rmsprop(const update_constants *c, vreal grad, vreal weight, real *memory, size_t stride)
{
    (void)stride;
    vreal square = c->decay_1 * load(memory) + (1 - c->decay_1) * (grad * grad);
    store(memory, square);
    return weight - c->learning_rate * grad / (square_root(square) + c->epsilon);
}

/* Kingma and Ba (2015); decay_1 and decay_2 are beta_1 and beta_2. */
INLINE vreal step_adam(const update_constants *c, vreal grad, vreal weight, real *memory, size_t stride)
{
    vreal mean = c->decay_1 * load(memory) + (1 - c->decay_1) * grad;
    vreal square = c->decay_2 * load(memory + stride) + (1 - c->decay_2) * (grad * grad);
    store(memory, mean);
    store(memory + stride, square);
    return weight - c->learning_rate * mean / (square_root(square) + c->epsilon);
}

/* Duchi, Hazan and Singer (2011). */
INLINE vreal step_adagrad(const update_constants *c, vreal grad, vreal weight, real *memory, size_t stride)
{
    (void)stride;
    vreal squares = load(memory) + grad * grad;
    store(memory, squares);
    return weight - c->learning_rate * grad / (square_root(squares) + c->epsilon);
}

#endif
