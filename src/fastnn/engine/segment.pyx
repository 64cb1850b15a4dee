"""Training without the GIL: the operations that make up the phases of a step, and a team's way through them.

schedule.py works out the phases. Every thread of a team calls every function but the first, which does the thread's
own part. What one thread does for all is done by the one of rank 0.
"""

from libc.stddef cimport size_t
from libc.string cimport memset

from fastnn.engine.clipping cimport clipped_step, find_norm
from fastnn.engine.gathering cimport (
    find_used_samples, gather_batch, gather_next, n_output_rows, starts_of, window_of,
)
from fastnn.engine.kernels cimport FASTNN_accumulate, FASTNN_gradient, fastnn_kernels
from fastnn.engine.layers.signal cimport (
    Signal, finish_sample_deltas, n_panels, n_tiles, rows_before, rows_of, sample_of,
)
from fastnn.engine.loss cimport rows_loss, total_weight
from fastnn.engine.optimizer cimport update_at
from fastnn.engine.parts cimport (
    Parts, add_all_parts, add_own_parts, owner_of, part_begin, part_of, step_with_parts,
)
from fastnn.engine.products cimport n_weight_tasks
from fastnn.engine.threads.contention cimport MOST_STALLS
from fastnn.engine.threads.team cimport (
    Share, Team, fp_state, my_share, team_count, team_enter, team_leave, team_seconds, team_wait,
)


cdef void refresh_layers(const Plan *plan) noexcept:
    """Bring up to date what layers keep of their weights: these may have been set since the last run."""
    cdef Layer *layer
    cdef size_t i, j, panel
    for i in range(plan.n_layers):
        layer = &plan.views[0].layers[i]
        if layer.kind.refresh == NULL:
            continue
        for j in range(layer.n_parameters):
            for panel in range(n_panels(plan.kernels, layer.parameters[j].matrix.fan_out)):
                layer.kind.refresh(layer, j, panel)


cdef void run_segment(void *job, const Team *team) noexcept nogil:
    """Train on the segment's batches, from the first one that no team has done.

    The team stops before the last one if its threads stall each other. A smaller team may then resume.
    """
    cdef Segment *segment = <Segment *> job
    cdef Batch batch
    cdef fp_state caller = team_enter()
    cdef bint resumes = True
    memset(&batch, 0, sizeof(Batch))
    batch.step.dropout_seed = segment.stepping.step.dropout_seed
    batch.number = segment.progress.n_done
    gather_batch(segment, batch.number, batch.parity, team)
    team_wait(team)
    while resumes and batch.number < segment.source.n_batches:
        place_batch(segment, &batch)
        resumes = train_batch(segment, &batch, team)
        batch.number += 1
        batch.parity = 1 - batch.parity
    if team.rank == 0:
        segment.progress.n_done = batch.number
    team_leave(caller)


cdef void place_batch(const Segment *segment, Batch *batch) noexcept nogil:
    """Find out which samples the batch of this number has."""
    batch.window = window_of(segment, batch.number)
    batch.n_samples = batch.window.n_samples
    batch.step.number = segment.progress.steps_before + 1 + batch.number
    batch.step.first_number = batch.step.number - batch.window.nth


cdef bint train_batch(Segment *segment, const Batch *batch, const Team *team) noexcept nogil:
    """Make a step. Returns whether this team is to make another one."""
    cdef const Operation *operation = segment.plan.operations
    cdef const Operation *end = operation + segment.plan.n_operations
    cdef OperationTime *time = segment.plan.views[team.rank].times
    cdef double moment = 0 if time == NULL else team_seconds()
    cdef bint resumes = True
    place_samples(segment, batch, &segment.plan.views[team.rank])
    while operation < end:
        operation.work(segment, batch, operation, team)
        if time != NULL:
            moment = add_time(&time.working, moment)
        if operation.ends_phase:
            team_wait(team)
            if time != NULL:
                moment = add_time(&time.waiting, moment)
            if operation < end - 1:  # after the last barrier another thread may set it for the next batch
                resumes = segment.progress.resumes
        operation += 1
        if time != NULL:
            time += 1
    if team.rank == 0:
        segment.progress.loss += segment.progress.loss_scale * 0.5 * segment.stepping.hyperparameters.l2 * penalty(
            &segment.plan)
    return resumes


