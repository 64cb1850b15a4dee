"""What every layer is to its user: settings that never change, and how its weights begin."""

from dataclasses import fields
from typing import ClassVar


class Layer:
    """A layer of a network. Each kind is a frozen data class, whose fields are the engine's settings, in its order.

    Attributes
    ----------
    kind : str
        Its name among the engine's kinds of layers.
    """

    kind: ClassVar[str]

    def description(self):
        """The kind and the settings, as the engine takes them.

        Returns
        -------
        tuple
        """
        return self.kind, *(getattr(self, field.name) for field in fields(self))

    def initial_weights(self, input_shape, random_state, gain):
        """What training starts from.

        Parameters
        ----------
        input_shape : tuple of int
            Of one sample of what the layer reads.
        random_state : numpy.random.RandomState
        gain : float
            Of the whole network, for layers whose weights it scales: see `Dense`.

        Returns
        -------
        list of ndarray
            All that the layer learns, and its state, as the engine lists them.
        """
        return []
