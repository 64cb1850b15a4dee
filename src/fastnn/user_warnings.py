"""Warnings that point at the user's line, however deep inside fastnn they arise."""

import sys
import warnings
from pathlib import Path

import sklearn

_OURS = tuple(str(Path(file).parent) for file in (__file__, sklearn.__file__))


def warn_user(message, category=UserWarning):
    """Warn from the nearest caller that is neither fastnn's nor scikit-learn's."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_OURS):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)
