"""The dense layer: f(x W + b), where x is the channels of one position."""

from libc.stddef cimport size_t

from fastnn.engine.arrays cimport Workspace
from fastnn.engine.kernels cimport FASTNN_accumulate, FASTNN_gradient, fastnn_batch, fastnn_matrix
from fastnn.engine.layers.layer import ParameterShape
from fastnn.engine.layers.layer cimport EngineLayer, Layer, LayerKind
from fastnn.engine.layers.signal cimport (
    Signal, Step, finish_sample_deltas, n_panels, row_of, rows_before, rows_of, signal_rows,
)
from fastnn.engine.products cimport (
    dense_back, dense_forward, dense_forward_rows, dense_step, packed_size, transpose_weights,
)
from fastnn.engine.threads.team cimport Team


cdef inline fastnn_matrix *weights_of(const Layer *layer) noexcept nogil:
    return &layer.parameters[0].matrix


cdef inline fastnn_matrix *transposed_of(const Layer *layer) noexcept nogil:
    """W^T, packed as a matrix without biases, of a layer whose error goes back by rows; else NULL."""
    return <fastnn_matrix *> layer.workspace


cdef void forward_rows(const Layer *layer, const Signal *below, const Signal *above, size_t first, size_t last,
                       const Step *step) noexcept nogil:
    dense_forward_rows(layer.kernels, weights_of(layer), below, rows_before(below, first), rows_before(below, last),
                       above, step)


cdef void forward_shared(const Layer *layer, const Signal *below, const Signal *above, size_t n_samples,
                         const Step *step, const Team *team) noexcept nogil:
    dense_forward(layer.kernels, weights_of(layer), below, rows_before(below, n_samples), above, step, team)


cdef void back_rows(const Layer *layer, const Signal *below, const Signal *above, size_t first,
                    size_t last) noexcept nogil:
    """By the forward product with W^T. Keeping W^T costs little, since such layers are small."""
    cdef fastnn_matrix *transposed = transposed_of(layer)
    cdef size_t row = rows_before(below, first), rows = rows_of(below, first, last)
    cdef fastnn_batch delta = signal_rows(layer.kernels, above, row, row + rows)
    delta.values = row_of(layer.kernels, above, above.delta, row)
    layer.kernels.dense_forward(transposed, &delta, 0, n_panels(layer.kernels, transposed.fan_out), 0,
                                row_of(layer.kernels, below, below.delta, row), below.ld)
    finish_sample_deltas(layer.kernels, below, first, last)


cdef void back_shared(const Layer *layer, const Signal *below, const Signal *above, size_t n_samples,
                      const Team *team) noexcept nogil:
    dense_back(layer.kernels, weights_of(layer), rows_before(below, n_samples), above.delta_t, below, team)


cdef void make_step(const Layer *layer, const Signal *below, const Signal *above, size_t n_samples, const Step *step,
                    const Team *team) noexcept nogil:
    cdef fastnn_batch x = signal_rows(layer.kernels, below, 0, rows_before(below, n_samples))
    cdef bint changes = step.update.optimizer != FASTNN_gradient and step.update.optimizer != FASTNN_accumulate
    dense_step(layer.kernels, &layer.parameters[0], &x, above.delta, above.ld, &step.update,
               transposed_of(layer) if changes else NULL, team)


cdef void refresh(const Layer *layer, size_t parameter, size_t panel) noexcept nogil:
    if layer.workspace != NULL:
        transpose_weights(layer.kernels, weights_of(layer), panel, 0, weights_of(layer).fan_in, transposed_of(layer))


cdef LayerKind DENSE = LayerKind(forward_rows, back_rows, NULL, forward_shared, back_shared, make_step, refresh)


cdef class DenseLayer(EngineLayer):
    """A dense layer: ``("dense", units, activation, use_bias=True, trainable=True)``."""

    def __init__(self, tuple description, tuple input_shape):
        self.description, self.input_shape = description, input_shape
        if not 3 <= len(description) <= 5:
            raise ValueError(f"a dense layer must have 2 to 4 settings, got {description}")
        units, self.activation, *flags = description[1:]
        self.use_bias, self.trainable = [*flags, True, True][:2]
        # Columns are counted in 32 bits, and matrices of 2^31 rows or columns have more numbers than memory.
        if not isinstance(units, int) or not 1 <= units < 2**31:
            raise ValueError(f"units must be from 1 to 2**31 - 1, got {units!r}")
        self.output_shape = (*input_shape[:-1], units)
        self.kind = &DENSE

    def parameter_shapes(self):
        return [ParameterShape(self.input_shape[-1], self.output_shape[-1], self.trainable, self.use_bias)]

    def reads_sparse(self):
        return True

    def rows_cost(self):
        cdef size_t fan_in = self.input_shape[-1], fan_out = self.output_shape[-1]
        return max(packed_size(self.kernels, fan_in, fan_out), packed_size(self.kernels, fan_out, fan_in))  # W, W^T

    def needs_transposed_delta(self):
        return True

    cdef void *book(self, Layer *layer, size_t batch_size, bint by_rows, Workspace space) except? NULL:
        cdef fastnn_matrix *W = weights_of(layer)
        cdef fastnn_matrix *transposed
        if not by_rows:
            return NULL
        transposed = <fastnn_matrix *> space.zeros(sizeof(fastnn_matrix), "u1")
        transposed.fan_in, transposed.fan_out = W.fan_out, W.fan_in
        transposed.weights = space.zeros(
            packed_size(layer.kernels, transposed.fan_in, transposed.fan_out),
            "f4" if layer.kernels.itemsize == 4 else "f8")
        return transposed
