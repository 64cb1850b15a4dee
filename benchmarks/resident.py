"""The memory of this process, as Linux counts it: how much higher it was during some work than before."""


def _megabytes(which):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(which)) / 1024


def forget_peak():
    """Forget the peak of the resident memory so far; returns the megabytes in use now."""
    with open("/proc/self/clear_refs", "w") as peak:
        peak.write("5")
    return _megabytes("VmRSS")


def peak_megabytes():
    """The peak of the resident memory since it was last forgotten."""
    return _megabytes("VmHWM")


def megabytes_of(work):
    """How much higher the resident memory was during a work than before it."""
    before = forget_peak()
    work()
    return peak_megabytes() - before
