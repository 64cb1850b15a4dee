# cython: cdivision=True
"""Perceptrons, one per class against the rest, learning side by side: epochs, their orders, and when to stop.

Each unit goes through the samples in an order of its own, as scikit-learn's do, and no unit's numbers depend on
another's: so the threads take whole units, and their number changes no bit.
"""

import numpy as np

cimport numpy as cnp
from cython.parallel cimport parallel
from libc.math cimport INFINITY
from libc.stddef cimport size_t
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

from fastnn.engine.arrays import aligned_zeros, csr_arrays, has_contiguous_rows
from fastnn.engine.arrays cimport row_length
from fastnn.engine.isa cimport kernels_for
from fastnn.engine.kernels cimport FASTNN_MOST_UNITS, fastnn_examples, fastnn_kernels, fastnn_perceptron, fastnn_visits
from fastnn.engine.team cimport (
    affordable_team, team_claim, team_count, team_fork, team_forked, team_give_back, team_join, team_joining, team_next,
    team_rank, team_yield,
)

cnp.import_array()

# Multiplications that a thread does before it leaves units for the next, so that two threads share three units evenly;
# and how often, per thread, before it comes back for a look at Ctrl-C: after some 10 ms, dense, to 100 ms.
cdef int64_t TURN_TERMS = 1 << 20
cdef size_t SEGMENT_TURNS = 16
# Those that a row costs beside its own.
cdef int64_t ROW_TERMS = 16
# Epochs of a unit before it comes back, so that their mistakes can be fetched.
cdef enum:
    SEGMENT_EPOCHS = 256
# Rows that a kernel takes at once, and up to which the order is drawn ahead of it.
cdef size_t BLOCK_ROWS = 256
# Multiplications below which one thread is faster than waking a second.
cdef double PARALLEL_TERMS = 2e5
# Bytes that units' slots may take together, beside one slot per thread.
cdef size_t SLOT_BYTES = 1 << 22
# Bytes of weights up to which a thread takes on several units in turn: they have to share the first-level cache.
cdef size_t TOGETHER_BYTES = 1 << 15


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
    size_t n_turns, n_going, n_stopped  # in this segment: turns taken, units that could go on, those that no longer can
    int n_threads


cdef inline uint32_t next_random(uint32_t *state) noexcept nogil:
    """scikit-learn's our_rand_r."""
    cdef uint32_t x = state[0] if state[0] != 0 else 1
    x ^= x << 13
    x ^= x >> 17
    x ^= x << 5
    state[0] = x
    return x & 0x7fffffff


cdef const uint32_t *known_order(Unit *unit, Slot *slot, size_t n_samples, size_t until) noexcept nogil:
    """The epoch's order, known up to `until` at least: it is worked out as far as it is wanted by now."""
    cdef size_t i, j
    cdef uint32_t *order = slot.shuffle
    if order == NULL:
        return NULL
    if unit.epoch == 0:  # Fisher and Yates' shuffle
        for i in range(unit.drawn, until):
            if i + 1 < n_samples:
                j = i + next_random(&unit.random) % <uint32_t> (n_samples - i)
                order[i], order[j] = order[j], order[i]
    else:
        order = slot.next_order
        for i in range(unit.drawn, until):
            order[i] = slot.order[slot.shuffle[i]]
    unit.drawn = max(unit.drawn, until)
    return order


cdef void end_epoch(Training *job, Unit *unit, uint64_t *mistakes) noexcept nogil:
    """scikit-learn's rule of when to stop, and the counters set back for the next epoch."""
    cdef fastnn_perceptron *learnt = &unit.learnt
    cdef bint improved
    if not unit.settled:
        unit.objective = (learnt.loss + learnt.penalty) / job.n_train
        if job.held_out_weight > 0:
            learnt.score = 0
            job.kernels.perceptron_score(learnt, &job.examples, 0, job.n_samples)
            unit.score = learnt.score / job.held_out_weight
        unit.overflowed = not job.kernels.perceptron_is_finite(learnt, job.examples.n_features)
        unit.settled = learnt.n_mistakes == 0 and learnt.alpha < 0 and unit.means == NULL
    mistakes[unit.epoch % SEGMENT_EPOCHS] = learnt.n_mistakes
    if job.held_out_weight > 0:
        improved = unit.score >= unit.best + job.tol
        unit.best = max(unit.best, unit.score)
    else:
        improved = unit.objective <= -unit.best - job.tol
        unit.best = max(unit.best, -unit.objective)
    unit.n_unimproved = 0 if improved or job.tol == -INFINITY else unit.n_unimproved + 1
    unit.epoch += 1
    unit.position = unit.drawn = 0
    unit.begun = False
    unit.done = unit.overflowed or unit.n_unimproved >= job.n_iter_no_change or unit.epoch == job.max_iter


