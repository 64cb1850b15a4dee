"""What training came to, bit for bit, when it was last recorded: a table of fits, and a digest of each one's results.

The digests are in recorded_bits.json, by machine and compiler, fit and instruction set. A change that is to leave the
numbers alone leaves them alone; one that is not records them anew, which the commit then shows:

    python tests/support/recorded_bits.py --record
"""

import argparse
import hashlib
import json
import os
import platform
import warnings
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from processes import run_python
from sklearn.base import is_classifier

from fastnn import MLPClassifier, MLPRegressor, Perceptron, SequentialClassifier, SequentialRegressor
from fastnn.data.ragged import as_objects
from fastnn.engine import isa
from fastnn.engine.activation import activation_names
from fastnn.engine.threads import team
from fastnn.estimators.regressor import LOSSES
from fastnn.layers import (
    GRU,
    LSTM,
    Activation,
    AveragePooling1D,
    AveragePooling2D,
    BatchNormalization,
    Bidirectional,
    Conv1D,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling1D,
    GlobalMaxPooling1D,
    LayerNormalization,
    MaxPooling1D,
    MaxPooling2D,
    Rescaling,
    SimpleRNN,
)

RECORD = Path(__file__).with_suffix(".json")
N_THREADS = 1, 2, 3
PATIENCE = 600.0  # seconds, for all fits in one process: they take some 5, many times as long on a busy machine

# -- data: whole numbers, and such by powers of two, which every type holds exactly and no library computes -----------


def integers(shape, low, high, seed=0):
    return np.random.RandomState(seed).randint(low, high, shape, dtype=np.int64)


def dense(n_samples=150, n_features=29, dtype="float32"):
    return (integers((n_samples, n_features), -32, 33) / 32).astype(dtype)


def bytes_(n_samples=150, n_features=29):
    return integers((n_samples, n_features), 0, 4).astype(np.uint8)