cdef inline double add_time(double *seconds, double since) noexcept nogil:
    """Add the time since a moment. Returns this one."""
    cdef double now = team_seconds()
    seconds[0] += now - since
    return now


cdef void place_samples(const Segment *segment, const Batch *batch, View *view) noexcept nogil:
    """Tell the signals, as one thread sees them, where this batch's samples are."""
    cdef size_t i
    if segment.source.starts != NULL:
        for i in range(segment.plan.n_layers):
            view.signals[i].starts = starts_of(segment, batch.number, 1 + i)
            view.layers[i].begins = batch.window.first_step == 0


cdef inline const Signal *below(Segment *segment, const Batch *batch, const View *view, size_t layer) noexcept nogil:
    """The signal that a layer reads."""
    return &segment.gathered[batch.parity].signal if layer <= segment.plan.first_layer else &view.signals[layer - 1]


# -- the operations, by name -------------------------------------------------------------------------------------------

cdef Work operation_work(str name) except NULL:
    if name == "begin":
        return begin
    if name == "forward":
        return forward
    if name == "rows":
        return rows
    if name == "add losses":
        return add_losses
    if name == "back":
        return back
    if name == "add sums":
        return add_sums
    if name == "add gradients":
        return add_gradients
    if name == "step":
        return make_step
    if name == "gather":
        return gather_next
    if name == "norm":
        return find_norm
    if name == "clipped step":
        return clipped_step
    raise ValueError(f"an operation must be one that segment.pyx lists, got {name!r}")


cdef RowWork row_work(str name) except NULL:
    if name == "sums":
        return sum_rows
    if name == "forward":
        return forward_rows
    if name == "loss":
        return loss_rows
    if name == "grad":
        return grad_rows
    if name == "back":
        return back_rows
    raise ValueError(f"an operation by rows must be sums, forward, loss, grad or back, got {name!r}")


# -- the begin of a step -----------------------------------------------------------------------------------------------

cdef void begin(Segment *segment, const Batch *batch, const Operation *operation, const Team *team) noexcept nogil:
    """Work out the constants of this batch's step, on one thread for all."""
    cdef Stepping *stepping = &segment.stepping
    cdef Progress *progress = &segment.progress
    cdef double total, rate = 1
    find_used_samples(segment, batch, team)
    if team.rank != 0:
        return
    total = total_weight(segment.plan.kernels, &segment.gathered[batch.parity].targets,
                         n_output_rows(segment, batch))
    if segment.source.rates != NULL:
        rate = segment.source.rates[batch.number]
    progress.step_count = batch.step.number
    progress.resumes = team_count(&segment.barrier.stalls) < MOST_STALLS
    stepping.step.number = batch.step.number
    stepping.step.update = update_at(stepping.hyperparameters, batch.step.number, total, rate)
    # As in scikit-learn, an epoch's loss is the mean of the batches' losses, weighted by their numbers of samples.
    progress.loss_scale = batch.window.counted / total if total > 0 else 0
    if stepping.hyperparameters.optimizer == FASTNN_accumulate:
        progress.loss_scale = 1
    if stepping.clip_norm > 0:
        stepping.clipped_update = stepping.step.update
        stepping.step.update.optimizer = FASTNN_gradient
        stepping.step.update.keep = 1


# -- layers ------------------------------------------------------------------------------------------------------------

cdef void forward(Segment *segment, const Batch *batch, const Operation *operation, const Team *team) noexcept nogil:
    cdef const View *view = &segment.plan.views[team.rank]
    cdef const Layer *layer = &view.layers[operation.layer]
    cdef const Signal *reads = below(segment, batch, view, operation.layer)
    cdef const Signal *makes = &view.signals[operation.layer]
    cdef Share mine
    if layer.kind.forward_shared != NULL:
        layer.kind.forward_shared(layer, reads, makes, batch.n_samples, &batch.step, team)
    else:
        mine = my_samples(segment, batch, team)
        layer.kind.forward_rows(layer, reads, makes, mine.first, mine.last, &batch.step)


