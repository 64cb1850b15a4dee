"""Inputs of every kind, thrown at the engine and at the estimators: python tests/support/fuzz.py --inputs 1000000

Each is an array that one might come by (any dtype, order, stride, alignment, byte order, size, flag), a sparse matrix
that may be broken, labels of any kind, parameters in and out of range. What is taken must give what the same numbers
give in a plain array, to the bit; what is refused must be so by a ValueError or a TypeError that says something. A
crash, a hang, another exception or another answer is a fault; the seed that is printed with it brings it back.
"""

import argparse
import re
import sys
import time
import traceback
import warnings
from contextlib import suppress

import numpy as np
import scipy.sparse as sp
from fuzz_layers import INPUT_SHAPES, any_layers, any_recurrent_layers
from fuzz_sequences import any_cells, any_list, any_sequences, of_each_step
from problems import make_loss, make_trainer, random_weights
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from fastnn import (
    MLPClassifier,
    MLPRegressor,
    ModularClassifier,
    ModularRegressor,
    Perceptron,
    SequentialClassifier,
    SequentialRegressor,
)
from fastnn.data.ragged import Sequences
from fastnn.engine.activation import activation_names
from fastnn.engine.arrays import source_dtypes
from fastnn.engine.network import Network
from fastnn.engine.optimizer import Optimizer, optimizer_names
from fastnn.engine.trainer import Trainer

ODD_DTYPES = ["?", ">f4", ">f8", ">i2", ">u8", "g", "F", "D", "O", "U3", "M8[s]", "m8[D]", "V4"]
SPECIAL = [np.nan, np.inf, -np.inf, 1e30, -1e30, 1e-30, 1e-45, 1e300, -0.0, 2**53 + 1, 2**63, -(2**31)]
N, N_FEATURES = 7, 5


# -- arrays ------------------------------------------------------------------------------------------------------------


def numbers(rng, shape, dtype):
    """Small numbers of that type, some of them special."""
    values = rng.integers(0, 9, shape).astype(float)
    if rng.random() < 0.2 and values.size:
        values.flat[rng.integers(values.size)] = rng.choice(SPECIAL)
    with np.errstate(all="ignore"):
        return values.astype("i8").astype(dtype) if np.dtype(dtype).kind in "MmV" else values.astype(dtype)


def unaligned(array):
    buffer = bytearray(array.nbytes + 1)
    moved = np.frombuffer(buffer, np.uint8)[1:].view(array.dtype).reshape(array.shape)
    moved[...] = array
    return moved


def swapped(rng, array):
    """The same in one byte order or the other."""
    return array.astype(array.dtype.newbyteorder(rng.choice(["<", ">"])))


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


LAYOUTS = [
    np.ascontiguousarray,
    np.asfortranarray,
    lambda array: np.repeat(np.repeat(array, 2, axis=0), 3, axis=1)[::2, ::3],
    lambda array: array[::-1, ::-1].copy()[::-1, ::-1],
    lambda array: np.broadcast_to(array[:1], array.shape) if len(array) else array,
    lambda array: np.broadcast_to(array[:, :1], array.shape) if array.shape[1] else array,
    lambda array: unaligned(array) if array.dtype.kind != "O" else array,
    read_only,
    lambda array: np.ma.masked_array(array),
    lambda array: array.view(np.matrix) if array.dtype.kind != "V" else array,
]
OTHER_SHAPES = [(0, N_FEATURES), (N, 0), (N,), (), (N, N_FEATURES, 1), (1, N_FEATURES), (N, N_FEATURES + 1)]


def any_array(rng, shape=(N, N_FEATURES)):
    dtype = rng.choice([str(d) for d in source_dtypes]) if rng.random() < 0.7 else rng.choice(ODD_DTYPES)
    if rng.random() < 0.15:
        return numbers(rng, OTHER_SHAPES[rng.integers(len(OTHER_SHAPES))], dtype)
    return LAYOUTS[rng.integers(len(LAYOUTS))](numbers(rng, shape, dtype))


