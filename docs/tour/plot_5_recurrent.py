r"""
The recurrent network
=====================

A sequence comes step by step: the readings of a sensor, the words of a text. A
recurrent layer reads one step at a time and keeps a state, its memory of the steps so
far. The same weights work at every step, so sequences may have any length. This page
computes the states by hand, follows the error back through time, shows why long
memories need gates, and lets a network forecast a series while the series comes in.

.. list-table::
   :stub-columns: 1
   :widths: 25 75

   * - weights
     - :math:`W` for the step's input (``kernel``), and :math:`U` for the state before
       it (``recurrent_kernel``), shared by all steps
   * - bias
     - a vector :math:`b`
   * - activation
     - tanh for the state; logistic for gates, whose values are between 0 (closed) and 1
       (open)
   * - forward propagation
     - :math:`h_t = \tanh(x_t W + h_{t-1} U + b)`, from :math:`h_0 = 0`
   * - cost function
     - that of any classifier or regressor: for the last state, or for the state at each
       step
   * - back-propagation
     - the error goes back from step to step, and the gradient is the sum over all steps
"""

import matplotlib.pyplot as plt
import numpy as np

from fastnn import SequentialRegressor
from fastnn.layers import GRU, LSTM, SimpleRNN
from fastnn.plot import (
    ActivationsDisplay,
    LossCurveDisplay,
    NetworkDisplay,
)

# sphinx_gallery_thumbnail_number = 2
# sphinx_gallery_capture_repr = ()

# %%
# A forecast for each step
# ------------------------
#
# The data are made here: noisy sine waves of different frequencies, phases and
# *lengths*. A list of arrays is all that fastnn needs; nothing is padded. At each step
# the network is to predict the next value. ``return_sequences=True`` passes the state
# at every step on to the output layer.

rng = np.random.default_rng(0)


def waves(n):
    """Noisy sine waves of 40 to 80 steps."""
    series = []
    for n_steps in rng.integers(40, 81, n):
        t = np.arange(n_steps)
        series.append(
            np.sin(rng.uniform(0.2, 0.5) * t + rng.uniform(0, 6))
            + rng.normal(0, 0.1, n_steps)
        )
    return series


train, test = waves(200), waves(50)
model = SequentialRegressor(
    [SimpleRNN(24, return_sequences=True)],
    learning_rate_init=0.005,
    batch_size=20,
    early_stopping=True,
    clip_norm=1.0,
    random_state=0,
)
model.fit([x[:-1] for x in train], [x[1:] for x in train])

past, following = [x[:-1] for x in test], [x[1:] for x in test]
r2 = model.score(past, following)
naive = [x[:-1] for x in test]  # "as it is now"
error = np.concatenate(following) - np.concatenate(naive)
r2_of_naive = (
    1
    - (error**2).sum()
    / (
        (
            np.concatenate(following)
            - np.concatenate(following).mean()
        )
        ** 2
    ).sum()
)
print(
    f"R² of the network {r2:.3f}, "
    f"of the guess that nothing changes {r2_of_naive:.3f}"
)
assert r2 > r2_of_naive
NetworkDisplay.from_estimator(model)

# %%
# The steps by hand
# -----------------
#
# A loop over steps is the whole forward propagation. The output layer is a dense layer
# that works on each step.


def states_of(x, kernel, recurrent_kernel, bias):
    """The states after each step of x: (n_steps, n_units)."""
    h, states = np.zeros(len(recurrent_kernel)), []
    for x_t in x:
        h = np.tanh(x_t @ kernel + h @ recurrent_kernel + bias)
        states.append(h)
    return np.array(states)


cell, output = model.weights_
x = past[0][:, None]
states = states_of(x, **cell)
forecast = (states @ output["kernel"] + output["bias"])[:, 0]
difference = np.abs(forecast - model.predict(past[:1])[0]).max()
print(
    f"{len(x)} steps, "
    f"largest difference of a forecast: {difference:.1e}"
)
assert np.allclose(
    states,
    model.hidden_activations(past[:1])[0],
    rtol=0,
    atol=1e-12,
)
assert np.allclose(
    forecast, model.predict(past[:1])[0], rtol=0, atol=1e-12
)

# %%
# Step by step, as data come in
# -----------------------------
#
# ``predict_step`` takes one step and the state, and returns the forecast and the new
# state, so that nothing is computed twice. It gives the same bits as ``predict`` on the
# whole sequence. After 30 steps, the picture's orange curve goes on without data: the
# network reads its own forecasts.

state, one_by_one = None, []
for value in past[0]:
    now, state = model.predict_step([value], state)
    one_by_one.append(now[0])
assert np.array_equal(one_by_one, model.predict(past[:1])[0])

n_read, state, free = 30, None, []
for value in past[0][:n_read]:
    now, state = model.predict_step([value], state)
for _ in range(len(past[0]) - n_read):
    free.append(now[0])
    now, state = model.predict_step(now, state)

