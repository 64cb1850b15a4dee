from libc.stddef cimport size_t

from fastnn.engine.kernels cimport fastnn_rescaling, fastnn_samples
from fastnn.engine.layer_stack cimport LayerStack
from fastnn.engine.prediction cimport Forward


cdef class Network(LayerStack):
    cdef readonly str head
    cdef readonly tuple groups
    cdef size_t[::1] group_starts  # (n_groups + 1) where each group's columns begin, and where the last group's end
    cdef const fastnn_rescaling *input_rescaling  # what the first layer does while X is gathered; NULL: nothing
    cdef bint is_recurrent  # whether samples should be taken many at a time, and as long ones together
    # Samples that go through all layers together. Shapes alone decide, so that a loss has the same bits.
    cdef size_t block_samples
    cdef size_t least_samples  # of a block of few samples that threads share
    cdef double row_seconds  # what the last runs took on one thread: a sample or, of any length, a step
    cdef size_t widest  # the longest row of any signal
    cdef size_t scratch_size  # the most numbers that any layer needs for the time of one call; of X of one shape
    cdef public tuple predictor, stepper
    cdef object spare_space  # the memory of the last run, for the next one; None while a run has it

    cdef _size_blocks(self)
    cdef check_samples(self, const fastnn_samples *samples)
    cdef size_t first_layer(self, size_t depth) noexcept
    cdef bint reads_entries(self, const fastnn_samples *samples, depth) except -1
    cdef _run(self, Forward *job, X, int n_threads)
    cdef _cut(self, Forward *job, X, size_t n_threads)
