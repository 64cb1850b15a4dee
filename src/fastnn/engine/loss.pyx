"""The losses by name, from the kernels' registry; and the targets and weights of samples."""

from itertools import accumulate

import numpy as np

cimport numpy as cnp
from libc.stddef cimport size_t
from libc.stdint cimport int32_t, intptr_t

from fastnn.engine.activation import activation_names
from fastnn.engine.arrays import span
from fastnn.engine.arrays cimport samples_of, skip_samples
from fastnn.engine.kernels cimport fastnn_kernels, fastnn_samples

cnp.import_array()

cdef extern from *:
    """
    #include "losses.h"
    static const char *const fastnn_loss_names[] = {
    #define LOSS(name, link, mean) #name,
    #include "losses.def"
    #undef LOSS
    };
    static const char *const fastnn_loss_links[] = {
    #define LOSS(name, link, mean) #link,
    #include "losses.def"
    #undef LOSS
    };
    static const int fastnn_loss_means[] = {
    #define LOSS(name, link, mean) mean,
    #include "losses.def"
    #undef LOSS
    };
    """
    enum:
        FASTNN_N_LOSSES
    const char *const fastnn_loss_names[]
    const char *const fastnn_loss_links[]
    const int fastnn_loss_means[]

_elementwise = tuple(fastnn_loss_names[i].decode() for i in range(FASTNN_N_LOSSES))

#: Every loss's name.
loss_names = ("softmax", *_elementwise)

#: The head from whose logits each loss is computed. None: it is computed from the outputs, of any head but softmax.
loss_links = {"softmax": "softmax"} | {
    name: None if fastnn_loss_links[i] == b"any" else fastnn_loss_links[i].decode()
    for i, name in enumerate(_elementwise)
}

cdef object ONE = np.ones((1, 1))


cdef class Loss:
    """A loss of the outputs of a head.

    Parameters
    ----------
    name : str
        softmax (cross-entropy of one class among several), logistic (cross-entropy of each output by itself), poisson
        (half the deviance), squared_error (half of it), absolute_error, huber, quantile. The last four are averaged
        over outputs, the others summed.
    head : str
        The network's head.
    n_outputs : int
        The number of the network's outputs.
    settings : float or sequence of float, default=0
        One number for each output, or one for all: delta of huber; the quantile; of softmax and logistic the label
        smoothing, which is the part of the target probability that all classes share.
    groups : sequence of int, default=None
        For softmax: the number of classes of each target, where a sample has several. None: one target.

    Attributes
    ----------
    from_logits : bool
        Whether the loss is computed from the head's inputs, not from its outputs.
    n_targets : int
        Columns that targets have.

    Raises
    ------
    ValueError
        For a name that is unknown, and for a head, settings or groups that do not fit it.
    """

    def __init__(self, str name, str head, n_outputs, settings=0.0, groups=None):
        if name not in loss_names:
            raise ValueError(f"loss must be one of {', '.join(loss_names)}, got {name!r}")
        link = loss_links[name]
        if link is not None and head != link:
            raise ValueError(f"head must be {link!r} with the loss {name!r}, got {head!r}")
        if link is None and head not in activation_names:
            raise ValueError(f"head must be one of {', '.join(activation_names)} with the loss {name!r}, got {head!r}")
        if np.size(settings) not in (1, n_outputs):
            raise ValueError(f"settings must be 1 number or {n_outputs}, one for each output, got {np.size(settings)}")
        settings = tuple(np.broadcast_to(np.asarray(settings, float), n_outputs).tolist())
        if name == "softmax" and len(set(settings)) != 1:
            raise ValueError(f"settings must be one number with the loss 'softmax', got {settings}")
        if groups is not None and name != "softmax":
            raise ValueError(f"groups must be None with the loss {name!r}, got {groups}")
        groups = (int(n_outputs),) if groups is None else tuple(map(int, groups))
        if min(groups) < 1 or sum(groups) != n_outputs:
            raise ValueError(f"groups must be positive and add up to {n_outputs} outputs, got {groups}")
        self.name, self.head, self.n_outputs = name, head, n_outputs
        self.settings, self.groups, self.from_logits = settings, groups, link is not None
        self.starts = np.array((0, *accumulate(groups)), np.uintp)

    def check(self, network):
        """Raise ValueError unless the network has the head and the outputs of this loss."""
        *sizes, n_outputs = network.layers[-1].output_shape
        if len(sizes) > 1 and network.layers[-1].n_positions() > 1:
            raise ValueError("the last layer must make a vector of each sample, or of each step, got shape "
                             f"{network.layers[-1].output_shape}")
        if (self.head, self.n_outputs) != (network.head, n_outputs):
            raise ValueError(f"loss must have {n_outputs} outputs with the head {network.head!r}, as the "
                             f"network has, got {self.n_outputs} with {self.head!r}")
        if self.name == "softmax" and self.groups != network.groups:
            raise ValueError(f"loss must have the network's groups of outputs, {network.groups}, got {self.groups}")

    @property
    def n_targets(self):
        return len(self.groups) if self.name == "softmax" else self.n_outputs

    def __reduce__(self):
        groups = self.groups if self.name == "softmax" else None
        return Loss, (self.name, self.head, self.n_outputs, self.settings, groups)

    def __eq__(self, other):
        return isinstance(other, Loss) and self.__reduce__() == other.__reduce__()

    def __hash__(self):
        return hash(self.__reduce__())


