"""The picture of the three tiers: what each knows, and what passes from one to the next."""

import matplotlib.pyplot as plt
from boxes import arrow, box, canvas

TIERS = [
    (
        "Python: a fit",
        "python",
        "estimators, layers, X and y, epochs, early stopping,\nrandomness, progress, Ctrl-C, files",
    ),
    (
        "Cython engine, without the GIL: a batch",
        "cython",
        "layers, losses, optimizers, the phases of a step,\nand how tiles are shared out over threads",
    ),
    ("C kernels: a tile", "c", "registers and vectors of one core,\none source for every instruction set and type"),
]
SEAMS = [
    (("a segment: row numbers\nof some 50 ms of batches", "left"), ("the loss", "right")),
    (("pointers and sizes of a tile", "left"), ("sums, activations, steps", "right")),
]


def draw():
    """Three boxes, one above the other."""
    width, height, gap = 6.0, 1.25, 0.75
    total = 3 * height + 2 * gap
    figure, ax = plt.subplots(figsize=(7.6, 5))
    canvas(ax, width + 1, total + 0.1)
    for i, (title, colour, text) in enumerate(TIERS):
        y = total - (i + 1) * height - i * gap + 0.05
        box(ax, 0.5, y, width, height, title, text, colour)
        if i < len(SEAMS):
            (down, left), (up, right) = SEAMS[i]
            arrow(ax, (3.2, y), (3.2, y - gap), down, left)
            arrow(ax, (3.8, y - gap), (3.8, y), up, right)
    figure.tight_layout()
    return figure
