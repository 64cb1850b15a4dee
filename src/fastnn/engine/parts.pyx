"""Gradients that are summed by samples: see parts.pxd."""

from libc.string cimport memcpy, memset

from fastnn.engine.kernels cimport FASTNN_accumulate, FASTNN_gradient
from fastnn.engine.layers.layer cimport Parameter
from fastnn.engine.layers.signal cimport n_panels
from fastnn.engine.threads.team cimport Share, my_share


cdef char *part_of(const Layer *layer, size_t part) noexcept nogil:
    """The gradients of a part of the batch."""
    return layer.parts + part * layer.part_size * layer.kernels.itemsize


cdef size_t middle(size_t first, size_t last) noexcept nogil:
    """Where the tree cuts parts first ... last - 1, of which there are at least two: after a power of two of them."""
    cdef size_t half = 1
    while 2 * half < last - first:
        half *= 2
    return first + half


cdef void add_parts(const Layer *layer, size_t onto, size_t part, size_t first, size_t n) noexcept nogil:
    """Add numbers first ... first + n - 1 of a part to those of another one."""
    cdef size_t skipped = first * layer.kernels.itemsize
    layer.kernels.add(n, part_of(layer, part) + skipped, part_of(layer, onto) + skipped)


cdef bint has_one_owner(const Parts *parts, size_t first, size_t last, const Team *team) noexcept nogil:
    """Whether parts first ... last - 1 are one thread's, which then adds them before the others read their sum."""
    return owner_of(parts, first, team) == owner_of(parts, last - 1, team)


cdef void add_own_parts(const Layer *layer, const Parts *parts, const Team *team) noexcept nogil:
    """Add the subtrees whose parts are all the calling thread's."""
    add_subtrees(layer, parts, 0, parts.n, team)


cdef void add_subtrees(const Layer *layer, const Parts *parts, size_t first, size_t last,
                       const Team *team) noexcept nogil:
    """Likewise below the node that has the sum of parts first ... last - 1, and at it."""
    cdef size_t cut
    if last - first < 2 or owner_of(parts, last - 1, team) < team.rank or owner_of(parts, first, team) > team.rank:
        return
    cut = middle(first, last)
    add_subtrees(layer, parts, first, cut, team)
    add_subtrees(layer, parts, cut, last, team)
    if has_one_owner(parts, first, last, team):
        add_parts(layer, first, cut, 0, layer.part_size)


cdef void add_rest(const Layer *layer, const Parts *parts, size_t first, size_t last, const Team *team, size_t number,
                   size_t n) noexcept nogil:
    """Complete the sum of parts first ... last - 1: of n of their numbers."""
    cdef size_t cut
    if last - first < 2 or has_one_owner(parts, first, last, team):
        return
    cut = middle(first, last)
    add_rest(layer, parts, first, cut, team, number, n)
    add_rest(layer, parts, cut, last, team, number, n)
    add_parts(layer, first, cut, number, n)


cdef void add_all_parts(const Layer *layer, const Parts *parts, const Team *team) noexcept nogil:
    """Make the calling thread's own copy of the gradients of the whole batch, and leave the parts as they are."""
    copy_sum(layer, parts, 0, parts.n, team, layer.all_gradients)


cdef void copy_sum(const Layer *layer, const Parts *parts, size_t first, size_t last, const Team *team,
                   char *out) noexcept nogil:
    """The sum of parts first ... last - 1, in the tree's order. Behind it is space for the sums of subtrees."""
    cdef size_t cut, n_bytes = layer.part_size * layer.kernels.itemsize
    if last - first < 2 or has_one_owner(parts, first, last, team):
        memcpy(out, part_of(layer, first), n_bytes)
        return
    cut = middle(first, last)
    copy_sum(layer, parts, first, cut, team, out)
    copy_sum(layer, parts, cut, last, team, out + n_bytes)
    layer.kernels.add(layer.part_size, out + n_bytes, out)


cdef void step_with_parts(const Layer *layer, const Parts *parts, const fastnn_update *update,
                          const Team *team) noexcept nogil:
    """Complete the sums of this thread's share of the panels, and make the optimizer's step with them."""
    cdef bint changes = update.optimizer != FASTNN_gradient and update.optimizer != FASTNN_accumulate
    cdef const Parameter *parameter
    cdef size_t i, panel, size, first = 0, task = 0, n_tasks = 0
    cdef char *sums
    cdef Share mine
    for i in range(layer.n_parameters):
        n_tasks += n_panels(layer.kernels, layer.parameters[i].matrix.fan_out)
    mine = my_share(team, n_tasks)
    for i in range(layer.n_parameters):
        parameter = &layer.parameters[i]
        size = (1 + parameter.matrix.fan_in) * layer.kernels.tile_cols
        for panel in range(n_panels(layer.kernels, parameter.matrix.fan_out)):
            if mine.first <= task < mine.last and parameter.learnt:
                add_rest(layer, parts, 0, parts.n, team, first + panel * size, size)
                sums = part_of(layer, 0) + first * layer.kernels.itemsize
                if not parameter.biased:  # then no step changes the biases, which are the panel's first row
                    memset(sums + panel * size * layer.kernels.itemsize, 0,
                           layer.kernels.tile_cols * layer.kernels.itemsize)
                layer.kernels.matrix_step(&parameter.matrix, panel, sums, update, &parameter.squares[panel])
                if changes and layer.kind.refresh != NULL:
                    layer.kind.refresh(layer, i, panel)
            task += 1
        first += size * n_panels(layer.kernels, parameter.matrix.fan_out)
