"""Samples taken through a network outside of training, as Network lays the work out and prediction.pyx does it."""

from libc.stddef cimport size_t
from libc.stdint cimport intptr_t, uint32_t
from libc.string cimport memset

from fastnn.engine.kernels cimport FASTNN_N_ACTIVATIONS, fastnn_kernels, fastnn_samples
from fastnn.engine.layers.layer cimport Layer
from fastnn.engine.layers.signal cimport Signal
from fastnn.engine.loss cimport TargetRows, TargetSamples
from fastnn.engine.threads.team cimport Team


# The number of the head softmax. The other heads have their activation's number.
cdef enum:
    SOFTMAX_HEAD = FASTNN_N_ACTIVATIONS


# What a team takes block by block through the layers.
cdef struct Forward:
    const fastnn_kernels *kernels
    const Layer *layers  # (n_layers)
    const Signal *signals  # (n_layers) the shapes of what each layer makes; its values are in the thread's own space
    size_t n_layers, first_layer  # the first one that makes a signal
    Signal input  # the shape of a block of X
    const fastnn_samples *X
    size_t n_samples, n_blocks, block_samples  # block_samples: of each block but the last, or the most of any
    # Of sequences of any length, else NULL: the first sample of each block, and the number of all samples; and for X
    # and what each layer makes, where each sample begins among all rows, or NULL where each has one. block_rows is the
    # most rows of a block in any of them.
    const intptr_t *cuts  # (n_blocks + 1)
    # The order in which they are taken; NULL: as they are. Where each begins among the rows of X; and among those of
    # the outputs, NULL where each has one.
    const intptr_t *order  # (n_samples)
    const intptr_t *begins_of_samples  # (n_samples + 1)
    const intptr_t *begins_of_outputs  # (n_samples + 1)
    const size_t **starts  # (1 + n_layers) of (n_samples + 1)
    size_t block_rows
    size_t next_block  # the counter that the team's threads take blocks from
    int head
    const size_t *group_starts  # (n_groups + 1)
    size_t n_groups
    char *out  # (rows, n_outputs) the outputs; NULL where labels or losses are computed
    intptr_t *labels  # (rows, n_labels) the numbers of classes; NULL where they are not
    size_t n_labels  # softmaxes; of other heads the outputs, each of which is a label that a sample has or has not
    double *losses  # (n_blocks) each block's loss; NULL where outputs or labels are written
    const TargetSamples *targets  # of all samples; for the losses, as is the rest
    TargetRows target_rows  # of one block, whose arrays are in the thread's own space
    # (n_samples, state_size) what recurrent layers begin with, and then end with; NULL: nothing goes in or comes out
    char *carried
    size_t state_size
    bint begins  # they begin with zeros, whatever is there
    bint in_place  # the layers read the rows of X where they are
    bint reads_entries  # X is sparse, and stays so; elsewhere its rows become dense
    size_t n_entries  # the most numbers that a block of such an X stores
    # (n_threads, thread_bytes): two signals' values, a layer's scratch, the first layer's terms or entries, the labels
    # and targets
    char *space
    size_t thread_bytes, matrix_bytes, scratch_bytes, label_bytes, target_bytes
    bint must_be_finite  # no more blocks are begun once X has an infinite number or NaN
    size_t n_not_finite  # blocks that have
    double seconds  # that the first thread took
    size_t n_timed  # the blocks that it took them for
    size_t n_finished  # threads that found no block left
    double finished  # when the first of them did, in seconds


cdef inline Forward new_job(size_t n_layers, int head, bint must_be_finite=False) noexcept:
    """A job that goes through so many layers and a head, with nothing else."""
    cdef Forward job
    memset(&job, 0, sizeof(job))
    job.n_layers, job.head, job.must_be_finite = n_layers, head, must_be_finite
    return job


cdef void divide_space(Forward *job) noexcept nogil
cdef void forward_blocks(void *forward, const Team *team) noexcept nogil
