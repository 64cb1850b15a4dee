"""`to_onnx`: what an exported model answers is what the model does, for models of every kind."""

import itertools
import subprocess
import sys
import warnings

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from onnx_models import IN_CELLS, random_mlp, random_model  # noqa: E402
from onnx_runs import compare, run  # noqa: E402

from fastnn import (  # noqa: E402
    MLPClassifier,
    MLPRegressor,
    ModularClassifier,
    ModularRegressor,
    Perceptron,
    SequentialClassifier,
    SequentialRegressor,
    layers,
)
from fastnn.engine.activation import activation_names  # noqa: E402
from fastnn.export import to_onnx  # noqa: E402
from fastnn.export.onnx.activations import ACTIVATIONS, OF_CELLS  # noqa: E402
from fastnn.export.onnx.layers import LAYERS  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

TOLERANCE = {"float32": 1e-5, "float64": 1e-12}
OF_MLPS = {"float32": 1e-6, "float64": 1e-12}
rng = np.random.default_rng(0)
X = rng.normal(size=(60, 8))
Y = rng.integers(0, 4, 60)
NAMES = np.array(["a", "b", "c", "d"])[Y]


def exported(model, **settings):
    """The exported model, and whether a warning says that onnxruntime cannot run it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        made = to_onnx(model, **settings)
    assert all("onnxruntime lacks the operators" in str(each.message) for each in caught)
    return made, bool(caught)


def check(model, X, tolerance, **settings):
    made, warned = exported(model, **settings)
    difference, n_wrong, by_onnxruntime = compare(model, X, made)
    assert difference <= tolerance, model
    assert n_wrong == 0, model
    assert by_onnxruntime != warned, model


def test_every_layer_has_a_row():
    assert {getattr(layers, name) for name in layers.__all__ if name != "Layer"} == LAYERS.keys() - {type(None)}


def test_every_activation_has_its_operators():
    assert list(ACTIVATIONS) == list(activation_names)
    assert {*IN_CELLS} == OF_CELLS.keys()


def has_slope_of_float32(model):
    """Whether a cell has an activation whose slope, 0.01, ONNX has in float32 only."""
    return "leaky_relu" in str(getattr(model, "layers", ""))


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("first_seed", range(0, 80, 20))
def test_random_networks(first_seed, dtype):
    """tests/soak/exports.py compares thousands."""
    for seed in range(first_seed, first_seed + 20):
        model, samples = random_model(np.random.default_rng(seed), np.dtype(dtype))
        check(model, samples, max(TOLERANCE[dtype], 1e-8 if has_slope_of_float32(model) else 0))


@pytest.mark.parametrize("dtype", OF_MLPS)
def test_random_mlps(dtype):
    for seed in range(60):
        check(*random_mlp(np.random.default_rng(seed), np.dtype(dtype)), OF_MLPS[dtype])


@pytest.mark.parametrize("cell", [layers.SimpleRNN, layers.GRU, layers.LSTM])
def test_every_activation_of_cells(cell):
    # Small and short: with such gates a state may grow from step to step, and onnxruntime's softplus of 89 is infinite.
    sequences = [np.random.default_rng(n).normal(scale=0.3, size=(n, 2)) for n in (1, 2, 4)]
    gates = ["logistic"] if cell is layers.SimpleRNN else ["logistic", "elu"]
    for activation, gate in itertools.product(OF_CELLS, gates):
        its = {} if cell is layers.SimpleRNN else {"recurrent_activation": gate}
        for wrapped in cell(3, activation, **its), layers.Bidirectional(cell(3, activation, **its)):
            model = SequentialRegressor([wrapped], max_iter=1, dtype="float32", random_state=0)
            check(model.fit(sequences, [0, 1, 2]), sequences, 1e-5)


TARGETS = {
    "binary": Y > 1,
    "one class": Y * 0,
    "multiclass": Y,
    "strings": NAMES,
    "objects": NAMES.astype(object),
    "bytes": Y.astype(np.uint8),
    "multilabel": np.stack([Y > 0, Y > 2, Y > 1], axis=1).astype(int),
    "columns": np.stack([Y, Y % 2 + 5], axis=1),
    "columns of strings": np.stack([NAMES, np.where(Y > 1, "long", "s")], axis=1),
}


@pytest.mark.parametrize("dtype", OF_MLPS)
@pytest.mark.parametrize("targets", TARGETS)
def test_fitted_classifiers(targets, dtype):
    y = TARGETS[targets]
    model = MLPClassifier((6, 5), max_iter=3, dtype=dtype, random_state=0).fit(X, y)
    check(model, X.astype(dtype), OF_MLPS[dtype])
    made, _ = exported(model, labels=False)
    assert all(each.name.startswith("probabilities") for each in made.graph.output)
    label = exported(model)[0].graph.output[0]
    assert label.name == "label"
    assert len(label.type.tensor_type.shape.dim) == np.ndim(y)


@pytest.mark.parametrize("y", [NAMES, NAMES == "a", Y], ids=["strings", "binary", "numbers"])
@pytest.mark.parametrize("sparse", [False, True])
def test_perceptrons(y, sparse):
    model = Perceptron().fit(X, y)
    check(model.sparsify() if sparse else model, X, 1e-12)


def of_steps(numbers):
    return [each if numbers else each > 0 for each in (rng.normal(size=n) for n in (2, 5, 3) * 5)]


@pytest.mark.parametrize("cls", [SequentialClassifier, SequentialRegressor])
@pytest.mark.parametrize(
    "chosen",
    [
        [layers.GRU(4, return_sequences=True)],
        [layers.Conv1D(4, 2, padding="same", strides=2), layers.LSTM(3, return_sequences=True)],
        [layers.Masking(5.0), layers.Bidirectional(layers.SimpleRNN(3, return_sequences=True), "mul")],
    ],
    ids=["gru", "conv", "masking"],
)
def test_targets_of_steps(cls, chosen):
    lengths = (2, 5, 3) * 5
    sequences = [rng.normal(size=(n, 2)).astype(np.float32) for n in lengths]
    made = [(n + 1) // 2 if isinstance(chosen[0], layers.Conv1D) else n for n in lengths]
    y = [rng.normal(size=n) if cls is SequentialRegressor else rng.integers(0, 3, n) for n in made]
    model = cls(chosen, max_iter=2, random_state=0).fit(sequences, y)
    check(model, sequences, 1e-5)
    assert [each.name for each in exported(model)[0].graph.output][-1] == "n_steps"


# -- modular networks --------------------------------------------------------------------------------------------------


def net(cls=MLPClassifier, **settings):
    return cls(hidden_layer_sizes=(5,), max_iter=3, random_state=0, **settings)


OF_LAYERS = SequentialClassifier(
    [layers.Conv1D(3, 3), layers.Flatten()], input_shape=(8, 1), max_iter=2, dtype="float32"
)
MODULES = [("a", net(), slice(0, 4)), ("b", net(dtype="float32"), [5, 1, 7]), ("c", OF_LAYERS, slice(None))]
NUMBERS = [("a", net(MLPRegressor), slice(None)), ("b", net(MLPRegressor, dtype="float32"), [1, 2])]
PERCEPTRON = ("p", Perceptron(max_iter=5), slice(0, 4))
MODULAR = {
    "mean": (ModularClassifier(MODULES), NAMES),
    "weights": (ModularClassifier(MODULES, weights=[1, 0.5, 2]), NAMES),
    "product": (ModularClassifier(MODULES, combine="product", weights=[1, 0.5, 2]), NAMES),
    "functions": (
        ModularClassifier(
            [("p", net(), slice(0, 4)), ("q", net(), slice(None))],
            combine="product",
            targets={"p": lambda y: y // 2, "q": lambda y: y % 2},
        ),
        Y,
    ),
    "binary": (ModularClassifier(MODULES), Y > 1),
    "combined": (ModularClassifier([PERCEPTRON, *MODULES], combine=net(), cv=2, passthrough=True), NAMES),
    "two columns": (
        ModularClassifier(MODULES[:2], combine=net(), cv=2, targets={"b": 0}),
        np.stack([Y, Y % 2], axis=1),
    ),
    "labels": (ModularClassifier(MODULES[:2], combine=net(), cv=2), TARGETS["multilabel"]),
    "numbers": (ModularRegressor(NUMBERS), X[:, 0]),
    "columns of numbers": (ModularRegressor(NUMBERS, weights=[1, 3]), X[:, :2]),
    "of numbers and classes": (
        ModularRegressor(
            [*NUMBERS, ("c", net(), [0, 1])], combine=net(MLPRegressor), targets={"c": lambda y: y > 0}, cv=2
        ),
        X[:, 0],
    ),
}


@pytest.mark.filterwarnings("ignore:onnxruntime lacks")
@pytest.mark.parametrize("name", MODULAR)
def test_modular_networks(name):
    model, y = MODULAR[name]
    difference, n_wrong, _ = compare(model.fit(X, y), X, to_onnx(model))
    assert difference <= 1e-6
    assert n_wrong == 0


@pytest.mark.parametrize("combine", ["vote", Perceptron(max_iter=5)], ids=["vote", "perceptron"])
def test_modular_networks_that_answer_labels_only(combine):
    model = ModularClassifier([PERCEPTRON, ("q", net(), slice(None))], combine=combine, cv=2).fit(X, NAMES)
    got, _ = run(to_onnx(model), {"X": X})
    assert (got["label"] == model.predict(X)).all()


def test_modules_over_sequences():
    sequences = [rng.normal(size=(n, 2)).astype(np.float32) for n in rng.integers(3, 9, 60)]
    modules = [
        (cell.__name__, SequentialClassifier([cell(4)], max_iter=2), slice(None)) for cell in (layers.GRU, layers.LSTM)
    ]
    check(ModularClassifier(modules).fit(sequences, NAMES), sequences, 1e-5)


def test_a_module_that_met_fewer_classes():
    """The folds of a rare class, say: its probability is 0."""
    model = ModularClassifier([("a", net(), slice(None)), ("b", net(), [1])]).fit(X, NAMES)
    without = NAMES != "d"
    model.refit("b", X[without], NAMES[without])
    check(model, X, 1e-12)


# -- the file ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def model():
    return MLPClassifier((6,), max_iter=2, random_state=0).fit(X, NAMES)


def test_file(model, tmp_path):
    made = to_onnx(model, tmp_path / "model.onnx")
    assert onnx.load(tmp_path / "model.onnx") == made
    assert [each.name for each in made.graph.input] == ["X"]
    dims = made.graph.input[0].type.tensor_type.shape.dim
    assert (dims[0].dim_param, dims[1].dim_value) == ("n", 8)
    assert (made.opset_import[0].version, made.producer_name) == (18, "fastnn")
    to_onnx(model, tmp_path / "again.onnx")
    assert (tmp_path / "again.onnx").read_bytes() == (tmp_path / "model.onnx").read_bytes()


def test_a_failed_write_leaves_the_old_file(model, tmp_path, monkeypatch):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"old")
    monkeypatch.setattr("os.fsync", lambda number: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        to_onnx(model, path)
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["model.onnx"]
    with pytest.raises(FileNotFoundError, match="no such folder"):
        to_onnx(model, tmp_path / "lacking" / "model.onnx")


def test_number_of_samples(model):
    made = to_onnx(model, batch=3)
    assert made.graph.input[0].type.tensor_type.shape.dim[0].dim_value == 3
    assert made.graph.output[1].type.tensor_type.shape.dim[0].dim_value == 3
    assert to_onnx(model, batch="rows").graph.input[0].type.tensor_type.shape.dim[0].dim_param == "rows"


def test_opsets():
    """All that this onnx knows; onnxruntime may know fewer."""
    chosen = [layers.Conv1D(3, 2), layers.LayerNormalization(), layers.GRU(3), layers.Dense(3, "gelu")]
    model = SequentialClassifier(chosen, input_shape=(8, 1), max_iter=1, dtype="float32").fit(X, Y)
    for opset in range(18, onnx.defs.onnx_opset_version() + 1):
        made = to_onnx(model, opset=opset)
        assert made.opset_import[0].version == opset
        onnx.checker.check_model(made, full_check=True)


def test_another_type(model):
    made = to_onnx(model, dtype="float32")
    got, _ = run(made, {"X": X.astype(np.float32)})
    assert got["probabilities"].dtype == np.float32
    np.testing.assert_allclose(got["probabilities"], model.predict_proba(X), atol=1e-6)


def test_the_warning_names_the_operators():
    model = SequentialRegressor([layers.Conv1D(3, 2), layers.GRU(3)], input_shape=(8, 1), max_iter=1).fit(X, Y)
    with pytest.warns(UserWarning, match="lacks the operators Conv, GRU of float64") as caught:
        to_onnx(model)
    assert caught[0].filename == __file__
    check(model, X, 1e-5, dtype="float32")


def test_parameters_that_were_set_since_the_fit(model):
    expected = model.predict_proba(X)
    model.set_params(hidden_layer_sizes=(9, 9), activation="tanh")
    got, _ = run(to_onnx(model), {"X": X})
    np.testing.assert_allclose(got["probabilities"], expected, atol=1e-12)


def test_windows_over_steps():
    """With truncate_steps, a network reads sequences of any length."""
    X, y = rng.normal(size=(20, 6, 2)), rng.normal(size=(20, 6))
    model = SequentialRegressor([layers.GRU(3, return_sequences=True)], truncate_steps=3, max_iter=1).fit(X, y)
    made, _ = exported(model)
    assert [each.name for each in made.graph.input] == ["X", "lengths"]
    check(model, list(X), 1e-12)


def test_nothing_is_imported_before_it_is_needed():
    code = """
import sys
import fastnn.export
fastnn.export.to_onnx, fastnn.export.from_onnx, fastnn.export.from_torch, fastnn.export.from_keras
fastnn.export.register_skl2onnx
print(sorted(sys.modules.keys() & {"onnx", "onnxruntime", "skl2onnx", "torch", "keras"}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
