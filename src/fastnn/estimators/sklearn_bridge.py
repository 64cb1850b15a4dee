"""Fitted networks made from weights and from scikit-learn's estimators, and scikit-learn's made from them."""

import copy
from itertools import chain, pairwise

import numpy as np
from sklearn.utils.validation import check_is_fitted

from fastnn._sklearn import allows, set_training
from fastnn.data.inputs import refusing
from fastnn.data.quoted import quoted
from fastnn.engine.network import Network
from fastnn.estimators.ineffective import warn_of_ineffective
from fastnn.estimators.parameters import SKLEARN_ACTIVATIONS
from fastnn.training.curve import Curve
from fastnn.training.state import TrainingState

# What scikit-learn's estimators keep of training: their attributes, and the names that our state has for them.
_TRAINING = {"loss_curve_": "loss_curve", "validation_scores_": "validation_scores", "t_": "n_samples_seen"}
# The axes of each layer's arrays, in words.
_AXES = {"coefs": "(fan_in, fan_out)", "intercepts": "(fan_out,)"}


def checked_array(name, array, axes, dtype=None):
    """An array of finite numbers, in its own type or in `dtype`.

    Raises
    ------
    ValueError
        For anything else. The message has the name, and the axes in words.
    """
    with refusing(f"{name} must be an array of shape {axes}", errors=(TypeError, ValueError)):
        array = np.asarray(array)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name} must be real numbers, got {array.dtype}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite, got {array[~np.isfinite(array)][0]}")
    if dtype is None:
        return array
    with np.errstate(over="ignore"):
        converted = array.astype(dtype, copy=False)
    if not np.isfinite(converted).all():
        raise ValueError(
            f"{name} must be at most {np.finfo(dtype).max:.3g} with dtype={dtype.name!r}, got {np.abs(array).max():.3g}"
        )
    return converted


def checked_layers(name, layers, dtype=None):
    """The weights, or biases, of layers as arrays of finite numbers, in their own types or in `dtype`.

    Raises
    ------
    ValueError
        For anything else. The message names the layer.
    """
    if not np.iterable(layers):
        raise ValueError(f"{name} must be a list of one array for each layer, got {quoted(layers)}")
    layers = list(layers)
    if not layers:
        raise ValueError(f"{name} must be a list of one array for each layer, got an empty list")
    for i, layer in enumerate(layers):
        layers[i] = checked_array(f"{name}[{i}]", layer, _AXES[name], dtype)
        if layers[i].ndim != _AXES[name].count("fan"):
            raise ValueError(f"{name}[{i}] must have shape {_AXES[name]}, got {layers[i].shape}")
    return layers


def joined(coefs, intercepts):
    """The weights of dense layers in the order of networks: W and b of the first layer, then of the second, ..."""
    return list(chain.from_iterable(zip(coefs, intercepts, strict=True)))


def parted(weights):
    """The reverse of `joined`: the list of every W, and the list of every b."""
    return weights[::2], weights[1::2]


def check_shapes(sizes, coefs, intercepts):
    """Refuse weights that are not a W (fan_in, fan_out) and a b (fan_out,) for each layer between the sizes.

    Raises
    ------
    ValueError
    """
    shapes = {"coefs": list(pairwise(sizes)), "intercepts": [(size,) for size in sizes[1:]]}
    for name, layers in (("coefs", coefs), ("intercepts", intercepts)):
        if len(layers) != len(shapes[name]):
            raise ValueError(f"len({name}) must be {len(shapes[name])}, one array for each layer, got {len(layers)}")
        for i, (layer, shape) in enumerate(zip(layers, shapes[name], strict=True)):
            if np.shape(layer) != shape:
                message = f"{name}[{i}] must have shape {shape}, got {np.shape(layer)}"
                if np.shape(layer) == shape[::-1]:
                    message += f": it is transposed, as torch.nn.Linear keeps its weight; pass {name}[{i}].T"
                raise ValueError(message)


def checked_network(coefs, intercepts):
    """Weights and biases as lists of arrays, and the numbers of inputs, of units in each hidden layer, and of outputs.

    Raises
    ------
    ValueError
        For shapes that do not fit together. The message names the layer, and says where its weights are transposed.
    """
    coefs, intercepts = checked_layers("coefs", coefs), checked_layers("intercepts", intercepts)
    fan_in, fan_out = coefs[0].shape
    if fan_out != len(intercepts[0]) == fan_in:  # transposed: else the message would be about the inputs
        fan_in = fan_out
    sizes = [fan_in, *map(len, intercepts)]
    check_shapes(sizes, coefs, intercepts)
    return coefs, intercepts, sizes


