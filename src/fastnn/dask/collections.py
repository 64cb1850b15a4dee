"""Dask's arrays, frames and bags as shards: groups of partitions that follow each other."""

import math
from itertools import pairwise

import numpy as np

from fastnn.dask.needed import needed
from fastnn.data.quoted import quoted

# The collections of a fit, and those that it watches.
NAMES, NAMES_VALIDATION = ("X", "y", "sample_weight"), ("X_val", "y_val", "sample_weight_val")


def kind_of(collection):
    """ "array", "frame" or "bag" for a collection of Dask's, and None for anything else."""
    if not needed("dask.base").is_dask_collection(collection) or not hasattr(collection, "to_delayed"):
        return None
    if hasattr(collection, "map_blocks"):
        return "array"
    return "frame" if hasattr(collection, "map_partitions") and hasattr(collection, "divisions") else "bag"


def checked_collection(collection, name):
    """The kind of a collection.

    Raises
    ------
    TypeError
        For anything but Dask's arrays, frames and bags.
    """
    kind = kind_of(collection)
    if kind is None:
        raise TypeError(
            f"{name} must be a Dask array, frame or bag, got {quoted(collection)}: make it one by "
            "dask.array.from_array or dask.dataframe.from_pandas"
        )
    return kind


def partitions(collection, kind):
    """A Delayed for each partition: of an array, for each chunk of rows, which has all columns."""
    if kind == "array":
        if any(n > 1 for n in collection.numblocks[1:]):
            collection = collection.rechunk(dict.fromkeys(range(1, collection.ndim), -1))
        return list(collection.to_delayed().ravel())
    return list(collection.to_delayed())


def aligned(collection, kind, X, kind_of_X, name):
    """y or sample_weight with the partitions of X, as far as these are known."""
    both_arrays = kind == kind_of_X == "array"
    if both_arrays and not any(map(math.isnan, (*X.chunks[0], *collection.chunks[0]))):
        if sum(X.chunks[0]) != sum(collection.chunks[0]):
            raise ValueError(f"{name} must have {sum(X.chunks[0])} rows, as X has, got {sum(collection.chunks[0])}")
        return collection.rechunk({0: X.chunks[0]})
    if kind == kind_of_X == "frame" and X.known_divisions and collection.known_divisions:
        return collection if X.divisions == collection.divisions else collection.repartition(divisions=X.divisions)
    return collection


def grouped(X, y, sample_weight, n_shards, names=NAMES):
    """The partitions of each shard, in order.

    Parameters
    ----------
    X, y : collections of Dask's
    sample_weight : collection or None
    n_shards : int or None
        None is a shard for each partition of X.
    names : tuple of str, default=NAMES
        Their names, for messages.

    Returns
    -------
    list of tuple of list
        For each shard the partitions of X, those of y, and those of sample_weight or an empty list.

    Raises
    ------
    TypeError, ValueError
    """
    columns, kind_of_X = [], checked_collection(X, names[0])
    for name, collection in zip(names, (X, y, sample_weight), strict=True):
        if collection is None and name == names[2]:
            columns.append([])
            continue
        kind = checked_collection(collection, name)
        collection = collection if name == names[0] else aligned(collection, kind, X, kind_of_X, name)
        columns.append(partitions(collection, kind))
        if len(columns[-1]) != len(columns[0]):
            raise ValueError(
                f"{name} must have {len(columns[0])} partitions, as {names[0]} has, got {len(columns[-1])}"
            )
    n = len(columns[0])
    if n_shards is None:
        n_shards = n
    if n_shards > n:
        raise ValueError(
            f"shards must be at most the number of partitions of X, {n}, got {n_shards}: X.repartition or X.rechunk "
            "makes more of them"
        )
    borders = np.arange(n_shards + 1) * n // n_shards
    return [tuple(each[first:last] for each in columns) for first, last in pairwise(borders)]