cdef class Targets:
    """The targets and the weights of samples, for a loss.

    Parameters
    ----------
    loss : Loss
    dtype : dtype
        The network's type.
    targets : ndarray
        For the loss softmax, int32 classes of shape (n_rows,) or (n_rows, n_groups); for another loss, numbers of any
        real type, of shape (n_rows, n_outputs). A sample has one row, or one for each step.
    weights : ndarray of shape (n_rows,) or (n_rows, n_targets), or None
        The factors of the losses of rows, or of each target of each row. None: all are 1.
    n_rows : int
    order : ndarray of intp, default=None
        The rows that will be read. None: all.
    starts : ndarray of intp of shape (n_samples + 1,), default=None
        Where each sample's rows begin. None: each sample has one row.

    Raises
    ------
    ValueError
        If targets or weights do not fit the loss or the number of rows.
    """

    def __init__(self, Loss loss, dtype, targets, weights, n_rows, order=None, cnp.ndarray starts=None):
        cdef cnp.ndarray settings = np.array(loss.settings, dtype)
        cdef TargetRows *rows = &self.rows
        softmax = loss.name == "softmax"
        rows.loss = SOFTMAX_LOSS if softmax else _elementwise.index(loss.name)
        rows.factor = 1 / <double> loss.n_outputs if not softmax and fastnn_loss_means[rows.loss] else 1
        rows.smoothing, rows.settings = loss.settings[0], cnp.PyArray_DATA(settings)
        rows.n_outputs, rows.n_groups, rows.group_starts = loss.n_outputs, len(loss.groups), &loss.starts[0]
        rows.n_weights = loss.n_targets

        each = "sample" if starts is None else "step of the outputs"
        if len(targets) != n_rows:
            raise ValueError(f"len(targets) must be {n_rows}, one for each {each}, got {len(targets)}")
        if softmax:
            targets = self._set_labels(loss, targets, order)
        else:
            self.samples.targets = samples_of(targets, "targets")
            if self.samples.targets.n_features != loss.n_outputs:
                raise ValueError(f"targets must have shape ({n_rows}, {loss.n_outputs}), got {targets.shape}")
        self.samples.starts = NULL if starts is None else <const intptr_t *> cnp.PyArray_DATA(starts)
        self.arrays = loss, settings, targets, self._set_weights(weights, n_rows, each), starts

    cdef _set_weights(self, weights, n_rows, each):
        """Let the weights be read. One that holds for several samples or targets is not copied: its stride is 0."""
        cdef fastnn_samples *samples = &self.samples.weights
        if weights is None:
            weights = ONE
        elif len(weights) != n_rows:
            raise ValueError(f"len(weights) must be {n_rows}, one for each {each}, got {len(weights)}")
        elif weights.ndim == 1:
            weights = weights[:, None]
        samples[0] = samples_of(weights, "weights")
        if weights is ONE:
            samples.row_stride = 0
        if samples.n_features == 1:
            samples.n_features, samples.col_stride = self.rows.n_weights, 0
        if samples.n_features != self.rows.n_weights:
            raise ValueError(
                f"weights must have shape ({n_rows},) or ({n_rows}, {self.rows.n_weights}), got {weights.shape}")
        return weights

    cdef _set_labels(self, Loss loss, labels, cnp.ndarray order):
        """Let the labels be read, after a check of those that the order names."""
        cdef size_t i, group, sample, n_groups = len(loss.groups)
        cdef const intptr_t *samples = NULL if order is None else <const intptr_t *> cnp.PyArray_DATA(order)
        cdef size_t n_read = len(labels) if order is None else len(order)
        cdef const int32_t *label
        cdef cnp.ndarray array
        cdef bint known = True
        labels = labels[:, None] if labels.ndim == 1 else labels
        if labels.dtype != np.int32 or labels.ndim != 2 or not cnp.PyArray_ISCARRAY_RO(labels):
            raise ValueError(f"classes must be a contiguous, aligned array of int32, got {labels.dtype} with shape "
                             f"{labels.shape} and strides {labels.strides}")
        if labels.shape[1] != n_groups:
            raise ValueError(f"classes must have shape (n_samples, {n_groups}), got {labels.shape}")
        array = labels
        self.samples.labels = <const int32_t *> cnp.PyArray_DATA(array)
        for i in range(n_read):
            sample = i if samples == NULL else samples[i]
            label = self.samples.labels + sample * n_groups
            for group in range(n_groups):
                # Unsigned, a negative label is too large.
                known &= <size_t> label[group] < loss.starts[group + 1] - loss.starts[group]
        if not known:
            largest = " and ".join(str(n_classes - 1) for n_classes in loss.groups)
            read = np.ravel(labels if order is None else labels[order])
            raise ValueError(f"classes must be from 0 to {largest}, got {span(read)}")
        return labels


