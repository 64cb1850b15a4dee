"""The embedding: a vector for each token, which is a row of a matrix that is learnt.

It is a dense layer without biases for a sparse X, of which each row has a 1 in the column of its token. So its gradient
is a dense layer's: rows of the error, added up token by token in the order of the batch. The step reads and writes all
rows of the matrix, since optimizers move those too that have no gradient.
"""

from libc.stddef cimport size_t
from libc.stdint cimport uint32_t
from libc.string cimport memset

from fastnn.engine.arrays cimport Workspace
from fastnn.engine.kernels cimport fastnn_batch, fastnn_entries, fastnn_kernels, fastnn_matrix
from fastnn.engine.layers.layer import ParameterShape, settings_of
from fastnn.engine.layers.layer cimport EngineLayer, Layer, LayerKind, Parameter
from fastnn.engine.layers.signal cimport (
    Signal, Step, finish_sample_values, n_panels, row_of, rows_before, rows_of, sample_of, sums_of,
)
from fastnn.engine.products cimport n_weight_tasks, packed_size, weight_task_rows
from fastnn.engine.threads.team cimport Share, Team, my_share

# What one number's step costs, in operations: as much as it takes to read and write it, and what the optimizer
# remembers of it, from beyond the cache.
UPDATE_FLOPS = 16


cdef void forward_rows(const Layer *layer, const Signal *below, const Signal *above, size_t first, size_t last,
                       const Step *step) noexcept nogil:
    layer.kernels.embedding_forward(
        &layer.parameters[0].matrix, rows_of(below, first, last), sample_of(layer.kernels, below, below.values, first),
        below.ld, sample_of(layer.kernels, above, sums_of(above), first), above.ld)
    finish_sample_values(layer.kernels, above, first, last, step)


cdef void back_rows(const Layer *layer, const Signal *below, const Signal *above, size_t first,
                    size_t last) noexcept nogil:
    """A token has no gradient. (No layer that learns should be below.)"""
    cdef size_t row = rows_before(below, first)
    memset(row_of(layer.kernels, below, below.delta, row), 0,
           rows_of(below, first, last) * below.ld * layer.kernels.itemsize)


cdef fastnn_entries entries_of(const Layer *layer, const Signal *above, size_t rows) noexcept nogil:
    """The entries of a batch of so many rows, in the memo of the signal above: link_tokens writes them."""
    cdef fastnn_entries entries
    entries.values, entries.capacity = above.memo, rows
    entries.rows = <uint32_t *> (above.memo + rows * layer.kernels.itemsize)
    entries.next = entries.rows + rows
    entries.heads = <uint32_t *> layer.workspace
    entries.columns = NULL
    entries.starts = <size_t *> layer.workspace  # not read: that it is not NULL says that there are entries
    return entries


cdef void make_step(const Layer *layer, const Signal *below, const Signal *above, size_t n_samples, const Step *step,
                    const Team *team) noexcept nogil:
    """Each thread takes tokens of its own, with all panels of their rows: nobody else needs the list of a token."""
    cdef const Parameter *parameter = &layer.parameters[0]
    cdef const fastnn_matrix *W = &parameter.matrix
    cdef size_t panels = n_panels(layer.kernels, W.fan_out), chunk = weight_task_rows(layer.kernels, W)
    cdef size_t i, rows = rows_before(below, n_samples)
    cdef Share mine = my_share(team, n_weight_tasks(layer.kernels, W) // panels)
    cdef fastnn_batch x
    memset(&x, 0, sizeof(x))
    x.rows, x.entries = rows, entries_of(layer, above, rows)
    if mine.first < mine.last:
        layer.kernels.link_tokens(rows, below.values, below.ld, mine.first * chunk, min(mine.last * chunk, W.fan_in),
                                  &x.entries)
    for i in range(mine.first, mine.last):
        layer.kernels.dense_grad_weights(W, &x, 0, panels, i * chunk, min((i + 1) * chunk, W.fan_in), above.delta,
                                         above.ld, &step.update, parameter.squares + i * panels)


cdef LayerKind EMBEDDING = LayerKind(forward_rows, back_rows, NULL, NULL, NULL, make_step, NULL)


cdef class EmbeddingLayer(EngineLayer):
    """An embedding: ``("embedding", input_dim, output_dim, trainable=True)``, which should be the first layer.

    It reads sequences of tokens (steps, 1), from 0 to input_dim - 1, and makes (steps, output_dim). What is no token
    becomes NaN, and changes no vector.
    """

    cdef readonly bint trainable

    def __init__(self, tuple description, tuple input_shape):
        self.description, self.input_shape = description, input_shape
        input_dim, output_dim, self.trainable = settings_of(description, 3, True)
        for name, size in ("input_dim", input_dim), ("output_dim", output_dim):
            # As for dense layers.
            if not isinstance(size, int) or not 1 <= size < 2**31:
                raise ValueError(f"{name} must be from 1 to 2**31 - 1, got {size!r}")
        if len(input_shape) != 2 or input_shape[-1] != 1:
            raise ValueError(f"the input of embedding must have shape (steps, 1), got {input_shape}")
        self.output_shape = *input_shape[:-1], output_dim
        self.kind = &EMBEDDING

    cdef bind(self, const fastnn_kernels *kernels):
        EngineLayer.bind(self, kernels)
        if self.kernels.itemsize == 4 and self.description[1] > 2**24:
            raise ValueError(f"input_dim must be at most 2**24 in float32, which rounds larger tokens, "
                             f"got {self.description[1]}")

    def parameter_shapes(self):
        _, input_dim, output_dim, *_ = self.description
        return [ParameterShape(input_dim, output_dim, self.trainable, biased=False)]

    def n_products(self):
        return super().n_products() / self.description[1]  # one row of all is read

    def update_flops(self):
        _, input_dim, output_dim, *_ = self.description
        return UPDATE_FLOPS * packed_size(self.kernels, input_dim, output_dim) if self.trainable else 0

    def memo_size(self):
        return 3  # an entry's value, row and next one

    cdef void *book(self, Layer *layer, size_t batch_size, bint by_rows, Workspace space) except? NULL:
        return space.zeros(layer.parameters[0].matrix.fan_in, "u4") if self.trainable else NULL
