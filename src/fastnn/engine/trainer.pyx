"""A network in training: the optimizer's memories, the memory of a batch, and runs over segments of an epoch."""

import math
from copy import copy

import numpy as np

cimport numpy as cnp
from libc.stddef cimport size_t
from libc.stdint cimport intptr_t

from fastnn.engine import schedule
from fastnn.engine.arrays import aligned_zeros, most_entries, n_rows, sample_arrays, span
from fastnn.engine.arrays cimport Workspace, names_rows, samples_of
from fastnn.engine.booking cimport (
    book_dense_input, book_layers, book_operations, book_parameters, book_scratch, book_signals, book_sparse_input,
    book_targets, cut_batches,
)
from fastnn.engine.gathering cimport choose_terms, note_zeros
from fastnn.engine.kernels cimport fastnn_samples
from fastnn.engine.layers.layer cimport Parameter
from fastnn.engine.loss cimport Loss, TargetRows, Targets
from fastnn.engine.network cimport Network
from fastnn.engine.optimizer cimport Optimizer
from fastnn.engine.products cimport packed_size
from fastnn.engine.profile cimport profile_if_wanted
from fastnn.engine.segment cimport Plan, Segment, Window, refresh_layers, run_segment
from fastnn.engine.steps import check_for_windows, place_sequences
from fastnn.engine.threads.contention cimport note_stalls, patience_for, recent_stalls, uncontended_team
from fastnn.engine.threads.team cimport affordable_team, run_team

cnp.import_array()

# Floating-point operations of a step below which one thread is faster than two that wait for each other.
cdef double PARALLEL_FLOPS = 1e6


