"""Training: batches forward, their errors back, and a step of the optimizer, without the GIL and on every thread.

A team of threads takes each batch through phases, with a barrier after each. Within a phase every thread computes its
own output tiles, so nothing is locked and no sum is split. For a network of layers 0 ... L - 1 the phases are

    forward 0, ..., forward L - 2
    output        forward L - 1 with the loss and its gradient, row by row
    back L - 1    grad_input L - 1
    back l        grad_input l, and step l + 1, whose weights nobody needs any more
    update        step 1 and step 0, and the next batch's rows gathered
"""

import numpy as np

cimport numpy as cnp
from cython.parallel cimport parallel
from libc.stddef cimport size_t
from libc.stdint cimport int32_t, intptr_t, uint32_t
from libc.stdlib cimport calloc, free

from fastnn.engine.activation import keeps_input
from fastnn.engine.arrays import aligned_zeros
from fastnn.engine.arrays cimport round_up, row_length, samples_of
from fastnn.engine.dense cimport (
    batch_part, dense_forward, dense_forward_alone, dense_grad_input, dense_grad_weights, n_tiles, n_weight_tasks,
    whole_batch,
)
from fastnn.engine.kernels cimport (
    fastnn_batch, fastnn_dense, fastnn_kernels, fastnn_samples, fastnn_terms, fastnn_update,
)
from fastnn.engine.network cimport LOGISTIC, SOFTMAX, Network
from fastnn.engine.network import heads
from fastnn.engine.optimizer cimport Optimizer, update_at
from fastnn.engine.team cimport (
    Share, fp_state, my_share, team_barrier, team_enter, team_leave, team_meeting, team_rank,
)

cnp.import_array()

# Rows of a batch that one thread takes through the output layer and the loss, in tiles.
cdef size_t OUTPUT_TILES = 2
# Arithmetic of a step below which one thread is faster than two that wait for each other.
cdef double PARALLEL_FLOPS = 1e6


# What a batch leaves behind in a layer. Matrices have batch_rows rows, `ld` numbers apart.
cdef struct LayerSpace:
    size_t ld
    char *a  # (rows, fan_out) the layer's output; of the last layer the logits, and then delta
    char *z  # (rows, fan_out) the activation's input, where it keeps that; else NULL
    char *delta  # (rows, fan_out) the loss's gradient by the activation's input
    char *delta_t  # (fan_out, batch_rows) its transpose, where there is a layer below to carry it back to


# A segment of an epoch: what all threads share.
cdef struct Segment:
    const fastnn_kernels *kernels
    fastnn_dense *layers
    LayerSpace *spaces
    size_t n_layers
    size_t batch_size, batch_rows  # batch_rows: padded to whole tiles
    const fastnn_samples *X
    const intptr_t *order  # (n_rows) the samples' numbers
    size_t n_rows
    int head
    const int32_t *labels  # (n_samples) for softmax
    const fastnn_samples *targets  # (n_samples, n_outputs) for the others
    int32_t *label_rows  # (batch_rows) this batch's classes
    char *target_rows  # (batch_rows, n_outputs) or targets
    char *x[2]  # (batch_rows, ldx) this batch's samples and the next one's
    size_t ldx
    uint32_t *columns  # (n_row_tiles, n_features) and (n_row_tiles): the columns each tile of this batch's rows uses
    uint32_t *column_counts
    uint32_t *samples  # (n_column_tiles, batch_size) and (n_column_tiles): the rows each tile of its columns uses
    uint32_t *sample_counts
    const uint32_t *all_terms
    const fastnn_update *settings
    fastnn_update update  # this step's
    team_meeting meeting
    long long step_count
    double *losses  # one per output task
    double *squares  # one per weight task of every layer
    double loss


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
        Floating-point operations of a whole batch's step, to judge how long a segment may be.

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


