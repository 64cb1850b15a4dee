"""Contention with other programs for the cores, and how long teams back off from it: see contention.pyx."""

from libc.stddef cimport size_t


# Stalls after which a team backs off. Fewer may be chance.
cdef enum:
    MOST_STALLS = 3


cdef double patience_for(double flops) noexcept
cdef int uncontended_team(int n_threads, double patience) except -1
cdef size_t recent_stalls() except? 0
cdef bint note_stalls(size_t stalls) except -1
