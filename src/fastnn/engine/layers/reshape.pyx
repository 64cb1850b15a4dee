"""The reshape layer: f of the same numbers in the same order, in another shape.

A vector is a shape, too, so that this layer flattens maps and sequences. It carries an activation or dropout where the
layer below has none, or has one already; and then may keep the shape, as it does for sequences of any length.
"""

import math

from libc.stddef cimport size_t
from libc.string cimport memcpy

from fastnn.engine.kernels cimport fastnn_kernels
from fastnn.engine.layers.layer import settings_of, sizes_of
from fastnn.engine.layers.layer cimport EngineLayer, Layer, LayerKind
from fastnn.engine.layers.signal cimport (
    Signal, Step, finish_sample_deltas, finish_sample_values, rows_of, sample_of, sums_of,
)


cdef void copy_numbers(const fastnn_kernels *kernels, size_t sample, const Signal *source, const char *numbers,
                       const Signal *target, char *out) noexcept nogil:
    """Copy one sample's numbers from rows of one length into rows of another."""
    cdef size_t left = rows_of(source, sample, sample + 1) * source.channels, n
    cdef size_t from_row = source.channels, to_row = target.channels
    if source.ld == source.channels or source.positions == 1:
        from_row = left
    if target.ld == target.channels or target.positions == 1:
        to_row = left
    cdef size_t from_left = from_row, to_left = to_row
    while left > 0:
        n = min(from_left, to_left)
        memcpy(out, numbers, n * kernels.itemsize)
        numbers += n * kernels.itemsize
        out += n * kernels.itemsize
        left, from_left, to_left = left - n, from_left - n, to_left - n
        if from_left == 0:
            numbers += (source.ld - source.channels) * kernels.itemsize
            from_left = from_row
        if to_left == 0:
            out += (target.ld - target.channels) * kernels.itemsize
            to_left = to_row


cdef void forward_rows(const Layer *layer, const Signal *below, const Signal *above, size_t first, size_t last,
                       const Step *step) noexcept nogil:
    cdef size_t sample
    for sample in range(first, last):
        copy_numbers(layer.kernels, sample, below, sample_of(layer.kernels, below, below.values, sample), above,
                     sample_of(layer.kernels, above, sums_of(above), sample))
    finish_sample_values(layer.kernels, above, first, last, step)


cdef void back_rows(const Layer *layer, const Signal *below, const Signal *above, size_t first,
                    size_t last) noexcept nogil:
    cdef size_t sample
    for sample in range(first, last):
        copy_numbers(layer.kernels, sample, above, sample_of(layer.kernels, above, above.delta, sample), below,
                     sample_of(layer.kernels, below, below.delta, sample))
    finish_sample_deltas(layer.kernels, below, first, last)


cdef LayerKind RESHAPE = LayerKind(forward_rows, back_rows, NULL, NULL, NULL, NULL, NULL)


cdef class ReshapeLayer(EngineLayer):
    """A reshape layer: ``("reshape", shape, activation="identity")``. The shape None is the input's."""

    def __init__(self, tuple description, tuple input_shape):
        self.description, self.input_shape = description, input_shape
        shape, self.activation = settings_of(description, 2, "identity")
        self.kind = &RESHAPE
        if shape is None:
            self.output_shape = input_shape
            return
        if None in input_shape:
            raise ValueError(f"shape must be None for sequences of any length, got {shape}")
        self.output_shape = sizes_of("shape", shape)
        if math.prod(self.output_shape) != math.prod(input_shape):
            raise ValueError(f"shape must have {math.prod(input_shape)} numbers, as the input's {input_shape} has, "
                             f"got {self.output_shape}")

    def reads_whole_vectors(self):
        return False