figure, ax = plt.subplots(figsize=(9, 3.4), layout="constrained")
t = np.arange(len(test[0]))
ax.plot(t, test[0], "o", ms=3.5, color="0.55", label="the series")
ax.plot(
    t[1:],
    one_by_one,
    color="#0072B2",
    label="forecast of the next step",
)
ax.plot(
    t[n_read : n_read + len(free)],
    free,
    "--",
    color="#D55E00",
    lw=2,
    label="forecast from its own forecasts",
)
ax.axvline(n_read - 0.5, color="0.8", zorder=0)
ax.set(xlabel="step", ylabel="value")
ax.legend(
    frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=3
)

# %%
# Back-propagation through time
# -----------------------------
#
# Unrolled, a recurrent layer is a very deep network: one layer for each step, all with
# the same weights. Back-propagation goes from the last step to the first. With
# :math:`\delta_t`, the gradient of the cost by the sums at step :math:`t`,
#
# .. math::
#    \delta_t &= \left( e_t + \delta_{t+1} U^\top \right) \odot (1 - h_t^2) \\
#    \frac{\partial C}{\partial W} &= \sum_t x_t^\top \delta_t, \qquad
#    \frac{\partial C}{\partial U} = \sum_t h_{t-1}^\top \delta_t, \qquad
#    \frac{\partial C}{\partial b} = \sum_t \delta_t,
#
# where :math:`e_t` is the error that comes from the output at step :math:`t`. Again, a
# step of gradient descent by fastnn must subtract just this gradient times the step
# size. The cost is the mean over all steps of half the squared error.

short = SequentialRegressor(
    [SimpleRNN(5, return_sequences=True)],
    solver="sgd",
    momentum=0,
    alpha=0,
    learning_rate_init=0.1,
    random_state=0,
)
short.partial_fit(past[:1], following[:1])
(cell, output), target = short.weights_, following[0][:, None]
short.partial_fit(past[:1], following[:1])
after = short.weights_[0]

states = states_of(x, **cell)
before = np.vstack([np.zeros(5), states[:-1]])
errors = (
    (states @ output["kernel"] + output["bias"] - target)
    / len(x)
    @ output["kernel"].T
)
delta, deltas = np.zeros(5), np.empty_like(states)
for t in reversed(range(len(x))):
    delta = (errors[t] + delta @ cell["recurrent_kernel"].T) * (
        1 - states[t] ** 2
    )
    deltas[t] = delta
gradient = {
    "kernel": x.T @ deltas,
    "recurrent_kernel": before.T @ deltas,
    "bias": deltas.sum(axis=0),
}
for name, ours in gradient.items():
    of_fastnn = (cell[name] - after[name]) / 0.1
    largest, difference = (
        np.abs(ours).max(),
        np.abs(of_fastnn - ours).max(),
    )
    print(
        f"{name:16} largest gradient {largest:.4f}, "
        f"difference {difference:.1e}"
    )
    assert np.allclose(of_fastnn, ours, rtol=0, atol=1e-13)

# %%
# Gradients that vanish
# ---------------------
#
# At each step back, the error is multiplied by :math:`U^\top` and by the slope of tanh,
# which is at most 1. So it shrinks or grows with every step. Here is what is left of it
# in layers of 32 units, whose :math:`U` is a rotation times a factor:

rng = np.random.default_rng(1)
rotation = np.linalg.qr(rng.normal(size=(32, 32)))[0]
figure, ax = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
what_is_left = {}
for (factor, style), colour in zip(
    ((0.7, "-"), (1.0, "--"), (1.5, ":")),
    ("#0072B2", "#009E73", "#D55E00"),
    strict=True,
):
    U = factor * rotation
    h = states_of(
        rng.normal(0, 0.3, (60, 1)),
        rng.normal(0, 0.3, (1, 32)),
        U,
        np.zeros(32),
    )
    delta, norms = np.ones(32) / 32**0.5, [1.0]
    for t in reversed(range(60)):
        delta = (delta * (1 - h[t] ** 2)) @ U.T
        norms.append(np.linalg.norm(delta))
    what_is_left[factor] = norms[-1]
    ax.plot(
        norms,
        style,
        color=colour,
        lw=2,
        label=f"{factor:g} × a rotation",
    )
ax.set(
    yscale="log", xlabel="steps back", ylabel="size of the error"
)
ax.legend(frameon=False, title="U", loc="lower left")
print(
    f"after 60 steps, {what_is_left[0.7]:.0e} of the error is "
    "left with the factor 0.7"
)
assert what_is_left[0.7] < 1e-8

