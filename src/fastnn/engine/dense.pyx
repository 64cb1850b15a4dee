"""The three products of a dense layer, shared among threads: see dense.pxd. And `Dense`, one layer for Python."""

import numpy as np

cimport numpy as cnp
from cython.parallel cimport parallel
from libc.stddef cimport size_t
from libc.stdint cimport uint32_t

from fastnn.engine cimport isa
from fastnn.engine.activation import number
from fastnn.engine.arrays import aligned_zeros
from fastnn.engine.arrays cimport round_up, row_length
from fastnn.engine.kernels cimport (
    FASTNN_gradient, fastnn_batch, fastnn_dense, fastnn_entries, fastnn_kernels, fastnn_terms, fastnn_update,
)
from fastnn.engine.team cimport Share, affordable_team, my_share

cnp.import_array()

# A forward task is so many tiles of batch rows by so many panels: what it reads and writes of a depth's x, W and z
# stays in the second-level cache. While a product has few tasks, for all the threads there may be, they are smaller.
cdef size_t FORWARD_TILES = 16
cdef size_t FORWARD_PANELS = 4
cdef size_t FORWARD_TASKS = 64
# The weights' gradient goes by blocks of so many tiles of rows of W by so many panels, the kernel's own.
cdef size_t WEIGHT_TILES = 16
cdef size_t WEIGHT_PANELS = 2
# The error is carried back to so many inputs, the kernel's own block, of one batch tile, and of so many tiles in turn,
# whose errors stay in the second-level cache.
cdef size_t INPUT_BLOCK = 48
cdef size_t INPUT_TILES = 4


cdef struct Spot:
    size_t row, column
    size_t strip_end  # the column after the strip's last


