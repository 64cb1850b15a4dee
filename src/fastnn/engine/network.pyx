"""A network of layers: its parameters, and the way from samples to outputs."""

import math

import numpy as np

cimport numpy as cnp
from libc.stddef cimport size_t
from libc.stdint cimport intptr_t, uint32_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

from fastnn.engine import schedule
from fastnn.engine.activation import activation_names, number
from fastnn.engine.arrays import aligned_zeros, check_starts, has_contiguous_rows, most_entries, n_rows, sample_arrays
from fastnn.engine.arrays cimport round_up, row_length, samples_of
from fastnn.engine.threads.contention cimport note_stalls, patience_for, recent_stalls, uncontended_team
from fastnn.engine.isa cimport kernels_for
from fastnn.engine.kernels cimport FASTNN_IDENTITY, fastnn_matrix, fastnn_rescaling, fastnn_samples
from fastnn.engine.layers.layer cimport EngineLayer, Layer, Parameter
from fastnn.engine.layers.layer import n_numbers
from fastnn.engine.layers.registry import make_layers, weight_shapes
from fastnn.engine.layers.signal cimport Signal, signal_size
from fastnn.engine.loss cimport Loss, Targets
from fastnn.engine.prediction cimport Forward, divide_space, forward_blocks
from fastnn.engine.products cimport every_term, packed_size
from fastnn.engine.steps import cut_by_rows, most_scratch, most_steps, starts_of, steps_by_layer
from fastnn.engine.threads.team cimport affordable_team, run_team, team_seconds

cnp.import_array()

# Samples that go through all layers together: enough to repay loading a panel, few enough to stay in the cache, which
# so many numbers of the largest signal do.
cdef size_t FORWARD_SAMPLES = 64
cdef size_t LEAST_FORWARD_SAMPLES = 4
cdef size_t FORWARD_NUMBERS = 64_000
# Likewise of sequences of any length in recurrent layers, which compute much for each number.
cdef size_t FORWARD_NUMBERS_OF_STEPS = 256_000
# Floating-point operations below which one thread is faster than waking a second one.
cdef double PARALLEL_FLOPS = 2e6

#: The functions of the output layer's sums that a network may have as its head.
heads = (*activation_names, "softmax")