def any_csr(rng):
    X = sp.csr_array(rng.integers(0, 3, (N, N_FEATURES)).astype(rng.choice(["f4", "f8", "i4", "u1", "i8"])))
    index = rng.choice(["i4", "i8"])
    X.indices, X.indptr = X.indices.astype(index), X.indptr.astype(index)
    for _ in range(rng.integers(0, 3)):
        broken = [X.indices, X.indptr][rng.integers(2)]
        if len(broken):
            broken[rng.integers(len(broken))] = rng.choice([-1, 0, N_FEATURES, N, len(X.data), 2**31 - 1, -(2**31)])
    if rng.random() < 0.1:
        setattr(X, ["data", "indices", "indptr"][rng.integers(3)], rng.integers(0, 3, rng.integers(0, 9)))
    return X


INDICES = [-1, 0, 1, N_FEATURES, N, 10**8, 2**31 - 1, -(2**31)]


def any_sparse(rng, shape=(N, N_FEATURES)):
    """A matrix in any of SciPy's formats, in which something, mostly, is no longer what the rest says."""
    X = sp.random_array(shape, density=0.4, random_state=rng).asformat(rng.choice(sorted(BREAKABLE)))
    if rng.random() < 0.8:
        BREAKABLE[X.format](rng, X)
    return X


def break_array(rng, X, name):
    """Change one number of an array, or its length, or all of it."""
    array = np.asarray(getattr(X, name))
    kind = rng.integers(4)
    if kind < 2 and array.size:
        array.flat[rng.integers(array.size)] = rng.choice(INDICES)
    elif kind == 2:
        setattr(X, name, array[: rng.integers(len(array) + 1)])
    else:
        setattr(X, name, [array.reshape(-1, 1), np.arange(rng.integers(9)), array.astype(float) + 0.5][rng.integers(3)])


def break_compressed(rng, X):
    break_array(rng, X, ["data", "indices", "indptr"][rng.integers(3)])


def break_coo(rng, X):
    coords = list(X.coords)
    axis = rng.integers(2)
    coords[axis] = coords[axis].copy()
    if len(coords[axis]) and rng.random() < 0.7:
        coords[axis][rng.integers(len(coords[axis]))] = rng.choice(INDICES)
    else:
        coords[axis] = coords[axis][: rng.integers(len(coords[axis]) + 1)]
    X.coords = tuple(coords)


def break_dok(rng, X):
    X._dict[tuple(rng.choice(INDICES, 2).tolist()) if rng.random() < 0.8 else 3] = 1.0


def break_lil(rng, X):
    lists = [X.rows, X.data][rng.integers(2)]
    lists[rng.integers(len(lists))] = [[], [int(rng.choice(INDICES))], [1] * 10**5, None, ["a"], [10**30]][
        rng.integers(6)
    ]


BREAKABLE = {
    **dict.fromkeys(("bsr", "csc", "csr"), break_compressed),
    "coo": break_coo,
    "dia": lambda rng, X: break_array(rng, X, ["data", "offsets"][rng.integers(2)]),
    "dok": break_dok,
    "lil": break_lil,
}


def any_X(rng):
    if rng.random() < 0.25:
        return any_csr(rng) if rng.random() < 0.6 else any_sparse(rng)
    return any_array(rng)


