"""A network of layers: its parameters, and the way from samples to outputs."""

import math

import numpy as np

cimport numpy as cnp
from libc.stddef cimport size_t
from libc.stdint cimport int32_t, uint32_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

from fastnn.engine.activation import activation_names, number
from fastnn.engine.arrays import aligned_zeros, has_contiguous_rows, most_entries, n_rows, sample_arrays
from fastnn.engine.arrays cimport round_up, row_length, samples_of, skip_samples
from fastnn.engine.threads.contention cimport note_stalls, patience_for, recent_stalls, uncontended_team
from fastnn.engine.isa cimport kernels_for
from fastnn.engine.kernels cimport (
    FASTNN_IDENTITY, FASTNN_N_ACTIVATIONS, fastnn_entries, fastnn_kernels, fastnn_matrix, fastnn_samples, fastnn_terms,
)
from fastnn.engine.layers.layer cimport EngineLayer, Layer, Parameter
from fastnn.engine.layers.registry import make_layers, weight_shapes
from fastnn.engine.layers.signal cimport Signal, n_tiles
from fastnn.engine.loss cimport Loss, TargetRows, Targets, gather_targets, rows_loss
from fastnn.engine.products cimport every_term, packed_size
from fastnn.engine.threads.team cimport Team, affordable_team, run_team, team_next, team_seconds

cnp.import_array()

# Samples that go through all layers together: enough that a panel's load is repaid, few enough to stay in the cache.
cdef size_t FORWARD_SAMPLES = 64
# Arithmetic below which one thread is faster than waking a second.
cdef double PARALLEL_FLOPS = 2e6

#: What the output layer's sums may be turned into.
heads = (*activation_names, "softmax")

# The number of softmax among them; the others have their activation's.
cdef int SOFTMAX = FASTNN_N_ACTIVATIONS


