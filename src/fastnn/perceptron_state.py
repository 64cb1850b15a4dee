"""What a perceptron's learning goes on from, between calls."""

from dataclasses import dataclass

import numpy as np


@dataclass
class Averages:
    """The means of the weights and intercepts after each of so many steps, unit by unit."""

    coef: np.ndarray
    intercept: np.ndarray
    counts: np.ndarray


@dataclass
class Running:
    """What learning goes on from."""

    coef: np.ndarray
    intercept: np.ndarray
    averages: Averages | None = None


def writeable(coef):
    """Weights that can be learnt in place: themselves, unless they are read-only, as from a memory-mapped pickle."""
    return coef if coef.flags.writeable and coef.flags.c_contiguous else coef.copy()
