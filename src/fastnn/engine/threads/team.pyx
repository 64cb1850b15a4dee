"""Teams of threads: how many OpenMP has, on which cores they run, and how they are started."""

from array import array

from cython.parallel cimport parallel
from libc.stdlib cimport getenv
from libc.string cimport memset

from fastnn.engine.threads.team cimport (
    Team, TeamWork, team_barrier, team_fork, team_forked, team_join, team_joining, team_max_threads, team_n_cores,
    team_next, team_openmp_rank, team_openmp_size, team_openmp_version, team_seconds, team_wait,
)

cdef extern from *:
    """
    #if defined(__clang__)
    #define FASTNN_COMPILER "Clang " __clang_version__
    #elif defined(__GNUC__)
    #define FASTNN_COMPILER "GCC " __VERSION__
    #else
    #define FASTNN_COMPILER "unknown"
    #endif
    """
    const char *FASTNN_COMPILER

cdef extern from *:
    """
    #include "placement.h"
    #if defined(_OPENMP) && !defined(_WIN32)
    #include <pthread.h>
    #include <stdlib.h>

    /* The size of the calling thread's last team, whose threads OpenMP keeps for the next one. */
    static _Thread_local int team_kept = 1;

    static void *wait_for_the_gate(void *gate)
    {
        pthread_mutex_lock(gate);
        pthread_mutex_unlock(gate);
        return NULL;
    }

    /* Whether n threads can be started beside this one, all at the same time, and some memory allocated. */
    static int can_start(int n)
    {
        int n_started = 0, enough;
        pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
        pthread_t *threads = malloc(n * sizeof *threads);
        void *margin = malloc(1 << 16);
        pthread_mutex_lock(&gate);
        while (threads && n_started < n && !pthread_create(&threads[n_started], NULL, wait_for_the_gate, &gate))
            n_started++;
        enough = n_started == n && margin;
        pthread_mutex_unlock(&gate);
        while (n_started)
            pthread_join(threads[--n_started], NULL);
        free(margin);
        free(threads);
        return enough;
    }

    static int team_of(int n)
    {
        int starts_some = n > team_kept;
        if (starts_some && !can_start(n - team_kept))
            return 1;
        if (n > 1) {
            placement_apply(n, starts_some);
            team_kept = n;
        }
        return n;
    }
    #else
    static int team_of(int n) { return n; }
    #endif
    """
    int team_of(int n) nogil
    void placement_set(const int *cores, int n)
    ctypedef struct placement_taken:
        pass
    void placement_spread(placement_taken *taken) nogil


cdef int affordable_team(int n_threads) noexcept nogil:
    """n_threads if so many threads can be started, else 1. OpenMP ends the process when it cannot start a thread.

    So threads are started beforehand where OpenMP will have to start some. OpenMP then gets the stacks that they leave.
    """
    return team_of(n_threads)


# Seconds, beyond the barrier's patience, that a team may take to begin and to end: to start or to wake its threads.
cdef double MOST_OVERHEAD = 1e-3, MOST_OVERHEAD_OF_EACH = 1e-4


cdef void run_team(int n_threads, TeamWork work, void *job, team_barrier *barrier) noexcept nogil:
    """Let a new team of n_threads threads, the calling one among them, do the work, and wait until all are done.

    A team that takes long to begin and to end is stalled too: OpenMP's own waits spin, so a thread that needs the core
    of a spinning one gets it at the end of a time slice.
    """
    cdef Team alone = Team(0, 1, barrier)
    cdef Gathering gathering
    cdef double start, most = MOST_OVERHEAD + n_threads * MOST_OVERHEAD_OF_EACH
    if n_threads == 1:
        work(job, &alone)
    else:
        memset(&gathering, 0, sizeof(gathering))
        start = team_seconds()
        team_fork()
        with parallel(num_threads=n_threads):
            join_team(work, job, barrier, &gathering)
        team_join()
        if barrier != NULL and team_seconds() - start - gathering.working > barrier.patience + most:
            team_next(&barrier.stalls)


# What the threads of a team share from when it begins to when it ends.
cdef struct Gathering:
    placement_taken cores
    team_barrier end
    double working  # seconds that the calling thread has worked


cdef void join_team(TeamWork work, void *job, team_barrier *barrier, Gathering *gathering) noexcept nogil:
    cdef Team team = Team(team_openmp_rank(), team_openmp_size(), barrier)
    cdef Team leaving = Team(team.rank, team.size, &gathering.end)
    cdef double start = team_seconds()
    team_forked()
    placement_spread(&gathering.cores)
    work(job, &team)
    if team.rank == 0:
        gathering.working = team_seconds() - start
    team_wait(&leaving)  # since OpenMP's own wait at the end yields no core to a thread that has yet to begin
    team_joining()


#: The compiler of this build.
compiler = FASTNN_COMPILER.decode().strip()
#: The date of the OpenMP standard this build follows, as yyyymm; 0 where it was built without.
openmp_version = team_openmp_version()
#: The cores that OpenMP found when it was loaded: it uses so many threads by default.
n_cores_found = team_n_cores()


def max_threads():
    """The threads that OpenMP would use now: OMP_NUM_THREADS, threadpoolctl's limit, or the cores it has found."""
    return team_max_threads()


def has_number():
    """Whether OMP_NUM_THREADS is set. os.environ takes longer to say so than a small team takes to begin."""
    cdef const char *number = getenv("OMP_NUM_THREADS")
    return number != NULL and number[0] != 0


def n_cores():
    """The cores that OpenMP counts now: in the calling thread's mask or, where it binds threads, in its places."""
    return team_n_cores()


def run_on(cores):
    """Have the calling thread's teams run on the cores with these numbers. The calling thread stays where it is."""
    cdef int[::1] numbers = array("i", cores)
    placement_set(&numbers[0], <int>numbers.shape[0])
