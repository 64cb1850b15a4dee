r"""
The multilayer network
======================

A network with several hidden layers computes step by step: the first layer finds simple
patterns in the input, the next ones find patterns of these. What made such networks
possible is an efficient way to find out how each weight of each layer changes the
error: back-propagation. This page writes it out in NumPy, checks it twice, and then
trains networks that read handwritten digits.

.. list-table::
   :stub-columns: 1
   :widths: 25 75

   * - weights
     - a matrix :math:`W_l` for each layer :math:`l`
   * - bias
     - a vector :math:`b_l` for each layer
   * - activation
     - ReLU, :math:`\max(0, z)`, in hidden layers; softmax in the output layer, for
       classes
   * - forward propagation
     - :math:`a_l = f(z_l)` with :math:`z_l = a_{l-1} W_l + b_l`, from :math:`a_0 = x`
       to the probabilities
   * - cost function
     - the log-loss of the right class
   * - back-propagation
     - the error of each layer from that of the next one, down to the first
"""

from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from fastnn import MLPClassifier, fit_many
from fastnn.plot import (
    LossCurveDisplay,
    NetworkDisplay,
    WeightsDisplay,
)

# sphinx_gallery_thumbnail_number = 6
# sphinx_gallery_capture_repr = ()

# %%
# Cost functions
# --------------
#
# For one of several classes, the output layer makes probabilities by softmax:
# :math:`p_k = e^{z_k} / \sum_j e^{z_j}`. The cost should be small if the right class
# has a large probability. Why the log-loss and not the squared error? Take two classes
# and a sample of class 1, and look at the cost as a function of the sum :math:`z`. The
# network is wrong on the left. There the squared error is nearly flat: it has almost no
# slope where the network is most wrong, so that it learns slowly. The slope of the
# log-loss is simply :math:`p - 1`, the error itself.

z = np.linspace(-8, 8, 401)
p = 1 / (1 + np.exp(-z))
costs = {
    "log-loss": (-np.log(p), p - 1),
    "squared error": ((p - 1) ** 2 / 2, (p - 1) * p * (1 - p)),
}
figure, (left, right) = plt.subplots(
    1, 2, figsize=(9, 3.4), layout="constrained", sharex=True
)
for (name, (cost, slope)), colour, style in zip(
    costs.items(), ("#0072B2", "#D55E00"), ("-", "--"), strict=True
):
    left.plot(z, cost, style, color=colour, lw=2, label=name)
    right.plot(z, slope, style, color=colour, lw=2, label=name)
left.set(
    xlabel="sum z of a sample of class 1",
    ylabel="cost",
    ylim=(-0.2, 8.2),
)
right.set(
    xlabel="sum z of a sample of class 1",
    ylabel="slope of the cost",
    ylim=(-1.1, 0.1),
)
left.legend(frameon=False)
numerical = np.gradient(costs["log-loss"][0], z)
assert np.allclose(numerical[1:-1], (p - 1)[1:-1], atol=1e-3)

# %%
# Regressors have other costs: the squared error, whose best answer is the mean, the
# absolute error, whose best answer is the median, and others that
# ``MLPRegressor(loss=...)`` names.
#
# Back-propagation
# ----------------
#
# The gradient says for each weight how much the cost grows if the weight grows a
# little. One could find it by trying: change one weight, compute the cost anew, and so
# on for all weights. With half a million weights that takes half a million
# computations. The chain rule needs one pass forward and one back.
#
# Call :math:`\delta_l` the gradient of the cost by the sums :math:`z_l` of layer
# :math:`l`, with a row for each of :math:`n` samples. For softmax with the log-loss it
# is the error of the probabilities; then each layer follows from the one above it:
#
# .. math::
#    \delta_L &= \tfrac 1 n (p - t) \\
#    \delta_{l-1} &= (\delta_l W_l^\top) \odot f'(z_{l-1}) \\
#    \frac{\partial C}{\partial W_l} &= a_{l-1}^\top \delta_l, \qquad
#    \frac{\partial C}{\partial b_l} = \sum_{\text{samples}} \delta_l
#
# Here :math:`t` has 1 for the right class and 0 for others, and :math:`\odot`
# multiplies number by number. In NumPy:


def forward(X, coefs, intercepts):
    """X, and what each layer makes of it: probabilities at last."""
    a = [X]
    for W, b in zip(coefs, intercepts, strict=True):
        z = a[-1] @ W + b
        a.append(np.maximum(z, 0))
    # The largest power is 1, so that no power overflows.
    powers = np.exp(z - z.max(axis=1, keepdims=True))
    a[-1] = powers / powers.sum(axis=1, keepdims=True)
    return a


def cost(X, y, coefs, intercepts):
    return -np.log(
        forward(X, coefs, intercepts)[-1][np.arange(len(X)), y]
    ).mean()


def gradients(X, y, coefs, intercepts):
    """The gradients of the cost by matrices and by biases."""
    a = forward(X, coefs, intercepts)
    delta = (a[-1] - np.eye(10)[y]) / len(X)
    by_coefs, by_intercepts = [], []
    for layer in reversed(range(len(coefs))):
        by_coefs.insert(0, a[layer].T @ delta)
        by_intercepts.insert(0, delta.sum(axis=0))
        slope = a[layer] > 0  # of ReLU: 1 or 0
        delta = (delta @ coefs[layer].T) * slope
    return by_coefs, by_intercepts


# %%
# First check: finite differences
# -------------------------------
#
# Trying is slow, but it cannot be wrong by much. Take a network for small digits,
# change some of its weights by a little in both directions, and compare the change of
# the cost with what back-propagation says.

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X / 16, y, random_state=0
)

settings = {
    "solver": "sgd",
    "learning_rate_init": 0.1,
    "momentum": 0,
    "alpha": 0,
    "batch_size": len(X_train),
}
model = MLPClassifier((32, 16), random_state=0, **settings)
model.partial_fit(X_train, y_train, classes=np.arange(10))
coefs, intercepts = (
    [W.copy() for W in model.coefs_],
    [b.copy() for b in model.intercepts_],
)
by_coefs, by_intercepts = gradients(
    X_train, y_train, coefs, intercepts
)

rng = np.random.default_rng(0)
change, errors = 1e-6, []
for layer, W in enumerate(coefs):
    for _ in range(20):
        place = tuple(rng.integers(W.shape))
        before = W[place]
        W[place] = before + change
        above = cost(X_train, y_train, coefs, intercepts)
        W[place] = before - change
        below = cost(X_train, y_train, coefs, intercepts)
        W[place] = before
        errors.append(
            abs(
                (above - below) / (2 * change)
                - by_coefs[layer][place]
            )
        )
largest = max(np.abs(gradient).max() for gradient in by_coefs)
print(
    f"largest gradient {largest:.4f}, "
    f"largest difference {max(errors):.1e}"
)
assert max(errors) < 1e-7

# %%
# Second check: a step of fastnn
# ------------------------------
#
# Gradient descent subtracts the gradient times the step size, :math:`\eta`, from each
# weight. One call of ``partial_fit`` with all samples in one batch is one such step.
# What it subtracts must be our gradient.

model.partial_fit(X_train, y_train)
for ours, before, after in zip(
    (*by_coefs, *by_intercepts),
    (*coefs, *intercepts),
    (*model.coefs_, *model.intercepts_),
    strict=True,
):
    assert np.allclose(
        after, before - 0.1 * ours, rtol=0, atol=1e-14
    )
difference = max(
    np.abs((before - after) / 0.1 - ours).max()
    for ours, before, after in zip(
        by_coefs, coefs, model.coefs_, strict=True
    )
)
print(
    "largest difference between the two gradients: "
    f"{difference:.1e}"
)

# %%
# From gradients to steps: optimizers
# -----------------------------------
#
# All solvers use this gradient :math:`g`, of one small batch of samples after the
# other. They differ in the step:
#
# * ``"sgd"`` goes down the gradient. With momentum it keeps a part of its last step, as
#   a heavy ball does.
# * ``"rmsprop"`` divides each weight's gradient by its recent size, so that weights
#   with small gradients move, too:
#
#   .. math::
#      v \leftarrow \rho\, v + (1 - \rho)\, g^2, \qquad
#      w \leftarrow w - \eta\, \frac{g}{\sqrt v + \epsilon}
#
# * ``"adam"`` does so with momentum.
# * ``"adagrad"`` divides by the size of all gradients so far, so that its steps become
#   smaller and smaller.
#
# fastnn's reference network has layers of 784, 512, 256 and 10 units, for images of 28
# × 28 pixels, and is trained by RMSprop in batches of 64. How many weights and biases
# does it have?

