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
    Signal, Step, finish_sample_deltas, finish_sample_values, memo_of, rows_of, sample_of, sums_of,
)
from fastnn.engine.layers.windows cimport Along, Movement, movement_of, windows_along, windows_of_each


cdef struct Pooling:
    fastnn_windows windows
    bint is_ragged, is_global
    Movement movement  # over sequences of any length, if there is more than one window


cdef inline fastnn_windows windows_over(const Layer *layer, const Signal *below, size_t sample) noexcept nogil:
    """The windows over one sample: those of the layer or, of sequences of any length, the sample's own."""
    cdef const Pooling *pooling = <const Pooling *> layer.shape
    cdef fastnn_windows windows = pooling.windows
    cdef Along along
    if not pooling.is_ragged:
        return windows
    windows.cols = rows_of(below, sample, sample + 1)
    if pooling.is_global:
        windows.pool_cols = windows.stride_cols = windows.cols
        return windows
    along = windows_along(windows.cols, &pooling.movement)
    windows.out_cols, windows.pad_cols = along.n, along.before
    return windows


cdef void max_forward_rows(const Layer *layer, const Signal *below, const Signal *above, size_t first, size_t last,
                           const Step *step) noexcept nogil:
    cdef fastnn_windows windows
    cdef size_t sample
    for sample in range(first, last):
        windows = windows_over(layer, below, sample)
        layer.kernels.max_pool_forward(
            &windows, 0, windows.out_rows, sample_of(layer.kernels, below, below.values, sample), 0,
            windows.cols * below.ld, below.ld, sample_of(layer.kernels, above, sums_of(above), sample),
            windows.out_cols * above.ld, above.ld, memo_of(layer.kernels, above, above, sample))
    finish_sample_values(layer.kernels, above, first, last, step)


cdef void max_back_rows(const Layer *layer, const Signal *below, const Signal *above, size_t first,
                        size_t last) noexcept nogil:
    cdef fastnn_windows windows
    cdef size_t sample
    for sample in range(first, last):
        windows = windows_over(layer, below, sample)
        layer.kernels.max_pool_grad_input(
            &windows, 0, windows.rows, sample_of(layer.kernels, above, above.delta, sample),
            windows.out_cols * above.ld, above.ld, memo_of(layer.kernels, above, above, sample),
            sample_of(layer.kernels, below, below.delta, sample), windows.cols * below.ld, below.ld)
    finish_sample_deltas(layer.kernels, below, first, last)


cdef void average_forward_rows(const Layer *layer, const Signal *below, const Signal *above, size_t first, size_t last,
                               const Step *step) noexcept nogil:
    cdef fastnn_windows windows
    cdef size_t sample
    for sample in range(first, last):
        windows = windows_over(layer, below, sample)
        layer.kernels.average_pool_forward(
            &windows, 0, windows.out_rows, sample_of(layer.kernels, below, below.values, sample), 0,
            windows.cols * below.ld, below.ld, sample_of(layer.kernels, above, sums_of(above), sample),
            windows.out_cols * above.ld, above.ld)
    finish_sample_values(layer.kernels, above, first, last, step)


cdef void average_back_rows(const Layer *layer, const Signal *below, const Signal *above, size_t first,
                            size_t last) noexcept nogil:
    cdef fastnn_windows windows
    cdef size_t sample
    for sample in range(first, last):
        windows = windows_over(layer, below, sample)
        layer.kernels.average_pool_grad_input(
            &windows, 0, windows.rows, sample_of(layer.kernels, above, above.delta, sample),
            windows.out_cols * above.ld, above.ld, sample_of(layer.kernels, below, below.delta, sample),
            windows.cols * below.ld, below.ld)
    finish_sample_deltas(layer.kernels, below, first, last)


cdef LayerKind MAX_POOLING = LayerKind(max_forward_rows, max_back_rows, NULL, NULL, NULL, NULL, NULL)
cdef LayerKind AVERAGE_POOLING = LayerKind(average_forward_rows, average_back_rows, NULL, NULL, NULL, NULL, NULL)

