"""Seconds, and the most arithmetic a machine can do: what the benchmarks that track figures count by."""

import ctypes
import os
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

from fastnn.engine.profile import multiply_add
from fastnn.runtime.threads import effective_n_threads


def best_seconds(*works, rounds=7, at_least=0.1):
    """The best time of each work, in turn; short ones are repeated for so many seconds a round."""
    best = [np.inf] * len(works)
    for _ in range(rounds):
        for i, work in enumerate(works):
            end = time.perf_counter() + at_least / rounds
            while True:
                start = time.perf_counter()
                work()
                now = time.perf_counter()
                best[i] = min(best[i], now - start)
                if now >= end:
                    break
    return best


def compiled(name):
    """A C source of this folder, compiled for this machine, or None where there is no C compiler."""
    folder = tempfile.TemporaryDirectory()
    source = Path(__file__).with_name(name)
    path = Path(folder.name) / f"{source.stem}.so"
    flags = ["-O3", "-march=native", "-ffp-contract=fast", "-fopenmp", "-shared", "-fPIC"]
    try:
        subprocess.run([os.environ.get("CC", "cc"), *flags, str(source), "-o", str(path)], check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    library = ctypes.CDLL(str(path))
    folder.cleanup()  # what is loaded stays
    return library


def fma_peak_work(dtype, n_threads=None):
    """A work of nothing but fused multiply-adds, by default on as many threads as fastnn uses, and its operations."""
    n, n_threads = 200_000, n_threads or effective_n_threads()
    return (lambda: multiply_add(dtype, n, n_threads)), multiply_add(dtype, n, n_threads)


def figures(flops, fastnn, numpy, dtype):
    """What a work comes to, by times taken in turn: the rows of `_Tracked`.

    Parameters
    ----------
    flops : float
        The work's operations.
    fastnn, numpy : callable
        The work by each of them.
    dtype : str
    """
    peak = fma_peak_work(dtype)
    ours, numpys, loop = best_seconds(fastnn, numpy, peak[0])
    return {
        "gflops": flops / ours / 1e9,
        "fraction_of_peak": flops / ours / (peak[1] / loop),
        "times_as_fast_as_numpy": numpys / ours,
    }


class _Tracked:  # asv would take it for a benchmark itself
    """Benchmarks of figures: `setup_cache` of a subclass measures them all, a dict of them for each set of parameters.

    asv tells caches apart by the line they are made in, so that each subclass needs one of its own.
    """

    timeout = 300

    def track_gflops(self, measured, *parameters):
        return measured[parameters]["gflops"]

    def track_fraction_of_peak(self, measured, *parameters):
        return measured[parameters]["fraction_of_peak"]

    def track_times_as_fast_as_numpy(self, measured, *parameters):
        return measured[parameters]["times_as_fast_as_numpy"]

    track_gflops.unit = "GFLOP/s"
    track_fraction_of_peak.unit = "of the FMA peak"
    track_times_as_fast_as_numpy.unit = "times"
