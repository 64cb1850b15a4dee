"""What a trainer books before anything runs: see booking.pyx."""

cimport numpy as cnp
from libc.stdint cimport uint32_t

from fastnn.engine.arrays cimport Workspace
from fastnn.engine.layers.layer cimport Layer
from fastnn.engine.loss cimport Loss
from fastnn.engine.network cimport Network
from fastnn.engine.segment cimport Plan, Segment

cdef book_parameters(Segment *segment, Network network, cnp.ndarray memories, Workspace space)
cdef book_operations(Plan *plan, list phases, Workspace space)
cdef book_layers(Plan *plan, Network network, list phases, int n_threads, bint carries, Workspace space)
cdef book_scratch(Plan *plan, Network network, int n_threads, list longest, Workspace space)
cdef const uint32_t *book_signals(Plan *plan, Network network, Loss loss, tuple dropout, list phases, int n_threads,
                                  list batch_rows, list chunk_rows, Workspace space) except NULL
cdef size_t packed_size_of(const Layer *layer) noexcept
cdef book_targets(Segment *segment, Network network, Loss loss, n_rows, Workspace space)
cdef Workspace book_dense_input(Segment *segment, Network network, batch_rows, const uint32_t *all_terms)
cdef Workspace book_sparse_input(Segment *segment, Network network, capacity)
