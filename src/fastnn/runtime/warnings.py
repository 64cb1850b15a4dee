"""Warnings that point at the user's line, from any depth of calls inside fastnn and other packages."""

import sys
import warnings

# Packages whose code may be on the call stack between the user's line and the warning: scikit-learn, joblib and the
# standard library call estimators for the user, and SciPy calls fastnn back.
_PACKAGES_BETWEEN = {"fastnn", "sklearn", "joblib", "scipy", *sys.stdlib_module_names}


def warn_user(message, category=UserWarning):
    """Warn with the user's line: the nearest one on the call stack outside of fastnn and the packages that call it.

    The warning's module is fastnn, so that `warnings.filterwarnings(module="fastnn")` filters it. `warnings.warn` would
    take the module of the user's line. As with `warnings.warn`, a warning is shown once for each line.

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
    """The nearest frame of the user's code; in a worker process or thread, which has none, fastnn's outermost frame."""
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
    """The name of the top-level package to which a frame's code belongs."""
    name, spec = frame.f_globals.get("__name__", ""), frame.f_globals.get("__spec__")
    if name == "__main__" and spec is not None:  # python -m: joblib starts its workers so
        name = spec.name
    return name.partition(".")[0]
