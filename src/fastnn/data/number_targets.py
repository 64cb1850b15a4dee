"""Numbers to regress as a network learns them, and its outputs as predictions."""

import numpy as np

from fastnn.data.inputs import readable
from fastnn.data.sparse import check_dense
from fastnn.engine.loss import Loss


class Numbers:
    """Numbers to regress.

    Parameters
    ----------
    n_targets : int
    loss : str
    quantiles : list of float
        The quantiles that the loss "quantile" predicts: each target has an output for each.
    huber_delta : float
        The error beyond which the loss "huber" is linear.
    output_activation : str or None
        The activation of the output layer. None is the one that belongs to the loss.

    Attributes
    ----------
    n_outputs : int
    head : str
    loss : fastnn.engine.loss.Loss

    Raises
    ------
    ValueError
        When the loss cannot have outputs of this activation.
    """

    groups = None
    are_numbers = True

    def __init__(self, n_targets, loss, quantiles, huber_delta, output_activation):
        self.n_targets, self.name = n_targets, loss
        self.quantiles = quantiles if loss == "quantile" else [None]
        self.n_outputs = self.n_targets * len(self.quantiles)
        self.head = output_activation or ("exp" if loss == "poisson" else "identity")
        settings = {"quantile": quantiles * self.n_targets, "huber": huber_delta}.get(loss, 0.0)
        self.loss = Loss(loss, self.head, self.n_outputs, settings)

    def encode(self, y):
        """The targets as the engine reads them, of shape (n_samples, n_outputs).

        Raises
        ------
        ValueError
            For another number of targets, and for numbers that the loss is not defined for.
        TypeError
            For a sparse matrix.
        """
        check_dense(y)
        y = readable(y.reshape(-1, 1) if y.ndim == 1 else y, "y")
        if y.shape[1] != self.n_targets:
            raise ValueError(f"y must have {self.n_targets} columns, as in the first fit, got {y.shape[1]}")
        if self.name == "poisson" and (y < 0).any():
            raise ValueError(f"y must be at least 0 with loss='poisson', which is for counts, got {y.min()}")
        return np.repeat(y, len(self.quantiles), axis=1)

    def strata(self, targets):
        """None: samples are held out whatever their targets are."""

    def decode(self, outputs):
        """The predictions from the network's outputs: a vector for one target, a further axis for several quantiles."""
        if len(self.quantiles) == 1:
            return outputs[:, 0] if self.n_outputs == 1 else outputs
        shape = (len(outputs), len(self.quantiles))
        return outputs if self.n_targets == 1 else outputs.reshape(shape[0], self.n_targets, shape[1])
