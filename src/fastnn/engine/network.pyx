"""A network of dense layers: its parameters, and the way from samples to outputs."""

import numpy as np

cimport numpy as cnp
from cython.parallel cimport parallel
from libc.stddef cimport size_t
from libc.stdint cimport int32_t, uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from fastnn.engine.activation import activation_names, number
from fastnn.engine.arrays import aligned_zeros, has_contiguous_rows, most_entries, n_rows, sample_arrays
from fastnn.engine.arrays cimport round_up, row_length, samples_of, skip_samples
from fastnn.engine.crowd cimport note_stalls, patience_for, recent_stalls, uncrowded_team
from fastnn.engine.dense cimport dense_forward_alone, n_tiles, sparse_batch, whole_batch
from fastnn.engine.isa cimport kernels_for
from fastnn.engine.kernels cimport (
    FASTNN_IDENTITY, FASTNN_N_ACTIVATIONS, fastnn_batch, fastnn_dense, fastnn_entries, fastnn_kernels, fastnn_samples,
    fastnn_terms,
)
from fastnn.engine.loss cimport Loss, LossRows, Wanted, gather_wanted, rows_loss
from fastnn.engine.team cimport (
    affordable_team, team_fork, team_forked, team_join, team_joining, team_next, team_rank, team_seconds,
)

cnp.import_array()

# Rows that go through all layers together: enough that a panel's load is repaid, few enough to stay in the cache.
cdef size_t FORWARD_ROWS = 64
# Arithmetic below which one thread is faster than waking a second.
cdef double PARALLEL_FLOPS = 2e6

#: What the output layer's sums may be turned into.
heads = (*activation_names, "softmax")

# The number of softmax among them; the others have their activation's.
cdef int SOFTMAX = FASTNN_N_ACTIVATIONS


def check_shapes(sizes, coefs, intercepts):
    """Raise ValueError unless there are a W (fan_in, fan_out) and a b (fan_out,) for each layer between the sizes."""
    shapes = {"coefs": list(zip(sizes, sizes[1:])), "intercepts": [(size,) for size in sizes[1:]]}
    for name, layers in (("coefs", coefs), ("intercepts", intercepts)):
        if len(layers) != len(shapes[name]):
            raise ValueError(f"len({name}) must be {len(shapes[name])}, one array for each layer, got {len(layers)}")
        for i, (layer, shape) in enumerate(zip(layers, shapes[name])):
            if np.shape(layer) != shape:
                message = f"{name}[{i}] must have shape {shape}, got {np.shape(layer)}"
                if np.shape(layer) == shape[::-1]:
                    message += f": it is transposed, as torch.nn.Linear keeps its weight; pass {name}[{i}].T"
                raise ValueError(message)