def fill_from_weights(model, targets, coefs, intercepts, n_epochs=0, training=()):
    """Make a new model a fitted one.

    Parameters
    ----------
    model : BaseMLP
        A model that is not fitted, whose parameters agree with the weights.
    targets : Labels or Numbers
    coefs, intercepts : sequence of array-like
        The weights and biases of each layer.
    n_epochs : int, default=0
        The number of epochs that the weights come from.
    training : dict, default=()
        Attributes of the model's TrainingState.

    Returns
    -------
    BaseMLP

    Raises
    ------
    ValueError
        For shapes that do not fit together.
    """
    coefs, intercepts, sizes = checked_network(coefs, intercepts)
    warn_of_ineffective(model, held_out=True)  # a later fit may hold samples out
    dtype = np.result_type(*coefs, *intercepts, np.float32) if model.dtype is None else np.dtype(model.dtype)
    chain = model._chain_for(tuple(sizes[:1]), sizes[-1])
    model._dropout_rates(len(sizes) - 2)  # refused now, rather than in a later fit
    weights = joined(checked_layers("coefs", coefs, dtype), checked_layers("intercepts", intercepts, dtype))
    network = Network(chain.description, chain.input_shape, targets.head, dtype, None, targets.groups, weights)
    state = TrainingState.starting(model.random_state)
    vars(state).update(training)
    model.n_features_in_ = sizes[0]
    model._set_fitted(network, targets, None, state, n_epochs)
    return model


def check_is_sklearn(fitted, cls):
    """Refuse anything but a fitted estimator of this class of scikit-learn's.

    Raises
    ------
    TypeError
    NotFittedError
    """
    if not isinstance(fitted, cls):
        given = type(fitted)
        raise TypeError(
            f"fitted must be a sklearn.neural_network.{cls.__name__}, got a {given.__module__}.{given.__qualname__}"
        )
    check_is_fitted(fitted)


def fill_from_sklearn(model, targets, fitted):
    """Make a new model a fitted one, with the weights and the training of a fitted estimator of scikit-learn's."""
    training = {ours: getattr(fitted, theirs) for theirs, ours in _TRAINING.items() if hasattr(fitted, theirs)}
    training = {name: Curve(value) if isinstance(value, list) else value for name, value in training.items()}
    if training.get("loss_curve"):
        training["best_loss"] = min(training["loss_curve"])
        training["best_epoch"] = int(np.argmin(training["loss_curve"])) + 1
    if training.get("validation_scores"):
        training["validation_losses"] = Curve(
            [np.nan] * len(training["validation_scores"])
        )  # scikit-learn does not keep them
        training["best_score"] = max(training["validation_scores"])
        training["best_epoch"] = int(np.argmax(training["validation_scores"])) + 1
    model = fill_from_weights(model, targets, fitted.coefs_, fitted.intercepts_, fitted.n_iter_, training)
    model.loss_ = fitted.loss_
    if hasattr(fitted, "feature_names_in_"):
        model.feature_names_in_ = fitted.feature_names_in_
    return model


def sklearn_estimator(model, cls):
    """A new estimator of scikit-learn's, with the model's parameters where it has the parameter and takes the value."""
    estimator = cls()
    for name, value in model.get_params(deep=False).items():
        if name in estimator.get_params() and allows(cls, name, value):
            estimator.set_params(**{name: value})
    if model._network.activations and model._network.activations[0] in SKLEARN_ACTIVATIONS:
        estimator.set_params(activation=model._network.activations[0])  # they may be a list of equal ones
    return estimator


def fill_sklearn(model, estimator):
    """Give a model's network, and what it keeps of its training, to a new estimator of scikit-learn's.

    Raises
    ------
    ValueError
        For a network that scikit-learn cannot have: it has four activations, and the same one for all hidden layers.
    """
    network = model._network
    if len(set(network.activations)) > 1 or not set(network.activations) <= set(SKLEARN_ACTIVATIONS):
        raise ValueError(
            f"activation must be one of {', '.join(SKLEARN_ACTIVATIONS)} for all hidden layers of a network of "
            f"scikit-learn's, got {quoted(list(network.activations))}"
        )
    estimator.coefs_, estimator.intercepts_ = parted(network.weights())
    for name in ("n_features_in_", "feature_names_in_", "n_iter_", "t_", "loss_", "best_loss_", "loss_curve_"):
        if hasattr(model, name):
            setattr(estimator, name, copy.copy(getattr(model, name)))  # it appends to its own curves
    for name in ("validation_scores_", "best_validation_score_", "n_outputs_", "out_activation_"):
        setattr(estimator, name, copy.copy(getattr(model, name)))
    estimator.n_layers_ = len(estimator.coefs_) + 1
    set_training(estimator, *parted(network.weights()))
    return estimator
