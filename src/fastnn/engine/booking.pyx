"""What a trainer books before anything runs: the memory of every batch, so that none is allocated in between.

A network, a loss, an optimizer and a batch size decide on all of it but a batch of X, which is booked by the first run
on a dense X, and on a sparse X by each run whose batches store more numbers than those before.
"""

import math

import numpy as np

cimport numpy as cnp
from libc.stddef cimport size_t
from libc.stdint cimport int32_t, uint32_t

from fastnn.engine.activation import keeps_input, number
from fastnn.engine.arrays cimport Workspace, round_up
from fastnn.engine.kernels cimport FASTNN_NO_ENTRY, fastnn_entries, fastnn_kernels
from fastnn.engine.layers.layer cimport EngineLayer, Layer, Parameter
from fastnn.engine.layers.signal cimport Signal, n_panels, n_tiles
from fastnn.engine.loss cimport Loss, TargetRows
from fastnn.engine.network cimport Network
from fastnn.engine.products cimport every_term, n_weight_tasks
from fastnn.engine.segment cimport Operation, Plan, RowOperation, Segment, n_chunks, operation_work, row_work

cnp.import_array()


cdef book_parameters(Segment *segment, Network network, cnp.ndarray memories, Workspace space):
    """The list of parameters, each with what the optimizer remembers of it; and with its gradient, if that is clipped.
    """
    cdef Plan *plan = &segment.plan
    cdef char *gradient
    cdef size_t i, panels = 0, itemsize = plan.kernels.itemsize
    cdef Parameter *parameter
    plan.parameters = <Parameter *> space.zeros(plan.n_parameters * sizeof(Parameter), np.uint8)
    plan.gradients = plan.parameters
    for i in range(plan.n_parameters):
        parameter = &plan.parameters[i]
        parameter[0] = network.parameter_list[i]
        parameter.matrix.state = <char *> cnp.PyArray_DATA(memories) + parameter.offset * itemsize
        parameter.matrix.state_stride = len(network.parameters)
        parameter.squares = <double *> space.zeros(n_weight_tasks(plan.kernels, &parameter.matrix), np.float64)
        panels += n_panels(plan.kernels, parameter.matrix.fan_out)
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
    plan.n_operations = sum(map(len, phases))
    plan.operations = operation = <Operation *> space.zeros(plan.n_operations * sizeof(Operation), np.uint8)
    for phase in phases:
        for name, *arguments in phase:
            operation.work = operation_work(name)
            if name == "rows":
                plan.n_row_operations = len(arguments[0])
                plan.row_operations = row_operation = <RowOperation *> space.zeros(
                    plan.n_row_operations * sizeof(RowOperation), np.uint8)
                for row_name, *layer in arguments[0]:
                    row_operation.work = row_work(row_name)
                    row_operation.layer = layer[0] if layer else 0
                    row_operation += 1
            elif arguments:
                operation.layer = arguments[0]
            operation += 1
        (operation - 1).ends_phase = True


