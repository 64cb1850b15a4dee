"""Warnings that point at the user's line, from any depth of calls inside fastnn and other packages."""

import sys
import threading
import warnings
from contextlib import contextmanager

# Packages whose code may be on the call stack between the user's line and the warning: scikit-learn, joblib and the
# standard library call estimators for the user, and SciPy calls fastnn back.
_PACKAGES_BETWEEN = {"fastnn", "sklearn", "joblib", "scipy", *sys.stdlib_module_names}
_caller = threading.local()  # .frame: the frame of the user's code for which the calling thread works


def warn_user(message, category=UserWarning):
    """Warn with the user's line: the nearest one on the call stack outside of fastnn and the packages that call it.

    The warning's module is fastnn, so that `warnings.filterwarnings(module="fastnn")` filters it. `warnings.warn` would
    take the module of the user's line. As with `warnings.warn`, a warning is shown once for each line.

    Parameters
    ----------
    message : str
    category : type, default=UserWarning
    """
    frame = user_frame()
    registry = frame.f_globals.setdefault("__warningregistry__", {})
    warnings.warn_explicit(
        message, category, frame.f_code.co_filename, frame.f_lineno, module="fastnn", registry=registry
    )


def user_frame():
    """The nearest frame of the user's code.

    A worker thread of fastnn's has the frame that `working_for` names. A worker process, or a thread of another
    package's, has none: there it is fastnn's outermost frame.
    """
    frame, call = sys._getframe(1), None
    while frame is not None:
        package = _package(frame)
        if package not in _PACKAGES_BETWEEN:
            return frame
        if package == "fastnn":
            call = frame
        frame = frame.f_back
    return getattr(_caller, "frame", None) or call


@contextmanager
def working_for(frame):
    """A context in which the calling thread's warnings point at this frame, unless code of the user's is nearer."""
    _caller.frame = frame
    try:
        yield
    finally:
        del _caller.frame


def _package(frame):
    """The name of the top-level package to which a frame's code belongs."""
    name, spec = frame.f_globals.get("__name__", ""), frame.f_globals.get("__spec__")
    if name == "__main__" and spec is not None:  # python -m: joblib starts its workers so
        name = spec.name
    return name.partition(".")[0]
