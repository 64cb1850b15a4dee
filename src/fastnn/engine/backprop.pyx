"""Training: batches forward, their errors back, and a step of the optimizer, without the GIL and on every thread.

A team of threads takes each batch through phases, with a barrier after each. Within a phase every thread computes its
own output tiles, so nothing is locked and no sum is split. For a network of layers 0 ... L - 1 the phases are

    forward 0, ..., forward L - 2
    output        forward L - 1 with the loss and its gradient, row by row
    back L - 1    grad_input L - 1
    back l        grad_input l, and step l + 1, whose weights nobody needs any more
    update        step 1 and step 0, and the next batch's rows gathered
"""

from libc.stddef cimport size_t
from libc.stdint cimport intptr_t

from fastnn.engine.dense cimport (
    batch_part, dense_forward, dense_forward_alone, dense_grad_input, dense_grad_weights, n_tiles, n_weight_tasks,
    whole_batch,
)
from fastnn.engine.kernels cimport fastnn_batch, fastnn_dense, fastnn_kernels, fastnn_terms
from fastnn.engine.network cimport SOFTMAX
from fastnn.engine.optimizer cimport update_at
from fastnn.engine.team cimport Share, fp_state, my_share, team_barrier, team_enter, team_leave, team_rank

# Rows of a batch that one thread takes through the output layer and the loss, in tiles.
cdef size_t OUTPUT_TILES = 2


cdef void run_segment(Segment *segment) noexcept nogil:
    """All batches of a segment, as one thread of the team sees them."""
    cdef size_t first = 0, parity = 0
    cdef fp_state caller = team_enter()
    gather_batch(segment, 0, 0)
    team_barrier(&segment.meeting)
    while first < segment.n_rows:
        train_batch(segment, first, parity)
        first += segment.batch_size
        parity = 1 - parity
    team_leave(caller)


cdef void gather_batch(Segment *segment, size_t first, size_t parity) noexcept nogil:
    """This thread's share of the batch's samples, in whole tiles, and the columns that these use."""
    cdef const fastnn_kernels *kernels = segment.kernels
    cdef size_t row, rows, n_features = segment.X.n_features
    cdef Share mine
    cdef char *x
    if first >= segment.n_rows:
        return
    rows = min(segment.batch_size, segment.n_rows - first)
    mine = my_share(n_tiles(kernels, rows))
    row = mine.first * kernels.tile_rows
    rows = min(mine.last * kernels.tile_rows, rows) - row
    x = segment.x[parity] + row * segment.ldx * kernels.itemsize
    kernels.gather(segment.X, segment.order + first + row, rows, x, segment.ldx)
    kernels.used_columns(rows, n_features, x, segment.ldx, segment.columns + mine.first * n_features,
                         segment.column_counts + mine.first, n_features)


cdef void find_used_samples(Segment *segment, const fastnn_batch *x) noexcept nogil:
    """For this thread's share of the tiles of columns, the samples that use them: the weights' gradient will ask."""
    cdef const fastnn_kernels *kernels = segment.kernels
    cdef size_t n_features = segment.X.n_features
    cdef Share mine = my_share(n_tiles(kernels, n_features))
    cdef size_t column = mine.first * kernels.tile_rows
    kernels.used_rows(x.rows, min(mine.last * kernels.tile_rows, n_features) - column,
                      <const char *> x.values + column * kernels.itemsize, x.ld,
                      segment.samples + mine.first * segment.batch_size, segment.sample_counts + mine.first,
                      segment.batch_size)


cdef void train_batch(Segment *segment, size_t first, size_t parity) noexcept nogil:
    cdef const fastnn_kernels *kernels = segment.kernels
    cdef fastnn_dense *layers = segment.layers
    cdef LayerSpace *spaces = segment.spaces
    cdef size_t i, last = segment.n_layers - 1, rows = min(segment.batch_size, segment.n_rows - first)
    cdef fastnn_batch batch, x = fastnn_batch(
        rows, segment.x[parity], segment.ldx,
        fastnn_terms(segment.columns, segment.column_counts, segment.X.n_features),
        fastnn_terms(segment.samples, segment.sample_counts, segment.batch_size))

    if team_rank() == 0:
        segment.step_count += 1
        segment.update = update_at(segment.settings, segment.step_count, rows)
    find_used_samples(segment, &x)
    for i in range(last):
        batch = layer_input(segment, i, &x)
        dense_forward(kernels, &layers[i], &batch, spaces[i].z, spaces[i].ld, spaces[i].a, spaces[i].ld)
        team_barrier(&segment.meeting)
    batch = layer_input(segment, last, &x)
    output_and_loss(segment, &batch, first)
    team_barrier(&segment.meeting)
    if team_rank() == 0:  # now: without hidden layers, the next batch's losses follow the next barrier at once
        segment.loss += summed(segment.losses, n_output_tasks(segment, rows))
    for i in range(last, 0, -1):
        dense_grad_input(kernels, &layers[i], rows, spaces[i].delta_t, segment.batch_rows, layers[i - 1].activation,
                         spaces[i - 1].z if spaces[i - 1].z != NULL else spaces[i - 1].a, spaces[i - 1].ld,
                         spaces[i - 1].delta, spaces[i - 1].ld, spaces[i - 1].delta_t, segment.batch_rows)
        if i < last:
            step_layer(segment, i + 1, &x)
        team_barrier(&segment.meeting)
    if last > 0:
        step_layer(segment, 1, &x)
    step_layer(segment, 0, &x)
    gather_batch(segment, first + segment.batch_size, 1 - parity)
    team_barrier(&segment.meeting)
    if team_rank() == 0:
        segment.loss += 0.5 * segment.settings.l2 * summed(segment.squares,
                                                           first_weight_task(segment, segment.n_layers))