cdef const uint32_t *book_layers(Plan *plan, Network network, Loss loss, tuple dropout, list phases,
                                 Workspace space) except NULL:
    """The layers, what each needs for itself, and the signals that they make. Returns the terms of any sum."""
    cdef const fastnn_kernels *kernels = plan.kernels
    cdef const uint32_t *all_terms
    cdef EngineLayer engine_layer
    cdef Layer *layer
    cdef Signal *signal
    cdef size_t i, first = 0
    layers, dtype, batch_size = network.layers, network.dtype, <object> plan.batch_size
    operations = [operation for phase in phases for operation in phase]
    row_operations = next(operation[1] for operation in operations if operation[0] == "rows")
    backs = {operation[1] for operation in operations if operation[0] == "back"}
    backs_by_rows = {operation[1] for operation in row_operations if operation[0] == "back"}
    n_rows = batch_size * max(math.prod(layer.input_shape[:-1]) for layer in layers)
    all_terms = space.terms(max(*network.sizes, n_rows))
    plan.layers = <Layer *> space.zeros(plan.n_layers * sizeof(Layer), np.uint8)
    plan.signals = <Signal *> space.zeros(plan.n_layers * sizeof(Signal), np.uint8)
    for i in range(plan.n_layers):
        engine_layer, layer, signal = layers[i], &plan.layers[i], &plan.signals[i]
        layer[0] = network.layer_list[i]
        layer.parameters = plan.gradients + first
        first += layer.n_parameters
        layer.workspace = engine_layer.book(layer, batch_size, i in backs_by_rows, space)

        is_last = i == plan.n_layers - 1
        signal[0] = network.signal_list[i]  # its shape
        signal.columns = signal.samples = every_term(all_terms)
        signal.number = i
        # A loss of logits is computed from the last layer's sums, before the head.
        activation = network.head if is_last and not loss.from_logits else engine_layer.activation
        signal.activation = number(activation)
        size = round_up(batch_size, kernels.tile_cols) * signal.positions * <object> signal.ld
        signal.kept = signal.values = space.zeros(size, dtype)
        if is_last and loss.from_logits:
            signal.delta = signal.values  # the loss replaces the logits by their gradient
        else:
            if is_last or i + 1 in backs or i + 1 in backs_by_rows:
                signal.delta = space.zeros(size, dtype)
            if keeps_input(activation):
                signal.kept = signal.sums = space.zeros(size, dtype)
        if not is_last and dropout and dropout[i] > 0:
            signal.dropout, signal.mask = dropout[i], space.zeros(size, dtype)
            if signal.sums == NULL:
                signal.kept = space.zeros(size, dtype)
        if i in backs and engine_layer.needs_transposed_delta():
            signal.delta_t = space.zeros(
                round_up(batch_size, kernels.tile_cols) * signal.positions * <object> signal.channels, dtype)
    return all_terms


cdef book_targets(Segment *segment, Network network, Loss loss, Workspace space):
    """The targets and weights of a batch and of the next one, and the losses of a batch's chunks."""
    cdef TargetRows *targets
    cdef size_t i
    n_rows = round_up(segment.plan.batch_size, segment.plan.kernels.tile_cols)
    for i in range(2):
        targets = &segment.gathered[i].targets
        targets.weights = space.zeros(n_rows * loss.n_targets, network.dtype)
        if loss.name == "softmax":
            targets.labels = <int32_t *> space.zeros(n_rows * loss.n_targets, np.int32)
        else:
            targets.targets = space.zeros(n_rows * loss.n_outputs, network.dtype)
    segment.progress.losses = <double *> space.zeros(n_chunks(&segment.plan, segment.plan.batch_size), np.float64)


cdef Workspace book_dense_input(Segment *segment, Network network, const uint32_t *all_terms):
    """A batch of a dense X and the next one, with the terms that are not zero throughout a tile."""
    cdef Signal inputs[2]  # copies: if there is not enough memory, the segment stays as it is
    cdef Signal *signal
    cdef const fastnn_kernels *kernels = segment.plan.kernels
    cdef size_t i
    cdef Workspace space = Workspace()
    n_features, batch_size = network.sizes[0], <object> segment.plan.batch_size
    row_tiles, column_tiles = n_tiles(kernels, batch_size), n_tiles(kernels, n_features)
    n_rows = round_up(batch_size, kernels.tile_cols)
    for i in range(2):
        signal = &inputs[i]
        signal[0] = segment.gathered[i].signal
        network.shape_input(signal)
        signal.columns = signal.samples = every_term(all_terms)
        signal.values = space.zeros(n_rows * signal.positions * <object> signal.ld, network.dtype)
        signal.entries.starts, signal.entries.capacity = NULL, 0
    if inputs[0].positions == 1:
        inputs[0].columns.terms = <uint32_t *> space.zeros(row_tiles * n_features, np.uint32)
        inputs[0].columns.counts = <uint32_t *> space.zeros(row_tiles, np.uint32)
        inputs[0].columns.stride = n_features
        inputs[0].samples.terms = <uint32_t *> space.zeros(column_tiles * batch_size, np.uint32)
        inputs[0].samples.counts = <uint32_t *> space.zeros(column_tiles, np.uint32)
        inputs[0].samples.stride = batch_size
    for i in range(2):  # one batch's terms are used no more when the next one's are found
        inputs[i].columns, inputs[i].samples = inputs[0].columns, inputs[0].samples
        segment.gathered[i].signal = inputs[i]
    return space


cdef Workspace book_sparse_input(Segment *segment, Network network, capacity):
    """A batch of a sparse X and the next one, of which each stores at most `capacity` numbers."""
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
