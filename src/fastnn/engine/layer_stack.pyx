"""Layers one after the other, and one block of memory for all that they learn."""

import math

import numpy as np

cimport numpy as cnp
from libc.stddef cimport size_t
from libc.stdint cimport uint32_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

from fastnn.engine.activation import number
from fastnn.engine.arrays import aligned_zeros
from fastnn.engine.arrays cimport row_length
from fastnn.engine.isa cimport kernels_for
from fastnn.engine.kernels cimport fastnn_matrix
from fastnn.engine.layers.layer cimport EngineLayer, Layer, Parameter
from fastnn.engine.layers.layer import n_numbers
from fastnn.engine.layers.registry import make_layers, weight_shapes
from fastnn.engine.layers.signal cimport Signal
from fastnn.engine.products cimport every_term, packed_size

cnp.import_array()


cdef class LayerStack:
    """Layers one after the other: their shapes, and one block of memory for all that they learn.

    Parameters
    ----------
    description : sequence of tuple
        The kind and the settings of each layer, as ``("dense", units, activation)``: see the file of each kind in
        ``engine/layers``. The last layer's activation must be identity, since a network's head follows it.
    input_shape : tuple of int
        The shape of one sample: (n_features,), or (positions, channels). Sequences of any length are (None, channels).
    dtype : float32 or float64
    level : str, default=None
        The instruction set; None is the one that fastnn uses.

    Attributes
    ----------
    layers : tuple of EngineLayer
    sizes : tuple of int
        How many numbers a sample has: in X, and in what each layer makes of it. A sequence of any length counts as one
        step.
    is_ragged : bool
        Whether X is sequences of any length.
    state_size : int
        How many numbers go from one step of a sequence to the next.
    activations : tuple of str
        The activation of each layer but the last.
    shapes : tuple of tuple of int
        The shapes of the arrays of weights: for each parameter W (fan_in, fan_out), if it has rows, and b (fan_out,),
        if it has biases.
    penalised : tuple of bool
        Which of these arrays have a penalty: the matrices.
    parameters : ndarray of shape (n_packed,)
        All weights and biases, packed as the kernels read them, in one block that is aligned to a cache line. The
        layout depends on the instruction set. Copy the array to keep a state, which `restore` restores.
    version : int
        It grows when a trainer, `set_weights` or `restore` has changed the parameters.

    Raises
    ------
    ValueError
        If a parameter breaks its rule, or a layer cannot read what the layer below makes.
    MemoryError
        If there is not enough memory for the parameters.
    """

    def __cinit__(self, description, *arguments, **settings):
        if len(description) < 1:
            raise ValueError("description must have at least one layer, got 0")
        self.layer_list = <Layer *> calloc(len(description), sizeof(Layer))
        self.signal_list = <Signal *> calloc(len(description), sizeof(Signal))
        if self.layer_list == NULL or self.signal_list == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.layer_list)
        free(self.signal_list)
        free(self.parameter_list)

    def __init__(self, description, input_shape, dtype, level=None):
        self.dtype, self.kernels = np.dtype(dtype), kernels_for(dtype, level)
        self.description = tuple(map(tuple, description))
        self.input_shape = tuple(None if size is None else int(size) for size in input_shape)
        self.is_ragged = None in self.input_shape
        # Columns are counted in 32 bits, and matrices of 2^31 rows or columns have more numbers than memory.
        known = self.input_shape[self.is_ragged:]
        if not known or not 1 <= min(known) or not math.prod(known) < 2**31 or self.is_ragged and len(known) != 1:
            raise ValueError(f"input_shape must be positive, with a product below 2**31, or (None, channels), "
                             f"got {self.input_shape}")
        self._make_layers()
        self._make_parameters()  # before the terms, since layers that are too large are refused here
        self._list_terms()

    cdef _make_layers(self):
        """Make the layers, one after the other, and the shapes of the signals between them."""
        cdef EngineLayer engine_layer
        cdef Layer *layer
        cdef Signal *signal
        cdef size_t i
        layers = make_layers(self.description, self.input_shape)
        if layers[-1].activation != "identity":
            raise ValueError(
                f"the last layer's activation must be 'identity', got {layers[-1].activation!r}: the head follows it")
        for i in range(len(layers)):
            engine_layer, layer, signal = layers[i], &self.layer_list[i], &self.signal_list[i]
            engine_layer.bind(self.kernels)
            layer.kind, layer.kernels = engine_layer.kind, self.kernels
            layer.shape, layer.coupling = engine_layer.shape, engine_layer.coupling
            layer.carried_size = engine_layer.carried_size() or 0
            self.state_size += layer.carried_size
            signal.positions, signal.channels = engine_layer.n_positions(), engine_layer.output_shape[-1]
            # Positions follow each other without padding where no neighbour minds.
            signal.ld = signal.channels
            if signal.positions == 1 or any(each.reads_whole_vectors() for each in layers[i : i + 2]):
                signal.ld = row_length(signal.channels, self.kernels.tile_cols, self.kernels.itemsize)
            signal.activation = number(engine_layer.activation)
        self.layers = tuple(layers)
        self.sizes = (n_numbers(self.input_shape), *(n_numbers(layer.output_shape) for layer in layers))
        self.activations = tuple(layer.activation for layer in layers[:-1])

    cdef _make_parameters(self):
        """Make one block of memory for all that the layers learn."""
        cdef EngineLayer engine_layer
        cdef Parameter *parameter
        cdef size_t i, j = 0, size, n_packed = 0
        shapes = [layer.parameter_shapes() for layer in self.layers]
        self.n_parameters = sum(map(len, shapes))
        self.parameter_list = <Parameter *> calloc(self.n_parameters, sizeof(Parameter))
        if self.parameter_list == NULL:
            raise MemoryError
        for i in range(len(shapes)):
            engine_layer = self.layers[i]
            self.layer_list[i].parameters = &self.parameter_list[j]
            self.layer_list[i].n_parameters = len(shapes[i])
            self.update_flops += engine_layer.update_flops()
            for shape in shapes[i]:
                parameter = &self.parameter_list[j]
                parameter.matrix.fan_in, parameter.matrix.fan_out, parameter.learnt, parameter.biased = shape
                parameter.offset = n_packed
                size = packed_size(self.kernels, parameter.matrix.fan_in, parameter.matrix.fan_out)
                self.sample_flops += 2.0 * size * engine_layer.n_products()
                n_packed += size
                j += 1
        self._place_parameters(n_packed)
        self.shapes, self.penalised = weight_shapes(self.layers)

    cdef _place_parameters(self, n_packed):
        """A block of memory for the parameters, and the place of each in it."""
        cdef size_t i
        self.parameters = aligned_zeros(n_packed, self.dtype)
        for i in range(self.n_parameters):
            self.parameter_list[i].matrix.weights = self._part(self.parameters, i)

    cdef _list_terms(self):
        """Make the list of all terms of the longest sum."""
        cdef cnp.ndarray all_terms
        cdef size_t i
        longest = max(n_numbers(self.input_shape), *(layer.output_shape[-1] for layer in self.layers))
        self.all_terms = all_terms = np.arange(longest, dtype=np.uint32)
        self.all_terms.flags.writeable = False
        for i in range(len(self.layers)):
            self.signal_list[i].columns = self.signal_list[i].samples = every_term(
                <const uint32_t *> cnp.PyArray_DATA(all_terms))

    cdef void shape_input(self, Signal *signal) noexcept:
        """Give a signal the shape of the samples that the first layer reads."""
        signal.channels = self.input_shape[-1]
        signal.positions = 0 if self.is_ragged else math.prod(self.input_shape[:-1])
        # The rows of several positions are gathered as one.
        signal.ld = signal.channels if signal.positions != 1 else row_length(
            signal.channels, self.kernels.tile_cols, self.kernels.itemsize)

    def copy(self):
        """The same layers with copies of the parameters.

        It shares all that never changes: to make the layers anew takes as long as a small network's step.
        """
        cdef LayerStack copied = type(self).__new__(type(self), self.description)
        cdef size_t i, first = 0, n_layers = len(self.layers)
        copied.kernels, copied.dtype = self.kernels, self.dtype
        copied.description, copied.input_shape, copied.layers = self.description, self.input_shape, self.layers
        copied.is_ragged, copied.state_size = self.is_ragged, self.state_size
        copied.sizes, copied.activations, copied.all_terms = self.sizes, self.activations, self.all_terms
        copied.shapes, copied.penalised = self.shapes, self.penalised
        copied.sample_flops, copied.update_flops = self.sample_flops, self.update_flops
        copied.parameter_list = <Parameter *> calloc(self.n_parameters, sizeof(Parameter))
        if copied.parameter_list == NULL:
            raise MemoryError
        copied.n_parameters = self.n_parameters
        memcpy(copied.signal_list, self.signal_list, n_layers * sizeof(Signal))
        memcpy(copied.layer_list, self.layer_list, n_layers * sizeof(Layer))
        memcpy(copied.parameter_list, self.parameter_list, self.n_parameters * sizeof(Parameter))
        for i in range(n_layers):
            copied.layer_list[i].parameters = copied.parameter_list + first
            first += copied.layer_list[i].n_parameters
        copied._place_parameters(len(self.parameters))
        copied.parameters[:] = self.parameters
        return copied

    def weights(self):
        """Copies of all weights, as `shapes` lists them."""
        return self.unpack(self.parameters)

    def set_weights(self, weights):
        """Set all weights from arrays as `shapes` lists them, of any real type."""
        self.pack(weights, self.parameters)
        self.version += 1

    def restore(self, parameters):
        """Set all parameters from an array that is laid out as `parameters` is."""
        self.parameters[:] = parameters
        self.version += 1

    def pack(self, weights, cnp.ndarray packed):
        """Write arrays, as `shapes` lists them, into one array that is laid out as `parameters` is."""
        cdef size_t i
        cdef cnp.ndarray W, b
        cdef fastnn_matrix matrix
        self._check_layout(packed)
        if len(weights) != len(self.shapes):
            raise ValueError(f"weights must be {len(self.shapes)} arrays, got {len(weights)}")
        for i, (array, shape) in enumerate(zip(weights, self.shapes)):
            if np.shape(array) != shape:
                raise ValueError(f"weights[{i}] must have shape {shape}, got {np.shape(array)}")
        remaining = iter(weights)
        for i in range(self.n_parameters):
            matrix = self.parameter_list[i].matrix
            W = np.asarray(next(remaining) if matrix.fan_in > 0 else np.empty((0, matrix.fan_out)), self.dtype)
            b = np.ascontiguousarray(
                next(remaining) if self.parameter_list[i].biased else np.zeros(matrix.fan_out), self.dtype)
            matrix.weights = self._part(packed, i)
            self.kernels.pack_matrix(&matrix, cnp.PyArray_DATA(W), W.strides[0], W.strides[1], cnp.PyArray_DATA(b))

    def unpack(self, cnp.ndarray packed):
        """Copy arrays, as `shapes` lists them, out of one array that is laid out as `parameters` is."""
        cdef size_t i
        cdef cnp.ndarray W, b
        self._check_layout(packed)
        weights = []
        for i in range(self.n_parameters):
            W = np.empty((self.parameter_list[i].matrix.fan_in, self.parameter_list[i].matrix.fan_out), self.dtype)
            b = np.empty(self.parameter_list[i].matrix.fan_out, self.dtype)
            self.kernels.unpack_matrix(&self.parameter_list[i].matrix, self._part(packed, i), cnp.PyArray_DATA(W),
                                       cnp.PyArray_DATA(b))
            weights += [W] * (len(W) > 0) + [b] * self.parameter_list[i].biased
        return weights

    cdef char *_part(self, cnp.ndarray packed, size_t i) noexcept:
        """Where one parameter's numbers begin in an array that is laid out as `parameters` is."""
        return <char *> cnp.PyArray_DATA(packed) + self.parameter_list[i].offset * self.kernels.itemsize

    def _check_layout(self, packed):
        if packed.dtype != self.dtype or packed.shape != self.parameters.shape or not packed.flags.c_contiguous:
            raise ValueError(
                f"packed must be laid out as this network's parameters, contiguous {self.dtype} of shape "
                f"{self.parameters.shape}, got {packed.dtype} of shape {packed.shape} and strides {packed.strides}")
