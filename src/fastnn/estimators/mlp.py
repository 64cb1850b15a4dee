"""Multilayer perceptrons: networks whose layers are all dense, given by the sizes of the hidden ones."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from numbers import Integral, Real
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from fastnn.data.quoted import quoted
from fastnn.engine.activation import activation_names
from fastnn.estimators.constraints import Interval, StrOptions
from fastnn.estimators.dense_weights import DenseWeights
from fastnn.estimators.network import BaseNetwork
from fastnn.estimators.suggestions import value_advice
from fastnn.layers import Dense
from fastnn.layers.chain import chain_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

MOST_UNITS = 2**31


@dataclass(eq=False, repr=False)
class BaseMLP(DenseWeights, BaseNetwork):
    """What every multilayer perceptron has besides: sizes and activations of hidden layers, and weights to read."""

    _: KW_ONLY
    dropout: float | Sequence[float] = 0.0

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseNetwork._parameter_constraints,
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions(activation_names), list, tuple],
        "dropout": [Interval(Real, 0, 1, closed="left"), "array-like"],
    }

    def _chain_for(self, shape, n_outputs):
        sizes = self._hidden_sizes()
        hidden = map(Dense, sizes, self._activation_names(len(sizes)))
        return chain_of(tuple(hidden), shape, n_outputs)

    def _dropout_rates(self, n_hidden):
        if not np.iterable(self.dropout):
            return [float(self.dropout)] * n_hidden
        rates = list(self.dropout)
        if len(rates) != n_hidden or not all(isinstance(rate, Real) and 0 <= rate < 1 for rate in rates):
            raise ValueError(
                f"dropout must be a rate in [0, 1), or a list of {n_hidden}, one for each hidden layer, "
                f"got {quoted(rates)}"
            )
        return [float(rate) for rate in rates]

    def _hidden_sizes(self):
        sizes = self.hidden_layer_sizes
        sizes = list(sizes) if np.iterable(sizes) else [sizes]
        if not all(isinstance(n, Integral) and 0 < n < MOST_UNITS for n in sizes):
            raise ValueError(f"hidden_layer_sizes must be integers from 1 to 2**31 - 1, got {quoted(sizes)}")
        return [int(n) for n in sizes]

    def _activation_names(self, n_hidden):
        if isinstance(self.activation, str):
            return [str(self.activation)] * n_hidden  # a grid search may set an np.str_, which the engine refuses
        activations = [str(name) for name in self.activation]
        if len(activations) != n_hidden:
            raise ValueError(
                f"activation must be a name, or a list of {n_hidden}, one for each hidden layer, "
                f"got {quoted(activations)}"
            )
        for i, name in enumerate(activations):
            if name not in activation_names:
                advice = value_advice("activation", name, activation_names)
                raise ValueError(
                    f"activation[{i}] must be one of {', '.join(activation_names)}, got {quoted(name)}"
                    + (f". {advice}" if advice else "")
                )
        return activations

    @classmethod
    def _like_sklearn(cls, fitted):
        return cls(**fitted.get_params())

    def _set_sklearn_layers(self, estimator):
        """Nothing: they are parameters of both."""

    def _initial_gain(self, chain):
        """The gain of the initial weights of all layers, as in scikit-learn, where one activation decides it."""
        names = {self.activation} if isinstance(self.activation, str) else set(self.activation)
        return 2.0 if names == {"logistic"} else 6.0
