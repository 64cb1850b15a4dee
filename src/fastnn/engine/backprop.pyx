"""Training: batches forward, their errors back, and a step of the optimizer, without the GIL and on every thread.

A team of threads takes each batch through phases, with a barrier after each. Within a phase every thread computes its
own output tiles, so nothing is locked and no sum is split. For a network of layers 0 ... L - 1 the phases are

    forward 0, ...
    rows          the last of the forward products, the loss and its gradient, row by row
    back L - 1    grad_input L - 1
    back l        grad_input l, and step l + 1, whose weights nobody needs any more
    update        step 1 and step 0, and the next batch's rows gathered

Small layers are gone through in the phase of rows, forward and back: a small network has but that and the update.
Dropout adds a phase after each forward product that it follows. Clipping by the gradient's norm needs all of that
first: the steps then only leave the gradient, and two more phases find its norm and step.
"""

from libc.math cimport INFINITY, NAN, sqrt
from libc.stddef cimport size_t

from fastnn.engine.crowd cimport MOST_STALLS
from fastnn.engine.dense cimport (
    batch_part, dense_forward, dense_forward_alone, dense_grad_input, dense_grad_weights, n_panels, n_tiles,
    n_weight_tasks, sparse_batch, transpose_rows, transpose_weights, whole_batch,
)
from fastnn.engine.kernels cimport (
    FASTNN_accumulate, FASTNN_gradient, fastnn_batch, fastnn_dense, fastnn_kernels, fastnn_terms, fastnn_update,
)
from fastnn.engine.loss cimport gather_wanted, rows_loss, total_weight
from fastnn.engine.optimizer cimport update_at
from fastnn.engine.team cimport (
    Share, fp_state, my_share, team_barrier, team_count, team_enter, team_leave, team_rank,
)

cdef void run_segment(Segment *segment) noexcept nogil:
    """Batches of a segment, as one thread of the team sees them: from where the last team left off, to the end.

    Or not so far, if the team's threads stall each other. Another one may then go on, and smaller.
    """
    cdef size_t first = segment.n_done, parity = 0
    cdef fp_state caller = team_enter()
    cdef bint goes_on = True
    gather_batch(segment, first, parity)
    team_barrier(&segment.meeting)
    while goes_on and first < segment.n_rows:
        goes_on = train_batch(segment, first, parity)
        first += segment.batch_size
        parity = 1 - parity
    if team_rank() == 0:
        segment.n_done = min(first, segment.n_rows)
    team_leave(caller)


cdef void gather_batch(Segment *segment, size_t first, size_t parity) noexcept nogil:
    """This thread's share of the batch's samples, in whole tiles, what is wanted of them, and the columns they use."""
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
    if segment.X.starts != NULL:
        kernels.gather_entries(segment.X, segment.order + first, row, row + rows, &segment.entries[parity])
    else:
        x = segment.x[parity] + row * segment.ldx * kernels.itemsize
        kernels.gather(segment.X, segment.order + first + row, rows, x, segment.ldx)
        kernels.used_columns(rows, n_features, x, segment.ldx, segment.columns + mine.first * n_features,
                             segment.column_counts + mine.first, n_features)
    gather_wanted(kernels, segment.wanted, segment.order, first + row, rows, &segment.wanted_rows[parity], row)


cdef fastnn_batch gathered_batch(Segment *segment, size_t rows, size_t parity) noexcept nogil:
    cdef fastnn_batch x
    if segment.X.starts != NULL:
        return sparse_batch(rows, segment.entries[parity])
    x = whole_batch(rows, segment.x[parity], segment.ldx, segment.all_terms)
    x.columns = fastnn_terms(segment.columns, segment.column_counts, segment.X.n_features)
    x.samples = fastnn_terms(segment.samples, segment.sample_counts, segment.batch_size)
    return x


