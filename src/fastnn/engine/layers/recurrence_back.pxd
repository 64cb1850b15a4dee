"""The error's way back through a recurrent layer: see recurrence_back.pyx."""

from libc.stddef cimport size_t

from fastnn.engine.layers.layer cimport Layer
from fastnn.engine.layers.signal cimport Signal

cdef void gates_back_group(const Layer *layer, const Signal *below, const Signal *above, size_t first,
                           size_t last) noexcept nogil
cdef void add_gradients_group(const Layer *layer, const Signal *below, const Signal *above, size_t first, size_t last,
                              char *gradient, bint onto) noexcept nogil
cdef void inputs_back_group(const Layer *layer, const Signal *below, const Signal *above, size_t first,
                            size_t last) noexcept nogil
