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
