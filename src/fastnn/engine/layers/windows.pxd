"""Windows that move along an axis: how many there are, and how far they reach over its ends, as in Keras."""

from libc.stddef cimport size_t


cdef enum Padding:
    VALID  # windows stay inside the axis
    SAME  # one for each `stride` positions begun; what they need beyond the axis is about half at each end
    CAUSAL  # as many, none of which reaches beyond its last position


cdef struct Movement:
    size_t window, stride
    Padding padding


cdef struct Along:
    size_t n  # windows
    size_t before, after  # positions beyond the axis


cdef inline Along windows_along(size_t size, const Movement *movement) noexcept nogil:
    """The windows along an axis of so many positions, at least 1."""
    cdef Along along = Along(0, 0, 0)
    cdef size_t reach
    if movement.padding == VALID:
        if size >= movement.window:
            along.n = (size - movement.window) // movement.stride + 1
        return along
    along.n = (size - 1) // movement.stride + 1
    reach = (along.n - 1) * movement.stride + movement.window
    if movement.padding == CAUSAL:
        along.before = movement.window - 1
    elif reach > size:
        along.before = (reach - size) // 2
        along.after = reach - size - along.before
    return along


cdef Movement movement_of(window, stride, str padding) except *
cdef windows_of_each(steps, const Movement *movement)
