"""fastnn: perceptrons and multilayer perceptrons for CPUs, with scikit-learn's interface and fast kernels."""

from fastnn.classifier import MLPClassifier
from fastnn.installation import installed_version, warn_of_namesake
from fastnn.perceptron import Perceptron
from fastnn.regressor import MLPRegressor
from fastnn.saving import load, save
from fastnn.threads import show_config

__all__ = ["MLPClassifier", "MLPRegressor", "Perceptron", "load", "save", "show_config"]
__version__ = installed_version()
warn_of_namesake()


def __dir__():
    """What completion offers: the public names, not the modules that importing them has loaded."""
    return [*__all__, *(name for name in globals() if name.startswith("__"))]
