"""The recurrent layer: cells that read a step of a sequence and their own state, in one direction or in both.

Each thread takes its own samples through all steps, without a barrier. The cells are simple ones, GRUs, which reset
after the product with the state, and LSTMs, as in Keras. See recurrence.pyx for the rows of the steps,
recurrence_forward.pyx and recurrence_back.pyx for the way through them.
"""

from libc.stddef cimport size_t

from fastnn.engine.activation import keeps_input, number
from fastnn.engine.arrays cimport Workspace
from fastnn.engine.kernels cimport fastnn_kernels, fastnn_matrix
from fastnn.engine.layers.layer import ParameterShape, settings_of
from fastnn.engine.layers.layer cimport EngineLayer, Layer, LayerKind
from fastnn.engine.layers.recurrence cimport (
    AVERAGED, CONCATENATED, GROUP, GRU_CELL, LSTM_CELL, MULTIPLIED, SIMPLE_CELL, SUMMED, Recurrent, row_layout,
    scratch_numbers, transposed_of,
)
from fastnn.engine.layers.recurrence_back cimport add_gradients_group, gates_back_group, inputs_back_group
from fastnn.engine.layers.recurrence_forward cimport forward_group
from fastnn.engine.layers.signal cimport Signal, Step, finish_sample_deltas, finish_sample_values
from fastnn.engine.products cimport packed_size, transpose_weights

# Of each cell: its number, its gates, the vectors that these keep of a step, and the vectors of its state.
cdef dict CELLS = {"simple": (SIMPLE_CELL, 1, 1, 1), "gru": (GRU_CELL, 3, 4, 1), "lstm": (LSTM_CELL, 4, 4, 2)}
# Whether the first direction begins with the last step, and how a second one's outputs are merged with its.
cdef dict DIRECTIONS = {
    "forward": (False, None), "backward": (True, None), "concat": (False, CONCATENATED), "sum": (False, SUMMED),
    "ave": (False, AVERAGED), "mul": (False, MULTIPLIED),
}

# There are as many as 8 matrices with the square of which numbers: these can be counted.
cdef size_t MOST_UNITS = 2**16


cdef void forward_rows(const Layer *layer, const Signal *below, const Signal *above, size_t first, size_t last,
                       const Step *step) noexcept nogil:
    cdef size_t sample = first
    while sample < last:
        forward_group(layer, below, above, sample, min(sample + GROUP, last), step)
        sample += GROUP
    finish_sample_values(layer.kernels, above, first, last, step)


cdef void grad_rows(const Layer *layer, const Signal *below, const Signal *above, size_t first, size_t last,
                    char *gradient, bint onto) noexcept nogil:
    cdef size_t sample = first, end
    while sample < last:
        end = min(sample + GROUP, last)
        gates_back_group(layer, below, above, sample, end)
        add_gradients_group(layer, below, above, sample, end, gradient, onto or sample > first)
        sample = end


cdef void back_rows(const Layer *layer, const Signal *below, const Signal *above, size_t first,
                    size_t last) noexcept nogil:
    cdef size_t sample = first, end
    while sample < last:
        end = min(sample + GROUP, last)
        if layer.parts == NULL:  # else the gradients of the weights, which come first, have made those by the sums
            gates_back_group(layer, below, above, sample, end)
        inputs_back_group(layer, below, above, sample, end)
        sample = end
    finish_sample_deltas(layer.kernels, below, first, last)


cdef void refresh(const Layer *layer, size_t parameter, size_t panel) noexcept nogil:
    cdef const fastnn_matrix *W = &layer.parameters[parameter].matrix
    if layer.workspace != NULL and transposed_of(layer, parameter).weights != NULL:
        transpose_weights(layer.kernels, W, panel, 0, W.fan_in, transposed_of(layer, parameter))


cdef LayerKind LEARNING = LayerKind(forward_rows, back_rows, grad_rows, NULL, NULL, NULL, refresh)
cdef LayerKind FROZEN = LayerKind(forward_rows, back_rows, NULL, NULL, NULL, NULL, refresh)


