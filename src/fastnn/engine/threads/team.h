/* A team of threads, as one of its members sees it: OpenMP's, or one thread where the build has none. */
#ifndef FASTNN_TEAM_H
#define FASTNN_TEAM_H

#include <stddef.h>
#include <stdint.h>

/* Gives the core to another thread that waits for one. Windows' function is declared here, since windows.h has macros
 * for min, max and much else. */
#ifdef _WIN32
__declspec(dllimport) int __stdcall SwitchToThread(void);
static inline void team_yield(void) { SwitchToThread(); }
#else
#include <sched.h>
static inline void team_yield(void) { sched_yield(); }
#endif

/* The next of the tasks that a team takes in turn from one counter; OpenMP's threads are GCC's and Clang's too. */
static inline size_t team_next(size_t *counter) { return __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED); }

static inline size_t team_count(const size_t *counter) { return __atomic_load_n(counter, __ATOMIC_RELAXED); }

/* Whether the calling thread has taken what only one thread may have at a time. It has it until it gives it back. */
static inline int team_claim(char *taken) { return !__atomic_exchange_n(taken, 1, __ATOMIC_ACQUIRE); }
static inline void team_give_back(char *taken) { __atomic_store_n(taken, 0, __ATOMIC_RELEASE); }

/* Results too small for a normal number become zero from team_enter() to team_leave(), on the calling thread only.
 *
 * What optimizers remember of idle weights decays through the subnormal numbers, and arithmetic on those is slow: an
 * epoch of the reference network took 5 % longer where it was measured, and CPUs differ. The caller's own
 * floating-point state comes back with team_leave(). Subnormal operands are still read for what they are.
 */
#if defined(__SSE2__)
#include <xmmintrin.h>
static inline void team_pause(void) { _mm_pause(); }
typedef unsigned int fp_state;
static inline fp_state team_enter(void)
{
    fp_state caller = _mm_getcsr();
    _mm_setcsr(caller | _MM_FLUSH_ZERO_ON);
    return caller;
}
static inline void team_leave(fp_state caller) { _mm_setcsr(caller); }
#elif defined(__aarch64__)
static inline void team_pause(void) { __asm__ volatile("yield"); }
typedef uint64_t fp_state; /* the register's width: long is narrower on Windows */
static inline fp_state team_enter(void)
{
    fp_state caller;
    __asm__ volatile("mrs %0, fpcr" : "=r"(caller));
    __asm__ volatile("msr fpcr, %0" : : "r"(caller | (fp_state)1 << 24));
    return caller;
}
static inline void team_leave(fp_state caller) { __asm__ volatile("msr fpcr, %0" : : "r"(caller)); }
#else
static inline void team_pause(void) {}
typedef int fp_state;
static inline fp_state team_enter(void) { return 0; }
static inline void team_leave(fp_state caller) { (void)caller; }
#endif

#ifdef _OPENMP
#include <omp.h>
static inline size_t team_openmp_rank(void) { return (size_t)omp_get_thread_num(); }
static inline size_t team_openmp_size(void) { return (size_t)omp_get_num_threads(); }
static inline int team_max_threads(void)
{
    return omp_get_max_threads() < omp_get_thread_limit() ? omp_get_max_threads() : omp_get_thread_limit();
}
static inline int team_n_cores(void) { return omp_get_num_procs(); }
static inline int team_openmp_version(void) { return _OPENMP; }
static inline double team_seconds(void) { return omp_get_wtime(); }
#else
static inline size_t team_openmp_rank(void) { return 0; }
static inline size_t team_openmp_size(void) { return 1; }
static inline int team_max_threads(void) { return 1; }
static inline int team_n_cores(void) { return 1; }
static inline int team_openmp_version(void) { return 0; }
static inline double team_seconds(void) { return 0; }
#endif

/* GCC's libgomp is not built for ThreadSanitizer, which therefore reports races between what a team's threads read and
 * write and what happens before and after the team. These functions tell it of the order: fork before the team and join
 * after it, forked and joining on each thread.
 */
