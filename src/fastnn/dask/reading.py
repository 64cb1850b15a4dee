"""What workers make of a shard's partitions: what is known of it, and the samples that a round trains on."""

import copy
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np
import scipy.sparse as sp

from fastnn.dask.rounds import random_state_of
from fastnn.data.class_targets import Labels, distinct
from fastnn.data.inputs import named_as_validation, refusing
from fastnn.data.per_step import Steps
from fastnn.data.quoted import quoted
from fastnn.data.ragged import Sequences
from fastnn.data.samples import Samples
from fastnn.training.state import TrainingState
from fastnn.training.validation import Holdout, split


@dataclass
class Rows:
    """The rows of a shard, as an estimator has read and checked them.

    Attributes
    ----------
    X, y, sample_weight, steps
        What `BaseNetwork._read` returns.
    attributes : dict
        What the estimator has noted of X: the number of columns and their names, or the shape of a sample.
    """

    X: Any
    y: Any
    sample_weight: Any
    steps: Any
    attributes: dict


@dataclass
class Summary:
    """What the client has to know of a shard.

    Attributes
    ----------
    n_rows : int
    head : Rows or None
        The first row; None where there is no row.
    dtypes : tuple of dtype
        Those of X and y.
    target_type : str or None
        A classifier's, as `Labels` has it.
    classes : list of ndarray
        A classifier's, of each column of y.
    """

    n_rows: int = 0
    head: Rows | None = None
    dtypes: tuple = ()
    target_type: str | None = None
    classes: tuple = ()


def joined(parts):
    """Partitions that follow each other as one array, frame, list or matrix."""
    parts = [part if hasattr(part, "shape") else list(part) for part in parts]
    if len(parts) == 1:
        return parts[0]
    if all(isinstance(part, list) for part in parts):
        return list(chain.from_iterable(parts))
    if any(map(sp.issparse, parts)):
        return sp.vstack(parts, format="csr")
    if hasattr(parts[0], "iloc"):
        import pandas as pd  # Dask's frames have it

        return pd.concat(parts)
    return np.concatenate(parts)


def read_shard(model, X, y, sample_weight, is_validation=False):
    """Read a shard's partitions.

    Parameters
    ----------
    model : BaseNetwork
        One with a shape of samples, if training resumes; else the shard's shape is noted.
    X, y, sample_weight : list
        The partitions, of sample_weight perhaps no one.
    is_validation : bool
        Whether these are X_val, y_val and sample_weight_val.

    Returns
    -------
    Rows or None
        None for a shard without rows.
    """
    X, y, sample_weight = (joined(parts) if parts else None for parts in (X, y, sample_weight))
    n_rows = len(X) if not sp.issparse(X) else X.shape[0]
    if n_rows == 0 and len(y) == 0:
        return None
    reader = copy.copy(model)
    resumes = hasattr(reader, "n_features_in_") or hasattr(reader, "input_shape_")
    if not is_validation:
        read = reader._read(X, y, sample_weight, reset=not resumes)
    else:
        with named_as_validation():
            read = reader._read(X, y, sample_weight, reset=False, y_name="y_val")
    return Rows(*read, {name: value for name, value in vars(reader).items() if _is_noted(name)})


def _is_noted(name):
    return name in ("n_features_in_", "feature_names_in_", "input_shape_")


def summarised(rows, for_classes):
    """What the client has to know of a shard.

    Parameters
    ----------
    rows : Rows or None
    for_classes : bool
        Whether y has classes.

    Returns
    -------
    Summary
    """
    if rows is None:
        return Summary()
    n_targets = 1 if rows.steps is None else int(rows.steps.lengths[0])
    steps = None if rows.steps is None else Steps(rows.steps.lengths[:1])
    head = replace(rows, X=rows.X[:1], y=rows.y[:n_targets], sample_weight=None, steps=steps)
    if not for_classes:
        return Summary(rows.X.shape[0], head, (rows.X.dtype, rows.y.dtype))
    labels = Labels(rows.y)
    columns = [rows.y] if rows.y.ndim == 1 else rows.y.T if not sp.issparse(rows.y) else ()
    classes = tuple(map(distinct, columns))
    return Summary(rows.X.shape[0], head, (rows.X.dtype, rows.y.dtype), labels.target_type, classes)


