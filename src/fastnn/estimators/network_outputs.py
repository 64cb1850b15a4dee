"""What a fitted network makes of samples: its outputs, and those of its hidden layers."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils.validation import check_is_fitted

from fastnn.data.inputs import check_range, readable, samples_to_read, validated
from fastnn.estimators.constraints import checked_layer
from fastnn.runtime.sharing import threads_now
from fastnn.training.loop import all_finite
from fastnn.training.transaction import snapshot

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from fastnn.typing import SamplesLike


class NetworkOutputs:
    """The way from samples through a fitted network."""

    def hidden_activations(self, X: SamplesLike, layer: int = -1) -> NDArray[np.floating[Any]]:
        # From tools/docstrings: <samples to predict>, <raises for a wrong layer>
        """The outputs of the units of a hidden layer.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Samples, of any real type; in the shape that `fit` was given.
        layer : int, default=-1
            The number of the hidden layer, from 0; -1 is the last one.

        Returns
        -------
        ndarray of shape (n_samples, n_units)
            In the type that the network computes in.

        Raises
        ------
        ValueError
            When the network does not have such a layer.
        TypeError
            When `layer` is not an integer.

        Examples
        --------
        >>> from fastnn import MLPRegressor
        >>> distance = MLPRegressor.from_weights([[[1.0, -1.0]], [[1.0], [1.0]]], [[0.0, 0.0], [0.0]])
        >>> distance.hidden_activations([[3.0], [-2.0]])
        array([[3., 0.],
               [0., 2.]])
        """
        check_is_fitted(self)
        fitted = snapshot(self)
        return fitted._outputs(X, depth=checked_layer(layer, len(fitted._network.layers) - 1) + 1)

    def _outputs(self, X, depth=None, as_codes=False):
        """The outputs for X, or the numbers of the classes that they stand for."""
        network = getattr(self, "_network", None)
        given = None if network is None else samples_to_read(self, X, network.sizes[0])
        if given is not None:
            with suppress(TypeError, ValueError):  # what is wrong is said below, in scikit-learn's words and order
                return self._forward(given, depth, as_codes, must_be_finite=True)
        check_is_fitted(self)
        return self._forward(readable(validated(self, X, dtype="numeric", reset=False)), depth, as_codes)

    def _forward(self, X, depth=None, as_codes=False, must_be_finite=False):
        """The outputs of samples, or their codes: of sequences of any length, one row for each step.

        X is checked, unless the engine is to refuse numbers that are not finite in the type that it computes in.
        """
        network, rows = self._network, getattr(X, "values", X)
        if depth is None:
            network = self._predictor(network)
        n_threads = threads_now(self.n_threads) if network.worth_sharing(rows.shape[0]) else 1
        may_be_out_of_range = not must_be_finite and X.dtype.itemsize > network.dtype.itemsize
        if as_codes and not may_be_out_of_range:
            return network.labels(X, n_threads, must_be_finite)
        outputs = network.forward(X, n_threads, depth, must_be_finite)
        if may_be_out_of_range and not all_finite(outputs):
            check_range(rows, outputs.dtype)
        return self._targets.codes(outputs) if as_codes else outputs

    def _decoded(self, X, decode, as_codes=False):
        """What a function makes of the encoder of targets and of the outputs, or codes, in the form that X asks for."""
        outputs = self._outputs(X, as_codes=as_codes)
        return decode(self._targets, outputs)

    def _to_score(self, X, y, sample_weight):
        """The model, y and weights that a score of scikit-learn's takes."""
        return self, y, sample_weight

    def _predictor(self, network):
        """The network that makes the same outputs as this one, perhaps with less work."""
        return network
