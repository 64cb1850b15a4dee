"""Prints where a fit's time went, if the environment has FASTNN_PROFILE=1."""

import sys

from fastnn.engine.profile import peak_gflops


def show_profile(trainer):
    """Print what a trainer's profile has noted up to now."""
    if trainer.profile is not None:
        print(text(trainer.profile, peak_gflops(trainer.network.dtype)), file=sys.stderr)


def text(profile, peak):
    """A table of a profile.

    Parameters
    ----------
    profile : fastnn.engine.profile.Profile
    peak : float
        What a core can do, in GFLOP/s.
    """
    operations = profile.operations()
    threads = range(profile.n_threads)
    total = sum(working + waiting for *_, by_rows, _, times in operations if not by_rows for working, waiting in times)
    names = "".join(f"{f'thread {i}':>18}" for i in threads)
    lines = [
        f"fastnn: {profile.n_steps:,.0f} steps with {profile.n_samples:,.0f} samples; a core does at most "
        f"{peak:.0f} GFLOP/s",
        "Milliseconds of each thread, and what it waited at the barrier behind them; GFLOP/s of a core that works,",
        "where every product is counted as if no number in it were zero; and the part of all threads' time.",
        f"{'phase':<6} {'operation':<14}{names}   GFLOP/s   peak   time",
    ]
    last_phase = 0
    for phase, name, by_rows, flops, times in operations:
        seconds, waited = sum(working for working, _ in times), sum(waiting for _, waiting in times)
        columns = "".join(
            f"{1e3 * working:>10.1f}" + (f" + {1e3 * waiting:<5.1f}" if waiting else 8 * " ")
            for working, waiting in times
        )
        rate = flops / seconds / 1e9 if seconds else 0.0
        speed = f"{rate:10.0f} {rate / peak:6.0%}" if flops else 17 * " "
        number, last_phase = "" if phase == last_phase else str(phase), phase
        label = ("  " if by_rows else "") + name
        part = "" if by_rows else f"{(seconds + waited) / total if total else 0:7.0%}"
        lines.append(f"{number:<6} {label:<14}{columns}{speed}{part}".rstrip())
    return "\n".join(lines)