cdef void find_used_samples(Segment *segment, const fastnn_batch *x) noexcept nogil:
    """For this thread's share of the tiles of columns, the samples that use them: the weights' gradient will ask."""
    cdef const fastnn_kernels *kernels = segment.kernels
    cdef size_t n_features = segment.X.n_features
    cdef Share mine = my_share(n_tiles(kernels, n_features))
    cdef size_t column = mine.first * kernels.tile_rows, end = min(mine.last * kernels.tile_rows, n_features)
    if segment.X.starts != NULL:
        kernels.link_entries(&x.entries, x.rows, column, end)
    else:
        kernels.used_rows(x.rows, end - column, <const char *> x.values + column * kernels.itemsize, x.ld,
                          segment.samples + mine.first * segment.batch_size, segment.sample_counts + mine.first,
                          segment.batch_size)


cdef bint train_batch(Segment *segment, size_t first, size_t parity) noexcept nogil:
    """A step; returns whether this team is to make another."""
    cdef const fastnn_kernels *kernels = segment.kernels
    cdef fastnn_dense *layers = segment.layers
    cdef LayerSpace *spaces = segment.spaces
    cdef size_t i, rows = min(segment.batch_size, segment.n_rows - first)
    cdef size_t end = segment.n_layers  # of the layers that have not made their step
    cdef Share mine
    cdef bint goes_on
    cdef fastnn_batch batch, x = gathered_batch(segment, rows, parity)

    if team_rank() == 0:
        begin_step(segment, first, rows, parity)
    find_used_samples(segment, &x)
    for i in range(segment.first_by_rows):
        batch = layer_input(segment, i, &x)
        dense_forward(kernels, &layers[i], &batch, spaces[i].z, spaces[i].ld, spaces[i].a, spaces[i].ld)
        team_barrier(&segment.meeting)
        if spaces[i].mask != NULL:
            mine = my_share(rows)
            drop_units(segment, i, step_of(segment, first), mine.first, mine.last)
            team_barrier(&segment.meeting)
    rows_to_loss_and_back(segment, &x, step_of(segment, first), parity)
    team_barrier(&segment.meeting)
    goes_on = segment.goes_on  # before the batch's last meeting, after which it is the next one's
    if team_rank() == 0:  # now: without hidden layers, the next batch's losses follow the next barrier at once
        segment.loss += segment.loss_scale * summed(segment.losses, n_output_tasks(segment, rows))
    for i in range(segment.first_back - 1, 0, -1):
        dense_grad_input(kernels, &layers[i], rows, spaces[i].delta_t, layers[i - 1].activation, spaces[i - 1].kept,
                         spaces[i - 1].ld, spaces[i - 1].mask, spaces[i - 1].delta, spaces[i - 1].ld,
                         spaces[i - 1].delta_t)
        step_layers(segment, i + 1, end, &x)
        end = i + 1
        team_barrier(&segment.meeting)
    step_layers(segment, 0, end, &x)
    gather_batch(segment, first + segment.batch_size, 1 - parity)
    team_barrier(&segment.meeting)
    if team_rank() == 0:
        segment.loss += segment.loss_scale * 0.5 * segment.settings.l2 * summed(
            segment.squares, first_weight_task(segment, segment.n_layers))
    if segment.clip_norm > 0:
        clipped_step(segment)
    return goes_on


cdef long long step_of(Segment *segment, size_t first) noexcept nogil:
    """The number of the step of the batch that begins at row `first`: every thread may ask, at any time."""
    return segment.steps_before + 1 + first // segment.batch_size


