"""Perceptrons in training, one unit per class against the rest: their checks, their memory and their results."""

import numpy as np

cimport numpy as cnp
from libc.math cimport INFINITY
from libc.stddef cimport size_t
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

from fastnn.engine.arrays import aligned_zeros, csr_arrays, has_contiguous_rows
from fastnn.engine.arrays cimport row_length
from fastnn.engine.isa cimport kernels_for
from fastnn.engine.kernels cimport FASTNN_MOST_UNITS, fastnn_examples, fastnn_perceptron
from fastnn.engine.threads.team cimport affordable_team, run_team
from fastnn.engine.perceptron.units cimport SEGMENT_EPOCHS, Slot, Training, Unit, can_continue, end_epoch, run_segment

cnp.import_array()

# What a row costs beside its own multiplications, in multiplications.
cdef int64_t ROW_TERMS = 16
# Multiplications of a turn. After each turn a thread takes other units, so that two threads share three units evenly.
cdef int64_t TURN_TERMS = 1 << 20
# Turns of a segment for each thread, after which Python checks for Ctrl-C: some 10 ms for dense rows, up to 100 ms.
cdef size_t SEGMENT_TURNS = 16
# Multiplications below which one thread is faster than waking a second one: some 50 us.
cdef double PARALLEL_TERMS = 2e5
# Epochs that most fits take at least: with n_iter_no_change = 5, the first one improves and five more may not.
cdef int64_t LEAST_EPOCHS = 6
# Bytes that all slots may take together, unless one slot for each thread takes more.
cdef size_t SLOT_BYTES = 1 << 22
# Bytes of weights up to which one thread trains several units in turn: together they must fit the first-level cache.
cdef size_t TOGETHER_BYTES = 1 << 15


cdef const void *data_of(str name, cnp.ndarray array, dtype, size_t n) except? NULL:
    """The numbers of a contiguous array of that type and size."""
    if array.dtype != dtype or <size_t> array.size != n or not array.flags.c_contiguous:
        contiguous = "" if array.flags.c_contiguous else ", not contiguous"
        raise ValueError(f"{name} must have {n} contiguous numbers of type {np.dtype(dtype)}, "
                         f"got {array.size} of type {array.dtype}{contiguous}")
    return cnp.PyArray_DATA(array)


