"""Ctrl-C during a fit, which takes effect between segments and nowhere else."""

import math
import signal
import threading
import time
from contextlib import contextmanager

# A second Ctrl-C within so many seconds ends not only the fit, but also the program that called it.
REPEAT_SECONDS = 1.0
_last_press = -math.inf  # the time of the last Ctrl-C in any fit
_around = threading.local()  # .interruption: that of the fits side by side which the calling thread takes part in


class Interruption:
    """A context in which Ctrl-C is noted, and raised as KeyboardInterrupt by the fit's next `check`.

    Python itself raises KeyboardInterrupt between any two instructions. In a fit these may be in the bookkeeping of an
    epoch, or in a callback of the garbage collector, which ignores the exception: the fit would never end. A second
    Ctrl-C is raised at once. The context has no effect in other threads than the main one, and in programs that have a
    handler of their own. But a fit beside others ends with them all, on whichever thread it is: see `ending_with`.
    """

    def __init__(self):
        self._pressed = self._repeated = False
        self._of_all = getattr(_around, "interruption", None)

    def __enter__(self):
        self._is_mine = (
            threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        )
        if self._is_mine:
            signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, kind, error, traceback):
        if self._is_mine:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        if self._pressed and not isinstance(error, KeyboardInterrupt):  # after the last check
            raise KeyboardInterrupt

    def _note(self, number, frame):
        self._repeated = _follows_another() or self._pressed
        self._pressed = True
        if self._repeated:
            # The handler is restored here, since __enter__ may still be running, and then no __exit__ follows.
            signal.signal(signal.SIGINT, signal.default_int_handler)
            signal.default_int_handler(number, frame)

    @property
    def is_pressed(self):
        """Whether Ctrl-C was pressed, or the fits that this one is beside are to end."""
        return self._pressed or (self._of_all is not None and self._of_all.is_pressed)

    def press(self):
        """End what checks this interruption, as Ctrl-C does."""
        self._pressed = True

    def check(self):
        """Raise KeyboardInterrupt if Ctrl-C was pressed."""
        if self.is_pressed:
            raise KeyboardInterrupt

    def is_repeated(self):
        """Whether a KeyboardInterrupt that ended the fit must also reach the fit's caller.

        It must when Ctrl-C was pressed twice within REPEAT_SECONDS, the first time perhaps in another fit. Otherwise
        nobody could end a search, since each of its fits would end with a model. Of fits side by side, all end at once.
        """
        if self._of_all is not None:
            return True
        # A Ctrl-C that was not noted came from another handler: the program's, or that of a fit that calls this one.
        if not self._pressed and threading.current_thread() is threading.main_thread():
            self._repeated = _follows_another()
        return self._repeated


@contextmanager
def ending_with(interruption):
    """A context in which the calling thread's fits end, without a model, when this interruption is pressed."""
    before = getattr(_around, "interruption", None)
    _around.interruption = interruption
    try:
        yield
    finally:
        _around.interruption = before


def _follows_another():
    """Note a Ctrl-C; returns whether it came within REPEAT_SECONDS of the one before."""
    global _last_press
    before, _last_press = _last_press, time.monotonic()
    return _last_press - before < REPEAT_SECONDS