cdef class RecurrentLayer(EngineLayer):
    """A recurrent layer: ``("recurrent", cell, units, activation, recurrent_activation, return_sequences, direction,
    dropout, recurrent_dropout, use_bias=True, trainable=True)``.

    cell is simple, gru or lstm. direction is forward, backward, or for both the way in which their outputs are merged:
    concat, sum, mul or ave. For each direction there are matrices of the inputs for each gate, then those of the state:
    in the order z, r, h, or i, f, c, o. The biases are those of the inputs; a GRU has them of the state, too.
    """

    cdef Recurrent recurrent
    cdef Workspace space
    cdef bint trainable, use_bias

    def __init__(self, tuple description, tuple input_shape):
        cdef Recurrent *shape = &self.recurrent
        self.description, self.input_shape = description, input_shape
        (cell, units, activation, recurrent_activation, return_sequences, direction, dropout, recurrent_dropout,
         self.use_bias, self.trainable) = settings_of(description, 10, True, True)
        if len(input_shape) != 2:
            raise ValueError(f"the input of a recurrent layer must have shape (steps, channels), got {input_shape}")
        if cell not in CELLS:
            raise ValueError(f"cell must be one of {', '.join(CELLS)}, got {cell!r}")
        if not isinstance(units, int) or not 1 <= units <= MOST_UNITS:
            raise ValueError(f"units must be from 1 to {MOST_UNITS}, got {units!r}")
        for name in (activation, recurrent_activation):
            if keeps_input(name):
                raise ValueError(f"a cell's activation must be one whose derivative follows from its value, got {name}")
        if direction not in DIRECTIONS:
            raise ValueError(f"direction must be one of {', '.join(DIRECTIONS)}, got {direction!r}")
        for name, rate in (("dropout", dropout), ("recurrent_dropout", recurrent_dropout)):
            if not isinstance(rate, (int, float)) or not 0 <= rate < 1:
                raise ValueError(f"{name} must be at least 0 and below 1, got {rate!r}")
        shape.cell, shape.n_gates, shape.n_sections, shape.n_states = CELLS[cell]
        shape.units, shape.channels, shape.return_sequences = units, input_shape[1], return_sequences
        shape.begins_at_end, merge = DIRECTIONS[direction]
        shape.n_directions, shape.merge = (1, CONCATENATED) if merge is None else (2, merge)
        shape.activation, shape.recurrent_activation = number(activation), number(recurrent_activation)
        shape.dropout, shape.recurrent_dropout = dropout, recurrent_dropout
        self.space = Workspace()
        shape.terms = self.space.terms(max(shape.units, shape.channels))
        width = units * (2 if merge == CONCATENATED else 1)
        self.output_shape = (input_shape[0], width) if return_sequences else (width,)
        self.kind = &LEARNING if self.trainable else &FROZEN
        self.shape = shape

    cdef bind(self, const fastnn_kernels *kernels):
        EngineLayer.bind(self, kernels)
        if self.recurrent.cell == SIMPLE_CELL:
            self.recurrent.cell_forward = kernels.simple_cell_forward
            self.recurrent.cell_grad = kernels.simple_cell_grad
        elif self.recurrent.cell == GRU_CELL:
            self.recurrent.cell_forward = kernels.gru_cell_forward
            self.recurrent.cell_grad = kernels.gru_cell_grad
        else:
            self.recurrent.cell_forward = kernels.lstm_cell_forward
            self.recurrent.cell_grad = kernels.lstm_cell_grad

    def parameter_shapes(self):
        cdef Recurrent *shape = &self.recurrent
        of_inputs = ParameterShape(shape.channels, shape.units, self.trainable, self.use_bias)
        of_state = ParameterShape(shape.units, shape.units, self.trainable, self.use_bias and shape.cell == GRU_CELL)
        return ([of_inputs] * shape.n_gates + [of_state] * shape.n_gates) * shape.n_directions

    def n_products(self):
        return self.input_shape[0] or 1

    def n_multiplied(self, operation):
        cdef Recurrent *shape = &self.recurrent
        of_state = shape.units * shape.units * shape.n_gates * shape.n_directions
        n = super().n_multiplied(operation)
        # The error goes back through time once: for the gradients, or else for the inputs.
        if operation == "grad":
            return n + of_state
        return n - of_state if operation == "back" and self.trainable else n

    def reads_whole_vectors(self):
        return False

    def scratch_size(self, steps):
        return scratch_numbers(self.kernels, &self.recurrent)

    def memo_size(self):
        return self.recurrent.n_directions * row_layout(self.kernels, &self.recurrent).ld

    def notes_inputs(self):
        return True

    def carried_size(self):
        if self.recurrent.n_directions > 1 or self.recurrent.begins_at_end:
            return None
        return self.recurrent.n_states * self.recurrent.units

    def memo_has_masks(self):
        return self.recurrent.dropout > 0 or self.recurrent.recurrent_dropout > 0

    def least_chunk(self):
        return GROUP

    cdef void *book(self, Layer *layer, size_t batch_size, bint by_rows, Workspace space) except? NULL:
        """The transposes of the states' matrices and, where the error goes further back, of the inputs'."""
        cdef fastnn_matrix *transposed
        cdef const fastnn_matrix *W
        cdef size_t i, n_gates = self.recurrent.n_gates
        layer.workspace = space.zeros(layer.n_parameters * sizeof(fastnn_matrix), "u1")
        for i in range(layer.n_parameters):
            W, transposed = &layer.parameters[i].matrix, transposed_of(layer, i)
            transposed.fan_in, transposed.fan_out = W.fan_out, W.fan_in
            if by_rows or i // n_gates % 2 == 1:
                transposed.weights = space.zeros(packed_size(layer.kernels, transposed.fan_in, transposed.fan_out),
                                                 "f4" if layer.kernels.itemsize == 4 else "f8")
        return layer.workspace
