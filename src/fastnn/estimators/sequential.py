"""Networks whose layers the user writes."""

from __future__ import annotations

from contextlib import suppress
from numbers import Integral
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import check_is_fitted

from fastnn.data.inputs import samples_to_read
from fastnn.data.per_step import Concatenating
from fastnn.data.quoted import quoted
from fastnn.data.ragged import Sequences
from fastnn.data.sequence_forms import in_form_of
from fastnn.engine.steps import starts_of
from fastnn.estimators.constraints import Interval, checked_layer
from fastnn.estimators.dense_weights import DenseWeights
from fastnn.estimators.layer_parameters import layer_parameters, with_parameters
from fastnn.estimators.network import BaseNetwork, with_layers_of
from fastnn.estimators.sequential_data import SequentialData
from fastnn.estimators.sklearn_bridge import checked_array
from fastnn.estimators.stepping import check_for_steps, check_for_windows, stepping_network, take_step
from fastnn.estimators.summary import as_html, as_text, rows_of
from fastnn.layers import Dense, Dropout
from fastnn.layers.chain import chain_of, check_layers
from fastnn.layers.embedding import embedding_of
from fastnn.layers.folding import folded, foldings
from fastnn.training.loop import all_finite
from fastnn.training.transaction import being_changed, snapshot

if TYPE_CHECKING:
    from typing import Any, TypeVar

    from numpy.typing import NDArray

    from fastnn.typing import LayerWeights, SamplesLike

    # As typing.Self, which Jedi takes for the class that defines a method.
    Self = TypeVar("Self", bound="BaseSequential")


