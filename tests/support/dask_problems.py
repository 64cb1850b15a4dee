"""Problems in Dask's collections, clusters of threads and processes, and what fits are compared by."""

from contextlib import contextmanager

import numpy as np

rng = np.random.default_rng(0)
X = rng.normal(size=(600, 6)).astype(np.float32)
NUMBERS = X[:, 0] + X[:, 1] ** 2
LABELS = np.digitize(NUMBERS, [0.0, 1.0])
TEXTS = np.array(["low", "middle", "high"])[LABELS]
WEIGHTS = rng.uniform(0.5, 2.0, len(X))
CHUNKS = (150, 100, 200, 50, 100)
ENDLESS = {"tol": 0.0, "n_iter_no_change": 1000, "random_state": 0, "n_threads": 1}
# distributed's own
IGNORED = [
    "ignore::sklearn.exceptions.ConvergenceWarning",
    "ignore::ResourceWarning",
    "ignore::DeprecationWarning",
    "ignore:.*unclosed.*",
    "ignore::pytest.PytestUnraisableExceptionWarning",
    "ignore::pytest.PytestUnhandledThreadExceptionWarning",
    "ignore:Port .* is already in use",
]


@contextmanager
def cluster(n_workers=2, processes=False, **settings):
    """A client of a cluster on this machine."""
    from distributed import Client, LocalCluster

    settings = {"threads_per_worker": 1, "dashboard_address": ":0", "silence_logs": 50} | settings
    with (
        LocalCluster(n_workers=n_workers, processes=processes, **settings) as started,
        Client(started, set_as_default=False) as client,
    ):
        yield client


def chunked(*arrays, chunks=CHUNKS):
    """Dask arrays with these chunks of rows."""
    import dask.array as da

    return [da.from_array(each, chunks=(chunks, *each.shape[1:])) for each in arrays]


def bits(model):
    """All that a fit on a cluster has come to."""
    local = model.estimator_
    memories = [local._network.unpack(memory) for memory in local._trainer.memories]
    arrays = [*local._network.weights(), *(each for memory in memories for each in memory)]
    return [each.tobytes() for each in arrays], local._trainer.optimizer.step_count, list(local.loss_curve_)
