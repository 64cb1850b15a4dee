"""Distributions of initial weights, by Keras's names.

Their variance is a multiple of 1 / fan, where fan_in is the number of terms of a sum, and fan_out the number of sums
that a number is a term of, taps of a convolution included.
"""

import math

import numpy as np

from fastnn.layers.rules import one_of

# A normal distribution that is cut off at two standard deviations has this standard deviation.
_CUT_DEVIATION = 0.87962566103423978


def _fans(shape):
    taps = math.prod(shape[:-2])
    return taps * shape[-2], taps * shape[-1]


def _glorot(shape):
    return 2 / sum(_fans(shape))


def _he(shape):
    return 2 / _fans(shape)[0]


def _lecun(shape):
    return 1 / _fans(shape)[0]


def _uniform(variance):
    def draw(shape, random_state):
        bound = math.sqrt(3 * variance(shape))
        return random_state.uniform(-bound, bound, shape)

    return draw


def _cut_normal(variance):
    def draw(shape, random_state):
        numbers = random_state.standard_normal(math.prod(shape))
        outside = np.flatnonzero(np.abs(numbers) > 2)
        while len(outside):
            numbers[outside] = random_state.standard_normal(len(outside))
            outside = outside[np.abs(numbers[outside]) > 2]
        return (numbers * (math.sqrt(variance(shape)) / _CUT_DEVIATION)).reshape(shape)

    return draw


def _orthogonal(shape, random_state):
    rows, cols = math.prod(shape[:-1]), shape[-1]
    q, r = np.linalg.qr(random_state.standard_normal((max(rows, cols), min(rows, cols))))
    q *= np.where(np.diag(r) < 0, -1.0, 1.0)  # else the distribution would depend on LAPACK's choice of signs
    return (q if rows >= cols else q.T).reshape(shape)


#: A function of the kernel's shape and a RandomState for each name.
INITIALIZERS = {
    "glorot_uniform": _uniform(_glorot),
    "glorot_normal": _cut_normal(_glorot),
    "he_uniform": _uniform(_he),
    "he_normal": _cut_normal(_he),
    "lecun_uniform": _uniform(_lecun),
    "lecun_normal": _cut_normal(_lecun),
    "orthogonal": _orthogonal,
    "zeros": lambda shape, random_state: np.zeros(shape),
    "ones": lambda shape, random_state: np.ones(shape),
}
INITIALIZER = one_of(INITIALIZERS)
