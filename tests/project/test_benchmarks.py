"""The benchmarks can be run, and time all that is listed: asv finds nothing wrong, and every program starts."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone

import fastnn
import fastnn.layers
from fastnn import ModularClassifier

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
PROGRAMS = sorted(path.stem for path in (BENCHMARKS / "programs").glob("*.py"))

pytestmark = pytest.mark.skipif(not BENCHMARKS.exists(), reason="the benchmarks are in the repository only")


def python(*arguments, folder):
    done = subprocess.run([sys.executable, *arguments], cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


def test_asv_can_run_them(tmp_path):
    pytest.importorskip("asv")
    config = str(BENCHMARKS / "asv.conf.json")
    python("-m", "asv", "check", "--python=same", f"--config={config}", folder=tmp_path)


@pytest.mark.parametrize("program", PROGRAMS)
def test_programs_find_what_they_need(program):
    python("-c", f"import {program}", folder=BENCHMARKS / "programs")


@pytest.fixture
def module(monkeypatch):
    """Imports a module of the benchmarks."""
    monkeypatch.syspath_prepend(BENCHMARKS.parent)
    before, path = set(sys.modules), list(sys.path)
    yield lambda name: importlib.import_module(f"benchmarks.{name}")
    sys.path[:] = path
    for name in set(sys.modules) - before:
        if Path(getattr(sys.modules[name], "__file__", None) or "").is_relative_to(BENCHMARKS):
            del sys.modules[name]


KINDS = sorted(set(fastnn.layers.__all__) - {"Layer"})


def test_every_layer_is_timed(module):
    assert sorted(module("layers").BY_NAME) == KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_a_layer_is_timed_beside_one_in_numpy_that_does_the_same(module, kind):
    layers = module("layers")
    numpys = layers._Numpy(layers.BY_NAME[kind], "float64", batch_size=4)
    try:
        ours = layers._Fastnn(layers.BY_NAME[kind], "float64", batch_size=4)
    except NotImplementedError as lacking:
        pytest.skip(str(lacking))
    if kind == "Dropout":  # the masks differ
        assert ours.forward().shape == numpys.forward().shape
        return
    before = numpys.forward()
    for work in ours, numpys:
        work.step()
    change = numpys.forward() - before
    np.testing.assert_allclose(ours.forward() - before, change, rtol=1e-9, atol=1e-9 * np.abs(change).max())


def test_whole_networks_are_timed(module):
    convnets = module("convnets")
    assert {"convnet", "lenet"} <= set(convnets.NETWORKS)
    for name in convnets.NETWORKS:
        assert convnets.made("fastnn", name)[0].ndim == 4
    with pytest.raises(NotImplementedError, match="dense layers only, convolutions with max pooling, or"):
        convnets.made("numpy", "lenet")


def test_whole_networks_over_sequences_are_timed(module):
    networks = module("recurrent_networks")
    assert {"gru", "lstm", "rnn", "bigru", "adding"} == set(networks.NETWORKS)
    assert {"vowels", "lengths", "reviews_conv", "reviews_gru"} == set(networks.OF_ANY_LENGTH)
    for name in "gru", "adding", "vowels":
        X, train, predict = networks.made("fastnn", name)
        train(1)
        assert len(predict(X)) == len(X)
        assert len(predict(X[:1])) == 1
    X, _, predict = networks.made("numpy", "gru")
    assert len(predict(X)) == networks.N_SAMPLES


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_modular_networks_are_timed_for_each_way_to_combine(module):
    modular = module("modular")
    assert {*modular.MODELS} > set(ModularClassifier._parameter_constraints["combine"][0].options)
    for name, model in modular.MODELS.items():
        benchmark = modular.Modular()
        X, y = modular.table(600)
        benchmark.X, benchmark.y, benchmark.model = X, y, clone(model).fit(X, y)
        for work in ("fit", "refit", "predict", "predict_one"):
            getattr(benchmark, f"time_{work}")(name)


def test_every_public_estimator_is_timed():
    sources = "".join(path.read_text() for path in BENCHMARKS.rglob("*.py"))
    estimators = [name for name in fastnn.__all__ if hasattr(getattr(fastnn, name), "fit")]
    assert len(estimators) > 5
    assert [name for name in estimators if not re.search(rf"\b{name}\b", sources)] == []