cdef void begin_epoch(Training *job, Unit *unit, Slot *slot) noexcept nogil:
    unit.learnt.loss = unit.learnt.penalty = 0
    unit.learnt.n_mistakes = 0
    unit.begun = True
    if unit.epoch == 1:
        slot.order = slot.shuffle
    elif unit.epoch == 2:
        slot.order, slot.next_order = slot.next_order, slot.next_order + job.n_samples
    elif unit.epoch > 2:
        slot.order, slot.next_order = slot.next_order, slot.order
    if unit.settled:
        unit.position = job.n_samples
        unit.learnt.step += job.n_train


cdef void begin_unit(Training *job, Unit *unit, Slot *slot) noexcept nogil:
    cdef size_t i
    unit.learnt.weights = slot.numbers
    if unit.means != NULL:
        unit.learnt.sums = slot.numbers + job.vector_length
    if unit.learnt.alpha >= 0 and unit.learnt.l1_ratio > 0:
        unit.learnt.l1_given = slot.numbers + (2 if unit.means != NULL else 1) * job.vector_length
    job.kernels.perceptron_begin(&unit.learnt, job.examples.n_features, unit.coef, unit.means)
    unit.random = unit.seed
    if slot.shuffle != NULL:
        slot.next_order = slot.shuffle + job.n_samples
        for i in range(job.n_samples):
            slot.shuffle[i] = i


cdef inline bint may_go_on(Training *job, Unit *unit) noexcept nogil:
    return not unit.done and unit.epoch < unit.n_fetched + job.segment_epochs


cdef inline size_t n_left(Training *job) noexcept nogil:
    """Units that may go on."""
    return job.n_going - team_count(&job.n_stopped)


cdef bint has_work(Training *job, Slot *slot) noexcept nogil:
    """Whether the slot's unit may go on, or if it has none, the next that nobody had."""
    if slot.unit < 0:
        slot.unit = team_next(&job.next_unit)
        if slot.unit >= <int64_t> job.n_units:
            slot.unit = -1
            return False
        begin_unit(job, &job.units[slot.unit], slot)
    return may_go_on(job, &job.units[slot.unit])


cdef int64_t learn_block(Training *job, Slot **slots, size_t n_slots) noexcept nogil:
    """Take units on by a block of rows each, that ends where the first of them ends its epoch; returns the rows."""
    cdef fastnn_visits visits[FASTNN_MOST_UNITS]
    cdef size_t i, ahead, n_rows = BLOCK_ROWS
    cdef Unit *unit
    for i in range(n_slots):
        unit = &job.units[slots[i].unit]
        if not unit.begun:
            begin_epoch(job, unit, slots[i])
        n_rows = min(n_rows, job.n_samples - unit.position)
    if n_rows > 0:  # else a unit has settled, and ends its epochs while the others wait
        for i in range(n_slots):
            unit = &job.units[slots[i].unit]
            ahead = min(unit.position + n_rows + BLOCK_ROWS, job.n_samples)
            visits[i].unit = &unit.learnt
            visits[i].order = known_order(unit, slots[i], job.n_samples, ahead)
            visits[i].first, visits[i].known = unit.position, unit.drawn
        job.kernels.perceptron_learn(visits, n_slots, &job.examples, n_rows)
    for i in range(n_slots):
        unit = &job.units[slots[i].unit]
        unit.position += n_rows
        if unit.position == job.n_samples:
            end_epoch(job, unit, job.mistakes + slots[i].unit * SEGMENT_EPOCHS)
    return n_slots * n_rows


cdef void take_turn(Training *job, Slot **slots, size_t n_slots) noexcept nogil:
    """Take units on until they had a turn, or one of them may not go on."""
    cdef int64_t spent = 0
    cdef size_t i
    cdef Unit *unit
    cdef bint going = True
    while going and spent < TURN_TERMS:
        spent += 1 + learn_block(job, slots, n_slots) * job.row_terms
        for i in range(n_slots):
            going = going and may_go_on(job, &job.units[slots[i].unit])
    for i in range(n_slots):
        unit = &job.units[slots[i].unit]
        if not may_go_on(job, unit):
            team_next(&job.n_stopped)
        if unit.done:
            job.kernels.perceptron_end(&unit.learnt, job.examples.n_features, unit.coef, unit.means)
            slots[i].unit = -1


