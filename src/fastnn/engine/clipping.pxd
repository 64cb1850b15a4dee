"""The step with a gradient that is clipped: its norm, and then the step, each a phase."""

from fastnn.engine.segment cimport Batch, Operation, Segment
from fastnn.engine.threads.team cimport Team

cdef void find_norm(Segment *segment, const Batch *batch, const Operation *operation, const Team *team) noexcept nogil
cdef void clipped_step(Segment *segment, const Batch *batch, const Operation *operation,
                       const Team *team) noexcept nogil
