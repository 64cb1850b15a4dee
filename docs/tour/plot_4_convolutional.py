r"""
The convolutional network
=========================

A dense layer gives every pixel of an image a weight of its own, and has to learn anew
what a stroke is for each place. A convolutional layer has small filters instead, of
3 × 3 weights for instance, and moves them over the image: the same weights look for the
same pattern everywhere. This page computes such a layer by hand, forward and back, and
shows how much of the image a unit sees.

.. list-table::
   :stub-columns: 1
   :widths: 25 75

   * - weights
     - filters: an array of shape (height, width, channels, filters), shared by all
       places
   * - bias
     - one number for each filter
   * - activation
     - ReLU, at each place
   * - forward propagation
     - :math:`z_{ijk} = b_k + \sum_{a, b, c} x_{i+a,\,j+b,\,c}\; w_{abck}`: for filter
       :math:`k` the sum of the products of its weights and the numbers under it
   * - cost function
     - that of any classifier: the log-loss
   * - back-propagation
     - as in dense layers; since all places share a filter, its gradient is the sum over
       all places
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from fastnn import MLPClassifier, SequentialClassifier
from fastnn.layers import Conv2D, Dropout, MaxPooling2D
from fastnn.plot import (
    ActivationsDisplay,
    NetworkDisplay,
    WeightsDisplay,
)

# sphinx_gallery_thumbnail_number = 4
# sphinx_gallery_capture_repr = ()

# %%
# What a filter does
# ------------------
#
# Lay a filter of 3 × 3 weights over a corner of the image, multiply each weight by the
# pixel under it, and add the nine products. Then move the filter by one pixel and do it
# again. An image of 8 × 8 pixels has 6 × 6 such places, so the result is an image, too:
# a map, which says where the filter's pattern is. The filters here are chosen by hand.
# One answers to ink that begins from above to below, one to ink that begins from left
# to right.

images, digits = load_digits(return_X_y=True)
images = images.reshape(-1, 8, 8) / 16


def windows_of(images):
    """The 3 × 3 pixels at each place: (n, 6, 6, 3, 3)."""
    return np.lib.stride_tricks.sliding_window_view(
        images, (3, 3), axis=(1, 2)
    )


upper_edge = np.array([[-1, -1, -1], [0, 0, 0], [1, 1, 1]])
filters = {"upper edges": upper_edge, "left edges": upper_edge.T}
maps = {
    name: np.einsum(
        "nijab,ab->nij", windows_of(images[3:4]), weights
    )[0]
    for name, weights in filters.items()
}
assert all(each.shape == (6, 6) for each in maps.values())

figure, axes = plt.subplots(
    1, 5, figsize=(10, 2.7), layout="compressed"
)
pictures = {"the image": images[3]}
for name, weights in filters.items():
    pictures |= {
        f"filter for\n{name}": weights,
        f"map of\n{name}": maps[name],
    }
for ax, (name, picture) in zip(axes, pictures.items(), strict=True):
    span = np.abs(picture).max()
    ax.imshow(picture, cmap="cividis", vmin=-span, vmax=span)
    ax.set(title=name, xticks=[], yticks=[])

# %%
# Zero is grey in these pictures, brighter is more, and darker is less: the lower edge
# of a stroke is dark on the map of upper edges.
#
# A network with two convolutions
# -------------------------------
#
# A network finds its filters itself. Here the first layer has 16 of them. Pooling then
# keeps the largest of each 2 × 2 places: where exactly a pattern is matters less and
# less. The second convolution looks for patterns *of the 16 maps*, so that its 32
# filters have 3 × 3 × 16 weights each. ``Dropout`` leaves out a part of its units, at
# random, in each step of training, so that no unit can rely on another one.

train, test, digits_train, digits_test = train_test_split(
    images, digits, random_state=0
)
training = {
    "learning_rate": "one_cycle",
    "learning_rate_init": 0.01,
    "max_iter": 60,
    "batch_size": 50,
    "random_state": 0,
}
model = SequentialClassifier(
    [Conv2D(16, 3), MaxPooling2D(2), Conv2D(32, 3), Dropout(0.3)],
    **training,
)
model.fit(train, digits_train)
NetworkDisplay.from_estimator(model)

# %%
# Beside it, a dense network with one hidden layer, which has more parameters. Both get
# the test images, and the same images moved by one pixel to the left, right, up or
# down. Neither has seen such images in training.

dense = MLPClassifier((128,), **training).fit(
    train.reshape(-1, 64), digits_train
)
n_filters = sum(
    array.size
    for layer in model.weights_
    for array in layer.values()
)
n_dense = sum(
    array.size for array in (*dense.coefs_, *dense.intercepts_)
)
moved = np.concatenate(
    [
        np.roll(test, shift, axis=axis)
        for axis in (1, 2)
        for shift in (-1, 1)
    ]
)
accuracies = {
    f"convolutional,\n{n_filters:,} parameters": (
        model.score(test, digits_test),
        model.score(moved, np.tile(digits_test, 4)),
    ),
    f"dense,\n{n_dense:,} parameters": (
        dense.score(test.reshape(-1, 64), digits_test),
        dense.score(moved.reshape(-1, 64), np.tile(digits_test, 4)),
    ),
}
figure, ax = plt.subplots(figsize=(6.4, 2.8), layout="constrained")
for i, both in enumerate(accuracies.values()):
    for accuracy, y, colour in zip(
        both,
        (i - 0.2, i + 0.2),
        ("#0072B2", "#E69F00"),
        strict=True,
    ):
        ax.barh(y, accuracy, 0.36, color=colour)
        ax.text(accuracy + 0.01, y, f"{accuracy:.3f}", va="center")
ax.set(
    yticks=range(2),
    yticklabels=accuracies,
    xlabel="accuracy",
    xlim=(0, 1.12),
    xticks=np.linspace(0, 1, 6),
)
ax.invert_yaxis()
ax.legend(
    ax.patches[:2],
    ["test images", "moved by a pixel"],
    frameon=False,
    ncols=2,
    loc="lower left",
    bbox_to_anchor=(0, 1),
)

(of_filters, of_filters_moved), (of_dense, of_dense_moved) = (
    accuracies.values()
)
assert n_filters < n_dense
assert of_filters > 0.97
assert of_filters_moved > of_dense_moved + 0.1

# %%
# Small images suffer much when they are moved, but the convolutional network suffers
# less: its filters find their patterns wherever they are, and pooling forgives small
# moves.
#
# Forward propagation by hand
# ---------------------------
#
# The sums of a convolution are one ``einsum`` over the windows, and pooling is a
# maximum. Both agree with what the network computes.

kernel, bias = (
    model.weights_[0]["kernel"],
    model.weights_[0]["bias"],
)
maps = np.maximum(
    np.einsum("nijab,abk->nijk", windows_of(test), kernel[:, :, 0])
    + bias,
    0,
)
pooled = maps.reshape(len(test), 3, 2, 3, 2, 16).max(axis=(2, 4))

assert np.allclose(
    maps,
    model.hidden_activations(test, layer=0),
    rtol=1e-12,
    atol=1e-12,
)
assert np.allclose(
    pooled,
    model.hidden_activations(test, layer=1),
    rtol=1e-12,
    atol=1e-12,
)
print(
    "filters",
    kernel.shape,
    " maps",
    maps.shape,
    " pooled",
    pooled.shape,
)

# %%
# The filters that it has learnt are small images:

WeightsDisplay.from_estimator(model)

# %%
# And this is what becomes of one digit, layer by layer. Each map of the first layer
# shows where one filter has found its pattern, pooling makes the maps coarser, and the
# last layer's 32 numbers say which patterns are there. From these the output layer
# makes the probabilities of the ten digits.

ActivationsDisplay.from_estimator(model, test, sample=4)

# %%
# The receptive field
# -------------------
#
# A unit of the first layer sees 3 × 3 pixels. One after pooling sees 4 × 4, and one of
# the second convolution sees more again: the pixels that can change a unit are its
# receptive field. With layers of windows :math:`k_l` and strides :math:`s_l` it has
# this width:
#
# .. math:: r = 1 + \sum_l (k_l - 1) \prod_{m < l} s_m .
#
# Let us not believe it, but try: change one pixel after the other in many random
# images, and mark the pixels that ever change one unit of each layer.

rng = np.random.default_rng(0)
base = rng.uniform(0, 1, (40, 8, 8))
widths, reach, stride = [], 1, 1
for window, step in ((3, 1), (2, 2), (3, 1)):
    reach, stride = reach + (window - 1) * stride, stride * step
    widths.append(reach)

figure, axes = plt.subplots(
    1, 3, figsize=(9, 3.6), layout="compressed"
)
for layer, (ax, width) in enumerate(zip(axes, widths, strict=True)):
    before = model.hidden_activations(base, layer=layer)
    place = (
        (2, 2) if layer == 0 else (1, 1) if layer == 1 else (0, 0)
    )
    field = np.zeros((8, 8), dtype=bool)
    for i, j in np.ndindex(8, 8):
        changed = base.copy()
        changed[:, i, j] += rng.choice([-5, 5], len(base))
        field[i, j] = (
            model.hidden_activations(changed, layer=layer) != before
        )[:, *place].any()
    assert field.sum() == width**2
    ax.imshow(field, cmap="cividis", vmin=0, vmax=1)
    ax.set(
        title=f"{model.layers[layer]!r}:\n{width} × {width} pixels",
        xlabel="column",
        xticks=range(8),
        yticks=range(8),
    )
axes[0].set_ylabel("row")

# %%
# After two convolutions and one pooling a unit sees the whole digit, by way of small
# windows only.
#
# Back-propagation through a convolution
# --------------------------------------
#
# The same weight works at all places, so its gradient is the sum over all places (and
# samples). With the gradient :math:`\delta` by the sums :math:`z` it is
#
# .. math::
#    \frac{\partial C}{\partial w_{abck}}
#    = \sum_{n, i, j} x_{n,\,i+a,\,j+b,\,c}\;\delta_{nijk},
#
# which is a convolution again, of the image by :math:`\delta`. We check it as in
# :doc:`plot_3_multilayer`: one step of gradient descent must subtract the gradient
# times the step size.

small = SequentialClassifier(
    [Conv2D(4, 3)],
    solver="sgd",
    momentum=0,
    alpha=0,
    learning_rate_init=0.1,
    batch_size=len(train),
    random_state=0,
)
small.partial_fit(train, digits_train, classes=np.arange(10))
before = small.weights_
small.partial_fit(train, digits_train)
after = small.weights_

windows = windows_of(train)
a = np.maximum(
    np.einsum(
        "nijab,abk->nijk", windows, before[0]["kernel"][:, :, 0]
    )
    + before[0]["bias"],
    0,
)
powers = np.exp(
    a.reshape(len(train), -1) @ before[1]["kernel"]
    + before[1]["bias"]
)
delta_of_output = (
    powers / powers.sum(axis=1, keepdims=True)
    - np.eye(10)[digits_train]
) / len(train)
delta = (delta_of_output @ before[1]["kernel"].T).reshape(
    a.shape
) * (a > 0)
gradient = np.einsum("nijab,nijk->abk", windows, delta)

of_fastnn = (before[0]["kernel"] - after[0]["kernel"]) / 0.1
of_fastnn = of_fastnn[:, :, 0]
difference = np.abs(of_fastnn - gradient).max()
print(
    f"largest gradient {np.abs(gradient).max():.4f}, "
    f"difference {difference:.1e}"
)
assert np.allclose(of_fastnn, gradient, rtol=0, atol=1e-13)
assert np.allclose(
    (before[0]["bias"] - after[0]["bias"]) / 0.1,
    delta.sum(axis=(0, 1, 2)),
    rtol=0,
    atol=1e-13,
)

# %%
# Through pooling, the gradient goes to the place that had the maximum, and to no other.
#
# Try it
# ------
#
# * Train with ``padding="same"``: the image gets a frame of zeros, and the maps stay as
#   large as the image.
# * Train both networks on the moved images, too. Is there a difference left?
# * Replace ``MaxPooling2D(2)`` by ``Conv2D(16, 3, strides=2)``.