cdef fastnn_batch layer_input(Segment *segment, size_t i, const fastnn_batch *x) noexcept nogil:
    """What goes into layer i, x being the samples."""
    cdef LayerSpace *below
    if i == 0:
        return x[0]
    below = &segment.spaces[i - 1]
    return whole_batch(x.rows, below.a, below.ld, segment.all_terms)


cdef void step_layer(Segment *segment, size_t i, const fastnn_batch *x) noexcept nogil:
    cdef fastnn_batch batch = layer_input(segment, i, x)
    dense_grad_weights(segment.kernels, &segment.layers[i], &batch, segment.spaces[i].delta, segment.spaces[i].ld,
                       &segment.update, segment.squares + first_weight_task(segment, i))


cdef size_t first_weight_task(Segment *segment, size_t layer) noexcept nogil:
    """How many tasks the weights' gradients of the layers below have."""
    cdef size_t i, n_tasks = 0
    for i in range(layer):
        n_tasks += n_weight_tasks(segment.kernels, &segment.layers[i])
    return n_tasks


cdef size_t n_output_tasks(Segment *segment, size_t rows) noexcept nogil:
    cdef size_t chunk = OUTPUT_TILES * segment.kernels.tile_rows
    return (rows + chunk - 1) // chunk


cdef void output_and_loss(Segment *segment, const fastnn_batch *batch, size_t first) noexcept nogil:
    """The last layer's logits, the loss, and its gradient in their place: by rows, since the loss needs whole rows."""
    cdef const fastnn_kernels *kernels = segment.kernels
    cdef fastnn_dense *layer = &segment.layers[segment.n_layers - 1]
    cdef LayerSpace *space = &segment.spaces[segment.n_layers - 1]
    cdef size_t task, row, chunk = OUTPUT_TILES * kernels.tile_rows
    cdef Share mine = my_share(n_output_tasks(segment, batch.rows))
    cdef fastnn_batch part
    cdef char *delta
    for task in range(mine.first, mine.last):
        row = task * chunk
        part = batch_part(kernels, batch, row, min(row + chunk, batch.rows))
        delta = space.delta + row * space.ld * kernels.itemsize
        dense_forward_alone(kernels, layer, &part, NULL, 0, delta, space.ld)
        segment.losses[task] = rows_loss(segment, layer.fan_out, first + row, part.rows, delta, space.ld)
        if space.delta_t != NULL:
            kernels.transpose(part.rows, layer.fan_out, delta, space.ld,
                              space.delta_t + row * kernels.itemsize, segment.batch_rows)


cdef double rows_loss(Segment *segment, size_t n_outputs, size_t first, size_t rows, char *delta,
                      size_t ldd) noexcept nogil:
    """The loss of the samples order[first ... first + rows), whose logits are in delta and give way to the gradient."""
    cdef const fastnn_kernels *kernels = segment.kernels
    cdef const intptr_t *order = segment.order + first
    cdef size_t i, row = first % segment.batch_size
    cdef char *targets
    if segment.head == SOFTMAX:
        for i in range(rows):
            segment.label_rows[row + i] = segment.labels[order[i]]
        return kernels.softmax_loss(rows, n_outputs, delta, ldd, segment.label_rows + row, delta, ldd)
    targets = segment.target_rows + row * n_outputs * kernels.itemsize
    kernels.gather(segment.targets, order, rows, targets, n_outputs)
    return kernels.logistic_loss(rows, n_outputs, delta, ldd, targets, n_outputs, delta, ldd)


cdef double summed(const double *results, size_t n_tasks) noexcept nogil:
    """What a batch's tasks found, added in their order, whichever threads they ran on."""
    cdef double total = 0
    cdef size_t i
    for i in range(n_tasks):
        total += results[i]
    return total