def images(n_samples=150, n_features=64, dtype="float32"):
    """Columns of zeros, as an image's margin, and others that are zero in whole tiles of samples."""
    X = dense(n_samples, n_features, dtype)
    X[:, :9] = X[: n_samples // 3, 20:31] = X[-40:, 40:] = 0
    return X


def signals(*shape, n_samples=150, dtype="float32"):
    """Sequences (steps, channels), or maps (height, width, channels)."""
    if dtype == "uint8":
        return integers((n_samples, *shape), 0, 256).astype(dtype)
    return (integers((n_samples, *shape), -32, 33) / 32).astype(dtype)


def ragged(n_channels=3, n_samples=150, dtype="float32"):
    """Sequences of 2 to 13 steps."""
    values = signals(13, n_channels, n_samples=n_samples, dtype=dtype)
    return as_objects([each[:n] for each, n in zip(values, integers(n_samples, 2, 14, seed=3), strict=True)])


def sparse(n_samples=150, n_features=29, dtype="float32", indices="int32"):
    shape = n_samples, n_features
    X = sp.csr_matrix((integers(shape, -32, 33) / 32 * (integers(shape, 0, 5, seed=1) == 0)).astype(dtype))
    X.indices, X.indptr = X.indices.astype(indices), X.indptr.astype(indices)
    return X


def targets(X, kind):
    """Classes (kind is how many), an indicator matrix, columns of classes, numbers, or counts."""
    if X.dtype == object:
        return targets_of_sequences(X, kind)
    X = np.asarray(X.todense()) if sp.issparse(X) else X.reshape(len(X), -1)
    score = np.rint(32 * X.sum(axis=1, dtype=np.float64)).astype(np.int64)
    if kind == 2:
        return (score > np.sort(score)[len(score) // 2]).astype(int)
    if isinstance(kind, int):
        return score % kind
    parity, thirds = score % 2, (score % 3 == 0).astype(int)
    return {
        "labels": lambda: np.stack([parity, thirds, score > 0, score % 5 == 0], axis=1).astype(int),
        "columns": lambda: np.stack([score % 3, parity, score % 4], axis=1),
        "numbers": lambda: (score / 64).astype(X.dtype),
        "three numbers": lambda: np.stack([score / 64, parity / 2, thirds - 0.5], axis=1).astype(X.dtype),
        "counts": lambda: np.abs(score) % 5,
    }[kind]()


def targets_of_sequences(X, kind):
    """Of a class of each step, the first channel in thirds, or of a number or a class of each sequence."""
    if kind == "steps":
        return as_objects([(np.rint(32 * each[:, 0]).astype(np.int64) + 32) // 22 for each in X])
    return targets(np.stack([each[:2].sum(axis=1) for each in X]), kind)


class Problem(NamedTuple):
    X: object
    y: np.ndarray

    @property
    def weights(self):
        return integers(len(self.y), 0, 9, seed=2) / 4


@cache
def problem(kind=3, X=dense, *arguments, **settings):
    samples = X(*arguments, **settings)
    return Problem(samples, targets(samples, kind))


# -- ways to train ----------------------------------------------------------------------------------------------------


def fit(model, p):
    model.fit(p.X, p.y)


def weighted(model, p):
    model.fit(p.X, p.y, sample_weight=p.weights)


def watched(model, p):
    model.fit(p.X, p.y, X_val=p.X[:70], y_val=p.y[:70])


def twice(model, p):
    model.set_params(warm_start=True).fit(p.X, p.y).fit(p.X, p.y)


def in_parts(model, p):
    """With a part of its own size in each call, the last of one sample."""
    classes = {"classes": np.unique(p.y)} if is_classifier(model) else {}
    for part in (slice(0, 64), slice(64, 149), slice(149, 150)):
        model.partial_fit(p.X[part], p.y[part], sample_weight=p.weights[part], **classes)


def otherwise(model, p):
    """With one optimizer, then another, and with weights set between."""
    model.set_params(warm_start=True).fit(p.X, p.y)
    model.coefs_ = [coef / 2 for coef in model.coefs_]
    model.fit(p.X, p.y)
    model.set_params(solver="rmsprop", batch_size=30).fit(p.X, p.y)


def from_given(model, p):
    shape = (len(np.unique(p.y)), p.X.shape[1])
    model.fit(p.X, p.y, integers(shape, -4, 5) / 8, integers(shape[0], -4, 5) / 8, sample_weight=p.weights)


# -- the fits ---------------------------------------------------------------------------------------------------------


class Case(NamedTuple):
    estimator: type
    settings: dict
    problem: Problem
    train: object
    exact: bool  # else what another library computes in the middle of it may come out otherwise with its next version


CASES = {}
SHORT = {"batch_size": 64, "max_iter": 2, "learning_rate_init": 0.01, "random_state": 0}
NETWORK = {"hidden_layer_sizes": (50, 33)}
BY_ROWS = {"hidden_layer_sizes": (12,), "batch_size": 100}
# Too many weights in the last layers for a thread to take its rows through them by itself.
WIDE = {"hidden_layer_sizes": (300, 200), "batch_size": 40}


def add(estimator, name, problem, train=fit, exact=True, **settings):
    if estimator is not Perceptron:
        settings = {**({} if "layers" in settings else NETWORK), **SHORT, **settings}
    name = f"{estimator.__name__}: {name}"
    assert name not in CASES
    CASES[name] = Case(estimator, settings, problem, train, exact)


classifier, regressor, perceptron, sequential_classifier, sequential_regressor = (
    partial(add, estimator)
    for estimator in (MLPClassifier, MLPRegressor, Perceptron, SequentialClassifier, SequentialRegressor)
)

SOLVERS = {
    "sgd": {"solver": "sgd", "momentum": 0},
    "momentum": {"solver": "sgd", "nesterovs_momentum": False},
    "nesterov": {"solver": "sgd"},
    **{name: {"solver": name} for name in ("rmsprop", "adam", "adamw", "adagrad")},
}
STEPS = {
    "dropout": {"dropout": (0.25, 0.5)},
    "dropout and clip_norm": {"dropout": (0.5, 0.0), "clip_norm": 0.25},
    "weight_decay": {"weight_decay": 0.5, "alpha": 0.125},
    "clip_norm": {"clip_norm": 0.25, "alpha": 0.125, "weight_decay": 0.5},
}
for dtype in ("float32", "float64"):
    classes, numbers = problem(dtype=dtype), problem("numbers", dtype=dtype)
    for name, sizes in {"no hidden layer": (), "by rows": (12,), "deep": (40, 30, 20, 10)}.items():
        classifier(f"{name}, {dtype}", classes, hidden_layer_sizes=sizes)
        regressor(f"{name}, {dtype}", problem("three numbers", dtype=dtype), hidden_layer_sizes=sizes)
    classifier(f"64-100-10, {dtype}", problem(10, images, dtype=dtype), hidden_layer_sizes=(100,))
    classifier(f"wide, {dtype}", problem(7, images, 90, 200, dtype), **WIDE)
    regressor(f"wide, {dtype}", problem("numbers", dense, 90, 200, dtype), **WIDE)
    for name, sizes in {"wide, ": (300, 200), "by rows, ": (12,), "": (50, 33)}.items():
        classifier(f"{name}batches of 256, {dtype}", problem(3, images, 300, 64, dtype), weighted, batch_size=256,
                   hidden_layer_sizes=sizes)  # fmt: skip
    regressor(f"wide output, {dtype}", problem("three numbers", dense, 90, 9, dtype), quantile=[0.25, 0.5, 0.75],
              loss="quantile", hidden_layer_sizes=(9, 4000), batch_size=30)  # fmt: skip
    for n in (1, 2, 7, 8, 15, 16, 17, 31, 32, 33, 65):  # around the tiles
        classifier(f"sizes around {n}, {dtype}", problem(2 + n % 5, dense, 2 * n + 25, n, dtype),
                   hidden_layer_sizes=(n + 1, n), batch_size=n)  # fmt: skip
    for name, solver in SOLVERS.items():
        classifier(f"{name}, {dtype}", classes, **solver)
        regressor(f"{name}, {dtype}", numbers, **solver)
    for name in activation_names:
        classifier(f"activation {name}, {dtype}", classes, activation=name)
        if name != "identity":
            regressor(f"output_activation {name}, {dtype}", numbers, output_activation=name, **BY_ROWS)
    for loss in LOSSES:
        kind = "counts" if loss == "poisson" else "three numbers"
        regressor(f"{loss}, {dtype}", problem(kind, dtype=dtype), loss=loss, quantile=0.25, huber_delta=0.5)
        regressor(f"{loss}, weighted, {dtype}", problem(kind, dtype=dtype), weighted, loss=loss, quantile=[0.25, 0.5])
    for kind in (2, 3, "labels", "columns"):
        what = f"{kind} classes" if isinstance(kind, int) else kind
        classifier(f"{what}, {dtype}", problem(kind, dtype=dtype), weighted, label_smoothing=0.125)
        classifier(f"{what} by rows, {dtype}", problem(kind, dtype=dtype), **BY_ROWS)
    for method in (twice, in_parts, otherwise):
        classifier(f"{method.__name__}, {dtype}", classes, method)
        regressor(f"{method.__name__}, {dtype}", numbers, method, loss="huber")

for name, solver in SOLVERS.items():
    classifier(f"wide, {name}", problem(7, images, 90, 200), **WIDE, **solver)
    for what, change in STEPS.items():
        for dtype in ("float32", "float64"):
            classifier(f"{name}, {what}, {dtype}", problem(dtype=dtype), **solver, **change)
        if name in ("nesterov", "adam"):
            classifier(f"wide, {name}, {what}", problem(7, images, 90, 200), **WIDE, **solver, **change)
            classifier(f"by rows, {name}, {what}", problem(), twice, **solver,
                       **BY_ROWS | change | ({"dropout": 0.25} if "dropout" in what else {}))  # fmt: skip
classifier("activations of its own for each layer", problem(10), hidden_layer_sizes=(40, 30, 20),
           activation=["gelu", "tanh", "silu"])  # fmt: skip
classifier("dropout before activations that keep their input", problem(10), hidden_layer_sizes=(40, 30, 20),
           activation=["gelu", "relu", "silu"], dropout=[0.5, 0.25, 0.125])  # fmt: skip
for kind, weights in {2: {1: 2.5}, 3: {0: 0.5, 2: 4}, "columns": [{0: 2}, None, {3: 0.25}]}.items():
    classifier(f"class_weight, {kind}", problem(kind), weighted, class_weight=weights)

for name, X in {
    "uint8": partial(problem, 3, bytes_),
    **{kind: partial(problem, 3, dense, dtype=kind) for kind in ("int8", "int32", "int64", "float16")},
    "wide uint8": partial(problem, 3, bytes_, 90, 200),
    "sparse float32": partial(problem, 3, sparse),
    "sparse float64, 64-bit indices": partial(problem, 3, sparse, dtype="float64", indices="int64"),
    "wide sparse": partial(problem, 3, sparse, 90, 200),
}.items():
    classifier(f"X of {name}", X(), **(WIDE if "wide" in name else {}))
    classifier(f"X of {name}, clip_norm", X(), clip_norm=0.25, hidden_layer_sizes=(60,))
p = problem(dtype="float64")
classifier("X in columns", Problem(np.asfortranarray(p.X), p.y))
classifier("X of every second row and column", Problem(dense(300, 58)[::2, ::2], p.y))
classifier("float64 to float32", p, dtype="float32")
classifier("float32 to float64", problem(), dtype="float64")

classifier("invscaling", problem(), learning_rate="invscaling", max_iter=4)
classifier("adaptive", problem(), learning_rate="adaptive", max_iter=9, tol=0.5, n_iter_no_change=1)
classifier("a function of the epoch", problem(), learning_rate=lambda epoch: 2.0 ** -(5 + epoch), max_iter=3)
classifier("warm-up", problem(), warmup_fraction=0.75, max_iter=4)
classifier("not shuffled", problem(), shuffle=False)
classifier("early_stopping", problem(2), early_stopping=True, max_iter=12, n_iter_no_change=2)
classifier("early_stopping, twice", problem(), twice, early_stopping=True, max_iter=3)
classifier("early_stopping, columns", problem("columns"), weighted, early_stopping=True, scoring="loss", max_iter=4)
regressor("early_stopping", problem("numbers"), early_stopping=True, scoring="loss", max_iter=4, tol=0)
classifier("X_val", problem("labels"), watched, class_weight=[{1: 2}, None, {0: 0.5}, None])
regressor("X_val", problem("three numbers"), watched, loss="quantile", quantile=[0.25, 0.75], scoring="loss")

# NumPy's cosine, and SciPy's line search and its BLAS, may round otherwise elsewhere.
for name in ("cosine", "one_cycle"):
    classifier(name, p, exact=False, learning_rate=name, max_iter=4)
for name, chosen in {
    "one batch": problem(dtype="float64"),
    "two batches": problem(3, dense, 300, 29, "float64"),
}.items():
    classifier(f"lbfgs, {name}", chosen, exact=False, solver="lbfgs", max_iter=4, alpha=0.125)
regressor(
    "lbfgs", problem("counts", dtype="float64"), weighted, exact=False, solver="lbfgs", max_iter=4, loss="poisson"
)

for name, make in {
    "float32": dense,
    "float64": partial(dense, dtype="float64"),
    "sparse float32": sparse,
    "sparse float64": partial(sparse, dtype="float64", indices="int64"),
}.items():
    several, two = problem(6, make), problem(2, make)
    for penalty in (None, "l2", "l1", "elasticnet"):
        perceptron(f"{penalty}, {name}", several, penalty=penalty, alpha=2.0**-10, max_iter=6)
        perceptron(f"{penalty}, average, {name}", two, penalty=penalty, alpha=2.0**-10, average=200, max_iter=6)
    perceptron(f"average, {name}", several, weighted, average=True, class_weight={0: 2, 3: 0.5}, max_iter=4)
    perceptron(f"early_stopping, {name}", several, early_stopping=True, eta0=0.5)
    perceptron(f"in parts, {name}", several, in_parts, average=True)
    perceptron(f"twice, {name}", two, twice, fit_intercept=False, max_iter=3)
    perceptron(f"from given weights, {name}", several, from_given, shuffle=False, max_iter=3)

# In convolutions with 21 and 9 filters, tiles of every instruction set are cut; where 64 samples are cut into parts,
# too. Positions are odd in number, so that pooling leaves some out.
for dtype in ("float32", "float64"):
    maps, steps = (partial(signals, *shape, dtype=dtype) for shape in ((11, 9, 2), (13, 3)))
    for name, layers in {
        "Conv2D, pooling and Dropout": [
            Conv2D(21, 3, padding="same"), MaxPooling2D(), Dropout(0.25), Conv2D(9, (2, 3), strides=(1, 2)),
            Dropout(0.5), Flatten(), Dense(12),
        ],
        "Conv2D, depthwise and pointwise": [
            Conv2D(6, 3, groups=2, padding="same", activation=None), Conv2D(21, 1, use_bias=False), MaxPooling2D(3),
        ],
        "AveragePooling2D": [Conv2D(9, 3, activation="tanh"), AveragePooling2D((2, 3), strides=(2, 1))],
        "BatchNormalization of maps": [
            Conv2D(21, 3), BatchNormalization(momentum=0.5), MaxPooling2D(), Conv2D(9, 2), BatchNormalization(),
            Activation("silu"), Dropout(0.25),
        ],
        "BatchNormalization after sums": [
            Conv2D(21, 3, activation=None, use_bias=False), BatchNormalization(momentum=0.5), Activation("relu"),
            MaxPooling2D(), Dense(12, None), BatchNormalization(momentum=0.5), Activation("relu"),
        ],
        "LayerNormalization of maps": [Conv2D(21, 3, activation=None), LayerNormalization(), Activation("gelu")],
    }.items():  # fmt: skip
        sequential_classifier(f"{name}, {dtype}", problem(3, maps), weighted, layers=layers, clip_norm=1.0)
    for name, layers in {
        "Conv1D, same": [
            Conv1D(21, 3, padding="same", strides=2), Conv1D(9, 2, dilation_rate=2, padding="same"),
            GlobalAveragePooling1D(),
        ],
        "Conv1D, causal": [
            Conv1D(21, 3, padding="causal"), MaxPooling1D(2, strides=1), Conv1D(9, 3, padding="causal", groups=3),
            GlobalMaxPooling1D(),
        ],
        "AveragePooling1D": [Dense(9), AveragePooling1D(3), Flatten(), Dropout(0.25)],
        "normalization of vectors": [
            BatchNormalization(), Flatten(), Dense(50), LayerNormalization(), Dense(33), BatchNormalization(),
        ],
    }.items():  # fmt: skip
        sequential_regressor(f"{name}, {dtype}", problem("three numbers", steps), layers=layers, alpha=0.125)
    sequential_classifier(f"Rescaling of uint8, {dtype}", problem(10, signals, 11, 9, 1, dtype="uint8"), dtype=dtype,
                          layers=[Rescaling(1 / 256, -0.5), Conv2D(9, 3), MaxPooling2D()])  # fmt: skip
    for method in (twice, in_parts):
        layers = [Conv1D(9, 3), BatchNormalization(), Dropout(0.25), GlobalMaxPooling1D()]
        sequential_regressor(f"{method.__name__}, {dtype}", problem("numbers", steps), method, layers=layers)

# Cells with 21 and 9 units cut tiles likewise. Orthogonal matrices are LAPACK's, which may round otherwise elsewhere.
cells = {"recurrent_initializer": "glorot_uniform"}
for dtype in ("float32", "float64"):
    steps, unequal = partial(signals, 13, 3, dtype=dtype), partial(ragged, dtype=dtype)
    for name, layers in {
        "SimpleRNN": [SimpleRNN(21, "relu", return_sequences=True, **cells), SimpleRNN(9, go_backwards=True, **cells)],
        "GRU": [GRU(21, return_sequences=True, **cells), Dropout(0.25), GRU(9, use_bias=False, **cells), Dense(12)],
        "LSTM": [Dense(7, "tanh"), LSTM(21, return_sequences=True, **cells), LSTM(9, **cells)],
        "dropout in cells": [
            GRU(21, dropout=0.25, recurrent_dropout=0.5, return_sequences=True, **cells), LSTM(9, dropout=0.5, **cells),
        ],
        **{
            f"Bidirectional, {mode}": [
                Bidirectional(cell(9, return_sequences=True, **cells), mode), Bidirectional(cell(5, **cells), mode),
            ]
            for mode, cell in {"concat": GRU, "sum": LSTM, "mul": SimpleRNN, "ave": GRU}.items()
        },
    }.items():  # fmt: skip
        sequential_classifier(f"{name}, {dtype}", problem(3, steps), weighted, layers=layers, clip_norm=1.0)
        sequential_regressor(f"{name}, any length, {dtype}", problem("numbers", unequal), weighted, layers=layers,
                             alpha=0.125)  # fmt: skip
    layers = [Bidirectional(LSTM(9, return_sequences=True, dropout=0.25, **cells)), Dense(12)]
    for method in (weighted, twice):
        sequential_classifier(f"a class for each step, {method.__name__}, {dtype}", problem("steps", unequal), method,
                              layers=layers)  # fmt: skip

# -- what they come to ------------------------------------------------------------------------------------------------


def results(case, n_threads):
    """All that a fit came to, as a list of arrays."""
    is_perceptron = case.estimator is Perceptron
    model = case.estimator(**case.settings, **{"n_jobs" if is_perceptron else "n_threads": n_threads})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the fits are short
        case.train(model, case.problem)
    if is_perceptron:  # it predicts by a product of NumPy's
        return [model.coef_, model.intercept_, model.n_mistakes_, np.array([model.n_iter_, model.t_])]
    X, has_layers = case.problem.X, "layers" in case.settings
    if has_layers:
        arrays = [array for of_layer in model.weights_ for array in of_layer.values()]
    else:
        arrays = [*model.coefs_, *model.intercepts_]
    arrays += [np.array(model.loss_curve_)]
    arrays += [np.array([model.n_iter_, model.t_, model.best_epoch_])]
    if model.validation_scores_ is not None:
        arrays += [np.array(model.validation_scores_), np.array(model.validation_loss_curve_)]
    predict = model.predict_proba if is_classifier(model) else model.predict
    for samples in (X, X[:3]):
        arrays += listed(predict(samples))
    n_hidden = len(model.layers) if has_layers else len(model.coefs_) - 1
    return arrays + [array for layer in range(n_hidden) for array in listed(model.hidden_activations(X, layer))]


def listed(outputs):
    """Outputs as a list of arrays: they have one for each column of y, or for each of sequences of any length."""
    return list(outputs) if isinstance(outputs, list) or outputs.dtype == object else [outputs]


def digest(arrays):
    hashed = hashlib.blake2b(digest_size=8)
    for array in arrays:
        hashed.update(f"{array.dtype.str} {array.shape}".encode() + array.tobytes())
    return hashed.hexdigest()


def outcome(case):
    """A digest of a fit's results, on any number of threads; of one that is not exact, a few of its numbers."""
    arrays = results(case, N_THREADS[0])
    digests = [digest(arrays), *(digest(results(case, n_threads)) for n_threads in N_THREADS[1:])]
    if len(set(digests)) > 1:
        by_threads = zip(N_THREADS, digests, strict=True)
        return "not the same bits: " + ", ".join(f"{each} on {n} threads" for n, each in by_threads)
    return digests[0] if case.exact else [float(array.flat[i]) for array in arrays for i in (0, -1)]


def outcomes():
    """Of all fits, with the instruction set of this process."""
    return {name: outcome(case) for name, case in CASES.items()}


def outcomes_at(level):
    """Likewise with any instruction set that this CPU has."""
    return (
        outcomes()
        if level == isa.level
        else json.loads(run_python(Path(__file__), patience=PATIENCE, FASTNN_ISA=level))
    )


# -- the record -------------------------------------------------------------------------------------------------------


def build():
    """What digests hang on besides the instruction set: which products a compiler fuses with sums is its own choice.

    With sanitizers, for which the kernels are compiled with fewer optimizations, it fuses none.
    """
    sanitized = ", sanitized" if "san.so" in os.environ.get("LD_PRELOAD", "") else ""
    return f"{platform.machine()}, {team.compiler.partition('.')[0]}{sanitized}"


def recorded():
    return json.loads(RECORD.read_text())


def record():
    """Write down what this build does, beside what others did: a line for each fit."""
    levels = isa.available_levels()
    found = {level: outcomes_at(level) for level in levels}
    for level in levels:
        for name, its in found[level].items():
            if "not the same" in its:
                raise SystemExit(f"{name}, {level}: {its}")
    record = recorded() if RECORD.exists() else {}
    before = record.get(build(), {})
    record[build()] = {
        name: {**before.get(name, {}), **{level: found[level][name] for level in levels}} for name in CASES
    }
    builds = []
    for key, fits in sorted(record.items()):
        lines = ",\n".join(f"    {json.dumps(name)}: {json.dumps(by_level)}" for name, by_level in fits.items())
        builds.append(f"  {json.dumps(key)}: {{\n{lines}\n  }}")
    RECORD.write_text("{\n" + ",\n".join(builds) + "\n}\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", action="store_true", help="write recorded_bits.json; else print this level's")
    if parser.parse_args().record:
        record()
    else:
        print(json.dumps(outcomes()))