def any_y(rng):
    y = rng.integers(0, rng.integers(1, 4), N)
    kinds = [
        lambda: y,
        lambda: y.astype(float),
        lambda: y > 0,
        lambda: np.array(["a", "b", "c"])[y],
        lambda: np.array(["a", "b", "c"], dtype=object)[y],
        lambda: np.array([0, "b", None], dtype=object)[y],
        lambda: y.astype(float) + rng.choice(SPECIAL),
        lambda: rng.normal(size=N),
        lambda: rng.integers(0, 2, (N, 3)),
        lambda: rng.integers(0, 3, (N, 2)),
        lambda: sp.csr_array(rng.integers(0, 2, (N, 3))),
        lambda: any_sparse(rng, (N, 3)),
        lambda: np.array(["2020-01-01", "2020-01-02"], "M8[D]")[np.minimum(y, 1)],
        lambda: [HUGE] * N,
        lambda: y[:-1],
        lambda: y.tolist(),
        lambda: None,
        lambda: y.reshape(-1, 1),
        lambda: rng.integers(-(2**62), 2**62, N),
        lambda: np.zeros((N, 0)),
        lambda: np.full(N, rng.choice(["a", "bb"])),
        lambda: [rng.integers(3)] * N,
        lambda: np.stack([y, np.ones(N, int)], axis=1),
        lambda: np.full((N, 2), 5),
        lambda: swapped(rng, y.astype(rng.choice(["i2", "u8", "f4", "f8", "U2"]))),
        lambda: swapped(rng, np.array(["2020-01-01", "2020-01-02", "2020-01-03"], "M8[D]")[y]),
        lambda: swapped(rng, rng.integers(0, 3, (N, 2)).astype(rng.choice(["i4", "f8", "U1"]))),
        lambda: swapped(rng, rng.normal(size=(N, 2))),
        lambda: LAYOUTS[rng.integers(5)](y.reshape(1, -1).astype(rng.choice(["i1", ">i4", "u8", "g"])))[0],
    ]
    return kinds[rng.integers(len(kinds))]()


HUGE = 10**400  # which no float holds
FUNCTIONS = [lambda epoch: 0.1, lambda epoch: -1, lambda epoch: 0.1 / (1 + epoch), lambda epoch: np.nan]
CLASS_WEIGHTS = [
    None,
    "balanced",
    {0: 2.0},
    {0: 2.0, 1: 0.5, 2: 1, 9: 4.0},
    {"a": 1.0, "b": 2.0, "z": 3.0},
    {},
    {0: 0.0},
    {7: 1.0},
    {0: HUGE},
    {1: "a"},
    {1: np.nan},
    {0: -1.0},
]
PARAMETERS = {
    "hidden_layer_sizes": [(3,), (), (2, 2), 4, (0,), (-1,), "a", (1.5,), (2**40,), None, np.array([3]), [[3]]],
    "activation": ["relu", "gelu", "nope", ["tanh"], ["tanh", "relu"], None, 3],
    "solver": ["adam", "sgd", "lbfgs", "rmsprop", "adagrad", "adamw", "none", 1],
    "alpha": [0, 1e-4, -1, np.nan, np.inf, "a", None, 1e300, HUGE],
    "batch_size": ["auto", 1, 3, 100, 0, -5, 2.5, 2**62, None, HUGE],
    "learning_rate_init": [1e-3, 10.0, 0, -1, np.nan, 1e300, HUGE],
    "learning_rate": ["constant", "cosine", "one_cycle", "adaptive", "invscaling", *FUNCTIONS],
    "max_iter": [1, 2, 0, -1, 1.5, HUGE],
    "dropout": [0, 0.5, 1, -0.1, [0.5], [0.5, 0.5], "a"],
    "clip_norm": [None, 1.0, 0, -1, np.nan, HUGE],
    "early_stopping": [False, True, "yes"],
    "validation_fraction": [0.1, 0.5, 0, 1, 2],
    "momentum": [0.9, 0, 1, 2, -1, HUGE],
    "dtype": [None, "float32", "float64", "float16", "int", 3],
    "n_threads": [None, 1, 3, 0, -1, 10**9, HUGE],
    "random_state": [0, None, "a", -1, 2**40, HUGE],
    "epsilon": [1e-8, HUGE],
    "tol": [1e-4, HUGE],
    "weight_decay": [None, 0.1, HUGE],
    "power_t": [0.5, HUGE],
    "warmup_fraction": [None, 0, 0.5, 1, 1.5, HUGE],
    "n_iter_no_change": [1, HUGE],
    "max_fun": [10, HUGE],
}
OF_PERCEPTRONS = {
    "penalty": [None, "l1", "l2", "elasticnet", "none"],
    "alpha": [1e-4, 0, -1, np.nan, HUGE],
    "eta0": [1, 1e300, 0, HUGE],
    "tol": [None, 1e-3, HUGE],
    "max_iter": [1, 2, 0, HUGE],
    "average": [False, True, 3, HUGE, -1],
    "class_weight": CLASS_WEIGHTS,
    "early_stopping": [False, True],
    "validation_fraction": [0.1, 0.5, 1],
    "n_jobs": [None, 2, 0, HUGE, -HUGE],
}


