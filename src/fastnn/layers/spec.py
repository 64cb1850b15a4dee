"""What every layer has for its user: settings that never change, and its initial weights."""

from dataclasses import fields
from typing import ClassVar


class Layer:
    """A layer of a network.

    Each kind is a frozen dataclass, whose fields are the settings that the engine's kind takes, in the same order.

    Attributes
    ----------
    kind : str
        The name of the engine's kind of layer.
    """

    kind: ClassVar[str]

    def description(self):
        """The kind and the settings, as the engine reads them.

        Returns
        -------
        tuple
        """
        return self.kind, *(getattr(self, field.name) for field in fields(self))

    def initial_weights(self, input_shape, random_state, gain):
        """Draw the weights that training starts from.

        Parameters
        ----------
        input_shape : tuple of int
            The shape of one sample of what the layer reads.
        random_state : numpy.random.RandomState
        gain : float
            The network's gain, by which some kinds scale their weights: see `Dense`.

        Returns
        -------
        list of ndarray
            What the layer learns, and its state, as the engine lists them.
        """
        return []
