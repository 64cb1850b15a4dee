"""Pictures of models: scikit-learn's Display classes for networks and perceptrons.

Each class has `from_estimator`, which reads a fitted model and draws it, and `plot`, which draws it again. They need
matplotlib, which `pip install 'scikit-fastnn[plot]'` installs; it is imported when a picture is drawn.
"""

from typing import TYPE_CHECKING

from fastnn.estimators.foreign_names import missing
from fastnn.plot.activations import ActivationsDisplay
from fastnn.plot.blocks import Block
from fastnn.plot.loss_curve import LossCurveDisplay
from fastnn.plot.network import NetworkDisplay
from fastnn.plot.perceptron import PerceptronDisplay
from fastnn.plot.weights import WeightsDisplay

__all__ = ["ActivationsDisplay", "Block", "LossCurveDisplay", "NetworkDisplay", "PerceptronDisplay", "WeightsDisplay"]


if not TYPE_CHECKING:  # for which every name would be public

    def __getattr__(name):
        """A name that there is not: its error says what there is instead."""
        raise missing(__name__, name)
