r"""
The feed-forward network
========================

One unit draws one line. A layer of units draws several, and a unit behind them combines
their answers. Numbers flow from the inputs through the hidden layer to the output, and
never back: hence the name. This page solves XOR, which no single unit can, and computes
by hand what such a network predicts.

.. list-table::
   :stub-columns: 1
   :widths: 25 75

   * - weights
     - a matrix :math:`W` of shape (inputs, units) for each layer, ``coefs_``
   * - bias
     - a vector :math:`b` with a number for each unit, ``intercepts_``
   * - activation
     - a smooth function :math:`f` of each sum in place of the step, and for the answer
       one whose values are probabilities
   * - forward propagation
     - :math:`a = f(x W + b)`, layer by layer
   * - cost function
     - the log-loss: minus the logarithm of the probability of the right class
   * - back-propagation
     - finds the gradient for all layers; :doc:`plot_3_multilayer` derives it
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_moons
from sklearn.model_selection import train_test_split

from fastnn import MLPClassifier
from fastnn.plot import ActivationsDisplay, NetworkDisplay

# sphinx_gallery_thumbnail_number = 2
# sphinx_gallery_capture_repr = ()

# %%
# XOR by a hidden layer
# ---------------------
#
# XOR is "one or the other, but not both": OR and NAND at once. Both are single units,
# and so is AND, which combines them. Three units with weights chosen by hand are a
# network that computes XOR:


def step(z):
    return (z > 0).astype(int)


corners = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
xor = np.array([0, 1, 1, 0])
# A column for each unit: OR and NAND.
W1, b1 = (
    np.array([[2, -2], [2, -2]]),
    np.array([-1, 3]),
)
W2, b2 = np.array([[2], [2]]), np.array([-3])  # AND of the two

hidden = step(corners @ W1 + b1)
answers = step(hidden @ W2 + b2)[:, 0]
for x, (is_or, is_nand), answer in zip(
    corners, hidden, answers, strict=True
):
    print(f"x = {x}   OR {is_or}   NAND {is_nand}   XOR {answer}")
assert np.array_equal(answers, xor)

# %%
# A network that is to *learn* its weights cannot use steps. A step is flat nearly
# everywhere: a small change of a weight changes nothing, so nothing says which way is
# better. The remedy is an activation with a slope.
#
# Activations
# -----------
#
# An activation is a function of one number, which each unit applies to its sum. These
# are the four that scikit-learn has, too; fastnn has six more. Learning follows the
# slope, drawn dashed. Where it is 0, a unit learns nothing.

functions = {
    "logistic": (
        lambda z: 1 / (1 + np.exp(-z)),
        lambda z, a: a * (1 - a),
    ),
    "tanh": (np.tanh, lambda z, a: 1 - a**2),
    "relu": (
        lambda z: np.maximum(z, 0),
        lambda z, a: (z > 0).astype(float),
    ),
    "identity": (lambda z: z, lambda z, a: np.ones_like(z)),
}
z = np.linspace(-4, 4, 401)
figure, axes = plt.subplots(
    1, 4, figsize=(10, 2.8), layout="constrained", sharex=True
)
for ax, (name, (function, slope)) in zip(
    axes, functions.items(), strict=True
):
    a = function(z)
    ax.axhline(0, color="0.8", lw=0.8)
    ax.plot(z, a, color="#0072B2", lw=2, label="value")
    ax.plot(
        z,
        slope(z, a),
        color="#D55E00",
        lw=1.5,
        ls="--",
        label="slope",
    )
    ax.set(title=name, xlabel="sum", ylim=(-1.3, 2.3))
axes[0].legend(frameon=False, loc="upper left")
axes[0].set_ylabel("activation")

# %%
# Without an activation (``"identity"``) a second layer adds nothing, because a product
# of matrices is a matrix: :math:`(x W_1 + b_1) W_2 + b_2 = x\,(W_1 W_2) + (b_1 W_2 +
# b_2)`. Such a network draws one line only, and fails on XOR.

linear = MLPClassifier(
    (8,), activation="identity", solver="lbfgs", random_state=0
).fit(corners, xor)
score = linear.score(corners, xor)
print(f"without an activation: {score:.0%} of XOR is right")
assert score <= 0.75

# %%
# Learning XOR
# ------------
#
# Two hidden units with tanh suffice. The solver L-BFGS is meant for small data such as
# these four samples. A network this small may also end in a place where every small
# change makes it worse, a local minimum: that depends on its random initial weights,
# and so on ``random_state``.

model = MLPClassifier(
    (2,),
    activation="tanh",
    solver="lbfgs",
    alpha=1e-3,
    max_iter=500,
    random_state=0,
)
model.fit(corners, xor)
for x, probability in zip(
    corners, model.predict_proba(corners)[:, 1], strict=True
):
    print(f"x = {x}   probability of 1: {probability:.3f}")
assert model.score(corners, xor) == 1

# %%
# The hidden layer bends the plane so that one line suffices. On the left is what the
# network sees: the two dashed lines are where its hidden units' sums are 0. On the
# right are the same points as the output unit gets them, at the values of the two
# hidden units, with the one line that the output unit draws there. The two samples of
# class 0 have come to nearly the same place.

W1, W2 = model.coefs_
b1, b2 = model.intercepts_
grid = np.linspace(-0.5, 1.5, 200)
plane = np.stack(np.meshgrid(grid, grid), axis=-1).reshape(-1, 2)
extent = (grid[0], grid[-1], grid[0], grid[-1])

figure, (left, right) = plt.subplots(
    1, 2, figsize=(9, 4.2), layout="constrained"
)
figure.get_layout_engine().set(wspace=0.08)
shades = left.imshow(
    model.predict_proba(plane)[:, 1].reshape(200, 200),
    extent=extent,
    origin="lower",
    cmap="cividis",
    vmin=0,
    vmax=1,
)
figure.colorbar(
    shades, ax=left, label="probability of 1", shrink=0.85
)
for unit in range(2):
    left.axline(
        -b1[unit] * W1[:, unit] / (W1[:, unit] @ W1[:, unit]),
        slope=-W1[0, unit] / W1[1, unit],
        c="w",
        ls="--",
    )
left.set(
    xlim=extent[:2],
    ylim=extent[2:],
    xlabel="x0",
    ylabel="x1",
    title="the inputs",
)
hidden = model.hidden_activations(corners)
# The two samples of class 0 have come together.
assert np.allclose(hidden[0], hidden[3], atol=0.1)
right.axline(
    -b2[0] * W2[:, 0] / (W2[:, 0] @ W2[:, 0]),
    slope=-W2[0, 0] / W2[1, 0],
    color="black",
)
right.set(
    xlim=(-1.3, 1.3),
    ylim=(-1.3, 1.3),
    xlabel="hidden unit 0",
    ylabel="hidden unit 1",
    aspect="equal",
)
right.set_title("the same samples in the hidden layer")
for ax, points in ((left, corners), (right, hidden)):
    for label, marker, colour in (
        (0, "o", "#0072B2"),
        (1, "s", "#D55E00"),
    ):
        ax.scatter(
            *points[xor == label].T,
            s=90,
            marker=marker,
            c=colour,
            edgecolor="white",
            label=label,
            zorder=3,
        )
right.legend(title="class", frameon=False, loc="best")

# %%
# Forward propagation by hand
# ---------------------------
#
# Here are two half-moons, which no line separates, and a network with 16 hidden units.

X, y = make_moons(600, noise=0.15, random_state=0)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, random_state=0
)
model = MLPClassifier(
    (16,),
    activation="relu",
    solver="lbfgs",
    alpha=0.01,
    max_iter=1000,
    random_state=0,
)
model.fit(X_train, y_train)
NetworkDisplay.from_estimator(model)

# %%
# The diagram has the shape of what each layer makes, and its parameters: 2 × 16 weights
# and 16 biases in the hidden layer, 16 weights and one bias in the output layer. A
# prediction takes two products of matrices. For a batch of samples, the rows of ``X``,
# they are
#
# .. math::
#    H = \max(0, X W_1 + b_1), \qquad p = \frac{1}{1 + e^{-(H W_2 + b_2)}}.

(W1, W2), (b1, b2) = model.coefs_, model.intercepts_
H = np.maximum(X_test @ W1 + b1, 0)
p = 1 / (1 + np.exp(-(H @ W2 + b2)[:, 0]))

assert np.allclose(
    H, model.hidden_activations(X_test), rtol=1e-12, atol=1e-12
)
assert np.allclose(
    p, model.predict_proba(X_test)[:, 1], rtol=1e-12, atol=1e-12
)
difference = np.abs(p - model.predict_proba(X_test)[:, 1]).max()
n_parameters = sum(
    array.size for array in (*model.coefs_, *model.intercepts_)
)
print(
    f"{n_parameters} parameters; "
    f"largest difference of a probability: {difference:.1e}"
)
assert n_parameters == 2 * 16 + 16 + 16 + 1

# %%
# ``ActivationsDisplay`` draws these numbers for one sample: the two features, the
# hidden units, of which many are 0, and the answer.

ActivationsDisplay.from_estimator(model, X_test, sample=0)

# %%
# The cost function
# -----------------
#
# The network answers with a probability. How good is that? The log-loss of a sample is
# minus the logarithm of the probability that the network gave to the right class: 0 for
# a sure and right answer, and large for a sure and wrong one. Training makes its mean
# small, plus a penalty on large weights, whose strength is ``alpha``:
#
# .. math::
#    L = -\frac 1 n \sum_i \log p_i(\text{class of } i) + \frac{\alpha}{2n} \sum W^2 .

p = model.predict_proba(X_train)
of_right_class = p[np.arange(len(X_train)), y_train]
penalty = (
    model.alpha
    / (2 * len(X_train))
    * sum((W**2).sum() for W in model.coefs_)
)
loss = -np.log(of_right_class).mean() + penalty
print(f"log-loss by hand: {loss:.6f}, by fastnn: {model.loss_:.6f}")
assert np.isclose(loss, model.loss_, rtol=1e-6)

# %%
# The boundary between the two answers is a line with many bends, one at each place
# where a hidden unit switches on.

grid = np.stack(
    np.meshgrid(
        np.linspace(-1.6, 2.6, 300), np.linspace(-1.2, 1.7, 300)
    ),
    axis=-1,
)
probability = model.predict_proba(grid.reshape(-1, 2))[:, 1]
probability = probability.reshape(300, 300)
figure, ax = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
shades = ax.imshow(
    probability,
    extent=(-1.6, 2.6, -1.2, 1.7),
    origin="lower",
    cmap="cividis",
    vmin=0,
    vmax=1,
    aspect="auto",
)
figure.colorbar(shades, label="probability of class 1")
ax.contour(
    grid[..., 0], grid[..., 1], probability, [0.5], colors="white"
)
for label, marker, colour in (
    (0, "o", "#56B4E9"),
    (1, "s", "#D55E00"),
):
    ax.scatter(
        *X_test[y_test == label].T,
        s=22,
        marker=marker,
        c=colour,
        edgecolor="white",
        lw=0.5,
        label=label,
    )
accuracy = model.score(X_test, y_test)
ax.set(
    xlabel="x0",
    ylabel="x1",
    title=f"samples that it has not seen: {accuracy:.1%} are right",
)
ax.legend(title="class", loc="upper left")
assert accuracy > 0.93

# %%
# Try it
# ------
#
# * Train with ``activation="tanh"``: the bends of the boundary become round.
# * Train with 2, 4 and 64 hidden units. When does the boundary begin to follow single
#   samples?
# * Repeat XOR with other values of ``random_state``. How often does it succeed with 2
#   units, and how often with 8?
