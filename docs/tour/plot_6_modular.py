r"""
The modular network
===================

A modular network is several networks that know nothing of each other. Each reads a part
of the input, or learns a question of its own, and only their answers are combined. They
train side by side. One can be trained anew without the others, and one that is wrong
does little harm. This page takes digits apart into four quarters.

.. list-table::
   :stub-columns: 1
   :widths: 25 75

   * - weights
     - each module has its own; none connects two modules
   * - bias
     - likewise
   * - activation
     - likewise: modules may be networks of different kinds, or other estimators
   * - forward propagation
     - all modules at once, then one answer of theirs: by a mean, a product, a vote, or
       a model
   * - cost function
     - each module has its own, for its own target
   * - back-propagation
     - within each module alone: no error passes from one to another
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from fastnn import MLPClassifier, ModularClassifier, fit_many
from fastnn.plot import (
    ActivationsDisplay,
    LossCurveDisplay,
    NetworkDisplay,
)

# sphinx_gallery_thumbnail_number = 1
# sphinx_gallery_capture_repr = ()

# %%
# Four modules, four quarters
# ---------------------------
#
# Each module is a name, an estimator, and the columns that it reads: here the 16 pixels
# of one quarter of the image.

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X / 16, y, random_state=0
)
network = MLPClassifier(
    (32,),
    learning_rate="one_cycle",
    learning_rate_init=0.01,
    max_iter=60,
    random_state=0,
)

pixels = np.arange(64).reshape(8, 8)
columns = {
    "upper left": pixels[:4, :4].ravel(),
    "upper right": pixels[:4, 4:].ravel(),
    "lower left": pixels[4:, :4].ravel(),
    "lower right": pixels[4:, 4:].ravel(),
}
modules = [
    (name, network, of_module)
    for name, of_module in columns.items()
]
model = ModularClassifier(modules, combine="product").fit(
    X_train, y_train
)
NetworkDisplay.from_estimator(model)

# %%
# Each module learns the digit from its quarter. No module knows enough alone, and
# together they do:

together, alone = (
    model.score(X_test, y_test),
    model.score_modules(X_test, y_test),
)
for name, accuracy in alone.items():
    print(f"{name:12} {accuracy:.3f}")
print(f"{'together':12} {together:.3f}")
assert together > max(alone.values()) + 0.1

# %%
# No module knows another one
# ---------------------------
#
# So each module is exactly, to the last bit, the network that one gets by training it
# alone on its columns:

by_itself = MLPClassifier(**network.get_params()).fit(
    X_train[:, columns["upper left"]], y_train
)
module = model.named_modules_["upper left"]
assert all(
    np.array_equal(ours, theirs)
    for ours, theirs in zip(
        by_itself.coefs_, module.coefs_, strict=True
    )
)

# %%
# In one network of the same width, every unit reads all pixels. Its matrix of weights
# has four times as many numbers: those of the modules are the blocks on its diagonal,
# and all others are 0.

whole = MLPClassifier(
    **network.get_params() | {"hidden_layer_sizes": (128,)}
).fit(X_train, y_train)
n_of_modules = sum(
    each.coefs_[0].size for each in model.named_modules_.values()
)
n_of_whole = whole.coefs_[0].size
print(
    f"first layer: {n_of_modules:,} weights in the modules, "
    f"{n_of_whole:,} in one"
)
print(
    "accuracy of one network of the same width: "
    f"{whole.score(X_test, y_test):.3f}"
)
assert 4 * n_of_modules == whole.coefs_[0].size

of_all = np.zeros((64, 128))
for i, (name, of_module) in enumerate(columns.items()):
    units = slice(32 * i, 32 * (i + 1))
    of_all[of_module, units] = model.named_modules_[name].coefs_[0]
order = np.concatenate(list(columns.values()))  # quarter by quarter
most = np.quantile(
    np.abs(model.named_modules_["upper left"].coefs_[0]), 0.95
)
figure, axes = plt.subplots(
    1, 2, figsize=(9, 2.9), layout="constrained", sharey=True
)
for ax, weights, title in zip(
    axes,
    (of_all, whole.coefs_[0]),
    ("four modules", "one network"),
    strict=True,
):
    image = ax.imshow(
        weights[order],
        cmap="cividis",
        vmin=-most,
        vmax=most,
        aspect="auto",
        interpolation="nearest",
    )
    ax.set(title=f"first layer of {title}", xlabel="hidden unit")
axes[0].set_ylabel("pixel, quarter by quarter")
figure.colorbar(image, ax=axes, label="weight", extend="both")

# %%
# One answer from four
# --------------------
#
# The product takes the modules' errors to be independent, and multiplies the
# probabilities that they give to each class:
#
# .. math::
#    p(k) = \frac{\prod_m p_m(k)}{\sum_j \prod_m p_m(j)}
#    \qquad \text{for each class } k.

product = np.prod(
    [
        model.named_modules_[name].predict_proba(
            X_test[:, of_module]
        )
        for name, of_module in columns.items()
    ],
    axis=0,
)
product /= product.sum(axis=1, keepdims=True)
difference = np.abs(product - model.predict_proba(X_test)).max()
print(f"largest difference of a probability: {difference:.1e}")
assert difference < 1e-12

# %%
# A class that one module is sure is wrong is out, whatever the others say. In this
# picture are the probabilities of each module for one digit, and what becomes of them.

sample = int(
    np.flatnonzero(model.predict_proba(X_test).max(axis=1) < 0.9)[0]
)
ActivationsDisplay.from_estimator(
    model, X_test, sample=sample, image_shape=(8, 8)
)

# %%
# There are other ways to combine: the mean of the probabilities, a vote, or a model
# that learns what to make of them. It is trained on the modules' answers for samples
# that they have not seen, so that it does not trust those that have learnt their
# samples by heart.

combined = {"product": model}
for combine in ("mean", "vote", LogisticRegression(max_iter=1000)):
    name = (
        combine
        if isinstance(combine, str)
        else type(combine).__name__
    )
    combined[name] = ModularClassifier(
        modules, combine=combine
    ).fit(X_train, y_train)
for name, each in combined.items():
    print(f"{name:20} {each.score(X_test, y_test):.3f}")
assert all(
    each.score(X_test, y_test) > max(alone.values())
    for each in combined.values()
)

# %%
# What if an eye is blind?
# ------------------------
#
# Hide one quarter of the test images behind noise. The modules that see the other
# quarters do not notice, but every unit of the one network does. How much that helps
# depends on how the answers are combined:

rng = np.random.default_rng(0)
with_noise = {
    "vote": [],
    "mean": [],
    "product": [],
    "one network": [],
}
for of_module in columns.values():
    hidden = X_test.copy()
    hidden[:, of_module] = rng.uniform(0, 1, (len(X_test), 16))
    for name, accuracies in with_noise.items():
        accuracies.append(
            (combined.get(name) or whole).score(hidden, y_test)
        )
for name, accuracies in with_noise.items():
    mean, worst = np.mean(accuracies), min(accuracies)
    print(
        f"{name:12} {mean:.3f} on average, "
        f"{worst:.3f} for the worst quarter"
    )
assert np.mean(with_noise["mean"]) > np.mean(with_noise["product"])
assert (
    np.mean(with_noise["mean"])
    > np.mean(with_noise["one network"]) + 0.05
)

# %%
# The mean suffers least. In the product, one module that is sure of something wrong can
# rule the right class out.
#
# Train one module anew
# ---------------------
#
# ``refit`` trains one module, with other parameters if you like, and leaves the others
# as they are, to the last bit.

before = model.named_modules_["upper left"]
model.set_params(**{"lower right__hidden_layer_sizes": (64,)})
model.refit("lower right", X_train, y_train)
assert model.named_modules_["upper left"] is before
assert model.named_modules_["lower right"].coefs_[0].shape == (
    16,
    64,
)
print(
    "together, "
    f"with a larger module: {model.score(X_test, y_test):.3f}"
)
LossCurveDisplay.from_estimator(model)

# %%
# Side by side
# ------------
#
# Modules are trained on different threads at the same time. ``fit_many`` does the same
# for any estimators, and each gets the bits that it gets alone:

candidates = [
    MLPClassifier(**network.get_params() | {"alpha": alpha})
    for alpha in (1e-4, 1e-2, 1.0)
]
fit_many(candidates, X_train, y_train)
first_alone = MLPClassifier(**candidates[0].get_params()).fit(
    X_train, y_train
)
assert all(
    np.array_equal(a, b)
    for a, b in zip(
        candidates[0].coefs_, first_alone.coefs_, strict=True
    )
)
for candidate in candidates:
    print(
        f"alpha={candidate.alpha:<8g} "
        f"{candidate.score(X_test, y_test):.3f}"
    )

# %%
# Try it
# ------
#
# * Give each module two rows of the image in place of a quarter.
# * Let one module learn whether the digit is round, by ``targets``, and combine by a
#   model.
# * Make one module a ``SequentialClassifier`` with a convolution, and another one a
#   ``RandomForestClassifier``.
