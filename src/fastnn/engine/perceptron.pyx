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

from fastnn.engine.isa cimport kernels_for
from fastnn.engine.kernels cimport fastnn_examples, fastnn_kernels, fastnn_perceptron
from fastnn.engine.team cimport team_next, team_rank, team_size

cnp.import_array()

# Multiplications that a thread does before it comes back for a look at Ctrl-C: some 10 ms, dense, to 100 ms.
cdef uint64_t SEGMENT_TERMS = 1 << 24
# Those that a row costs beside its own, in the units of SEGMENT_TERMS.
cdef uint64_t ROW_TERMS = 16
# Epochs of a unit before it comes back, so that their mistakes can be fetched.
cdef enum:
    SEGMENT_EPOCHS = 256
# Rows that a kernel takes at once, and up to which the order is drawn ahead of it.
cdef size_t BLOCK_ROWS = 256
# Multiplications below which one thread is faster than waking a second.
cdef double PARALLEL_TERMS = 2e5


cdef struct Unit:
    fastnn_perceptron learnt
    uint32_t seed
    # Where it is: the epoch, the samples seen in it, those whose place in the order is settled, the random number.
    int64_t epoch
    size_t position, drawn
    uint32_t random
    # Whether it has stopped, and towards that: the best objective or score so far, and epochs without a better one.
    bint done, overflowed
    bint settled  # an epoch changed nothing, so neither will another
    double best
    int64_t n_unimproved
    double objective, score  # of the last epoch
    int64_t n_fetched  # epochs whose mistakes Python has


cdef struct Training:
    const fastnn_kernels *kernels
    fastnn_examples examples
    size_t n_samples, n_train
    uint64_t row_terms  # that a row costs on average
    Unit *units
    size_t n_units, next_unit
    int64_t max_iter, n_iter_no_change, segment_epochs
    double tol, held_out_weight  # the summed weight of the samples held out, 0 if there are none
    uint64_t *mistakes  # (n_units, SEGMENT_EPOCHS), in a ring
    uint32_t *orders  # (n_slots, n_samples), NULL: the samples' own order
    int64_t *slots  # (n_slots) the unit that each is busy with, or -1
    int n_slots


cdef inline uint32_t next_random(uint32_t *state) noexcept nogil:
    """scikit-learn's our_rand_r."""
    cdef uint32_t x = state[0] if state[0] != 0 else 1
    x ^= x << 13
    x ^= x >> 17
    x ^= x << 5
    state[0] = x
    return x & 0x7fffffff


cdef void draw_order(Unit *unit, uint32_t *order, size_t n_samples, size_t until) noexcept nogil:
    """Settle the epoch's order up to `until`: Fisher and Yates' shuffle, as far as it is wanted by now."""
    cdef size_t i, j
    for i in range(unit.drawn, until):
        if i + 1 < n_samples:
            j = i + next_random(&unit.random) % <uint32_t> (n_samples - i)
            order[i], order[j] = order[j], order[i]
    unit.drawn = max(unit.drawn, until)


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
        unit.settled = learnt.n_mistakes == 0 and learnt.alpha < 0 and learnt.sums == NULL
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
    unit.done = unit.overflowed or unit.n_unimproved >= job.n_iter_no_change or unit.epoch == job.max_iter


cdef void begin_epoch(Training *job, Unit *unit) noexcept nogil:
    unit.random = unit.seed  # in each epoch the last one's order is shuffled in the same way
    unit.learnt.loss = unit.learnt.penalty = 0
    unit.learnt.n_mistakes = 0
    if unit.settled:
        unit.position = job.n_samples
        unit.learnt.step += job.n_train


cdef uint64_t advance(Training *job, size_t which, uint32_t *order, uint64_t budget) noexcept nogil:
    """Take a unit on, until it stops or the budget of multiplications is spent; returns what is left of that."""
    cdef Unit *unit = &job.units[which]
    cdef size_t last
    cdef uint64_t cost
    while not unit.done and budget > 0 and unit.epoch < unit.n_fetched + job.segment_epochs:
        if unit.position == 0:
            begin_epoch(job, unit)
        last = min(unit.position + BLOCK_ROWS, job.n_samples)
        if unit.position < last:
            if order != NULL:
                draw_order(unit, order, job.n_samples, min(last + BLOCK_ROWS, job.n_samples))
            job.kernels.perceptron_learn(&unit.learnt, &job.examples, order, unit.position, last, unit.drawn)
            cost = (last - unit.position) * job.row_terms
            budget -= min(budget, cost)
            unit.position = last
        if last == job.n_samples:
            end_epoch(job, unit, job.mistakes + which * SEGMENT_EPOCHS)
    return budget


