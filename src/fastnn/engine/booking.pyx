"""What a trainer books before anything runs: the memory of every batch, so that none is allocated in between.

A network, a loss, an optimizer and a batch size decide on all of it but a batch of X, which is booked by the first run
on a dense X, and on a sparse X whose entries are read by each run whose batches store more numbers than before.
"""

import math

import numpy as np

cimport numpy as cnp
from libc.stddef cimport size_t
from libc.stdint cimport int32_t, uint32_t

from fastnn.engine import schedule
from fastnn.engine.activation import keeps_input, number
from fastnn.engine.arrays cimport Workspace, round_up
from fastnn.engine.kernels cimport FASTNN_NO_ENTRY, fastnn_entries, fastnn_kernels
from fastnn.engine.layers.layer cimport EngineLayer, Layer, Parameter
from fastnn.engine.layers.signal cimport Signal, n_panels, n_tiles, signal_size
from fastnn.engine.loss cimport Loss, TargetRows
from fastnn.engine.network cimport Network
from fastnn.engine.products cimport every_term, n_weight_tasks, packed_size
from fastnn.engine.segment cimport (
    Operation, Plan, RowOperation, Segment, UsedTerms, View, n_parts, operation_work, row_work,
)

cnp.import_array()

cdef size_t CACHE_LINE = 16  # numbers, or more: no two parts of a batch have gradients in one
# Samples of a part, which one thread takes by rows: at least so many, and a whole number of tiles.
cdef size_t LEAST_PART = 16
# Where gradients are summed by samples: so many samples, and so many parts of a batch, that there are some for every
# thread, unless all their gradients would be more numbers than that. Each part adds as much work as a step has.
cdef size_t LEAST_PART_WITH_MAPS = 2
cdef size_t LEAST_PARTS = 4
cdef size_t MOST_PARTS = 32
cdef size_t MOST_NUMBERS_OF_PARTS = 4_000_000
# What flows through the layers for a chunk of samples, and the errors: at most so many numbers, which stay in the
# second-level cache.
cdef size_t CHUNK_NUMBERS = 128_000