cdef void back(Segment *segment, const Batch *batch, const Operation *operation, const Team *team) noexcept nogil:
    cdef const View *view = &segment.plan.views[team.rank]
    cdef const Layer *layer = &view.layers[operation.layer]
    cdef const Signal *reads = below(segment, batch, view, operation.layer)
    cdef const Signal *makes = &view.signals[operation.layer]
    cdef Share mine
    if layer.kind.back_shared != NULL:
        layer.kind.back_shared(layer, reads, makes, batch.n_samples, team)
    else:
        mine = my_samples(segment, batch, team)
        layer.kind.back_rows(layer, reads, makes, mine.first, mine.last)


cdef void make_step(Segment *segment, const Batch *batch, const Operation *operation, const Team *team) noexcept nogil:
    cdef const View *view = &segment.plan.views[team.rank]
    cdef const Layer *layer = &view.layers[operation.layer]
    cdef Parts parts
    if layer.kind.grad_rows != NULL:
        parts = parts_of(segment, batch)
        step_with_parts(layer, &parts, &segment.stepping.step.update, team)
    else:
        layer.kind.make_step(layer, below(segment, batch, view, operation.layer), &view.signals[operation.layer],
                             batch.n_samples, &segment.stepping.step, team)


cdef void add_sums(Segment *segment, const Batch *batch, const Operation *operation, const Team *team) noexcept nogil:
    """Complete the sums over the batch, each thread for itself: it has no other one to wait for."""
    cdef const View *view = &segment.plan.views[team.rank]
    cdef Layer *layer = &view.layers[operation.layer]
    cdef const Signal *reads = below(segment, batch, view, operation.layer)
    cdef Parts parts = parts_of(segment, batch)
    cdef size_t part
    layer.n_parts = parts.n
    for part in range(parts.n):
        layer.part_rows[part] = rows_of(reads, part_begin(&parts, part), part_begin(&parts, part + 1))
    layer.coupling.add_sums(layer, team.rank == 0)


cdef void add_gradients(Segment *segment, const Batch *batch, const Operation *operation,
                        const Team *team) noexcept nogil:
    """Likewise the gradients that the error depends on."""
    cdef Parts parts = parts_of(segment, batch)
    add_all_parts(&segment.plan.views[team.rank].layers[operation.layer], &parts, team)


cdef Share my_samples(Segment *segment, const Batch *batch, const Team *team) noexcept nogil:
    """This thread's share of a batch's samples, in whole tiles."""
    cdef size_t tile = segment.plan.kernels.tile_rows
    cdef Share mine = my_share(team, n_tiles(segment.plan.kernels, batch.n_samples))
    return Share(min(mine.first * tile, batch.n_samples), min(mine.last * tile, batch.n_samples))


# -- by rows -----------------------------------------------------------------------------------------------------------

cdef size_t n_parts(const Plan *plan, size_t n_samples) noexcept nogil:
    """The number of parts in which so many samples are taken by rows."""
    return (n_samples + plan.part_samples - 1) // plan.part_samples


cdef Parts parts_of(const Segment *segment, const Batch *batch) noexcept nogil:
    return Parts(n_parts(&segment.plan, batch.n_samples), segment.plan.part_samples, batch.n_samples,
                 starts_of(segment, batch.number, 0))


cdef void move_own_signals(const Plan *plan, const View *view, size_t first) noexcept nogil:
    """Let the thread's own signals begin with a sample."""
    cdef size_t i
    for i in range(plan.n_layers):
        if view.own[i]:
            view.signals[i].first_sample = first
            view.signals[i].first_row = rows_before(&view.signals[i], first)


