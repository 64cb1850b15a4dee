"""A layer in the engine: the parameters that it learns, and the functions of its kind.

A kind of layer is one file beside this one. It has a LayerKind and a class for Python, derived from `EngineLayer`,
which says what the layer's shapes are and what it learns. All else in the engine knows a layer only by what is here.

To add a kind: its dataclass in fastnn/layers/, its file here, its row in registry.py, and its reference in
tests/support/reference.py.
"""

from libc.stddef cimport size_t

from fastnn.engine.arrays cimport Workspace
from fastnn.engine.kernels cimport fastnn_kernels, fastnn_matrix
from fastnn.engine.layers.signal cimport Signal, Step
from fastnn.engine.threads.team cimport Team


# A matrix of weights and its biases that a layer learns, or has as its state. A vector is a matrix without rows.
cdef struct Parameter:
    fastnn_matrix matrix  # its weights, and what the optimizer remembers of them
    bint learnt  # False: it is the layer's state, which no optimizer changes
    bint biased  # False: its biases are 0, and no step changes them
    size_t offset  # where it begins in the network's block of parameters, in numbers
    double *squares  # (n_weight_tasks) sums of the squares of its weights before a step, for the penalty


cdef struct Layer:
    const LayerKind *kind
    const fastnn_kernels *kernels
    const void *shape  # what the kind has worked out of its settings and its input's shape; the EngineLayer owns it
    Parameter *parameters  # (n_parameters)
    size_t n_parameters
    void *workspace  # what the kind has booked for training; NULL outside of training, or where it needs nothing
    char *scratch  # (scratch_size) memory of the calling thread alone, which keeps nothing from call to call
    char *parts  # (n_parts, part_size) where gradients are summed by samples: those of each part of the batch
    size_t part_size  # in numbers; a part's gradients are packed as the parameters are, one after the other

    # Of a recurrent layer: the state that each sample's steps begin with, replaced by that which they end with. NULL,
    # or `begins`: they begin with zeros.
    char *carried  # (n_samples, carried_size)
    size_t carried_size
    bint begins

    # Of a layer that couples the samples of a batch, beside its parts; else NULL and 0.
    const Coupling *coupling
    char *sums  # (n_parts, sums_size) what `sum_rows` makes of each part
    size_t sums_size
    size_t n_parts
    size_t *part_rows  # (n_parts) how many rows of the batch each part has
    char *all_sums  # (sums_size) the calling thread's own copy of what `add_sums` makes of all parts
    char *all_gradients  # (depth, part_size) its own copy of the gradients of all parts; space for subtrees follows


# `below` is the signal that a layer reads, `above` the one that it makes. first, last and n_samples count samples, not
# rows.
ctypedef void (*ForwardRows)(const Layer *layer, const Signal *below, const Signal *above, size_t first, size_t last,
                             const Step *step) noexcept nogil
ctypedef void (*BackRows)(const Layer *layer, const Signal *below, const Signal *above, size_t first,
                          size_t last) noexcept nogil
ctypedef void (*GradRows)(const Layer *layer, const Signal *below, const Signal *above, size_t first, size_t last,
                          char *gradient, bint onto) noexcept nogil
ctypedef void (*ForwardShared)(const Layer *layer, const Signal *below, const Signal *above, size_t n_samples,
                               const Step *step, const Team *team) noexcept nogil
ctypedef void (*BackShared)(const Layer *layer, const Signal *below, const Signal *above, size_t n_samples,
                            const Team *team) noexcept nogil
ctypedef void (*MakeStep)(const Layer *layer, const Signal *below, const Signal *above, size_t n_samples,
                          const Step *step, const Team *team) noexcept nogil
ctypedef void (*Refresh)(const Layer *layer, size_t parameter, size_t panel) noexcept nogil
ctypedef void (*SumRows)(const Layer *layer, const Signal *below, size_t first, size_t last, size_t rows_before,
                         char *sums) noexcept nogil
ctypedef void (*AddSums)(const Layer *layer, bint changes_state) noexcept nogil


cdef struct LayerKind:
    # Forward and back for samples first ... last - 1, by the calling thread alone. first is a multiple of tile_rows.
    # Outside of training step is NULL. back_rows is NULL where no thread can go back alone.
    ForwardRows forward_rows
    BackRows back_rows
    # The gradients of the parameters for samples first ... last - 1, or these added to what is there: by the calling
    # thread alone, too. NULL: the gradients are not summed by samples.
    GradRows grad_rows
    # A thread's share of forward and back for a whole batch. NULL: each thread takes its share of the samples alone.
    ForwardShared forward_shared
    BackShared back_shared
    # A thread's share of the parameters' gradients and of the optimizer's step. NULL: the kind learns nothing, or its
    # gradients are summed by samples.
    MakeStep make_step
    # Brings up to date what the layer has made from a panel of a parameter that has changed. NULL: it has nothing.
    Refresh refresh


# The samples of a batch depend on each other by sums over all of them. In training `forward_rows` reads all_sums, and
# `back_rows` the complete gradients of the layer's parameters, all_gradients. Each of these needs a barrier.
cdef struct Coupling:
    # The sums of samples first ... last - 1, or these added to those of the rows before them in the same part.
    SumRows sum_rows
    # Makes all_sums of those of all parts. changes_state: the calling thread is the one that changes the layer's state.
    AddSums add_sums


cdef class EngineLayer:
    cdef readonly tuple description, input_shape, output_shape
    cdef readonly str activation
    cdef const LayerKind *kind
    cdef const fastnn_kernels *kernels
    cdef const void *shape
    cdef const Coupling *coupling  # NULL: each sample is by itself

    cdef bind(self, const fastnn_kernels *kernels)
    cdef void *book(self, Layer *layer, size_t batch_size, bint by_rows, Workspace space) except? NULL
