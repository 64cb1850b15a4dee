"""The rescaling layer: x * scale + offset, with numbers that are not learnt.

As a network's first layer it costs no pass of its own: X is rescaled while its rows are gathered.
"""

from libc.math cimport isfinite
from libc.stddef cimport size_t

from fastnn.engine.kernels cimport fastnn_rescaling
from fastnn.engine.layers.layer import settings_of
from fastnn.engine.layers.layer cimport EngineLayer, Layer, LayerKind
from fastnn.engine.layers.signal cimport (
    Signal, Step, finish_sample_deltas, finish_sample_values, row_of, rows_before, rows_of, sums_of,
)


cdef void forward_rows(const Layer *layer, const Signal *below, const Signal *above, size_t first, size_t last,
                       const Step *step) noexcept nogil:
    cdef size_t row = rows_before(below, first), rows = rows_of(below, first, last)
    layer.kernels.rescale(rows, below.channels, <const fastnn_rescaling *> layer.shape,
                          row_of(layer.kernels, below, below.values, row), below.ld,
                          row_of(layer.kernels, above, sums_of(above), row), above.ld)
    finish_sample_values(layer.kernels, above, first, last, step)


cdef void back_rows(const Layer *layer, const Signal *below, const Signal *above, size_t first,
                    size_t last) noexcept nogil:
    cdef size_t row = rows_before(below, first), rows = rows_of(below, first, last)
    cdef fastnn_rescaling scaling = (<const fastnn_rescaling *> layer.shape)[0]
    scaling.offset = 0
    layer.kernels.rescale(rows, below.channels, &scaling,
                          row_of(layer.kernels, above, above.delta, row), above.ld,
                          row_of(layer.kernels, below, below.delta, row), below.ld)
    finish_sample_deltas(layer.kernels, below, first, last)


cdef LayerKind RESCALING = LayerKind(forward_rows, back_rows, NULL, NULL, NULL, NULL, NULL)


cdef class RescalingLayer(EngineLayer):
    """A rescaling layer: ``("rescaling", scale, offset=0.0)``."""

    def __init__(self, tuple description, tuple input_shape):
        self.description, self.input_shape, self.output_shape = description, input_shape, input_shape
        scale, offset = settings_of(description, 2, 0.0)
        for name, number in (("scale", scale), ("offset", offset)):
            if not isinstance(number, (int, float)) or not isfinite(number):
                raise ValueError(f"{name} must be a finite number, got {number!r}")
        self.rescaling = fastnn_rescaling(scale, offset)
        self.kind, self.shape = &RESCALING, &self.rescaling

    def rescales_input(self):
        return True

    def reads_whole_vectors(self):
        return False
