"""A network in training: its optimizer's memories, the space for a batch, and runs over segments of an epoch."""

import numpy as np

cimport numpy as cnp
from cython.parallel cimport parallel
from libc.stddef cimport size_t
from libc.stdint cimport int32_t, intptr_t, uint32_t
from libc.stdlib cimport calloc, free

from fastnn.engine.activation import keeps_input
from fastnn.engine.arrays import aligned_zeros
from fastnn.engine.arrays cimport round_up, row_length, samples_of
from fastnn.engine.backprop cimport LayerSpace, Segment, n_output_tasks, run_segment
from fastnn.engine.dense cimport n_tiles, n_weight_tasks
from fastnn.engine.kernels cimport fastnn_dense, fastnn_kernels, fastnn_samples
from fastnn.engine.network import heads
from fastnn.engine.network cimport LOGISTIC, SOFTMAX, Network
from fastnn.engine.optimizer cimport Optimizer

cnp.import_array()

# Arithmetic of a step below which one thread is faster than two that wait for each other.
cdef double PARALLEL_FLOPS = 1e6


cdef class Trainer:
    """A network, an optimizer and the space to train one with the other.

    Parameters
    ----------
    network : Network
        Its parameters are changed in place.
    optimizer : Optimizer
    batch_size : int
    n_threads : int
        At most so many are used.

    Attributes
    ----------
    memories : ndarray of shape (n_memories, n_packed)
        What the optimizer remembers, each memory laid out as the network's parameters are.
    step_flops : float
        Floating-point operations of a whole batch's step, by which it is judged whether several threads pay.

    Raises
    ------
    MemoryError
        When there is no space for such batches.
    """

    cdef readonly Network network
    cdef readonly Optimizer optimizer
    cdef readonly object memories, batch_size
    cdef readonly double step_flops
    cdef list space
    cdef bint running
    cdef Segment segment
    cdef int n_threads, asked_threads  # of which a small network's steps use one only

    def __cinit__(self, Network network, Optimizer optimizer, batch_size, n_threads):
        self.segment.layers = <fastnn_dense *> calloc(network.n_dense, sizeof(fastnn_dense))
        self.segment.spaces = <LayerSpace *> calloc(network.n_dense, sizeof(LayerSpace))
        if self.segment.layers == NULL or self.segment.spaces == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.segment.layers)
        free(self.segment.spaces)

    def __init__(self, Network network, Optimizer optimizer, batch_size, n_threads):
        cdef cnp.ndarray memories
        cdef size_t i, n_parameters = len(network.parameters)
        cdef Segment *segment = &self.segment
        if batch_size < 1:
            raise ValueError(f"batches of {batch_size} samples")
        if n_threads < 1:
            raise ValueError(f"{n_threads} threads")
        self.network, self.optimizer = network, optimizer
        self.memories = memories = aligned_zeros(optimizer.n_memories * n_parameters, network.dtype).reshape(
            optimizer.n_memories, n_parameters)
        segment.kernels, segment.n_layers = network.kernels, network.n_dense
        for i in range(network.n_dense):
            segment.layers[i] = network.dense[i]
            segment.layers[i].state = <char *> cnp.PyArray_DATA(memories) + (
                <char *> network.dense[i].weights - <char *> network.dense[0].weights)
            segment.layers[i].state_stride = n_parameters
        self.step_flops = 6.0 * batch_size * n_parameters
        self.batch_size, self.asked_threads = batch_size, n_threads
        self.n_threads = n_threads if self.step_flops > PARALLEL_FLOPS else 1
        segment.settings = &optimizer.settings
        segment.batch_size = batch_size
        segment.head = heads.index(network.head)
        self.space = []
        self._make_space()

    def adapted(self, Optimizer optimizer, batch_size, n_threads):
        """A trainer with other settings that goes on where this one is: itself, if nothing but numbers differ.

        An optimizer of the same name keeps its memories and its count of steps; another one starts afresh.
        """
        cdef Trainer other
        same = optimizer.name == self.optimizer.name
        if same:
            optimizer.step_count = self.optimizer.step_count
        if same and (batch_size, n_threads) == (self.batch_size, self.asked_threads):
            self.optimizer = optimizer
            self.segment.settings = &optimizer.settings
            return self
        other = Trainer(self.network, optimizer, batch_size, n_threads)
        if same:
            other.memories[:] = self.memories
        return other

    def __reduce__(self):
        memories = [self.network.unpack(memory) for memory in self.memories]
        return _restored_trainer, (self.network, self.optimizer, self.batch_size, self.asked_threads, memories)

    cdef char *_array(self, n, dtype) except NULL:
        """Zeros that live as long as the trainer."""
        cdef cnp.ndarray array = aligned_zeros(n, dtype)
        self.space.append(array)
        return <char *> cnp.PyArray_DATA(array)

    cdef _make_space(self):
        cdef Segment *segment = &self.segment
        cdef const fastnn_kernels *kernels = segment.kernels
        cdef cnp.ndarray all_terms
        cdef LayerSpace *layer
        cdef size_t i, n_tasks = 0
        dtype = self.network.dtype
        n_features, n_outputs = self.network.sizes[0], self.network.sizes[-1]
        rows = segment.batch_rows = round_up(segment.batch_size, kernels.tile_cols)

        segment.ldx = row_length(n_features, kernels.tile_cols, kernels.itemsize)
        for i in range(2):
            segment.x[i] = self._array(rows * <object> segment.ldx, dtype)
        row_tiles, column_tiles = n_tiles(kernels, segment.batch_size), n_tiles(kernels, n_features)
        segment.columns = <uint32_t *> self._array(row_tiles * n_features, np.uint32)
        segment.column_counts = <uint32_t *> self._array(row_tiles, np.uint32)
        segment.samples = <uint32_t *> self._array(column_tiles * self.batch_size, np.uint32)
        segment.sample_counts = <uint32_t *> self._array(column_tiles, np.uint32)
        self.space.append(np.arange(max(*self.network.sizes, self.batch_size), dtype=np.uint32))
        all_terms = self.space[-1]
        segment.all_terms = <const uint32_t *> cnp.PyArray_DATA(all_terms)
        for i in range(segment.n_layers):
            layer = &segment.spaces[i]
            layer.ld = row_length(segment.layers[i].fan_out, kernels.tile_cols, kernels.itemsize)
            n = rows * <object> layer.ld
            layer.a = self._array(n, dtype)
            if i < segment.n_layers - 1:
                layer.delta = self._array(n, dtype)
                if keeps_input(self.network.activations[i]):
                    layer.z = self._array(n, dtype)
            else:
                layer.delta = layer.a  # the loss replaces the logits by their gradient
            if i > 0:
                layer.delta_t = self._array(rows * <object> segment.layers[i].fan_out, dtype)
            n_tasks += n_weight_tasks(kernels, &segment.layers[i])
        if segment.head == SOFTMAX:
            segment.label_rows = <int32_t *> self._array(rows, np.int32)
        else:
            segment.target_rows = self._array(rows * n_outputs, dtype)
        segment.losses = <double *> self._array(n_output_tasks(segment, segment.batch_size), np.float64)
        segment.squares = <double *> self._array(n_tasks, np.float64)

    def run(self, cnp.ndarray X, cnp.ndarray targets, cnp.ndarray order, double loss=0):
        """Train on the samples that order names, batch by batch; the last batch may be smaller.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Any real type, any strides; rows are converted as they are gathered.
        targets : ndarray
            int32 classes of shape (n_samples,) for a softmax head; else numbers of shape (n_samples, n_outputs), of
            any real type.
        order : ndarray of intp of shape (n_rows,)
        loss : float, default=0
            What the epoch's earlier segments returned: an epoch's loss has the same bits however it is cut.

        Returns
        -------
        float
            `loss` and, added to it, the summed loss of the samples plus, once per batch, half of l2 times the sum of
            all squared weights, as they were before each batch's step. The same bits for any number of threads, and so
            are the weights.

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
            return self._run(X, targets, order, loss)
        finally:
            self.running = False

    cdef double _run(self, cnp.ndarray X, cnp.ndarray targets, cnp.ndarray order, double loss) except? -1:
        cdef Segment *segment = &self.segment
        cdef fastnn_samples samples = samples_of(X), target_samples
        if samples.n_features != segment.layers[0].fan_in:
            raise ValueError(f"X has {samples.n_features} columns, the network {segment.layers[0].fan_in} inputs")
        if order.dtype != np.intp or order.ndim != 1 or not order.flags.c_contiguous:
            raise ValueError("order must be a contiguous array of intp")
        if len(targets) != len(X):
            raise ValueError(f"{len(targets)} targets for {len(X)} samples")
        if len(order) == 0:
            return loss
        if order.min() < 0 or order.max() >= len(X):
            raise ValueError(f"order names samples outside 0 ... {len(X) - 1}")
        n_outputs = self.network.sizes[-1]
        if segment.head == SOFTMAX:
            if targets.dtype != np.int32 or targets.ndim != 1 or not targets.flags.c_contiguous:
                raise ValueError("classes must be a contiguous array of int32")
            wanted = targets[order]
            if wanted.min() < 0 or wanted.max() >= n_outputs:
                raise ValueError(f"classes outside 0 ... {n_outputs - 1}")
            segment.labels = <const int32_t *> cnp.PyArray_DATA(targets)
        elif segment.head == LOGISTIC:
            target_samples = samples_of(targets)
            if target_samples.n_features != <size_t> n_outputs:
                raise ValueError(f"targets have {target_samples.n_features} columns, the network {n_outputs} outputs")
            segment.targets = &target_samples
        else:
            raise ValueError(f"a network with the head {self.network.head!r} has no loss to train by")

        segment.X, segment.order, segment.n_rows = &samples, <const intptr_t *> cnp.PyArray_DATA(order), len(order)
        segment.step_count, segment.loss = self.optimizer.step_count, loss
        with nogil:
            if self.n_threads == 1:
                run_segment(segment)
            else:
                with parallel(num_threads=self.n_threads):
                    run_segment(segment)
        self.optimizer.step_count = segment.step_count
        return segment.loss


def _restored_trainer(Network network, optimizer, batch_size, n_threads, memories):
    trainer = Trainer(network, optimizer, batch_size, n_threads)
    for memory, (coefs, intercepts) in zip(trainer.memories, memories):
        network.pack(coefs, intercepts, memory)
    return trainer
