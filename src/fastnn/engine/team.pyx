"""The threads that OpenMP would give, and how this build came to be."""

from fastnn.engine.team cimport team_max_threads, team_openmp_version

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

#: The compiler of this build.
compiler = FASTNN_COMPILER.decode().strip()
#: The date of the OpenMP standard this build follows, as yyyymm; 0 where it was built without.
openmp_version = team_openmp_version()


def max_threads():
    """What OpenMP would use now: OMP_NUM_THREADS, a limit set by threadpoolctl, or the cores of the affinity mask."""
    return team_max_threads()