class BaseSequential(DenseWeights, SequentialData, BaseNetwork):
    """What every network has whose layers the user writes: X of several axes, and the weights of each layer."""

    input_shape_: tuple[int | None, ...]

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseNetwork._parameter_constraints,
        "layers": [list, tuple],
        "input_shape": [None, list, tuple, Integral],
        "truncate_steps": [None, Interval(Integral, 1, None, closed="left")],
    }

    # -- layers as parameters -----------------------------------------------------------------------------------------

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters by their names.

        Parameters
        ----------
        deep : bool, default=True
            Whether to add each layer, as ``layers__0``, and each of its settings, as ``layers__0__units``.

        Returns
        -------
        dict
        """
        parameters = super().get_params(deep)
        return parameters | layer_parameters(self.layers) if deep else parameters

    def set_params(self: Self, **parameters: Any) -> Self:
        """Set parameters.

        First `layers` is set, then whole layers by ``layers__0=Dense(50)``, where None leaves the layer out, then
        settings of layers by ``layers__0__units=50``. The list that was given as `layers` stays as it is: the
        parameter is a new one.

        Parameters
        ----------
        **parameters
            The new values by their names.

        Returns
        -------
        self : BaseSequential
            The estimator itself.
        """
        of_layers = {name: parameters.pop(name) for name in [*parameters] if name.startswith("layers__")}
        if of_layers:
            parameters["layers"] = with_parameters(parameters.get("layers", self.layers), of_layers)
        return super().set_params(**parameters)

    # -- training -----------------------------------------------------------------------------------------------------

    def _chain_for(self, shape, n_outputs):
        check_layers(self.layers)
        self._chain = chain_of(tuple(self.layers), self._sample_shape(), n_outputs)
        if self.truncate_steps is not None:
            check_for_windows(self.truncate_steps, self._chain, self.solver)
        return self._chain

    def _trainer_settings(self, state, dropout):
        settings = super()._trainer_settings(state, dropout)
        if self.truncate_steps is not None:
            settings["truncate_steps"] = int(self.truncate_steps)
        return settings

    def _drops(self, dropout):
        return any(layer is not None and layer.drops for layer in self._chain.layers)

    def _compute_dtype(self, X, numbers=None):
        if self.dtype is None and embedding_of(self.layers) is not None:
            return np.dtype(np.float32)  # X has the numbers of rows, whose type says nothing
        return super()._compute_dtype(X, numbers)

    def _dropout_rates(self, n_hidden):
        return self._chain.dropout

    def _check_for_lbfgs(self):
        super()._check_for_lbfgs()
        for i, layer in enumerate(self._chain.layers):
            if layer is not None and layer.couples:
                raise ValueError(
                    f"layers[{i}] must be a layer that treats each sample for itself, and the same in each step, with "
                    f"solver='lbfgs', got {quoted(layer)}"
                )

    def _set_fitted(self, network, targets, trainer, state, n_epochs):
        super()._set_fitted(network, targets, trainer, state, n_epochs)
        self.n_layers_ = len(self._chain.links) + 1

    # -- weights ------------------------------------------------------------------------------------------------------

    @property
    def weights_(self) -> tuple[dict[str, NDArray[np.floating[Any]]], ...]:
        """tuple of dict of str to ndarray: the weights of each layer by their names, read-only copies."""
        if not hasattr(self, "_network"):
            raise AttributeError(f"This {type(self).__name__} instance is not fitted yet, so it has no weights.")
        fitted = snapshot(self)
        weights = tuple(fitted._chain.by_layer(fitted._network.weights()))
        for array in (array for of_layer in weights for array in of_layer.values()):
            array.flags.writeable = False  # a change would not reach the network: an error says so
        return weights

    @weights_.setter
    def weights_(self, weights: LayerWeights) -> None:
        check_is_fitted(self)
        with being_changed(self):
            self._replace_weights(checked_weights(weights, self._chain, self._network.dtype))

    @classmethod
    def _like_sklearn(cls, fitted):
        parameters = fitted.get_params()
        activation = parameters.pop("activation")
        del parameters["hidden_layer_sizes"]
        model = cls([Dense(len(bias), activation) for bias in fitted.intercepts_[:-1]], **parameters)
        model.input_shape_ = (fitted.n_features_in_,)
        return model

    def _set_sklearn_layers(self, estimator):
        """Set the sizes of layers, and refuse a layer that scikit-learn does not have."""
        chain = self._chain
        for i, layer in enumerate(chain.layers):
            if not isinstance(layer, (Dense, Dropout, type(None))) or (isinstance(layer, Dense) and not layer.use_bias):
                raise ValueError(
                    f"layers[{i}] must be a Dense with biases, or a Dropout, for a network of scikit-learn's, "
                    f"got {quoted(layer)}"
                )
        if chain.description[0][0] != "dense":  # dropout of X itself
            raise ValueError(
                f"layers[0] must be a Dense for a network of scikit-learn's, got {quoted(chain.layers[0])}"
            )
        estimator.set_params(hidden_layer_sizes=self._network.sizes[1:-1])

    # -- what it is made of -------------------------------------------------------------------------------------------

    def summary(self) -> None:
        """Print a table of the layers: the shape that each makes of a sample, and its number of parameters.

        Returns
        -------
        None
            The table is printed.

        Raises
        ------
        NotFittedError
            Before the network is fitted: the shapes follow from X.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from fastnn import SequentialClassifier
        >>> from fastnn.layers import Dense
        >>> X, y = load_iris(return_X_y=True)
        >>> SequentialClassifier([Dense(8)], tol=1e-2, random_state=0).fit(X, y).summary()
        Layer            Output Shape  Param #
        --------------------------------------
        Dense(8)         (8,)               40
        output, softmax  (3,)               27
        --------------------------------------
        Total params: 67
        Trainable params: 67
        Non-trainable params: 0
        """
        check_is_fitted(self)
        print(as_text(*rows_of(self._chain, self.out_activation_)))

    def _summary_html(self):
        return as_html(*rows_of(self._chain, self.out_activation_)) if hasattr(self, "_network") else ""

    @property
    def _repr_html_(self):
        """scikit-learn's diagram and the table of layers; scikit-learn's settings say whether there is a diagram."""
        diagram = super()._repr_html_
        return lambda: diagram() + self._summary_html()

    def _repr_mimebundle_(self, **options):
        bundle = super()._repr_mimebundle_(**options)
        if "text/html" in bundle:
            bundle["text/html"] += self._summary_html()
        return bundle

    # -- prediction ---------------------------------------------------------------------------------------------------

    def hidden_activations(self, X: SamplesLike, layer: int = -1) -> Any:
        # From tools/docstrings: <samples to predict>, <raises for a wrong layer>
        """The outputs of a layer, as they are in predictions.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Samples, of any real type; in the shape that `fit` was given.
        layer : int, default=-1
            The number of the layer in `layers`, from 0; -1 is the last one.

        Returns
        -------
        ndarray of shape (n_samples, ...)
            In the shape that the layer makes of a sample, and in the type that the network computes in.

        Raises
        ------
        ValueError
            When the network does not have such a layer.
        TypeError
            When `layer` is not an integer.

        Examples
        --------
        >>> from fastnn import SequentialRegressor
        >>> from fastnn.layers import Activation, Dense
        >>> layers = [Dense(2, activation=None), Activation("relu")]
        >>> weights = [{"kernel": [[1.0, -1.0]], "bias": [0.0, 0.0]}, {}, {"kernel": [[1.0], [1.0]], "bias": [0.0]}]
        >>> distance = SequentialRegressor.from_weights(layers, weights, input_shape=(1,))
        >>> distance.hidden_activations([[3.0]], 0), distance.hidden_activations([[3.0]], 1)
        (array([[ 3., -3.]]), array([[3., 0.]]))
        """
        check_is_fitted(self)
        fitted = snapshot(self)
        n_layers = len(fitted._chain.layers)
        link = fitted._chain.links[checked_layer(layer, n_layers)]
        if not link.depth:  # the engine does not make this output
            chain = fitted._chain.unfused()
            link = chain.links[layer % n_layers]
            fitted._network = with_layers_of(chain, fitted._network, fitted._network.weights())
        if link.depth:
            outputs, _, lengths = fitted._read_forward(X, link.depth)
        else:
            read, _, lengths = fitted._read_X(X)
            outputs = _as_read(read, fitted._network.dtype)
        if None not in link.output_shape:
            return outputs.reshape(len(outputs), *link.output_shape)
        return in_form_of(X, outputs, starts_of(fitted._chain.output_lengths(lengths, layer % n_layers + 1)))

    def _outputs(self, X, depth=None):
        return self._read_forward(X, depth)[0]

    def _decoded(self, X, decode, as_codes=False):
        outputs, steps, _ = self._read_forward(X, as_codes=as_codes)
        decoded = decode(self._targets, outputs)
        return decoded if steps is None else steps.in_form_of(X, decoded)

    def _check_fitted(self):
        """As `check_is_fitted`, which takes a third of a small prediction, or of a small step."""
        if not hasattr(self, "_network"):
            check_is_fitted(self)

    def _read_forward(self, X, depth=None, as_codes=False):
        """What `_forward` makes of X, the Steps of the outputs, and the lengths of sequences of any length."""
        self._check_fitted()
        X, shape = self._arranged(X, reset=False)
        given = None if None in self._chain.input_shape else samples_to_read(self, X, self._network.sizes[0])
        if given is not None:
            with suppress(TypeError, ValueError):  # what is wrong is said below, in scikit-learn's words and order
                read, steps, lengths = self._fed(given, shape)
                return self._forward(read, depth, as_codes, must_be_finite=True), steps, lengths
        read, steps, lengths = self._fed(self._validated_X(X, reset=False), shape)
        return self._forward(read, depth, as_codes), steps, lengths

    def _to_score(self, X, y, sample_weight):
        steps = self._read_X(X)[1]
        if steps is None:
            return self, y, sample_weight
        weights = None if sample_weight is None else steps.flat_weights(sample_weight)
        return Concatenating(self), steps.flat(y), weights

    def _predictor(self, network):
        """The network with batch normalization folded into the layers before it, made once for each of its states.

        A network in training has a state after each epoch.
        """
        return self._kept_predictor(network)[1] or network

    def _kept_predictor(self, network):
        """The version of the weights, the network made of them or None, and the chain of what predicts."""
        kept = network.predictor
        if kept is None or kept[0] != network.version:
            version = network.version  # first: weights that change from here on make what is kept invalid
            kept = network.predictor = version, *self._folded(network)
        return kept

    def _stepper(self):
        """The network for predictions step by step, made once for each state of the weights."""
        network = self._network
        kept = network.stepper
        if kept is None or kept[0] != network.version:
            check_for_steps(self._chain)
            version, predictor, chain = self._kept_predictor(network)
            kept = network.stepper = version, stepping_network(chain, predictor or network)
        return kept[1]

    def _step(self, x, state, decode):
        fitted = snapshot(self)
        fitted._check_fitted()
        outputs, state = take_step(fitted, x, state)
        return decode(fitted._targets, outputs), state

    def _folded(self, network):
        """The network with layers folded, and its chain.

        None and the own chain if there are no such layers, or if their weights are out of range.
        """
        own = self._chain
        if not foldings(own.layers):
            return None, own
        layers, weights = folded(own.layers, own.by_layer(network.weights()))
        chain = chain_of(layers, own.sample_shape, own.n_outputs)
        made = with_layers_of(chain, network, chain.to_engine(weights))
        return (made, chain) if all_finite(made.parameters) else (None, own)


def _as_read(X, dtype):
    """What the engine reads, a row for each sample or step: the output of what comes before an Embedding."""
    rows = X.values[X.starts[0] : X.starts[-1]] if isinstance(X, Sequences) else X
    return (rows.toarray() if sp.issparse(rows) else rows).astype(dtype)


def checked_weights(weights, chain, dtype):
    """Weights as the engine lists them, from a dict for each of the chain's layers.

    Raises
    ------
    ValueError
        For anything but finite numbers of the right shapes. The message names layer and weights.
    """
    shapes = chain.weight_shapes()
    if not isinstance(weights, (list, tuple)) or len(weights) != len(shapes):
        given = f"{len(weights)} of them" if isinstance(weights, (list, tuple)) else quoted(weights)
        raise ValueError(f"weights must be a list of {len(shapes)} dicts, the output layer's last, got {given}")
    checked = []
    for i, (of_layer, layer_shapes) in enumerate(zip(weights, shapes, strict=True)):
        if not isinstance(of_layer, dict) or of_layer.keys() != layer_shapes.keys():
            given = list(of_layer) if isinstance(of_layer, dict) else of_layer
            raise ValueError(f"weights[{i}] must be a dict with the names {list(layer_shapes)}, got {quoted(given)}")
        checked.append({})
        for name, shape in layer_shapes.items():
            array = checked_array(f"weights[{i}][{name!r}]", of_layer[name], str(shape), dtype)
            if array.shape != shape:
                raise ValueError(f"weights[{i}][{name!r}] must have shape {shape}, got {array.shape}")
            if name == "moving_variance" and (array < 0).any():
                raise ValueError(f"weights[{i}][{name!r}] must be at least 0, got {array.min()}")
            checked[-1][name] = array
    return chain.to_engine(checked)
