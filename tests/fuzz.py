"""Inputs of every kind, thrown at the engine and at the estimators: python tests/fuzz.py --inputs 1000000

Each is an array that one might come by (any dtype, order, stride, alignment, byte order, size, flag), a sparse matrix
that may be broken, labels of any kind, parameters in and out of range. What is taken must give what the same numbers
give in a plain array, to the bit; what is refused must be so by a ValueError or a TypeError that says something. A
crash, a hang, another exception or another answer is a fault; the seed that is printed with it brings it back.
"""

import argparse
import sys
import time
import traceback
import warnings

import numpy as np
import scipy.sparse as sp
from problems import make_loss, make_trainer, random_weights
from sklearn.exceptions import NotFittedError

from fastnn import MLPClassifier, MLPRegressor, Perceptron
from fastnn.engine.activation import activation_names
from fastnn.engine.arrays import source_dtypes
from fastnn.engine.optimizer import optimizer_names

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


def any_array(rng):
    dtype = rng.choice([str(d) for d in source_dtypes]) if rng.random() < 0.7 else rng.choice(ODD_DTYPES)
    if rng.random() < 0.15:
        return numbers(rng, OTHER_SHAPES[rng.integers(len(OTHER_SHAPES))], dtype)
    return LAYOUTS[rng.integers(len(LAYOUTS))](numbers(rng, (N, N_FEATURES), dtype))


def any_sparse(rng):
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


def any_X(rng):
    return any_sparse(rng) if rng.random() < 0.25 else any_array(rng)


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
        lambda: y[:-1],
        lambda: y.tolist(),
        lambda: None,
        lambda: y.reshape(-1, 1),
        lambda: rng.integers(-(2**62), 2**62, N),
        lambda: np.zeros((N, 0)),
        lambda: LAYOUTS[rng.integers(5)](y.reshape(1, -1).astype(rng.choice(["i1", ">i4", "u8", "g"])))[0],
    ]
    return kinds[rng.integers(len(kinds))]()


PARAMETERS = {
    "hidden_layer_sizes": [(3,), (), (2, 2), 4, (0,), (-1,), "a", (1.5,), (2**40,), None, np.array([3]), [[3]]],
    "activation": ["relu", "gelu", "nope", ["tanh"], ["tanh", "relu"], None, 3],
    "solver": ["adam", "sgd", "lbfgs", "rmsprop", "adagrad", "adamw", "none", 1],
    "alpha": [0, 1e-4, -1, np.nan, np.inf, "a", None, 1e300],
    "batch_size": ["auto", 1, 3, 100, 0, -5, 2.5, 2**62, None],
    "learning_rate_init": [1e-3, 10.0, 0, -1, np.nan, 1e300],
    "learning_rate": ["constant", "cosine", "one_cycle", "adaptive", "invscaling", lambda epoch: 0.1, lambda epoch: -1],
    "max_iter": [1, 2, 0, -1, 1.5],
    "dropout": [0, 0.5, 1, -0.1, [0.5], [0.5, 0.5], "a"],
    "clip_norm": [None, 1.0, 0, -1, np.nan],
    "early_stopping": [False, True, "yes"],
    "validation_fraction": [0.1, 0.5, 0, 1, 2],
    "momentum": [0.9, 0, 1, 2, -1],
    "dtype": [None, "float32", "float64", "float16", "int", 3],
    "n_threads": [None, 1, 3, 0, -1, 10**9],
    "random_state": [0, None, "a", -1, 2**40],
}


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
    X, dtype = any_X(rng), rng.choice(["float32", "float64"])
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
            np.testing.assert_array_equal(model.network.parameters, other.network.parameters)


def throw_at_estimator(rng):
    """A fit, more of it, and predictions."""
    estimator = [MLPClassifier, MLPRegressor, Perceptron][rng.integers(3)]
    parameters = {"max_iter": 2, "random_state": 0}
    if estimator is not Perceptron:
        parameters |= {"hidden_layer_sizes": (3,)}
        for name in rng.choice(list(PARAMETERS), rng.integers(0, 3), replace=False):
            parameters[str(name)] = PARAMETERS[name][rng.integers(len(PARAMETERS[name]))]
    model = estimator(**parameters)
    X, y = any_X(rng), any_y(rng)
    weight = None if rng.random() < 0.7 or estimator is Perceptron else numbers(rng, N, "f8")
    arguments = {} if weight is None else {"sample_weight": weight}
    try:
        model.fit(X, y, **arguments)
    except NotImplementedError:
        raise
    finally:
        for other in (X, any_X(rng)):
            try:
                model.predict(other)
            except (ValueError, TypeError, NotFittedError) as error:
                check_message(error)
    model.partial_fit(any_X(rng), any_y(rng), **arguments)


def check_message(error):
    """That a refusal says something: more than the name of a Python operation that failed."""
    message = str(error)
    poor = ("object is not", "unsupported operand", "not subscriptable", "has no attribute", "unhashable", "broadcast")
    if len(message) < 12 or any(text in message for text in poor):
        raise AssertionError(f"a poor message: {message!r}") from error


def throw(seed):
    """One input; returns whether it was taken.

    Raises
    ------
    AssertionError
        For a fault.
    """
    rng = np.random.default_rng(seed)
    target = throw_at_engine if rng.random() < 0.8 else throw_at_estimator
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
