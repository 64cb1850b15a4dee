"""Faults injected into fits on a cluster of two processes, at random: python dask_faulty_clusters.py [times] [seed].

Each fit has the bits of the fit without the fault, or the error that belongs to it; none takes longer than a minute.
PYTHONPATH must have tests/support.
"""

import collections
import sys
import threading
import time
import warnings
from contextlib import ExitStack

import numpy as np
from dask_faults import FAULTS, estimator, wait_until_well
from dask_problems import LABELS, X, bits, chunked, cluster

MOST_SECONDS = 60


def hangs(fault):
    print(f"{fault.__name__} takes more than {MOST_SECONDS} s", flush=True)


def one(client, fault, rng, expected):
    """One fit with a fault; returns what went wrong, or None."""
    model, data, error = fault(client, rng)
    timer = threading.Timer(MOST_SECONDS, hangs, [fault])
    timer.daemon = True
    timer.start()
    try:
        model.fit(*data)
    except Exception as raised:
        if "lacks workers" in str(raised) and not client.nthreads():  # Dask's nannies have given up
            return None
        if error is None or not isinstance(raised, error[0]):
            return f"{type(raised).__name__}: {raised}"
        return None if "shard" in str(raised) else f"the shard's name is missing: {raised}"
    finally:
        timer.cancel()
    if error is not None:
        return f"no error, but {error[0].__name__} was due"
    return None if bits(model) == expected else "other bits"


def main():
    import dask

    times = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    rng = np.random.default_rng(int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    warnings.simplefilter("ignore")
    with cluster(1) as client:
        expected = bits(estimator(client).fit(*chunked(X, LABELS)))
    failures, seconds = collections.Counter(), collections.defaultdict(list)
    settings = {"distributed.scheduler.allowed-failures": 2, "distributed.comm.timeouts.connect": "3s"}
    with dask.config.set(settings), ExitStack() as stack:
        client = stack.enter_context(cluster(2, processes=True))
        for i in range(times):
            fault = FAULTS[int(rng.integers(len(FAULTS)))]
            start = time.monotonic()
            wrong = one(client, fault, rng, expected)
            seconds[fault.__name__].append(time.monotonic() - start)
            if wrong:
                failures[fault.__name__] += 1
                print(f"{i}: {fault.__name__}: {wrong}", flush=True)
            if i % 50 == 49:
                print(f"{i + 1} faults, {failures.total()} of them failed", flush=True)
            try:
                wait_until_well(client, 2)
            except Exception as error:
                print(f"{i}: {fault.__name__}: a new cluster is started, since {error}", flush=True)
                stack.close()
                client = stack.enter_context(cluster(2, processes=True))
    for name, each in sorted(seconds.items()):
        print(f"{name:28} {len(each):4} times, {max(each):6.1f} s at most, {failures[name]} failed")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