cdef class Network:
    """Dense layers one after the other.

    Parameters
    ----------
    sizes : sequence of int
        The number of inputs, of units in each hidden layer, and of outputs.
    activations : sequence of str
        One per hidden layer.
    head : str
        What the output layer ends in: one of `heads`.
    dtype : float32 or float64
    level : str, default=None
        The instruction set; None is the one that fastnn uses.
    groups : sequence of int, default=None
        For softmax: the numbers of outputs that it goes over, side by side. None is all of them.
    weights : (coefs, intercepts), default=None
        As `set_weights` takes them. None is zeros.

    Attributes
    ----------
    parameters : ndarray of shape (n_packed,)
        All weights and biases, in the kernels' packed layout (which depends on the instruction set), on one cache-line
        aligned block. Copy it to keep a state, write into it to restore one.

    Raises
    ------
    ValueError
        For sizes or names that make no network.
    MemoryError
        For a network that does not fit.
    """

    def __cinit__(self, sizes, activations, head, dtype, level=None, groups=None, weights=None):
        if len(sizes) < 2:
            raise ValueError(f"sizes must have at least the number of inputs and that of outputs, got {sizes}")
        self.n_dense = len(sizes) - 1
        self.dense = <fastnn_dense *> malloc(self.n_dense * sizeof(fastnn_dense))
        if self.dense == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.dense)

    def __init__(self, sizes, activations, head, dtype, level=None, groups=None, weights=None):
        cdef size_t i
        cdef cnp.ndarray parameters
        self.sizes, self.activations, self.head = tuple(map(int, sizes)), tuple(activations), head
        self.dtype = np.dtype(dtype)
        self.kernels = kernels_for(dtype, level)
        if head not in heads:
            raise ValueError(f"head must be one of {', '.join(heads)}, got {head!r}")
        if len(self.activations) != self.n_dense - 1:
            raise ValueError(
                f"len(activations) must be {self.n_dense - 1}, one for each hidden layer, got {len(self.activations)}")
        for size in self.sizes:
            # Columns are counted in 32 bits, and matrices of 2^31 rows or columns have more numbers than memory.
            if not 1 <= size < 2**31:
                raise ValueError(f"the number of units must be from 1 to 2**31 - 1 in each layer, got {size}")
        self.groups = self.sizes[-1:] if groups is None else tuple(map(int, groups))
        if sum(self.groups) != self.sizes[-1] or min(self.groups) < 1:
            raise ValueError(f"groups must be positive and add up to {self.sizes[-1]} outputs, got {self.groups}")
        self.group_starts = np.cumsum((0, *self.groups)).astype(np.uintp)
        panel = self.kernels.tile_cols
        counts = [(1 + n) * (-(-m // panel) * panel) for n, m in zip(self.sizes, self.sizes[1:])]
        self.parameters = parameters = aligned_zeros(sum(counts), self.dtype)
        self.all_terms = np.arange(max(self.sizes), dtype=np.uint32)
        self.all_terms.flags.writeable = False
        offset = 0
        for i in range(self.n_dense):
            self.dense[i].fan_in, self.dense[i].fan_out = self.sizes[i], self.sizes[i + 1]
            self.dense[i].activation = number(self.activations[i] if i < self.n_dense - 1 else "identity")
            self.dense[i].weights = <char *> cnp.PyArray_DATA(parameters) + <size_t> offset * self.kernels.itemsize
            self.dense[i].state, self.dense[i].state_stride = NULL, 0
            offset += counts[i]
        if weights is not None:
            self.set_weights(*weights)

    def copy(self):
        """A network of its own with the same parameters."""
        cdef Network copied = Network(
            self.sizes, self.activations, self.head, self.dtype, self.kernels.level.decode(), self.groups)
        copied.parameters[:] = self.parameters
        return copied

    def set_weights(self, coefs, intercepts):
        """Take over weights: W (fan_in, fan_out) and b (fan_out,) of each layer, converted to the network's type."""
        self.pack(coefs, intercepts, self.parameters)

    def pack(self, coefs, intercepts, cnp.ndarray packed):
        """Write the W and b of each layer into an array laid out as `parameters` is."""
        cdef size_t i
        cdef cnp.ndarray W, b
        cdef fastnn_dense layer
        self._check_layout(packed)
        check_shapes(self.sizes, coefs, intercepts)
        for i in range(self.n_dense):
            W, b = np.asarray(coefs[i], self.dtype), np.ascontiguousarray(intercepts[i], self.dtype)
            layer = self.dense[i]
            layer.weights = <char *> cnp.PyArray_DATA(packed) + self._offset(i)
            self.kernels.pack_dense(&layer, cnp.PyArray_DATA(W), W.strides[0], W.strides[1], cnp.PyArray_DATA(b))

    def unpack(self, cnp.ndarray packed):
        """Lists of W and of b of every layer, from an array laid out as `parameters` is."""
        cdef size_t i
        cdef cnp.ndarray W, b
        self._check_layout(packed)
        coefs, intercepts = [], []
        for i in range(self.n_dense):
            W = np.empty((self.dense[i].fan_in, self.dense[i].fan_out), self.dtype)
            b = np.empty(self.dense[i].fan_out, self.dtype)
            self.kernels.unpack_dense(&self.dense[i], <char *> cnp.PyArray_DATA(packed) + self._offset(i),
                                      cnp.PyArray_DATA(W), cnp.PyArray_DATA(b))
            coefs.append(W)
            intercepts.append(b)
        return coefs, intercepts

    cdef size_t _offset(self, size_t layer) noexcept:
        """Bytes from the first layer's parameters to this one's."""
        return <char *> self.dense[layer].weights - <char *> self.dense[0].weights

    def _check_layout(self, packed):
        if packed.dtype != self.dtype or packed.shape != self.parameters.shape or not packed.flags.c_contiguous:
            raise ValueError("packed must be laid out as this network's parameters")

    def __reduce__(self):
        # Unpacked, since the packed layout is this CPU's. The class and its arguments, as in Trainer, Optimizer and
        # Loss, and nothing else: no more does skops take.
        return Network, (
            self.sizes, self.activations, self.head, self.dtype.name, None, self.groups, self.weights())

    def weights(self):
        """Copies of every layer's W, and of every layer's b, as two lists."""
        return self.unpack(self.parameters)

    def worth_sharing(self, size_t n_samples):
        """Whether there is work enough in so many samples for several threads: if not, `forward` uses one."""
        return n_samples > FORWARD_ROWS and 2.0 * n_samples * len(self.parameters) > PARALLEL_FLOPS

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
        depth = self.n_dense if depth is None else depth
        if not 1 <= depth <= self.n_dense:
            raise ValueError(f"depth must be from 1 to {self.n_dense}, got {depth}")
        out = np.empty((n_rows(X), self.sizes[depth]), self.dtype)
        job.n_layers, job.out, job.losses = depth, <char *> cnp.PyArray_DATA(out), NULL
        job.head = FASTNN_IDENTITY if depth < self.n_dense else heads.index(self.head)
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
        cdef cnp.ndarray losses = np.zeros(-(-n_rows(X) // <object> FORWARD_ROWS))
        loss.check(self)
        cdef Wanted wanted = Wanted(loss, self.dtype, targets, weights, X.shape[0])
        job.n_layers, job.out, job.losses = self.n_dense, NULL, <double *> cnp.PyArray_DATA(losses)
        job.head = FASTNN_IDENTITY if loss.from_logits else heads.index(self.head)
        job.wanted, job.loss_rows = &wanted.samples, wanted.rows
        self._run(&job, X, n_threads)
        return float(np.add.accumulate(losses)[-1]) if len(losses) else 0.0  # in order, not pairwise

    cdef _run(self, Forward *job, X, int n_threads):
        """Take all samples through the layers; job knows how many layers, and what is wanted of the outputs."""
        arrays = sample_arrays(X)
        cdef fastnn_samples samples = samples_of(arrays)
        cdef cnp.ndarray space, all_terms = self.all_terms
        cdef size_t n_blocks, itemsize = self.kernels.itemsize
        cdef double patience = patience_for(2.0 * FORWARD_ROWS * len(self.parameters))
        if samples.n_features != self.dense[0].fan_in:
            raise ValueError(f"X must have shape (n_samples, {self.dense[0].fan_in}), got {X.shape}")
        if n_threads < 1:
            raise ValueError(f"n_threads must be at least 1, got {n_threads}")
        job.kernels, job.layers = self.kernels, self.dense
        job.X, job.n_samples, job.next_block, job.n_finished = &samples, X.shape[0], 0, 0
        job.group_starts, job.n_groups = &self.group_starts[0], len(self.groups)
        job.all_terms = <const uint32_t *> cnp.PyArray_DATA(all_terms)
        job.block_rows = min(FORWARD_ROWS, job.n_samples)
        sparse = samples.starts != NULL
        job.ld = row_length(max(self.sizes[1:] if sparse else self.sizes), self.kernels.tile_cols, itemsize)
        if job.n_samples == 0:
            return
        n_blocks = (job.n_samples + FORWARD_ROWS - 1) // FORWARD_ROWS
        n_threads = min(n_threads, n_blocks) if self.worth_sharing(job.n_samples) else 1
        n_threads = affordable_team(uncrowded_team(n_threads, patience))
        job.matrix_bytes = job.block_rows * job.ld * itemsize
        job.in_place = not sparse and X.dtype == self.dtype and has_contiguous_rows(X)
        job.n_entries = most_entries(arrays, None, FORWARD_ROWS) if sparse else 0
        job.thread_bytes = 2 * job.matrix_bytes + round_up(
            (job.block_rows + 1) * sizeof(size_t) + job.n_entries * (itemsize + 2 * sizeof(uint32_t)) if sparse
            else n_tiles(self.kernels, job.block_rows) * (1 + samples.n_features) * sizeof(uint32_t), 64)
        if job.losses != NULL:
            job.label_bytes = round_up(job.block_rows * job.loss_rows.n_groups * sizeof(int32_t), 64)
            job.target_bytes = round_up(job.block_rows * job.loss_rows.n_outputs * itemsize, 64)
            job.thread_bytes += job.label_bytes + 2 * job.target_bytes
        space = aligned_zeros(n_threads * job.thread_bytes, np.uint8)
        job.space = <char *> cnp.PyArray_DATA(space)
        with nogil:
            if n_threads == 1:
                forward_blocks(job)
            else:
                team_fork()
                with parallel(num_threads=n_threads):
                    team_forked()
                    forward_blocks(job)
                    team_joining()
                team_join()
        if n_threads > 1 and team_seconds() - job.finished > patience:
            note_stalls(recent_stalls() + 1)


cdef void forward_blocks(Forward *job) noexcept nogil:
    """Take blocks of rows through all layers, one after the other, until none is left."""
    cdef char *space = job.space + team_rank() * job.thread_bytes
    cdef size_t block = team_next(&job.next_block)
    while block * job.block_rows < job.n_samples:
        forward_block(job, block, space)
        block = team_next(&job.next_block)
    if team_next(&job.n_finished) == 0:
        job.finished = team_seconds()


cdef void forward_block(const Forward *job, size_t block, char *space) noexcept nogil:
    cdef const fastnn_kernels *kernels = job.kernels
    cdef size_t first = block * job.block_rows, rows = min(job.block_rows, job.n_samples - first)
    cdef fastnn_samples X = job.X[0]
    cdef char *a = space  # what goes into a layer, and
    cdef char *b = space + job.matrix_bytes  # what comes out of it
    cdef fastnn_batch batch
    cdef size_t i, start, n_outputs, row_bytes

    skip_samples(&X, first)
    if X.starts != NULL:
        batch = sparse_block(job, &X, rows, b + job.matrix_bytes)
    else:
        batch = dense_block(job, &X, rows, a, b + job.matrix_bytes)
    for i in range(job.n_layers):
        dense_forward_alone(kernels, &job.layers[i], &batch, NULL, 0, b, job.ld)
        a, b = b, a
        batch = whole_batch(rows, a, job.ld, job.all_terms)

    n_outputs = job.layers[job.n_layers - 1].fan_out
    if job.head == SOFTMAX:
        for i in range(job.n_groups):
            start = job.group_starts[i]
            kernels.softmax(rows, job.group_starts[i + 1] - start, a + start * kernels.itemsize, job.ld)
    elif job.head != FASTNN_IDENTITY:
        kernels.activate(job.head, rows, n_outputs, a, job.ld, a, job.ld)
    if job.losses != NULL:
        job.losses[block] = block_loss(job, first, rows, a, space + job.thread_bytes)
    else:
        row_bytes = n_outputs * kernels.itemsize
        for i in range(rows):
            memcpy(job.out + (first + i) * row_bytes, a + i * job.ld * kernels.itemsize, row_bytes)


cdef fastnn_batch dense_block(const Forward *job, const fastnn_samples *X, size_t rows, char *x,
                              char *space) noexcept nogil:
    cdef uint32_t *counts = <uint32_t *> space
    cdef uint32_t *columns = counts + n_tiles(job.kernels, job.block_rows)
    cdef fastnn_batch batch = whole_batch(rows, x, job.ld, job.all_terms)
    if job.in_place:
        batch = whole_batch(rows, X.data, X.row_stride // job.kernels.itemsize, job.all_terms)
    else:
        job.kernels.gather(X, NULL, rows, x, job.ld)
    job.kernels.used_columns(rows, X.n_features, batch.values, batch.ld, columns, counts, X.n_features)
    batch.columns = fastnn_terms(columns, counts, X.n_features)
    return batch


cdef fastnn_batch sparse_block(const Forward *job, const fastnn_samples *X, size_t rows, char *space) noexcept nogil:
    cdef fastnn_entries entries
    entries.starts = <size_t *> space
    entries.values = entries.starts + job.block_rows + 1
    entries.columns = <uint32_t *> (<char *> entries.values + job.n_entries * job.kernels.itemsize)
    entries.rows = entries.columns + job.n_entries
    entries.capacity = job.n_entries
    entries.heads = entries.next = NULL  # only a gradient asks for them
    job.kernels.gather_entries(X, NULL, 0, rows, &entries)
    return sparse_batch(rows, entries)


cdef double block_loss(const Forward *job, size_t first, size_t rows, char *z, char *space_end) noexcept nogil:
    """The loss of a block's outputs or logits z, which are overwritten; the end of the thread's space is for this."""
    cdef LossRows wanted = job.loss_rows
    wanted.weights = space_end - job.target_bytes
    wanted.targets = wanted.weights - job.target_bytes
    wanted.labels = <int32_t *> (wanted.targets - job.label_bytes)
    gather_wanted(job.kernels, job.wanted, NULL, first, rows, &wanted, 0)
    return rows_loss(job.kernels, &wanted, 0, rows, z, job.ld, z, job.ld)