cdef void rows(Segment *segment, const Batch *batch, const Operation *operation, const Team *team) noexcept nogil:
    """Take this thread's parts of the batch through several layers, chunk by chunk.

    By rows, since the loss of a sample needs all of its outputs, and since what flows through convolutions stays in the
    cache only for a few samples.
    """
    cdef const Plan *plan = &segment.plan
    cdef View *view = &plan.views[team.rank]
    cdef Parts parts = parts_of(segment, batch)
    cdef size_t i, part, first, last, end
    cdef double moment
    for part in range(parts.n):
        if owner_of(&parts, part, team) != team.rank:
            continue
        first, end = part_begin(&parts, part), part_begin(&parts, part + 1)
        view.part, view.part_begins = part, True
        while first < end:
            last = min(first + plan.chunk_samples, end)
            if view.has_own:
                move_own_signals(plan, view, first)
            moment = 0 if view.times == NULL else team_seconds()
            for i in range(operation.n_row_operations):
                operation.row_operations[i].work(segment, batch, view, operation.row_operations[i].layer, first, last)
                if view.times != NULL:
                    moment = add_time(&view.times[operation.row_operations[i].number].working, moment)
            first, view.part_begins = last, False
    for i in range(operation.n_row_operations):
        if operation.row_operations[i].work == grad_rows:
            add_own_parts(&view.layers[operation.row_operations[i].layer], &parts, team)


cdef void sum_rows(Segment *segment, const Batch *batch, const View *view, size_t i, size_t first,
                   size_t last) noexcept nogil:
    cdef const Layer *layer = &view.layers[i]
    cdef const Signal *reads = below(segment, batch, view, i)
    layer.coupling.sum_rows(layer, reads, first, last, rows_of(reads, view.part * segment.plan.part_samples, first),
                            layer.sums + view.part * layer.sums_size * layer.kernels.itemsize)


cdef void forward_rows(Segment *segment, const Batch *batch, const View *view, size_t i, size_t first,
                       size_t last) noexcept nogil:
    cdef const Layer *layer = &view.layers[i]
    layer.kind.forward_rows(layer, below(segment, batch, view, i), &view.signals[i], first, last, &batch.step)


cdef void back_rows(Segment *segment, const Batch *batch, const View *view, size_t i, size_t first,
                    size_t last) noexcept nogil:
    cdef const Layer *layer = &view.layers[i]
    layer.kind.back_rows(layer, below(segment, batch, view, i), &view.signals[i], first, last)


cdef void grad_rows(Segment *segment, const Batch *batch, const View *view, size_t i, size_t first,
                    size_t last) noexcept nogil:
    cdef const Layer *layer = &view.layers[i]
    layer.kind.grad_rows(layer, below(segment, batch, view, i), &view.signals[i], first, last,
                         part_of(layer, view.part), not view.part_begins)


cdef void loss_rows(Segment *segment, const Batch *batch, const View *view, size_t i, size_t first,
                    size_t last) noexcept nogil:
    """The loss of samples first ... last - 1, and its gradient by the output layer's sums."""
    cdef const fastnn_kernels *kernels = segment.plan.kernels
    cdef const Signal *outputs = &view.signals[segment.plan.n_layers - 1]
    cdef double *loss = &segment.progress.losses[view.part]
    if view.part_begins:
        loss[0] = 0
    loss[0] += rows_loss(
        kernels, &segment.gathered[batch.parity].targets, rows_before(outputs, first), rows_of(outputs, first, last),
        sample_of(kernels, outputs, outputs.values, first), outputs.ld,
        sample_of(kernels, outputs, outputs.delta, first), outputs.ld)
    finish_sample_deltas(kernels, outputs, first, last)


cdef void add_losses(Segment *segment, const Batch *batch, const Operation *operation,
                     const Team *team) noexcept nogil:
    """Add the parts' losses to the segment's.

    In the phase right after the rows: without hidden layers, the losses of the next batch follow at the next barrier.
    """
    if team.rank == 0:
        segment.progress.loss += segment.progress.loss_scale * summed(
            segment.progress.losses, n_parts(&segment.plan, batch.n_samples))


cdef double penalty(const Plan *plan) noexcept nogil:
    """The sum of the squares of all weights before the step."""
    cdef double total = 0
    cdef size_t i, task
    for i in range(plan.n_parameters):
        for task in range(n_weight_tasks(plan.kernels, &plan.parameters[i].matrix)):
            total += plan.parameters[i].squares[task]
    return total


cdef double summed(const double *results, size_t n_tasks) noexcept nogil:
    """The sum of the results of tasks, in the order of the tasks, whichever threads did them."""
    cdef double total = 0
    cdef size_t i
    for i in range(n_tasks):
        total += results[i]
    return total