#ifdef __SANITIZE_THREAD__
void __tsan_acquire(void *);
void __tsan_release(void *);
static char team_forks, team_joins;
static inline void team_fork(void) { __tsan_release(&team_forks); }
static inline void team_join(void) { __tsan_acquire(&team_joins); }
static inline void team_forked(void) { __tsan_acquire(&team_forks); }
static inline void team_joining(void) { __tsan_release(&team_joins); }
#else
static inline void team_fork(void) {}
static inline void team_join(void) {}
static inline void team_forked(void) {}
static inline void team_joining(void) {}
#endif

/* Where a team's threads wait for each other; all zero before the first wait.
 *
 * Four at a time arrive at one cache line and wait at another, the last of each group arrives for all of it, and the
 * last of all lets every group go. So a team of 16 passes two times four lines from core to core one after the other,
 * where one line for all would be passed 16 times, and then be fetched by 15.
 */
enum { TEAM_GROUPS = 16, TEAM_GROUP = 4, TEAM_LINE = 64 };
typedef struct {
    unsigned arrived;
    char apart[TEAM_LINE - sizeof(unsigned)]; /* arriving and waiting threads use different lines */
    unsigned round;
    char between[TEAM_LINE - sizeof(unsigned)];
} team_group;
typedef struct {
    team_group groups[TEAM_GROUPS]; /* of TEAM_GROUP threads, or of more in the largest teams */
    unsigned arrived;               /* groups that have all their threads */
    char apart[TEAM_LINE - sizeof(unsigned)];
    size_t stalls;   /* how often a thread has waited for longer than its patience */
    double patience; /* in seconds */
} team_barrier;

/* A team as one of its threads sees it. Every function that shares work takes one as an argument and never asks OpenMP
 * for the rank, so that several teams can work side by side. */
typedef struct {
    size_t rank, size;
    team_barrier *barrier; /* NULL: this team never waits */
} fastnn_team;

/* How often a waiting thread looks before it yields its core: for a few microseconds, about as long as the threads of a
 * phase are apart. */
enum { TEAM_SPINS = 1000 };

/* Counts a thread, or a group, that has arrived; returns whether it is the last of n, for whom the next round begins.
 */
static inline int team_is_last(unsigned *arrived, size_t n)
{
    if (__atomic_add_fetch(arrived, 1, __ATOMIC_ACQ_REL) < n)
        return 0;
    __atomic_store_n(arrived, 0, __ATOMIC_RELAXED);
    return 1;
}

/* The barrier: returns when every thread of the team has called it.
 *
 * OpenMP's own barrier spins for milliseconds. On a core that another process needs too, the thread waited for does not
 * run meanwhile, and a fit beside a busy process takes twenty times as long. This barrier yields. Still, a thread that
 * yields its core to a busy process gets it back at the end of that process's time slice, 4 to 10 ms later. Such a wait
 * is a stall. A team that has had a few stalls is slower than one thread.
 */
static inline void team_wait(const fastnn_team *team)
{
    team_barrier *barrier = team->barrier;
    const size_t fitting = (team->size + TEAM_GROUPS - 1) / TEAM_GROUPS,
                 most = fitting > TEAM_GROUP ? fitting : TEAM_GROUP;
    const size_t n_groups = (team->size + most - 1) / most, mine = team->rank / most;
    const size_t members = mine + 1 < n_groups ? most : team->size - mine * most;
    team_group *group = &barrier->groups[mine];
    const unsigned round = __atomic_load_n(&group->round, __ATOMIC_ACQUIRE);

    if (team_is_last(&group->arrived, members) && (n_groups == 1 || team_is_last(&barrier->arrived, n_groups))) {
        for (size_t i = 0; i < n_groups; i++)
            __atomic_store_n(&barrier->groups[i].round, barrier->groups[i].round + 1, __ATOMIC_RELEASE);
        return;
    }
    for (int spins = 0; spins < TEAM_SPINS; spins++) {
        if (__atomic_load_n(&group->round, __ATOMIC_ACQUIRE) != round)
            return;
        team_pause();
    }
    double start = team_seconds();
    while (__atomic_load_n(&group->round, __ATOMIC_ACQUIRE) == round)
        team_yield();
    if (team_seconds() - start > barrier->patience)
        team_next(&barrier->stalls);
}

#endif
