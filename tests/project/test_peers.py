"""The programs that time fastnn beside other packages: their workloads fit together, and they run."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

PEERS = Path(__file__).parents[2] / "benchmarks" / "peers"

pytestmark = pytest.mark.skipif(not PEERS.exists(), reason="the benchmarks are in the repository only")


@pytest.fixture
def module(monkeypatch):
    """Imports a module of the folder; other tests may have modules of the same name."""
    monkeypatch.syspath_prepend(PEERS)
    before = set(sys.modules)
    yield importlib.import_module
    for name in set(sys.modules) - before:
        if Path(getattr(sys.modules[name], "__file__", None) or "").parent == PEERS:
            del sys.modules[name]


def test_workloads_are_well_formed(module):
    workloads, data = module("workloads"), module("data")
    for name, workload in workloads.WORKLOADS.items():
        assert workload.data in data.DATA, name
        assert workload.solver in ("rmsprop", "adam"), name
        assert workload.batch_size > 0 and workload.epochs_at_once > 0, name
        assert workload.chain[-1][0] == workloads.Dense(workload.n_classes, "softmax"), name
        assert all(length > 0 for _, shape in workload.chain for length in shape), name
        assert workload.flops() > 0, name


def test_shapes_and_arithmetic(module):
    workloads = module("workloads").WORKLOADS
    assert workloads["reference"].sizes == (784, 512, 256, 10)
    assert workloads["reference"].flops() == 2 * (2 * 784 * 512 + 3 * 512 * 256 + 3 * 256 * 10)
    assert workloads["convnet"].sizes is None
    assert [shape for _, shape in workloads["convnet"].chain] == [
        (28, 28, 1), (26, 26, 32), (13, 13, 32), (11, 11, 64), (5, 5, 64), (5, 5, 64),
    ]  # fmt: skip
    forward = [26 * 26 * 32 * 9, 11 * 11 * 64 * 9 * 32, 1600 * 10]
    assert workloads["convnet"].flops() == 2 * (3 * sum(forward) - forward[0])
    assert [shape for _, shape in workloads["lenet"].chain] == [
        (28, 28, 1), (28, 28, 6), (14, 14, 6), (10, 10, 16), (5, 5, 16), (120,), (84,),
    ]  # fmt: skip


def test_every_peer_has_its_file(module):
    for name, (file, _) in module("measure").PEERS.items():
        assert (PEERS / f"{file}.py").exists(), name


def test_made_images_are_like_those_of_mnist(module):
    X, y, X_test, y_test = module("data").made_images(500, 100)
    assert X.shape == (500, 784) and X_test.shape == (100, 784) and X.dtype == np.uint8
    assert 0.15 < (X > 0).mean() < 0.23  # MNIST's: 0.19
    assert not X.reshape(-1, 28, 28)[:, :2].any()  # the border
    assert set(y) == set(y_test) == set(range(10))


def compared(*arguments):
    command = [sys.executable, str(PEERS / "compare.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def test_fastnn_beside_scikit_learn():
    done = compared("digits", "fastnn", "sklearn", "--samples=400", "--rounds=1")
    assert done.returncode == 0, done.stderr
    time, ratio = r"[\d.]+ (s|ms|µs)", r" \([\d.]+ x\)"
    assert re.search(rf"^fastnn +\S+ +({time} +){{3}}[01]\.\d+ ", done.stdout, re.M), done.stdout
    assert re.search(rf"^sklearn +\S+ +({time}{ratio} +){{3}}[01]\.\d+ ", done.stdout, re.M), done.stdout


def test_a_peer_that_cannot_run_is_left_out():
    done = compared("lenet", "numpy", "sklearn", "--samples=100", "--rounds=1")
    assert done.returncode == 1
    assert "numpy failed: the NumPy networks have dense layers only, or convolutions with max pooling" in done.stderr
    assert done.stderr.endswith("compare.py: no peer could run this workload\n")


def test_a_package_that_is_not_installed(module, tmp_path):
    measure = module("measure")
    measure.PEERS["absent"] = "with_absent", {}
    with pytest.raises(measure.CannotRun, match="with_absent is not installed"):
        measure.measured(None, "absent", tmp_path, 0)
