"""How many threads a fit's segments use: its share of the cores or, where that is faster, one.

Threads that wait for each other at every phase of a step pay on some machines and not on others: cores are 50 to 300 ns
apart, a neighbour may use one of them, and a step may take 20 microseconds or 20 milliseconds. No number of threads
changes a bit of the result, so the clock may decide: segments are timed with both in turn.
"""

import math

from fastnn.runtime.sharing import threads_now

# Segments before the first timed one: they are short, and find memory that no core has in its cache.
N_WARM_UP = 4
# How often each number of threads is timed in turn. The best time counts, since other work only makes one longer.
N_TRIALS = 3
# The other number of threads is tried again after so many segments, and both when segments of so many in a row take so
# many times as long as the best one.
SEGMENTS_BETWEEN_LOOKS = 50
STALLS_IN_A_ROW, STALL = 3, 2.0
# A timed segment takes this part of a usual one: what is slower does not cost much.
PART_OF_SEGMENT = 10
# Floating-point operations of a step from which several threads are always faster: it takes more than a millisecond.
LARGE_STEP = 2e8


class ThreadChoice:
    """Decides on the number of threads of each segment.

    Parameters
    ----------
    n_threads : int or None
        The estimator's parameter, which is obeyed. None: the clock decides.
    most : int
        The most threads that a step uses.
    step_flops : float
        Floating-point operations of a step.
    """

    def __init__(self, n_threads, most, step_flops):
        self.given, self.most = n_threads, most
        self.is_timed = n_threads is None and step_flops < LARGE_STEP
        self.n_before, self.is_compared, self.is_beside = N_WARM_UP, False, False
        self._compare(1)

    def _compare(self, share):
        """Time one thread and a share of several in turn from now on."""
        self.share, self.chosen = share, share
        self.waiting = [share, 1] * N_TRIALS if share > 1 else []
        self._forget()

    def _forget(self):
        self.best = {1: math.inf, self.share: math.inf}
        self.n_segments = self.n_stalls = 0

    def next(self, n_beside=0):
        """The number of threads of the next segment.

        Parameters
        ----------
        n_beside : int, default=0
            How many of the fit's threads do something else for a while. The segment should then be short.
        """
        self.is_compared, self.is_beside = False, n_beside > 0
        if self.most == 1:  # asking for the share takes as long as a tenth of an epoch of iris
            return 1
        share = threads_now(self.given)
        if self.is_beside:
            return max(1, share - n_beside)
        self.is_compared = share > 1 and self.is_timed and self.n_before == 0
        if not self.is_compared:
            return share
        if share != self.share:
            self._compare(share)
        return self.waiting[0] if self.waiting else self.chosen

    @property
    def is_brief(self):
        """Whether the segment that `next` was called for should be short: another number of threads may come next."""
        return self.is_beside or (self.is_compared and bool(self.waiting))

    def note(self, n_threads, seconds):
        """Take notice of a segment.

        Parameters
        ----------
        n_threads : int
            What `next` returned.
        seconds : float
            Its time for one sample or, of sequences, for one step.
        """
        if self.n_before > 0:
            self.n_before -= 1
        elif self.is_compared:
            self.best[n_threads] = min(self.best[n_threads], seconds)
            if self.waiting:
                self._note_trial()
            else:
                self._note_chosen(seconds)

    def _note_trial(self):
        self.waiting.pop(0)
        if not self.waiting:
            faster = min(self.best, key=self.best.get)
            if faster != self.chosen and self.n_segments:  # seen once: time both again
                self._compare(self.share)
            else:
                self.chosen = faster
                self._forget()

    def _note_chosen(self, seconds):
        self.n_segments += 1
        self.n_stalls = self.n_stalls + 1 if seconds > STALL * self.best[self.chosen] else 0
        if self.n_stalls == STALLS_IN_A_ROW:
            self._compare(self.share)
        elif self.n_segments == SEGMENTS_BETWEEN_LOOKS:
            self.waiting = [1 if self.chosen > 1 else self.share]
