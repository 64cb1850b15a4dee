"""The picture of a batch's phases: planned by the engine for two networks, and drawn as it plans them."""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from boxes import box, canvas

from fastnn import MLPClassifier
from fastnn.engine.schedule import plan

NETWORKS = {
    "784-512-256-10: wide layers, whose products all threads share": (784, (512, 256)),
    "64-100-10: each thread takes rows of its own through all layers": (64, (100,)),
}
WORDS = {
    "begin": "begin",
    "gather": "gather the next\nbatch's rows",
    "add losses": "add losses",
    "loss": "loss, gradient",
    "forward": "forward {}",
    "back": "back {}",
    "step": "step {}",
}


def planned(n_features, hidden_layer_sizes):
    """The phases of a network with ten outputs."""
    y = np.arange(10)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # one epoch is not enough
        model = MLPClassifier(hidden_layer_sizes, max_iter=1).fit(np.zeros((10, n_features), np.float32), y)
    return plan(model._network.layers)


def lines(operations):
    """What each operation of a phase does, one line each; those that each thread does for its own rows are marked."""
    for name, *rest in operations:
        if name == "rows":
            yield from (f"rows: {line}" for line in lines(rest[0]))
        else:
            yield WORDS[name].format(*rest)


def draw():
    """For each network, its phases from left to right, with a barrier after each."""
    width, height, gap = 2.3, 1.9, 0.35
    figure, axes = plt.subplots(len(NETWORKS), 1, figsize=(9.6, 5))
    for ax, (title, sizes) in zip(axes, NETWORKS.items(), strict=True):
        phases = planned(*sizes)
        canvas(ax, 5 * (width + gap), height + 0.6)
        ax.text(0, height + 0.35, title, fontsize=10)
        for i, operations in enumerate(phases):
            x = i * (width + gap)
            box(ax, x, 0, width, height, f"phase {i + 1}", "\n".join(lines(operations)), "cython")
            ax.plot([x + width + gap / 2] * 2, [0, height], color="#b35806", linewidth=3, solid_capstyle="butt")
    legend = "an orange line is a barrier: all threads\nwait for each other"
    axes[1].text(2 * (width + gap) + 0.3, 0.9, legend, fontsize=9)
    figure.tight_layout()
    return figure