cdef void run_segment(Training *job) noexcept nogil:
    """To be called by all threads of a team: turns with the units in one slot after another, but those others have."""
    cdef Slot *mine[FASTNN_MOST_UNITS]
    cdef size_t i, _, most, n_mine, n_others, slot = team_rank()
    while n_left(job) > 0:
        # An even share of the units: several of them learn faster together than one by one.
        most = (min(n_left(job), job.n_slots) + job.n_threads - 1) // job.n_threads
        most = max(1, min(most, job.n_together))  # another may just have stopped the last
        n_mine = n_others = 0
        for _ in range(job.n_slots):
            slot = (slot + 1) % job.n_slots
            if not team_claim(&job.slots[slot].taken):
                n_others += 1
            elif has_work(job, &job.slots[slot]):
                mine[n_mine] = &job.slots[slot]
                n_mine += 1
                if n_mine == most:
                    break
            else:
                team_give_back(&job.slots[slot].taken)
        if n_mine > 0:
            take_turn(job, mine, n_mine)
            for i in range(n_mine):
                team_give_back(&mine[i].taken)
            if team_next(&job.n_turns) >= SEGMENT_TURNS * job.n_threads:
                return
        elif n_others < <size_t> job.n_threads:
            return
        else:  # another thread has several, and will share them when it had its turn
            team_yield()


cdef const void *data_of(cnp.ndarray array, dtype, size_t n) except? NULL:
    """The numbers of a contiguous array of that type and size."""
    if array.dtype != dtype or <size_t> array.size != n or not array.flags.c_contiguous:
        raise ValueError(f"needs {n} contiguous numbers of type {dtype}, not {array.size} of {array.dtype}")
    return cnp.PyArray_DATA(array)


