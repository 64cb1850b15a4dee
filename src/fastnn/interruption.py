"""Ctrl-C during a fit, noticed between segments and nowhere else."""

import signal
import threading


class Interruption:
    """While it is entered, Ctrl-C is noted, and raised as KeyboardInterrupt when the fit next asks.

    Python raises KeyboardInterrupt wherever it happens to be. In a fit that may be in the middle of the bookkeeping of
    an epoch, or in a callback of the garbage collector, which swallows it: the fit then goes on for ever. A second
    Ctrl-C is not kept waiting. Other threads than the main one, and programs with a handler of their own, are left
    alone.
    """

    def __init__(self):
        self._pressed = False

    def __enter__(self):
        self._is_mine = (
            threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        )
        if self._is_mine:
            signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *exception):
        if self._is_mine:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        if self._pressed:  # after the last check
            raise KeyboardInterrupt

    def _note(self, number, frame):
        if self._pressed:
            signal.default_int_handler(number, frame)
        self._pressed = True

    def check(self):
        """Raise KeyboardInterrupt if Ctrl-C was pressed since the last check."""
        if self._pressed:
            self._pressed = False
            raise KeyboardInterrupt
