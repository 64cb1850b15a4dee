"""Gradients that are summed by samples: a batch is cut into parts, and the parts' gradients are added in a fixed tree.

The weights of a convolution are few beside the positions that their gradients are sums over, so threads share samples
and not tiles of the gradient. The shapes alone decide on the parts, and the tree adds each two neighbours, each two of
these sums, and so on. So the number of threads changes no bit. A thread adds the subtrees that are all its own before
another thread reads their sums.
"""

from libc.stddef cimport size_t

from fastnn.engine.kernels cimport fastnn_update
from fastnn.engine.layers.layer cimport Layer
from fastnn.engine.threads.team cimport Team

cdef char *part_of(const Layer *layer, size_t part) noexcept nogil
cdef void add_own_parts(const Layer *layer, size_t n_parts, const Team *team) noexcept nogil
cdef void add_all_parts(const Layer *layer, size_t n_parts, const Team *team) noexcept nogil
cdef void step_with_parts(const Layer *layer, size_t n_parts, const fastnn_update *update,
                          const Team *team) noexcept nogil