cdef class Perceptrons:
    """Units, each of which learns one class against the rest, all from the same samples.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features), or CSR matrix that `check_indices` accepts
        float32 or float64, with contiguous rows. It is neither copied nor written to, and must not change while units
        learn.
    classes : ndarray of int32 of shape (n_samples,)
        The class of each sample; ~class for a sample that is held out.
    sample_weight : ndarray of shape (n_samples,), of X's type, or None
    coef : ndarray of shape (n_units, n_features), of X's type
        The units' initial weights. They are learnt in place.
    intercept : ndarray of shape (n_units,), float64
        The units' initial intercepts. `finish` returns those learnt.
    averages : Averages, or None
        The averages so far, which are updated in place. None: weights are not averaged.
    positive : sequence of int
        The class of each unit.
    class_weight : sequence of (float, float)
        For each unit the weight of the rest and the weight of its class.
    seeds : sequence of int, or None
        The seed of each unit's orders. None: units read the samples in X's order.
    eta, alpha, l1_ratio, tol, max_iter, n_iter_no_change : float, int
        As in scikit-learn. With alpha < 0 there is no penalty, and with tol = -inf no unit stops before max_iter.
    intercept_rate : float
        The change of the intercept by a mistake, where eta and the sample's weight are 1.
    step, average_from : int
        The number of the first step, and of the first step after which the weights are averaged.
    held_out_weight : float
        The summed weight of the samples held out, whose score then decides when to stop. 0: none are held out.
    n_train : int
        The number of samples that are not held out.
    segment_epochs : int
        The most epochs in a call of `run`.
    n_threads : int
        The most threads to use.
    level : str, default=None
        The instruction set. None: the one that fastnn uses.
    in_parts : bool, default=False
        Whether the samples are only the first part of each epoch's: `take` gives the next one, and `end_epoch` ends the
        epoch. There must be no seeds then.

    Attributes
    ----------
    n_mistakes : list of list of int
        The mistakes of each unit in each epoch.
    n_threads : int
        The most threads that they use: 1 where several would be slower.
    runs_alone : bool
        Whether the next run uses one thread: so does the first one of a fit which may end before another thread is
        awake. It takes one short turn.
    """

    cdef Training job
    cdef object arrays, rows, slot_arrays, coef, averages, mistakes
    cdef uint64_t first_step
    cdef readonly list n_mistakes
    cdef readonly int n_threads
    cdef readonly bint runs_alone

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
                 size_t n_train, int segment_epochs, int n_threads, level=None, bint in_parts=False):
        cdef Training *job = &self.job
        cdef cnp.ndarray mistakes
        cdef char *coefs
        cdef char *means
        cdef size_t i, offset
        cdef fastnn_perceptron *learnt
        job.kernels, job.in_parts = kernels_for(X.dtype, level), in_parts
        self._set_samples(X, classes, sample_weight)
        job.n_train, job.held_out_weight = n_train, held_out_weight
        job.max_iter, job.n_iter_no_change, job.tol = max_iter, n_iter_no_change, tol
        job.segment_epochs = min(segment_epochs, SEGMENT_EPOCHS)

        if n_threads < 1:
            raise ValueError(f"n_threads must be at least 1, got {n_threads}")
        terms = <double> job.row_terms * job.n_samples * job.n_units
        self.n_threads = job.n_threads = min(n_threads, job.n_units) if terms * max_iter > PARALLEL_TERMS else 1
        # How many epochs there will be is not known.
        self.runs_alone = self.n_threads == 1 or terms * min(max_iter, LEAST_EPOCHS) < PARALLEL_TERMS
        self.mistakes = mistakes = np.zeros((job.n_units, SEGMENT_EPOCHS), np.uint64)
        job.mistakes = <uint64_t *> cnp.PyArray_DATA(mistakes)
        self.coef, self.averages, self.first_step = coef, averages, step
        self.n_mistakes = [[] for _ in positive]
        n_vectors = 1 + (averages is not None) + (alpha >= 0 and l1_ratio > 0)
        self._make_slots(n_vectors, shuffle=seeds is not None)
        if not coef.flags.writeable or averages is not None and not averages.coef.flags.writeable:
            raise ValueError(
                "coef and averages.coef must be writable, since they are learnt in place, got a read-only array")
        coefs = <char *> data_of("coef", coef, X.dtype, job.n_units * job.examples.n_features)
        if averages is not None:
            means = <char *> data_of("averages.coef", averages.coef, X.dtype, job.n_units * job.examples.n_features)
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
        """Make one slot for each thread or, if they are small, more slots, up to one for each unit.

        With more slots than threads, threads share the units evenly, and train several units at a time.
        """
        cdef Training *job = &self.job
        cdef size_t i, n_orders = 0 if not shuffle else 1 if job.max_iter == 1 else 3
        cdef cnp.ndarray numbers, orders
        job.vector_length = row_length(job.examples.n_features, 1, sizeof(double))
        slot_bytes = n_vectors * job.vector_length * sizeof(double) + n_orders * job.n_samples * sizeof(uint32_t)
        job.n_slots = min(max(SLOT_BYTES // slot_bytes, <size_t> job.n_threads), job.n_units)
        job.n_together = TOGETHER_BYTES // (job.vector_length * job.kernels.itemsize)
        job.n_together = max(1, min(job.n_together, <size_t> FASTNN_MOST_UNITS))
        # One unit after the other where several are not faster, or where a callback follows each epoch.
        if job.n_together == job.n_threads == 1 or job.segment_epochs == 1:
            job.n_slots = job.n_threads
        if job.in_parts:  # each unit keeps its slot while it waits for the next part
            job.n_slots = job.n_units
        numbers = aligned_zeros(job.n_slots * n_vectors * job.vector_length, np.float64)
        orders = np.empty(job.n_slots * n_orders * job.n_samples, np.uint32)
        self.slot_arrays = numbers, orders
        for i in range(job.n_slots):
            job.slots[i].unit = -1
            job.slots[i].numbers = <double *> cnp.PyArray_DATA(numbers) + i * n_vectors * job.vector_length
            if shuffle:
                job.slots[i].shuffle = <uint32_t *> cnp.PyArray_DATA(orders) + i * n_orders * job.n_samples

    cdef _set_samples(self, X, classes, sample_weight):
        cdef size_t n_samples = X.shape[0]
        if not 0 < n_samples < 2**31:
            raise ValueError(f"X must have from 1 to 2**31 - 1 samples, got {n_samples}")
        self._set_rows(X)
        self.job.examples.classes = <const int32_t *> data_of("classes", classes, np.int32, n_samples)
        self.job.examples.weights = (
            NULL if sample_weight is None else data_of("sample_weight", sample_weight, X.dtype, n_samples))
        self.job.n_samples = n_samples
        self.arrays = X, classes, sample_weight  # kept alive

    cdef _set_rows(self, X):
        cdef fastnn_examples *examples = &self.job.examples
        cdef size_t n_stored
        cdef cnp.ndarray rows
        examples.n_features = X.shape[1]
        if isinstance(X, np.ndarray):
            rows = X
            if not has_contiguous_rows(X):
                raise ValueError(
                    f"X must have contiguous rows of numbers of {X.itemsize} bytes, got strides {X.strides}")
            examples.values, examples.ld = cnp.PyArray_DATA(rows), rows.strides[0] // rows.itemsize
            self.job.row_terms = ROW_TERMS + examples.n_features
            return
        self.rows = data, columns, starts = csr_arrays(X)
        n_stored = len(data)
        examples.values = data_of("X.data", data, X.dtype, n_stored)
        examples.columns = data_of("X.indices", columns, columns.dtype, len(columns))
        examples.starts = data_of("X.indptr", starts, columns.dtype, X.shape[0] + 1)
        examples.wide_indices = columns.dtype == np.int64
        self.job.row_terms = ROW_TERMS + 2 * n_stored // <size_t> X.shape[0]

    def run(self, n_threads=None):
        """Let the units learn for some 10 to 100 ms.

        Parameters
        ----------
        n_threads : int, default=None
            The most threads that this run uses, of those that the units may use. None: all of them.

        Returns
        -------
        bool
            Whether every unit has stopped.

        Raises
        ------
        ValueError
            If n_threads is below 1.
        """
        cdef Training *job = &self.job
        cdef size_t i
        cdef bint done = True
        if n_threads is not None and n_threads < 1:
            raise ValueError(f"n_threads must be at least 1, got {n_threads}")
        job.turn_terms, job.segment_turns = TURN_TERMS, SEGMENT_TURNS
        if self.runs_alone and self.n_threads > 1:
            job.turn_terms, job.segment_turns = <int64_t> (2 * PARALLEL_TERMS), 1
        most = 1 if self.runs_alone else self.n_threads
        job.n_threads = affordable_team(most if n_threads is None else min(most, n_threads))
        self.runs_alone = self.n_threads == 1
        job.n_turns = job.n_active = job.n_stopped = 0
        for i in range(job.n_units):
            job.n_active += can_continue(job, &job.units[i])
        with nogil:
            run_team(job.n_threads, run_segment, job, NULL)
        for i in range(job.n_units):
            while job.units[i].n_fetched < job.units[i].epoch:
                self.n_mistakes[i].append(int(self.mistakes[i, job.units[i].n_fetched % SEGMENT_EPOCHS]))
                job.units[i].n_fetched += 1
            done = done and (job.units[i].done or job.units[i].waits)
        return done

    def take(self, X, classes, sample_weight):
        """Let the next runs be on these samples, the next part of the epoch. They are like those given at first."""
        cdef size_t i
        self._set_samples(X, classes, sample_weight)
        for i in range(self.job.n_units):
            self.job.units[i].position, self.job.units[i].waits = 0, False

    def end_epoch(self, size_t n_train):
        """End an epoch in parts, after the run on its last part.

        Parameters
        ----------
        n_train : int
            The number of samples in all parts. If samples are held out, those taken last are scored.

        Returns
        -------
        bool
            Whether every unit has stopped.
        """
        cdef Training *job = &self.job
        cdef Unit *unit
        cdef uint64_t *mistakes
        cdef size_t i, i_slot
        cdef bint done = True
        job.n_train = n_train
        for i_slot in range(job.n_slots):
            if job.slots[i_slot].unit < 0:
                continue
            i = job.slots[i_slot].unit
            unit, mistakes = &job.units[i], job.mistakes + i * SEGMENT_EPOCHS
            self.n_mistakes[i].append(int(unit.learnt.n_mistakes))
            end_epoch(job, unit, mistakes)
            unit.n_fetched = unit.epoch
            if unit.done:
                job.kernels.perceptron_end(&unit.learnt, job.examples.n_features, unit.coef, unit.means)
                job.slots[i_slot].unit = -1
            done = done and unit.done
        return done

    @property
    def overflowed(self):
        """The epoch, counted from 1, after which a unit had an infinite weight or NaN; 0 if no unit had."""
        return max(self.job.units[i].epoch if self.job.units[i].overflowed else 0 for i in range(self.job.n_units))

    @property
    def saw_nonfinite(self):
        """Whether a sum over a row was infinite or NaN, as every sum is over a row that has such a number."""
        return any(self.job.units[i].learnt.finite != 0 for i in range(self.job.n_units))

    def progress(self, size_t i):
        """A unit's weights, intercept and steps so far, and the mean loss, objective and score of its last epoch."""
        cdef Unit *unit = &self.job.units[i]
        cdef cnp.ndarray weights = self.coef[i]
        if not unit.done:  # else another unit may have its slot by now
            weights = np.empty_like(weights)
            memcpy(cnp.PyArray_DATA(weights), unit.learnt.weights, weights.nbytes)
            weights = weights * unit.learnt.scale
        return (weights, unit.learnt.intercept, unit.learnt.step - self.first_step,
                unit.learnt.loss / self.job.n_train, unit.objective, unit.score)

    def finish(self):
        """Bring the averages up to date once all units have stopped.

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
