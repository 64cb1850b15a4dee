"""Batch normalization: each channel is shifted and scaled to mean 0 and variance 1, over all positions of a batch.

Then it is multiplied by gamma, and beta is added. Predictions take moving averages of the batches' means and variances.

The samples of a batch depend on each other by sums alone: forward by each channel's mean and variance, and back by the
gradients of gamma and beta. These are made part by part of the batch, by rows, and each thread adds all parts' for
itself after a barrier: see `Coupling` in layer.pxd. So the layers between two batch normalizations stay in the cache.
"""

from math import isfinite

from libc.stddef cimport size_t

from fastnn.engine.kernels cimport fastnn_batch_norm
from fastnn.engine.layers.layer import ParameterShape, settings_of
from fastnn.engine.layers.layer cimport Coupling, EngineLayer, Layer, LayerKind
from fastnn.engine.layers.signal cimport (
    Signal, Step, finish_delta, finish_values, n_panels, row_of, rows_before, rows_of, sums_of,
)
from fastnn.engine.products cimport packed_size

# A block of rows has about so many numbers, which stay in the first-level cache while its values are finished.
cdef size_t BLOCK_NUMBERS = 4000

cdef enum:
    GAMMA
    BETA
    MOVING_MEAN
    MOVING_VARIANCE


cdef struct Settings:
    double momentum, epsilon
    bint learns


cdef inline const Settings *shape_of(const Layer *layer) noexcept nogil:
    return <const Settings *> layer.shape


cdef inline size_t channels_of(const Layer *layer) noexcept nogil:
    return layer.parameters[0].matrix.fan_out


cdef inline char *second(const Layer *layer, char *vectors) noexcept nogil:
    """The second of two vectors that are packed as the parameters are: the variance, or the gradient of beta."""
    return vectors + (layer.parameters[1].offset - layer.parameters[0].offset) * layer.kernels.itemsize


cdef inline size_t n_rows(const Layer *layer) noexcept nogil:
    """The rows of a batch."""
    cdef size_t part, rows = 0
    for part in range(layer.n_parts):
        rows += layer.part_rows[part]
    return rows


cdef fastnn_batch_norm norm_of(const Layer *layer, bint by_batch) noexcept nogil:
    """With the mean and the variance of the batch, or with the moving averages."""
    cdef fastnn_batch_norm norm
    norm.cols, norm.epsilon = channels_of(layer), shape_of(layer).epsilon
    norm.gamma, norm.beta = layer.parameters[GAMMA].matrix.weights, layer.parameters[BETA].matrix.weights
    norm.mean = layer.parameters[MOVING_MEAN].matrix.weights
    norm.variance = layer.parameters[MOVING_VARIANCE].matrix.weights
    if by_batch:
        norm.mean, norm.variance = layer.all_sums, second(layer, layer.all_sums)
    return norm


