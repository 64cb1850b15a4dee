"""Contention: other programs use the cores too. A team's threads then stall each other, and one thread is faster.

What one network's team has found out holds for all networks of this process: while they back off, each uses one thread.
A back-off lasts twice as long as the last one if the contention is still there: the idle threads of other libraries
spin for some 20 milliseconds, but programs run on.
"""

import time

# A thread is stalled when it has waited for another for LEAST_PATIENCE seconds and for as long as one core would take
# for the other's work: one of the two has then lost its core to another program, perhaps for that program's time slice.
cdef double LEAST_PATIENCE = 1e-4
cdef double SLOW_FLOPS = 5e10  # operations a second of one core, or fewer than it can do
cdef double TIME_SLICE = 1e-2  # seconds
# Seconds that a back-off lasts.
cdef double SHORTEST_BACK_OFF = 0.02
cdef double LONGEST_BACK_OFF = 0.64
# Seconds without contention after which stalls are counted from 0 again, and the next back-off is the shortest one.
cdef double BACK_OFF_RESET = 0.3

cdef double backing_off_until = 0, last_back_off = 0
cdef double counted_since = 0
cdef size_t n_stalls = 0


def is_contended():
    """Whether teams leave their work to one thread at present."""
    return time.monotonic() < backing_off_until


cdef double patience_for(double flops) noexcept:
    """Seconds that a thread may wait for another one with so much work, before the wait counts as a stall."""
    return LEAST_PATIENCE + flops / SLOW_FLOPS


cdef int uncontended_team(int n_threads, double patience) except -1:
    """That many threads, or one while the cores are contended and a stall would last longer than the work."""
    return 1 if n_threads > 1 and patience < TIME_SLICE and is_contended() else n_threads


cdef size_t recent_stalls() except? 0:
    """The number of recent stalls, from which the next team continues to count."""
    global n_stalls, counted_since
    now = time.monotonic()
    if now > counted_since + BACK_OFF_RESET:
        n_stalls, counted_since = 0, now
    return n_stalls


cdef bint note_stalls(size_t stalls) except -1:
    """Take over the number of stalls that a team has counted to. Returns whether the team is to back off."""
    global n_stalls, backing_off_until, last_back_off
    n_stalls = stalls
    if stalls < MOST_STALLS:
        return False
    now = time.monotonic()
    continues = now < backing_off_until + BACK_OFF_RESET
    last_back_off = min(2 * last_back_off, LONGEST_BACK_OFF) if continues else SHORTEST_BACK_OFF
    backing_off_until, n_stalls = now + last_back_off, 0
    return True