OF_CLASSIFIERS = PARAMETERS | {
    "class_weight": [*CLASS_WEIGHTS, [{0: 2.0}, "balanced"], ["balanced"] * 3, [None, {9: 1.0}], ["nope"], [3], 3],
    "label_smoothing": [0, 0.5, 1, HUGE],
}
OF_HIDDEN_LAYERS = {"hidden_layer_sizes", "activation", "dropout"}
OF_LAYERS = {name: values for name, values in PARAMETERS.items() if name not in OF_HIDDEN_LAYERS}
OF_LAYERS |= {"input_shape": INPUT_SHAPES}
VALUES = {
    MLPClassifier: OF_CLASSIFIERS,
    MLPRegressor: PARAMETERS,
    SequentialClassifier: OF_LAYERS | {name: OF_CLASSIFIERS[name] for name in ("class_weight", "label_smoothing")},
    SequentialRegressor: OF_LAYERS,
    Perceptron: OF_PERCEPTRONS,
}
SCHEDULED = ["learning_rate", "warmup_fraction", "max_iter"]  # which one sets together


# -- what is thrown at what -------------------------------------------------------------------------------------------


def plain(X, dtype):
    """The same numbers in a plain array, or None where a broken matrix has none to speak of."""
    if not sp.issparse(X):
        with np.errstate(all="ignore"):
            return np.ascontiguousarray(np.asarray(X).astype(dtype))
    inside = np.zeros(X.shape, dtype)
    n_stored = min(len(X.data), len(X.indices))
    for row in range(X.shape[0]):
        begin, end = int(X.indptr[row]), int(X.indptr[row + 1])
        columns = X.indices[begin:end] if 0 <= begin <= end <= n_stored else []
        if len(columns) and np.any(np.diff(np.asarray(columns, dtype=np.int64)) <= 0):
            return None  # summed in another order
        for k in range(begin, begin + len(columns)):
            if 0 <= X.indices[k] < X.shape[1]:
                inside[row, X.indices[k]] += X.data[k].astype(dtype)
    return inside


def throw_at_engine(rng):
    """A forward pass and a training segment: nothing has looked at these arrays before."""
    X, dtype = any_csr(rng) if rng.random() < 0.25 else any_array(rng), rng.choice(["float32", "float64"])
    weights = random_weights(rng, (N_FEATURES, 4, 3), np.dtype(dtype))
    activation, head = rng.choice(activation_names), rng.choice(["softmax", "logistic", "identity"])
    loss = {"softmax": "softmax", "logistic": "logistic", "identity": "squared_error"}[head]
    settings = {"learning_rate": 0.01, "decay_1": 0.9, "decay_2": 0.99, "epsilon": 1e-8}

    def trainer():
        optimizer = str(np.random.default_rng(seed).choice(optimizer_names))
        return make_trainer(weights, [str(activation)], make_loss(loss, 3), optimizer, 3, n_threads, **settings)

    seed, n_threads = int(rng.integers(2**32)), int(rng.integers(1, 3))
    order = rng.integers(-1 if rng.random() < 0.1 else 0, N + (rng.random() < 0.1), rng.integers(0, 9))
    targets = rng.integers(-1 if rng.random() < 0.1 else 0, 3, N).astype(np.int32)
    targets = targets if loss == "softmax" else rng.random((N, 3)).astype(rng.choice(["f4", "f8", "f2"]))
    if rng.random() < 0.02 and not sp.issparse(X) and X.ndim == 2 and X.size:
        X = np.broadcast_to(X[:1], (2**40, X.shape[1]))  # more than there is memory for, of one row
        order[:] = rng.integers(0, 2**40, len(order))
    model = trainer()
    with np.errstate(all="ignore"):
        outputs = model.network.forward(X[:N] if X.shape and X.shape[0] > 2**20 else X, n_threads)
        summed = model.run(X, targets, order)
        same = plain(X, dtype)
        if same is not None:
            other = trainer()
            np.testing.assert_array_equal(outputs, other.network.forward(same, 1))
            np.testing.assert_array_equal(summed, other.run(same, targets, order))
            # Where training diverges, zeros of a dense X times an infinite error are NaN; a sparse X leaves them out.
            if np.isfinite(summed) or not sp.issparse(X):
                np.testing.assert_array_equal(model.network.parameters, other.network.parameters)


