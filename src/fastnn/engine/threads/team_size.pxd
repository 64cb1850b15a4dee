"""How many threads a prediction uses: see team_size.pyx."""

cdef bint team_may_pay(double seconds) except -1
cdef int worthwhile_team(int n_threads, double seconds) except -1
cdef void note_team() noexcept
