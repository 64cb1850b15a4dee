"""A network in training: its optimizer's memories, the space for a batch, and runs over segments of an epoch."""

import numpy as np

cimport numpy as cnp
from cython.parallel cimport parallel
from libc.stddef cimport size_t
from libc.stdint cimport int32_t, intptr_t, uint32_t
from libc.stdlib cimport calloc, free

from fastnn.engine.activation import keeps_input, number
from fastnn.engine.arrays import aligned_zeros, most_entries, n_rows, sample_arrays
from fastnn.engine.arrays cimport names_rows, round_up, row_length, samples_of
from fastnn.engine.backprop cimport LayerSpace, Segment, n_output_tasks, run_segment
from fastnn.engine.crowd cimport note_stalls, patience_for, recent_stalls, uncrowded_team
from fastnn.engine.dense cimport n_panels, n_tiles, n_weight_tasks, packed_size, transpose_weights
from fastnn.engine.kernels cimport (
    FASTNN_IDENTITY, FASTNN_NO_ENTRY, fastnn_dense, fastnn_entries, fastnn_kernels, fastnn_samples,
)
from fastnn.engine.loss cimport Loss, LossRows, Wanted
from fastnn.engine.network cimport Network
from fastnn.engine.optimizer cimport Optimizer
from fastnn.engine.team cimport affordable_team, team_fork, team_forked, team_join, team_joining

cnp.import_array()

