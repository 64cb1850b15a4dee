"""Orders of samples, drawn as NumPy draws them."""

cimport numpy as cnp
from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.stdint cimport UINT32_MAX, intptr_t, uint32_t
from numpy.random cimport bitgen_t

cnp.import_array()


def shuffled(cnp.ndarray[cnp.intp_t, ndim=1] order, random_state):
    """A shuffled copy of an order.

    Fisher and Yates' shuffle from the last one down, with the numbers that `RandomState.shuffle` draws and in 40 % of
    its time: a number too large is drawn anew, which no branch predictor can guess; here it exchanges one with itself.

    Parameters
    ----------
    order : ndarray of intp of shape (n_samples,)
    random_state : RandomState
        Is left as its own `shuffle` leaves it.

    Returns
    -------
    ndarray of intp of shape (n_samples,)

    Raises
    ------
    ValueError
        For more samples than 32 bits can count.
    """
    cdef cnp.ndarray copy = order.copy()
    cdef intptr_t *samples = <intptr_t *> cnp.PyArray_DATA(copy)
    cdef bitgen_t *bits
    cdef uint32_t i, j, half, mask = UINT32_MAX
    cdef bint fits
    if copy.size > UINT32_MAX:
        raise ValueError(f"an order of {copy.size} samples: there must be fewer than 2**32")
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
