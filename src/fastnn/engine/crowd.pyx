"""Whether other programs want the cores too: a team's threads then stall each other, and one alone is faster.

What one network's team found out holds for all networks of this process, for a while. Each while is twice the last one
if the crowd is still there: other libraries' idle threads spin for some 20 milliseconds, programs stay.
"""

import time

# Seconds. Stalls farther apart than CALM are chance.
cdef double LEAST_WHILE = 0.02
cdef double MOST_WHILE = 0.64
cdef double CALM = 0.3

cdef double crowded_until = 0, last_while = 0
cdef double counted_since = 0
cdef size_t n_stalls = 0


cdef bint is_crowded() except -1:
    return time.monotonic() < crowded_until


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