cdef inline size_t block_rows(const Signal *signal) noexcept nogil:
    return max(<size_t> 1, BLOCK_NUMBERS // signal.ld)


cdef void forward_rows(const Layer *layer, const Signal *below, const Signal *above, size_t first, size_t last,
                       const Step *step) noexcept nogil:
    cdef fastnn_batch_norm norm = norm_of(layer, step != NULL and shape_of(layer).learns)
    cdef size_t row = rows_before(above, first), end = rows_before(above, last), n
    while row < end:
        n = min(block_rows(above), end - row)
        layer.kernels.batch_norm_forward(
            &norm, n, row_of(layer.kernels, below, below.values, row), below.ld,
            row_of(layer.kernels, above, sums_of(above), row), above.ld)
        finish_values(layer.kernels, above, row, n, 0, n_panels(layer.kernels, above.channels), step)
        row += n


cdef void grad_rows(const Layer *layer, const Signal *below, const Signal *above, size_t first, size_t last,
                    char *gradient, bint onto) noexcept nogil:
    cdef fastnn_batch_norm norm = norm_of(layer, True)
    cdef size_t row = rows_before(below, first)
    layer.kernels.batch_norm_grad_weights(
        &norm, rows_of(below, first, last), row_of(layer.kernels, below, below.values, row), below.ld,
        row_of(layer.kernels, above, above.delta, row), above.ld, onto, gradient, second(layer, gradient))


cdef void back_rows(const Layer *layer, const Signal *below, const Signal *above, size_t first,
                    size_t last) noexcept nogil:
    cdef bint learns = shape_of(layer).learns
    cdef fastnn_batch_norm norm = norm_of(layer, learns)
    cdef size_t batch_rows = 0  # without any the error depends on no gradients
    cdef char *grad_gamma = NULL
    cdef char *grad_beta = NULL
    cdef size_t row = rows_before(below, first), end = rows_before(below, last), n
    if learns:
        batch_rows = n_rows(layer)
        grad_gamma, grad_beta = layer.all_gradients, second(layer, layer.all_gradients)
    while row < end:
        n = min(block_rows(below), end - row)
        layer.kernels.batch_norm_grad_input(
            &norm, n, row_of(layer.kernels, below, below.values, row), below.ld,
            row_of(layer.kernels, above, above.delta, row), above.ld, batch_rows, grad_gamma, grad_beta,
            row_of(layer.kernels, below, below.delta, row), below.ld)
        finish_delta(layer.kernels, below, row, n, 0, n_panels(layer.kernels, below.channels))
        row += n


cdef void sum_rows(const Layer *layer, const Signal *below, size_t first, size_t last,
                   size_t rows_earlier, char *sums) noexcept nogil:
    layer.kernels.batch_moments(
        rows_of(below, first, last), channels_of(layer),
        row_of(layer.kernels, below, below.values, rows_before(below, first)), below.ld,
        rows_earlier, sums, second(layer, sums))


cdef void move_average(const Layer *layer, size_t parameter, const char *of_batch) noexcept nogil:
    layer.kernels.moving_average(channels_of(layer), shape_of(layer).momentum, of_batch,
                                 layer.parameters[parameter].matrix.weights)


cdef void add_sums(const Layer *layer, bint changes_state) noexcept nogil:
    cdef size_t channels = channels_of(layer)
    cdef char *variance = second(layer, layer.all_sums)
    layer.kernels.batch_moments_of_parts(
        layer.n_parts, layer.part_rows, channels, layer.sums, second(layer, layer.sums), layer.sums_size,
        layer.all_sums, variance)
    if changes_state:
        move_average(layer, MOVING_MEAN, layer.all_sums)
        move_average(layer, MOVING_VARIANCE, variance)


cdef Coupling BY_MOMENTS = Coupling(sum_rows, add_sums)
cdef LayerKind LEARNING = LayerKind(forward_rows, back_rows, grad_rows, NULL, NULL, NULL, NULL)
cdef LayerKind FROZEN = LayerKind(forward_rows, back_rows, NULL, NULL, NULL, NULL, NULL)


cdef class BatchNormalizationLayer(EngineLayer):
    """A batch normalization: ``("batch_normalization", momentum, epsilon, activation="identity", trainable=True)``.

    It has the parameters gamma and beta, and as its state the moving mean and the moving variance. Without `trainable`
    it learns nothing, and takes these in training, too.
    """

    cdef Settings settings

    def __init__(self, tuple description, tuple input_shape):
        self.description, self.input_shape, self.output_shape = description, input_shape, input_shape
        momentum, epsilon, self.activation, self.settings.learns = settings_of(description, 4, "identity", True)
        if not isinstance(momentum, (int, float)) or not 0 <= momentum < 1:
            raise ValueError(f"momentum must be at least 0 and below 1, got {momentum!r}")
        if not isinstance(epsilon, (int, float)) or not isfinite(epsilon) or not epsilon > 0:
            raise ValueError(f"epsilon must be a finite number above 0, got {epsilon!r}")
        self.settings.momentum, self.settings.epsilon = momentum, epsilon
        self.shape = &self.settings
        self.kind = &LEARNING if self.settings.learns else &FROZEN
        self.coupling = &BY_MOMENTS if self.settings.learns else NULL

    def parameter_shapes(self):
        learnt, state = (ParameterShape(0, self.input_shape[-1], is_learnt)
                         for is_learnt in (bool(self.settings.learns), False))
        return [learnt, learnt, state, state]

    def reads_whole_vectors(self):
        return False

    def sums_size(self):
        return 2 * packed_size(self.kernels, 0, self.input_shape[-1])