cdef void gather_targets(const fastnn_kernels *kernels, const TargetSamples *samples, const intptr_t *order,
                         size_t first, size_t n, size_t first_step, const size_t *row_starts, const TargetRows *rows,
                         size_t row) noexcept nogil:
    """Gather the targets and weights of n samples into row `row` and those that follow.

    The samples are order[first] and those after it in the order; if order is NULL, first and those after it. Of samples
    with several rows it is those from first_step on, as many as row_starts (n + 1) has places for; NULL: all.
    """
    cdef size_t i, sample, n_rows
    if samples.starts == NULL:
        gather_rows(kernels, samples, order + first if order != NULL else NULL, first, n, rows, row)
        return
    for i in range(n):
        sample = first + i if order == NULL else <size_t> order[first + i]
        n_rows = samples.starts[sample + 1] - samples.starts[sample]
        if row_starts != NULL:
            n_rows = row_starts[i + 1] - row_starts[i]
        gather_rows(kernels, samples, NULL, samples.starts[sample] + first_step, n_rows, rows, row)
        row += n_rows


cdef void gather_rows(const fastnn_kernels *kernels, const TargetSamples *samples, const intptr_t *numbers,
                      size_t first, size_t n, const TargetRows *rows, size_t row) noexcept nogil:
    """Gather n rows of these numbers; if numbers is NULL, from `first` on."""
    cdef size_t i, group, source, itemsize = kernels.itemsize, n_groups = rows.n_groups
    cdef fastnn_samples targets = samples.targets, weights = samples.weights
    if numbers == NULL:
        skip_samples(&targets, first)
        skip_samples(&weights, first)
    kernels.gather(&weights, numbers, n, rows.weights + row * rows.n_weights * itemsize, rows.n_weights)
    if rows.loss != SOFTMAX_LOSS:
        kernels.gather(&targets, numbers, n, rows.targets + row * rows.n_outputs * itemsize, rows.n_outputs)
        return
    for i in range(n):
        source = first + i if numbers == NULL else <size_t> numbers[i]
        for group in range(n_groups):
            rows.labels[(row + i) * n_groups + group] = samples.labels[source * n_groups + group]


cdef double total_weight(const fastnn_kernels *kernels, const TargetRows *targets, size_t rows) noexcept nogil:
    """The sum of the weights of the first rows. A row whose targets have weights of their own counts by their mean."""
    cdef size_t i, n = rows * targets.n_weights
    cdef double total = 0
    for i in range(n):
        if kernels.itemsize == 8:
            total += (<const double *> targets.weights)[i]
        else:
            total += (<const float *> targets.weights)[i]
    return total / targets.n_weights


cdef double rows_loss(const fastnn_kernels *kernels, const TargetRows *targets, size_t row, size_t rows, const char *z,
                      size_t ldz, char *delta, size_t ldd) noexcept nogil:
    """The loss of rows [row, row + rows) of a batch, and its gradient by their outputs or logits z.

    z (rows, n_outputs) and delta (rows, n_outputs), which gets the gradient, begin at these rows.
    """
    cdef size_t group, start, itemsize = kernels.itemsize, n_groups = targets.n_groups
    cdef const char *weights = targets.weights + row * targets.n_weights * itemsize
    cdef double loss = 0
    if targets.loss != SOFTMAX_LOSS:
        return kernels.elementwise_loss(
            targets.loss, rows, targets.n_outputs, z, ldz, targets.targets + row * targets.n_outputs * itemsize,
            targets.n_outputs, weights, targets.n_weights, targets.settings, targets.factor, delta, ldd)
    for group in range(n_groups):
        start = targets.group_starts[group]
        loss += kernels.softmax_loss(
            rows, targets.group_starts[group + 1] - start, z + start * itemsize, ldz,
            targets.labels + row * n_groups + group, n_groups, weights + group * itemsize, n_groups, targets.smoothing,
            delta + start * itemsize, ldd)
    return loss