def throw_sequences_at_engine(rng):
    """Likewise at recurrent layers: sequences of any length, which may lead out of their array."""
    values, dtype = any_array(rng, (3 * N, N_FEATURES)), rng.choice(["float32", "float64"])
    if values.ndim != 2 or not len(values):
        return
    X = any_sequences(rng, N, values)
    description = [any_cells(rng) for _ in range(rng.integers(1, 3))]
    description[:-1] = [(*each[:5], True, *each[6:]) for each in description[:-1]]  # all steps for the next one
    description.append(("dense", 3, "identity"))
    per_step, seed, n_threads = description[-2][5], int(rng.integers(2**32)), int(rng.integers(1, 4))
    order = rng.integers(-1 if rng.random() < 0.1 else 0, max(1, len(X.starts) - 1), rng.integers(0, 9))
    n_rows = int(np.ravel(X.starts)[-1]) - int(np.ravel(X.starts)[0]) if per_step else len(X.starts) - 1
    targets = rng.random((min(max(n_rows, 0), 99), 3))

    def trainer():
        network = Network(description, (None, N_FEATURES), "identity", dtype)
        of_weights = np.random.default_rng(seed)
        network.set_weights([of_weights.normal(0, 0.3, shape) for shape in network.shapes])
        return Trainer(
            network, make_loss("squared_error", 3), Optimizer("adam", 0.01, 0, 0.9, 0.99, 1e-8), 3, n_threads
        )

    model = trainer()
    with np.errstate(all="ignore"):
        outputs = model.network.forward(X, n_threads)
        summed = model.run(X, targets, order)
        whole, other = Sequences(plain(X.values, dtype), np.array(X.starts, np.intp)), trainer()
        np.testing.assert_array_equal(outputs, other.network.forward(whole, 1))
        np.testing.assert_array_equal(summed, other.run(whole, targets, order))
        np.testing.assert_array_equal(model.network.parameters, other.network.parameters)


def throw_sequences_at_estimator(rng):
    """A fit to a list of sequences, more of it, and predictions."""
    X = any_list(rng, 2 * N, LAYOUTS, any_array)
    estimator, layers = [SequentialClassifier, SequentialRegressor][rng.integers(2)], any_recurrent_layers(rng)
    per_step = getattr(layers[-1], "return_sequences", True) == (rng.random() < 0.95)
    y = of_each_step(rng, X) if per_step else rng.integers(0, 3, 2 * N)
    model, values = estimator(layers, max_iter=2, random_state=0), VALUES[estimator]
    for name in rng.choice(list(values), int(rng.random() < 0.2), replace=False).tolist():
        model.set_params(**{name: values[name][rng.integers(len(values[name]))]})
    arguments = {"sample_weight": of_each_step(rng, X)} if per_step and rng.random() < 0.3 else {}
    try:
        model.fit(X, y, **arguments)
        check_alone(model, X)
    finally:
        for other in (X, any_list(rng, 3, LAYOUTS, any_array)):
            try:
                model.predict(other)
            except (ValueError, TypeError, NotFittedError) as error:
                check_message(error)
    other = X if rng.random() < 0.5 else any_list(rng, 2 * N, LAYOUTS, any_array)
    model.partial_fit(other, y, **arguments)


def check_alone(model, X):
    """That what is predicted for a sequence is what is predicted for it alone."""
    together, alone = model.predict(X), model.predict(X[2:3])
    np.testing.assert_array_equal(np.asarray(together[2]), np.asarray(alone[0]))