cdef class Network:
    """Layers one after the other.

    Parameters
    ----------
    description : sequence of tuple
        Of each layer its kind and settings, as ``("dense", units, activation)``: see the kinds' own files. The last
        layer's activation is identity: `head` follows it.
    input_shape : tuple of int
        Of one sample: (n_features,), or (positions, channels).
    head : str
        What the outputs are turned into: one of `heads`.
    dtype : float32 or float64
    level : str, default=None
        The instruction set; None is the one that fastnn uses.
    groups : sequence of int, default=None
        For softmax: the numbers of outputs that it goes over, side by side. None is all of them.
    weights : list of ndarray, default=None
        As `set_weights` takes them. None is zeros.

    Attributes
    ----------
    layers : tuple of EngineLayer
    sizes : tuple of int
        The numbers that there are of a sample: of X, and of what each layer makes.
    activations : tuple of str
        Of what each layer but the last makes.
    shapes : tuple of tuple of int
        Of the arrays of weights: of each parameter's W (fan_in, fan_out), if it has rows, and b (fan_out,), if it
        has biases.
    penalised : tuple of bool
        Which of them have a penalty: the matrices.
    parameters : ndarray of shape (n_packed,)
        All weights and biases, in the kernels' packed layout (which depends on the instruction set), on one cache-line
        aligned block. Copy it to keep a state, write into it to restore one.

    Raises
    ------
    ValueError
        For layers, shapes or names that make no network.
    MemoryError
        For a network that does not fit.
    """

    def __cinit__(self, description, *arguments, **settings):
        if len(description) < 1:
            raise ValueError("a network must have at least one layer, got none")
        self.layer_list = <Layer *> calloc(len(description), sizeof(Layer))
        self.signal_list = <Signal *> calloc(len(description), sizeof(Signal))
        if self.layer_list == NULL or self.signal_list == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.layer_list)
        free(self.signal_list)
        free(self.parameter_list)

    def __init__(self, description, input_shape, head, dtype, level=None, groups=None, weights=None):
        self.head, self.dtype, self.kernels = head, np.dtype(dtype), kernels_for(dtype, level)
        if head not in heads:
            raise ValueError(f"head must be one of {', '.join(heads)}, got {head!r}")
        self.description, self.input_shape = tuple(map(tuple, description)), tuple(map(int, input_shape))
        # Columns are counted in 32 bits, and matrices of 2^31 rows or columns have more numbers than memory.
        if not self.input_shape or not 1 <= min(self.input_shape) or not math.prod(self.input_shape) < 2**31:
            raise ValueError(f"a sample must have from 1 to 2**31 - 1 numbers, got shape {self.input_shape}")
        self._lay_out()
        self.groups = self.sizes[-1:] if groups is None else tuple(map(int, groups))
        if sum(self.groups) != self.sizes[-1] or min(self.groups) < 1:
            raise ValueError(f"groups must be positive and add up to {self.sizes[-1]} outputs, got {self.groups}")
        self.group_starts = np.cumsum((0, *self.groups)).astype(np.uintp)
        if weights is not None:
            self.set_weights(weights)

    cdef _lay_out(self):
        """The layers one after the other, and everything that they learn in one block."""
        cdef EngineLayer engine_layer
        cdef Signal *signal
        cdef Parameter *parameter
        cdef cnp.ndarray block, all_terms
        cdef size_t i, j = 0, n_packed = 0
        layers = make_layers(self.description, self.input_shape)
        if layers[-1].activation != "identity":
            raise ValueError(f"the last layer's activation must be 'identity', got {layers[-1].activation!r}: see head")
        longest = math.prod(self.input_shape)
        for i in range(len(layers)):
            engine_layer, signal = layers[i], &self.signal_list[i]
            engine_layer.kernels = self.kernels
            signal.positions, signal.channels = engine_layer.n_positions(), engine_layer.output_shape[-1]
            signal.ld = row_length(signal.channels, self.kernels.tile_cols, self.kernels.itemsize)
            signal.activation = number(engine_layer.activation)
            longest = max(longest, signal.channels)
        self.layers = tuple(layers)
        self.sizes = (math.prod(self.input_shape), *(math.prod(layer.output_shape) for layer in layers))
        self.activations = tuple(layer.activation for layer in layers[:-1])
        self.all_terms = all_terms = np.arange(longest, dtype=np.uint32)
        self.all_terms.flags.writeable = False
        for i in range(len(layers)):
            self.signal_list[i].columns = self.signal_list[i].samples = every_term(
                <const uint32_t *> cnp.PyArray_DATA(all_terms))

        shapes = [layer.parameter_shapes() for layer in layers]
        self.n_parameters = sum(map(len, shapes))
        self.parameter_list = <Parameter *> calloc(self.n_parameters, sizeof(Parameter))
        if self.parameter_list == NULL:
            raise MemoryError
        for i in range(len(layers)):
            engine_layer = layers[i]
            self.layer_list[i].kind, self.layer_list[i].kernels = engine_layer.kind, self.kernels
            self.layer_list[i].parameters = &self.parameter_list[j]
            self.layer_list[i].n_parameters = len(shapes[i])
            for shape in shapes[i]:
                parameter = &self.parameter_list[j]
                parameter.matrix.fan_in, parameter.matrix.fan_out, parameter.learnt, parameter.biased = shape
                parameter.offset = n_packed
                n_packed += packed_size(self.kernels, parameter.matrix.fan_in, parameter.matrix.fan_out)
                j += 1
        self.parameters = block = aligned_zeros(n_packed, self.dtype)
        for j in range(self.n_parameters):
            parameter = &self.parameter_list[j]
            parameter.matrix.weights = <char *> cnp.PyArray_DATA(block) + parameter.offset * self.kernels.itemsize
        self.shapes, self.penalised = weight_shapes(layers)

    cdef void shape_input(self, Signal *signal) noexcept:
        """The shape of the samples as the first layer reads them."""
        signal.channels = self.input_shape[-1]
        signal.positions = math.prod(self.input_shape[:-1])
        # The rows of several positions are gathered as one.
        signal.ld = signal.channels if signal.positions > 1 else row_length(
            signal.channels, self.kernels.tile_cols, self.kernels.itemsize)

    cdef check_samples(self, const fastnn_samples *samples):
        if samples.n_features != <size_t> self.sizes[0]:
            raise ValueError(f"X must have shape (n_samples, {self.sizes[0]}), got {samples.n_features} columns")
        if samples.starts != NULL and len(self.input_shape) > 1:
            raise ValueError(f"X must be an array for samples of shape {self.input_shape}, got a sparse matrix")

    # -- parameters ----------------------------------------------------------------------------------------------------

    def copy(self):
        """A network of its own with the same parameters."""
        cdef Network copied = Network(
            self.description, self.input_shape, self.head, self.dtype, self.kernels.level.decode(), self.groups)
        copied.parameters[:] = self.parameters
        return copied

    def weights(self):
        """Copies of all weights, as `shapes` lists them."""
        return self.unpack(self.parameters)

    def set_weights(self, weights):
        """Take over weights: arrays as `shapes` lists them, converted to the network's type."""
        self.pack(weights, self.parameters)

    def pack(self, weights, cnp.ndarray packed):
        """Write arrays as `shapes` lists them into one that is laid out as `parameters` is."""
        cdef size_t i
        cdef cnp.ndarray W, b
        cdef fastnn_matrix matrix
        self._check_layout(packed)
        if len(weights) != len(self.shapes):
            raise ValueError(f"weights must be {len(self.shapes)} arrays, got {len(weights)}")
        for i, (array, shape) in enumerate(zip(weights, self.shapes)):
            if np.shape(array) != shape:
                raise ValueError(f"weights[{i}] must have shape {shape}, got {np.shape(array)}")
        remaining = iter(weights)
        for i in range(self.n_parameters):
            matrix = self.parameter_list[i].matrix
            W = np.asarray(next(remaining) if matrix.fan_in > 0 else np.empty((0, matrix.fan_out)), self.dtype)
            b = np.ascontiguousarray(
                next(remaining) if self.parameter_list[i].biased else np.zeros(matrix.fan_out), self.dtype)
            matrix.weights = self._part(packed, i)
            self.kernels.pack_matrix(&matrix, cnp.PyArray_DATA(W), W.strides[0], W.strides[1], cnp.PyArray_DATA(b))

    def unpack(self, cnp.ndarray packed):
        """Arrays as `shapes` lists them, from one that is laid out as `parameters` is."""
        cdef size_t i
        cdef cnp.ndarray W, b
        self._check_layout(packed)
        weights = []
        for i in range(self.n_parameters):
            W = np.empty((self.parameter_list[i].matrix.fan_in, self.parameter_list[i].matrix.fan_out), self.dtype)
            b = np.empty(self.parameter_list[i].matrix.fan_out, self.dtype)
            self.kernels.unpack_matrix(&self.parameter_list[i].matrix, self._part(packed, i), cnp.PyArray_DATA(W),
                                      cnp.PyArray_DATA(b))
            weights += [W] * (len(W) > 0) + [b] * self.parameter_list[i].biased
        return weights

    cdef char *_part(self, cnp.ndarray packed, size_t i) noexcept:
        """One parameter's part of an array laid out as `parameters` is."""
        return <char *> cnp.PyArray_DATA(packed) + self.parameter_list[i].offset * self.kernels.itemsize

    def _check_layout(self, packed):
        if packed.dtype != self.dtype or packed.shape != self.parameters.shape or not packed.flags.c_contiguous:
            raise ValueError("packed must be laid out as this network's parameters")

    def __reduce__(self):
        # Unpacked, since the packed layout is this CPU's. The class and its arguments, as in Trainer, Optimizer and
        # Loss, and nothing else: no more does skops take.
        return Network, (
            self.description, self.input_shape, self.head, self.dtype.name, None, self.groups, self.weights())

    # -- prediction ----------------------------------------------------------------------------------------------------

    def worth_sharing(self, size_t n_samples):
        """Whether there is work enough in so many samples for several threads: if not, `forward` uses one."""
        return n_samples > FORWARD_SAMPLES and 2.0 * n_samples * len(self.parameters) > PARALLEL_FLOPS

    def forward(self, X, int n_threads, depth=None):
        """The network's outputs for samples: class probabilities, or whatever the head makes of the sums.

        Parameters
        ----------
        X : ndarray or CSR matrix of shape (n_samples, n_features)
            Any real type, any strides; it is converted block by block.
        n_threads : int
            At most so many are used.
        depth : int, default=None
            Go through so many layers only: the activations of the last of them. None: all, and the head.

        Returns
        -------
        ndarray of shape (n_samples, n_outputs)
            The same bits for any number of threads.
        """
        cdef Forward job
        cdef cnp.ndarray out
        depth = len(self.layers) if depth is None else depth
        if not 1 <= depth <= len(self.layers):
            raise ValueError(f"depth must be from 1 to {len(self.layers)}, got {depth}")
        out = np.empty((n_rows(X), self.sizes[depth]), self.dtype)
        job.n_layers, job.out, job.losses = depth, <char *> cnp.PyArray_DATA(out), NULL
        job.head = FASTNN_IDENTITY if depth < len(self.layers) else heads.index(self.head)
        self._run(&job, X, n_threads)
        return out

    def loss(self, X, targets, weights, Loss loss not None, int n_threads):
        """The loss of samples, times their weights, summed.

        Parameters
        ----------
        X, n_threads
            As for `forward`.
        targets, weights
            As `Trainer.run` takes them.
        loss : Loss

        Returns
        -------
        float
            The same bits for any number of threads.
        """
        cdef Forward job
        cdef cnp.ndarray losses = np.zeros(-(-n_rows(X) // <object> FORWARD_SAMPLES))
        loss.check(self)
        cdef Targets all_targets = Targets(loss, self.dtype, targets, weights, X.shape[0])
        job.n_layers, job.out, job.losses = len(self.layers), NULL, <double *> cnp.PyArray_DATA(losses)
        job.head = FASTNN_IDENTITY if loss.from_logits else heads.index(self.head)
        job.targets, job.target_rows = &all_targets.samples, all_targets.rows
        self._run(&job, X, n_threads)
        return float(np.add.accumulate(losses)[-1]) if len(losses) else 0.0  # in order, not pairwise

    cdef _run(self, Forward *job, X, int n_threads):
        """Take all samples through the layers; job knows how many layers, and what the outputs are for."""
        arrays = sample_arrays(X)
        cdef fastnn_samples samples = samples_of(arrays)
        cdef cnp.ndarray space, all_terms = self.all_terms
        cdef size_t n_blocks, i, most, itemsize = self.kernels.itemsize
        cdef double patience = patience_for(2.0 * FORWARD_SAMPLES * len(self.parameters))
        cdef Signal *signals = self.signal_list
        self.check_samples(&samples)
        if n_threads < 1:
            raise ValueError(f"n_threads must be at least 1, got {n_threads}")
        job.kernels, job.layers, job.signals = self.kernels, self.layer_list, signals
        job.X, job.n_samples, job.next_block, job.n_finished = &samples, X.shape[0], 0, 0
        job.group_starts, job.n_groups = &self.group_starts[0], len(self.groups)
        job.all_terms = <const uint32_t *> cnp.PyArray_DATA(all_terms)
        job.block_samples = min(FORWARD_SAMPLES, job.n_samples)
        sparse = samples.starts != NULL
        if job.n_samples == 0:
            return
        n_blocks = (job.n_samples + FORWARD_SAMPLES - 1) // FORWARD_SAMPLES
        n_threads = min(n_threads, n_blocks) if self.worth_sharing(job.n_samples) else 1
        n_threads = affordable_team(uncontended_team(n_threads, patience))
        job.input = signals[0]
        self.shape_input(&job.input)
        most = 0 if sparse else job.input.positions * job.input.ld
        for i in range(job.n_layers):
            most = max(most, signals[i].positions * signals[i].ld)
        job.matrix_bytes = job.block_samples * most * itemsize
        job.in_place = not sparse and X.dtype == self.dtype and has_contiguous_rows(X) and (
            job.input.positions == 1 or X.shape[0] == 1 or X.strides[0] == X.shape[1] * X.itemsize)
        job.n_entries = most_entries(arrays, None, FORWARD_SAMPLES) if sparse else 0
        job.thread_bytes = 2 * job.matrix_bytes + round_up(
            (job.block_samples + 1) * sizeof(size_t) + job.n_entries * (itemsize + 2 * sizeof(uint32_t)) if sparse
            else n_tiles(self.kernels, job.block_samples) * (1 + samples.n_features) * sizeof(uint32_t), 64)
        if job.losses != NULL:
            job.label_bytes = round_up(job.block_samples * job.target_rows.n_groups * sizeof(int32_t), 64)
            job.target_bytes = round_up(job.block_samples * job.target_rows.n_outputs * itemsize, 64)
            job.thread_bytes += job.label_bytes + 2 * job.target_bytes
        space = aligned_zeros(n_threads * job.thread_bytes, np.uint8)
        job.space = <char *> cnp.PyArray_DATA(space)
        with nogil:
            run_team(n_threads, forward_blocks, job, NULL)
        if n_threads > 1 and team_seconds() - job.finished > patience:
            note_stalls(recent_stalls() + 1)


cdef void forward_blocks(void *forward, const Team *team) noexcept nogil:
    """Take blocks of samples through all layers, one after the other, until none is left."""
    cdef Forward *job = <Forward *> forward
    cdef char *space = job.space + team.rank * job.thread_bytes
    cdef size_t block = team_next(&job.next_block)
    while block * job.block_samples < job.n_samples:
        forward_block(job, block, space)
        block = team_next(&job.next_block)
    if team_next(&job.n_finished) == 0:
        job.finished = team_seconds()


cdef void forward_block(const Forward *job, size_t block, char *space) noexcept nogil:
    cdef const fastnn_kernels *kernels = job.kernels
    cdef size_t first = block * job.block_samples, n = min(job.block_samples, job.n_samples - first)
    cdef fastnn_samples X = job.X[0]
    cdef Signal below = job.input, above
    cdef size_t i, start, row_bytes
    cdef char *values[2]
    values[0], values[1] = space, space + job.matrix_bytes

    skip_samples(&X, first)
    if X.starts != NULL:
        read_sparse_block(job, &X, n, &below, values[1] + job.matrix_bytes)
    else:
        read_dense_block(job, &X, n, &below, values[0], values[1] + job.matrix_bytes)
    for i in range(job.n_layers):
        above = job.signals[i]
        above.values = values[1 - i % 2]
        job.layers[i].kind.forward_rows(&job.layers[i], &below, &above, 0, n, NULL)
        below = above

    if job.head == SOFTMAX:
        for i in range(job.n_groups):
            start = job.group_starts[i]
            kernels.softmax(n, job.group_starts[i + 1] - start, above.values + start * kernels.itemsize, above.ld)
    elif job.head != FASTNN_IDENTITY:
        kernels.activate(job.head, n, above.channels, above.values, above.ld, above.values, above.ld)
    if job.losses != NULL:
        job.losses[block] = block_loss(job, first, n, &above, space + job.thread_bytes)
        return
    row_bytes = above.channels * kernels.itemsize
    first *= above.positions
    for i in range(n * above.positions):
        memcpy(job.out + (first + i) * row_bytes, above.values + i * above.ld * kernels.itemsize, row_bytes)


cdef void read_dense_block(const Forward *job, const fastnn_samples *X, size_t n, Signal *x, char *values,
                           char *space) noexcept nogil:
    cdef uint32_t *counts = <uint32_t *> space
    cdef uint32_t *columns = counts + n_tiles(job.kernels, job.block_samples)
    x.values = values
    if job.in_place:
        x.values = <char *> X.data
        if x.positions == 1:
            x.ld = X.row_stride // job.kernels.itemsize
    else:
        job.kernels.gather(X, NULL, n, x.values, x.ld * x.positions)
    if x.positions == 1:
        job.kernels.used_columns(n, X.n_features, x.values, x.ld, columns, counts, X.n_features)
        x.columns = fastnn_terms(columns, counts, X.n_features)


cdef void read_sparse_block(const Forward *job, const fastnn_samples *X, size_t n, Signal *x,
                            char *space) noexcept nogil:
    cdef fastnn_entries *entries = &x.entries
    entries.starts = <size_t *> space
    entries.values = entries.starts + job.block_samples + 1
    entries.columns = <uint32_t *> (<char *> entries.values + job.n_entries * job.kernels.itemsize)
    entries.rows = entries.columns + job.n_entries
    entries.capacity = job.n_entries
    entries.heads = entries.next = NULL  # only a gradient asks for them
    job.kernels.gather_entries(X, NULL, 0, n, entries)


cdef double block_loss(const Forward *job, size_t first, size_t n, const Signal *outputs,
                       char *space_end) noexcept nogil:
    """The loss of a block's outputs or logits, which are overwritten; the end of the thread's space is for this."""
    cdef TargetRows targets = job.target_rows
    targets.weights = space_end - job.target_bytes
    targets.targets = targets.weights - job.target_bytes
    targets.labels = <int32_t *> (targets.targets - job.label_bytes)
    gather_targets(job.kernels, job.targets, NULL, first, n, &targets, 0)
    return rows_loss(job.kernels, &targets, 0, n, outputs.values, outputs.ld, outputs.values, outputs.ld)
