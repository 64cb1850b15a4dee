"""Perceptrons' units in training, as Perceptrons lays them out and units.pyx works on them."""

from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint32_t, uint64_t

from fastnn.engine.kernels cimport fastnn_examples, fastnn_kernels, fastnn_perceptron
from fastnn.engine.threads.team cimport Team


cdef enum:
    # Epochs of a unit before it comes back, so that their mistakes can be fetched.
    SEGMENT_EPOCHS = 256


cdef struct Unit:
    fastnn_perceptron learnt
    char *coef  # (n_features) where its weights come from and go to
    char *means
    uint32_t seed, random
    # Where it is: the epoch, the samples seen in it, and those whose place in its order is known.
    int64_t epoch, n_fetched  # epochs whose mistakes Python has
    size_t position, drawn
    bint begun, done, overflowed  # of these `begun` is of the epoch
    bint settled  # an epoch changed nothing, so neither will another
    # Towards its stop: the best objective (negative) or score so far, and epochs in a row without a better one.
    double best
    int64_t n_unimproved
    double objective, score  # the last epoch's


cdef struct Slot:
    # What a unit needs while it learns.
    int64_t unit  # or -1
    # (vector_length) each: weights, of which float ones use a part, sums and l1_given, as far as they are wanted
    double *numbers
    # (n_samples) each; NULL: samples come in their own order. The shuffle is the same in every epoch, and done to the
    # last epoch's order: so that of epoch e + 1 is order[shuffle[i]]
    uint32_t *shuffle
    uint32_t *order
    uint32_t *next_order
    char taken


cdef struct Training:
    const fastnn_kernels *kernels
    fastnn_examples examples
    size_t n_samples, n_train
    int64_t row_terms  # that a row costs on average
    Unit *units
    size_t n_units, next_unit, vector_length
    int64_t max_iter, n_iter_no_change, segment_epochs
    double tol, held_out_weight  # the summed weight of the samples held out, 0 if there are none
    uint64_t *mistakes  # (n_units, SEGMENT_EPOCHS), in a ring
    Slot *slots
    size_t n_slots, n_together  # units that a thread takes on at a time, at most
    size_t n_turns, n_active, n_stopped  # in this segment: turns taken, units that could go on, those that no longer can
    int n_threads


cdef inline bint can_continue(Training *job, Unit *unit) noexcept nogil:
    return not unit.done and unit.epoch < unit.n_fetched + job.segment_epochs


cdef void run_segment(void *training, const Team *team) noexcept nogil
