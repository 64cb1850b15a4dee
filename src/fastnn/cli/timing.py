"""Times of peers that take turns: medians with their spread, and a note if the machine has other work."""

import os
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

# Idle threads spin before they sleep: OpenBLAS's for a tenth of a second, OpenMP's for 10 ms (both measured, by the
# CPU time of a pause). The next peer needs their cores.
SETTLE_SECONDS = 0.15
# Limits for a machine without other work: half of the times are within 15 % of each other, and other processes have
# hardly a thread that runs.
BUSY_SPREAD = 0.15
BUSY_THREADS = 0.25

LOAD = Path("/proc/loadavg")  # Linux's: "0.20 0.18 0.12 1/80 11206", where 1 is the number of runnable threads


class Times(NamedTuple):
    """The median of several rounds' seconds, and their spread: half the distance of the quartiles over the median.

    The spread of one round is NaN.
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
    """The number of runnable threads of other processes, sampled while our own threads sleep."""

    def __init__(self):
        self.samples = []

    def settle(self, n_threads=2):
        """Wait until our own threads sleep, and count the runnable threads of other processes."""
        if n_threads > 1:
            time.sleep(SETTLE_SECONDS)
        try:
            n_running = int(LOAD.read_text().split()[3].split("/")[0])
        except (OSError, ValueError, IndexError):
            # Not Linux. Other systems have load averages over a minute only, which count our own threads, too.
            return
        self.samples.append(max(0, n_running - 1))  # without the thread that reads it

    @property
    def n_threads(self):
        """The mean of the samples."""
        return float(np.mean(self.samples)) if self.samples else 0.0


def busy_note(spreads, other_work, n_threads):
    """A note that the machine has other work.

    Parameters
    ----------
    spreads : sequence of float
        The spreads of all Times.
    other_work : OtherWork
    n_threads : int
        The number of our own threads that worked at a time.

    Returns
    -------
    str or None
        None if there is no sign of other work.
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
