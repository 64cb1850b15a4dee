"""Warnings at the user's line, however deep inside fastnn and whatever calls it they arise."""

import sys
import warnings

# Packages that stand between the user's line and the warning: scikit-learn, joblib and the standard library call
# estimators for the user, SciPy calls fastnn back.
_PACKAGES_BETWEEN = {"fastnn", "sklearn", "joblib", "scipy", *sys.stdlib_module_names}


def warn_user(message, category=UserWarning):
    """Warn at the nearest line outside of the packages between, for `warnings.filterwarnings(module="fastnn")` too.

    `warnings.warn` would give the warning the module of the line that it points at. What has been shown once is noted
    with that line, as `warnings.warn` notes it.

    Parameters
    ----------
    message : str
    category : type, default=UserWarning
    """
    frame = _user_frame()
    registry = frame.f_globals.setdefault("__warningregistry__", {})
    warnings.warn_explicit(
        message, category, frame.f_code.co_filename, frame.f_lineno, module="fastnn", registry=registry
    )


def _user_frame():
    """The nearest frame of the user's; in a worker's process or thread, which has none, the call of fastnn."""
    frame, call = sys._getframe(1), None
    while frame is not None:
        package = _package(frame)
        if package not in _PACKAGES_BETWEEN:
            return frame
        if package == "fastnn":
            call = frame
        frame = frame.f_back
    return call


def _package(frame):
    """The name of the package whose code a frame runs."""
    name, spec = frame.f_globals.get("__name__", ""), frame.f_globals.get("__spec__")
    if name == "__main__" and spec is not None:  # python -m: joblib starts its workers so
        name = spec.name
    return name.partition(".")[0]
