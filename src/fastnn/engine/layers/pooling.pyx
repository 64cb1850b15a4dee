"""Pooling layers: the largest number, or the mean, of windows over a map or a sequence, channel by channel.

Global pooling has one window, which is the whole map. Where numbers are picked, which ones these were is the memo of
the signal above.
"""

import math

from libc.stddef cimport size_t

from fastnn.engine.kernels cimport fastnn_windows
from fastnn.engine.layers.layer import settings_of, sizes_of
from fastnn.engine.layers.layer cimport EngineLayer, Layer, LayerKind
from fastnn.engine.layers.signal cimport (
    Signal, Step, finish_sample_deltas, finish_sample_values, memo_of, sample_of, sums_of,
)


cdef inline const fastnn_windows *windows_of(const Layer *layer) noexcept nogil:
    return <const fastnn_windows *> layer.shape


cdef void max_forward_rows(const Layer *layer, const Signal *below, const Signal *above, size_t first, size_t last,
                           const Step *step) noexcept nogil:
    cdef const fastnn_windows *windows = windows_of(layer)
    cdef size_t sample
    for sample in range(first, last):
        layer.kernels.max_pool_forward(
            windows, 0, windows.out_rows, sample_of(layer.kernels, below, below.values, sample), 0,
            windows.cols * below.ld, below.ld, sample_of(layer.kernels, above, sums_of(above), sample),
            windows.out_cols * above.ld, above.ld, memo_of(layer.kernels, above, above, sample))
    finish_sample_values(layer.kernels, above, first, last, step)


cdef void max_back_rows(const Layer *layer, const Signal *below, const Signal *above, size_t first,
                        size_t last) noexcept nogil:
    cdef const fastnn_windows *windows = windows_of(layer)
    cdef size_t sample
    for sample in range(first, last):
        layer.kernels.max_pool_grad_input(
            windows, 0, windows.rows, sample_of(layer.kernels, above, above.delta, sample),
            windows.out_cols * above.ld, above.ld, memo_of(layer.kernels, above, above, sample),
            sample_of(layer.kernels, below, below.delta, sample), windows.cols * below.ld, below.ld)
    finish_sample_deltas(layer.kernels, below, first, last)


cdef void average_forward_rows(const Layer *layer, const Signal *below, const Signal *above, size_t first, size_t last,
                               const Step *step) noexcept nogil:
    cdef const fastnn_windows *windows = windows_of(layer)
    cdef size_t sample
    for sample in range(first, last):
        layer.kernels.average_pool_forward(
            windows, 0, windows.out_rows, sample_of(layer.kernels, below, below.values, sample), 0,
            windows.cols * below.ld, below.ld, sample_of(layer.kernels, above, sums_of(above), sample),
            windows.out_cols * above.ld, above.ld)
    finish_sample_values(layer.kernels, above, first, last, step)


cdef void average_back_rows(const Layer *layer, const Signal *below, const Signal *above, size_t first,
                            size_t last) noexcept nogil:
    cdef const fastnn_windows *windows = windows_of(layer)
    cdef size_t sample
    for sample in range(first, last):
        layer.kernels.average_pool_grad_input(
            windows, 0, windows.rows, sample_of(layer.kernels, above, above.delta, sample),
            windows.out_cols * above.ld, above.ld, sample_of(layer.kernels, below, below.delta, sample),
            windows.cols * below.ld, below.ld)
    finish_sample_deltas(layer.kernels, below, first, last)


cdef LayerKind MAX_POOLING = LayerKind(max_forward_rows, max_back_rows, NULL, NULL, NULL, NULL, NULL)
cdef LayerKind AVERAGE_POOLING = LayerKind(average_forward_rows, average_back_rows, NULL, NULL, NULL, NULL, NULL)

# The axes that windows move along, by the number of the input's dimensions.
cdef dict AXES = {2: "(steps, channels)", 3: "(rows, columns, channels)"}


