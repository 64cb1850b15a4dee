"""Stalled teams: crowd.pyx."""

from libc.stddef cimport size_t


# So often a team may be stalled before it gives up: once can happen to anybody.
cdef enum:
    MOST_STALLS = 3


cdef double patience_for(double flops) noexcept
cdef int uncrowded_team(int n_threads, double patience) except -1
cdef size_t recent_stalls() except? 0
cdef bint note_stalls(size_t stalls) except -1
