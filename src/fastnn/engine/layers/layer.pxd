"""What a layer is to the engine: the parameters that it learns, and what its kind can do.

A kind of layer is one file beside this one: a LayerKind, and a class for Python, derived from `EngineLayer`, which says
what the shapes are and what is learnt. Who trains a network, steps and saves it, sees no more of a layer than is here.
"""

from libc.stddef cimport size_t

from fastnn.engine.arrays cimport Workspace
from fastnn.engine.kernels cimport fastnn_kernels, fastnn_matrix
from fastnn.engine.layers.signal cimport Signal, Step
from fastnn.engine.threads.team cimport Team


# One entry of the list of all that a network learns. A vector is a matrix without rows.
cdef struct Parameter:
    fastnn_matrix matrix  # its weights, and what the optimizer remembers of them
    bint learnt  # else it is the layer's state, which no optimizer changes
    bint biased  # else its biases are 0, and stay so
    size_t offset  # numbers before it in the network's block of parameters
    double *squares  # (n_weight_tasks) sums of the squares of its weights, for the penalty


cdef struct Layer:
    const LayerKind *kind
    const fastnn_kernels *kernels
    Parameter *parameters
    size_t n_parameters
    void *workspace  # what the kind has booked for training; NULL: nothing, or nobody trains


# below is the signal that a layer reads, above the one that it makes. Samples are counted, not rows.
ctypedef void (*ForwardRows)(const Layer *layer, const Signal *below, const Signal *above, size_t first, size_t last,
                             const Step *step) noexcept nogil
ctypedef void (*BackRows)(const Layer *layer, const Signal *below, const Signal *above, size_t first,
                          size_t last) noexcept nogil
ctypedef void (*ForwardShared)(const Layer *layer, const Signal *below, const Signal *above, size_t n_samples,
                               const Step *step, const Team *team) noexcept nogil
ctypedef void (*BackShared)(const Layer *layer, const Signal *below, const Signal *above, size_t n_samples,
                            const Team *team) noexcept nogil
ctypedef void (*MakeStep)(const Layer *layer, const Signal *below, const Signal *above, size_t n_samples,
                          const Step *step, const Team *team) noexcept nogil
ctypedef void (*Refresh)(const Layer *layer, size_t parameter, size_t panel) noexcept nogil


cdef struct LayerKind:
    # Samples first ... last - 1, which the calling thread takes alone, the first a multiple of tile_rows; without a
    # step: to predict. back_rows is NULL for layers that couple the samples of a batch.
    ForwardRows forward_rows
    BackRows back_rows
    # A thread's share of a whole batch. NULL: its share of the samples, taken alone.
    ForwardShared forward_shared
    BackShared back_shared
    # A thread's share of the gradients of all that is learnt, and of the optimizer's step. NULL: nothing is learnt.
    MakeStep make_step
    # Brings up to date what the layer keeps of a panel of a parameter that has changed. NULL: it keeps nothing.
    Refresh refresh


cdef class EngineLayer:
    cdef readonly tuple description, input_shape, output_shape
    cdef readonly str activation
    cdef const LayerKind *kind
    cdef const fastnn_kernels *kernels

    cdef void *book(self, Layer *layer, size_t batch_size, bint by_rows, Workspace space) except? NULL