cdef class Network:
    """Layers one after the other.

    Parameters
    ----------
    description : sequence of tuple
        The kind and the settings of each layer, as ``("dense", units, activation)``: see the file of each kind in
        ``engine/layers``. The last layer's activation must be identity, since `head` follows it.
    input_shape : tuple of int
        The shape of one sample: (n_features,), or (positions, channels). Sequences of any length are (None, channels).
    head : str
        The function of the last layer's sums that gives the outputs: one of `heads`.
    dtype : float32 or float64
    level : str, default=None
        The instruction set; None is the one that fastnn uses.
    groups : sequence of int, default=None
        For the head softmax: the numbers of outputs of each softmax, side by side. None: one softmax of all outputs.
    weights : list of ndarray, default=None
        As `set_weights` takes them. None: all are zero.

    Attributes
    ----------
    layers : tuple of EngineLayer
    sizes : tuple of int
        How many numbers a sample has: in X, and in what each layer makes of it. A sequence of any length counts as one
        step.
    is_ragged : bool
        Whether X is sequences of any length.
    state_size : int
        How many numbers go from one step of a sequence to the next.
    activations : tuple of str
        The activation of each layer but the last.
    shapes : tuple of tuple of int
        The shapes of the arrays of weights: for each parameter W (fan_in, fan_out), if it has rows, and b (fan_out,),
        if it has biases.
    penalised : tuple of bool
        Which of these arrays have a penalty: the matrices.
    parameters : ndarray of shape (n_packed,)
        All weights and biases, packed as the kernels read them, in one block that is aligned to a cache line. The
        layout depends on the instruction set. Copy the array to keep a state, which `restore` restores.
    version : int
        It grows when a trainer, `set_weights` or `restore` has changed the parameters.
    predictor : tuple of (int, object), or None
        What the network's owner has made of its weights to predict with, after the version that it was made of.
    stepper : tuple of (int, object), or None
        Likewise to predict step by step.
        Neither a copy nor a pickle has it.

    Raises
    ------
    ValueError
        If a parameter breaks its rule, or a layer cannot read what the layer below makes.
    MemoryError
        If there is not enough memory for the parameters.
    """

    def __cinit__(self, description, *arguments, **settings):
        if len(description) < 1:
            raise ValueError("description must have at least one layer, got 0")
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
        self.description = tuple(map(tuple, description))
        self.input_shape = tuple(None if size is None else int(size) for size in input_shape)
        self.is_ragged = None in self.input_shape
        # Columns are counted in 32 bits, and matrices of 2^31 rows or columns have more numbers than memory.
        known = self.input_shape[self.is_ragged:]
        if not known or not 1 <= min(known) or not math.prod(known) < 2**31 or self.is_ragged and len(known) != 1:
            raise ValueError(f"input_shape must be positive, with a product below 2**31, or (None, channels), "
                             f"got {self.input_shape}")
        self._lay_out()
        n_outputs = self.layers[-1].output_shape[-1]
        self.groups = (n_outputs,) if groups is None else tuple(map(int, groups))
        if sum(self.groups) != n_outputs or min(self.groups) < 1:
            raise ValueError(f"groups must be positive and add up to {n_outputs} outputs, got {self.groups}")
        self.group_starts = np.cumsum((0, *self.groups)).astype(np.uintp)
        if weights is not None:
            self.set_weights(weights)

    cdef _lay_out(self):
        """Make the layers, one after the other, and one block of memory for all that they learn."""
        cdef EngineLayer engine_layer
        cdef Signal *signal
        cdef Parameter *parameter
        cdef cnp.ndarray all_terms
        cdef size_t i, j = 0, size, n_packed = 0, largest = 1
        layers = make_layers(self.description, self.input_shape)
        if layers[-1].activation != "identity":
            raise ValueError(
                f"the last layer's activation must be 'identity', got {layers[-1].activation!r}: the head follows it")
        longest = n_numbers(self.input_shape)
        for i in range(len(layers)):
            engine_layer, signal = layers[i], &self.signal_list[i]
            engine_layer.kernels = self.kernels
            engine_layer.check_type()
            signal.positions, signal.channels = engine_layer.n_positions(), engine_layer.output_shape[-1]
            # Positions follow each other without padding where no neighbour minds.
            signal.ld = signal.channels
            if signal.positions == 1 or any(layer.reads_whole_vectors() for layer in layers[i : i + 2]):
                signal.ld = row_length(signal.channels, self.kernels.tile_cols, self.kernels.itemsize)
            signal.activation = number(engine_layer.activation)
            longest, self.widest = max(longest, signal.channels), max(self.widest, signal.ld)
            if signal.positions > 1:
                largest = max(largest, signal_size(signal))
        least = max(LEAST_FORWARD_SAMPLES, *(layer.least_chunk() for layer in layers))
        self.is_recurrent = least > LEAST_FORWARD_SAMPLES
        self.block_samples = min(FORWARD_SAMPLES, max(least, FORWARD_NUMBERS // largest))
        if not self.is_ragged:
            self.scratch_size = most_scratch(layers, [0] * len(layers))
        if schedule.first_layer(layers) > 0:
            self.input_rescaling = <const fastnn_rescaling *> (<EngineLayer> layers[0]).shape
        self.layers = tuple(layers)
        self.sizes = (n_numbers(self.input_shape), *(n_numbers(layer.output_shape) for layer in layers))
        self.activations = tuple(layer.activation for layer in layers[:-1])

        shapes = [layer.parameter_shapes() for layer in layers]
        self.n_parameters = sum(map(len, shapes))
        self.parameter_list = <Parameter *> calloc(self.n_parameters, sizeof(Parameter))
        if self.parameter_list == NULL:
            raise MemoryError
        for i in range(len(layers)):
            engine_layer = layers[i]
            self.layer_list[i].kind, self.layer_list[i].kernels = engine_layer.kind, self.kernels
            self.layer_list[i].shape, self.layer_list[i].coupling = engine_layer.shape, engine_layer.coupling
            self.layer_list[i].carried_size = engine_layer.carried_size() or 0
            self.state_size += self.layer_list[i].carried_size
            self.layer_list[i].parameters = &self.parameter_list[j]
            self.layer_list[i].n_parameters = len(shapes[i])
            self.update_flops += engine_layer.update_flops()
            for shape in shapes[i]:
                parameter = &self.parameter_list[j]
                parameter.matrix.fan_in, parameter.matrix.fan_out, parameter.learnt, parameter.biased = shape
                parameter.offset = n_packed
                size = packed_size(self.kernels, parameter.matrix.fan_in, parameter.matrix.fan_out)
                self.sample_flops += 2.0 * size * engine_layer.n_products()
                n_packed += size
                j += 1
        self._place_parameters(n_packed)  # first, since layers that are too large are refused here
        self.shapes, self.penalised = weight_shapes(layers)

        self.all_terms = all_terms = np.arange(longest, dtype=np.uint32)
        self.all_terms.flags.writeable = False
        for i in range(len(layers)):
            self.signal_list[i].columns = self.signal_list[i].samples = every_term(
                <const uint32_t *> cnp.PyArray_DATA(all_terms))

    cdef _place_parameters(self, n_packed):
        """A block of memory for the parameters, and the place of each in it."""
        cdef size_t i
        self.parameters = aligned_zeros(n_packed, self.dtype)
        for i in range(self.n_parameters):
            self.parameter_list[i].matrix.weights = self._part(self.parameters, i)

    cdef void shape_input(self, Signal *signal) noexcept:
        """Give a signal the shape of the samples that the first layer reads."""
        signal.channels = self.input_shape[-1]
        signal.positions = 0 if self.is_ragged else math.prod(self.input_shape[:-1])
        # The rows of several positions are gathered as one.
        signal.ld = signal.channels if signal.positions != 1 else row_length(
            signal.channels, self.kernels.tile_cols, self.kernels.itemsize)

    def makes_sequences(self, depth=None):
        """Whether what so many layers make of a sample has several rows: if all do, it has an output for each step."""
        return len(self.layers[len(self.layers) - 1 if depth is None else depth - 1].output_shape) == 2

    def row_starts(self, X, depth=None):
        """Where each sample's rows begin in what so many layers make of samples; None: each has one.

        Sequences that lead out of their array are refused.

        Returns
        -------
        ndarray of intp of shape (n_samples + 1,), or None
        """
        if self.is_ragged:
            check_starts(X.starts, len(X.values))
        if not self.makes_sequences(depth):
            return None
        if self.is_ragged:
            return starts_of(steps_by_layer(self.layers[:depth], X.lengths)[-1])
        n_steps = self.layers[len(self.layers) - 1 if depth is None else depth - 1].n_positions()
        return np.arange(X.shape[0] + 1, dtype=np.intp) * n_steps

    cdef check_samples(self, const fastnn_samples *samples):
        """Refuse samples that the first layer cannot read."""
        if samples.n_features != <size_t> self.sizes[0]:
            raise ValueError(f"X must have shape (n_samples, {self.sizes[0]}), got {samples.n_features} columns")

    cdef size_t first_layer(self, size_t depth) noexcept:
        """`schedule.first_layer` of so many layers: one that rescales X makes a signal only where it is the last."""
        return 1 if self.input_rescaling != NULL and depth > 1 else 0

    cdef bint reads_entries(self, const fastnn_samples *samples, depth) except -1:
        """Whether the first of so many layers reads the entries of samples, which are then sparse.

        Elsewhere sparse samples are gathered as dense rows: where the layer reads no entries, where an offset is added
        to all numbers, and where a sample has several positions.
        """
        if samples.starts == NULL or len(self.input_shape) > 1:
            return False
        first = self.first_layer(depth)
        return self.layers[first].reads_sparse() and (first == 0 or self.input_rescaling.offset == 0)

    # -- parameters ----------------------------------------------------------------------------------------------------

    def copy(self):
        """Another network with the same layers and copies of the parameters.

        It shares all that never changes: to make the layers anew takes as long as a small network's step.
        """
        cdef Network copied = Network.__new__(Network, self.description)
        cdef size_t i, first = 0, n_layers = len(self.layers)
        copied.kernels, copied.dtype, copied.head, copied.groups = self.kernels, self.dtype, self.head, self.groups
        copied.description, copied.input_shape, copied.layers = self.description, self.input_shape, self.layers
        copied.state_size, copied.is_recurrent = self.state_size, self.is_recurrent
        copied.is_ragged, copied.widest = self.is_ragged, self.widest
        copied.sizes, copied.activations, copied.shapes = self.sizes, self.activations, self.shapes
        copied.sample_flops, copied.update_flops = self.sample_flops, self.update_flops
        copied.scratch_size = self.scratch_size
        copied.block_samples = self.block_samples
        copied.input_rescaling = self.input_rescaling
        copied.penalised, copied.all_terms, copied.group_starts = self.penalised, self.all_terms, self.group_starts
        copied.parameter_list = <Parameter *> calloc(self.n_parameters, sizeof(Parameter))
        if copied.parameter_list == NULL:
            raise MemoryError
        copied.n_parameters = self.n_parameters
        memcpy(copied.signal_list, self.signal_list, n_layers * sizeof(Signal))
        memcpy(copied.layer_list, self.layer_list, n_layers * sizeof(Layer))
        memcpy(copied.parameter_list, self.parameter_list, self.n_parameters * sizeof(Parameter))
        for i in range(n_layers):
            copied.layer_list[i].parameters = copied.parameter_list + first
            first += copied.layer_list[i].n_parameters
        copied._place_parameters(len(self.parameters))
        copied.parameters[:] = self.parameters
        return copied

    def weights(self):
        """Copies of all weights, as `shapes` lists them."""
        return self.unpack(self.parameters)

    def set_weights(self, weights):
        """Set all weights from arrays as `shapes` lists them, of any real type."""
        self.pack(weights, self.parameters)
        self.version += 1

    def restore(self, parameters):
        """Set all parameters from an array that is laid out as `parameters` is."""
        self.parameters[:] = parameters
        self.version += 1

    def pack(self, weights, cnp.ndarray packed):
        """Write arrays, as `shapes` lists them, into one array that is laid out as `parameters` is."""
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
        """Copy arrays, as `shapes` lists them, out of one array that is laid out as `parameters` is."""
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
        """Where one parameter's numbers begin in an array that is laid out as `parameters` is."""
        return <char *> cnp.PyArray_DATA(packed) + self.parameter_list[i].offset * self.kernels.itemsize

    def _check_layout(self, packed):
        if packed.dtype != self.dtype or packed.shape != self.parameters.shape or not packed.flags.c_contiguous:
            raise ValueError(
                f"packed must be laid out as this network's parameters, contiguous {self.dtype} of shape "
                f"{self.parameters.shape}, got {packed.dtype} of shape {packed.shape} and strides {packed.strides}")

    def __reduce__(self):
        # Unpacked, since the packed layout depends on the CPU. The class and its arguments, as in Trainer, Optimizer
        # and Loss, and nothing else: skops reads no more than these.
        return Network, (
            self.description, self.input_shape, self.head, self.dtype.name, None, self.groups, self.weights())

    # -- prediction ----------------------------------------------------------------------------------------------------

    def worth_sharing(self, size_t n_samples):
        """Whether so many samples are enough work for several threads. If not, `forward` uses one.

        Of sequences of any length, n_samples is the number of all steps.
        """
        return n_samples > self.block_samples and n_samples * self.sample_flops > PARALLEL_FLOPS

    def forward(self, X, int n_threads, depth=None):
        """The network's outputs for samples: what the head makes of the last layer's sums, as class probabilities.

        Parameters
        ----------
        X : ndarray or CSR matrix of shape (n_samples, n_features), or Sequences
            Of any real type and any strides. It is converted block by block.
        n_threads : int
            The most threads to use.
        depth : int, default=None
            The number of layers to go through: the result is what the last of these makes. None: all layers and the
            head.

        Returns
        -------
        ndarray of shape (n_samples, n_outputs)
            The same bits for any number of threads. Of layers that make sequences of any length, and of a last layer
            that makes sequences, the rows of all steps, one sequence after the other.
        """
        cdef Forward job
        cdef cnp.ndarray out
        n_layers = len(self.layers)
        depth = n_layers if depth is None else depth
        if not 1 <= depth <= n_layers:
            raise ValueError(f"depth must be from 1 to {n_layers}, got {depth}")
        starts = self.row_starts(X, depth) if self.is_ragged or depth == n_layers else None
        if starts is None:
            out = np.empty((X.shape[0] if self.is_ragged else n_rows(X), self.sizes[depth]), self.dtype)
        else:
            out = np.empty((starts[-1], self.layers[depth - 1].output_shape[-1]), self.dtype)
        job.n_layers, job.out, job.losses, job.carried = depth, <char *> cnp.PyArray_DATA(out), NULL, NULL
        job.begins_of_outputs = starts_data(starts)
        job.head = FASTNN_IDENTITY if depth < n_layers else heads.index(self.head)
        self._run(&job, X, n_threads)
        return out

    def step(self, X, states, int n_threads):
        """The outputs for one more step of each of several sequences.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            A step of each, of any real type.
        states : ndarray of shape (n_samples, state_size) or None
            In the network's type: what this method returned for the step before. None: this is the first step.
        n_threads : int
            The most threads to use.

        Returns
        -------
        outputs : ndarray of shape (n_samples, n_outputs)
            The same bits as `forward` gives for the last of these steps.
        states : ndarray of shape (n_samples, state_size)
        """
        cdef Forward job
        cdef cnp.ndarray out = np.empty((n_rows(X), self.layers[len(self.layers) - 1].output_shape[-1]), self.dtype)
        cdef cnp.ndarray carried
        carried = np.empty((len(out), self.state_size), self.dtype) if states is None else np.array(states, self.dtype)
        job.n_layers, job.out, job.losses = len(self.layers), <char *> cnp.PyArray_DATA(out), NULL
        job.carried, job.state_size, job.begins = <char *> cnp.PyArray_DATA(carried), self.state_size, states is None
        job.head = heads.index(self.head)
        self._run(&job, X, n_threads)
        return out, carried

    def loss(self, X, targets, weights, Loss loss not None, int n_threads):
        """The sum of the losses of samples, each multiplied by its weight.

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
        cdef cnp.ndarray losses
        loss.check(self)
        starts = self.row_starts(X)
        cdef Targets all_targets = Targets(
            loss, self.dtype, targets, weights, X.shape[0] if starts is None else starts[-1], starts=starts)
        n_blocks = len(self._blocks(X)[2]) - 1 if self.is_ragged else -(-X.shape[0] // <object> self.block_samples)
        losses = np.zeros(n_blocks)
        job.n_layers, job.out, job.losses = len(self.layers), NULL, <double *> cnp.PyArray_DATA(losses)
        job.carried = NULL
        job.head = FASTNN_IDENTITY if loss.from_logits else heads.index(self.head)
        job.targets, job.target_rows = &all_targets.samples, all_targets.rows
        self._run(&job, X, n_threads)
        return float(np.add.accumulate(losses)[-1]) if len(losses) else 0.0  # in order, not pairwise

    def _blocks(self, X):
        """How sequences of any length are taken: their order, or None as they are, their lengths in it, and where they
        are cut into blocks that go through all layers together.

        In recurrent layers a step of one sample takes hardly less time than one of a tile of samples, so that those of
        a block should be about as long.
        """
        if not self.is_recurrent:
            return None, X.lengths, cut_by_rows(X.starts, FORWARD_NUMBERS // self.widest, self.block_samples)
        order, lengths = None, X.lengths.astype(np.intp)
        if X.shape[0] > 1:
            order = np.argsort(-lengths, kind="stable").astype(np.intp)
            lengths = lengths[order]
        most_rows = FORWARD_NUMBERS_OF_STEPS // self.widest
        return order, lengths, cut_by_rows(starts_of(lengths), most_rows, self.block_samples, self.kernels.tile_rows)

    cdef _run(self, Forward *job, X, int n_threads):
        """Take all samples through the layers. The job says how many layers, and where the outputs or losses go."""
        rows = X.values[X.starts[0] : X.starts[-1]] if self.is_ragged else X
        arrays = sample_arrays(rows)
        cdef fastnn_samples samples = samples_of(arrays, "X")
        cdef cnp.ndarray space, cuts, level, pointers, order, begins
        cdef size_t i, scratch_size = self.scratch_size
        cdef size_t n_runs = X.shape[0]  # how often the matrices are read; of sequences of any length once a step
        cdef double patience
        cdef Signal *signals = self.signal_list
        self.check_samples(&samples)
        if n_threads < 1:
            raise ValueError(f"n_threads must be at least 1, got {n_threads}")
        job.kernels, job.layers, job.signals = self.kernels, self.layer_list, signals
        job.X, job.n_samples, job.next_block, job.n_finished = &samples, X.shape[0], 0, 0
        job.group_starts, job.n_groups = &self.group_starts[0], len(self.groups)
        job.first_layer = self.first_layer(job.n_layers)
        if job.first_layer > 0:
            samples.rescaling = self.input_rescaling
        job.reads_entries = self.reads_entries(&samples, job.n_layers)
        if job.n_samples == 0:
            return
        job.block_samples = min(self.block_samples, job.n_samples)
        job.n_blocks = (job.n_samples + job.block_samples - 1) // job.block_samples
        job.cuts, job.starts, job.block_rows, job.order = NULL, NULL, 0, NULL
        if self.is_ragged:
            order, lengths, cuts = self._blocks(X)
            if order is not None:
                begins = np.subtract(X.starts, X.starts[0], dtype=np.intp)
                job.order = <const intptr_t *> cnp.PyArray_DATA(order)
                job.begins_of_samples = <const intptr_t *> cnp.PyArray_DATA(begins)
            n_runs = len(rows)
            job.cuts, job.n_blocks = <const intptr_t *> cnp.PyArray_DATA(cuts), len(cuts) - 1
            steps = steps_by_layer(self.layers[: job.n_layers], lengths, order)
            scratch_size = most_scratch(self.layers[: job.n_layers], most_steps(steps))
            levels = [None if of_all is None else starts_of(of_all) for of_all in steps]
            pointers = np.zeros(len(levels), np.uintp)
            for i in range(len(levels)):
                if levels[i] is not None:
                    level = levels[i]
                    pointers[i] = <size_t> cnp.PyArray_DATA(level)
                    job.block_rows = max(job.block_rows, np.diff(level[cuts]).max())
            job.starts = <const size_t **> cnp.PyArray_DATA(pointers)
        patience = patience_for(self.sample_flops * (n_runs / job.n_blocks if self.is_ragged else self.block_samples))
        n_threads = min(n_threads, job.n_blocks) if self.worth_sharing(n_runs) else 1
        n_threads = affordable_team(uncontended_team(n_threads, patience))
        job.input = signals[0]
        self.shape_input(&job.input)
        unchanged = (samples.starts == NULL and rows.dtype == self.dtype and samples.rescaling == NULL
                     and job.order == NULL)
        job.in_place = unchanged and has_contiguous_rows(rows) and (
            job.input.positions == 1 or rows.shape[0] == 1 or rows.strides[0] == rows.shape[1] * rows.itemsize)
        job.n_entries = most_entries(arrays, None, job.block_samples) if job.reads_entries else 0
        job.scratch_bytes = round_up(scratch_size * self.kernels.itemsize, 64)
        divide_space(job)
        space = aligned_zeros(n_threads * job.thread_bytes, np.uint8)
        job.space = <char *> cnp.PyArray_DATA(space)
        with nogil:
            run_team(n_threads, forward_blocks, job, NULL)
        if n_threads > 1 and team_seconds() - job.finished > patience:
            note_stalls(recent_stalls() + 1)


cdef const intptr_t *starts_data(starts):
    """What an array of starts has; NULL for None. The array must be kept alive."""
    return NULL if starts is None else <const intptr_t *> cnp.PyArray_DATA(<cnp.ndarray> starts)
