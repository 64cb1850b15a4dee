"""How many threads a prediction uses, which may take two microseconds on one, or a second.

A team costs what it takes to begin and to end. This is measured once for each number of threads: 2 to 10 microseconds
while its threads are awake. OpenMP's threads fall asleep some milliseconds after their last team, and to wake them
takes as long as a thousand samples of a small network. So threads that sleep are woken only if that pays at once,
or once predictions in a row could have gained as much: these then have most of the gain, and single ones hardly any
loss. No number of threads changes a bit of a prediction.
"""

from libc.math cimport INFINITY

from fastnn.engine.threads.contention cimport MOST_STALLS, note_stalls, uncontended_team
from fastnn.engine.threads.team cimport Team, affordable_team, run_team, team_seconds

# Seconds for which a team's threads surely wait for the next one, and what it costs to wake them.
cdef double AWAKE_SECONDS = 3e-3
cdef double WAKING_COST = 3e-4
# What it takes to find out how many threads there are.
cdef double ASKING_COST = 4e-6
# Of so many teams that do nothing the fastest one is what a team costs. They take no longer than so many seconds, of
# which the first one may need some hundred microseconds to wake up.
cdef enum:
    N_TRIALS = 20
    N_MEASURED = 256
cdef double MEASURING_SECONDS = 2e-3
# If it costs more, another program has had the core, and it is measured again; a build without threads measures 0.
cdef double MOST_COST = 3e-5, MOST_COST_OF_EACH = 2e-6
cdef double LEAST_COST = 1e-6
# Beside beginning and ending, threads fetch what they read from each other's caches, and ask for their number.
cdef double COST_FACTOR = 1.5

cdef double costs[N_MEASURED]  # by the number of threads; 0: not measured
# When a team has ended, and when a prediction has asked for one; in seconds.
cdef double last_end = -INFINITY, last_asked = -INFINITY
cdef double missed = 0  # the seconds that awake threads would have gained since the last pause


cdef void do_nothing(void *job, const Team *team) noexcept nogil:
    pass


cdef inline double most_cost(int n_threads) noexcept:
    return COST_FACTOR * (MOST_COST + n_threads * MOST_COST_OF_EACH)


cdef double team_cost(int n_threads) except? -1:
    """Seconds that a team of so many threads takes, in addition to its work, while they are awake."""
    cdef int n_trials = 0, at = min(n_threads, N_MEASURED - 1)
    cdef double start, end, now, least = INFINITY
    if n_threads == 1:
        return 0
    if costs[at] > 0:
        return costs[at]
    if affordable_team(n_threads) < n_threads:
        return INFINITY
    with nogil:
        now = team_seconds()
        end = now + MEASURING_SECONDS
        while n_trials < N_TRIALS and now < end:
            start = now
            run_team(n_threads, do_nothing, NULL, NULL)
            now = team_seconds()
            least = min(least, now - start)
            n_trials += 1
    note_team()
    least = max(COST_FACTOR * least, LEAST_COST)
    if least <= most_cost(n_threads):
        costs[at] = least
    return least


cdef bint team_may_pay(double seconds) except -1:
    """Whether several threads may be faster at what takes one so many seconds, however many there are."""
    global last_asked, missed
    cdef double now
    if seconds < 2 * (costs[2] + ASKING_COST):
        return False
    now = team_seconds()
    if now > last_asked + AWAKE_SECONDS:
        missed = 0
    last_asked = now
    if now < last_end + AWAKE_SECONDS:
        return True
    missed += seconds / 2
    return missed > WAKING_COST


cdef int worthwhile_team(int n_threads, double seconds) except -1:
    """So many threads, or one where these, even if they are awake, would be slower at what takes one so long.

    Where that is since other programs use the cores, teams back off. Meanwhile nothing is measured.
    """
    cdef double cost
    if n_threads == 1 or uncontended_team(n_threads, 0) == 1:
        return n_threads
    cost = team_cost(n_threads)
    if seconds - seconds / n_threads > cost:
        return n_threads
    if most_cost(n_threads) < cost < INFINITY:
        note_stalls(MOST_STALLS)
    return 1


cdef void note_team() noexcept:
    """Take notice that a team has ended: its threads are awake."""
    global last_end, missed
    last_end, missed = team_seconds(), 0
