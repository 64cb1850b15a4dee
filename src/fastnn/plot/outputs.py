"""What a model makes of one sample: what each of its layers passes on, and its answer."""

import math
from numbers import Integral

import numpy as np
import scipy.sparse as sp

from fastnn._sklearn import _safe_indexing
from fastnn.data.quoted import quoted
from fastnn.data.sequence_forms import as_sequences
from fastnn.estimators.modular import BaseModular
from fastnn.estimators.module_parameters import METHODS
from fastnn.estimators.network import BaseNetwork
from fastnn.estimators.perceptron import Perceptron
from fastnn.layers import Dropout
from fastnn.layers.chain import deciding_layer
from fastnn.plot.kernels import checked_image_shape
from fastnn.plot.reading import chain_of_network, labels_of_classes, labels_of_outputs, layer_names


def one_sample(X, sample):
    """The sample of this number, as an X of its own.

    Raises
    ------
    ValueError, TypeError
    """
    if not isinstance(sample, Integral):
        raise TypeError(f"sample must be an integer, got {quoted(sample)}")
    n_samples = X.shape[0] if getattr(X, "shape", ()) else len(X) if hasattr(X, "__len__") else 0
    if not -n_samples <= sample < n_samples:
        raise ValueError(
            f"sample must be at least {-n_samples} and less than {n_samples}, since X has {n_samples} samples, got "
            f"{sample}"
        )
    return _safe_indexing(X.tocsr() if sp.issparse(X) else X, [int(sample) % n_samples])


def input_of_sample(model, X, image_shape):
    """The only sample of X as an array: an image of 3 axes, a sequence of 2, or a vector.

    Raises
    ------
    ValueError
    """
    sequences = as_sequences(X)
    x = np.asarray(X.toarray() if sp.issparse(X) else X)[0] if sequences is None else sequences[0]
    x = np.asarray(x, dtype=float)
    if image_shape is not None:
        shape = checked_image_shape(image_shape)
        if math.prod(shape) != x.size:
            raise ValueError(
                f"image_shape must have {x.size} numbers, as a sample of X has, got {quoted(image_shape)}, which has "
                f"{math.prod(shape)}"
            )
        return x.reshape(shape)
    if not isinstance(model, BaseNetwork):
        return x.reshape(*x.shape, 1) if x.ndim == 2 else x
    chain = chain_of_network(model)
    shape = chain.sample_shape
    if len(shape) == 2 and deciding_layer(chain.layers) is None:
        shape = (*shape, 1)  # an image without channels
    return x.reshape(-1, *shape[1:]) if len(shape) == 2 else x.reshape(shape)


def activations_of(model, X):
    """What a fitted model makes of the only sample of X.

    Parameters
    ----------
    model : estimator
        A snapshot of one of fastnn's.
    X : object
        As `predict` takes it.

    Returns
    -------
    activations : dict of str to ndarray
        What each layer makes, or each module, and the answer: maps of 3 axes, sequences of 2, vectors.
    labels : dict of str to list of str
        Texts for the numbers of some of them.
    """
    if isinstance(model, Perceptron):
        values = np.ravel(model.decision_function(X))
        return {"decision function": values}, {"decision function": labels_of_outputs(model)[-len(values) :]}
    if isinstance(model, BaseModular):
        return _of_modules(model, X)
    chain, activations = chain_of_network(model), {}
    for i, name in enumerate(layer_names(chain)[:-1]):
        if name is not None and not isinstance(chain.layers[i], Dropout):  # which does nothing in predictions
            activations[name] = np.asarray(model.hidden_activations(X, layer=i)[0])
    rows = model._outputs(X)
    made = model._targets.decode(rows) if model._targets.are_numbers else model._targets.probabilities(rows)
    made = np.hstack(made) if isinstance(made, list) else made.reshape(len(rows), -1)
    activations["output"] = made if chain.ends_in_sequence else made[0]
    return activations, {"output": labels_of_outputs(model)}


def _of_modules(model, X):
    activations, labels = {}, {}
    read = model._read_X(X, reset=False)
    for module in model._modules:
        activations[module.name] = _as_numbers(module.outputs(module.inputs(read)), module.classes)
        if module.classes is not None:
            labels[module.name] = labels_of_classes(module.classes)
    if model._combination == "vote":
        answer = model._scores(X)
    else:
        answer = getattr(model, next(name for name in METHODS if hasattr(model, name)))(X)
    activations["together"] = _as_numbers(answer, getattr(model, "classes_", None))
    labels["together"] = labels_of_outputs(model)
    return activations, labels


def _as_numbers(outputs, classes):
    """The outputs for one sample as a vector: of labels, 1 for the class that is predicted, and 0 for the others."""
    if isinstance(outputs, list):  # the probabilities of several columns of classes
        return np.hstack([each[0] for each in outputs])
    row = np.atleast_1d(outputs[0])
    if classes is None or (outputs.ndim == 2 and not isinstance(classes, list)):
        return row.astype(float)
    columns = classes if isinstance(classes, list) else [classes]
    if len(columns) == len(row) and all(map(np.isin, row, columns)):
        return np.hstack([(each == label).astype(float) for each, label in zip(columns, row, strict=True)])
    return row.astype(float)  # a decision function