# The axes that windows move along, by the number of the input's dimensions.
cdef dict AXES = {2: "(steps, channels)", 3: "(rows, columns, channels)"}


cdef class PoolingLayer(EngineLayer):
    """What pooling layers share: ``(kind, pool_size, strides=pool_size, padding="valid")``, or ``("global_" kind,)``.

    pool_size and strides have a number for each axis of the input but the channels. Windows stay inside the input, or
    reach over its edges, if padding is "same": the positions beyond are then not counted. As in Keras and TensorFlow.
    """

    cdef Pooling pooling

    def __init__(self, tuple description, tuple input_shape):
        cdef fastnn_windows *windows = &self.pooling.windows
        cdef Movement movement
        cdef Along along
        self.description, self.input_shape = description, input_shape
        if len(input_shape) not in AXES:
            raise ValueError(f"the input of {description[0]} must have shape {' or '.join(AXES.values())}, "
                             f"got {input_shape}")
        *sizes, windows.channels = input_shape
        self.pooling.is_ragged = None in sizes
        pool_size, strides, padding = self._settings()
        if math.prod(pool_size) >= 2**31:  # the positions of a window are numbered in 32 bits
            raise ValueError(f"pool_size must have a product below 2**31, got {pool_size}")
        if padding not in ("valid", "same"):
            raise ValueError(f"padding must be 'valid' or 'same', got {padding!r}")
        if self.pooling.is_ragged:  # each sequence has its own: here one window
            self.pooling.movement = movement_of(pool_size[0], strides[0], padding)
            sizes = pool_size
        if padding == "valid" and any(pool > n for pool, n in zip(pool_size, sizes)):
            raise ValueError(f"pool_size must be at most {tuple(sizes)}, the input's size, with padding 'valid', "
                             f"got {pool_size}")
        counts, pads = [], []
        for size, pool, stride in zip(sizes, pool_size, strides):
            movement = movement_of(pool, stride, padding)
            along = windows_along(size, &movement)
            counts.append(along.n)
            pads.append(along.before)
        # A sequence is a map of one row.
        windows.rows, windows.cols = [1, *sizes][-2:]
        windows.pool_rows, windows.pool_cols = [1, *pool_size][-2:]
        windows.stride_rows, windows.stride_cols = [1, *strides][-2:]
        windows.out_rows, windows.out_cols = [1, *counts][-2:]
        windows.pad_rows, windows.pad_cols = [0, *pads][-2:]
        if self.pooling.is_ragged:
            counts = [None]
        self.output_shape = input_shape[-1:] if self.pooling.is_global else (*counts, input_shape[-1])
        self.shape = &self.pooling

    def _settings(self):
        n_axes = len(self.input_shape) - 1
        pool_size, strides, padding = settings_of(self.description, 3, None, "valid")
        pool_size = sizes_of("pool_size", pool_size, n_axes)
        return pool_size, pool_size if strides is None else sizes_of("strides", strides, n_axes), padding

    def output_steps(self, steps):
        return None if self.pooling.is_global else windows_of_each(steps, &self.pooling.movement)

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
        self.pooling.is_global = True
        MaxPoolingLayer.__init__(self, description, input_shape)

    def _settings(self):
        return whole_input(self)


cdef class GlobalAveragePoolingLayer(AveragePoolingLayer):
    """A layer of the mean of each channel: ``("global_average_pooling",)``."""

    def __init__(self, tuple description, tuple input_shape):
        self.pooling.is_global = True
        AveragePoolingLayer.__init__(self, description, input_shape)

    def _settings(self):
        return whole_input(self)


cdef whole_input(EngineLayer layer):
    """The settings for one window."""
    settings_of(layer.description, 0)
    sizes = tuple(1 if size is None else size for size in layer.input_shape[:-1])
    return sizes, sizes, "valid"