cdef void run_segment(Segment *segment) noexcept nogil:
    """All batches of a segment, as one thread of the team sees them."""
    cdef size_t first = 0, parity = 0
    cdef fp_state caller = team_enter()
    gather_batch(segment, 0, 0)
    team_barrier(&segment.meeting)
    while first < segment.n_rows:
        train_batch(segment, first, parity)
        if team_rank() == 0:
            segment.loss += batch_loss(segment, min(segment.batch_size, segment.n_rows - first))
        first += segment.batch_size
        parity = 1 - parity
    team_leave(caller)


cdef void gather_batch(Segment *segment, size_t first, size_t parity) noexcept nogil:
    """This thread's share of the batch's samples, in whole tiles, and the columns that these use."""
    cdef const fastnn_kernels *kernels = segment.kernels
    cdef size_t row, rows, n_features = segment.X.n_features
    cdef Share mine
    cdef char *x
    if first >= segment.n_rows:
        return
    rows = min(segment.batch_size, segment.n_rows - first)
    mine = my_share(n_tiles(kernels, rows))
    row = mine.first * kernels.tile_rows
    rows = min(mine.last * kernels.tile_rows, rows) - row
    x = segment.x[parity] + row * segment.ldx * kernels.itemsize
    kernels.gather(segment.X, segment.order + first + row, rows, x, segment.ldx)
    kernels.used_columns(rows, n_features, x, segment.ldx, segment.columns + mine.first * n_features,
                         segment.column_counts + mine.first, n_features)


cdef void find_used_samples(Segment *segment, const fastnn_batch *x) noexcept nogil:
    """For this thread's share of the tiles of columns, the samples that use them: the weights' gradient will ask."""
    cdef const fastnn_kernels *kernels = segment.kernels
    cdef size_t n_features = segment.X.n_features
    cdef Share mine = my_share(n_tiles(kernels, n_features))
    cdef size_t column = mine.first * kernels.tile_rows
    kernels.used_rows(x.rows, min(mine.last * kernels.tile_rows, n_features) - column,
                      <const char *> x.values + column * kernels.itemsize, x.ld,
                      segment.samples + mine.first * segment.batch_size, segment.sample_counts + mine.first,
                      segment.batch_size)


cdef void train_batch(Segment *segment, size_t first, size_t parity) noexcept nogil:
    cdef const fastnn_kernels *kernels = segment.kernels
    cdef fastnn_dense *layers = segment.layers
    cdef LayerSpace *spaces = segment.spaces
    cdef size_t i, last = segment.n_layers - 1, rows = min(segment.batch_size, segment.n_rows - first)
    cdef fastnn_batch batch, x = fastnn_batch(
        rows, segment.x[parity], segment.ldx,
        fastnn_terms(segment.columns, segment.column_counts, segment.X.n_features),
        fastnn_terms(segment.samples, segment.sample_counts, segment.batch_size))

    if team_rank() == 0:
        segment.step_count += 1
        segment.update = update_at(segment.settings, segment.step_count, rows)
    find_used_samples(segment, &x)
    for i in range(last):
        batch = layer_input(segment, i, &x)
        dense_forward(kernels, &layers[i], &batch, spaces[i].z, spaces[i].ld, spaces[i].a, spaces[i].ld)
        team_barrier(&segment.meeting)
    batch = layer_input(segment, last, &x)
    output_and_loss(segment, &batch, first)
    team_barrier(&segment.meeting)
    for i in range(last, 0, -1):
        dense_grad_input(kernels, &layers[i], rows, spaces[i].delta_t, segment.batch_rows, layers[i - 1].activation,
                         spaces[i - 1].z if spaces[i - 1].z != NULL else spaces[i - 1].a, spaces[i - 1].ld,
                         spaces[i - 1].delta, spaces[i - 1].ld, spaces[i - 1].delta_t, segment.batch_rows)
        if i < last:
            step_layer(segment, i + 1, &x)
        team_barrier(&segment.meeting)
    if last > 0:
        step_layer(segment, 1, &x)
    step_layer(segment, 0, &x)
    gather_batch(segment, first + segment.batch_size, 1 - parity)
    team_barrier(&segment.meeting)


