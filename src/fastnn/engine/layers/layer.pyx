"""What every kind of layer has for Python: see layer.pxd."""

import math
from typing import NamedTuple


class ParameterShape(NamedTuple):
    """A matrix of weights with its biases; without rows, a vector."""

    fan_in: int
    fan_out: int
    learnt: bool = True  # else it is state, which no optimizer changes
    biased: bool = True


cdef class EngineLayer:
    """A layer of a network, between signals of known shapes.

    A kind's own class takes the same parameters, sets `kind` and `output_shape`, and says more of the rest below, where
    that is not so.

    Parameters
    ----------
    description : tuple
        The kind's name and its settings, as the network was given them.
    input_shape : tuple of int
        Of one sample: (channels,), or (positions, channels).

    Attributes
    ----------
    output_shape : tuple of int
    activation : str
        Of what it makes.
    """

    def __cinit__(self, *arguments):
        self.activation = "identity"

    def n_positions(self):
        """Rows that it makes of each sample."""
        return math.prod(self.output_shape[:-1])

    def parameter_shapes(self):
        """A list of the ParameterShape of all that the layer learns, and of its state, in order."""
        return []

    def rows_cost(self):
        """Numbers that a core has to keep in its cache to take a few samples through the layer and back, alone.

        None where that cannot be: the samples of a batch depend on each other.
        """
        return 0

    def needs_transposed_delta(self):
        """Whether its error, carried back by a whole team, is to be there turned around as well."""
        return False

    cdef void *book(self, Layer *layer, size_t batch_size, bint by_rows, Workspace space) except? NULL:
        """What the layer needs for training, from the workspace; by_rows: it carries its error back by rows."""
        return NULL
