"""Networks whose layers the user writes."""

import math
from numbers import Integral
from typing import ClassVar

import numpy as np
from sklearn.utils.validation import check_is_fitted

from fastnn.data.inputs import as_rows
from fastnn.data.quoted import quoted
from fastnn.estimators.dense_weights import DenseWeights
from fastnn.estimators.docstrings import documented
from fastnn.estimators.layer_parameters import layer_parameters, with_parameters
from fastnn.estimators.network import BaseNetwork, checked_layer, with_layers_of
from fastnn.estimators.sklearn_bridge import checked_array
from fastnn.estimators.summary import as_html, as_text, rows_of
from fastnn.layers import Dense, Dropout
from fastnn.layers.chain import chain_of, check_layers, sample_shape
from fastnn.layers.folding import folded, foldings
from fastnn.layers.rules import SHAPE, plain
from fastnn.training.loop import all_finite
from fastnn.training.transaction import being_changed, snapshot


class BaseSequential(DenseWeights, BaseNetwork):
    """What every network has whose layers the user writes: X of several axes, and the weights of each layer."""

    _parameter_constraints: ClassVar[dict] = {
        **BaseNetwork._parameter_constraints,
        "layers": [list, tuple],
        "input_shape": [None, list, tuple, Integral],
    }

    # -- layers as parameters -----------------------------------------------------------------------------------------

    def get_params(self, deep=True):
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

    def set_params(self, **parameters):
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

    def _validated(self, X, y, reset, y_name="y"):
        X, shape = as_rows(X)
        if reset:
            check_layers(self.layers)
        else:
            self._check_shape(X, shape)
        X, y = super()._validated(X, y, reset, y_name)
        if reset:
            self._set_input_shape(X.shape[1:] if shape is None else shape)
            if shape is not None:
                del self.n_features_in_  # the columns are rows, steps and channels
        return X, y

    def _set_input_shape(self, shape):
        """Set `input_shape_`, for samples of this shape."""
        if self.input_shape is not None:
            given = checked_shape(self.input_shape)
            if len(shape) == 1 and math.prod(given) != shape[0]:
                raise ValueError(
                    f"input_shape must have {shape[0]} numbers, as X has columns, got {given}, which has "
                    f"{math.prod(given)}"
                )
            if len(shape) > 1 and _without_channel(given) != _without_channel(shape):
                raise ValueError(
                    f"X must have shape {_samples_of(given)}, as input_shape says, got {_samples_of(shape)}"
                )
            shape = given
        self.input_shape_ = sample_shape(self.layers, shape)

    def _check_shape(self, X, shape):
        """Refuse samples of another shape than in fit, where that of rows is checked later."""
        if shape is None:
            if hasattr(self, "n_features_in_") or np.ndim(X) != 2:
                return
            shape = np.shape(X)[1:]
            if self.input_shape is not None and shape[0] == math.prod(self.input_shape_):
                return
        if _without_channel(shape) != _without_channel(self.input_shape_):
            fitted = _samples_of(self.input_shape_)
            is_sample = _without_channel(np.shape(X)) == _without_channel(self.input_shape_)
            advice = ": pass X[None] if this is one sample" if is_sample else ""
            raise ValueError(f"X must have shape {fitted}, as in fit, got {_samples_of(shape)}{advice}")

    def _chain_for(self, shape, n_outputs):
        check_layers(self.layers)
        self._chain = chain = chain_of(tuple(self.layers), sample_shape(self.layers, self.input_shape_), n_outputs)
        if chain.ends_in_sequence:
            raise ValueError(
                f"layers must make one vector of each sample, got a sequence of shape {chain.links[-1].input_shape}: "
                f"{chain.sequence_advice()}"
            )
        return chain

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

    def _as_given(self, X):
        return X if hasattr(self, "n_features_in_") else X.reshape(len(X), *self.input_shape_)

    # -- weights ------------------------------------------------------------------------------------------------------

    @property
    def weights_(self):
        """tuple of dict of str to ndarray: the weights of each layer by their names, read-only copies."""
        if not hasattr(self, "_network"):
            raise AttributeError(f"This {type(self).__name__} instance is not fitted yet, so it has no weights.")
        fitted = snapshot(self)
        weights = tuple(fitted._chain.by_layer(fitted._network.weights()))
        for array in (array for of_layer in weights for array in of_layer.values()):
            array.flags.writeable = False  # a change would not reach the network: an error says so
        return weights

    @weights_.setter
    def weights_(self, weights):
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

    def summary(self):
        """Print a table of the layers: the shape that each makes of a sample, and its number of parameters.

        Returns
        -------
        None
            The table is printed.

        Raises
        ------
        NotFittedError
            Before the network is fitted: the shapes follow from X.
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

    @documented
    def hidden_activations(self, X, layer=-1):
        """The outputs of a layer, as they are in predictions.

        Parameters
        ----------
        <samples to predict>
        layer : int, default=-1
            The number of the layer in `layers`, from 0; -1 is the last one.

        Returns
        -------
        ndarray of shape (n_samples, ...)
            In the shape that the layer makes of a sample, and in the type that the network computes in.

        <raises for a wrong layer>
        """
        check_is_fitted(self)
        fitted = snapshot(self)
        n_layers = len(fitted._chain.layers)
        link = fitted._chain.links[checked_layer(layer, n_layers)]
        if not link.depth:  # the engine does not make this output
            chain = fitted._chain.unfused()
            link = chain.links[layer % n_layers]
            fitted._network = with_layers_of(chain, fitted._network, fitted._network.weights())
        outputs = fitted._outputs(X, link.depth)
        return outputs.reshape(len(outputs), *link.output_shape)

    def _outputs(self, X, depth=None):
        check_is_fitted(self)
        X, shape = as_rows(X)
        self._check_shape(X, shape)
        return super()._outputs(X, depth)

    def _predictor(self, network):
        """The network with batch normalization folded into the layers before it, made once for each of its states.

        A network in training has a state after each epoch.
        """
        kept = network.predictor
        if kept is None or kept[0] != network.version:
            version = network.version  # first: weights that change from here on make what is kept invalid
            kept = network.predictor = version, self._folded(network)
        return kept[1] or network

    def _folded(self, network):
        """The network with layers folded, or None if there are no such, or if their weights are out of range."""
        chain = self._chain
        if not foldings(chain.layers):
            return None
        layers, weights = folded(chain.layers, chain.by_layer(network.weights()))
        chain = chain_of(layers, chain.sample_shape, chain.n_outputs)
        made = with_layers_of(chain, network, chain.to_engine(weights))
        return made if all_finite(made.parameters) else None


def checked_shape(input_shape):
    """The parameter `input_shape` as a tuple.

    Raises
    ------
    ValueError
    """
    shape = plain(input_shape)
    shape = shape if isinstance(shape, tuple) else (shape,)
    if not SHAPE.holds(shape):
        raise ValueError(f"input_shape must be {SHAPE.text}, got {quoted(input_shape)}")
    return shape


def _without_channel(shape):
    """A shape without its last axis, if that is a single channel."""
    return shape[:-1] if len(shape) > 1 and shape[-1] == 1 else shape


def _samples_of(shape):
    return f"(n_samples, {', '.join(map(str, shape))})"


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
