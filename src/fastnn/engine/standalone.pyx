"""`Dense`, a single layer for Python: the three products by themselves, for tests and benchmarks."""

import numpy as np

cimport numpy as cnp
from libc.stddef cimport size_t
from libc.stdint cimport uint32_t
from libc.string cimport memset

from fastnn.engine cimport isa
from fastnn.engine.activation import number
from fastnn.engine.arrays import aligned_zeros
from fastnn.engine.arrays cimport round_up, row_length
from fastnn.engine.kernels cimport (
    FASTNN_IDENTITY, FASTNN_gradient, fastnn_kernels, fastnn_update,
)
from fastnn.engine.layers.layer cimport Parameter
from fastnn.engine.layers.signal cimport Signal, finish_delta, n_panels, signal_rows
from fastnn.engine.products cimport dense_back, dense_forward, dense_step, every_term, n_weight_tasks, packed_size
from fastnn.engine.threads.team cimport Team, affordable_team, run_team

cnp.import_array()


# One of the products, which a team computes.
cdef struct Product:
    const fastnn_kernels *kernels
    const Parameter *parameter
    Signal below, above
    size_t rows
    const fastnn_update *update


cdef void forward(void *job, const Team *team) noexcept nogil:
    cdef Product *product = <Product *> job
    dense_forward(product.kernels, &product.parameter.matrix, &product.below, product.rows, &product.above, NULL, team)


cdef void back(void *job, const Team *team) noexcept nogil:
    cdef Product *product = <Product *> job
    dense_back(product.kernels, &product.parameter.matrix, product.rows, product.above.delta_t, &product.below, team)


cdef void step(void *job, const Team *team) noexcept nogil:
    cdef Product *product = <Product *> job
    x = signal_rows(product.kernels, &product.below, 0, product.rows)
    dense_step(product.kernels, product.parameter, &x, product.above.delta, product.above.ld, product.update, NULL,
               team)


