"""A network of layers, and the way from samples to outputs."""

from itertools import accumulate

import numpy as np

cimport numpy as cnp
from libc.stddef cimport size_t
from libc.stdint cimport intptr_t

from fastnn.engine import schedule
from fastnn.engine.activation import activation_names
from fastnn.engine.arrays import aligned_zeros, check_starts, has_contiguous_rows, most_entries, n_rows, sample_arrays
from fastnn.engine.arrays cimport round_up, samples_of
from fastnn.engine.threads.contention cimport note_stalls, patience_for, recent_stalls, uncontended_team
from fastnn.engine.kernels cimport FASTNN_IDENTITY, fastnn_rescaling, fastnn_samples
from fastnn.engine.layer_stack cimport LayerStack
from fastnn.engine.layers.layer cimport EngineLayer
from fastnn.engine.layers.signal cimport signal_size
from fastnn.engine.loss cimport Loss, Targets
from fastnn.engine.prediction cimport SOFTMAX_HEAD, Forward, divide_space, forward_blocks, new_job
from fastnn.engine.steps import cut_by_rows, most_scratch, most_steps, starts_of, steps_by_layer
from fastnn.engine.threads.team cimport affordable_team, run_team, team_seconds
from fastnn.engine.threads.team_size cimport note_team, team_may_pay, worthwhile_team

cnp.import_array()

# Samples that go through all layers together: enough to repay loading a panel, few enough to stay in the cache, which
# so many numbers of the largest signal do.
cdef size_t FORWARD_SAMPLES = 64
cdef size_t LEAST_FORWARD_SAMPLES = 4
cdef size_t FORWARD_NUMBERS = 64_000
# Likewise of sequences of any length in recurrent layers, which compute much for each number.
cdef size_t FORWARD_NUMBERS_OF_STEPS = 256_000
# So many bytes of a run's memory are kept for the next one: to take and to clear them is a tenth of a small run.
cdef size_t MOST_SPARE_BYTES = 256_000
# What a row takes before any is timed: operations beside those of its products, and operations a second.
cdef double ROW_FLOPS = 1000, FIRST_FLOPS = 1e11

#: The functions of the output layer's sums that a network may have as its head.
heads = (*activation_names, "softmax")


