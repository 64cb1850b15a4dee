"""team.h, as Cython sees it, and the even split of tasks."""

from libc.stddef cimport size_t


cdef extern from "team.h" nogil:
    ctypedef int fp_state
    fp_state team_enter()
    void team_leave(fp_state caller)
    void team_fork()
    void team_join()
    void team_forked()
    void team_joining()
    int team_rank()
    int team_size()
    ctypedef struct team_meeting:
        size_t stalls
        double patience
    void team_barrier(team_meeting *place)
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


cdef struct Share:
    size_t first, last


cdef inline Share my_share(size_t n_tasks) noexcept nogil:
    """The calling thread's part of tasks 0 ... n_tasks - 1: the same one each time, so that its caches stay warm."""
    cdef Share share
    cdef size_t rank = team_rank(), size = team_size()
    share.first = n_tasks * rank // size
    share.last = n_tasks * (rank + 1) // size
    return share
