cimport numpy as cnp
from libc.stdint cimport uint32_t

from fastnn.engine.arrays cimport Workspace
from fastnn.engine.loss cimport Loss, Targets
from fastnn.engine.network cimport Network
from fastnn.engine.optimizer cimport Optimizer
from fastnn.engine.profile cimport Profile
from fastnn.engine.segment cimport Segment


cdef class Trainer:
    cdef readonly Network network
    cdef readonly Loss loss
    cdef readonly Optimizer optimizer
    cdef readonly object memories, batch_size, clip_norm, seed
    cdef readonly tuple dropout
    cdef readonly list schedule
    cdef readonly Profile profile
    cdef readonly double step_flops
    cdef public bint in_use
    cdef public object pace  # how its segments go: the training loop sets and reads it
    # input_space has a batch of X: a dense or a sparse one, as in the last run.
    cdef Workspace space, signal_space, input_space
    cdef const uint32_t *all_terms  # 0, 1, 2, ...
    cdef readonly object truncate_steps
    cdef object windows  # of the run's batches, where sequences are cut
    # What is booked: the most rows of a batch and of a chunk, and the most steps of a sequence of any length, in what
    # each layer reads, and in the outputs.
    cdef list batch_rows, chunk_rows, longest
    cdef tuple placed  # arrays that the segment reads, kept alive
    cdef bint running
    cdef Segment segment
    # n_threads is 1 for a small network, whatever was given, unless the lengths of sequences decide.
    cdef readonly int n_threads
    cdef int given_threads

    cdef double _run(self, X, targets, cnp.ndarray order, double loss, weights, rates, int most_threads) except? -1
    cdef _book_rows(self, list batch_rows, list chunk_rows, list longest)
    cdef _read_targets(self, Targets targets)
