"""What estimators for a cluster refuse, and how their fits fail."""

import sys
from importlib.util import find_spec
from unittest.mock import patch

import numpy as np
from dask_faults import estimator, in_mid_round
from dask_problems import LABELS, NUMBERS, X, chunked, cluster

from fastnn import MLPClassifier, MLPRegressor
from fastnn.dask import DaskClassifier, DaskRegressor
from fastnn.dask import cluster as clusters
from fastnn.dask.cluster import shared_level

SMALL = MLPClassifier((4,), max_iter=2, random_state=0)
BAD = np.where(np.arange(len(X))[:, None] == 200, np.nan, X)


def fitted(*data, network=SMALL, n_workers=1, estimator=DaskClassifier, arguments=(), **settings):
    """A fit on a cluster of threads, of Dask's collections or of arrays that are made such."""
    with cluster(n_workers) as client:
        data = [each if hasattr(each, "dask") else chunked(each)[0] for each in data]
        return estimator(network, client=client, **settings).fit(*data, **dict(arguments))


def joined(*parts):
    """Dask arrays one after the other, each a chunk of its own."""
    import dask.array as da

    return da.concatenate([da.from_array(each, chunks=each.shape) for each in parts])


def delayed(*parts):
    """A Dask array of unknown chunks, which may have other widths and types than the first one."""
    import dask
    import dask.array as da

    made = [dask.delayed(lambda part=part: part)() for part in parts]
    shape = (np.nan, *parts[0].shape[1:])
    return da.concatenate(
        [da.from_delayed(each, shape, parts[0].dtype) for each in made], allow_unknown_chunksizes=True
    )


def bag(n):
    import dask.bag as db

    return db.from_sequence(list(range(len(X))), npartitions=n)


def without_dask():
    with patch.dict(sys.modules, {"dask.base": None, "distributed": None}):
        DaskClassifier(SMALL).fit(X, LABELS)


def closed():
    with cluster(1) as client:
        model = estimator(client, in_mid_round(lambda: client.cluster.close(timeout=5)))
        model.set_params(estimator__max_iter=10**6).fit(*chunked(X, LABELS))


def too_late():
    with patch.object(clusters, "TICK_SECONDS", 0.0), patch.object(clusters, "RETRIES", 0):
        fitted(X, LABELS, round_timeout=1e-9)


def without_workers():
    with patch.object(clusters, "DESERTED_SECONDS", 0.0):
        fitted(X, LABELS, n_workers=0)


def deserted():
    at_once = patch.multiple(clusters, DESERTED_SECONDS=0.3, LOOK_SECONDS=0.05)
    with at_once, cluster(1) as client:
        (worker,) = client.cluster.workers.values()
        leave = in_mid_round(lambda: client.cluster.sync(worker.close))
        estimator(client, leave).set_params(estimator__max_iter=1000).fit(*chunked(X, LABELS))


def resumed_with_another_level():
    with cluster(1) as client:
        model = DaskClassifier(SMALL, client=client).fit(*chunked(X, LABELS))
        model.instruction_set_ = "vacuum-tubes"
        model.partial_fit(*chunked(X, LABELS))


def without_client():
    with patch("distributed.default_client", side_effect=ValueError("No clients found")):
        DaskClassifier(SMALL).fit(*chunked(X, LABELS))


def narrow(y):
    return np.stack([y] * 2, axis=1)


def arrays():
    with cluster(1) as client:
        DaskClassifier(SMALL, client=client).fit(X, LABELS)


def first_call():
    with cluster(1) as client:
        DaskClassifier(SMALL, client=client).partial_fit(*chunked(X, LABELS))


PROVOCATIONS = {
    "no dask": without_dask,
    "a regressor": lambda: fitted(X, LABELS, network=MLPRegressor()),
    "lbfgs": lambda: fitted(X, LABELS, network=MLPClassifier(solver="lbfgs")),
    "no client": without_client,
    "a client of another kind": lambda: DaskClassifier(SMALL, client="tcp://here").fit(*chunked(X, LABELS)),
    "arrays": arrays,
    "other rows": lambda: fitted(joined(X), joined(LABELS[:-10])),
    "other partitions": lambda: fitted(X, bag(3)),
    "many shards": lambda: fitted(X, LABELS, shards=50),
    "no samples": lambda: fitted(joined(X[:0]), joined(LABELS[:0])),
    "no weights": lambda: fitted(X, LABELS, np.zeros(len(X))),
    "few samples to hold out": lambda: fitted(
        joined(X[:9]), joined(LABELS[:9]), network=MLPClassifier(early_stopping=True)
    ),
    "X_val alone": lambda: fitted(X, LABELS, arguments={"X_val": X}),
    "bad X_val": lambda: fitted(X, LABELS, arguments={"X_val": BAD, "y_val": LABELS}),
    "shards of other widths": lambda: fitted(delayed(X[:100], X[:100, :4]), joined(LABELS[:100], LABELS[:100])),
    "y of other widths": lambda: fitted(joined(X[:100], X[:100]), delayed(LABELS[:100], narrow(LABELS[:100]))),
    "y of other types": lambda: fitted(joined(X[:100], X[:100]), delayed(LABELS[:100], LABELS[:100].astype(str))),
    "a bad shard": lambda: fitted(BAD, LABELS),
    "bad numbers to regress": lambda: fitted(
        X, np.where(NUMBERS > 1, np.inf, NUMBERS), network=MLPRegressor(), estimator=DaskRegressor
    ),
    "an attribute before fit": lambda: DaskClassifier(SMALL).loss_curve_,
    "no shared instruction set": lambda: shared_level({"first": ["avx512"], "second": ["neon"]}),
    "another instruction set": resumed_with_another_level,
    "no workers": without_workers,
    "workers that leave": deserted,
    "a closed scheduler": closed,
    "a round that takes too long": too_late,
    "classes": first_call,
}


EXEMPT = [
    ("dask/cluster.py", "its result took more", "a worker would have to stop between computing and sending"),
    ("dask/cluster.py", "all workers that it was", "the task is submitted again"),
    ("dask/cluster.py", "it was lost with", "the task is submitted again"),
    ("dask/cluster.py", "a worker lacks the", "the task is submitted again"),
]
if find_spec("distributed") is None:
    PROVOCATIONS = {name: PROVOCATIONS[name] for name in ("no dask", "an attribute before fit")}
