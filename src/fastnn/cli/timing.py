"""Times of several that take turns: medians with their spread, and a note where the machine has other work."""

import os
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

# Before they sleep, idle threads spin: OpenBLAS's for a tenth of a second, OpenMP's for 10 ms (both measured, by the
# CPU time of a pause). Whoever comes next needs their cores.
SETTLE_SECONDS = 0.15
# A machine without other work stays below both: half of the times within 15 % of each other, and hardly a thread of
# anybody else's.
BUSY_SPREAD = 0.15
BUSY_THREADS = 0.25

LOAD = Path("/proc/loadavg")  # Linux's: "0.20 0.18 0.12 1/80 11206", the fourth being threads that run or want to


class Times(NamedTuple):
    """Seconds of several rounds: their median, and half the distance between their quartiles as a part of it.

    One round has no spread: it is NaN.
    """

    median: float
    spread: float

    @classmethod
    def of(cls, seconds):
        lower, median, upper = np.percentile(seconds, [25, 50, 75])
        return cls(float(median), float((upper - lower) / 2 / median) if len(seconds) > 1 else np.nan)

    @property
    def plus_minus(self):
        """The spread as text."""
        return "" if np.isnan(self.spread) else spread_text(self.spread)


def spread_text(spread):
    return f"± {100 * spread:.0f} %"


class OtherWork:
    """How many threads of other processes want a core, by samples taken while our own threads rest."""

    def __init__(self):
        self.samples = []

    def settle(self, n_threads=2):
        """Wait until all of our threads are at rest, and count those that are not ours."""
        if n_threads > 1:
            time.sleep(SETTLE_SECONDS)
        try:
            n_running = int(LOAD.read_text().split()[3].split("/")[0])
        except (OSError, ValueError, IndexError):
            # Not Linux. The load average of other systems is one over a minute, in which we, too, have worked.
            return
        self.samples.append(max(0, n_running - 1))  # without the thread that reads it

    @property
    def n_threads(self):
        """The mean of the samples."""
        return float(np.mean(self.samples)) if self.samples else 0.0


def busy_note(spreads, other_work, n_threads):
    """What to say of figures taken on a machine that has other work, or None where it seems to have none.

    Parameters
    ----------
    spreads : sequence of float
        Those of all Times.
    other_work : OtherWork
    n_threads : int
        How many threads of ours worked at a time.
    """
    n_cores, spread = os.cpu_count() or 1, float(np.median(spreads))
    reasons = []
    if other_work.n_threads > n_cores - n_threads + BUSY_THREADS:
        reasons.append(f"{other_work.n_threads:.1f} threads of other processes ran on its {n_cores} cores")
    if spread > BUSY_SPREAD:
        reasons.append(f"the times vary by {spread_text(spread)}")
    if not reasons:
        return None
    return f"This machine is busy: {', and '.join(reasons)}.\nThe figures mean little: repeat them when it is idle."
