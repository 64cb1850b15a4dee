"""What every kind of layer has for Python: see layer.pxd."""

import math


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
        """Of each matrix of weights with its biases, in order: (name, fan_in, fan_out, whether it is learnt)."""
        return []

    def rows_cost(self):
        """Numbers that a core has to keep in its cache to take a few samples through the layer and back, alone.

        None where that cannot be: the samples of a batch depend on each other.
        """
        return 0

    def wants_transposed_delta(self):
        """Whether its error, carried back by a whole team, is to be there turned around as well."""
        return False

    cdef void *book(self, Layer *layer, bint by_rows, workspace) except? NULL:
        """What the layer needs for training, from `workspace`; by_rows: it carries its error back by rows."""
        return NULL