cdef class Perceptrons:
    """Units that learn one class each against the rest, from the same samples.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features), or CSR matrix that `check_csr` has let pass
        float32 or float64, its rows contiguous. Neither copied nor written to; to be left alone while units learn.
    classes : ndarray of int32 of shape (n_samples,)
        Each sample's class; ~class for a sample held out.
    sample_weight : ndarray of shape (n_samples,), of X's type, or None
    coef : ndarray of shape (n_units, n_features), of X's type
        Where units start; learnt in place.
    intercept : ndarray of shape (n_units,), float64
        Likewise.
    averages : Averages, or None
        Where averaging: what there is of it so far, added to in place.
    positive : sequence of int
        The class of each unit.
    class_weight : sequence of (float, float)
        For each unit: the weight of the rest and that of the class.
    seeds : sequence of int, or None
        For each unit's orders; None: the samples come in their own.
    eta, alpha, l1_ratio, tol, max_iter, n_iter_no_change : float, int
        As in scikit-learn; alpha < 0 is no penalty, tol = -inf never stops.
    intercept_rate : float
        What the intercept changes by when eta is 1 and the sample's weight too.
    step, average_from : int
        The number of the first step, and that of the first after which the weights are averaged.
    held_out_weight : float
        The summed weight of the samples held out, whose score then decides when to stop; 0: there are none.
    n_train : int
        How many are not held out.
    segment_epochs : int
        Epochs at most in a call of `run`.
    n_threads : int
        At most so many are used.
    level : str, default=None
        The instruction set; None is the one that fastnn uses.

    Attributes
    ----------
    n_mistakes : list of list of int
        For each unit, its mistakes in each epoch.
    """

    cdef Training job
    cdef object arrays, rows, slot_arrays, coef, averages, mistakes
    cdef uint64_t first_step
    cdef readonly list n_mistakes

    def __cinit__(self, X, classes, sample_weight, coef, intercept, averages, positive, *args, **settings):
        self.job.n_units = len(positive)
        self.job.units = <Unit *> calloc(self.job.n_units, sizeof(Unit))
        self.job.slots = <Slot *> calloc(self.job.n_units, sizeof(Slot))
        if self.job.units == NULL or self.job.slots == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.job.units)
        free(self.job.slots)

    def __init__(self, X, classes, sample_weight, coef, intercept, averages, positive, class_weight, seeds, *,
                 double eta, double intercept_rate, double alpha, double l1_ratio, double tol, int64_t max_iter,
                 int64_t n_iter_no_change, uint64_t step, uint64_t average_from, double held_out_weight,
                 size_t n_train, int segment_epochs, int n_threads, level=None):
        cdef Training *job = &self.job
        cdef size_t n_samples = X.shape[0]
        cdef cnp.ndarray mistakes
        cdef char *coefs
        cdef char *means
        cdef size_t i, offset
        cdef fastnn_perceptron *learnt
        if not 0 < n_samples < 2**31:
            raise ValueError(f"{n_samples} samples: there must be some, and fewer than 2**31")
        job.kernels = kernels_for(X.dtype, level)
        self._set_rows(X)
        job.examples.classes = <const int32_t *> data_of(classes, np.int32, n_samples)
        if sample_weight is not None:
            job.examples.weights = data_of(sample_weight, X.dtype, n_samples)
        job.n_samples, job.n_train, job.held_out_weight = n_samples, n_train, held_out_weight
        job.max_iter, job.n_iter_no_change, job.tol = max_iter, n_iter_no_change, tol
        job.segment_epochs = min(segment_epochs, SEGMENT_EPOCHS)

        terms = <double> job.row_terms * n_samples * job.n_units * min(max_iter, 1000)
        job.n_threads = affordable_team(min(n_threads, job.n_units) if terms > PARALLEL_TERMS else 1)
        self.mistakes = mistakes = np.zeros((job.n_units, SEGMENT_EPOCHS), np.uint64)
        job.mistakes = <uint64_t *> cnp.PyArray_DATA(mistakes)
        self.coef, self.averages, self.first_step = coef, averages, step
        self.n_mistakes = [[] for _ in positive]
        self.arrays = X, classes, sample_weight  # kept alive
        n_vectors = 1 + (averages is not None) + (alpha >= 0 and l1_ratio > 0)
        self._make_slots(n_vectors, shuffle=seeds is not None)
        if not coef.flags.writeable or averages is not None and not averages.coef.flags.writeable:
            raise ValueError("weights are learnt in place: they must not be read-only")
        coefs = <char *> data_of(coef, X.dtype, job.n_units * job.examples.n_features)
        if averages is not None:
            means = <char *> data_of(averages.coef, X.dtype, job.n_units * job.examples.n_features)
        for i in range(job.n_units):
            offset = i * job.examples.n_features * job.kernels.itemsize
            job.units[i].coef = coefs + offset
            if averages is not None:
                job.units[i].means = means + offset
            job.units[i].best = -INFINITY
            job.units[i].seed = 0 if seeds is None else seeds[i]
            learnt = &job.units[i].learnt
            learnt.positive, learnt.eta, learnt.intercept_rate = positive[i], eta, intercept_rate
            learnt.class_weights[0], learnt.class_weights[1] = class_weight[i]
            learnt.alpha, learnt.l1_ratio = alpha, l1_ratio
            learnt.shrink = max(0.0, 1.0 - ((1.0 - l1_ratio) * eta * alpha))
            learnt.average_from, learnt.step = average_from, step
            learnt.scale, learnt.intercept = 1, intercept[i]
            if averages is not None:
                learnt.n_averaged = averages.counts[i]
                learnt.intercept_sum = averages.intercept[i] * averages.counts[i]

    cdef _make_slots(self, size_t n_vectors, bint shuffle):
        """One per thread, and more, up to one per unit, as far as that is little: so that threads can share the units
        evenly, and take on several at a time."""
        cdef Training *job = &self.job
        cdef size_t i, n_orders = 0 if not shuffle else 1 if job.max_iter == 1 else 3
        cdef cnp.ndarray numbers, orders
        job.vector_length = row_length(job.examples.n_features, 1, sizeof(double))
        slot_bytes = n_vectors * job.vector_length * sizeof(double) + n_orders * job.n_samples * sizeof(uint32_t)
        job.n_slots = min(max(SLOT_BYTES // slot_bytes, <size_t> job.n_threads), job.n_units)
        job.n_together = TOGETHER_BYTES // (job.vector_length * job.kernels.itemsize)
        job.n_together = max(1, min(job.n_together, <size_t> FASTNN_MOST_UNITS))
        # One unit after the other, where nothing is won by more, or someone watches.
        if job.n_together == job.n_threads == 1 or job.segment_epochs == 1:
            job.n_slots = job.n_threads
        numbers = aligned_zeros(job.n_slots * n_vectors * job.vector_length, np.float64)
        orders = np.empty(job.n_slots * n_orders * job.n_samples, np.uint32)
        self.slot_arrays = numbers, orders
        for i in range(job.n_slots):
            job.slots[i].unit = -1
            job.slots[i].numbers = <double *> cnp.PyArray_DATA(numbers) + i * n_vectors * job.vector_length
            if shuffle:
                job.slots[i].shuffle = <uint32_t *> cnp.PyArray_DATA(orders) + i * n_orders * job.n_samples

    cdef _set_rows(self, X):
        cdef fastnn_examples *examples = &self.job.examples
        cdef size_t n_stored
        cdef cnp.ndarray rows
        examples.n_features = X.shape[1]
        if isinstance(X, np.ndarray):
            rows = X
            if not has_contiguous_rows(X):
                raise ValueError("the rows of X must be contiguous")
            examples.values, examples.ld = cnp.PyArray_DATA(rows), rows.strides[0] // rows.itemsize
            self.job.row_terms = ROW_TERMS + examples.n_features
            return
        self.rows = data, columns, starts = csr_arrays(X)
        n_stored = len(data)
        examples.values = data_of(data, X.dtype, n_stored)
        examples.columns = data_of(columns, columns.dtype, len(columns))
        examples.starts = data_of(starts, columns.dtype, X.shape[0] + 1)
        examples.wide_indices = columns.dtype == np.int64
        self.job.row_terms = ROW_TERMS + 2 * n_stored // <size_t> X.shape[0]

    def run(self):
        """Learn for some 10 to 100 ms at most.

        Returns
        -------
        bool
            Whether every unit has stopped.
        """
        cdef Training *job = &self.job
        cdef size_t i
        cdef bint done = True
        job.n_turns = job.n_going = job.n_stopped = 0
        for i in range(job.n_units):
            job.n_going += may_go_on(job, &job.units[i])
        with nogil:
            if job.n_threads == 1:
                run_segment(job)
            else:
                team_fork()
                with parallel(num_threads=job.n_threads):
                    team_forked()
                    run_segment(job)
                    team_joining()
                team_join()
        for i in range(job.n_units):
            while job.units[i].n_fetched < job.units[i].epoch:
                self.n_mistakes[i].append(int(self.mistakes[i, job.units[i].n_fetched % SEGMENT_EPOCHS]))
                job.units[i].n_fetched += 1
            done = done and job.units[i].done
        return done

    @property
    def overflowed(self):
        """The epoch, from 1, after which a unit had a weight that was infinite or NaN; 0 if none had."""
        return max(self.job.units[i].epoch if self.job.units[i].overflowed else 0 for i in range(self.job.n_units))

    @property
    def saw_nonfinite(self):
        """Whether a sum over a row was infinite or NaN: as it is if X has such a number."""
        return any(self.job.units[i].learnt.finite != 0 for i in range(self.job.n_units))

    def progress(self, size_t i):
        """A unit's last epoch: its weights and intercept, steps so far, mean loss, objective and score."""
        cdef Unit *unit = &self.job.units[i]
        cdef cnp.ndarray weights = self.coef[i]
        if not unit.done:  # else another may have its slot by now
            weights = np.empty_like(weights)
            memcpy(cnp.PyArray_DATA(weights), unit.learnt.weights, weights.nbytes)
            weights = weights * unit.learnt.scale
        return (weights, unit.learnt.intercept, unit.learnt.step - self.first_step,
                unit.learnt.loss / self.job.n_train, unit.objective, unit.score)

    def finish(self):
        """What is not in `coef` when all units have stopped: brings the averages up to date.

        Returns
        -------
        ndarray of shape (n_units,), float64
            The intercepts.
        """
        cdef size_t i
        cdef fastnn_perceptron *learnt
        intercept = np.empty(self.job.n_units)
        for i in range(self.job.n_units):
            learnt = &self.job.units[i].learnt
            intercept[i] = learnt.intercept
            if self.averages is not None:
                self.averages.counts[i] = learnt.n_averaged
                self.averages.intercept[i] = learnt.intercept_sum / max(learnt.n_averaged, 1)
        return intercept