cdef inline Spot task_spot(size_t task, size_t n_rows, size_t n_columns, size_t width) noexcept nogil:
    """Where a task is on a grid of tasks, which are counted in strips of so many columns, and there row by row."""
    cdef size_t first = task // (n_rows * width) * width
    cdef size_t in_strip = task - first * n_rows
    width = min(width, n_columns - first)
    return Spot(in_strip // width, first + in_strip % width, first + width)


cdef size_t n_panels(const fastnn_kernels *kernels, const fastnn_dense *layer) noexcept nogil:
    return (layer.fan_out + kernels.tile_cols - 1) // kernels.tile_cols


cdef size_t n_tiles(const fastnn_kernels *kernels, size_t rows) noexcept nogil:
    """Register tiles that cover so many rows, of a batch or of W."""
    return (rows + kernels.tile_rows - 1) // kernels.tile_rows


cdef size_t packed_size(const fastnn_kernels *kernels, size_t fan_in, size_t fan_out) noexcept nogil:
    """Numbers in a layer's panels, biases included."""
    return (1 + fan_in) * round_up(fan_out, kernels.tile_cols)


cdef fastnn_batch whole_batch(size_t rows, const void *values, size_t ld, const uint32_t *all_terms) noexcept nogil:
    """A batch nothing is known of, so that every term is summed; all_terms counts from 0 as far as any sum goes."""
    cdef fastnn_terms every = fastnn_terms(all_terms, NULL, 0)
    cdef fastnn_entries none
    none.starts = NULL
    return fastnn_batch(rows, values, ld, every, every, none)


cdef fastnn_batch sparse_batch(size_t rows, fastnn_entries entries) noexcept nogil:
    cdef fastnn_terms none = fastnn_terms(NULL, NULL, 0)
    return fastnn_batch(rows, NULL, 0, none, none, entries)


cdef fastnn_batch batch_part(const fastnn_kernels *kernels, const fastnn_batch *x, size_t first,
                             size_t last) noexcept nogil:
    """Rows first ... last of a batch, first being a multiple of tile_rows, for the forward product."""
    cdef fastnn_batch part = x[0]
    cdef size_t tile = first // kernels.tile_rows
    part.rows = last - first
    part.values = <const char *> x.values + first * x.ld * kernels.itemsize
    part.columns.terms += tile * x.columns.stride
    if x.columns.counts != NULL:
        part.columns.counts += tile
    if x.entries.starts != NULL:
        part.entries.starts += first
    return part


cdef void dense_forward(const fastnn_kernels *kernels, const fastnn_dense *layer, const fastnn_batch *x,
                        char *z, size_t ldz, char *a, size_t lda) noexcept nogil:
    """a (x.rows, fan_out) = f(x W + b); z, unless NULL, keeps x W + b."""
    cdef size_t panels = n_panels(kernels, layer), tiles = n_tiles(kernels, x.rows)
    cdef size_t wide = min(FORWARD_PANELS, max(1, panels * tiles // (FORWARD_TILES // 4 * FORWARD_TASKS)))
    cdef size_t high = kernels.tile_rows * min(FORWARD_TILES, max(
        FORWARD_TILES // 4, panels * tiles // (FORWARD_PANELS * FORWARD_TASKS)))
    cdef size_t n_strips = (panels + wide - 1) // wide
    cdef size_t task, row, panel, n_chunks = (x.rows + high - 1) // high
    cdef Share mine = my_share(n_strips * n_chunks)
    cdef fastnn_batch part
    for task in range(mine.first, mine.last):
        panel, row = task // n_chunks * wide, task % n_chunks * high
        part = batch_part(kernels, x, row, min(row + high, x.rows))
        kernels.dense_forward(layer, &part, panel, min(panel + wide, panels),
                              z + row * ldz * kernels.itemsize if z != NULL else NULL, ldz,
                              a + row * lda * kernels.itemsize, lda)


cdef void dense_forward_alone(const fastnn_kernels *kernels, const fastnn_dense *layer, const fastnn_batch *x,
                              char *z, size_t ldz, char *a, size_t lda) noexcept nogil:
    """The same by the calling thread alone: for rows that it takes through several layers."""
    kernels.dense_forward(layer, x, 0, n_panels(kernels, layer), z, ldz, a, lda)


cdef void dense_grad_input(const fastnn_kernels *kernels, const fastnn_dense *layer, size_t rows,
                           const char *delta_out_t, int activation_below, const char *kept, size_t ldk,
                           const char *mask, char *delta_in, size_t ldi, char *delta_in_t) noexcept nogil:
    """delta_in (rows, fan_in) = (delta_out W^T) * f'(kept), and its transpose unless delta_in_t is NULL.

    mask, unless NULL, multiplies both. Transposed matrices are in tiles: see transpose_rows.
    """
    cdef size_t task, first, row
    cdef Spot spot
    cdef size_t n_tiles = (rows + kernels.tile_cols - 1) // kernels.tile_cols
    cdef size_t n_blocks = (layer.fan_in + INPUT_BLOCK - 1) // INPUT_BLOCK
    cdef Share mine = my_share(n_blocks * n_tiles)
    for task in range(mine.first, mine.last):
        spot = task_spot(task, n_blocks, n_tiles, INPUT_TILES)
        first = spot.row * INPUT_BLOCK
        row = spot.column * kernels.tile_cols
        kernels.dense_grad_input(
            layer, first, min(first + INPUT_BLOCK, layer.fan_in), delta_out_t + row * layer.fan_out * kernels.itemsize,
            row, activation_below, kept, ldk, mask, delta_in, ldi,
            delta_in_t + row * layer.fan_in * kernels.itemsize if delta_in_t != NULL else NULL)


cdef void transpose_rows(const fastnn_kernels *kernels, size_t first, size_t last, size_t cols, const char *matrix,
                         size_t ld, char *matrix_t) noexcept nogil:
    """Rows [first, last) of matrix (rows, cols) into its transpose, which is in tiles, each (cols, tile_cols).

    Whole, its rows would be as far apart as a batch is long: each step of a sum would be on another page of memory.
    """
    rows_into_tiles(kernels, first, last, cols, matrix, ld, matrix_t, cols)


cdef void transpose_weights(const fastnn_kernels *kernels, const fastnn_dense *layer, size_t panel, size_t first,
                            size_t last, const fastnn_dense *transposed) noexcept nogil:
    """Rows [first, last) of a panel of W into W^T, which is packed as a layer from fan_out to fan_in without biases."""
    cdef size_t width = kernels.tile_cols, column = panel * width, past_bias = width * kernels.itemsize
    cdef const char *W = <const char *> layer.weights + (panel * (1 + layer.fan_in) * width) * kernels.itemsize
    rows_into_tiles(kernels, first, last, min(width, layer.fan_out - column), W + past_bias, width,
                    <char *> transposed.weights + past_bias + column * width * kernels.itemsize, 1 + layer.fan_out)


cdef inline void rows_into_tiles(const fastnn_kernels *kernels, size_t first, size_t last, size_t cols,
                                 const char *matrix, size_t ld, char *tiles, size_t tile_rows) noexcept nogil:
    """Rows [first, last) of matrix (rows, cols) as columns of tiles, each of tile_rows rows of tile_cols numbers."""
    cdef size_t end, row = first, tile
    while row < last:
        tile = row - row % kernels.tile_cols
        end = min(tile + kernels.tile_cols, last)
        kernels.transpose(end - row, cols, matrix + row * ld * kernels.itemsize, ld,
                          tiles + (tile * tile_rows + row - tile) * kernels.itemsize, kernels.tile_cols)
        row = end


cdef size_t weight_chunks(const fastnn_kernels *kernels, const fastnn_dense *layer) noexcept nogil:
    cdef size_t chunk = WEIGHT_TILES * kernels.tile_rows
    return (layer.fan_in + chunk - 1) // chunk


cdef size_t n_weight_tasks(const fastnn_kernels *kernels, const fastnn_dense *layer) noexcept nogil:
    return n_panels(kernels, layer) * weight_chunks(kernels, layer)


cdef void dense_grad_weights(const fastnn_kernels *kernels, const fastnn_dense *layer, const fastnn_batch *x,
                             const char *delta, size_t ldd, const fastnn_update *update, double *squares,
                             const fastnn_dense *transposed) noexcept nogil:
    """One optimizer step on W and b with their gradients x^T delta and sum(delta).

    squares (n_weight_tasks) gets the sums of the squares of W before the step, task by task; transposed, unless NULL,
    W^T after it.
    """
    cdef size_t panel, end, first, chunk = WEIGHT_TILES * kernels.tile_rows
    cdef size_t panels = n_panels(kernels, layer), n_chunks = weight_chunks(kernels, layer)
    cdef Share mine = my_share(panels * n_chunks)
    cdef size_t task = mine.first
    cdef Spot spot
    while task < mine.last:  # a task is a chunk of one panel: those of a strip's width that are this thread's at once
        spot = task_spot(task, n_chunks, panels, WEIGHT_PANELS)
        first, end = spot.row * chunk, min(spot.strip_end, spot.column + mine.last - task)
        kernels.dense_grad_weights(layer, x, spot.column, end, first, min(first + chunk, layer.fan_in), delta, ldd,
                                   update, squares + task)
        task += end - spot.column
        for panel in range(spot.column, end):
            if first == 0:
                kernels.dense_grad_bias(layer, panel, x.rows, delta, ldd, update)
            if transposed != NULL:
                transpose_weights(kernels, layer, panel, first, min(first + chunk, layer.fan_in), transposed)


cdef class Dense:
    """One dense layer, a = f(x W + b), its weights packed: the products by themselves, for tests and benchmarks.

    Parameters
    ----------
    W : ndarray of shape (fan_in, fan_out), float32 or float64
        The layer computes in its type.
    b : ndarray of shape (fan_out,)
    activation : str, default="identity"
    n_threads : int, default=1
    level : str, default=None
        The instruction set; None is the one that fastnn uses.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn.engine.dense import Dense
    >>> layer = Dense(np.array([[1.0, -1.0], [2.0, -2.0]]), np.array([0.5, 0.5]), activation="relu")
    >>> layer.forward(np.array([[1.0, 1.0]]))
    array([[3.5, 0. ]])
    """

    cdef const fastnn_kernels *kernels
    cdef fastnn_dense layer
    cdef object dtype, weights, state, all_terms, delta_t
    cdef int n_threads

    def __init__(self, W, b, str activation="identity", int n_threads=1, level=None):
        cdef cnp.ndarray W_array, b_array, weights, state
        self.dtype = np.result_type(W)
        self.kernels = isa.kernels_for(self.dtype, level)
        if n_threads < 1:
            raise ValueError(f"{n_threads} threads")
        self.n_threads = affordable_team(n_threads)
        self.layer.fan_in, self.layer.fan_out = W.shape
        self.layer.activation = number(activation)
        size = packed_size(self.kernels, self.layer.fan_in, self.layer.fan_out)
        self.weights = weights = aligned_zeros(size, self.dtype)
        self.state = state = aligned_zeros(size, self.dtype)
        self.all_terms = np.arange(self.layer.fan_in, dtype=np.uint32)
        self.layer.weights, self.layer.state = cnp.PyArray_DATA(weights), cnp.PyArray_DATA(state)
        self.layer.state_stride = 0
        W_array, b_array = np.asarray(W, self.dtype), np.ascontiguousarray(b, self.dtype)
        if b_array.shape[0] != W_array.shape[1]:
            raise ValueError(f"b has {b_array.shape[0]} numbers, W has {W_array.shape[1]} columns")
        self.kernels.pack_dense(&self.layer, cnp.PyArray_DATA(W_array), W_array.strides[0], W_array.strides[1],
                                cnp.PyArray_DATA(b_array))

    cdef fastnn_batch _batch(self, cnp.ndarray x) except *:
        cdef cnp.ndarray columns = self.all_terms
        if x.dtype != self.dtype or x.ndim != 2 or x.shape[1] != self.layer.fan_in:
            raise ValueError(f"x must have shape (n, {self.layer.fan_in}) and type {self.dtype}")
        if x.strides[1] != self.kernels.itemsize or x.strides[0] < 0 or x.strides[0] % self.kernels.itemsize:
            raise ValueError("x must have contiguous rows")
        if columns.shape[0] < x.shape[0]:
            self.all_terms = columns = np.arange(x.shape[0], dtype=np.uint32)
        return whole_batch(x.shape[0], cnp.PyArray_DATA(x), x.strides[0] // self.kernels.itemsize,
                           <const uint32_t *> cnp.PyArray_DATA(columns))

    def empty(self, n, cols):
        """A matrix for n rows of cols numbers, padded to whole tiles, its rows apart as in a network's workspace."""
        ld = row_length(cols, self.kernels.tile_cols, self.kernels.itemsize)
        rows = round_up(n, self.kernels.tile_cols)
        return aligned_zeros(rows * ld, self.dtype).reshape(rows, ld)

    def forward(self, x, out=None):
        """f(x W + b).

        Parameters
        ----------
        x : ndarray of shape (n, fan_in)
            Of the layer's type, with contiguous rows.
        out : ndarray, default=None
            `empty(n, fan_out)`, to be used again from call to call.

        Returns
        -------
        ndarray of shape (n, fan_out)
            A view of out.
        """
        cdef fastnn_batch batch = self._batch(x)
        cdef cnp.ndarray a = self.empty(batch.rows, self.layer.fan_out) if out is None else out
        cdef size_t ld = a.strides[0] // self.kernels.itemsize
        cdef size_t whole_panels = round_up(self.layer.fan_out, self.kernels.tile_cols)
        if (a.dtype != self.dtype or a.shape[0] < batch.rows or ld < whole_panels or not a.flags.writeable
                or not a.flags.aligned or a.strides[1] != a.itemsize):
            raise ValueError("out must come from empty(n, fan_out)")
        with nogil, parallel(num_threads=self.n_threads):
            dense_forward(self.kernels, &self.layer, &batch, NULL, 0, <char *> cnp.PyArray_DATA(a), ld)
        return a[: batch.rows, : self.layer.fan_out]

    def _padded(self, matrix, n, cols):
        """The matrix itself, if it was made by `empty`; else a copy that could have been."""
        shape = round_up(n, self.kernels.tile_cols), row_length(cols, self.kernels.tile_cols, self.kernels.itemsize)
        if matrix.shape == shape and matrix.dtype == self.dtype and matrix.flags.c_contiguous:
            return matrix
        padded = self.empty(n, cols)
        padded[: len(matrix), :cols] = matrix[:, :cols]
        return padded

    def grad_input(self, delta, kept, str activation_below="identity", out=None):
        """(delta W^T) * f'(kept).

        Parameters
        ----------
        delta : ndarray of shape (n, fan_out)
        kept : ndarray of shape (n, fan_in)
            What the layer below keeps: `empty(n, fan_in)` filled, or any array, which costs a copy.
        activation_below : str, default="identity"
        out : ndarray, default=None
            `empty(n, fan_in)`, to be used again from call to call.

        Returns
        -------
        ndarray of shape (n, fan_in)
            A view of out.
        """
        cdef size_t n = len(delta), fan_in = self.layer.fan_in, fan_out = self.layer.fan_out
        if np.shape(delta) != (n, fan_out):
            raise ValueError(f"delta must have shape (n, {fan_out}), not {np.shape(delta)}")
        cdef cnp.ndarray kept_rows = self._padded(kept, n, fan_in)
        cdef cnp.ndarray delta_in = self.empty(n, fan_in) if out is None else self._padded(out, n, fan_in)
        cdef cnp.ndarray delta_out = np.ascontiguousarray(delta, self.dtype), delta_out_t
        cdef size_t ld = kept_rows.strides[0] // self.kernels.itemsize
        cdef int below = number(activation_below)
        if self.delta_t is None or len(self.delta_t) != kept_rows.shape[0] * fan_out:
            self.delta_t = aligned_zeros(kept_rows.shape[0] * fan_out, self.dtype)
        delta_out_t = self.delta_t
        with nogil:
            transpose_rows(self.kernels, 0, n, fan_out, <char *> cnp.PyArray_DATA(delta_out), fan_out,
                           <char *> cnp.PyArray_DATA(delta_out_t))
            with parallel(num_threads=self.n_threads):
                dense_grad_input(self.kernels, &self.layer, n, <char *> cnp.PyArray_DATA(delta_out_t), below,
                                 <char *> cnp.PyArray_DATA(kept_rows), ld, NULL,
                                 <char *> cnp.PyArray_DATA(delta_in), ld, NULL)
        return delta_in[:n, :fan_in]

    def grad_weights(self, x, delta, unpack=True):
        """x^T delta, and delta summed over its rows: the gradients of W and b.

        Parameters
        ----------
        x : ndarray of shape (n, fan_in)
            Of the layer's type, with contiguous rows.
        delta : ndarray of shape (n, fan_out)
            `empty(n, fan_out)` filled, or any array, which costs a copy.
        unpack : bool, default=True
            Return the gradients, not just leave them where the optimizers' memories are: packed.

        Returns
        -------
        dW : ndarray of shape (fan_in, fan_out)
        db : ndarray of shape (fan_out,)
        """
        cdef fastnn_batch batch = self._batch(x)
        cdef cnp.ndarray rows = self._padded(delta, batch.rows, self.layer.fan_out), state = self.state, dW, db
        cdef cnp.ndarray squares = np.empty(n_weight_tasks(self.kernels, &self.layer))
        cdef size_t ld = rows.strides[0] // self.kernels.itemsize
        cdef fastnn_update update
        update.optimizer, update.scale, update.l2 = FASTNN_gradient, 1, 0
        update.learning_rate = update.decay_1 = update.decay_2 = update.epsilon = 0
        update.keep = 1
        with nogil, parallel(num_threads=self.n_threads):
            dense_grad_weights(self.kernels, &self.layer, &batch, <char *> cnp.PyArray_DATA(rows), ld, &update,
                               <double *> cnp.PyArray_DATA(squares), NULL)
        if not unpack:
            return None
        dW, db = np.empty((self.layer.fan_in, self.layer.fan_out), self.dtype), np.empty(self.layer.fan_out, self.dtype)
        self.kernels.unpack_dense(&self.layer, cnp.PyArray_DATA(state), cnp.PyArray_DATA(dW), cnp.PyArray_DATA(db))
        return dW, db
