"""The layer normalization layer: f((x - mean) / sqrt(variance + epsilon) * gamma + beta), over a position's channels.

The means and the scales of the positions are the memo of the signal above.
"""

from libc.math cimport isfinite
from libc.stddef cimport size_t
from libc.string cimport memset

from fastnn.engine.layers.layer import ParameterShape, settings_of
from fastnn.engine.layers.layer cimport EngineLayer, Layer, LayerKind
from fastnn.engine.layers.signal cimport (
    Signal, Step, finish_sample_deltas, finish_sample_values, memo_of, n_panels, row_of, rows_before, rows_of,
    sums_of,
)


cdef inline double epsilon_of(const Layer *layer) noexcept nogil:
    return (<const double *> layer.shape)[0]


cdef void forward_rows(const Layer *layer, const Signal *below, const Signal *above, size_t first, size_t last,
                       const Step *step) noexcept nogil:
    cdef size_t row = rows_before(below, first), rows = rows_of(below, first, last)
    layer.kernels.layer_norm_forward(
        rows, below.channels, epsilon_of(layer), row_of(layer.kernels, below, below.values, row), below.ld,
        layer.parameters[0].matrix.weights, layer.parameters[1].matrix.weights,
        row_of(layer.kernels, above, sums_of(above), row), above.ld, memo_of(layer.kernels, above, above, first))
    finish_sample_values(layer.kernels, above, first, last, step)


cdef void back_rows(const Layer *layer, const Signal *below, const Signal *above, size_t first,
                    size_t last) noexcept nogil:
    cdef size_t row = rows_before(below, first), rows = rows_of(below, first, last)
    layer.kernels.layer_norm_grad_input(
        rows, below.channels, row_of(layer.kernels, below, below.values, row), below.ld,
        memo_of(layer.kernels, above, above, first), layer.parameters[0].matrix.weights,
        row_of(layer.kernels, above, above.delta, row), above.ld,
        row_of(layer.kernels, below, below.delta, row), below.ld)
    finish_sample_deltas(layer.kernels, below, first, last)


cdef void grad_rows(const Layer *layer, const Signal *below, const Signal *above, size_t first, size_t last,
                    char *gradient, bint onto) noexcept nogil:
    cdef size_t row = rows_before(below, first), rows = rows_of(below, first, last)
    cdef size_t size = n_panels(layer.kernels, below.channels) * layer.kernels.tile_cols * layer.kernels.itemsize
    if not onto:
        memset(gradient, 0, 2 * size)
    layer.kernels.layer_norm_grad_weights(
        rows, below.channels, row_of(layer.kernels, below, below.values, row), below.ld,
        memo_of(layer.kernels, above, above, first), row_of(layer.kernels, above, above.delta, row), above.ld, gradient,
        gradient + size)


cdef LayerKind LAYER_NORMALIZATION = LayerKind(forward_rows, back_rows, grad_rows, NULL, NULL, NULL, NULL)


cdef class LayerNormalizationLayer(EngineLayer):
    """A layer normalization layer: ``("layer_normalization", epsilon, activation="identity", trainable=True)``."""

    cdef double epsilon
    cdef bint trainable

    def __init__(self, tuple description, tuple input_shape):
        self.description, self.input_shape, self.output_shape = description, input_shape, input_shape
        epsilon, self.activation, self.trainable = settings_of(description, 3, "identity", True)
        if not isinstance(epsilon, (int, float)) or not isfinite(epsilon) or not epsilon > 0:
            raise ValueError(f"epsilon must be a finite number above 0, got {epsilon!r}")
        self.epsilon = epsilon
        self.kind, self.shape = &LAYER_NORMALIZATION, &self.epsilon

    def parameter_shapes(self):
        return [ParameterShape(0, self.input_shape[-1], learnt=self.trainable)] * 2

    def reads_whole_vectors(self):
        return False

    def memo_size(self):
        return 2