cdef fastnn_batch layer_input(Segment *segment, size_t i, const fastnn_batch *x) noexcept nogil:
    """What goes into layer i, x being the samples."""
    cdef LayerSpace *below
    if i == 0:
        return x[0]
    below = &segment.spaces[i - 1]
    return whole_batch(x.rows, below.a, below.ld, segment.all_terms)


cdef void step_layer(Segment *segment, size_t i, const fastnn_batch *x) noexcept nogil:
    cdef fastnn_batch batch = layer_input(segment, i, x)
    cdef double *squares = segment.squares
    cdef size_t below
    for below in range(i):
        squares += n_weight_tasks(segment.kernels, &segment.layers[below])
    dense_grad_weights(segment.kernels, &segment.layers[i], &batch, segment.spaces[i].delta, segment.spaces[i].ld,
                       &segment.update, squares)


cdef size_t n_output_tasks(Segment *segment, size_t rows) noexcept nogil:
    cdef size_t chunk = OUTPUT_TILES * segment.kernels.tile_rows
    return (rows + chunk - 1) // chunk


cdef void output_and_loss(Segment *segment, const fastnn_batch *batch, size_t first) noexcept nogil:
    """The last layer's logits, the loss, and its gradient in their place: by rows, since the loss needs whole rows."""
    cdef const fastnn_kernels *kernels = segment.kernels
    cdef fastnn_dense *layer = &segment.layers[segment.n_layers - 1]
    cdef LayerSpace *space = &segment.spaces[segment.n_layers - 1]
    cdef size_t task, row, chunk = OUTPUT_TILES * kernels.tile_rows
    cdef Share mine = my_share(n_output_tasks(segment, batch.rows))
    cdef fastnn_batch part
    cdef char *delta
    for task in range(mine.first, mine.last):
        row = task * chunk
        part = batch_part(kernels, batch, row, min(row + chunk, batch.rows))
        delta = space.delta + row * space.ld * kernels.itemsize
        dense_forward_alone(kernels, layer, &part, NULL, 0, delta, space.ld)
        segment.losses[task] = rows_loss(segment, layer.fan_out, first + row, part.rows, delta, space.ld)
        if space.delta_t != NULL:
            kernels.transpose(part.rows, layer.fan_out, delta, space.ld,
                              space.delta_t + row * kernels.itemsize, segment.batch_rows)


cdef double rows_loss(Segment *segment, size_t n_outputs, size_t first, size_t rows, char *delta,
                      size_t ldd) noexcept nogil:
    """The loss of the samples order[first ... first + rows), whose logits are in delta and give way to the gradient."""
    cdef const fastnn_kernels *kernels = segment.kernels
    cdef const intptr_t *order = segment.order + first
    cdef size_t i, row = first % segment.batch_size
    cdef char *targets
    if segment.head == SOFTMAX:
        for i in range(rows):
            segment.label_rows[row + i] = segment.labels[order[i]]
        return kernels.softmax_loss(rows, n_outputs, delta, ldd, segment.label_rows + row, delta, ldd)
    targets = segment.target_rows + row * n_outputs * kernels.itemsize
    kernels.gather(segment.targets, order, rows, targets, n_outputs)
    return kernels.logistic_loss(rows, n_outputs, delta, ldd, targets, n_outputs, delta, ldd)


cdef double batch_loss(Segment *segment, size_t rows) noexcept nogil:
    """What the tasks of a batch found, added in their order, whichever threads they ran on."""
    cdef double loss = 0, squares = 0
    cdef size_t i, n_tasks = 0
    for i in range(n_output_tasks(segment, rows)):
        loss += segment.losses[i]
    for i in range(segment.n_layers):
        n_tasks += n_weight_tasks(segment.kernels, &segment.layers[i])
    for i in range(n_tasks):
        squares += segment.squares[i]
    return loss + 0.5 * segment.settings.l2 * squares