sizes = [784, 512, 256, 10]
n_parameters = sum(
    (fan_in + 1) * fan_out for fan_in, fan_out in pairwise(sizes)
)
print(f"{n_parameters:,} parameters")
assert n_parameters == 535_818

# %%
# It is trained by ``python -m fastnn --data DIR`` on MNIST's images, where DIR has
# MNIST's files. This is the same network for the small digits: fewer pixels, and fewer
# units.

network = MLPClassifier(
    (128, 64),
    solver="rmsprop",
    batch_size=64,
    learning_rate_init=0.001,
    early_stopping=True,
    random_state=0,
)
network.fit(X_train, y_train)
accuracy = network.score(X_test, y_test)
print(
    f"{accuracy:.3f} of {len(X_test)} images that it has not "
    "seen are right"
)
assert accuracy > 0.95
NetworkDisplay.from_estimator(network)

# %%
# ``early_stopping`` holds some samples out, watches the score on them, and keeps the
# weights of the best epoch. The training loss would go on falling. The loss on the
# samples held out says when the network begins to learn its training samples by heart.

LossCurveDisplay.from_estimator(network, validation="both")

# %%
# What it has learnt
# ------------------
#
# The weights of each of the first layer's units are an image: bright where ink speaks
# for the unit, dark where it speaks against it. A few have strokes in them, and most
# look like noise to us. What one unit finds means little alone; the network reads all
# of them together.

WeightsDisplay.from_estimator(network, image_shape=(8, 8))

# %%
# The weights of all layers as histograms show at a glance whether a layer has stayed
# small or grown large. The peak at 0 is of weights that the cost does not depend on,
# such as those of pixels that never have ink. Only the penalty moves them, towards 0,
# and RMSprop makes normal steps of the smallest gradients.

never_inked = X_train.max(axis=0) == 0
largest = np.abs(network.coefs_[0][never_inked]).max()
print(
    f"{never_inked.sum()} pixels never have ink; "
    f"their largest weight is {largest:.1e}"
)
assert largest < 0.01

WeightsDisplay.from_estimator(network, kind="histograms")

# %%
# Which optimizer?
# ----------------
#
# ``fit_many`` trains several models side by side. Each gets the same network, the same
# first weights, and the same batches; the step sizes are usual ones for each solver.

steps = {
    "sgd": {
        "solver": "sgd",
        "learning_rate_init": 0.05,
        "momentum": 0,
    },
    "sgd with momentum": {
        "solver": "sgd",
        "learning_rate_init": 0.05,
        "momentum": 0.9,
    },
    "rmsprop": {"solver": "rmsprop", "learning_rate_init": 0.001},
    "adam": {"solver": "adam", "learning_rate_init": 0.001},
    "adagrad": {"solver": "adagrad", "learning_rate_init": 0.01},
}
shared = {
    "batch_size": 64,
    "max_iter": 30,
    "learning_rate": "cosine",
    "random_state": 0,
}
candidates = {
    name: MLPClassifier((128, 64), **step, **shared)
    for name, step in steps.items()
}
fit_many(list(candidates.values()), X_train, y_train)
LossCurveDisplay.from_estimator(candidates, log_scale=True)
for name, candidate in candidates.items():
    accuracy = candidate.score(X_test, y_test)
    print(
        f"{name:18} loss {candidate.loss_:.4f}, "
        f"accuracy {accuracy:.3f}"
    )
assert all(
    candidate.score(X_test, y_test) > 0.9
    for candidate in candidates.values()
)

# %%
# A low training loss is not the aim: look at the accuracy on samples that the network
# has not seen.
#
# Try it
# ------
#
# * Give the network dropout, ``dropout=0.2``, and look at the two loss curves again.
# * Add a third hidden layer. Does it help with images this small?
# * Leave ``* (a[layer] > 0)`` out of ``gradients``. Which of the two checks finds it?
