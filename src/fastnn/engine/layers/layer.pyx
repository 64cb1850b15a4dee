"""What every kind of layer says of itself in Python: see layer.pxd."""

import math
from typing import NamedTuple


def n_numbers(shape):
    """How many numbers a sample of a shape has; of sequences of any length, whose number of steps is None, a step."""
    return math.prod(size for size in shape if size is not None)


class ParameterShape(NamedTuple):
    """A matrix of weights with its biases; without rows, a vector."""

    fan_in: int
    fan_out: int
    learnt: bool = True  # False: it is the layer's state, which no optimizer changes
    biased: bool = True  # False: the biases stay 0


def settings_of(description, n, *defaults):
    """The n settings of a layer's description. Those that it lacks at its end are their defaults."""
    kind, *settings = description
    if not n - len(defaults) <= len(settings) <= n:
        least = f"{n - len(defaults)} to " if defaults else ""
        raise ValueError(f"{kind} must have {least}{n} settings, got {len(settings)}: {tuple(settings)}")
    return *settings, *defaults[len(settings) - n + len(defaults):]


def sizes_of(name, sizes, n=None):
    """A setting that has n sizes, or any number of them, as a tuple."""
    if (not isinstance(sizes, (tuple, list)) or not sizes or (n is not None and len(sizes) != n)
            or not all(isinstance(size, int) and 1 <= size < 2**31 for size in sizes)):
        count = "a tuple of integers" if n is None else f"{n} integer{'s' * (n > 1)}"
        raise ValueError(f"{name} must be {count} from 1 to 2**31 - 1, got {sizes!r}")
    return tuple(sizes)


cdef class EngineLayer:
    """A layer of a network, between signals of known shapes.

    The class of a kind takes the same parameters, sets `kind` and `output_shape`, and redefines those methods below
    whose results are others for it.

    Parameters
    ----------
    description : tuple
        The kind's name and its settings, as they are in the network's description.
    input_shape : tuple of int
        The shape of one sample of what the layer reads: (channels,), or (positions, channels). Sequences of any
        length are (None, channels).

    Attributes
    ----------
    output_shape : tuple of int
        The shape of one sample of what the layer makes.
    activation : str
        The activation of the signal that the layer makes.
    """

    def __cinit__(self, *arguments):
        self.activation = "identity"

    def n_positions(self):
        """The number of rows that the layer makes of each sample; 0 where samples differ in it."""
        return 0 if self.output_shape[0] is None else math.prod(self.output_shape[:-1])

    def n_products(self):
        """How often the matrices are multiplied by a row for one sample; for a step of sequences of any length."""
        return self.n_positions() or 1

    def n_multiplied(self, operation):
        """The numbers in the matrices that an operation multiplies by each row, or adds up each row's part of."""
        return sum(shape.fan_in * shape.fan_out for shape in self.parameter_shapes())

    def update_flops(self):
        """Floating-point operations of a step that do not depend on the batch, where they are more than the others."""
        return 0

    def output_steps(self, steps):
        """The numbers of steps that the layer makes of sequences of any length, from an array of theirs.

        None if it makes a vector of each sequence.
        """
        return steps if self.output_shape[0] is None else None

    cdef bind(self, const fastnn_kernels *kernels):
        """Take the network's kernels. Settings that their type of numbers does not suffice for are refused."""
        self.kernels = kernels

    def parameter_shapes(self):
        """A list of the ParameterShapes of what the layer learns, and of its state, in their order."""
        return []

    def rows_cost(self):
        """The numbers that a core has to keep in its cache to take a few samples through the layer and back.

        None if no core can do so alone, since the samples of a batch depend on each other.
        """
        return 0

    def reads_sparse(self):
        """Whether the layer reads the entries of a sparse X."""
        return False

    def rescales_input(self):
        """Whether the layer's work is done while X is gathered, if it is the network's first one."""
        return False

    def takes_samples_alone(self):
        """Whether each thread takes samples of its own through the layer and back, however large the layer is."""
        return self.kind.forward_shared == NULL and self.kind.back_rows != NULL

    def sums_by_samples(self):
        """Whether the gradients are summed by samples, part by part of a batch: see parts.pxd."""
        return self.kind.grad_rows != NULL

    def couples_samples(self):
        """Whether the samples of a batch depend on each other by sums over all of them: see `Coupling`."""
        return self.coupling != NULL

    def sums_size(self):
        """The numbers of these sums."""
        return 0

    def reads_whole_vectors(self):
        """Whether the kernels read and write whole vectors of the rows, so that these have to be padded."""
        return True

    def scratch_size(self, steps):
        """The numbers of the memory that each thread needs for the time of one call.

        steps: the most that the layer reads of a sequence, if these may be of any length; else 0.
        """
        return 0

    def memo_size(self):
        """The numbers that the layer notes for each row on its way forward, for the way back: `Signal.memo`."""
        return 0

    def notes_inputs(self):
        """Whether these rows are those that the layer reads, and not those that it makes."""
        return False

    def memo_has_masks(self):
        """Whether the layer needs its memo on the way forward, too, since it has what dropout leaves out."""
        return False

    def least_chunk(self):
        """The number of samples that the layer should take at a time, if there are so many: 1 if it does not matter."""
        return 1

    def carried_size(self):
        """The numbers of the state that goes from step to step of a sequence; 0: each step is by itself.

        None if a step depends on later ones, or on other ones than by such a state.
        """
        return 0

    def needs_transposed_delta(self):
        """Whether `back_shared` reads the transpose of the error."""
        return False

    cdef void *book(self, Layer *layer, size_t batch_size, bint by_rows, Workspace space) except? NULL:
        """Book what the layer needs for training. by_rows: its error goes back by `back_rows`."""
        return NULL
