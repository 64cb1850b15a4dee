"""fastnn: perceptrons and neural networks for CPUs, with scikit-learn's interface and fast kernels."""

from fastnn import layers
from fastnn.estimators.mlp_classifier import MLPClassifier
from fastnn.estimators.mlp_regressor import MLPRegressor
from fastnn.estimators.sequential_classifier import SequentialClassifier
from fastnn.estimators.sequential_regressor import SequentialRegressor
from fastnn.persistence.saving import load, save
from fastnn.runtime.installation import installed_version, warn_of_namesake
from fastnn.runtime.threads import show_config

__all__ = [
    "MLPClassifier",
    "MLPRegressor",
    "Perceptron",
    "SequentialClassifier",
    "SequentialRegressor",
    "layers",
    "load",
    "save",
    "show_config",
]
__version__ = installed_version()
warn_of_namesake()


def __getattr__(name):
    """`Perceptron`, when it is first used: scikit-learn's linear models, which it needs, take long to import."""
    if name != "Perceptron":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from fastnn.estimators.perceptron import Perceptron

    globals()[name] = Perceptron
    return Perceptron


def __dir__():
    """What completion offers: the public names, not the modules that importing them has loaded."""
    return [*__all__, *(name for name in globals() if name.startswith("__"))]
