r"""
The perceptron
==============

A perceptron is a single unit. It weighs the numbers that it is given, adds them up, and
answers yes or no. It can learn every yes-or-no question whose two answers lie on two
sides of a line, and no other. This page trains perceptrons to be logic gates, shows the
one gate that they cannot be, and counts their mistakes while they learn.

.. list-table::
   :stub-columns: 1
   :widths: 25 75

   * - weights
     - one number :math:`w_j` for each feature: how much the feature counts, and in
       which direction
   * - bias
     - one number :math:`b`: how easily the unit says yes
   * - activation
     - a step: 1 if the sum is greater than 0, else 0
   * - forward propagation
     - :math:`\hat y = 1` if :math:`w \cdot x + b > 0`, else 0
   * - cost function
     - how far samples are on the wrong side: :math:`\sum \max(0, -s\,(w \cdot x + b))`,
       where :math:`s` is 1 for the class 1, and -1 for the class 0
   * - back-propagation
     - is not needed: there is one layer, and its error is known
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from fastnn import Perceptron
from fastnn.plot import PerceptronDisplay, WeightsDisplay

# sphinx_gallery_thumbnail_number = 3
# sphinx_gallery_capture_repr = ()

# %%
# Weights, bias, and a step
# -------------------------
#
# Take two inputs that are 0 or 1, and the weights -2 and -2 with the bias 3. The sum is
#
# .. math:: z = w_1 x_1 + w_2 x_2 + b = -2 x_1 - 2 x_2 + 3.
#
# It is greater than 0 unless both inputs are 1. So this unit is a NAND gate: "not
# both".

corners = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
w, b = np.array([-2, -2]), 3
z = corners @ w + b
for x, total in zip(corners, z, strict=True):
    print(f"x = {x}, sum = {total:2}, answer = {int(total > 0)}")
assert (z > 0).tolist() == [True, True, True, False]

# %%
# Every circuit can be built of NAND gates alone, so a network of such units can compute
# whatever a circuit can. But nobody wants to choose all weights by hand. A perceptron
# finds them from examples.
#
# The rule for learning
# ---------------------
#
# Show the unit one sample after the other. As long as it answers rightly, change
# nothing. When it is wrong, move the weights towards the sample if the answer should
# have been 1, and away from it if it should have been 0:
#
# .. math::
#    w \leftarrow w + \eta\, s\, x, \qquad b \leftarrow b + \eta\, s,
#    \qquad s = \begin{cases} 1 & \text{class 1} \\ -1 & \text{class 0} \end{cases}
#
# :math:`\eta` is the step size, ``eta0``. This is a step down the gradient of the cost
# function: where a sample is wrong, the gradient of :math:`-s\,(w \cdot x + b)` by
# :math:`w` is :math:`-s x`. A sum of exactly 0 counts as a mistake. Here is the whole
# rule in NumPy, with the mistakes of each pass over the samples. A pass is called an
# epoch.


def learn(X, y, n_epochs):
    """Weights, bias and the number of mistakes in each epoch."""
    w, b, mistakes = np.zeros(X.shape[1]), 0.0, []
    for _ in range(n_epochs):
        mistakes.append(0)
        for x, s in zip(X, np.where(y == 1, 1, -1), strict=True):
            if s * (w @ x + b) <= 0:
                w, b = w + s * x, b + s
                mistakes[-1] += 1
    return w, b, mistakes


# %%
# fastnn's ``Perceptron`` does the same in C. Without shuffling it takes the samples in
# the same order, and must come to the same weights. ``separable_`` says that the last
# epoch had no mistake: the line separates the classes.

gates = {
    "AND": np.array([0, 0, 0, 1]),
    "OR": np.array([0, 1, 1, 1]),
    "NAND": np.array([1, 1, 1, 0]),
}
figure, axes = plt.subplots(
    1, 3, figsize=(10, 3.9), layout="constrained"
)
for ax, (gate, y) in zip(axes, gates.items(), strict=True):
    model = Perceptron(shuffle=False).fit(corners, y)
    w, b, mistakes = learn(corners, y, model.n_iter_)
    assert (
        np.array_equal(model.coef_[0], w)
        and model.intercept_[0] == b
    )
    assert model.n_mistakes_.tolist() == mistakes
    assert model.separable_ and model.score(corners, y) == 1
    print(
        f"{gate:5} w = {w}, b = {b:2.0f}, "
        f"mistakes by epoch: {mistakes}"
    )
    PerceptronDisplay.from_estimator(
        model, corners, y, mistakes=False, ax=ax
    )
    ax.set_title(gate, loc="left", fontweight="bold", y=1.24)

# %%
# On the black line the sum is 0. The grey side has the answer 0 or 1, as the shade
# says, and the dashed lines show how much room the line leaves to the closest sample:
# that distance is the margin. The weights are a vector at right angles to the line, and
# the bias moves the line along it.
#
# Why not XOR?
# ------------
#
# XOR is 1 if exactly one of two inputs is 1. Suppose that a unit could do it. Then its
# weights would satisfy
#
# .. math::
#    b \le 0, \qquad w_2 + b > 0, \qquad w_1 + b > 0, \qquad w_1 + w_2 + b \le 0.
#
# The sum of the second and the third is :math:`w_1 + w_2 + 2b > 0`. The sum of the
# first and the fourth is :math:`w_1 + w_2 + 2b \le 0`. Both cannot be true, so no such
# weights exist. The rule never finds peace:

xor = np.array([0, 1, 1, 0])
model = Perceptron(max_iter=30, tol=None, random_state=1).fit(
    corners, xor
)
assert not model.separable_ and min(model.n_mistakes_) > 0
PerceptronDisplay.from_estimator(model, corners, xor)
accuracy = model.score(corners, xor)
print(
    f"{accuracy:.0%} of the answers are right after "
    f"{model.n_iter_} epochs"
)

# %%
# The next page, :doc:`plot_2_feed_forward`, solves XOR with one more layer.
#
# Mistakes, and the margin
# ------------------------
#
# Where a line exists, the rule finds one after finitely many mistakes, whatever the
# order of the samples. Let :math:`R` be the length of the longest sample, and
# :math:`\gamma` the margin of any separating line, both with the bias taken for the
# weight of a feature that is always 1. Then the number of mistakes is at most
#
# .. math:: \left( \frac{R}{\gamma} \right)^2 .
#
# A wide margin needs few corrections. The grey lines are those after some earlier
# epochs, and the bars on the right are the mistakes of each epoch.

rng = np.random.default_rng(8)
X = rng.uniform(-1, 1, (150, 2))
side = X @ [1.0, 0.6] - 0.2
X, y = (
    X[np.abs(side) > 0.05],
    (side[np.abs(side) > 0.05] > 0).astype(int),
)

model = Perceptron(random_state=0).fit(X, y)
PerceptronDisplay.from_estimator(model, X, y, history=True)

with_one = np.column_stack([X, np.ones(len(X))])
vector = np.append(model.coef_[0], model.intercept_)
R = np.linalg.norm(with_one, axis=1).max()
gamma = (
    np.where(y == 1, 1, -1) * (with_one @ vector)
).min() / np.linalg.norm(vector)
bound = (R / gamma) ** 2
print(
    f"{model.n_mistakes_.sum()} mistakes, "
    f"where the theorem allows {bound:,.0f}"
)
assert model.separable_ and model.n_mistakes_.sum() <= bound

# %%
# Ten classes
# -----------
#
# For more than two classes there is one unit for each class against all others, and the
# largest sum wins. Here ten units read the 64 pixels of small handwritten digits. Their
# weights are images, too: bright pixels speak for the class, dark ones against it.

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X / 16, y, random_state=0
)
model = Perceptron(average=True, random_state=0).fit(
    X_train, y_train
)
WeightsDisplay.from_estimator(model, image_shape=(8, 8))
accuracy = model.score(X_test, y_test)
print(f"accuracy on images that it has not seen: {accuracy:.3f}")
assert accuracy > 0.9

# %%
# With ``average=True`` the weights are the mean of those after every step, which does
# better where classes overlap.
#
# Try it
# ------
#
# * Let the clouds of points touch (``0.05`` becomes ``0``), and watch the mistakes by
#   epoch.
# * Scale one of the two features by 100. How do the margin and the number of mistakes
#   change?
