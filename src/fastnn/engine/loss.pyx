"""The losses by name, from the kernels' registry, and what they need to know."""

import numpy as np

cimport numpy as cnp
from libc.stddef cimport size_t
from libc.stdint cimport int32_t, intptr_t

from fastnn.engine.activation import activation_names
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

#: The head that each loss computes from the logits of; None: it takes outputs, of any head but softmax.
loss_links = {"softmax": "softmax"} | {
    name: None if fastnn_loss_links[i] == b"any" else fastnn_loss_links[i].decode()
    for i, name in enumerate(_elementwise)
}

cdef object ONE = np.ones((1, 1))


cdef class Loss:
    """A loss, with the head whose outputs it judges.

    Parameters
    ----------
    name : str
        softmax (cross-entropy of one class among several), logistic (cross-entropy of each output by itself), poisson
        (half the deviance), squared_error (half of it), absolute_error, huber, quantile. The last four are averaged
        over outputs, the others summed.
    head : str
        What the network ends in.
    n_outputs : int
    settings : float or sequence of float, default=0
        One number per output, or for all of them: huber's delta, the quantile, or, of softmax and logistic, label
        smoothing: the part of the wanted probability that all classes share.
    groups : sequence of int, default=None
        For softmax: the numbers of classes, where there are several targets side by side. None is one target.

    Attributes
    ----------
    from_logits : bool
        Whether it is computed from what goes into the head, not from what comes out.
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
        self.starts = np.cumsum((0, *groups)).astype(np.uintp)

    def check(self, network):
        """Raise ValueError unless the network has the outputs that this is a loss of."""
        if (self.head, self.n_outputs) != (network.head, network.sizes[-1]):
            raise ValueError(f"loss must have {network.sizes[-1]} outputs with the head {network.head!r}, as the "
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
        The network's.
    targets : ndarray
        For softmax int32 classes of shape (n_samples,) or (n_samples, n_groups); else numbers of shape
        (n_samples, n_outputs), of any real type.
    weights : ndarray of shape (n_samples,) or (n_samples, n_targets), or None
        What the loss of each sample, or of each sample's each target, is multiplied by. None: 1.
    n_samples : int
    order : ndarray of intp, default=None
        The samples that will be asked for. None: all.

    Raises
    ------
    ValueError
        For what does not fit the loss.
    """

    def __init__(self, Loss loss, dtype, targets, weights, n_samples, order=None):
        cdef cnp.ndarray settings = np.array(loss.settings, dtype)
        cdef TargetRows *rows = &self.rows
        softmax = loss.name == "softmax"
        rows.loss = SOFTMAX_LOSS if softmax else _elementwise.index(loss.name)
        rows.factor = 1 / <double> loss.n_outputs if not softmax and fastnn_loss_means[rows.loss] else 1
        rows.smoothing, rows.settings = loss.settings[0], cnp.PyArray_DATA(settings)
        rows.n_outputs, rows.n_groups, rows.group_starts = loss.n_outputs, len(loss.groups), &loss.starts[0]
        rows.n_weights = loss.n_targets

        if len(targets) != n_samples:
            raise ValueError(f"len(targets) must be {n_samples}, one for each sample, got {len(targets)}")
        if softmax:
            targets = self._set_labels(loss, targets, order)
        else:
            self.samples.targets = samples_of(targets)
            if self.samples.targets.n_features != loss.n_outputs:
                raise ValueError(f"targets must have shape ({n_samples}, {loss.n_outputs}), got {targets.shape}")
        self.arrays = loss, settings, targets, self._set_weights(weights, n_samples)

    cdef _set_weights(self, weights, n_samples):
        """What stands for several samples or targets is no copy: the next one is 0 bytes away."""
        cdef fastnn_samples *samples = &self.samples.weights
        if weights is None:
            weights = ONE
        elif len(weights) != n_samples:
            raise ValueError(f"len(weights) must be {n_samples}, one for each sample, got {len(weights)}")
        elif weights.ndim == 1:
            weights = weights[:, None]
        samples[0] = samples_of(weights)
        if weights is ONE:
            samples.row_stride = 0
        if samples.n_features == 1:
            samples.n_features, samples.col_stride = self.rows.n_weights, 0
        if samples.n_features != self.rows.n_weights:
            raise ValueError(
                f"weights must have shape ({n_samples},) or ({n_samples}, {self.rows.n_weights}), got {weights.shape}")
        return weights

    cdef _set_labels(self, Loss loss, labels, cnp.ndarray order):
        cdef size_t i, group, sample, n_groups = len(loss.groups)
        cdef const intptr_t *samples = NULL if order is None else <const intptr_t *> cnp.PyArray_DATA(order)
        cdef size_t n_asked = len(labels) if order is None else len(order)
        cdef const int32_t *label
        cdef cnp.ndarray array
        cdef bint known = True
        labels = labels[:, None] if labels.ndim == 1 else labels
        if labels.dtype != np.int32 or labels.ndim != 2 or not cnp.PyArray_ISCARRAY_RO(labels):
            raise ValueError(f"classes must be a contiguous, aligned array of int32, got {labels.dtype}")
        if labels.shape[1] != n_groups:
            raise ValueError(f"classes must have shape (n_samples, {n_groups}), got {labels.shape}")
        array = labels
        self.samples.labels = <const int32_t *> cnp.PyArray_DATA(array)
        for i in range(n_asked):
            sample = i if samples == NULL else samples[i]
            label = self.samples.labels + sample * n_groups
            for group in range(n_groups):
                known &= <size_t> label[group] < loss.starts[group + 1] - loss.starts[group]  # < 0 is huge, then
        if not known:
            raise ValueError(f"classes must be from 0 to {max(loss.groups) - 1}, got others")
        return labels


cdef void gather_targets(const fastnn_kernels *kernels, const TargetSamples *samples, const intptr_t *order,
                        size_t first, size_t n, const TargetRows *rows, size_t row) noexcept nogil:
    """The targets and weights of samples order[first ... first + n), or first ... where order is NULL, into rows from row on."""
    cdef size_t i, group, sample, itemsize = kernels.itemsize, n_groups = rows.n_groups
    cdef fastnn_samples targets = samples.targets, weights = samples.weights
    if order == NULL:
        skip_samples(&targets, first)
        skip_samples(&weights, first)
    else:
        order += first
    kernels.gather(&weights, order, n, rows.weights + row * rows.n_weights * itemsize, rows.n_weights)
    if rows.loss != SOFTMAX_LOSS:
        kernels.gather(&targets, order, n, rows.targets + row * rows.n_outputs * itemsize, rows.n_outputs)
        return
    for i in range(n):
        sample = first + i if order == NULL else <size_t> order[i]
        for group in range(n_groups):
            rows.labels[(row + i) * n_groups + group] = samples.labels[sample * n_groups + group]


cdef double total_weight(const fastnn_kernels *kernels, const TargetRows *targets, size_t rows) noexcept nogil:
    """What the weights of the first rows add up to; of weights that differ from target to target, on average."""
    cdef size_t i, n = rows * targets.n_weights
    cdef double total = 0
    for i in range(n):
        total += (<const double *> targets.weights)[i] if kernels.itemsize == 8 else (<const float *> targets.weights)[i]
    return total / targets.n_weights


cdef double rows_loss(const fastnn_kernels *kernels, const TargetRows *targets, size_t row, size_t rows, const char *z,
                      size_t ldz, char *delta, size_t ldd) noexcept nogil:
    """The loss of rows [row, row + rows) of a batch, whose outputs or logits are z, and its gradient.

    z and delta begin at those rows.
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
