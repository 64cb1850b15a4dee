"""The units of perceptrons in training, as Perceptrons lays them out and units.pyx trains them."""

from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint32_t, uint64_t

from fastnn.engine.kernels cimport fastnn_examples, fastnn_kernels, fastnn_perceptron
from fastnn.engine.threads.team cimport Team


cdef enum:
    # The most epochs of a unit between two returns to Python, which then reads the mistakes of each.
    SEGMENT_EPOCHS = 256


cdef struct Unit:
    fastnn_perceptron learnt
    char *coef  # (n_features) the weights before and after training
    char *means  # (n_features) the averages of the weights; NULL: weights are not averaged
    uint32_t seed, random  # random is the generator's state
    int64_t epoch  # the number of the present epoch
    int64_t n_fetched  # epochs whose mistakes Python has read
    size_t position  # samples read in this epoch
    size_t drawn  # samples whose place in this epoch's order is known
    bint begun  # whether this epoch has begun
    bint waits  # for the epoch's next samples, or for its end
    bint done, overflowed
    bint settled  # an epoch changed nothing, so no later epoch will
    double best  # the best score so far or, of the negative objective, the best value
    int64_t n_unimproved  # epochs in a row without a better one
    double objective, score  # of the last epoch


# The memory that a unit needs while it learns.
cdef struct Slot:
    int64_t unit  # -1: the slot is free
    double *numbers  # (1 to 3, vector_length) weights, which leave a part unused if they are float; sums; l1_given
    # (n_samples) each; NULL: the units read the samples in X's order. The same shuffle is applied in every epoch to the
    # last epoch's order: the order of epoch e + 1 is order[shuffle[i]].
    uint32_t *shuffle
    uint32_t *order
    uint32_t *next_order
    char taken  # by a thread: see team_claim


cdef struct Training:
    const fastnn_kernels *kernels
    fastnn_examples examples
    size_t n_samples, n_train
    bint in_parts  # whether samples are only a part of an epoch's, which Python ends after the last part
    int64_t row_terms  # what a row costs on average, in multiplications
    Unit *units  # (n_units)
    size_t n_units, next_unit, vector_length
    int64_t max_iter, n_iter_no_change, segment_epochs
    double tol, held_out_weight  # held_out_weight is 0 where no samples are held out
    uint64_t *mistakes  # (n_units, SEGMENT_EPOCHS) of the last epochs: that of epoch e is at e % SEGMENT_EPOCHS
    Slot *slots  # (n_slots)
    size_t n_slots, n_together  # n_together: the most units that a thread trains in turn
    int64_t turn_terms  # multiplications of a turn, after which a thread takes other units
    size_t segment_turns  # turns of a segment for each thread
    size_t n_turns  # taken in this segment
    size_t n_active, n_stopped  # units that could continue at the segment's begin, and those of them that no longer can
    int n_threads


cdef inline bint can_continue(Training *job, Unit *unit) noexcept nogil:
    """Whether the unit has epochs left in this segment."""
    return not unit.done and not unit.waits and unit.epoch < unit.n_fetched + job.segment_epochs


cdef void end_epoch(Training *job, Unit *unit, uint64_t *mistakes) noexcept nogil
cdef void run_segment(void *training, const Team *team) noexcept nogil