def throw_at_estimator(rng):
    """A fit, more of it, and predictions."""
    estimator = [*VALUES][rng.integers(len(VALUES))]
    parameters, values = {"max_iter": 2, "random_state": 0}, VALUES[estimator]
    if estimator in (MLPClassifier, MLPRegressor):
        parameters |= {"hidden_layer_sizes": (3,)}
    elif estimator is not Perceptron:
        parameters |= {"layers": any_layers(rng)}
    names = {*rng.choice(list(values), rng.integers(0, 3), replace=False).tolist()}
    for more, share in ((SCHEDULED, 0.2), (["class_weight"], 0.3)):
        names |= {*more} & {*values} if rng.random() < share else set()
    for name in sorted(names):
        parameters[name] = values[name][rng.integers(len(values[name]))]
    model = estimator(**parameters)
    X, y = any_X(rng), any_y(rng)
    if "layers" in parameters and isinstance(X, np.ndarray) and X.ndim == 2 and rng.random() < 0.3:
        X = np.asarray(X)[:, :, None] if rng.random() < 0.5 else np.asarray(X)[:, None, :, None]
    arguments = {} if rng.random() < 0.7 else {"sample_weight": any_weight(rng)}
    starts = {}
    if estimator is Perceptron and rng.random() < 0.3:
        starts["coef_init"] = any_sparse(rng, (1, N_FEATURES)) if rng.random() < 0.5 else any_array(rng)
    try:
        model.fit(X, y, **arguments, **starts)
        check_byte_order(model, X, y, arguments | starts)
    finally:
        if estimator is Perceptron and hasattr(model, "coef_") and rng.random() < 0.3:
            set_nonsense(rng, model)
        for other in (X, any_X(rng)):
            try:
                check_predictions(model, other)
            except (ValueError, TypeError, NotFittedError) as error:
                check_message(error)
            with suppress(ValueError, TypeError):  # most are scikit-learn's metrics', which have names of their own
                model.score(other, any_y(rng))
    model.partial_fit(any_X(rng), any_y(rng), **arguments)


COLUMNS = [slice(None), slice(0, 3), [0, 4], [4, 0, 0], [True] * N_FEATURES, 2, "a", [9], [], slice(9, None), None]
OF_MODULES = {
    "combine": ["mean", "product", "vote", Perceptron(max_iter=2), MLPRegressor(max_iter=1), "median", None],
    "weights": [None, [1, 2], [0, 0], [1], [-1, 1], "a", [HUGE, 1]],
    "cv": [2, 3, 1, "a", HUGE],
    "passthrough": [False, True, "yes"],
    "on_error": ["raise", "skip", "warn"],
    "targets": [
        None,
        {},
        {"one": np.copy},
        {"one": 0, "two": 1},
        {"one": lambda y: y[:-1]},
        {"three": 0},
        {"one": HUGE},
        3,
    ],
    "n_threads": [None, 1, 3, 0, HUGE],
}


def any_value(rng, values):
    """Mostly one of the first four, which are in range."""
    return values[rng.integers(min(len(values), 4) if rng.random() < 0.9 else len(values))]


def throw_at_modules(rng):
    """A fit of two modules, one of them again, and predictions."""
    estimator, of = [(ModularClassifier, MLPClassifier), (ModularRegressor, MLPRegressor)][rng.integers(2)]
    modules = [
        (name, of(hidden_layer_sizes=(3,), max_iter=1, random_state=0), any_value(rng, COLUMNS))
        for name in (["one", "two"] if rng.random() < 0.95 else ["one", "one"])
    ]
    parameters = {"cv": 2}
    for name in rng.choice(list(OF_MODULES), rng.integers(0, 3), replace=False).tolist():
        parameters[name] = any_value(rng, OF_MODULES[name])
    model, X, y = estimator(modules, **parameters), any_X(rng), any_y(rng)
    arguments = {} if rng.random() < 0.7 else {"sample_weight": any_weight(rng)}
    model.fit(X, y, **arguments)
    expected = model.predict(X)
    name = next(iter(model.named_modules_))
    np.testing.assert_array_equal(model.refit(name, X, y, **arguments).predict(X), expected)
    model.predict(any_X(rng))


