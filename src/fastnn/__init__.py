"""fastnn: perceptrons and neural networks for CPUs, with scikit-learn's interface and fast kernels."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from fastnn.runtime.installation import installed_version, warn_of_namesake

if TYPE_CHECKING:  # what `__getattr__` imports
    from fastnn import export, layers, plot, sequences, streams
    from fastnn.estimators.fit_many import fit_many
    from fastnn.estimators.mlp_classifier import MLPClassifier
    from fastnn.estimators.mlp_regressor import MLPRegressor
    from fastnn.estimators.modular_classifier import ModularClassifier
    from fastnn.estimators.modular_regressor import ModularRegressor
    from fastnn.estimators.perceptron import Perceptron
    from fastnn.estimators.sequential_classifier import SequentialClassifier
    from fastnn.estimators.sequential_regressor import SequentialRegressor
    from fastnn.persistence.saving import load, save
    from fastnn.runtime.threads import show_config

__all__ = [
    "MLPClassifier",
    "MLPRegressor",
    "ModularClassifier",
    "ModularRegressor",
    "Perceptron",
    "SequentialClassifier",
    "SequentialRegressor",
    "dask",
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
warn_of_namesake()


# What is imported when it is first used, since scikit-learn takes long to import, and its linear models, which the
# perceptron needs, longer still. So the command line begins at once, and can end at once when it is interrupted.
_LAZY = {
    "MLPClassifier": "fastnn.estimators.mlp_classifier",
    "MLPRegressor": "fastnn.estimators.mlp_regressor",
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


if TYPE_CHECKING:
    __version__: str
else:  # for type checkers, every name would be public

    def __getattr__(name):
        """A public name that has not been used before, or the version, whose metadata take long to read."""
        if name == "__version__":
            return globals().setdefault(name, installed_version())
        is_module = name in ("dask", "export", "layers", "plot", "sequences", "streams")
        if not is_module and name not in _LAZY:
            # Not before it is needed: importing fastnn takes no longer.
            raise import_module("fastnn.estimators.foreign_names").missing(__name__, name)
        # First what all of them need: modules of scikit-learn import each other, and threads that import several at
        # once would find some half done.
        import_module("fastnn._sklearn")
        if is_module:
            return import_module(f"fastnn.{name}")
        value = globals()[name] = getattr(import_module(_LAZY[name]), name)
        return value


def __dir__() -> list[str]:
    """What completion offers: the public names, not the modules that importing them has loaded."""
    return [*__all__, *({"__version__"} | {name for name in globals() if name.startswith("__")})]
