"""The step with a gradient that is clipped: see the phases in schedule.py."""

from libc.math cimport INFINITY, NAN, sqrt
from libc.stddef cimport size_t

from fastnn.engine.kernels cimport fastnn_update
from fastnn.engine.layers.layer cimport Layer
from fastnn.engine.layers.signal cimport n_panels
from fastnn.engine.segment cimport Batch, Operation, Plan, Segment, summed
from fastnn.engine.threads.team cimport Share, Team, my_share


cdef size_t n_all_panels(const Plan *plan) noexcept nogil:
    """The number of panels of all parameters."""
    cdef size_t i, n = 0
    for i in range(plan.n_parameters):
        n += n_panels(plan.kernels, plan.parameters[i].matrix.fan_out)
    return n


cdef void find_norm(Segment *segment, const Batch *batch, const Operation *operation, const Team *team) noexcept nogil:
    """Sum up the squares of this thread's share of the gradient's panels."""
    cdef const Plan *plan = &segment.plan
    cdef size_t i, panel, size, task = 0
    cdef Share mine = my_share(team, n_all_panels(plan))
    for i in range(plan.n_parameters):
        size = (1 + plan.parameters[i].matrix.fan_in) * plan.kernels.tile_cols
        for panel in range(n_panels(plan.kernels, plan.parameters[i].matrix.fan_out)):
            if mine.first <= task < mine.last:
                segment.stepping.norms[task] = plan.kernels.sum_of_squares(
                    size, <const char *> plan.gradients[i].matrix.state + panel * size * plan.kernels.itemsize)
            task += 1


cdef void clipped_step(Segment *segment, const Batch *batch, const Operation *operation,
                       const Team *team) noexcept nogil:
    """Make the optimizer's step with the whole gradient, scaled down if its norm is too large."""
    cdef const Plan *plan = &segment.plan
    cdef const Layer *layers = plan.views[team.rank].layers
    cdef size_t i, layer = 0, first = 0, panel, task = 0, n_tasks = n_all_panels(plan)
    cdef double norm = sqrt(summed(segment.stepping.norms, n_tasks))
    cdef Share mine = my_share(team, n_tasks)
    cdef fastnn_update update = segment.stepping.clipped_update
    update.scale = 1
    if norm > segment.stepping.clip_norm:
        # An infinite gradient scaled by 0 would change no weight, and the fit would not be seen to diverge.
        update.scale = segment.stepping.clip_norm / norm if norm < INFINITY else NAN
    for layer in range(plan.n_layers):
        for i in range(first, first + layers[layer].n_parameters):
            for panel in range(n_panels(plan.kernels, plan.parameters[i].matrix.fan_out)):
                if mine.first <= task < mine.last and plan.parameters[i].learnt:
                    plan.kernels.matrix_step(
                        &plan.parameters[i].matrix, panel, plan.gradients[i].matrix.state, &update, NULL)
                    if layers[layer].kind.refresh != NULL:
                        layers[layer].kind.refresh(&layers[layer], i - first, panel)
                task += 1
        first += layers[layer].n_parameters