cdef cut_batches(Plan *plan, Network network, batch_size):
    """Decide on the parts and chunks of a batch: by shapes alone, so that sums are the same for all threads."""
    cdef size_t tile_rows = plan.kernels.tile_rows
    plan.batch_size = batch_size
    plan.part_samples = plan.chunk_samples = round_up(LEAST_PART, tile_rows)
    layers = network.layers
    summed = [i for i in range(len(layers)) if layers[i].sums_by_samples()]
    if not summed:
        return
    largest = max(packed_size_of(&network.layer_list[i]) for i in summed)
    most_parts = max(LEAST_PARTS, min(MOST_PARTS, MOST_NUMBERS_OF_PARTS // largest))
    maps = network.is_ragged or any(layers[i].n_positions() > 1 for i in summed)
    plan.part_samples = max(LEAST_PART_WITH_MAPS if maps else LEAST_PART, -(-batch_size // most_parts))
    least_chunk = max(layer.least_chunk() for layer in layers)
    if least_chunk > 1:
        enough = round_up(max(1, batch_size // LEAST_PARTS), tile_rows)
        plan.part_samples = max(plan.part_samples, min(least_chunk, enough))
    numbers = max(1, sum(signal_size(&network.signal_list[i]) for i in range(len(layers))))
    plan.chunk_samples = max(1, min(plan.part_samples, CHUNK_NUMBERS // (2 * numbers)))  # values and errors
    if least_chunk > 1 or network.is_ragged:
        plan.chunk_samples = plan.part_samples
    if not network.is_ragged and math.prod(network.input_shape[:-1]) == 1:
        # The terms of X are found for whole tiles.
        plan.part_samples = round_up(plan.part_samples, tile_rows)
        plan.chunk_samples = round_up(plan.chunk_samples, tile_rows)


cdef book_parameters(Segment *segment, Network network, cnp.ndarray memories, Workspace space):
    """The list of parameters, each with what the optimizer remembers of it; and with its gradient, if that is clipped.
    """
    cdef Plan *plan = &segment.plan
    cdef char *gradient
    cdef size_t i, n, panels = 0, itemsize = plan.kernels.itemsize
    cdef Parameter *parameter
    plan.parameters = <Parameter *> space.zeros(plan.n_parameters * sizeof(Parameter), np.uint8)
    plan.gradients = plan.parameters
    for i in range(plan.n_parameters):
        parameter = &plan.parameters[i]
        parameter[0] = network.parameter_list[i]
        parameter.matrix.state = <char *> cnp.PyArray_DATA(memories) + parameter.offset * itemsize
        parameter.matrix.state_stride = len(network.parameters)
        n = n_panels(plan.kernels, parameter.matrix.fan_out)
        parameter.squares = <double *> space.zeros(max(n_weight_tasks(plan.kernels, &parameter.matrix), n), np.float64)
        panels += n
    if segment.stepping.clip_norm > 0:
        segment.stepping.norms = <double *> space.zeros(panels, np.float64)
        gradient = space.zeros(len(network.parameters), network.dtype)
        plan.gradients = <Parameter *> space.zeros(plan.n_parameters * sizeof(Parameter), np.uint8)
        for i in range(plan.n_parameters):
            plan.gradients[i] = plan.parameters[i]
            plan.gradients[i].matrix.state = gradient + plan.parameters[i].offset * itemsize


cdef book_operations(Plan *plan, list phases, Workspace space):
    """The operations of all phases in one list, as the threads go through it."""
    cdef Operation *operation
    cdef RowOperation *row_operation
    plan.n_operations = plan.n_timed = sum(map(len, phases))
    plan.operations = operation = <Operation *> space.zeros(plan.n_operations * sizeof(Operation), np.uint8)
    for phase in phases:
        for name, *arguments in phase:
            operation.work = operation_work(name)
            if name == "rows":
                operation.n_row_operations = len(arguments[0])
                operation.row_operations = row_operation = <RowOperation *> space.zeros(
                    operation.n_row_operations * sizeof(RowOperation), np.uint8)
                for row_name, *layer in arguments[0]:
                    row_operation.work = row_work(row_name)
                    row_operation.layer = layer[0] if layer else 0
                    row_operation.number = plan.n_timed
                    plan.n_timed += 1
                    row_operation += 1
            elif arguments:
                operation.layer = arguments[0]
            operation += 1
        (operation - 1).ends_phase = True


cdef book_layers(Plan *plan, Network network, list phases, int n_threads, bint carries, Workspace space):
    """The layers, and what each needs for itself, as each thread sees them.

    carries: recurrent layers carry their states from batch to batch.
    """
    cdef EngineLayer engine_layer
    cdef View *view
    cdef Layer *layer
    cdef size_t i, first = 0, most_parts = n_parts(plan, plan.batch_size)
    cdef int thread
    layers, dtype = network.layers, network.dtype
    operations = schedule.by_name(phases)
    own = schedule.signals_of_rows(phases, len(layers))
    depth = (<object> most_parts).bit_length()  # at least that of the tree of parts
    plan.views = <View *> space.zeros(n_threads * sizeof(View), np.uint8)
    for thread in range(n_threads):
        view = &plan.views[thread]
        view.layers = <Layer *> space.zeros(plan.n_layers * sizeof(Layer), np.uint8)
        view.signals = <Signal *> space.zeros(plan.n_layers * sizeof(Signal), np.uint8)
        view.own = <bint *> space.zeros(plan.n_layers * sizeof(bint), np.uint8)
        view.has_own = any(own)
    for i in range(plan.n_layers):
        engine_layer, layer = layers[i], &plan.views[0].layers[i]
        layer[0] = network.layer_list[i]
        layer.parameters = plan.gradients + first
        first += layer.n_parameters
        layer.workspace = engine_layer.book(layer, plan.batch_size, ("back", i) in operations["rows"], space)
        if ("grad", i) in operations["rows"]:
            layer.part_size = round_up(packed_size_of(layer), CACHE_LINE)
            layer.parts = space.zeros(most_parts * layer.part_size, dtype)
        if layer.coupling != NULL:
            layer.sums_size = round_up(engine_layer.sums_size(), CACHE_LINE)
            layer.sums = space.zeros(most_parts * layer.sums_size, dtype)
        if carries and engine_layer.carried_size() > 0:
            layer.carried_size = engine_layer.carried_size()
            layer.carried = space.zeros(<object> plan.batch_size * layer.carried_size, dtype)
        for thread in range(n_threads if i >= plan.first_layer else 0):
            view = &plan.views[thread]
            view.layers[i], view.own[i] = layer[0], own[i]
            if layer.coupling != NULL:
                view.layers[i].part_rows = <size_t *> space.zeros(most_parts, np.uintp)
                view.layers[i].all_sums = space.zeros(layer.sums_size, dtype)
                view.layers[i].all_gradients = space.zeros((1 + depth) * layer.part_size, dtype)


cdef book_scratch(Plan *plan, Network network, int n_threads, list longest, Workspace space):
    """The scratch memory of each thread's own. longest is the most steps of a sequence that each layer reads, or 0."""
    cdef size_t i, size
    cdef int thread
    for i in range(plan.first_layer, plan.n_layers):
        size = network.layers[i].scratch_size(longest[i])
        for thread in range(n_threads):
            plan.views[thread].layers[i].scratch = space.zeros(size, network.dtype) if size > 0 else NULL


cdef const uint32_t *book_signals(Plan *plan, Network network, Loss loss, tuple dropout, list phases, int n_threads,
                                  list batch_rows, list chunk_rows, Workspace space) except NULL:
    """The signals that the layers make. Returns the terms of any sum.

    A thread has signals of its own where it needs only a few samples at a time. batch_rows and chunk_rows are the most
    rows of a batch, and of a chunk, in what each layer reads and, at their end, in the outputs.
    """
    cdef const uint32_t *all_terms
    cdef View *view
    cdef Signal *signal
    cdef size_t i
    cdef int thread
    layers = network.layers
    operations = schedule.by_name(phases)
    all_terms = space.terms(max(*network.sizes, *(layer.output_shape[-1] for layer in layers), *batch_rows))
    for i in range(plan.first_layer, plan.n_layers):
        for thread in range(n_threads):
            view = &plan.views[thread]
            signal = &view.signals[i]
            if thread > 0 and not view.own[i]:
                signal[0] = plan.views[0].signals[i]
                continue
            rows = chunk_rows if view.own[i] else batch_rows
            signal[0] = network.signal_list[i]  # its shape
            signal.columns = signal.samples = every_term(all_terms)
            signal.number = i
            if i < plan.n_layers - 1 and dropout:
                signal.dropout = dropout[i]
            book_signal(plan, signal, layers[i], network, loss, operations, rows[i], rows[i + 1], space)
        for thread in range(n_threads):
            view = &plan.views[thread]
            if view.layers[i].coupling != NULL and ("back", i) in operations["rows"]:
                share_delta(&view.signals[i - 1], &view.signals[i])
    return all_terms


cdef share_delta(const Signal *below, Signal *above):
    """Let a layer that goes back number by number write the error over the one that it reads.

    The errors of a whole batch are more than a cache has, and so half of them need not come from memory.
    """
    if above.delta != above.values and (below.positions, below.ld) == (above.positions, above.ld):
        above.delta = below.delta


cdef book_signal(const Plan *plan, Signal *signal, EngineLayer layer, Network network, Loss loss, dict operations,
                 rows_below, n_rows, Workspace space):
    """The arrays of so many rows of the signal that a layer makes."""
    cdef const fastnn_kernels *kernels = plan.kernels
    dtype, i = network.dtype, signal.number
    is_last = i == plan.n_layers - 1
    # A loss of logits is computed from the last layer's sums, before the head.
    activation = network.head if is_last and not loss.from_logits else layer.activation
    signal.activation = number(activation)
    n_rows = round_up(n_rows, kernels.tile_cols)  # whole tiles are written
    size = n_rows * <object> signal.ld + <object> kernels.tile_cols  # vectors may be read that end past the last row
    signal.kept = signal.values = space.zeros(size, dtype)
    if is_last and loss.from_logits:
        signal.delta = signal.values  # the loss replaces the logits by their gradient
    else:
        if is_last or any(("back", i + 1) in operations[sharing] for sharing in ("rows", "team")):
            signal.delta = space.zeros(size, dtype)
        if keeps_input(activation):
            signal.kept = signal.sums = space.zeros(size, dtype)
    going_back = {("grad", i), ("back", i)} & operations["rows"] | {("step", i)} & operations["team"]
    if layer.memo_size() > 0 and (going_back or layer.memo_has_masks()):
        signal.memo_size = layer.memo_size()
        signal.memo = space.zeros((rows_below if layer.notes_inputs() else n_rows) * signal.memo_size, dtype)
    if signal.dropout > 0:
        signal.mask = space.zeros(size, dtype)
        if signal.sums == NULL:
            signal.kept = space.zeros(size, dtype)
    if ("back", i) in operations["team"] and layer.needs_transposed_delta():
        signal.delta_t = space.zeros(n_rows * <object> signal.channels, dtype)


cdef size_t packed_size_of(const Layer *layer) noexcept:
    """The number of numbers in the panels of all the layer's parameters."""
    cdef size_t i, size = 0
    for i in range(layer.n_parameters):
        size += packed_size(layer.kernels, layer.parameters[i].matrix.fan_in, layer.parameters[i].matrix.fan_out)
    return size


cdef book_targets(Segment *segment, Network network, Loss loss, n_rows, Workspace space):
    """The targets and weights of a batch's rows and of the next one's, and the losses of a batch's parts."""
    cdef TargetRows *targets
    cdef size_t i
    n_rows = round_up(n_rows, segment.plan.kernels.tile_cols)
    for i in range(2):
        targets = &segment.gathered[i].targets
        targets.weights = space.zeros(n_rows * loss.n_targets, network.dtype)
        if loss.name == "softmax":
            targets.labels = <int32_t *> space.zeros(n_rows * loss.n_targets, np.int32)
        else:
            targets.targets = space.zeros(n_rows * loss.n_outputs, network.dtype)
    segment.progress.losses = <double *> space.zeros(n_parts(&segment.plan, segment.plan.batch_size), np.float64)


cdef Workspace book_dense_input(Segment *segment, Network network, batch_rows, const uint32_t *all_terms):
    """A batch of X as dense rows, and the next one, with the terms that are not zero throughout a tile."""
    cdef Signal inputs[2]  # copies: if there is not enough memory, the segment stays as it is
    cdef UsedTerms used  # likewise
    cdef Signal *signal
    cdef const fastnn_kernels *kernels = segment.plan.kernels
    cdef size_t i
    cdef Workspace space = Workspace()
    n_features, batch_size = network.sizes[0], <object> segment.plan.batch_size
    row_tiles, column_tiles = n_tiles(kernels, batch_size), n_tiles(kernels, n_features)
    n_rows = round_up(batch_rows, kernels.tile_cols)
    for i in range(2):
        signal = &inputs[i]
        signal[0] = segment.gathered[i].signal
        network.shape_input(signal)
        signal.columns = signal.samples = every_term(all_terms)
        signal.values = space.zeros(n_rows * <object> signal.ld, network.dtype)
        signal.entries.starts, signal.entries.capacity = NULL, 0
    used.all_terms, used.pay, used.n_runs = all_terms, False, 0
    used.columns = used.samples = every_term(all_terms)
    if inputs[0].positions == 1:
        # One batch's terms are used no more when the next one's are found.
        used.columns.terms = <uint32_t *> space.zeros(row_tiles * n_features, np.uint32)
        used.columns.counts = <uint32_t *> space.zeros(row_tiles, np.uint32)
        used.columns.stride = n_features
        used.samples.terms = <uint32_t *> space.zeros(column_tiles * batch_size, np.uint32)
        used.samples.counts = <uint32_t *> space.zeros(column_tiles, np.uint32)
        used.samples.stride = batch_size
    segment.used = used
    for i in range(2):
        segment.gathered[i].signal = inputs[i]
    return space


cdef Workspace book_sparse_input(Segment *segment, Network network, capacity):
    """A batch of a sparse X's entries and the next one, of which each stores at most `capacity` numbers."""
    cdef Signal inputs[2]  # copies, likewise
    cdef fastnn_entries *entries
    cdef size_t i
    cdef Workspace space = Workspace()
    if capacity >= FASTNN_NO_ENTRY:
        raise ValueError(f"a batch of X must store fewer than {FASTNN_NO_ENTRY} numbers, got {capacity}: "
                         f"batch_size must be smaller than {segment.plan.batch_size}")
    heads = <uint32_t *> space.zeros(network.sizes[0], np.uint32)
    following = <uint32_t *> space.zeros(capacity, np.uint32)
    for i in range(2):
        inputs[i] = segment.gathered[i].signal
        network.shape_input(&inputs[i])
        inputs[i].values = NULL
        inputs[i].columns = inputs[i].samples = every_term(NULL)
        entries = &inputs[i].entries
        entries.starts = <size_t *> space.zeros(segment.plan.batch_size + 1, np.uintp)
        entries.columns = <uint32_t *> space.zeros(capacity, np.uint32)
        entries.rows = <uint32_t *> space.zeros(capacity, np.uint32)
        entries.values = space.zeros(capacity, network.dtype)
        entries.heads, entries.next, entries.capacity = heads, following, capacity
    for i in range(2):
        segment.gathered[i].signal = inputs[i]
    return space