cdef void begin_step(Segment *segment, size_t first, size_t rows, size_t parity) noexcept nogil:
    """What one thread finds for all: the constants of this batch's step."""
    cdef double total = total_weight(segment.kernels, &segment.wanted_rows[parity], rows)
    cdef double rate = 1 if segment.rates == NULL else segment.rates[first // segment.batch_size]
    segment.step_count = step_of(segment, first)
    segment.goes_on = team_count(&segment.meeting.stalls) < MOST_STALLS
    segment.update = update_at(segment.settings, segment.step_count, total, rate)
    # An epoch's loss is the mean over batches of theirs, each counting by its samples, as scikit-learn has it.
    segment.loss_scale = rows / total if total > 0 else 0
    if segment.settings.optimizer == FASTNN_accumulate:
        segment.loss_scale = 1
    if segment.clip_norm > 0:
        segment.step = segment.update
        segment.update.optimizer = FASTNN_gradient
        segment.update.keep = 1


cdef void drop_units(Segment *segment, size_t i, long long step, size_t first, size_t last) noexcept nogil:
    """Dropout of rows first ... last of hidden layer i in this step."""
    cdef LayerSpace *space = &segment.spaces[i]
    cdef size_t skipped = first * space.ld * segment.kernels.itemsize
    segment.kernels.dropout(
        segment.dropout_seed, step, i, first, last - first, segment.layers[i].fan_out,
        space.dropout, space.a + skipped, NULL if space.kept == space.z else space.kept + skipped,
        space.mask + skipped, space.ld)


cdef void clipped_step(Segment *segment) noexcept nogil:
    """The optimizer's step with a gradient that was left whole, scaled down if its norm is too large."""
    cdef const fastnn_kernels *kernels = segment.kernels
    cdef size_t i, panel, task = 0
    cdef size_t n_tasks = 0, size
    cdef double norm
    cdef Share mine
    cdef fastnn_update step
    for i in range(segment.n_layers):
        n_tasks += n_panels(kernels, &segment.layers[i])
    mine = my_share(n_tasks)
    for i in range(segment.n_layers):
        size = (1 + segment.layers[i].fan_in) * kernels.tile_cols
        for panel in range(n_panels(kernels, &segment.layers[i])):
            if mine.first <= task < mine.last:
                segment.norms[task] = kernels.sum_of_squares(
                    size, <const char *> segment.gradient_layers[i].state + panel * size * kernels.itemsize)
            task += 1
    team_barrier(&segment.meeting)
    norm = sqrt(summed(segment.norms, n_tasks))
    step = segment.step
    step.scale = 1
    if norm > segment.clip_norm:
        # Scaled by 0, a gradient out of bounds would be a step of nothing, and nobody would know.
        step.scale = segment.clip_norm / norm if norm < INFINITY else NAN
    task = 0
    for i in range(segment.n_layers):
        for panel in range(n_panels(kernels, &segment.layers[i])):
            if mine.first <= task < mine.last:
                kernels.dense_step(&segment.layers[i], panel, segment.gradient_layers[i].state, &step)
                if i >= segment.first_back:
                    transpose_weights(kernels, &segment.layers[i], panel, 0, segment.layers[i].fan_in,
                                      &segment.spaces[i].transposed)
            task += 1
    team_barrier(&segment.meeting)


cdef fastnn_batch layer_input(Segment *segment, size_t i, const fastnn_batch *x) noexcept nogil:
    """What goes into layer i, x being the samples."""
    cdef LayerSpace *below
    if i == 0:
        return x[0]
    below = &segment.spaces[i - 1]
    return whole_batch(x.rows, below.a, below.ld, segment.all_terms)


cdef void step_layers(Segment *segment, size_t first, size_t end, const fastnn_batch *x) noexcept nogil:
    """The steps of layers first ... end - 1, from the last one down."""
    cdef size_t i
    cdef fastnn_batch batch
    cdef fastnn_dense *layers = segment.layers if segment.clip_norm == 0 else segment.gradient_layers
    for i in range(end, first, -1):
        batch = layer_input(segment, i - 1, x)
        dense_grad_weights(segment.kernels, &layers[i - 1], &batch, segment.spaces[i - 1].delta,
                           segment.spaces[i - 1].ld, &segment.update,
                           segment.squares + first_weight_task(segment, i - 1),
                           NULL if segment.clip_norm > 0 else transposed_weights(segment, i - 1))


cdef const fastnn_dense *transposed_weights(Segment *segment, size_t i) noexcept nogil:
    """Where a layer's W^T is kept; NULL if it is not."""
    return &segment.spaces[i].transposed if i >= segment.first_back else NULL


cdef size_t first_weight_task(Segment *segment, size_t layer) noexcept nogil:
    """How many tasks the weights' gradients of the layers below have."""
    cdef size_t i, n_tasks = 0
    for i in range(layer):
        n_tasks += n_weight_tasks(segment.kernels, &segment.layers[i])
    return n_tasks


cdef size_t n_output_tasks(Segment *segment, size_t rows) noexcept nogil:
    return (rows + segment.chunk_rows - 1) // segment.chunk_rows


cdef void rows_to_loss_and_back(Segment *segment, const fastnn_batch *x, long long step,
                                size_t parity) noexcept nogil:
    """By rows, since the loss needs whole ones: the last layers, the loss, its gradient, and that of layers below."""
    cdef const fastnn_kernels *kernels = segment.kernels
    cdef LayerSpace *space
    cdef size_t i, task, row, skipped, chunk = segment.chunk_rows
    cdef Share mine = my_share(n_output_tasks(segment, x.rows))
    cdef fastnn_batch batch
    for task in range(mine.first, mine.last):
        row = task * chunk
        for i in range(segment.first_by_rows, segment.n_layers):
            space = &segment.spaces[i]
            batch = layer_input(segment, i, x)
            batch = batch_part(kernels, &batch, row, min(row + chunk, x.rows))
            skipped = row * space.ld * kernels.itemsize
            dense_forward_alone(kernels, &segment.layers[i], &batch, space.z + skipped if space.z != NULL else NULL,
                                space.ld, space.a + skipped, space.ld)
            if space.mask != NULL:
                drop_units(segment, i, step, row, row + batch.rows)
        segment.losses[task] = loss_of_rows(segment, row, batch.rows, parity)
        for i in range(segment.n_layers - 1, segment.first_back - 1, -1):
            error_of_rows_back(segment, i, row, batch.rows)


cdef void error_of_rows_back(Segment *segment, size_t i, size_t row, size_t rows) noexcept nogil:
    """The error of a batch's rows from `row` on, from layer i to the one below.

    By the forward product with W^T, which costs little to keep where layers are small and batches long.
    """
    cdef const fastnn_kernels *kernels = segment.kernels
    cdef LayerSpace *space = &segment.spaces[i]
    cdef LayerSpace *below = &segment.spaces[i - 1]
    cdef size_t itemsize = kernels.itemsize, skipped = row * below.ld * itemsize
    cdef fastnn_batch delta = whole_batch(rows, space.delta + row * space.ld * itemsize, space.ld, segment.all_terms)
    dense_forward_alone(kernels, &space.transposed, &delta, NULL, 0, below.delta + skipped, below.ld)
    kernels.multiply_gradient(segment.layers[i - 1].activation, rows, segment.layers[i].fan_in, below.kept + skipped,
                              below.mask + skipped if below.mask != NULL else NULL, below.ld, below.delta + skipped,
                              below.ld)
    if below.delta_t != NULL:
        transpose_rows(kernels, row, row + rows, segment.layers[i].fan_in, below.delta, below.ld, below.delta_t)


cdef double loss_of_rows(Segment *segment, size_t row, size_t rows, size_t parity) noexcept nogil:
    """The loss of a batch's rows from `row` on; its gradient by what goes into the output layer's activation."""
    cdef const fastnn_kernels *kernels = segment.kernels
    cdef fastnn_dense *layer = &segment.layers[segment.n_layers - 1]
    cdef LayerSpace *space = &segment.spaces[segment.n_layers - 1]
    cdef size_t skipped = row * space.ld * kernels.itemsize
    cdef char *delta = space.delta + skipped
    cdef double loss = rows_loss(kernels, &segment.wanted_rows[parity], row, rows, space.a + skipped, space.ld, delta,
                                 space.ld)
    kernels.multiply_gradient(layer.activation, rows, layer.fan_out, space.kept + skipped, NULL, space.ld, delta,
                              space.ld)
    if space.delta_t != NULL:
        transpose_rows(kernels, row, row + rows, layer.fan_out, space.delta, space.ld, space.delta_t)
    return loss


cdef double summed(const double *results, size_t n_tasks) noexcept nogil:
    """What a batch's tasks found, added in their order, whichever threads they ran on."""
    cdef double total = 0
    cdef size_t i
    for i in range(n_tasks):
        total += results[i]
    return total
