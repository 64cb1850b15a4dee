"""Ctrl-C during a fit, noticed between segments and nowhere else."""

import math
import signal
import threading
import time

# A second Ctrl-C within so many seconds is not for the fit under way alone, but for all that is running.
REPEAT_SECONDS = 1.0
_last_press = -math.inf  # when Ctrl-C was last pressed in a fit, whichever that was


class Interruption:
    """While it is entered, Ctrl-C is noted, and raised as KeyboardInterrupt when the fit next asks.

    Python raises KeyboardInterrupt wherever it happens to be. In a fit that may be in the middle of the bookkeeping of
    an epoch, or in a callback of the garbage collector, which swallows it: the fit then goes on for ever. A second
    Ctrl-C is not kept waiting. Other threads than the main one, and programs with a handler of their own, are left
    alone.
    """

    def __init__(self):
        self._pressed = self._repeated = False

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
            # This may be the end of __enter__: no __exit__ follows.
            signal.signal(signal.SIGINT, signal.default_int_handler)
            signal.default_int_handler(number, frame)

    def check(self):
        """Raise KeyboardInterrupt if Ctrl-C was pressed."""
        if self._pressed:
            raise KeyboardInterrupt

    def is_repeated(self):
        """To be asked of a KeyboardInterrupt that ended the fit: whether it is the caller's, too.

        It is where Ctrl-C was pressed twice within REPEAT_SECONDS, the first time perhaps in another fit: else nobody
        could end a search, each of whose fits would end with a model.
        """
        # Without a note of it, it came from another handler: the program's, or that of a fit around this one.
        if not self._pressed and threading.current_thread() is threading.main_thread():
            self._repeated = _follows_another()
        return self._repeated


def _follows_another():
    """Note a Ctrl-C; returns whether it came within REPEAT_SECONDS of the one before."""
    global _last_press
    before, _last_press = _last_press, time.monotonic()
    return _last_press - before < REPEAT_SECONDS
