/* The cores that a team's threads run on.
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
#else
static inline void placement_set(const int *cores, int n) { (void)cores, (void)n; }
static inline void placement_apply(int n, int starts_some) { (void)n, (void)starts_some; }
#endif

#endif
