"""A network in training: its optimizer's memories, the space for a batch, and runs over segments of an epoch."""

import math
import os
import sys

import numpy as np

cimport numpy as cnp
from libc.stddef cimport size_t
from libc.stdint cimport int32_t, intptr_t, uint32_t

from fastnn.engine import schedule
from fastnn.engine.activation import keeps_input, number
from fastnn.engine.arrays import aligned_zeros, most_entries, n_rows, sample_arrays
from fastnn.engine.arrays cimport Workspace, names_rows, round_up, row_length, samples_of
from fastnn.engine.threads.contention cimport note_stalls, patience_for, recent_stalls, uncontended_team
from fastnn.engine.kernels cimport FASTNN_NO_ENTRY, fastnn_entries, fastnn_kernels, fastnn_samples
from fastnn.engine.layers.layer cimport EngineLayer, Layer, Parameter
from fastnn.engine.layers.signal cimport Signal, n_panels, n_tiles
from fastnn.engine.loss cimport Loss, TargetRows, Targets
from fastnn.engine.network cimport Network
from fastnn.engine.optimizer cimport Optimizer
from fastnn.engine.products cimport every_term, n_weight_tasks
from fastnn.engine.segment cimport (
    Operation, Plan, RowOperation, Segment, n_chunks, operation_work, row_work, run_segment,
)
from fastnn.engine.threads.team cimport affordable_team, run_team

cnp.import_array()

# Arithmetic of a step below which one thread is faster than two that wait for each other.
cdef double PARALLEL_FLOPS = 1e6
# Where samples are taken by rows, they are taken so many at a time, or a few more.
cdef size_t LEAST_CHUNK = 16


