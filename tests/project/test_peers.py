"""The programs that time fastnn beside other packages: their workloads fit together, and they run."""

import gzip
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
        output = (1, "linear") if workload.n_classes is None else (workload.n_classes, "softmax")
        assert workload.chain[-1][0] == workloads.Dense(*output), name
        assert all(length is None or length > 0 for _, shape in workload.chain for length in shape), name
        assert workload.flops(20) > 0, name


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


def test_arithmetic_of_sequences(module):
    """The state's part of a first recurrent layer has three products, and the input's two; an embedding has none."""
    workloads = module("workloads").WORKLOADS
    for name, n_products in ("rnn", 1), ("gru", 3), ("lstm", 4):
        assert workloads[name].flops() == 2 * (28 * n_products * 128 * (2 * 28 + 3 * 128) + 3 * 128 * 10)
    assert workloads["bigru"].flops() == 2 * (2 * 28 * 3 * 64 * (2 * 28 + 3 * 64) + 3 * 128 * 10)
    assert workloads["vowels"].flops(15.5) == 2 * (15.5 * 3 * 64 * (2 * 12 + 3 * 64) + 3 * 64 * 9)
    assert workloads["reviews_conv"].flops(20) == 2 * 3 * (20 * 5 * 100 * 100 + 100 * 2)
    assert [shape for _, shape in workloads["reviews_gru"].chain] == [
        (None,), (None, 100), (None, 128), (128,), (128,),
    ]  # fmt: skip


def test_a_layer_around_a_layer_is_built_with_it(module):
    workloads, built = module("workloads"), []

    class Package:
        GRU = staticmethod(lambda units, return_sequences: ("GRU", units, return_sequences))
        Bidirectional = staticmethod(lambda layer: built.append(layer) or "both")

    assert workloads.named_in(Package, workloads.Bidirectional(workloads.GRU(3))) == "both"
    assert built == [("GRU", 3, False)]


def test_every_peer_has_its_file(module):
    for name, (file, _) in module("measure").PEERS.items():
        assert (PEERS / f"{file}.py").exists(), name


def test_made_images_are_like_those_of_mnist(module):
    X, y, X_test, y_test = module("data").made_images(500, 100)
    assert X.shape == (500, 784) and X_test.shape == (100, 784) and X.dtype == np.uint8
    assert 0.15 < (X > 0).mean() < 0.23  # MNIST's: 0.19
    assert not X.reshape(-1, 28, 28)[:, :2].any()  # the border
    assert set(y) == set(y_test) == set(range(10))


def test_made_sequences_have_the_lengths_and_targets_that_they_should(module):
    data = module("data").DATA
    for name, lengths in ("vowels", (7, 29)), ("reviews", (1, 40)), ("lengths", (10, 999)):
        made = data[name](None)
        assert made.X.dtype == made.X_test.dtype == object and len(made.X) == len(made.y), name
        assert lengths[0] <= min(map(len, made.X)) <= max(map(len, made.X)) <= lengths[1], name
        assert set(made.y) == set(made.y_test) == set(range(made.y.max() + 1)), name
    assert 180 < np.mean([len(x) for x in made.X]) < 250  # of a uniform logarithm: 215
    made = data["adding"](None)
    X = made.X.reshape(-1, 200, 2)
    assert (X[:, :100, 1].sum(axis=1) == 1).all() and (X[:, 100:, 1].sum(axis=1) == 1).all()
    np.testing.assert_allclose(made.y, (X[:, :, 0] * X[:, :, 1]).sum(axis=1), rtol=1e-6)
    assert made.y.var() == pytest.approx(1 / 6, rel=0.05)


def test_sequences_are_read_from_files(module, tmp_path):
    (tmp_path / "JapaneseVowels_TRAIN.ts").write_text("# vowels\n@data\n1,2,3:4,5,6:b\n7,8:9,10:a\n\n")
    with gzip.open(tmp_path / "JapaneseVowels_TEST.ts.gz", "wt") as file:
        file.write("@data\n1:2:b\n")
    read = module("data").vowels(tmp_path)
    assert [x.tolist() for x in read.X] == [[[1, 4], [2, 5], [3, 6]], [[7, 9], [8, 10]]]
    assert [x.tolist() for x in read.X_test] == [[[1, 2]]] and read.X[0].dtype == np.float32
    assert read.y.tolist() == [1, 0] and read.y_test.tolist() == [1]


def test_reviews_are_read_from_files(module, tmp_path):
    (tmp_path / "rt-polarity.neg").write_text("a bad film\n" * 10, encoding="latin-1")
    (tmp_path / "rt-polarity.pos").write_text("a film of caf\xe9s\n" * 10, encoding="latin-1")
    X, y, X_test, y_test = module("sequences").read_reviews(tmp_path, n_words=3)
    assert len(X) == 18 and len(X_test) == len(y_test) == 2
    for tokens, label in zip(X + X_test, [*y, *y_test], strict=True):
        assert tokens.tolist() == ([1, 2, 0, 0] if label else [1, 0, 2])  # a, film; others are beyond three


def test_files_that_are_not_there(module, tmp_path):
    with pytest.raises(module("sequences").CommandError, match=r"no such file: rt-polarity\.neg, gzipped or not"):
        module("data").reviews(tmp_path)


def test_padding_is_before_sequences(module):
    padded = module("padding").padded([np.array([1, 2]), np.arange(5), np.array([7, 8, 9])], 3)
    assert padded.tolist() == [[0, 1, 2], [0, 1, 2], [7, 8, 9]]


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
    assert "numpy failed: the NumPy networks have dense layers only, convolutions with max pooling" in done.stderr
    assert done.stderr.endswith("compare.py: no peer could run this workload\n")


def test_a_package_that_is_not_installed(module, tmp_path):
    measure = module("measure")
    measure.PEERS["absent"] = "with_absent", {}
    with pytest.raises(measure.CannotRun, match="with_absent is not installed"):
        measure.measured(None, "absent", tmp_path, 0)
