"""Gradients that are summed by samples: a batch is cut into parts, and the parts' gradients are added in a fixed tree.

The weights of a convolution are few beside the positions that their gradients are sums over, so threads share samples
and not tiles of the gradient. The shapes alone decide on the parts, and the tree adds each two neighbours, each two of
these sums, and so on. So the number of threads changes no bit. A thread adds the subtrees that are all its own before
another thread reads their sums. Threads take parts that follow each other, and about as many rows each.
"""

from libc.stddef cimport size_t

from fastnn.engine.kernels cimport fastnn_update
from fastnn.engine.layers.layer cimport Layer
from fastnn.engine.threads.team cimport Team

# The parts of a batch.
cdef struct Parts:
    size_t n
    size_t part_samples, n_samples  # of each part but the last, and of all
    const size_t *starts  # (n_samples + 1) the row with which each sample begins; NULL: all have as many rows


cdef inline size_t part_begin(const Parts *parts, size_t part) noexcept nogil:
    """The first sample of a part; of the number after the last part, the number of all samples."""
    return min(part * parts.part_samples, parts.n_samples)


cdef inline size_t owner_of(const Parts *parts, size_t part, const Team *team) noexcept nogil:
    """The rank of the thread that takes a part: the one in whose share of all rows the part's middle is."""
    if parts.starts == NULL:  # as `share_of` has it
        return ((part + 1) * team.size - 1) // parts.n
    return ((parts.starts[part_begin(parts, part)] + parts.starts[part_begin(parts, part + 1)]) * team.size
            // (2 * parts.starts[parts.n_samples]))


cdef char *part_of(const Layer *layer, size_t part) noexcept nogil
cdef void add_own_parts(const Layer *layer, const Parts *parts, const Team *team) noexcept nogil
cdef void add_all_parts(const Layer *layer, const Parts *parts, const Team *team) noexcept nogil
cdef void step_with_parts(const Layer *layer, const Parts *parts, const fastnn_update *update,
                          const Team *team) noexcept nogil
