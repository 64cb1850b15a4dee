"""Whether other programs want the cores too: a team's threads then stall each other, and one alone is faster.

What one network's team found out holds for all networks of this process, for a while. Each while is twice the last one
if the crowd is still there: other libraries' idle threads spin for some 20 milliseconds, programs stay.
"""

import time

# A thread that has waited for another for 0.1 ms, and for as long as one core would take for the other's work, has lost
# its core to another program, or the other has: such a stall may last for that program's turn.
cdef double LEAST_PATIENCE = 1e-4
cdef double SLOW_FLOPS = 5e10
cdef double TURN = 1e-2
# Seconds. Stalls farther apart than CALM are chance.
cdef double LEAST_WHILE = 0.02
cdef double MOST_WHILE = 0.64
cdef double CALM = 0.3

cdef double crowded_until = 0, last_while = 0
cdef double counted_since = 0
cdef size_t n_stalls = 0


def is_crowded():
    """Whether teams leave their work to one thread at present."""
    return time.monotonic() < crowded_until


cdef double patience_for(double flops) noexcept:
    """Seconds that a thread may wait for another with so much work, before that counts as a stall."""
    return LEAST_PATIENCE + flops / SLOW_FLOPS


cdef int uncrowded_team(int n_threads, double patience) except -1:
    """So many threads; one, while others want the cores too and would stall a team for longer than the work takes."""
    return 1 if n_threads > 1 and patience < TURN and is_crowded() else n_threads


cdef size_t recent_stalls() except? 0:
    """How many there were lately, for the next team to go on counting from."""
    global n_stalls, counted_since
    now = time.monotonic()
    if now > counted_since + CALM:
        n_stalls, counted_since = 0, now
    return n_stalls


cdef bint note_stalls(size_t stalls) except -1:
    """What a team has counted to; returns whether it is to give up."""
    global n_stalls, crowded_until, last_while
    n_stalls = stalls
    if stalls < MOST_STALLS:
        return False
    now = time.monotonic()
    last_while = min(2 * last_while, MOST_WHILE) if now < crowded_until + CALM else LEAST_WHILE
    crowded_until, n_stalls = now + last_while, 0
    return True
