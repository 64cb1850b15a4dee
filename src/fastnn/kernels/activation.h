/* Each activation of activations.def on one vector: forward_name(), and gradient_name(), its derivative, from the
 * activation's output or its input, whichever activations.def says is kept.
 *
 * NaN passes through every forward_name(), so that a fit that diverges is seen to.
 */
#ifndef FASTNN_ACTIVATION_H
#define FASTNN_ACTIVATION_H

#include "activations.h"
#include "simd.h"
#include "vmath.h"

/* The slope left of 0: scikit-learn has no leaky ReLU; this is PyTorch's default. */
#define LEAKY_RELU_SLOPE ((real)0.01)

INLINE vreal forward_identity(vreal z) { return z; }
INLINE vreal gradient_identity(vreal a)
{
    (void)a;
    return broadcast(1);
}

/* Not z > 0 ? z : 0, which would turn NaN into 0. */
INLINE vreal forward_relu(vreal z) { return at_least(z, broadcast(0)); }
INLINE vreal gradient_relu(vreal a) { return choose(a <= 0, broadcast(0), broadcast(1)); }

INLINE vreal forward_logistic(vreal z) { return v_logistic(z); }
INLINE vreal gradient_logistic(vreal a) { return a * (1 - a); }

INLINE vreal forward_tanh(vreal z) { return v_tanh(z); }
/* 1 - a * a, without its cancellation where |a| is near 1. */
INLINE vreal gradient_tanh(vreal a) { return (1 - a) * (1 + a); }

INLINE vreal forward_leaky_relu(vreal z) { return choose(z > 0, z, LEAKY_RELU_SLOPE * z); }
INLINE vreal gradient_leaky_relu(vreal a) { return choose(a > 0, broadcast(1), broadcast(LEAKY_RELU_SLOPE)); }

INLINE vreal forward_elu(vreal z) { return choose(z > 0, z, v_expm1(z)); }
INLINE vreal gradient_elu(vreal a) { return choose(a > 0, broadcast(1), a + 1); }

/* log(1 + e^z) = max(z, 0) + log(1 + e^-|z|), in which nothing overflows and, far left, nothing is lost beside 1. */
INLINE vreal forward_softplus(vreal z) { return at_least(z, broadcast(0)) + v_log1p_unit(v_exp(-absolute(z))); }
/* The logistic of z, found again from a: 1 - e^-a. */
INLINE vreal gradient_softplus(vreal a) { return -v_expm1(-a); }

/* For outputs that are positive: counts. */
INLINE vreal forward_exp(vreal z) { return v_exp(z); }
INLINE vreal gradient_exp(vreal a) { return a; }

/* The exact one, by the normal distribution: z Phi(z). Phi and phi share an exponential, which compilers see. At
 * z = -inf these two and silu are -inf * 0: NaN, as in PyTorch. */
INLINE vreal forward_gelu(vreal z) { return z * v_normal_cdf(z); }
INLINE vreal gradient_gelu(vreal z) { return v_normal_cdf(z) + z * v_normal_pdf(z); }

INLINE vreal forward_silu(vreal z) { return z * v_logistic(z); }
INLINE vreal gradient_silu(vreal z)
{
    vreal p = v_logistic(z);
    return p * (1 + z * (1 - p));
}

#endif
