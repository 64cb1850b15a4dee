"""Faults injected into fits on a cluster of processes: the same bits as without them, or an error; never a hang."""

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from dask_faults import FAULTS, N_EPOCHS, estimator, in_mid_round, killed, wait_until_well
from dask_problems import IGNORED, LABELS, X, bits, chunked, cluster

from fastnn.dask.cluster import levels_here, shared_level

pytest.importorskip("distributed")
pytestmark = [pytest.mark.filterwarnings(each) for each in IGNORED]
N_WORKERS = 2
SOON = {"distributed.scheduler.allowed-failures": 2, "distributed.comm.timeouts.connect": "3s"}


@pytest.fixture(scope="module")
def processes():
    import dask

    with dask.config.set(SOON), cluster(N_WORKERS, processes=True) as client:
        yield client


@pytest.fixture(scope="module")
def expected():
    with cluster(1) as client:
        return bits(estimator(client).fit(*chunked(X, LABELS)))


@pytest.mark.parametrize("fault", [*FAULTS, killed], ids=lambda fault: fault.__name__)
def test_a_fault(processes, expected, fault):
    model, data, error = fault(processes, np.random.default_rng(0))
    try:
        if error is None:
            assert bits(model.fit(*data)) == expected
        else:
            with pytest.raises(error[0], match=error[1]):
                model.fit(*data)
    finally:
        wait_until_well(processes, N_WORKERS)


def test_a_closed_scheduler_leaves_the_last_complete_round(expected):
    with cluster(2) as client:
        losses = []
        close = in_mid_round(lambda: client.cluster.close(timeout=5), epoch=3)

        def callback(model):
            losses.append(model.loss_)
            return close(model)

        model = estimator(client, callback).set_params(estimator__max_iter=10**6)
        with pytest.raises(ConnectionError, match=r"scheduler .* last complete round, number \d+"):
            model.fit(*chunked(X, LABELS))
        assert model.loss_curve_ == losses and model.n_rounds_ == len(losses) >= 3
        assert model.loss_curve_[:N_EPOCHS] == expected[2][: len(losses)]
        assert model.predict(X).shape == (len(X),)


def test_a_killed_scheduler_raises_before_the_first_round_too(tmp_path):
    from distributed import Client

    file = tmp_path / "scheduler.json"
    arguments = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", "0", "--no-dashboard"]
    process = subprocess.Popen(
        [*arguments, "--scheduler-file", str(file)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while not file.exists() or not file.read_text():
            time.sleep(0.1)
        with Client(scheduler_file=str(file), set_as_default=False, timeout=20) as client:
            threading.Timer(0.5, process.kill).start()
            model = estimator(client)
            with pytest.raises((ConnectionError, RuntimeError), match=r"scheduler|workers"):
                model.fit(*chunked(X, LABELS))
            assert not hasattr(model, "estimator_")
    finally:
        process.kill()
        process.wait()


def test_ctrl_c_keeps_the_last_round(expected):
    with cluster(2) as client:
        press = in_mid_round(lambda: os.kill(os.getpid(), signal.SIGINT), epoch=2)
        model = estimator(client, press).set_params(estimator__max_iter=10**6)
        with pytest.warns(UserWarning, match="interrupted by user"):
            model.fit(*chunked(X, LABELS))
        assert 2 <= len(model.loss_curve_) == model.n_rounds_
        assert model.loss_curve_[:2] == expected[2][:2]


def test_the_best_shared_instruction_set():
    assert shared_level({"a": ["x", "y", "z"], "b": ["y", "z"], "c": ["x", "y", "z"]}) == "y"
    with pytest.raises(RuntimeError, match="lacks an instruction set"):
        shared_level({"a": ["x"], "b": ["y"]})
    assert levels_here()


def test_a_worker_that_joins_without_the_instruction_set_is_given_no_rounds(expected):
    lesser = levels_here()[-1]
    if lesser == levels_here()[0]:
        pytest.skip("this CPU has one instruction set")
    started = []
    with cluster(1, protocol="tcp://") as client:

        def join(_):
            if not started:
                arguments = [sys.executable, "-m", "distributed.cli.dask_worker", client.scheduler.address]
                started.append(
                    subprocess.Popen(
                        [*arguments, "--no-nanny", "--no-dashboard"],
                        env=os.environ | {"FASTNN_ISA": lesser},
                        stderr=subprocess.DEVNULL,
                    )
                )
                client.wait_for_workers(2, timeout=30)
            return False

        try:
            model = estimator(client, join)
            with pytest.warns(UserWarning, match=f"is given no rounds: it lacks .* It has {lesser}"):
                model.fit(*chunked(X, LABELS))
            assert bits(model) == expected
        finally:
            for process in started:
                process.kill()
                process.wait()