cdef void run_slot(Training *job, size_t slot) noexcept nogil:
    """Take on the slot's unit, and when it stops the next one that nobody has."""
    cdef uint64_t budget = SEGMENT_TERMS
    cdef uint32_t *order = NULL if job.orders == NULL else job.orders + slot * job.n_samples
    cdef size_t i, which
    while budget > 0:
        if job.slots[slot] < 0:
            which = team_next(&job.next_unit)
            if which >= job.n_units:
                return
            job.slots[slot] = which
            if order != NULL:
                for i in range(job.n_samples):
                    order[i] = i
        which = job.slots[slot]
        budget = advance(job, which, order, budget)
        if not job.units[which].done:
            return
        job.slots[slot] = -1


cdef const void *data_of(cnp.ndarray array, dtype, size_t n) except? NULL:
    """The numbers of a contiguous array of that type and size."""
    if array.dtype != dtype or <size_t> array.size != n or not array.flags.c_contiguous:
        raise ValueError(f"needs {n} contiguous numbers of type {dtype}, not {array.size} of {array.dtype}")
    return cnp.PyArray_DATA(array)


cdef void run_slots(Training *job) noexcept nogil:
    """To be called by all threads of a team, which may be fewer than there are slots."""
    cdef int slot = team_rank()
    while slot < job.n_slots:
        run_slot(job, slot)
        slot += team_size()


def has_contiguous_rows(cnp.ndarray X):
    """Whether the numbers of each row follow each other, aligned, and rows are whole numbers apart, onwards."""
    return (X.flags.aligned and (X.shape[1] == 1 or X.strides[1] == X.itemsize)
            and (X.shape[0] == 1 or (X.strides[0] >= 0 and X.strides[0] % X.itemsize == 0)))


ctypedef fused index:
    int32_t
    int64_t


def csr_arrays(X):
    """The numbers, columns and starts of a CSR matrix: its own arrays, but where the two kinds of indices differ."""
    dtype = np.int32 if max(X.indices.dtype.itemsize, X.indptr.dtype.itemsize) == 4 else np.int64
    return (np.ascontiguousarray(X.data), np.ascontiguousarray(X.indices, dtype),
            np.ascontiguousarray(X.indptr, dtype))


def check_csr(X):
    """Refuse a CSR matrix whose indices lead out of its arrays: nothing looks at them again.

    Raises
    ------
    ValueError
        Says which they are. Columns out of order, or twice in a row, are fine.
    """
    data, columns, starts = csr_arrays(X)
    n_stored = min(len(data), len(columns))
    if len(starts) != X.shape[0] + 1 or not starts_fit(starts, n_stored):
        raise ValueError(f"X.indptr must be {X.shape[0] + 1} numbers that ascend from 0 to at most {n_stored}, "
                         "the number of X.indices and of X.data")
    if not columns_fit(columns, X.shape[1]):
        raise ValueError(f"X.indices must be from 0 to {X.shape[1] - 1}, as X has {X.shape[1]} columns")


def starts_fit(const index[::1] starts, int64_t n_stored):
    cdef Py_ssize_t i
    cdef bint fit = starts[0] >= 0 and starts[starts.shape[0] - 1] <= n_stored
    with nogil:
        for i in range(1, starts.shape[0]):
            fit &= starts[i - 1] <= starts[i]
    return fit


