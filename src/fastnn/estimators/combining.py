"""How the outputs of modules become one answer, and the columns that a model reads which does so."""

import numpy as np
import scipy.sparse as sp


def mean(outputs, weights):
    """The mean of the modules' outputs, each with its weight."""
    return np.average(outputs, axis=0, weights=weights)


def product(probabilities, weights):
    """The product of the modules' probabilities, each to the power of its weight, scaled to the sum 1."""
    weights = np.ones(len(probabilities)) if weights is None else weights
    logarithms = sum(
        weight * np.log(np.maximum(each, np.finfo(each.dtype).tiny))  # so that a module alone cannot rule a class out
        for weight, each in zip(weights, probabilities, strict=True)
    )
    scores = np.exp(logarithms - logarithms.max(axis=1, keepdims=True))
    return scores / scores.sum(axis=1, keepdims=True)


def votes(labels, weights, classes):
    """What the modules' votes for each class come to, each with its weight."""
    weights = np.ones(len(labels)) if weights is None else weights
    return sum(weight * (each[:, None] == classes) for weight, each in zip(weights, labels, strict=True))


def columns_of(outputs, module, for_model):
    """A module's outputs as columns.

    Parameters
    ----------
    outputs : ndarray, or a list of such
    module : Module
    for_model : bool
        Whether a model reads them, which needs the first class's probability only if there are others than two.

    Returns
    -------
    ndarray of shape (n_samples, n_columns)
    """
    if for_model and module.method == "predict" and module.classes is not None:
        outputs = _codes(outputs, module.classes)
    if isinstance(outputs, list):  # a target of several columns of classes
        return np.hstack([each[:, 1:] if for_model else each for each in outputs])
    if outputs.ndim == 1:
        return outputs.reshape(-1, 1)
    is_binary = module.method == "predict_proba" and not isinstance(module.classes, list) and len(module.classes) == 2
    return outputs[:, 1:] if is_binary and for_model else outputs


def _codes(labels, classes):
    """Labels as the numbers of their classes: a model reads no texts, and those of numbers say little."""
    if isinstance(classes, list):
        return np.stack([_codes(*each) for each in zip(labels.T, classes, strict=True)], axis=1)
    return np.searchsorted(classes, labels)


def n_columns(module, target):
    """The number of columns of the outputs of a module whose outputs no model reads."""
    if module.method == "predict_proba":
        return len(module.classes)
    return 1 if target.ndim == 1 else target.shape[1]


def beside(columns, X):
    """Columns and X in one matrix, which is sparse if X is."""
    return sp.hstack([*columns, X], format=X.format) if sp.issparse(X) else np.hstack([*columns, X])


def in_order(parts, rows):
    """The outputs for all samples, from those for parts of them, each of which has these rows."""
    if isinstance(parts[0], list):
        return [in_order(each, rows) for each in zip(*parts, strict=True)]
    return np.concatenate(parts)[np.argsort(np.concatenate(rows))]
