"""team.h, as Cython sees it; teams at work; and the even split of tasks."""

from libc.stddef cimport size_t


cdef extern from "team.h" nogil:
    ctypedef int fp_state
    fp_state team_enter()
    void team_leave(fp_state caller)
    void team_fork()
    void team_join()
    void team_forked()
    void team_joining()
    size_t team_openmp_rank()
    size_t team_openmp_size()
    ctypedef struct team_barrier:
        size_t stalls
        double patience
    ctypedef struct Team "fastnn_team":
        size_t rank, size
        team_barrier *barrier
    void team_wait(const Team *team)
    int team_max_threads()
    int team_n_cores()
    int team_openmp_version()
    double team_seconds()
    size_t team_next(size_t *counter)
    size_t team_count(const size_t *counter)
    void team_yield()
    int team_claim(char *taken)
    void team_give_back(char *taken)


cdef int affordable_team(int n_threads) noexcept nogil

# What each thread of a team does.
ctypedef void (*TeamWork)(void *job, const Team *team) noexcept nogil
cdef void run_team(int n_threads, TeamWork work, void *job, team_barrier *barrier) noexcept nogil


cdef struct Share:
    size_t first, last


cdef inline Share share_of(size_t rank, size_t size, size_t n_tasks) noexcept nogil:
    """The part of tasks 0 ... n_tasks - 1 that the thread of this rank has in a team of this size."""
    return Share(n_tasks * rank // size, n_tasks * (rank + 1) // size)


cdef inline Share my_share(const Team *team, size_t n_tasks) noexcept nogil:
    """The calling thread's part of tasks 0 ... n_tasks - 1. It is the same each time, so its data stay in the cache."""
    return share_of(team.rank, team.size, n_tasks)