def windows_along(size_t n, size_t pool, size_t stride, padding):
    """How many windows there are along an axis of n positions, and how far the first begins before it.

    As in Keras and TensorFlow: with padding "same", there is one for each `stride` positions begun, and of what they
    need beyond the axis the smaller half is before it.
    """
    if padding == "valid":
        return (n - pool) // stride + 1, 0
    n_windows = -(-<object> n // stride)
    return n_windows, max((n_windows - 1) * stride + pool - n, 0) // 2


cdef class PoolingLayer(EngineLayer):
    """What pooling layers share: ``(kind, pool_size, strides=pool_size, padding="valid")``, or ``("global_" kind,)``.

    pool_size and strides have a number for each axis of the input but the channels. Windows stay inside the input, or
    reach over its edges, if padding is "same": the positions beyond are then not counted.
    """

    cdef fastnn_windows windows

    def __init__(self, tuple description, tuple input_shape):
        cdef fastnn_windows *windows = &self.windows
        self.description, self.input_shape = description, input_shape
        if len(input_shape) not in AXES:
            raise ValueError(f"the input of {description[0]} must have shape {' or '.join(AXES.values())}, "
                             f"got {input_shape}")
        *sizes, windows.channels = input_shape
        pool_size, strides, padding = self._settings()
        if math.prod(pool_size) >= 2**31:  # the positions of a window are numbered in 32 bits
            raise ValueError(f"pool_size must have a product below 2**31, got {pool_size}")
        if padding not in ("valid", "same"):
            raise ValueError(f"padding must be 'valid' or 'same', got {padding!r}")
        if padding == "valid" and any(pool > n for pool, n in zip(pool_size, sizes)):
            raise ValueError(f"pool_size must be at most {tuple(sizes)}, the input's size, with padding 'valid', "
                             f"got {pool_size}")
        along = [windows_along(*axis, padding) for axis in zip(sizes, pool_size, strides)]
        # A sequence is a map of one row.
        windows.rows, windows.cols = [1, *sizes][-2:]
        windows.pool_rows, windows.pool_cols = [1, *pool_size][-2:]
        windows.stride_rows, windows.stride_cols = [1, *strides][-2:]
        (windows.out_rows, windows.pad_rows), (windows.out_cols, windows.pad_cols) = [(1, 0), *along][-2:]
        self.output_shape = *(n for n, _ in along), input_shape[-1]
        self.shape = windows

    def _settings(self):
        n_axes = len(self.input_shape) - 1
        pool_size, strides, padding = settings_of(self.description, 3, None, "valid")
        pool_size = sizes_of("pool_size", pool_size, n_axes)
        return pool_size, pool_size if strides is None else sizes_of("strides", strides, n_axes), padding

    def reads_whole_vectors(self):
        return False


    def carried_size(self):
        return None


cdef class MaxPoolingLayer(PoolingLayer):
    """A layer of the largest number of each window: see `PoolingLayer`."""

    def __init__(self, tuple description, tuple input_shape):
        PoolingLayer.__init__(self, description, input_shape)
        self.kind = &MAX_POOLING

    def memo_size(self):
        return self.output_shape[-1]


cdef class AveragePoolingLayer(PoolingLayer):
    """A layer of the mean of each window: see `PoolingLayer`."""

    def __init__(self, tuple description, tuple input_shape):
        PoolingLayer.__init__(self, description, input_shape)
        self.kind = &AVERAGE_POOLING


cdef class GlobalMaxPoolingLayer(MaxPoolingLayer):
    """A layer of the largest number of each channel: ``("global_max_pooling",)``."""

    def __init__(self, tuple description, tuple input_shape):
        MaxPoolingLayer.__init__(self, description, input_shape)
        self.output_shape = input_shape[-1:]

    def _settings(self):
        return whole_input(self)


cdef class GlobalAveragePoolingLayer(AveragePoolingLayer):
    """A layer of the mean of each channel: ``("global_average_pooling",)``."""

    def __init__(self, tuple description, tuple input_shape):
        AveragePoolingLayer.__init__(self, description, input_shape)
        self.output_shape = input_shape[-1:]

    def _settings(self):
        return whole_input(self)


cdef whole_input(EngineLayer layer):
    """The settings for one window."""
    settings_of(layer.description, 0)
    return layer.input_shape[:-1], layer.input_shape[:-1], "valid"
