"""fastnn: perceptrons and neural networks for CPUs, with scikit-learn's interface and fast kernels."""

from importlib import import_module

from fastnn.estimators.mlp_classifier import MLPClassifier
from fastnn.estimators.mlp_regressor import MLPRegressor
from fastnn.runtime.installation import installed_version, warn_of_namesake

__all__ = [
    "MLPClassifier",
    "MLPRegressor",
    "ModularClassifier",
    "ModularRegressor",
    "Perceptron",
    "SequentialClassifier",
    "SequentialRegressor",
    "export",
    "fit_many",
    "layers",
    "load",
    "plot",
    "save",
    "sequences",
    "show_config",
    "streams",
]
__version__ = installed_version()
warn_of_namesake()


# What is imported when it is first used. scikit-learn's linear models, which the perceptron needs, take long to import.
_LAZY = {
    "ModularClassifier": "fastnn.estimators.modular_classifier",
    "ModularRegressor": "fastnn.estimators.modular_regressor",
    "Perceptron": "fastnn.estimators.perceptron",
    "fit_many": "fastnn.estimators.fit_many",
    "SequentialClassifier": "fastnn.estimators.sequential_classifier",
    "SequentialRegressor": "fastnn.estimators.sequential_regressor",
    "load": "fastnn.persistence.saving",
    "save": "fastnn.persistence.saving",
    "show_config": "fastnn.runtime.threads",
}


def __getattr__(name):
    """A public name that has not been used before."""
    if name in ("export", "layers", "plot", "sequences", "streams"):
        return import_module(f"fastnn.{name}")
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_LAZY[name]), name)
    return value


def __dir__():
    """What completion offers: the public names, not the modules that importing them has loaded."""
    return [*__all__, *(name for name in globals() if name.startswith("__"))]