def labels_of(summaries):
    """The encoder of the classes of all shards.

    Raises
    ------
    ValueError
        For columns of other numbers, or labels of other types, in different shards.
    """
    summaries = [each for each in summaries if each.n_rows]
    widths = [each.head.y.shape[1:] for each in summaries]
    if len(set(widths)) > 1:
        raise ValueError(f"y must have as many columns in all shards, got {quoted(sorted(set(widths)), str)}")
    types = {each.target_type for each in summaries}
    if types == {"multilabel-indicator"}:
        return Labels.of_type("multilabel-indicator", np.arange(widths[0][0]))
    with refusing("y must be labels of one type, such as numbers or texts, in all shards"):
        by_column = list(zip(*(each.classes for each in summaries), strict=True))
        kinds = [{"text" if each.dtype.kind in "OUST" else "number" for each in column} for column in by_column]
        columns = [distinct(np.concatenate(column)) for column in by_column]
    if any(len(kind) > 1 for kind in kinds):
        raise ValueError("y must be labels of one type in all shards, got numbers in some and texts in others")
    if widths[0]:
        return Labels.of_type("multiclass-multioutput", columns)
    return Labels.of_type("multiclass" if len(columns[0]) > 2 else "binary", columns[0])


def counted_targets(rows, targets):
    """The distinct targets of a shard and their summed weights, which balanced classes are counted by."""
    if rows is None:
        return None
    encoded = targets.encode(rows.y)
    values, numbers = np.unique(encoded, axis=0, return_inverse=True)
    return values, np.bincount(numbers.reshape(-1), rows.sample_weight, len(values)).astype(np.float64)


def samples_of(rows, model, targets, counted, hold_out):
    """The samples that a shard trains on.

    Parameters
    ----------
    rows : Rows or None
    model : BaseNetwork
    targets : Labels or Numbers
    counted : tuple or None
        The distinct targets of all shards and their weights, for balanced classes.
    hold_out : tuple of int, or None
        The seed and the shard, if it holds samples out.

    Returns
    -------
    Samples or None
    """
    if rows is None:
        return None
    samples = model._samples(targets, rows.X, rows.y, rows.sample_weight, rows.steps, counted)
    samples.check_weights(np.float64, "of a shard")
    if hold_out is not None:
        samples.rows, _ = _halves(rows, model, targets, hold_out)
    return samples


def _halves(rows, model, targets, hold_out):
    """The rows that a shard trains on, and those that it holds out; None for both where it has few."""
    n_rows = rows.X.shape[0]
    if np.ceil(model.validation_fraction * n_rows) < 2:
        return None, None
    strata = targets.strata(targets.encode(rows.y)) if rows.steps is None else None
    return split(n_rows, model.validation_fraction, random_state_of(*hold_out), strata)


def held_out_of(rows, model, targets, hold_out):
    """The rows that a shard holds out, or None."""
    held = None if rows is None else _halves(rows, model, targets, hold_out)[1]
    if held is None:
        return None
    part = Samples(rows.X, rows.y, rows.sample_weight, steps=rows.steps).part(held)
    return Rows(part.X, part.targets, part.weights, part.steps, rows.attributes)


def joined_rows(held):
    """What all shards hold out, in their order.

    Parameters
    ----------
    held : list of Rows or None

    Returns
    -------
    Rows or None
    """
    held = [rows for rows in held if rows is not None]
    if not held:
        return None
    first = held[0]
    X = (Sequences.joined if isinstance(first.X, Sequences) else joined)([rows.X for rows in held])
    steps = None if first.steps is None else Steps(np.concatenate([rows.steps.lengths for rows in held]))
    weights = None if first.sample_weight is None else np.concatenate([rows.sample_weight for rows in held])
    return Rows(X, joined([rows.y for rows in held]), weights, steps, first.attributes)


def evaluated(rows, weights, plan, counted):
    """The loss and the score of a network with these weights on the samples held out.

    Returns
    -------
    tuple of float
    """
    network, model = plan.network(weights), plan.model
    samples = model._samples(plan.targets, rows.X, rows.y, rows.sample_weight, rows.steps, counted)
    samples.check_weights(network.dtype, "held out")
    holdout = Holdout(samples, rows.y, rows.sample_weight, model, plan.targets)

    def filled():
        fitted = copy.copy(model)
        fitted._set_fitted(network, plan.targets, None, TrainingState.starting(0), 0)
        vars(fitted).pop("feature_names_in_", None)
        return fitted

    loss = model._loss(plan.targets)
    return holdout.evaluate(model._predictor(network), loss, 1, filled)