def columns_fit(const index[::1] columns, int64_t n_features):
    cdef Py_ssize_t i
    cdef bint fit = True
    with nogil:
        for i in range(columns.shape[0]):
            fit &= (columns[i] >= 0) & (columns[i] < n_features)
    return fit


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
    cdef object arrays, rows, coef, averages, mistakes
    cdef uint64_t first_step
    cdef readonly list n_mistakes

    def __cinit__(self, X, classes, sample_weight, coef, intercept, averages, positive, *args, **settings):
        self.job.n_units = len(positive)
        self.job.units = <Unit *> calloc(self.job.n_units, sizeof(Unit))
        if self.job.units == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.job.units)

    def __init__(self, X, classes, sample_weight, coef, intercept, averages, positive, class_weight, seeds, *,
                 double eta, double intercept_rate, double alpha, double l1_ratio, double tol, int64_t max_iter,
                 int64_t n_iter_no_change, uint64_t step, uint64_t average_from, double held_out_weight,
                 size_t n_train, int segment_epochs, int n_threads, level=None):
        cdef Training *job = &self.job
        cdef size_t n_samples = X.shape[0]
        cdef cnp.ndarray mistakes, orders, slots
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
        job.n_slots = min(n_threads, job.n_units) if terms > PARALLEL_TERMS else 1
        self.mistakes = mistakes = np.zeros((job.n_units, SEGMENT_EPOCHS), np.uint64)
        slots, orders = np.full(job.n_slots, -1, np.int64), None
        job.mistakes, job.slots = <uint64_t *> cnp.PyArray_DATA(mistakes), <int64_t *> cnp.PyArray_DATA(slots)
        if seeds is not None:
            orders = np.empty((job.n_slots, n_samples), np.uint32)
            job.orders = <uint32_t *> cnp.PyArray_DATA(orders)
        self.coef, self.averages, self.first_step = coef, averages, step
        self.n_mistakes = [[] for _ in positive]
        given = np.zeros_like(coef) if alpha >= 0 and l1_ratio > 0 else None
        self.arrays = X, classes, sample_weight, slots, orders, given  # kept alive
        for i in range(job.n_units):
            self._set_unit(i, intercept[i], given)
            job.units[i].seed = 0 if seeds is None else seeds[i]
            learnt = &job.units[i].learnt
            learnt.positive, learnt.eta, learnt.intercept_rate = positive[i], eta, intercept_rate
            learnt.class_weights[0], learnt.class_weights[1] = class_weight[i]
            learnt.alpha, learnt.l1_ratio = alpha, l1_ratio
            learnt.shrink = 1 if alpha < 0 else max(0.0, 1.0 - ((1.0 - l1_ratio) * eta * alpha))
            learnt.average_from, learnt.step = average_from, step

    cdef _set_unit(self, size_t i, double intercept, given):
        """A unit's numbers, found in the arrays that all share."""
        cdef Unit *unit = &self.job.units[i]
        cdef fastnn_perceptron *learnt = &unit.learnt
        cdef size_t n = self.job.n_units * self.job.examples.n_features
        cdef size_t offset = i * self.job.examples.n_features * self.job.kernels.itemsize
        unit.best = -INFINITY
        learnt.weights = <char *> data_of(self.coef, self.coef.dtype, n) + offset
        learnt.scale, learnt.intercept = 1, intercept
        if given is not None:
            learnt.l1_given = <char *> data_of(given, self.coef.dtype, n) + offset
        if self.averages is not None:
            learnt.sums = <char *> data_of(self.averages.coef_sums, self.coef.dtype, n) + offset
            learnt.intercept_sum, learnt.n_averaged = self.averages.intercept_sums[i], self.averages.counts[i]
        start = self.coef[i].astype(np.float64, copy=False)
        learnt.squares, learnt.absolutes = start @ start, np.abs(start).sum()

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
        with nogil:
            if job.n_slots == 1:
                run_slot(job, 0)
            else:
                with parallel(num_threads=job.n_slots):
                    run_slots(job)
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
        """A unit's last epoch: the norm of its weights, the steps so far, and the epoch's mean loss, objective, score."""
        cdef Unit *unit = &self.job.units[i]
        return (unit.learnt.squares ** 0.5, unit.learnt.intercept, unit.learnt.step - self.first_step,
                unit.learnt.loss / self.job.n_train, unit.objective, unit.score)

    def finish(self):
        """Settle what is kept in parts, when all units have stopped: coef and averages then hold what they say.

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
            self.job.kernels.perceptron_unscale(learnt, self.job.examples.n_features)
            intercept[i] = learnt.intercept
            if self.averages is not None:
                self.averages.intercept_sums[i], self.averages.counts[i] = learnt.intercept_sum, learnt.n_averaged
        return intercept