# Arithmetic of a step below which one thread is faster than two that wait for each other.
cdef double PARALLEL_FLOPS = 1e6
# As many parameters of a network's last layers stay in a core's cache while it takes a few rows at a time through them,
# and their error back: threads then need not wait for each other between these layers.
cdef size_t BY_ROWS = 32_000
# The rows are taken so many at a time, or a few more.
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
    memories : sequence of (coefs, intercepts), default=()
        What the optimizer remembers, of each layer's W and b. () is zeros.

    Attributes
    ----------
    memories : ndarray of shape (n_memories, n_packed)
        What the optimizer remembers, each memory laid out as the network's parameters are.
    in_use : bool
        Whether a fit is under way that counts on it: it then moves to no other network. To be set by that fit.
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
    cdef readonly double step_flops
    cdef public bint in_use
    cdef list space, input_space  # input_space: for a batch of X, dense or sparse as the last one was
    cdef bint running
    cdef Segment segment
    cdef int n_threads, asked_threads  # of which a small network's steps use one only

    def __cinit__(self, Network network not None, *arguments, **settings):
        self.segment.layers = <fastnn_dense *> calloc(network.n_dense, sizeof(fastnn_dense))
        self.segment.spaces = <LayerSpace *> calloc(network.n_dense, sizeof(LayerSpace))
        self.segment.gradient_layers = <fastnn_dense *> calloc(network.n_dense, sizeof(fastnn_dense))
        if self.segment.layers == NULL or self.segment.spaces == NULL or self.segment.gradient_layers == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.segment.layers)
        free(self.segment.spaces)
        free(self.segment.gradient_layers)

    @property
    def patience(self):
        """float: seconds a thread may wait for another before that counts as a stall; after some, one goes on alone."""
        return self.segment.meeting.patience

    @patience.setter
    def patience(self, double seconds):
        self.segment.meeting.patience = seconds

    def __init__(self, Network network not None, Loss loss not None, Optimizer optimizer not None, batch_size,
                 n_threads, dropout=(), clip_norm=None, seed=0, memories=()):
        cdef cnp.ndarray packed
        cdef size_t i, by_rows = 0, n_parameters = len(network.parameters)
        cdef Segment *segment = &self.segment
        if batch_size < 1:
            raise ValueError(f"batches of {batch_size} samples")
        if n_threads < 1:
            raise ValueError(f"{n_threads} threads")
        loss.check(network)
        if len(dropout) not in (0, network.n_dense - 1) or not all(0 <= rate < 1 for rate in dropout):
            raise ValueError(f"dropout rates of {tuple(dropout)} for {network.n_dense - 1} hidden layers")
        if clip_norm is not None and not clip_norm > 0:
            raise ValueError(f"clip_norm is {clip_norm}")
        self.network, self.loss, self.optimizer = network, loss, optimizer
        self.dropout, self.clip_norm, self.seed = tuple(dropout), clip_norm, seed
        self.memories = packed = aligned_zeros(optimizer.n_memories * n_parameters, network.dtype).reshape(
            optimizer.n_memories, n_parameters)
        for memory, (coefs, intercepts) in zip(packed, memories):
            network.pack(coefs, intercepts, memory)
        segment.kernels, segment.n_layers = network.kernels, network.n_dense
        for i in range(network.n_dense):
            segment.layers[i] = network.dense[i]
            segment.layers[i].state = <char *> cnp.PyArray_DATA(packed) + (
                <char *> network.dense[i].weights - <char *> network.dense[0].weights)
            segment.layers[i].state_stride = n_parameters
        self.step_flops = 6.0 * batch_size * n_parameters
        self.batch_size, self.asked_threads = batch_size, n_threads
        self.n_threads = n_threads if self.step_flops > PARALLEL_FLOPS else 1
        self.patience = patience_for(self.step_flops)
        segment.settings = &optimizer.settings
        segment.batch_size, segment.chunk_rows = batch_size, round_up(LEAST_CHUNK, network.kernels.tile_rows)
        first = network.n_dense
        while first > 0:
            n, m = network.sizes[first - 1], network.sizes[first]
            by_rows += max(packed_size(network.kernels, n, m), packed_size(network.kernels, m, n))  # or W^T's
            if by_rows > BY_ROWS:
                break
            first -= 1
        segment.first_back = max(1, first)
        segment.first_by_rows = min(first, network.n_dense - 1)  # the last layer's rows in any case: the loss is theirs
        if not loss.from_logits:  # outputs, then, are what the loss and its gradient are computed from
            segment.layers[network.n_dense - 1].activation = number(network.head)
        segment.dropout_seed, segment.clip_norm = seed, 0 if clip_norm is None else clip_norm
        self.space, self.input_space = [], []
        self._make_space()

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
            self.segment.settings = &optimizer.settings
            return self
        other = Trainer(self.network, loss, optimizer, batch_size, n_threads, dropout=dropout, clip_norm=clip_norm,
                        seed=seed)
        if same:
            other.memories[:] = self.memories
        return other

    def move_to(self, Network network not None):
        """Train this network from now on, which has the same layers as the last one."""
        cdef size_t i
        if self.in_use:
            raise RuntimeError("this network is being trained: train a copy of the model, by copy.deepcopy")
        mine, its = ((one.sizes, one.activations, one.head, one.groups, one.dtype) for one in (self.network, network))
        if mine != its or network.kernels != self.network.kernels:
            raise ValueError(f"a network of other layers than {mine}: {its}")
        self.network = network
        for i in range(network.n_dense):
            self.segment.layers[i].weights = self.segment.gradient_layers[i].weights = network.dense[i].weights

    def __reduce__(self):
        memories = [self.network.unpack(memory) for memory in self.memories]
        return Trainer, (
            self.network, self.loss, self.optimizer, self.batch_size, self.asked_threads, self.dropout, self.clip_norm,
            self.seed, memories)

    cdef char *_array(self, n, dtype, list space=None) except NULL:
        """Zeros that live as long as the trainer, or as that space."""
        cdef cnp.ndarray array = aligned_zeros(n, dtype)
        (self.space if space is None else space).append(array)
        return <char *> cnp.PyArray_DATA(array)

    cdef _make_space(self):
        cdef Segment *segment = &self.segment
        cdef const fastnn_kernels *kernels = segment.kernels
        cdef cnp.ndarray all_terms
        cdef char *gradient
        cdef LayerSpace *layer
        cdef fastnn_dense transposed
        cdef size_t i, n_tasks = 0, panels = 0
        dtype = self.network.dtype
        n_outputs = self.network.sizes[-1]
        rows = segment.batch_rows = round_up(segment.batch_size, kernels.tile_cols)

        for i in range(segment.n_layers):
            layer = &segment.spaces[i]
            layer.ld = row_length(segment.layers[i].fan_out, kernels.tile_cols, kernels.itemsize)
            n = rows * <object> layer.ld
            layer.kept = layer.a = self._array(n, dtype)
            last = i == segment.n_layers - 1
            if last and self.loss.from_logits:
                layer.delta = layer.a  # the loss replaces the logits by their gradient
            else:
                layer.delta = self._array(n, dtype)
                if keeps_input(self.network.head if last else self.network.activations[i]):
                    layer.kept = layer.z = self._array(n, dtype)
            if not last and self.dropout and self.dropout[i] > 0:
                layer.dropout, layer.mask = self.dropout[i], self._array(n, dtype)
                if layer.z == NULL:
                    layer.kept = self._array(n, dtype)
            if i >= segment.first_back:
                layer.transposed = transposed = segment.layers[i]
                layer.transposed.fan_in, layer.transposed.fan_out = transposed.fan_out, transposed.fan_in
                layer.transposed.weights = self._array(
                    packed_size(kernels, transposed.fan_out, transposed.fan_in), dtype)
                layer.transposed.activation = FASTNN_IDENTITY
            elif i > 0:
                layer.delta_t = self._array(rows * <object> segment.layers[i].fan_out, dtype)
            n_tasks += n_weight_tasks(kernels, &segment.layers[i])
            panels += n_panels(kernels, &segment.layers[i])
        for i in range(2):
            segment.wanted_rows[i].weights = self._array(rows * self.loss.n_targets, dtype)
            if self.loss.name == "softmax":
                segment.wanted_rows[i].labels = <int32_t *> self._array(rows * self.loss.n_targets, np.int32)
            else:
                segment.wanted_rows[i].targets = self._array(rows * n_outputs, dtype)
        self.space.append(np.arange(max(*self.network.sizes, self.batch_size), dtype=np.uint32))
        all_terms = self.space[-1]
        segment.all_terms = <const uint32_t *> cnp.PyArray_DATA(all_terms)
        segment.losses = <double *> self._array(n_output_tasks(segment, segment.batch_size), np.float64)
        segment.squares = <double *> self._array(n_tasks, np.float64)
        if segment.clip_norm > 0:
            segment.norms = <double *> self._array(panels, np.float64)
            gradient = self._array(len(self.network.parameters), dtype)
            for i in range(segment.n_layers):
                segment.gradient_layers[i] = segment.layers[i]
                segment.gradient_layers[i].state = gradient + (
                    <char *> segment.layers[i].weights - <char *> segment.layers[0].weights)

    cdef _transpose_weights(self):
        """W^T of those layers that keep it: their weights may have been set since the last run."""
        cdef const fastnn_kernels *kernels = self.segment.kernels
        cdef fastnn_dense *layer
        cdef size_t i, panel
        for i in range(self.segment.first_back, self.segment.n_layers):
            layer = &self.segment.layers[i]
            for panel in range(n_panels(kernels, layer)):
                transpose_weights(kernels, layer, panel, 0, layer.fan_in, &self.segment.spaces[i].transposed)

    cdef _make_dense_input(self):
        cdef Segment segment = self.segment  # a copy: what is there stays, if there is no space for all of it
        cdef const fastnn_kernels *kernels = segment.kernels
        cdef size_t i
        cdef list space = []
        n_features = self.network.sizes[0]
        row_tiles, column_tiles = n_tiles(kernels, segment.batch_size), n_tiles(kernels, n_features)
        segment.ldx = row_length(n_features, kernels.tile_cols, kernels.itemsize)
        for i in range(2):
            segment.x[i] = self._array(segment.batch_rows * <object> segment.ldx, self.network.dtype, space)
            segment.entries[i].capacity = 0
        segment.columns = <uint32_t *> self._array(row_tiles * n_features, np.uint32, space)
        segment.column_counts = <uint32_t *> self._array(row_tiles, np.uint32, space)
        segment.samples = <uint32_t *> self._array(column_tiles * self.batch_size, np.uint32, space)
        segment.sample_counts = <uint32_t *> self._array(column_tiles, np.uint32, space)
        self.segment, self.input_space = segment, space

    cdef _make_sparse_input(self, capacity):
        cdef Segment segment = self.segment  # likewise
        cdef fastnn_entries *entries
        cdef size_t i
        cdef list space = []
        if capacity >= FASTNN_NO_ENTRY:
            raise ValueError(f"batches of {self.batch_size} samples with {capacity} stored numbers: make them smaller")
        heads = <uint32_t *> self._array(self.network.sizes[0], np.uint32, space)
        following = <uint32_t *> self._array(capacity, np.uint32, space)
        for i in range(2):
            entries = &segment.entries[i]
            entries.starts = <size_t *> self._array(self.batch_size + 1, np.uintp, space)
            entries.columns = <uint32_t *> self._array(capacity, np.uint32, space)
            entries.rows = <uint32_t *> self._array(capacity, np.uint32, space)
            entries.values = self._array(capacity, self.network.dtype, space)
            entries.heads, entries.next, entries.capacity = heads, following, capacity
            segment.x[i] = NULL
        self.segment, self.input_space = segment, space

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
        cdef Wanted wanted
        cdef cnp.ndarray rate_array
        cdef LossRows space
        cdef int n_threads
        n_samples = n_rows(X)
        if samples.n_features != segment.layers[0].fan_in:
            raise ValueError(f"X has {samples.n_features} columns, the network {segment.layers[0].fan_in} inputs")
        if order.dtype != np.intp or order.ndim != 1 or not cnp.PyArray_ISCARRAY_RO(order):
            raise ValueError("order must be a contiguous, aligned array of intp")
        if len(order) == 0:
            return loss
        segment.order, segment.n_rows = <const intptr_t *> cnp.PyArray_DATA(order), len(order)
        if not names_rows(segment.order, segment.n_rows, n_samples):
            raise ValueError(f"order names samples outside 0 ... {n_samples - 1}")
        wanted = Wanted(self.loss, self.network.dtype, targets, weights, n_samples, order)
        segment.wanted = &wanted.samples
        for i in range(2):
            space = segment.wanted_rows[i]
            segment.wanted_rows[i] = wanted.rows
            segment.wanted_rows[i].labels = space.labels
            segment.wanted_rows[i].targets = space.targets
            segment.wanted_rows[i].weights = space.weights
        segment.rates = NULL
        if rates is not None:
            rate_array = np.ascontiguousarray(rates, np.float64)
            if rate_array.ndim != 1 or len(rate_array) != -(-len(order) // self.batch_size):
                raise ValueError(f"{rate_array.size} rates for {-(-len(order) // self.batch_size)} batches")
            segment.rates = <const double *> cnp.PyArray_DATA(rate_array)

        if samples.starts == NULL:
            if segment.x[0] == NULL:
                self._make_dense_input()
        else:
            n_entries = most_entries(arrays, order, self.batch_size)
            if segment.entries[0].capacity < max(1, n_entries):
                self._make_sparse_input(max(1, n_entries))
        self._transpose_weights()
        segment.X = &samples
        segment.steps_before = segment.step_count = self.optimizer.step_count
        segment.loss, segment.n_done = loss, 0
        n_threads = affordable_team(uncrowded_team(self.n_threads, self.patience))
        while segment.n_done < segment.n_rows:
            segment.meeting.stalls = 0 if n_threads == 1 else recent_stalls()
            with nogil:
                if n_threads == 1:
                    run_segment(segment)
                else:
                    team_fork()
                    with parallel(num_threads=n_threads):
                        team_forked()
                        run_segment(segment)
                        team_joining()
                    team_join()
            if n_threads > 1 and note_stalls(segment.meeting.stalls):
                n_threads = 1
        self.optimizer.step_count = segment.step_count
        return segment.loss
