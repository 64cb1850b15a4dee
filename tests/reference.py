"""A plain NumPy network in float64: it defines what is right, and every kernel is held to it.

One short entry per thing that fastnn lists: tests walk the engine's registries and look each name up here, so that
what has no reference fails. Layers are lists of W (fan_in, fan_out) and of b (fan_out,).
"""

import math
from types import SimpleNamespace

import numpy as np
from scipy.special import expit, log_softmax, softmax

LEAKY_SLOPE = 0.01


def _normal_density(z):
    return np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)


_erfc = np.vectorize(math.erfc, otypes=[float])  # SciPy's loses three digits in its tail


def _normal_cdf(z):
    """By erfc, whose slope makes good what its argument lost by rounding, if z is a long double."""
    exact = -z * np.sqrt(z.dtype.type(0.5))
    rounded = exact.astype(float)
    return 0.5 * (_erfc(rounded) - np.exp(-(exact**2)) * (exact - rounded) * 2 / np.sqrt(np.pi))


# name: (the function, its derivative), both of z. Long doubles stay long doubles.
ACTIVATIONS = {
    "identity": (lambda z: z, np.ones_like),
    "relu": (lambda z: np.maximum(z, 0), lambda z: np.where(z > 0, 1.0, 0.0)),
    "logistic": (expit, lambda z: expit(z) * expit(-z)),
    "tanh": (np.tanh, lambda z: 4 * expit(2 * z) * expit(-2 * z)),
    "leaky_relu": (lambda z: np.where(z > 0, z, LEAKY_SLOPE * z), lambda z: np.where(z > 0, 1.0, LEAKY_SLOPE)),
    "elu": (lambda z: np.where(z > 0, z, np.expm1(np.minimum(z, 0))), lambda z: np.exp(np.minimum(z, 0))),
    "softplus": (lambda z: np.logaddexp(z, 0), expit),
    "gelu": (lambda z: z * _normal_cdf(z), lambda z: _normal_cdf(z) + z * _normal_density(z)),
    "silu": (lambda z: z * expit(z), lambda z: expit(z) * (1 + z * expit(-z))),
}


# -- heads ------------------------------------------------------------------------------------------------------------


def softmax_loss(z, labels):
    """Cross-entropy of integer classes, summed over samples, and its gradient by the logits z."""
    rows = np.arange(len(z))
    delta = softmax(z, axis=1)
    delta[rows, labels] -= 1
    return -log_softmax(z, axis=1)[rows, labels].sum(), delta


def logistic_loss(z, targets):
    """Cross-entropy of each output with its target between 0 and 1, summed, and its gradient by the logits z."""
    return (np.logaddexp(0, z) - z * targets).sum(), expit(z) - targets


OUTPUTS = {"identity": lambda z: z, "softmax": lambda z: softmax(z, axis=1), "logistic": expit}
LOSSES = {"softmax": softmax_loss, "logistic": logistic_loss}


# -- optimizers: step(settings, grad, weight, memory), which returns the new weight and updates memory, a list ---------


def _gradient(o, grad, weight, memory):
    memory[0] = grad
    return weight


def _sgd(o, grad, weight, memory):
    return weight - o.learning_rate * grad


def _momentum(o, grad, weight, memory):
    memory[0] = o.decay_1 * memory[0] - o.learning_rate * grad
    return weight + memory[0]


def _nesterov(o, grad, weight, memory):
    memory[0] = o.decay_1 * memory[0] - o.learning_rate * grad
    return weight + o.decay_1 * memory[0] - o.learning_rate * grad


def _rmsprop(o, grad, weight, memory):
    memory[0] = o.decay_1 * memory[0] + (1 - o.decay_1) * grad**2
    return weight - o.learning_rate * grad / (np.sqrt(memory[0]) + o.epsilon)


def _adam(o, grad, weight, memory):
    memory[0] = o.decay_1 * memory[0] + (1 - o.decay_1) * grad
    memory[1] = o.decay_2 * memory[1] + (1 - o.decay_2) * grad**2
    rate = o.learning_rate * np.sqrt(1 - o.decay_2**o.step) / (1 - o.decay_1**o.step)
    return weight - rate * memory[0] / (np.sqrt(memory[1]) + o.epsilon)


OPTIMIZERS = {
    "gradient": _gradient,
    "sgd": _sgd,
    "momentum": _momentum,
    "nesterov": _nesterov,
    "rmsprop": _rmsprop,
    "adam": _adam,
}


# -- the network ------------------------------------------------------------------------------------------------------


def forward(coefs, intercepts, activations, X):
    """Each layer's sums z = x W + b, the last being the logits, and each layer's inputs x."""
    inputs, sums = [np.asarray(X, float)], []
    for W, b, name in zip(coefs, intercepts, [*activations, "identity"], strict=True):
        sums.append(inputs[-1] @ W + b)
        inputs.append(ACTIVATIONS[name][0](sums[-1]))
    return sums, inputs[:-1]


def gradients(coefs, intercepts, activations, head, X, targets, l2=0.0):
    """A batch's loss, with its penalty, summed; the gradients of the mean loss by every W, and by every b."""
    sums, inputs = forward(coefs, intercepts, activations, X)
    loss, delta = LOSSES[head](sums[-1], targets)
    loss += 0.5 * l2 * sum((W**2).sum() for W in coefs)
    coef_grads, intercept_grads = [], []
    for i in reversed(range(len(coefs))):
        coef_grads.insert(0, (inputs[i].T @ delta + l2 * coefs[i]) / len(X))
        intercept_grads.insert(0, delta.sum(axis=0) / len(X))
        if i > 0:
            delta = (delta @ coefs[i].T) * ACTIVATIONS[activations[i - 1]][1](sums[i - 1])
    return loss, coef_grads, intercept_grads


def train(weights, activations, head, X, targets, order, batch_size, optimizer, **settings):
    """What Trainer.run does with X[order]: the new weights, the summed loss, and the memories, laid out as weights.

    settings are an Optimizer's: learning_rate, l2, decay_1, decay_2, epsilon.
    """
    o = SimpleNamespace(**{"l2": 0.0, "decay_1": 0.0, "decay_2": 0.0, "epsilon": 0.0, "step": 0, **settings})
    n_layers, total = len(weights[0]), 0.0
    parameters = [np.array(p, float) for group in weights for p in group]
    memories = [[np.zeros_like(p), np.zeros_like(p)] for p in parameters]

    def by_group(arrays):
        return arrays[:n_layers], arrays[n_layers:]

    for first in range(0, len(order), batch_size):
        batch = order[first : first + batch_size]
        loss, *grads = gradients(*by_group(parameters), activations, head, X[batch], targets[batch], o.l2)
        total += loss
        o.step += 1
        for i, grad in enumerate([*grads[0], *grads[1]]):
            parameters[i] = OPTIMIZERS[optimizer](o, grad, parameters[i], memories[i])
    return by_group(parameters), total, [by_group(list(memory)) for memory in zip(*memories, strict=True)]
