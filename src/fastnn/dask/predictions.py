"""Predictions and scores of Dask's collections, which are computed when they are asked for."""

import copy
import warnings
from functools import partial

import numpy as np

from fastnn.dask.collections import aligned, checked_collection, kind_of, partitions
from fastnn.dask.needed import needed
from fastnn.dask.reading import joined
from fastnn.data.ragged import as_objects


def _part(model, X, method, like, column=None):
    """The predictions for a partition, or of one column of classes; of an empty one as many as `like` has."""
    X = joined([X])
    n_samples = X.shape[0] if hasattr(X, "shape") else len(X)
    made = _of_list(model, method, X) if n_samples else like
    return made if column is None else made[column]


def _of_list(model, method, X):
    """The predictions for a bag's partition; those for the steps of sequences as an array of arrays."""
    made = getattr(model, method)(X)
    return as_objects(made) if isinstance(made, list) and not model._targets.groups else made


def _nothing(model, method, X, kind):
    """What a method returns for no samples: its type and shape."""
    network = model._network
    if kind == "array":
        sample = np.zeros((1, *X.shape[1:]), X.dtype)
    else:
        shape = tuple(1 if n is None else n for n in network.input_shape)
        sample = np.zeros((1, *shape), network.dtype)
        sample = sample.reshape(1, -1) if hasattr(model, "n_features_in_") else sample
        sample = list(sample) if kind == "bag" else sample
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the sample lacks the names of columns
        made = _of_list(model, method, sample)
    return [each[:0] for each in made] if isinstance(made, list) else made[:0]


def predictions(model, method, X):
    """What a method of a model returns for a collection: a lazy Dask array, or a list of such.

    Parameters
    ----------
    model : BaseNetwork
    method : str
    X : collection of Dask's, or array-like
        Of anything but a collection the result is that of the model itself.
    """
    kind = kind_of(X) if hasattr(X, "__dask_graph__") else None
    if kind is None:
        return getattr(model, method)(X)
    like, parts = _nothing(model, method, X, kind), partitions(X, kind)
    rows = X.chunks[0] if kind == "array" else (np.nan,) * len(parts)
    shared = needed("dask").delayed(model, name=f"fastnn-model-{needed('dask.base').tokenize(model)}")
    if isinstance(like, list):
        return [_array(shared, method, like, i, parts, rows) for i in range(len(like))]
    return _array(shared, method, like, None, parts, rows)


def _array(model, method, like, column, parts, rows):
    """The predictions for all partitions: a task for each, whose name has the method's in it."""
    example = like if column is None else like[column]
    token = needed("dask.base").tokenize(model, method, column, parts)
    name, tail = f"fastnn-{method.replace('_', '-')}-{token}", (0,) * (example.ndim - 1)
    function = partial(_part, method=method, like=like, column=column)
    tasks = {(name, i, *tail): (function, model.key, part.key) for i, part in enumerate(parts)}
    graph = needed("dask.highlevelgraph").HighLevelGraph.from_collections(name, tasks, dependencies=[model, *parts])
    chunks = (tuple(rows), *((n,) for n in example.shape[1:]))
    return needed("dask.array").Array(graph, name, chunks, dtype=example.dtype)


def _score_of(model, predicted, y, sample_weight):
    """The model's own score, of predictions that were made before."""
    keep = [i for i, part in enumerate(y) if len(part)]
    predicted, y = joined([predicted[i] for i in keep]), joined([y[i] for i in keep])
    weights = joined([sample_weight[i] for i in keep]) if sample_weight else None
    scored = copy.copy(model)
    scored.predict = lambda _: predicted
    scored._to_score = lambda X, y, sample_weight: (scored, y, sample_weight)
    y = y.to_numpy() if hasattr(y, "to_numpy") else np.asarray(y) if isinstance(y, list) else y
    return np.asarray(type(model).score(scored, predicted, y, None if weights is None else np.asarray(weights)))


def score(model, X, y, sample_weight):
    """The model's score of a collection: a Dask array without axes, which `float` computes; else a float."""
    kind = kind_of(X) if hasattr(X, "__dask_graph__") else None
    if kind is None:
        return model.score(X, y, sample_weight)
    delayed, columns = needed("dask").delayed, []
    for name, given in (("y", y), ("sample_weight", sample_weight)):
        if given is None:
            columns.append([])
            continue
        kind_of_y = checked_collection(given, name)
        columns.append(partitions(aligned(given, kind_of_y, X, kind, name), kind_of_y))
    shared, parts = delayed(model, pure=True), partitions(X, kind)
    like = _nothing(model, "predict", X, kind)
    token = needed("dask.base").tokenize(shared, parts, *columns)
    predict = delayed(_part, pure=False)
    predicted = [
        predict(shared, part, "predict", like, dask_key_name=f"fastnn-predict-{token}-{i}")
        for i, part in enumerate(parts)
    ]
    made = delayed(_score_of, pure=False)(shared, predicted, *columns, dask_key_name=f"fastnn-score-{token}")
    return needed("dask.array").from_delayed(made, shape=(), dtype=float)
