"""Windows that move along an axis: see windows.pxd."""

import numpy as np

from libc.stddef cimport size_t
from libc.stdint cimport intptr_t


cdef Movement movement_of(window, stride, str padding) except *:
    return Movement(window, stride, {"valid": VALID, "same": SAME, "causal": CAUSAL}[padding])


cdef windows_of_each(steps, const Movement *movement):
    """The numbers of windows along sequences, of which an array has the numbers of steps."""
    cdef const intptr_t[::1] sizes = np.ascontiguousarray(steps, np.intp)
    cdef size_t i
    made = np.zeros(len(sizes), np.intp)
    cdef intptr_t[::1] numbers = made
    for i in range(len(sizes)):
        if sizes[i] > 0:
            numbers[i] = windows_along(sizes[i], movement).n
    return made