# %%
# What has vanished cannot be learnt from. Where it explodes instead, ``clip_norm``
# limits the gradient.
#
# Gates
# -----
#
# A gated unit decides at each step how much of its state to replace. The gated
# recurrent unit, GRU, has two gates. The update gate :math:`z_t` says how much of the
# state is kept, and the reset gate :math:`r_t` how much of it the candidate
# :math:`c_t` for the new state reads:
#
# .. math::
#    z_t &= \sigma(x_t W_z + h_{t-1} U_z + b_z) \\
#    r_t &= \sigma(x_t W_r + h_{t-1} U_r + b_r) \\
#    c_t &= \tanh(x_t W_c + b_c + r_t \odot (h_{t-1} U_c + b'_c)) \\
#    h_t &= z_t \odot h_{t-1} + (1 - z_t) \odot c_t
#
# With :math:`z_t` near 1 the state stays, and the error goes back through it almost
# unchanged. The LSTM has three gates, and a memory beside its output.
#
# A task that needs memory is to hold a number. Each step of a sequence has a value and
# a mark, 0 or 1. At each step the network is to answer with the value at the last mark,
# however long ago it was.


def values_to_hold(n):
    """Sequences, and for each step the value at the last mark."""
    sequences, targets = [], []
    for n_steps in rng.integers(20, 61, n):
        value, mark = (
            rng.uniform(-1, 1, n_steps),
            rng.random(n_steps) < 0.05,
        )
        mark[0] = True
        last_mark = np.maximum.accumulate(
            np.where(mark, np.arange(n_steps), 0)
        )
        sequences.append(np.column_stack([value, mark]))
        targets.append(value[last_mark])
    return sequences, targets


rng = np.random.default_rng(0)
(X, y), (X_test, y_test) = values_to_hold(400), values_to_hold(200)
cells = {}
for layer in (SimpleRNN, GRU, LSTM):
    cells[layer.__name__] = SequentialRegressor(
        [layer(16, return_sequences=True)],
        learning_rate="one_cycle",
        learning_rate_init=0.01,
        batch_size=20,
        max_iter=40,
        clip_norm=1.0,
        random_state=0,
    ).fit(X, y)
    print(
        f"{layer.__name__:10} R² "
        f"{cells[layer.__name__].score(X_test, y_test):.3f}"
    )
scores = {
    name: cell.score(X_test, y_test) for name, cell in cells.items()
}
assert min(scores["GRU"], scores["LSTM"]) > 0.98
assert scores["SimpleRNN"] < scores["GRU"] - 0.02
LossCurveDisplay.from_estimator(cells, log_scale=True)

# %%
# The simple layer lets the number drift, and the gated ones hold it:

longest = max(
    range(len(X_test)),
    key=lambda i: np.diff(
        np.flatnonzero(np.diff(y_test[i], append=9.0))
    ).max(initial=0),
)
figure, ax = plt.subplots(figsize=(9, 3.4), layout="constrained")
steps = np.arange(len(y_test[longest]))
marked = X_test[longest][:, 1] == 1
ax.step(
    steps,
    y_test[longest],
    where="mid",
    color="0.8",
    lw=5,
    label="the value to hold",
)
ax.plot(
    steps[marked],
    X_test[longest][marked, 0],
    "o",
    color="black",
    ms=7,
    label="a mark",
)
for (name, style), colour in zip(
    (("SimpleRNN", "--"), ("GRU", "-")),
    ("#D55E00", "#0072B2"),
    strict=True,
):
    ax.plot(
        steps,
        cells[name].predict(X_test[longest : longest + 1])[0],
        style,
        color=colour,
        lw=1.8,
        label=name,
    )
ax.set(xlabel="step", ylabel="value")
ax.legend(
    frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=4
)

# %%
# What the GRU remembers can be seen: a row for each of its 16 units, and a column for
# each step. Some rows keep their colour from one mark to the next.

ActivationsDisplay.from_estimator(
    cells["GRU"], X_test, sample=longest
)

# %%
# The GRU by hand, to be sure of the formulas. ``kernel`` has the three matrices side by
# side, in the order z, r, candidate, and ``bias`` has a row for the sums over inputs
# and one for those over the state.


def gru(x, kernel, recurrent_kernel, bias):
    """The states of gated recurrent units after each step."""
    h, states = np.zeros(len(recurrent_kernel)), []
    for x_t in x:
        of_input = np.split(x_t @ kernel + bias[0], 3)
        of_state = np.split(h @ recurrent_kernel + bias[1], 3)
        z, r = (
            1 / (1 + np.exp(-a - b))
            for a, b in zip(of_input[:2], of_state[:2], strict=True)
        )
        h = z * h + (1 - z) * np.tanh(of_input[2] + r * of_state[2])
        states.append(h)
    return np.array(states)


cell, output = cells["GRU"].weights_
by_hand = (
    gru(X_test[0], **cell) @ output["kernel"] + output["bias"]
)[:, 0]
difference = np.abs(
    by_hand - cells["GRU"].predict(X_test[:1])[0]
).max()
print(f"largest difference of a prediction: {difference:.1e}")
assert difference < 1e-12

# %%
# Try it
# ------
#
# * Let marks be rarer: ``0.02`` in place of ``0.05``. Which cell still learns?
# * Ask for one answer for each sequence, such as its largest value: leave
#   ``return_sequences=True`` out, and give each sequence one target.
# * Give each wave a second frequency, and look at the forecast without data.