def check_byte_order(model, X, y, arguments):
    """What was fitted to arrays in a foreign byte order is, to the bit, what it is to the same in this machine's."""
    if model.random_state != 0 or not isinstance(y, np.ndarray):
        return
    y = y.astype(y.dtype.newbyteorder("="))
    if isinstance(X, np.ndarray) and not isinstance(model, Perceptron):  # which is scikit-learn's: float64 of any >f4
        X = X.astype(X.dtype.newbyteorder("="))
    twin = clone(model).fit(X, y, **arguments)
    for name in ("coefs_", "coef_"):
        for array, other in zip(getattr(model, name, ()), getattr(twin, name, ()), strict=True):
            np.testing.assert_array_equal(array, other, strict=True)


def check_predictions(model, X):
    """That predictions are in this machine's byte order; and what they are where there is a single class."""
    predicted = model.predict(X)
    for part in predicted if isinstance(predicted, list) else [predicted]:  # a list of sequences, for such an X
        assert part.dtype.isnative
    classes = getattr(model, "classes_", [])
    if hasattr(model, "predict_proba") and not isinstance(classes, list) and len(classes) == 1 == np.ndim(predicted):
        assert (predicted == classes[0]).all()
        np.testing.assert_array_equal(model.predict_proba(X), np.ones((len(predicted), 1)))


def any_weight(rng):
    return [
        lambda: numbers(rng, N, "f8"),
        lambda: np.full(N, rng.choice([1e-40, 1e-320, 1e38, 1e308])),
        lambda: [HUGE] * N,
        lambda: any_sparse(rng, (N, 1)),
        lambda: ["a"] * N,
    ][rng.integers(5)]()


def set_nonsense(rng, model):
    """Give a fitted perceptron an attribute that it could not have."""
    name = rng.choice(["coef_", "intercept_", "classes_", "t_", "_running"])
    value = [
        None,
        0.0,
        -5,
        1e300,
        [0, 1],
        "a",
        np.arange(2),
        np.zeros((2, N_FEATURES)),
        any_sparse(rng, (1, N_FEATURES)),
    ]
    setattr(model, name, value[rng.integers(len(value))])


# What a refusal may be about, some of it in scikit-learn's words.
NAMES = re.compile(
    r"(?<!\w)(X|y|y_true|array|np.matrix|classes|labels?|samples|order|targets|weights|network|layers?|fitted|"
    + "|".join({*OF_CLASSIFIERS, *OF_PERCEPTRONS, *OF_LAYERS, "sample_weight", "coef_init", *OF_MODULES, "modules?"})
    + r"|coef_|intercept_|classes_|t_|_running)(?!\w)|^the starts of sequences|^Complex data|Scaling input data"
    + r"|^index pointer|^n_splits"
)


def check_message(error):
    """That a refusal says what it is about: more than that an operation of Python's or NumPy's failed."""
    message = str(error)
    if len(message) < 12 or not NAMES.search(message):
        raise AssertionError(f"a poor message: {message!r}") from error


def throw(seed):
    """One input; returns whether it was taken.

    Raises
    ------
    AssertionError
        For a fault.
    """
    rng = np.random.default_rng(seed)
    if rng.random() < 0.8:
        target = throw_at_engine if rng.random() < 0.8 else throw_sequences_at_engine
    else:
        target = throw_at_estimator if rng.random() < 0.7 else throw_sequences_at_estimator
        target = throw_at_modules if rng.random() < 0.1 else target
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            target(rng)
        except MemoryError:
            return False  # of networks and matrices that are too large: said so
        except AttributeError as error:
            if "'partial_fit'" not in str(error):  # which with lbfgs there is not
                raise
            return False
        except (ValueError, TypeError) as error:
            check_message(error)
            return False
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=0, help="the first input's; the next has the next")
    arguments = parser.parse_args()
    taken, faults, start = 0, 0, time.perf_counter()
    for seed in range(arguments.seed, arguments.seed + arguments.inputs):
        began = time.perf_counter()
        try:
            taken += throw(seed)
        except Exception:
            faults += 1
            print(f"-- seed {seed}\n{traceback.format_exc()}", file=sys.stderr, flush=True)
        if time.perf_counter() - began > 20:
            faults += 1
            print(f"-- seed {seed} took {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    seconds = time.perf_counter() - start
    print(f"{arguments.inputs:,} inputs in {seconds:.0f} s: {taken:,} taken, {faults} faults")
    sys.exit(faults > 0)


if __name__ == "__main__":
    main()