cdef class Dense:
    """One dense layer, a = f(x W + b), with packed weights.

    Parameters
    ----------
    W : ndarray of shape (fan_in, fan_out), float32 or float64
        The layer computes in the type of W.
    b : ndarray of shape (fan_out,)
    activation : str, default="identity"
    n_threads : int, default=1
    level : str, default=None
        The instruction set; None is the one that fastnn uses.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn.engine.standalone import Dense
    >>> layer = Dense(np.array([[1.0, -1.0], [2.0, -2.0]]), np.array([0.5, 0.5]), activation="relu")
    >>> layer.forward(np.array([[1.0, 1.0]]))
    array([[3.5, 0. ]])
    """

    cdef const fastnn_kernels *kernels
    cdef Parameter parameter
    cdef int activation
    cdef object dtype, weights, state, all_terms, delta_t
    cdef int n_threads

    def __init__(self, W, b, str activation="identity", int n_threads=1, level=None):
        cdef cnp.ndarray W_array, b_array, weights, state
        self.dtype = np.result_type(W)
        self.kernels = isa.kernels_for(self.dtype, level)
        if n_threads < 1:
            raise ValueError(f"n_threads must be at least 1, got {n_threads}")
        self.n_threads = affordable_team(n_threads)
        self.parameter.matrix.fan_in, self.parameter.matrix.fan_out = W.shape
        self.parameter.learnt = self.parameter.biased = True
        self.activation = number(activation)
        size = packed_size(self.kernels, self.parameter.matrix.fan_in, self.parameter.matrix.fan_out)
        self.weights = weights = aligned_zeros(size, self.dtype)
        self.state = state = aligned_zeros(size, self.dtype)
        self.all_terms = np.arange(self.parameter.matrix.fan_in, dtype=np.uint32)
        self.parameter.matrix.weights, self.parameter.matrix.state = cnp.PyArray_DATA(weights), cnp.PyArray_DATA(state)
        self.parameter.matrix.state_stride = 0
        W_array, b_array = np.asarray(W, self.dtype), np.ascontiguousarray(b, self.dtype)
        if np.shape(b_array) != np.shape(W_array)[1:]:
            raise ValueError(
                f"b must have shape {np.shape(W_array)[1:]}, a number for each column of W, got {np.shape(b)}")
        self.kernels.pack_matrix(&self.parameter.matrix, cnp.PyArray_DATA(W_array), W_array.strides[0],
                                 W_array.strides[1], cnp.PyArray_DATA(b_array))

    cdef Product _product(self, size_t rows) except *:
        """A product of so many rows, whose sums have all their terms."""
        cdef Product product
        cdef cnp.ndarray all_terms = self.all_terms
        memset(&product, 0, sizeof(Product))
        if <size_t> all_terms.shape[0] < rows:
            self.all_terms = all_terms = np.arange(rows, dtype=np.uint32)
        product.kernels, product.parameter, product.rows = self.kernels, &self.parameter, rows
        product.below.positions = product.above.positions = 1
        product.below.channels, product.above.channels = self.parameter.matrix.fan_in, self.parameter.matrix.fan_out
        product.below.columns = product.below.samples = every_term(<const uint32_t *> cnp.PyArray_DATA(all_terms))
        product.above.activation = self.activation
        return product

    cdef _read(self, Signal *below, cnp.ndarray x):
        """Let x be what the layer reads."""
        if x.dtype != self.dtype or x.ndim != 2 or x.shape[1] != self.parameter.matrix.fan_in:
            raise ValueError(f"x must have shape (n, {self.parameter.matrix.fan_in}) and type {self.dtype}, "
                             f"got {np.shape(x)} and {x.dtype}")
        if x.strides[1] != self.kernels.itemsize or x.strides[0] < 0 or x.strides[0] % self.kernels.itemsize:
            raise ValueError(f"x must have contiguous rows in ascending order, got strides {(<object> x).strides}")
        below.values, below.ld = <char *> cnp.PyArray_DATA(x), x.strides[0] // self.kernels.itemsize

    def empty(self, n, cols):
        """A matrix of n rows of cols numbers, padded to whole tiles, with the row length of a network's workspace."""
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
            The result of `empty(n, fan_out)`, which may be used again in every call.

        Returns
        -------
        ndarray of shape (n, fan_out)
            A view of out.
        """
        cdef Product product = self._product(len(x))
        cdef cnp.ndarray a = self.empty(product.rows, self.parameter.matrix.fan_out) if out is None else out
        cdef size_t ld = a.strides[0] // self.kernels.itemsize
        cdef size_t whole_panels = round_up(self.parameter.matrix.fan_out, self.kernels.tile_cols)
        if (a.dtype != self.dtype or <size_t> a.shape[0] < product.rows or ld < whole_panels or not a.flags.writeable
                or not a.flags.aligned or a.strides[1] != a.itemsize):
            raise ValueError(f"out must come from empty(n, fan_out) with n at least {product.rows}, got an array of "
                             f"{a.dtype} with shape {np.shape(a)}")
        self._read(&product.below, x)
        product.above.values, product.above.ld = <char *> cnp.PyArray_DATA(a), ld
        with nogil:
            run_team(self.n_threads, forward, &product, NULL)
        return a[: product.rows, : self.parameter.matrix.fan_out]

    def _padded(self, matrix, n, cols):
        """The matrix itself if it was made by `empty`, else a copy in one that is."""
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
            What the layer below keeps: the result of `empty(n, fan_in)`, filled, or any array, which costs a copy.
        activation_below : str, default="identity"
        out : ndarray, default=None
            The result of `empty(n, fan_in)`, which may be used again in every call.

        Returns
        -------
        ndarray of shape (n, fan_in)
            A view of out.
        """
        cdef size_t n = len(delta), fan_in = self.parameter.matrix.fan_in, fan_out = self.parameter.matrix.fan_out
        if np.shape(delta) != (n, fan_out):
            raise ValueError(f"delta must have shape ({n}, {fan_out}), got {np.shape(delta)}")
        cdef Product product = self._product(n)
        cdef cnp.ndarray kept_rows = self._padded(kept, n, fan_in)
        cdef cnp.ndarray delta_in = self.empty(n, fan_in) if out is None else self._padded(out, n, fan_in)
        cdef cnp.ndarray delta_out = np.ascontiguousarray(delta, self.dtype), delta_out_t
        if self.delta_t is None or len(self.delta_t) != kept_rows.shape[0] * fan_out:
            self.delta_t = aligned_zeros(kept_rows.shape[0] * fan_out, self.dtype)
        delta_out_t = self.delta_t
        product.above.activation = FASTNN_IDENTITY
        product.above.delta, product.above.ld = <char *> cnp.PyArray_DATA(delta_out), fan_out
        product.above.delta_t = <char *> cnp.PyArray_DATA(delta_out_t)
        product.below.activation = number(activation_below)
        product.below.kept, product.below.ld = (
            <char *> cnp.PyArray_DATA(kept_rows), kept_rows.strides[0] // self.kernels.itemsize)
        product.below.delta = <char *> cnp.PyArray_DATA(delta_in)
        with nogil:
            finish_delta(self.kernels, &product.above, 0, n, 0, n_panels(self.kernels, fan_out))
            run_team(self.n_threads, back, &product, NULL)
        return delta_in[:n, :fan_in]

    def grad_weights(self, x, delta, unpack=True):
        """x^T delta, and delta summed over its rows: the gradients of W and b.

        Parameters
        ----------
        x : ndarray of shape (n, fan_in)
            Of the layer's type, with contiguous rows.
        delta : ndarray of shape (n, fan_out)
            The result of `empty(n, fan_out)`, filled, or any array, which costs a copy.
        unpack : bool, default=True
            Return the gradients. False: leave them packed, where an optimizer's memory would be.

        Returns
        -------
        dW : ndarray of shape (fan_in, fan_out)
        db : ndarray of shape (fan_out,)
        """
        cdef Product product = self._product(len(x))
        cdef size_t fan_in = self.parameter.matrix.fan_in, fan_out = self.parameter.matrix.fan_out
        cdef cnp.ndarray rows = self._padded(delta, product.rows, fan_out), state = self.state, dW, db
        cdef cnp.ndarray squares = np.empty(n_weight_tasks(self.kernels, &self.parameter.matrix))
        cdef fastnn_update update
        update.optimizer, update.scale, update.l2 = FASTNN_gradient, 1, 0
        update.learning_rate = update.decay_1 = update.decay_2 = update.epsilon = 0
        update.keep = 1
        self._read(&product.below, x)
        product.above.delta, product.above.ld = (
            <char *> cnp.PyArray_DATA(rows), rows.strides[0] // self.kernels.itemsize)
        self.parameter.squares, product.update = <double *> cnp.PyArray_DATA(squares), &update
        with nogil:
            run_team(self.n_threads, step, &product, NULL)
        if not unpack:
            return None
        dW, db = np.empty((fan_in, fan_out), self.dtype), np.empty(fan_out, self.dtype)
        self.kernels.unpack_matrix(&self.parameter.matrix, cnp.PyArray_DATA(state), cnp.PyArray_DATA(dW),
                                   cnp.PyArray_DATA(db))
        return dW, db