cdef class Trainer:
    """A network, an optimizer and the space to train one with the other.

    Parameters
    ----------
    network : Network
        Its parameters are changed in place.
    loss : Loss
        For the network's head.
    optimizer : Optimizer
    batch_size : int
    n_threads : int
        At most so many are used.
    dropout : sequence of float, default=()
        For each hidden layer, the rate at which its units are dropped. () drops none.
    clip_norm : float, default=None
        The largest norm of a gradient, over all layers. None: any.
    seed : int, default=0
        Of the dropped units.
    memories : sequence of list of ndarray, default=()
        What the optimizer remembers of each of the network's weights. () is zeros.

    Attributes
    ----------
    memories : ndarray of shape (n_memories, n_packed)
        What the optimizer remembers, each memory laid out as the network's parameters are.
    in_use : bool
        Whether a fit is under way that counts on it: it then moves to no other network. To be set by that fit.
    schedule : list
        The phases of a step, as `fastnn.engine.schedule.plan` returns them. With FASTNN_SHOW_SCHEDULE=1 in the
        environment they are printed.
    step_flops : float
        Floating-point operations of a whole batch's step, by which it is judged whether several threads pay.

    Raises
    ------
    ValueError
        For settings that do not fit the network.
    MemoryError
        When there is no space for such batches.
    """

    cdef readonly Network network
    cdef readonly Loss loss
    cdef readonly Optimizer optimizer
    cdef readonly object memories, batch_size, clip_norm, seed
    cdef readonly tuple dropout
    cdef readonly list schedule
    cdef readonly double step_flops
    cdef public bint in_use
    cdef Workspace space, input_space  # input_space: for a batch of X, dense or sparse as the last one was
    cdef const uint32_t *all_terms
    cdef bint running
    cdef Segment segment
    cdef int n_threads, asked_threads  # of which a small network's steps use one only

    @property
    def patience(self):
        """float: seconds a thread may wait for another before that counts as a stall; after some, one goes on alone."""
        return self.segment.barrier.patience

    @patience.setter
    def patience(self, double seconds):
        self.segment.barrier.patience = seconds

    def __init__(self, Network network not None, Loss loss not None, Optimizer optimizer not None, batch_size,
                 n_threads, dropout=(), clip_norm=None, seed=0, memories=()):
        cdef Plan *plan = &self.segment.plan
        n_parameters, n_hidden = len(network.parameters), len(network.layers) - 1
        if batch_size < 1:
            raise ValueError(f"batches of {batch_size} samples")
        if n_threads < 1:
            raise ValueError(f"{n_threads} threads")
        loss.check(network)
        if len(dropout) not in (0, n_hidden) or not all(0 <= rate < 1 for rate in dropout):
            raise ValueError(f"dropout rates of {tuple(dropout)} for {n_hidden} hidden layers")
        if clip_norm is not None and not clip_norm > 0:
            raise ValueError(f"clip_norm is {clip_norm}")
        self.network, self.loss, self.optimizer = network, loss, optimizer
        self.dropout, self.clip_norm, self.seed = tuple(dropout), clip_norm, seed
        self.memories = aligned_zeros(optimizer.n_memories * n_parameters, network.dtype).reshape(
            optimizer.n_memories, n_parameters)
        for packed, memory in zip(self.memories, memories):
            network.pack(memory, packed)
        self.step_flops = 6.0 * batch_size * n_parameters
        self.batch_size, self.asked_threads = batch_size, n_threads
        self.n_threads = n_threads if self.step_flops > PARALLEL_FLOPS else 1
        self.patience = patience_for(self.step_flops)
        self.segment.stepping.hyperparameters = &optimizer.hyperparameters
        self.segment.stepping.step.dropout_seed = seed
        self.segment.stepping.clip_norm = 0 if clip_norm is None else clip_norm
        plan.kernels, plan.n_layers, plan.n_parameters = network.kernels, len(network.layers), network.n_parameters
        plan.batch_size, plan.chunk_samples = batch_size, round_up(LEAST_CHUNK, network.kernels.tile_rows)
        self.space = Workspace()
        self._book_parameters()
        self.schedule = schedule.plan(network.layers, clip_norm is not None)
        if os.environ.get("FASTNN_SHOW_SCHEDULE") == "1":
            print(f"fastnn: the phases of a step\n{schedule.text(self.schedule)}", file=sys.stderr)
        self._book_operations()
        self._book_layers()
        self._book_targets()

    def adapted(self, Loss loss not None, Optimizer optimizer not None, batch_size, n_threads, *, dropout=(),
                clip_norm=None, seed=0):
        """A trainer with other settings that goes on where this one is: itself, if nothing but numbers differ.

        An optimizer of the same name keeps its memories and its count of steps; another one starts afresh.
        """
        cdef Trainer other
        same = optimizer.name == self.optimizer.name
        if same:
            optimizer.step_count = self.optimizer.step_count
        mine = self.loss, self.batch_size, self.asked_threads, self.dropout, self.clip_norm, self.seed
        if same and mine == (loss, batch_size, n_threads, tuple(dropout), clip_norm, seed):
            self.optimizer = optimizer
            self.segment.stepping.hyperparameters = &optimizer.hyperparameters
            return self
        other = Trainer(self.network, loss, optimizer, batch_size, n_threads, dropout=dropout, clip_norm=clip_norm,
                        seed=seed)
        if same:
            other.memories[:] = self.memories
        return other

    def move_to(self, Network network not None):
        """Train this network from now on, which has the same layers as the last one."""
        cdef size_t i
        cdef Plan *plan = &self.segment.plan
        if self.in_use:
            raise RuntimeError("this network is being trained: train a copy of the model, by copy.deepcopy")
        mine, its = ((one.description, one.input_shape, one.head, one.groups, one.dtype) for one in (self.network, network))
        if mine != its or network.kernels != self.network.kernels:
            raise ValueError(f"a network of other layers than {mine}: {its}")
        self.network = network
        for i in range(plan.n_parameters):
            plan.parameters[i].matrix.weights = plan.gradients[i].matrix.weights = (
                network.parameter_list[i].matrix.weights)

    def __reduce__(self):
        memories = [self.network.unpack(memory) for memory in self.memories]
        return Trainer, (
            self.network, self.loss, self.optimizer, self.batch_size, self.asked_threads, self.dropout, self.clip_norm,
            self.seed, memories)

    # -- what is booked before anything runs ---------------------------------------------------------------------------

    cdef _book_parameters(self):
        """The list of parameters, with what the optimizer remembers of each or, to be clipped, with their gradient."""
        cdef Plan *plan = &self.segment.plan
        cdef cnp.ndarray memories = self.memories
        cdef char *gradient
        cdef size_t i, panels = 0, itemsize = plan.kernels.itemsize
        cdef Parameter *parameter
        plan.parameters = <Parameter *> self.space.zeros(plan.n_parameters * sizeof(Parameter), np.uint8)
        plan.gradients = plan.parameters
        for i in range(plan.n_parameters):
            parameter = &plan.parameters[i]
            parameter[0] = self.network.parameter_list[i]
            parameter.matrix.state = <char *> cnp.PyArray_DATA(memories) + parameter.offset * itemsize
            parameter.matrix.state_stride = len(self.network.parameters)
            parameter.squares = <double *> self.space.zeros(n_weight_tasks(plan.kernels, &parameter.matrix), np.float64)
            panels += n_panels(plan.kernels, parameter.matrix.fan_out)
        if self.segment.stepping.clip_norm > 0:
            self.segment.stepping.norms = <double *> self.space.zeros(panels, np.float64)
            gradient = self.space.zeros(len(self.network.parameters), self.network.dtype)
            plan.gradients = <Parameter *> self.space.zeros(plan.n_parameters * sizeof(Parameter), np.uint8)
            for i in range(plan.n_parameters):
                plan.gradients[i] = plan.parameters[i]
                plan.gradients[i].matrix.state = gradient + plan.parameters[i].offset * itemsize

    cdef _book_operations(self):
        """The schedule, as the threads go through it."""
        cdef Plan *plan = &self.segment.plan
        cdef Operation *operation
        cdef RowOperation *row_operation
        plan.n_operations = sum(map(len, self.schedule))
        plan.operations = operation = <Operation *> self.space.zeros(plan.n_operations * sizeof(Operation), np.uint8)
        for phase in self.schedule:
            for name, *arguments in phase:
                operation.work = operation_work(name)
                if name == "rows":
                    plan.n_row_operations = len(arguments[0])
                    plan.row_operations = row_operation = <RowOperation *> self.space.zeros(
                        plan.n_row_operations * sizeof(RowOperation), np.uint8)
                    for row_name, *layer in arguments[0]:
                        row_operation.work = row_work(row_name)
                        row_operation.layer = layer[0] if layer else 0
                        row_operation += 1
                elif arguments:
                    operation.layer = arguments[0]
                operation += 1
            (operation - 1).ends_phase = True

    cdef _book_layers(self):
        """The layers, what each needs for itself, and the signals that they make."""
        cdef Plan *plan = &self.segment.plan
        cdef const fastnn_kernels *kernels = plan.kernels
        cdef EngineLayer engine_layer
        cdef Layer *layer
        cdef Signal *signal
        cdef size_t i, first = 0
        layers, dtype = self.network.layers, self.network.dtype
        row_operations = [operation for phase in self.schedule for operation in phase if operation[0] == "rows"][0][1]
        backs = {operation[1] for phase in self.schedule for operation in phase if operation[0] == "back"}
        by_rows = {operation[1] for operation in row_operations if operation[0] == "back"}
        rows = self.batch_size * max(math.prod(layer.input_shape[:-1]) for layer in layers)
        self.all_terms = self.space.terms(max(*self.network.sizes, rows))
        plan.layers = <Layer *> self.space.zeros(plan.n_layers * sizeof(Layer), np.uint8)
        plan.signals = <Signal *> self.space.zeros(plan.n_layers * sizeof(Signal), np.uint8)
        for i in range(plan.n_layers):
            engine_layer, layer, signal = layers[i], &plan.layers[i], &plan.signals[i]
            layer[0] = self.network.layer_list[i]
            layer.parameters = plan.gradients + first
            first += layer.n_parameters
            layer.workspace = engine_layer.book(layer, self.batch_size, i in by_rows, self.space)

            last = i == plan.n_layers - 1
            signal.positions, signal.channels = engine_layer.n_positions(), engine_layer.output_shape[-1]
            signal.ld = row_length(signal.channels, kernels.tile_cols, kernels.itemsize)
            signal.columns = signal.samples = every_term(self.all_terms)
            signal.number = i
            # What a loss of logits is computed from is not what the head makes of them.
            activation = self.network.head if last and not self.loss.from_logits else engine_layer.activation
            signal.activation = number(activation)
            n = round_up(self.batch_size, kernels.tile_cols) * signal.positions * <object> signal.ld
            signal.kept = signal.values = self.space.zeros(n, dtype)
            if last and self.loss.from_logits:
                signal.delta = signal.values  # the loss replaces the logits by their gradient
            else:
                if last or i + 1 in backs or i + 1 in by_rows:
                    signal.delta = self.space.zeros(n, dtype)
                if keeps_input(activation):
                    signal.kept = signal.sums = self.space.zeros(n, dtype)
            if not last and self.dropout and self.dropout[i] > 0:
                signal.dropout, signal.mask = self.dropout[i], self.space.zeros(n, dtype)
                if signal.sums == NULL:
                    signal.kept = self.space.zeros(n, dtype)
            if i in backs and engine_layer.needs_transposed_delta():
                signal.delta_t = self.space.zeros(
                    round_up(self.batch_size, kernels.tile_cols) * signal.positions * <object> signal.channels, dtype)

    cdef _book_targets(self):
        cdef TargetRows *targets
        cdef size_t i
        rows = round_up(self.batch_size, self.segment.plan.kernels.tile_cols)
        for i in range(2):
            targets = &self.segment.gathered[i].targets
            targets.weights = self.space.zeros(rows * self.loss.n_targets, self.network.dtype)
            if self.loss.name == "softmax":
                targets.labels = <int32_t *> self.space.zeros(rows * self.loss.n_targets, np.int32)
            else:
                targets.targets = self.space.zeros(rows * self.loss.n_outputs, self.network.dtype)
        self.segment.progress.losses = <double *> self.space.zeros(
            n_chunks(&self.segment.plan, self.batch_size), np.float64)

    cdef _book_dense_input(self):
        cdef Signal inputs[2]  # copies: what is there stays, if there is no space for all of it
        cdef Signal *signal
        cdef const fastnn_kernels *kernels = self.segment.plan.kernels
        cdef size_t i
        cdef Workspace space = Workspace()
        n_features = self.network.sizes[0]
        row_tiles, column_tiles = n_tiles(kernels, self.batch_size), n_tiles(kernels, n_features)
        rows = round_up(self.batch_size, kernels.tile_cols)
        for i in range(2):
            signal = &inputs[i]
            signal[0] = self.segment.gathered[i].signal
            self.network.shape_input(signal)
            signal.columns = signal.samples = every_term(self.all_terms)
            signal.values = space.zeros(rows * signal.positions * <object> signal.ld, self.network.dtype)
            signal.entries.starts, signal.entries.capacity = NULL, 0
        if inputs[0].positions == 1:
            inputs[0].columns.terms = <uint32_t *> space.zeros(row_tiles * n_features, np.uint32)
            inputs[0].columns.counts = <uint32_t *> space.zeros(row_tiles, np.uint32)
            inputs[0].columns.stride = n_features
            inputs[0].samples.terms = <uint32_t *> space.zeros(column_tiles * self.batch_size, np.uint32)
            inputs[0].samples.counts = <uint32_t *> space.zeros(column_tiles, np.uint32)
            inputs[0].samples.stride = self.batch_size
        for i in range(2):  # the lists of one batch are done with when the next one's are made
            inputs[i].columns, inputs[i].samples = inputs[0].columns, inputs[0].samples
            self.segment.gathered[i].signal = inputs[i]
        self.input_space = space

    cdef _book_sparse_input(self, capacity):
        cdef Signal inputs[2]  # likewise
        cdef fastnn_entries *entries
        cdef size_t i
        cdef Workspace space = Workspace()
        if capacity >= FASTNN_NO_ENTRY:
            raise ValueError(f"batches of {self.batch_size} samples with {capacity} stored numbers: make them smaller")
        heads = <uint32_t *> space.zeros(self.network.sizes[0], np.uint32)
        following = <uint32_t *> space.zeros(capacity, np.uint32)
        for i in range(2):
            inputs[i] = self.segment.gathered[i].signal
            self.network.shape_input(&inputs[i])
            inputs[i].values = NULL
            inputs[i].columns = inputs[i].samples = every_term(NULL)
            entries = &inputs[i].entries
            entries.starts = <size_t *> space.zeros(self.batch_size + 1, np.uintp)
            entries.columns = <uint32_t *> space.zeros(capacity, np.uint32)
            entries.rows = <uint32_t *> space.zeros(capacity, np.uint32)
            entries.values = space.zeros(capacity, self.network.dtype)
            entries.heads, entries.next, entries.capacity = heads, following, capacity
        for i in range(2):
            self.segment.gathered[i].signal = inputs[i]
        self.input_space = space

    # -- running -------------------------------------------------------------------------------------------------------

    cdef _refresh_layers(self):
        """What layers keep of their weights, which may have been set since the last run."""
        cdef Plan *plan = &self.segment.plan
        cdef Layer *layer
        cdef size_t i, j, panel
        for i in range(plan.n_layers):
            layer = &plan.layers[i]
            if layer.kind.refresh == NULL:
                continue
            for j in range(layer.n_parameters):
                for panel in range(n_panels(plan.kernels, layer.parameters[j].matrix.fan_out)):
                    layer.kind.refresh(layer, j, panel)

    def run(self, X, targets, order, double loss=0, *, weights=None, rates=None):
        """Train on the samples that order names, batch by batch; the last batch may be smaller.

        Parameters
        ----------
        X : ndarray or CSR matrix of shape (n_samples, n_features)
            Any real type, any strides; rows are converted as they are gathered.
        targets : ndarray
            For softmax int32 classes of shape (n_samples,) or (n_samples, n_groups); else numbers of shape
            (n_samples, n_outputs), of any real type.
        order : ndarray of intp of shape (n_rows,)
        loss : float, default=0
            What the epoch's earlier segments returned: an epoch's loss has the same bits however it is cut.
        weights : ndarray of shape (n_samples,) or (n_samples, n_targets), default=None
            What the loss of each sample, or of each sample's each target, is multiplied by; a batch's gradient is
            divided by what they add up to. None: 1.
        rates : ndarray of float64 of shape (n_batches,), default=None
            What the learning rate is multiplied by, batch by batch. None: 1.

        Returns
        -------
        float
            `loss` and, added to it, the summed loss of the samples plus, once per batch, half of l2 times the sum of
            all squared weights, as they were before each batch's step; of a batch with weights, that divided by their
            mean. The same bits for any number of threads, and so are the network's weights.

        Raises
        ------
        ValueError
            When an array does not fit the network, or order or targets name what does not exist.
        RuntimeError
            When another thread is in the middle of a run.
        """
        if self.running:
            raise RuntimeError("this network is being trained by another thread")
        self.running = True
        try:
            return self._run(X, targets, order, loss, weights, rates)
        finally:
            self.running = False

    cdef double _run(self, X, targets, cnp.ndarray order, double loss, weights, rates) except? -1:
        cdef Segment *segment = &self.segment
        arrays = sample_arrays(X)
        cdef fastnn_samples samples = samples_of(arrays)
        cdef Targets all_targets
        cdef cnp.ndarray rate_array
        cdef int n_threads
        n_samples = n_rows(X)
        self.network.check_samples(&samples)
        if order.dtype != np.intp or order.ndim != 1 or not cnp.PyArray_ISCARRAY_RO(order):
            raise ValueError("order must be a contiguous, aligned array of intp")
        if len(order) == 0:
            return loss
        segment.source.order, segment.source.n_rows = <const intptr_t *> cnp.PyArray_DATA(order), len(order)
        if not names_rows(segment.source.order, segment.source.n_rows, n_samples):
            raise ValueError(f"order names samples outside 0 ... {n_samples - 1}")
        all_targets = Targets(self.loss, self.network.dtype, targets, weights, n_samples, order)
        self._aim_at(all_targets)
        segment.source.rates = NULL
        if rates is not None:
            rate_array = np.ascontiguousarray(rates, np.float64)
            if rate_array.ndim != 1 or len(rate_array) != -(-len(order) // self.batch_size):
                raise ValueError(f"{rate_array.size} rates for {-(-len(order) // self.batch_size)} batches")
            segment.source.rates = <const double *> cnp.PyArray_DATA(rate_array)

        if samples.starts == NULL:
            if segment.gathered[0].signal.values == NULL:
                self._book_dense_input()
        else:
            n_entries = most_entries(arrays, order, self.batch_size)
            if segment.gathered[0].signal.entries.capacity < max(1, n_entries):
                self._book_sparse_input(max(1, n_entries))
        self._refresh_layers()
        segment.source.X = &samples
        segment.progress.steps_before = segment.progress.step_count = self.optimizer.step_count
        segment.progress.loss, segment.progress.n_done = loss, 0
        n_threads = affordable_team(uncontended_team(self.n_threads, self.patience))
        while segment.progress.n_done < segment.source.n_rows:
            segment.barrier.stalls = 0 if n_threads == 1 else recent_stalls()
            with nogil:
                run_team(n_threads, run_segment, segment, &segment.barrier)
            if n_threads > 1 and note_stalls(segment.barrier.stalls):
                n_threads = 1
        self.optimizer.step_count = segment.progress.step_count
        return segment.progress.loss

    cdef _aim_at(self, Targets targets):
        """Take the batches' targets from these from now on, into the space that there is for them."""
        cdef TargetRows space
        cdef size_t i
        self.segment.source.targets = &targets.samples
        for i in range(2):
            space = self.segment.gathered[i].targets
            self.segment.gathered[i].targets = targets.rows
            self.segment.gathered[i].targets.labels = space.labels
            self.segment.gathered[i].targets.targets = space.targets
            self.segment.gathered[i].targets.weights = space.weights
