"""How many threads a prediction uses: see team_size.pyx."""

cdef double team_cost(int n_threads) except? -1
cdef int worthwhile_team(int n_threads, double seconds) except -1
cdef void note_team() noexcept
