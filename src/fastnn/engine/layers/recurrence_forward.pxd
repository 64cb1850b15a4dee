"""A recurrent layer's way forward: see recurrence_forward.pyx."""

from libc.stddef cimport size_t

from fastnn.engine.layers.layer cimport Layer
from fastnn.engine.layers.signal cimport Signal, Step

cdef void forward_group(const Layer *layer, const Signal *below, const Signal *above, size_t first, size_t last,
                        const Step *step) noexcept nogil