cdef class Network(LayerStack):
    """A stack of layers with a head, from samples to outputs.

    Parameters
    ----------
    description, input_shape, dtype, level
        As in `LayerStack`.
    head : str
        The function of the last layer's sums that gives the outputs: one of `heads`.
    groups : sequence of int, default=None
        For the head softmax: the numbers of outputs of each softmax, side by side. None: one softmax of all outputs.
    weights : list of ndarray, default=None
        As `set_weights` takes them. None: all are zero.

    Attributes
    ----------
    predictor : tuple of (int, ...), or None
        What the network's owner has made of its weights to predict with, after the version that it was made of.
        Neither a copy nor a pickle has it.
    stepper : tuple of (int, object), or None
        Likewise to predict step by step.

    Raises
    ------
    ValueError
        If a parameter breaks its rule, or a layer cannot read what the layer below makes.
    MemoryError
        If there is not enough memory for the parameters.
    """

    def __init__(self, description, input_shape, head, dtype, level=None, groups=None, weights=None):
        if head not in heads:
            raise ValueError(f"head must be one of {', '.join(heads)}, got {head!r}")
        LayerStack.__init__(self, description, input_shape, dtype, level)
        self.head = head
        n_outputs = self.layers[-1].output_shape[-1]
        self.groups = (n_outputs,) if groups is None else tuple(map(int, groups))
        if sum(self.groups) != n_outputs or min(self.groups) < 1:
            raise ValueError(f"groups must be positive and add up to {n_outputs} outputs, got {self.groups}")
        self.group_starts = np.array((0, *accumulate(self.groups)), np.uintp)
        if schedule.first_layer(self.layers) > 0:
            self.input_rescaling = <const fastnn_rescaling *> (<EngineLayer> self.layers[0]).shape
        self._size_blocks()
        if weights is not None:
            self.set_weights(weights)

    cdef _size_blocks(self):
        """Decide how many samples go through all layers together."""
        cdef size_t i, largest = 1
        for i in range(len(self.layers)):
            self.widest = max(self.widest, self.signal_list[i].ld)
            if self.signal_list[i].positions > 1:
                largest = max(largest, signal_size(&self.signal_list[i]))
        least = max(LEAST_FORWARD_SAMPLES, *(layer.least_chunk() for layer in self.layers))
        self.is_recurrent = least > LEAST_FORWARD_SAMPLES
        self.least_samples = max(least, self.kernels.tile_rows)
        self.row_seconds = (self.sample_flops + ROW_FLOPS) / FIRST_FLOPS
        self.block_samples = min(FORWARD_SAMPLES, max(least, FORWARD_NUMBERS // largest))
        if not self.is_ragged:
            self.scratch_size = most_scratch(self.layers, [0] * len(self.layers))

    def copy(self):
        """Another network with the same layers and copies of the parameters: see `LayerStack.copy`."""
        cdef Network copied = LayerStack.copy(self)
        copied.head, copied.groups, copied.group_starts = self.head, self.groups, self.group_starts
        copied.input_rescaling, copied.scratch_size = self.input_rescaling, self.scratch_size
        copied.block_samples, copied.least_samples = self.block_samples, self.least_samples
        copied.is_recurrent, copied.widest, copied.row_seconds = self.is_recurrent, self.widest, self.row_seconds
        return copied

    def __reduce__(self):
        # Unpacked, since the packed layout depends on the CPU. The class and its arguments, as in Trainer, Optimizer
        # and Loss, and nothing else: skops reads no more than these.
        return Network, (
            self.description, self.input_shape, self.head, self.dtype.name, None, self.groups, self.weights())

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
        steps = steps_by_layer(self.layers[:depth], X.lengths)[-1] if self.is_ragged else None
        if steps is not None:  # else a vector of each sequence was made a sequence of one length
            return starts_of(steps)
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

    def layout(self):
        """What two networks must have in common for one trainer to train either of them."""
        return {"description": self.description, "input_shape": self.input_shape, "head": self.head,
                "groups": self.groups, "dtype": self.dtype.name, "level": self.kernels.level.decode()}

    # -- prediction ----------------------------------------------------------------------------------------------------

    def _n_rows(self, X, starts):
        """The number of rows that are made of samples, of which `row_starts` has returned these starts."""
        return starts[-1] if starts is not None else X.shape[0] if self.is_ragged else n_rows(X)

    def worth_sharing(self, size_t n_samples):
        """Whether it pays to find out how many threads there are for so many samples. If not, one is to be used.

        Of sequences of any length, n_samples is the number of all steps.
        """
        return n_samples > self.kernels.tile_rows and team_may_pay(n_samples * self.row_seconds)

    def forward(self, X, int n_threads, depth=None, must_be_finite=False):
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
        must_be_finite : bool, default=False
            Whether to refuse an ndarray, with a ValueError, for NaN, infinity, and what is too large for the network's
            type. These are looked for block by block, as X is read.

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
        n_columns = self.sizes[depth] if starts is None else self.layers[depth - 1].output_shape[-1]
        out = np.empty((self._n_rows(X, starts), n_columns), self.dtype)
        job = new_job(depth, FASTNN_IDENTITY if depth < n_layers else heads.index(self.head), must_be_finite)
        job.out, job.begins_of_outputs = <char *> cnp.PyArray_DATA(out), starts_data(starts)
        self._run(&job, X, n_threads)
        return out

    def labels(self, X, int n_threads, must_be_finite=False):
        """The numbers of classes that a classifier's outputs stand for.

        Parameters
        ----------
        X, n_threads, must_be_finite
            As for `forward`.

        Returns
        -------
        ndarray of intp of shape (n_rows, n_labels)
            For the head softmax the number of the largest output of each group, the first if several are equal, and of
            the first NaN if there is one. For another head 1 for each output above 1/2, else 0.
        """
        cdef cnp.ndarray labels
        cdef Forward job = new_job(len(self.layers), heads.index(self.head), must_be_finite)
        starts = self.row_starts(X)
        job.n_labels = len(self.groups) if job.head == SOFTMAX_HEAD else self.layers[job.n_layers - 1].output_shape[-1]
        labels = np.empty((self._n_rows(X, starts), job.n_labels), np.intp)
        job.labels, job.begins_of_outputs = <intptr_t *> cnp.PyArray_DATA(labels), starts_data(starts)
        self._run(&job, X, n_threads)
        return labels

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
        cdef Forward job = new_job(len(self.layers), heads.index(self.head))
        cdef cnp.ndarray out = np.empty((n_rows(X), self.layers[len(self.layers) - 1].output_shape[-1]), self.dtype)
        cdef cnp.ndarray carried
        carried = np.empty((len(out), self.state_size), self.dtype) if states is None else np.array(states, self.dtype)
        job.out = <char *> cnp.PyArray_DATA(out)
        job.carried, job.state_size, job.begins = <char *> cnp.PyArray_DATA(carried), self.state_size, states is None
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
        cdef Forward job = new_job(len(self.layers), FASTNN_IDENTITY if loss.from_logits else heads.index(self.head))
        loss.check(self)
        starts = self.row_starts(X)
        cdef Targets all_targets = Targets(
            loss, self.dtype, targets, weights, X.shape[0] if starts is None else starts[-1], starts=starts)
        job.targets, job.target_rows = &all_targets.samples, all_targets.rows
        losses = self._run(&job, X, n_threads)
        return float(np.add.accumulate(losses)[-1]) if len(losses) else 0.0  # in order, not pairwise

    cdef _run(self, Forward *job, X, int n_threads):
        """Take all samples through the layers. The job says how many layers, and where the outputs go, or the targets.

        Returns the loss of each block where the job has targets.
        """
        rows = X.values[X.starts[0] : X.starts[-1]] if self.is_ragged else X
        arrays = sample_arrays(rows)
        cdef fastnn_samples samples = samples_of(arrays, "X")
        cdef cnp.ndarray space, losses
        cdef size_t n_runs  # how often the matrices are read: once a sample; of sequences of any length once a step
        cdef double patience
        self.check_samples(&samples)
        if n_threads < 1:
            raise ValueError(f"n_threads must be at least 1, got {n_threads}")
        job.kernels, job.layers, job.signals = self.kernels, self.layer_list, self.signal_list
        job.X, job.n_samples = &samples, X.shape[0]
        job.group_starts, job.n_groups = &self.group_starts[0], len(self.groups)
        job.first_layer = self.first_layer(job.n_layers)
        if job.first_layer > 0:
            samples.rescaling = self.input_rescaling
        job.reads_entries = self.reads_entries(&samples, job.n_layers)
        job.must_be_finite = job.must_be_finite and rows.dtype.kind == "f"
        if job.n_samples == 0:
            return ()
        n_runs = len(rows) if self.is_ragged else job.n_samples
        n_threads = worthwhile_team(n_threads, n_runs * self.row_seconds)
        _placed = self._cut(job, X, n_threads)  # the arrays that the job points to
        losses = np.zeros(job.n_blocks if job.targets != NULL else 0)
        job.losses = <double *> cnp.PyArray_DATA(losses) if job.targets != NULL else NULL
        patience = patience_for(self.sample_flops * (n_runs / job.n_blocks if self.is_ragged else job.block_samples))
        n_threads = affordable_team(uncontended_team(min(n_threads, job.n_blocks), patience))
        job.input = self.signal_list[0]
        self.shape_input(&job.input)
        unchanged = (samples.starts == NULL and rows.dtype == self.dtype and samples.rescaling == NULL
                     and job.order == NULL)
        job.in_place = unchanged and has_contiguous_rows(rows) and (
            job.input.positions == 1 or rows.shape[0] == 1 or rows.strides[0] == rows.shape[1] * rows.itemsize)
        job.n_entries = most_entries(arrays, None, job.block_samples) if job.reads_entries else 0
        divide_space(job)
        # The memory of the last run, unless another thread's run has it. Much is not kept.
        space, self.spare_space = self.spare_space, None
        if space is None or len(space) < n_threads * job.thread_bytes:
            space = aligned_zeros(n_threads * job.thread_bytes, np.uint8)
        job.space = <char *> cnp.PyArray_DATA(space)
        with nogil:
            run_team(n_threads, forward_blocks, job, NULL)
        if len(space) <= MOST_SPARE_BYTES:
            self.spare_space = space
        if n_threads > 1:
            note_team()
            if team_seconds() - job.finished > patience:
                note_stalls(recent_stalls() + 1)
        if job.n_samples >= self.block_samples and job.seconds > 0:  # a coarse clock may say 0
            # It rises slowly, since other programs may have had the core.
            self.row_seconds = min(1.5 * self.row_seconds, job.seconds / job.n_timed / n_runs * job.n_blocks)
        if job.n_not_finite > 0:
            raise ValueError(f"X must be finite in {self.dtype}, got NaN or infinity")
        return losses

    cdef _cut(self, Forward *job, X, size_t n_threads):
        """Cut samples into blocks that go through all layers together; and say where the rows of sequences are.

        Where no loss is computed, whose bits depend on the cut, each thread has as many blocks of a like size.

        Returns the arrays that the job then points to.
        """
        cdef cnp.ndarray cuts, level, pointers, order, begins
        cdef size_t i, samples
        job.block_samples = min(self.block_samples, job.n_samples)
        job.n_blocks = (job.n_samples + job.block_samples - 1) // job.block_samples
        job.scratch_bytes = round_up(self.scratch_size * self.kernels.itemsize, 64)
        if not self.is_ragged:
            if job.targets == NULL:
                samples = job.n_samples // round_up(job.n_blocks, n_threads) + 1
                job.block_samples = min(job.block_samples, round_up(samples, self.least_samples))
                job.n_blocks = (job.n_samples + job.block_samples - 1) // job.block_samples
            return None
        order, begins, lengths = None, None, X.lengths.astype(np.intp, copy=False)
        most_rows, least_samples = FORWARD_NUMBERS // self.widest, 1
        if self.is_recurrent:
            # A step of one sample takes hardly less time than one of a tile of samples, so that those of a block should
            # be about as long.
            most_rows, least_samples = FORWARD_NUMBERS_OF_STEPS // self.widest, self.kernels.tile_rows
            if X.shape[0] > 1:
                order = np.argsort(-lengths, kind="stable").astype(np.intp, copy=False)
                begins = np.subtract(X.starts, X.starts[0], dtype=np.intp)
                lengths = lengths[order]
                job.order = <const intptr_t *> cnp.PyArray_DATA(order)
                job.begins_of_samples = <const intptr_t *> cnp.PyArray_DATA(begins)
        steps = steps_by_layer(self.layers[: job.n_layers], lengths, order)
        scratch_size = most_scratch(self.layers[: job.n_layers], most_steps(steps))
        job.scratch_bytes = round_up(scratch_size * self.kernels.itemsize, 64)
        levels = [None if of_all is None else starts_of(of_all) for of_all in steps]
        cuts = cut_by_rows(levels[0], most_rows, self.block_samples, least_samples)
        job.cuts, job.n_blocks = <const intptr_t *> cnp.PyArray_DATA(cuts), len(cuts) - 1
        pointers = np.zeros(len(levels), np.uintp)
        for i in range(len(levels)):
            if levels[i] is not None:
                level = levels[i]
                pointers[i] = <size_t> cnp.PyArray_DATA(level)
                job.block_rows = max(job.block_rows, np.diff(level[cuts]).max())
        job.starts = <const size_t **> cnp.PyArray_DATA(pointers)
        return order, begins, cuts, levels, pointers


cdef const intptr_t *starts_data(starts):
    """What an array of starts has; NULL for None. The array must be kept alive."""
    return NULL if starts is None else <const intptr_t *> cnp.PyArray_DATA(<cnp.ndarray> starts)
