"""What MLPClassifier refuses, how it says so, and that a fit which fails leaves the model as it was."""

import copy
import pickle
import warnings
from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse
from sklearn.exceptions import NotFittedError

from fastnn import MLPClassifier, MLPRegressor
from fastnn.engine.activation import activation_names

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N = 60
X = np.random.default_rng(0).normal(size=(N, 4))
Y = (X[:, :3] > 0).astype(int)
y = Y.sum(axis=1) % 3


def model(**parameters):
    return MLPClassifier(**{"hidden_layer_sizes": (5,), "max_iter": 3, "random_state": 0} | parameters)


def with_value(value, dtype=float):
    changed = X.astype(dtype)
    changed[7, 2] = value
    return changed


BAD_INPUT = {
    "NaN": (with_value(np.nan), y, ValueError, "Input X contains NaN"),
    "float32 NaN": (with_value(np.nan, np.float32), y, ValueError, "Input X contains NaN"),
    "float16 infinity": (with_value(np.inf, np.float16), y, ValueError, "Input X contains infinity"),
    "infinity": (with_value(-np.inf), y, ValueError, "Input X contains infinity"),
    "None": (with_value(None, object), y, ValueError, "Input X contains NaN"),
    "complex": (X + 1j, y, ValueError, "Complex data not supported"),
    "text": (np.full((N, 4), "a"), y, ValueError, "could not convert string to float|dtype='numeric'"),
    "sparse NaN": (scipy.sparse.csr_matrix(with_value(np.nan)), y, ValueError, "Input X contains NaN"),
    "one dimension": (X[:, 0], y, ValueError, "Expected 2D array, got 1D"),
    "three dimensions": (X[None], y, ValueError, "array with dim 3"),
    "no samples": (X[:0], y[:0], ValueError, "0 sample"),
    "no features": (X[:, :0], y, ValueError, "0 feature"),
    "fewer labels": (X, y[:-1], ValueError, "inconsistent numbers of samples"),
    "no labels": (X, None, ValueError, "y to be passed|Expected array-like"),
    "NaN label": (X, np.where(y == 0, np.nan, y), ValueError, "Input y contains NaN"),
}
BAD_LABELS = {
    "continuous": (X[:, 0], ValueError, "Unknown label type: continuous"),
    "a missing label": (np.array([None, "a"] * (N // 2), dtype=object), ValueError, "Unknown label type: unknown"),
    "bytes": (
        np.array([b"a", b"b"] * (N // 2)),
        (ValueError, FutureWarning),
        "as bytes is (not supported|deprecated)",
    ),
    "sparse -1 and 1": (
        scipy.sparse.csr_array(2 * Y - 1),
        TypeError,
        r"y must be an array .*, got a .* csr matrix: .*toarray\(\)",
    ),
    "sparse classes": (
        scipy.sparse.csr_array(Y + Y[::-1]),
        TypeError,
        r"y must be an array .*, got a .* csr matrix: .*toarray\(\)",
    ),
    "complex": (y + 1j, ValueError, "Complex data not supported"),
}


@pytest.mark.parametrize(("X", "y", "error", "message"), BAD_INPUT.values(), ids=BAD_INPUT)
def test_bad_input(X, y, error, message):
    with pytest.raises(error, match=message):
        model().fit(X, y)
    with pytest.raises(error, match=message):
        model().partial_fit(X, y, classes=[0, 1, 2])


@pytest.mark.parametrize(("y", "error", "message"), BAD_LABELS.values(), ids=BAD_LABELS)
def test_bad_labels(y, error, message):
    with pytest.raises(error, match=message):
        model().fit(X, y)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"activation": "relo"}, "'activation' parameter .*" + "".join(f"(?=.*'{name}')" for name in activation_names)),
        ({"activation": ["relo"]}, f"must be one of {', '.join(activation_names)}, got 'relo'"),
        ({"activation": [3]}, r"activation\[0\] must be one of .*, got '3'"),
        ({"activation": ["relu", "relu"]}, "activation must be a name, or a list of 1, one for"),
        ({"activation": ["relu"], "hidden_layer_sizes": ()}, "activation must be a name, or a list of 0, one for"),
        ({"solver": "lbfgsb"}, "'solver' parameter (?=.*'adam')(?=.*'rmsprop')(?=.*'sgd').*Got 'lbfgsb'"),
        ({"hidden_layer_sizes": (0,)}, "hidden_layer_sizes must be integers from 1"),
        ({"hidden_layer_sizes": 0}, "'hidden_layer_sizes' parameter"),
        ({"hidden_layer_sizes": (5, -1)}, "hidden_layer_sizes must be integers from 1"),
        ({"hidden_layer_sizes": (2.5,)}, "hidden_layer_sizes must be integers from 1"),
        ({"hidden_layer_sizes": None}, "'hidden_layer_sizes' parameter"),
        ({"hidden_layer_sizes": (2**40,)}, r"integers from 1 to 2\*\*31 - 1"),
        ({"hidden_layer_sizes": (2**70,)}, r"integers from 1 to 2\*\*31 - 1"),
        ({"dtype": "float16"}, "'dtype' parameter"),
        ({"dtype": int}, "dtype must be float32 or float64, got int64"),
        ({"n_threads": 0}, "'n_threads' parameter"),
        *(
            ({name: value}, f"'{name}' parameter")
            for name, values in {
                "alpha": [-1, np.inf, np.nan, "a", 10**400],
                "batch_size": [0, 1.5, "all"],
                "learning_rate_init": [0, -1, np.inf, np.nan, 10**400],
                "max_iter": [0, 2.5, np.inf, 10**400],
                "tol": [-1e-9, np.nan, 10**400],
                "momentum": [-0.1, 1.1],
                "beta_1": [-0.1, 1],
                "beta_2": [-0.1, 1],
                "rho": [-0.1, 1],
                "epsilon": [0, -1, 10**400],
                "n_iter_no_change": [0, 1.5],
                "shuffle": ["yes"],
                "random_state": ["seed", -1],
                "clip_norm": [10**400],
                "power_t": [10**400],
                "weight_decay": [Fraction(10**400)],
            }.items()
            for value in values
        ),
    ],
    ids=str,
)
def test_bad_parameters(parameters, message):
    with pytest.raises(ValueError, match=message):
        model(**parameters).fit(X, y)


def test_whole_numbers_that_no_float_can_hold():
    with pytest.raises(ValueError, match="'huber_delta' parameter"):
        MLPRegressor("huber", huber_delta=10**400).fit(X, y)
    with pytest.raises(ValueError, match=r"learning_rate must return .*, got 1000.* for epoch 0"):
        model(learning_rate=lambda epoch: 10**400).fit(X, y)


def test_fractions_are_numbers():
    half = model(momentum=Fraction(1, 2), solver="sgd", alpha=Fraction(1, 8), max_iter=2).fit(X, y)
    np.testing.assert_array_equal(half.coefs_[0], half.set_params(momentum=0.5, alpha=0.125).fit(X, y).coefs_[0])


@pytest.mark.parametrize("sizes", [(2**31 - 1,) * 2, (2**30,) * 4])
def test_a_network_too_large_to_count(sizes):
    with pytest.raises(MemoryError, match=r"an array must have at most \d+ bytes, got"):
        model(hidden_layer_sizes=sizes).fit(X, y)


@pytest.mark.parametrize("method", ["predict", "predict_proba", "predict_log_proba"])
def test_predicting_what_was_not_learnt(method):
    with pytest.raises(NotFittedError, match="not fitted yet"):
        getattr(model(), method)(X)
    assert not hasattr(model(), "coefs_")
    with pytest.raises(AttributeError, match="not fitted yet"):
        model().intercepts_  # noqa: B018
    fitted = model().fit(X, y)
    with pytest.raises(ValueError, match="X has 3 features, but MLPClassifier is expecting 4"):
        getattr(fitted, method)(X[:, :3])
    with pytest.raises(ValueError, match="contains NaN"):
        getattr(fitted, method)(with_value(np.nan))


@pytest.mark.parametrize("make", [np.asarray, scipy.sparse.csr_array])
def test_numbers_beyond_the_networks_type(make):
    fitted = model(dtype="float32").fit(X, y)
    with pytest.raises(ValueError, match=r"X must be at most 3.4e\+38 for .* computes in float32, got 1e\+39"):
        fitted.predict(make(with_value(1e39)))
    assert np.isfinite(fitted.predict_proba(make(with_value(1e30)))).all()
    assert np.isfinite(model(dtype="float64").fit(X, y).predict_proba(make(with_value(1e39)))).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("partial", [False, True])
def test_divergence(dtype, partial):
    diverging = model(solver="sgd", learning_rate_init=1e20, activation="identity", max_iter=50, dtype=dtype)
    with warnings.catch_warnings(), pytest.raises(ValueError, match=r"diverged in epoch \d+: ") as caught:
        warnings.simplefilter("error", RuntimeWarning)
        for _ in range(50):
            diverging.partial_fit(X, y, classes=[0, 1, 2]) if partial else diverging.fit(X, y)
    assert "smaller learning_rate_init" in str(caught.value)
    assert "StandardScaler" in str(caught.value)
    if partial and hasattr(diverging, "coefs_"):
        assert all(np.isfinite(array).all() for array in diverging.coefs_ + diverging.intercepts_)
    else:
        assert vars(diverging) == diverging.get_params()


def test_weights_may_diverge_when_the_loss_did_not():
    """The last step of all may be the one that overflows: no batch's loss tells."""
    with warnings.catch_warnings(), pytest.raises(ValueError, match="epoch 1: weights are no longer finite"):
        warnings.simplefilter("error", RuntimeWarning)
        model(solver="sgd", momentum=0, learning_rate_init=1e38, max_iter=1, dtype="float32").fit(1e5 * X, y)


# -- nothing is left behind --------------------------------------------------------------------------------------------

DIVERGING = {"solver": "sgd", "learning_rate_init": 1e200, "batch_size": 5}


FAILURES = {
    "bad X": ({}, lambda model: model.fit(with_value(np.nan), y)),
    "bad y": ({}, lambda model: model.fit(X, X[:, 0])),
    "bad parameter": ({"alpha": -1}, lambda model: model.fit(X, y)),
    "too large": ({"hidden_layer_sizes": (2**31 - 1,) * 2}, lambda model: model.fit(X[:, :2], y)),
    "wrong activations": ({"activation": ["relu"] * 3}, lambda model: model.fit(X[:, :2], Y)),
    "divergence": (DIVERGING, lambda model: model.fit(X[:, :2], Y)),
    "partial fit, NaN": ({}, lambda model: model.partial_fit(with_value(np.nan), y)),
    "partial fit, other features": ({}, lambda model: model.partial_fit(X[:, :2], y)),
    "partial fit, other classes": ({}, lambda model: model.partial_fit(X, y, classes=[0, 1])),
    "partial fit, unknown label": ({}, lambda model: model.partial_fit(X, y + 1)),
    "partial fit, label of another type": ({}, lambda model: model.partial_fit(X, y.astype(str))),
    "partial fit, multilabel": ({}, lambda model: model.partial_fit(X, Y)),
    "partial fit, other layers": ({"hidden_layer_sizes": (6,)}, lambda model: model.partial_fit(X, y)),
    "partial fit, other activation": ({"activation": "tanh"}, lambda model: model.partial_fit(X, y)),
    "partial fit, other dtype": ({"dtype": "float32"}, lambda model: model.partial_fit(X, y)),
    "partial fit, divergence": (DIVERGING, lambda model: model.partial_fit(X, y)),
    "warm start, NaN": ({"warm_start": True}, lambda model: model.fit(with_value(np.nan), y)),
    "warm start, other features": ({"warm_start": True}, lambda model: model.fit(X[:, :2], y)),
    "warm start, other classes": ({"warm_start": True}, lambda model: model.fit(X, y % 2)),
    "warm start, multilabel": ({"warm_start": True}, lambda model: model.fit(X, Y)),
    "warm start, divergence": ({"warm_start": True, **DIVERGING}, lambda model: model.fit(X, y)),
}


@pytest.mark.parametrize(("changes", "fail"), FAILURES.values(), ids=FAILURES)
def test_a_failed_fit_changes_nothing(changes, fail):
    survivor = model(alpha=0.1).fit(X, y).set_params(**changes)
    attributes, before, predicted = dict(vars(survivor)), pickle.dumps(survivor), survivor.predict_proba(X)
    coefs = survivor.coefs_
    with pytest.raises((ValueError, MemoryError)):
        fail(survivor)
    assert vars(survivor).keys() == attributes.keys()
    assert all(vars(survivor)[name] is value for name, value in attributes.items())
    for array, other in zip(survivor.coefs_, coefs, strict=True):
        np.testing.assert_array_equal(array, other)
    np.testing.assert_array_equal(survivor.predict_proba(X), predicted)
    assert pickle.dumps(survivor) == before


@pytest.mark.parametrize("classes", [None, [0, 1], [0, 1, 3]])
def test_a_failed_first_partial_fit_leaves_nothing(classes):
    fresh = model()
    with pytest.raises(ValueError, match="classes"):
        fresh.partial_fit(X, y, classes=classes)
    with pytest.raises(ValueError, match="classes"):
        fresh.partial_fit(X, Y, classes=classes)
    assert vars(fresh) == fresh.get_params()
    fresh.partial_fit(X, y, classes=[0, 1, 2])
    assert fresh.classes_.tolist() == [0, 1, 2]


@pytest.mark.parametrize("solver", ["sgd", "rmsprop", "adam"])
def test_after_divergence_the_optimizer_starts_afresh(solver):
    """Its memories, which were led astray, are the one thing that does not come back: there is no copy of them."""
    survivor = model(solver=solver, batch_size=5).fit(X, y)
    twin = copy.deepcopy(survivor)
    twin._trainer = None
    for _ in range(3):
        with pytest.raises(ValueError, match="diverged in epoch 1"):
            survivor.set_params(learning_rate_init=1e300, epsilon=1e-320).partial_fit(X, y)
    survivor.set_params(**twin.get_params()).partial_fit(X, y)
    twin.partial_fit(X, y)
    assert survivor.loss_curve_ == twin.loss_curve_
    assert len(survivor.loss_curve_) == 4
    np.testing.assert_array_equal(survivor.coefs_[0], twin.coefs_[0])


@pytest.mark.parametrize("dtype", ["M8[D]", "m8[D]"])
def test_times_are_not_numbers(dtype):
    times = np.array([[1, 2], [3, "NaT"]] * 20, dtype)
    for estimator in (MLPClassifier, MLPRegressor):
        with pytest.raises(ValueError, match=f"X must be numbers, got {times.dtype.name.partition('[')[0]}"):
            estimator(hidden_layer_sizes=(3,)).fit(times, np.arange(40) % 2)


def test_class_weights_that_are_no_numbers():
    with pytest.raises(ValueError, match=r"class_weight\[0\] must be finite and at least 0, got nan"):
        MLPClassifier(class_weight={0: np.nan}).fit(np.ones((4, 1)), [0, 1, 0, 1])


def test_no_activations_for_no_hidden_layers():
    X, y = np.arange(40.0).reshape(-1, 2), np.arange(20) % 2
    plain = MLPClassifier((), max_iter=3, random_state=0).fit(X, y)
    listed = MLPClassifier((), [], max_iter=3, random_state=0).fit(X, y)
    np.testing.assert_array_equal(listed.coefs_[0], plain.coefs_[0])
