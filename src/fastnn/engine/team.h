/* A team of threads, as one of its members sees it: OpenMP, or one thread where the build has none. */
#ifndef FASTNN_TEAM_H
#define FASTNN_TEAM_H

#include <stddef.h>

/* The next of the tasks that a team takes in turn from one counter; OpenMP's threads are GCC's and Clang's too. */
static inline size_t team_next(size_t *counter) { return __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED); }

#ifdef _OPENMP
#include <omp.h>
static inline int team_rank(void) { return omp_get_thread_num(); }
static inline int team_size(void) { return omp_get_num_threads(); }
static inline void team_barrier(void)
{
#pragma omp barrier
}
static inline int team_max_threads(void) { return omp_get_max_threads(); }
static inline int team_openmp_version(void) { return _OPENMP; }
#else
static inline int team_rank(void) { return 0; }
static inline int team_size(void) { return 1; }
static inline void team_barrier(void) {}
static inline int team_max_threads(void) { return 1; }
static inline int team_openmp_version(void) { return 0; }
#endif

#endif
