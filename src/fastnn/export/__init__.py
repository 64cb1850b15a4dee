"""Models for other programs, and models of others: ONNX, Keras and PyTorch.

Nothing that this needs is imported before it is used: onnx for `to_onnx` and `from_onnx`, skl2onnx for
`register_skl2onnx`. `from_keras` and `from_torch` import neither Keras nor PyTorch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # what `__getattr__` imports
    from fastnn.export.keras import from_keras
    from fastnn.export.onnx.pipelines import register_skl2onnx
    from fastnn.export.onnx.reading import from_onnx
    from fastnn.export.onnx.writing import to_onnx
    from fastnn.export.torch import from_torch

__all__ = ["from_keras", "from_onnx", "from_torch", "register_skl2onnx", "to_onnx"]

_LAZY = {
    "from_keras": "fastnn.export.keras",
    "from_onnx": "fastnn.export.onnx.reading",
    "from_torch": "fastnn.export.torch",
    "register_skl2onnx": "fastnn.export.onnx.pipelines",
    "to_onnx": "fastnn.export.onnx.writing",
}


if not TYPE_CHECKING:  # for which every name would be public

    def __getattr__(name):
        """A public name that has not been used before."""
        if name not in _LAZY:
            # Not before it is needed: importing fastnn takes no longer.
            raise import_module("fastnn.estimators.foreign_names").missing(__name__, name)
        value = globals()[name] = getattr(import_module(_LAZY[name]), name)
        return value


def __dir__() -> list[str]:
    """What completion offers."""
    return [*__all__, *(name for name in globals() if name.startswith("__"))]