cdef class Trainer:
    """A network and what it takes to train it: a loss, an optimizer and the memory of a batch.

    Parameters
    ----------
    network : Network
        Its parameters are changed in place.
    loss : Loss
        It must have the network's head and outputs.
    optimizer : Optimizer
    batch_size : int
    n_threads : int
        The most threads that a step uses.
    dropout : sequence of float, default=()
        The rate at which units are dropped, for each hidden layer. () drops none.
    clip_norm : float, default=None
        The largest norm of a gradient, taken over all layers. None: no limit.
    seed : int, default=0
        Decides which units are dropped.
    memories : sequence of list of ndarray, default=()
        What the optimizer remembers: each memory has an array for each of the network's weights. () is zeros.
    truncate_steps : int, default=None
        Sequences are trained on in windows of so many steps: a step of the optimizer with the first window of each of
        a batch's sequences, one with the second, and so on. Recurrent layers begin a window with the state that the one
        before ended with, and the error does not go back beyond its begin. None: all steps at once.

    Attributes
    ----------
    memories : ndarray of shape (n_memories, n_packed)
        What the optimizer remembers. Each memory is laid out as the network's parameters are.
    in_use : bool
        Whether a fit is using this trainer, which then moves to no other network. The fit sets it.
    schedule : list
        The phases of a step, as `fastnn.engine.schedule.plan` returns them. They are printed where the environment has
        FASTNN_SHOW_SCHEDULE=1.
    profile : Profile or None
        Where the time goes, if the environment has FASTNN_PROFILE=1.
    n_threads : int
        The most threads that a step uses, 1 where several would be slower.
    step_flops : float
        Floating-point operations of a whole batch's step, which decide whether a step uses several threads. Of
        sequences of any length, those of one time step of each: there a run's sequences decide.

    Raises
    ------
    ValueError
        If a parameter breaks its rule, or does not fit the network.
    MemoryError
        If there is not enough memory for such batches.
    """

    @property
    def patience(self):
        """float: seconds that a thread may wait for another before the wait counts as a stall.

        After a few stalls one thread does the rest of the work alone.
        """
        return self.segment.barrier.patience

    @patience.setter
    def patience(self, double seconds):
        self.segment.barrier.patience = seconds

    def __init__(self, Network network not None, Loss loss not None, Optimizer optimizer not None, batch_size,
                 n_threads, dropout=(), clip_norm=None, seed=0, memories=(), truncate_steps=None):
        cdef Plan *plan = &self.segment.plan
        n_parameters, n_hidden = len(network.parameters), len(network.layers) - 1
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        if n_threads < 1:
            raise ValueError(f"n_threads must be at least 1, got {n_threads}")
        loss.check(network)
        if len(dropout) not in (0, n_hidden):
            raise ValueError(
                f"dropout must have {n_hidden} rates, one for each hidden layer, or none, got {len(dropout)}")
        if not all(0 <= rate < 1 for rate in dropout):
            raise ValueError(f"dropout must have rates of at least 0 and below 1, got {tuple(dropout)}")
        if any(dropout[: schedule.first_layer(network.layers)]):
            raise ValueError(f"dropout must have rate 0 for a layer that rescales X, got {dropout[0]}")
        if clip_norm is not None and not clip_norm > 0:
            raise ValueError(f"clip_norm must be above 0, got {clip_norm}")
        if not 0 <= seed < 2**64:
            raise ValueError(f"seed must be from 0 to 2**64 - 1, got {seed}")
        if truncate_steps is not None:
            check_for_windows(network, truncate_steps)
        self.truncate_steps = truncate_steps
        self.network, self.loss, self.optimizer = network, loss, optimizer
        self.dropout, self.clip_norm, self.seed = tuple(dropout), clip_norm, seed
        self.memories = aligned_zeros(optimizer.n_memories * n_parameters, network.dtype).reshape(
            optimizer.n_memories, n_parameters)
        for packed, memory in zip(self.memories, memories):
            network.pack(memory, packed)
        self.step_flops = 3 * batch_size * network.sample_flops + network.update_flops
        self.batch_size, self.given_threads = batch_size, n_threads
        self.n_threads = n_threads if network.is_ragged or self.step_flops > PARALLEL_FLOPS else 1
        self.patience = patience_for(self.step_flops)
        self.segment.stepping.hyperparameters = &optimizer.hyperparameters
        self.segment.stepping.step.dropout_seed = seed
        self.segment.stepping.clip_norm = 0 if clip_norm is None else clip_norm
        plan.first_layer = schedule.first_layer(network.layers)
        plan.kernels, plan.n_layers, plan.n_parameters = network.kernels, len(network.layers), network.n_parameters
        cut_batches(plan, network, batch_size)
        self.space = Workspace()
        book_parameters(&self.segment, network, self.memories, self.space)
        self.schedule = schedule.plan(network.layers, clip_norm is not None)
        schedule.show(self.schedule)
        book_operations(plan, self.schedule, self.space)
        book_layers(plan, network, self.schedule, self.n_threads, truncate_steps is not None, self.space)
        self.profile = profile_if_wanted(network, self.schedule, self.n_threads, plan)
        nothing = [0] * (1 + len(network.layers))
        self.batch_rows, self.chunk_rows, self.longest = nothing, nothing, nothing
        if not network.is_ragged:
            positions = [math.prod(network.input_shape[:-1]), *(layer.n_positions() for layer in network.layers)]
            self._book_rows([n * batch_size for n in positions], [n * plan.chunk_samples for n in positions], nothing)

    cdef _book_rows(self, list batch_rows, list chunk_rows, list longest):
        """Book the memory for batches and chunks with so many rows, and sequences of so many steps, in X and in what
        each layer makes."""
        # Until all is booked nothing is, and so it stays if there is not enough memory.
        self.batch_rows = self.chunk_rows = self.longest = [0] * len(batch_rows)
        self.signal_space = space = Workspace()
        book_scratch(&self.segment.plan, self.network, self.n_threads, longest, space)
        self.all_terms = book_signals(&self.segment.plan, self.network, self.loss, self.dropout, self.schedule,
                                      self.n_threads, batch_rows, chunk_rows, space)
        book_targets(&self.segment, self.network, self.loss, batch_rows[-1], space)
        self.batch_rows, self.chunk_rows, self.longest = batch_rows, chunk_rows, longest
        self.segment.gathered[0].signal.values = NULL  # to be booked by the run

    def adapted(self, Loss loss not None, Optimizer optimizer not None, batch_size, n_threads, *, dropout=(),
                clip_norm=None, seed=0, truncate_steps=None):
        """A trainer with other settings that resumes where this one is.

        It is this trainer itself if only the optimizer's hyperparameters differ. An optimizer of the same name keeps
        its memories and its count of steps. Another optimizer begins without any.
        """
        cdef Trainer other
        same = optimizer.name == self.optimizer.name
        if same:
            optimizer.step_count = self.optimizer.step_count
        own = (self.loss, self.batch_size, self.given_threads, self.dropout, self.clip_norm, self.seed,
               self.truncate_steps)
        if same and own == (loss, batch_size, n_threads, tuple(dropout), clip_norm, seed, truncate_steps):
            self.optimizer = optimizer
            self.segment.stepping.hyperparameters = &optimizer.hyperparameters
            return self
        other = Trainer(self.network, loss, optimizer, batch_size, n_threads, dropout=dropout, clip_norm=clip_norm,
                        seed=seed, truncate_steps=truncate_steps)
        if same:
            other.memories[:] = self.memories
        return other

    def copy_for(self, Network network not None):
        """A trainer of another network, which has the same parameters, but may learn others of them.

        What the optimizer remembers of a parameter that has not been learnt, or is learnt no more, is 0.
        """
        cdef Trainer other
        cdef Parameter *parameter
        cdef size_t i, size
        self._check_not_in_use()
        own, others = ((each.n_parameters, each.shapes, each.dtype) for each in (self.network, network))
        if own != others or network.kernels != self.network.kernels:
            raise ValueError(
                "network must have as many parameters as the trainer's, of the same shapes, type and instruction set, "
                f"{own} for {self.network.kernels.level.decode()}, got {others} for {network.kernels.level.decode()}")
        other = Trainer(network, self.loss, copy(self.optimizer), self.batch_size, self.given_threads, self.dropout,
                        self.clip_norm, self.seed, (), self.truncate_steps)
        other.memories[:] = self.memories
        for i in range(network.n_parameters):
            parameter = &network.parameter_list[i]
            if parameter.learnt != self.network.parameter_list[i].learnt:
                size = packed_size(network.kernels, parameter.matrix.fan_in, parameter.matrix.fan_out)
                other.memories[:, parameter.offset : parameter.offset + size] = 0
        return other

    def _check_not_in_use(self):
        if self.in_use:
            raise RuntimeError("this network is being trained: train a copy of the model, by copy.deepcopy")

    def move_to(self, Network network not None):
        """Train another network from now on. It must have the same layers, head and type."""
        cdef size_t i
        cdef Plan *plan = &self.segment.plan
        self._check_not_in_use()
        other_layout = network.layout()
        for name, own in self.network.layout().items():
            if own != (other := other_layout[name]):
                raise ValueError(f"network must have the {name} of the trainer's, {own!r}, got {other!r}")
        self.network = network
        for i in range(plan.n_parameters):
            plan.parameters[i].matrix.weights = plan.gradients[i].matrix.weights = (
                network.parameter_list[i].matrix.weights)

    def __reduce__(self):
        memories = [self.network.unpack(memory) for memory in self.memories]
        return Trainer, (
            self.network, self.loss, self.optimizer, self.batch_size, self.given_threads, self.dropout, self.clip_norm,
            self.seed, memories, self.truncate_steps)

    # -- running -------------------------------------------------------------------------------------------------------

    def run(self, X, targets, order, double loss=0, *, weights=None, rates=None, n_threads=None):
        """Train on the samples in the given order, batch by batch. The last batch may be smaller.

        Parameters
        ----------
        X : ndarray or CSR matrix of shape (n_samples, n_features), or Sequences
            Of any real type and any strides. Rows are converted as they are gathered.
        targets : ndarray
            For the loss softmax, int32 classes of shape (n_rows,) or (n_rows, n_groups); for another loss, numbers of
            any real type, of shape (n_rows, n_outputs). A row is a sample or, where the last layer makes sequences, a
            step of what it makes, one sample's after the other's.
        order : ndarray of intp of shape (n_rows,)
            The numbers of the samples to train on.
        loss : float, default=0
            What the epoch's earlier segments returned. So an epoch's loss has the same bits however it is cut.
        weights : ndarray of shape (n_rows,) or (n_rows, n_targets), default=None
            The factors of the losses of rows, or of each target of each row. A batch's gradient is divided by
            their sum. None: all are 1.
        rates : ndarray of float64 of shape (n_batches,), default=None
            The learning rate's factor in each batch. None: all are 1.
        n_threads : int, default=None
            The most threads that this run uses, of the trainer's. None: all of them.

        Returns
        -------
        float
            The sum of `loss`, the losses of all samples and the penalty of each batch. The penalty is half of l2
            times the sum of all squared weights before the batch's step. What a batch with weights adds is divided by
            their mean. The result and the network's weights have the same bits for any number of threads.

        Raises
        ------
        ValueError
            If an array does not fit the network, or if order, targets or n_threads are out of range.
        RuntimeError
            If another thread is in the middle of a run.
        """
        if n_threads is not None and n_threads < 1:
            raise ValueError(f"n_threads must be at least 1, got {n_threads}")
        if self.running:
            raise RuntimeError("this network is being trained by another thread")
        self.running = True
        try:
            return self._run(X, targets, order, loss, weights, rates,
                             self.n_threads if n_threads is None else n_threads)
        finally:
            self.running = False

    cdef double _run(self, X, targets, cnp.ndarray order, double loss, weights, rates, int most_threads) except? -1:
        cdef Segment *segment = &self.segment
        arrays = sample_arrays(X.values if self.network.is_ragged else X)
        cdef fastnn_samples samples = samples_of(arrays, "X")
        cdef Targets all_targets
        cdef cnp.ndarray rate_array
        cdef int n_threads
        n_samples = X.shape[0] if self.network.is_ragged else n_rows(X)
        self.network.check_samples(&samples)
        samples.rescaling = self.network.input_rescaling
        if order.dtype != np.intp or order.ndim != 1 or not cnp.PyArray_ISCARRAY_RO(order):
            raise ValueError(f"order must be a contiguous, aligned array of intp of 1 dimension, got {order.dtype} "
                             f"with shape {np.shape(order)} and strides {(<object> order).strides}")
        if len(order) == 0:
            return loss
        segment.source.order, segment.source.n_rows = <const intptr_t *> cnp.PyArray_DATA(order), len(order)
        if not names_rows(segment.source.order, segment.source.n_rows, n_samples):
            raise ValueError(f"order must be from 0 to below {n_samples}, the number of samples, got {span(order)}")
        starts = self.network.row_starts(X)
        if starts is None:
            all_targets = Targets(self.loss, self.network.dtype, targets, weights, n_samples, order)
        else:
            all_targets = Targets(self.loss, self.network.dtype, targets, weights, starts[-1], None, starts)
        n_batches = -(-len(order) // self.batch_size)
        if rates is not None and np.shape(rates) != (n_batches,):
            raise ValueError(f"rates must have shape ({n_batches},), one for each batch, got {np.shape(rates)}")
        segment.source.n_batches = n_batches
        if self.network.is_ragged:
            order = self._place_sequences(X, order)
            segment.source.order = <const intptr_t *> cnp.PyArray_DATA(order)
            if rates is not None and self.truncate_steps is not None:
                rates = np.asarray(rates)[self.windows["first"] // self.batch_size]
        self._read_targets(all_targets)
        segment.source.rates = NULL
        if rates is not None:
            rate_array = np.ascontiguousarray(rates, np.float64)
            segment.source.rates = <const double *> cnp.PyArray_DATA(rate_array)

        if self.network.reads_entries(&samples, len(self.network.layers)):
            n_entries = most_entries(arrays, order, self.batch_size)
            if segment.gathered[0].signal.entries.capacity < max(1, n_entries):
                self.input_space = book_sparse_input(segment, self.network, max(1, n_entries))
        elif segment.gathered[0].signal.values == NULL:
            self.input_space = book_dense_input(segment, self.network, self.batch_rows[0], self.all_terms)
        choose_terms(segment)
        refresh_layers(&segment.plan)
        segment.source.X = &samples
        segment.progress.steps_before = segment.progress.step_count = self.optimizer.step_count
        segment.progress.loss, segment.progress.n_done = loss, 0
        n_threads = min(self.n_threads, most_threads)
        if self.network.is_ragged:
            batch_flops = self._batch_flops(X, order)
            self.patience = max(self.patience, patience_for(batch_flops))
            if batch_flops <= PARALLEL_FLOPS:
                n_threads = 1
        n_threads = affordable_team(uncontended_team(n_threads, self.patience))
        while segment.progress.n_done < segment.source.n_batches:
            segment.barrier.stalls = 0 if n_threads == 1 else recent_stalls()
            with nogil:
                run_team(n_threads, run_segment, segment, &segment.barrier)
            self.network.version += 1  # after it: another thread may have read weights meanwhile
            if n_threads > 1 and note_stalls(segment.barrier.stalls):
                n_threads = 1
        note_zeros(segment)
        self.optimizer.step_count = segment.progress.step_count
        if self.profile is not None:
            self.profile.note(segment.source.n_batches, X, order)
        return segment.progress.loss

    def _batch_flops(self, X, order):
        """Floating-point operations of a batch's step, on average, where they depend on X."""
        n_steps = X.lengths[order].mean() * min(len(order), self.batch_size)
        return 3 * self.network.sample_flops * n_steps + self.network.update_flops

    def _place_sequences(self, X, order):
        """Tell the segment where the steps of each batch's sequences are, and book memory for as many.

        Returns the order that the batches are taken in.
        """
        cdef cnp.ndarray starts = np.ascontiguousarray(X.starts, np.intp), level, windows, pointers
        cdef size_t i
        placed = place_sequences(self.network.layers, X.lengths, order, self.batch_size, self.segment.plan.part_samples,
                                 self.segment.plan.chunk_samples, self.truncate_steps)
        pointers = np.zeros(len(placed.starts), np.uintp)
        for i in range(len(placed.starts)):
            if placed.starts[i] is not None:
                level = placed.starts[i]
                pointers[i] = <size_t> cnp.PyArray_DATA(level)
        self.windows, self.placed = placed.windows, (placed, starts, pointers)
        if placed.windows is not None:
            windows = placed.windows
            self.segment.source.windows = <const Window *> cnp.PyArray_DATA(windows)
            self.segment.source.n_batches = len(windows)
        self.segment.source.sequence_starts = <const intptr_t *> cnp.PyArray_DATA(starts)
        self.segment.source.starts = <const size_t **> cnp.PyArray_DATA(pointers)
        needed = placed.batch_rows, placed.chunk_rows, placed.longest
        booked = self.batch_rows, self.chunk_rows, self.longest
        if any(n > own for rows, own_rows in zip(needed, booked) for n, own in zip(rows, own_rows)):
            batch_rows, chunk_rows, longest = (list(map(max, *pair)) for pair in zip(needed, booked))
            self._book_rows(batch_rows, chunk_rows, longest)
        return placed.order

    cdef _read_targets(self, Targets targets):
        """Gather the batches' targets from these from now on, into the memory booked for them."""
        cdef TargetRows booked
        cdef size_t i
        self.segment.source.targets = &targets.samples
        for i in range(2):
            booked = self.segment.gathered[i].targets
            self.segment.gathered[i].targets = targets.rows
            self.segment.gathered[i].targets.labels = booked.labels
            self.segment.gathered[i].targets.targets = booked.targets
            self.segment.gathered[i].targets.weights = booked.weights
