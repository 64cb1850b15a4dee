/* The cores that a team's threads run on: those they may use, and each a core of its own.
 *
 * OpenMP's threads start with the mask of the thread that starts them, or in the places which OpenMP found when it was
 * loaded, and stay there. But a mask that the user, or another OpenMP runtime, sets later is the calling thread's
 * alone: the others would run on cores that they may not use, or all on one.
 */
#ifndef FASTNN_PLACEMENT_H
#define FASTNN_PLACEMENT_H

#include "team.h"

#if defined(_OPENMP) && defined(__linux__)
#include <sched.h>

static _Thread_local cpu_set_t placement_cores; /* on which the calling thread's teams are to run; empty: not known */
static _Thread_local char placement_is_ours;    /* whether OpenMP would use other cores, or has done so before */
static _Thread_local char placement_is_due;     /* whether threads of the last team may be on other cores */

static int openmp_binds_to(const cpu_set_t *cores)
{
    cpu_set_t bound;
    CPU_ZERO(&bound);
    for (int place = 0; place < omp_get_num_places(); place++) {
        int ids[CPU_SETSIZE], n = omp_get_place_num_procs(place);
        if (n > CPU_SETSIZE)
            return 0;
        omp_get_place_proc_ids(place, ids);
        while (n--)
            CPU_SET(ids[n], &bound);
    }
    return CPU_EQUAL(&bound, cores);
}

/* From now on the calling thread's teams run on these n cores. */
static inline void placement_set(const int *cores, int n)
{
    cpu_set_t chosen;
    CPU_ZERO(&chosen);
    while (n--)
        CPU_SET(cores[n], &chosen); /* does nothing for a core too high for the set */
    if (CPU_EQUAL(&chosen, &placement_cores))
        return;
    placement_cores = chosen;
    placement_is_ours |= !openmp_binds_to(&chosen);
    placement_is_due = placement_is_ours;
}

/* Puts the n threads of the calling thread's next team on these cores. Some of the threads may have yet to start. */
static inline void placement_apply(int n, int starts_some)
{
    const cpu_set_t *cores = &placement_cores;
    if (!placement_is_due && !(placement_is_ours && starts_some))
        return;
    placement_is_due = 0;
    team_fork();
#pragma omp parallel num_threads(n)
    {
        team_forked();
        if (team_openmp_rank() > 0)
            sched_setaffinity(0, sizeof *cores, cores);
        team_joining();
    }
    team_join();
}

/* The cores of one team's threads, a bit each; all zero before the team begins. */
typedef struct {
    uint64_t bits[CPU_SETSIZE / 64];
} placement_taken;

/* Whether the core was free until now; the calling thread has it. */
static inline int placement_takes(placement_taken *taken, int core)
{
    uint64_t bit = (uint64_t)1 << core % 64;
    return !(__atomic_fetch_or(&taken->bits[core / 64], bit, __ATOMIC_RELAXED) & bit);
}

/* Every thread of a team calls this when it begins. One that has woken up on the core of another one moves.
 *
 * Linux wakes a thread on the core where it slept before, if that is idle. But in a virtual machine an idle core that
 * the host has given to others counts as busy, as after a pause of 50 ms. The thread then wakes up behind the one that
 * has woken it, and the two share one core for some 10 ms: a fit of 4 ms took 15.
 */
static inline void placement_spread(placement_taken *taken)
{
    cpu_set_t allowed, chosen;
    int core = sched_getcpu();
    if (core < 0 || core >= CPU_SETSIZE || placement_takes(taken, core) ||
        sched_getaffinity(0, sizeof allowed, &allowed))
        return;
    for (core = 0; core < CPU_SETSIZE; core++)
        if (CPU_ISSET(core, &allowed) && placement_takes(taken, core)) {
            CPU_ZERO(&chosen);
            CPU_SET(core, &chosen);
            sched_setaffinity(0, sizeof chosen, &chosen); /* moves it at once */
            sched_setaffinity(0, sizeof allowed, &allowed);
            return;
        }
}
#else
typedef struct {
    char unused;
} placement_taken;
static inline void placement_set(const int *cores, int n) { (void)cores, (void)n; }
static inline void placement_apply(int n, int starts_some) { (void)n, (void)starts_some; }
static inline void placement_spread(placement_taken *taken) { (void)taken; }
#endif

#endif
