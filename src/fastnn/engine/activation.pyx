"""The activations by name, from the kernels' registry, and over whole arrays."""

import numpy as np

cimport numpy as cnp
from fastnn.engine.isa cimport kernels_for
from fastnn.engine.kernels cimport fastnn_kernels

cnp.import_array()

cdef extern from *:
    """
    #include "kernels.h"
    enum { OUTPUT, INPUT };
    static const char *const fastnn_activation_names[] = {
    #define ACTIVATION(NAME, name, keeps) #name,
    #include "activations.def"
    #undef ACTIVATION
    };
    static const int fastnn_activation_keeps_input[] = {
    #define ACTIVATION(NAME, name, keeps) keeps == INPUT,
    #include "activations.def"
    #undef ACTIVATION
    };
    """
    enum:
        FASTNN_N_ACTIVATIONS
    const char *const fastnn_activation_names[]
    const int fastnn_activation_keeps_input[]

#: Every activation's name, in the order of the registry.
activation_names = tuple(fastnn_activation_names[i].decode() for i in range(FASTNN_N_ACTIVATIONS))


def number(str name):
    """The kernels' number for the activation called name."""
    try:
        return activation_names.index(name)
    except ValueError:
        raise ValueError(f"activation must be one of {', '.join(activation_names)}, got {name!r}") from None


def keeps_input(str name):
    """Whether the derivative is computed from the activation's input, which is then stored, not from its output."""
    return bool(fastnn_activation_keeps_input[number(name)])


def activate(str name, z, level=None):
    """f(z), element by element, as a C-contiguous array. z must be float32 or float64."""
    cdef cnp.ndarray source = np.ascontiguousarray(z), a = np.empty_like(source)
    cdef const fastnn_kernels *kernels = kernels_for(source.dtype, level)
    cdef int activation = number(name)
    cdef size_t n = source.size
    with nogil:
        kernels.activate(activation, 1, n, cnp.PyArray_DATA(source), n, cnp.PyArray_DATA(a), n)
    return a


def gradient(str name, kept, level=None):
    """f'(z), element by element: from z for an activation of which `keeps_input` is true, else from f(z)."""
    cdef cnp.ndarray source = np.ascontiguousarray(kept), delta = np.ones_like(source)
    cdef const fastnn_kernels *kernels = kernels_for(source.dtype, level)
    cdef int activation = number(name)
    cdef size_t n = source.size
    with nogil:
        kernels.multiply_gradient(activation, 1, n, cnp.PyArray_DATA(source), NULL, n, cnp.PyArray_DATA(delta), n)
    return delta
