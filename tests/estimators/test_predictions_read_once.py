"""Predictions look for NaN and infinity while the engine reads X, and make labels there: both as in plain code."""

import multiprocessing
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn

from fastnn import MLPClassifier, MLPRegressor, SequentialClassifier, SequentialRegressor
from fastnn.data.inputs import validated
from fastnn.layers import GRU, Conv2D, Dense, Embedding, Flatten

N_SAMPLES, N_FEATURES = 230, 12  # several blocks, the last of which is not whole
SETTINGS = {"max_iter": 2, "random_state": 0}


def fitted(make, X, y, **settings):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make(**SETTINGS, **settings).fit(X, y)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N_SAMPLES, N_FEATURES)).astype(np.float32)
    return X, rng.integers(3, size=N_SAMPLES)


ESTIMATORS = {
    "MLPClassifier": lambda **settings: MLPClassifier((8,), **settings),
    "MLPRegressor": lambda **settings: MLPRegressor(hidden_layer_sizes=(8,), **settings),
    "SequentialClassifier": lambda **settings: SequentialClassifier([Dense(8)], **settings),
    "SequentialRegressor": lambda **settings: SequentialRegressor([Dense(8)], **settings),
    "images": lambda **settings: SequentialClassifier([Conv2D(2, 2)], input_shape=(3, 4, 1), **settings),
}


@pytest.fixture(scope="module", params=ESTIMATORS)
def model(request, data):
    return fitted(ESTIMATORS[request.param], *data)


def methods_of(model):
    names = ["predict", "predict_proba", "predict_log_proba", "hidden_activations"]
    return [getattr(model, name) for name in names if hasattr(model, name)]


def message(function):
    with pytest.raises(ValueError) as raised:
        function()
    return str(raised.value)


def sliced(X):
    return np.repeat(np.repeat(X, 2, axis=0), 3, axis=1)[::2, ::3]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f4", "longdouble"])
@pytest.mark.parametrize("form", [np.ascontiguousarray, np.asfortranarray, sliced, list, sp.csr_array])
def test_what_is_not_finite_is_refused_in_scikit_learns_words(model, data, dtype, form):
    for row, value in ((0, np.nan), (100, np.inf), (N_SAMPLES - 1, np.nan)):
        X = data[0].astype(dtype)
        X[row, row % N_FEATURES] = value
        if form is sp.csr_array and dtype not in ("float32", "float64"):  # SciPy has no others
            continue
        X = form(X)
        expected = message(lambda X=X: validated(model, X, dtype="numeric", reset=False))
        assert "NaN" in expected or "infinity" in expected
        for method in methods_of(model):
            assert message(lambda X=X, method=method: method(X)) == expected
        assert message(lambda X=X: model.score(X, data[1])) == expected


def test_memory_maps_are_read_once_too(model, data, tmp_path):
    X = np.memmap(tmp_path / "X", np.float32, "w+", shape=data[0].shape)
    X[:] = data[0]
    for method in methods_of(model):
        np.testing.assert_array_equal(method(X), method(data[0]))
        assert type(method(X)) is np.ndarray
    X[200, 1] = np.nan
    assert message(lambda: model.predict(X)) == message(lambda: validated(model, X, dtype="numeric", reset=False))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "uint8", "int64", "bool"])
def test_checks_that_would_change_nothing_are_not_made(model, data, dtype, monkeypatch):
    X = (np.abs(data[0]) * 2).astype(dtype)
    expected = [method(X.tolist() if dtype == "float64" else X.astype(np.float32)) for method in methods_of(model)]
    for module in ("network", "sequential_data"):
        monkeypatch.setattr(f"fastnn.estimators.{module}.validated", None)
    for method, outputs in zip(methods_of(model), expected, strict=True):
        np.testing.assert_array_equal(method(X), outputs)


def test_a_user_who_assumes_that_all_is_finite_is_not_contradicted(model, data):
    X = data[0].copy()
    X[100, 3] = np.nan
    with sklearn.config_context(assume_finite=True):
        predicted = model.predict(X)
        assert len(predicted) == N_SAMPLES
        np.testing.assert_array_equal(np.delete(predicted, 100, axis=0), np.delete(model.predict(data[0]), 100, axis=0))


def test_numbers_beyond_the_networks_type_are_refused_only_if_they_matter(data):
    X = data[0].astype(np.float64)
    X[5, 5] = 1e60
    relu = fitted(ESTIMATORS["MLPClassifier"], *data)
    for method in methods_of(relu):
        assert "X must be at most 3.4e+38" in message(lambda method=method: method(X))
    bounded = fitted(lambda **settings: MLPClassifier((8,), "tanh", **settings), *data)
    assert len(bounded.predict(X)) == N_SAMPLES  # tanh of an infinite sum is 1


def test_of_two_errors_the_same_is_raised_as_by_the_checks(model, data):
    X = data[0].copy()
    X[0, 0] = np.nan
    broken = sklearn.base.clone(model)
    vars(broken).update(vars(model))
    broken.n_threads = 0
    assert "NaN" in message(lambda: broken.predict(X))
    assert "n_threads must be at least 1" in message(lambda: broken.predict(np.tile(data[0], (10_000, 1))))


def test_nan_among_tokens_is_named_before_what_is_no_token(data):
    X = data[1][:, None] + np.zeros((1, 4))
    model = fitted(lambda **s: SequentialClassifier([Embedding(3, 2), Flatten()], input_shape=(4,), **s), X, data[1])
    X[7, 2] = np.nan
    assert "contains NaN" in message(lambda: model.predict(X))


# -- labels -----------------------------------------------------------------------------------------------------------


def plain_labels(model, X):
    """What `predict` was before the engine made labels."""
    return model._targets.decode(model._outputs(X))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "y",
    {
        "classes": lambda rng: rng.integers(3, size=N_SAMPLES) * 5 - 1,
        "texts": lambda rng: np.array(["b", "a", "cc"])[rng.integers(3, size=N_SAMPLES)],
        "floats": lambda rng: rng.integers(3, size=N_SAMPLES) * 2.0,
        "two classes": lambda rng: rng.integers(2, size=N_SAMPLES) == 1,
        "one class": lambda rng: np.full(N_SAMPLES, 7),
        "multilabel": lambda rng: rng.integers(2, size=(N_SAMPLES, 4)),
        "columns": lambda rng: rng.integers(4, size=(N_SAMPLES, 2)),
        "many classes": lambda rng: rng.integers(50, size=N_SAMPLES),
    }.values(),
)
def test_labels_are_those_of_the_probabilities(data, y, dtype):
    y = y(np.random.default_rng(1))
    model = fitted(ESTIMATORS["MLPClassifier"], data[0].astype(dtype), y)
    for X in (data[0], data[0] * 0, data[0].astype(np.float64), sp.csr_array(data[0]), data[0][:1]):
        for model.n_threads in (1, 2, None):
            predicted, expected = model.predict(X), plain_labels(model, X)
            assert predicted.dtype == expected.dtype
            np.testing.assert_array_equal(predicted, expected)


def test_labels_of_steps_are_those_of_the_probabilities(data):
    rng = np.random.default_rng(0)
    X = [rng.standard_normal((n, 2)) for n in rng.integers(1, 30, 90)]
    y = [rng.integers(3, size=len(x)) for x in X]
    for layers in ([GRU(4, return_sequences=True)], [GRU(4, return_sequences=True), Dense(3)]):
        model = fitted(lambda layers=layers, **s: SequentialClassifier(layers, **s), X, y)
        for labels, probabilities in zip(model.predict(X), model.predict_proba(X), strict=True):
            np.testing.assert_array_equal(labels, model.classes_[probabilities.argmax(axis=1)])


def test_the_first_of_equal_probabilities_is_predicted():
    weights = [np.zeros((2, 1), np.float32), np.zeros((1, 3), np.float32)]
    logits = [0, 1e-9, -1e-9]  # they differ, and the probabilities do not, in float32
    model = MLPClassifier.from_weights(weights, [[0], logits], dtype="float32")
    assert np.ptp(model.predict_proba([[1, 2]])) == 0
    np.testing.assert_array_equal(model.predict(np.ones((100, 2), np.float32)), 0)


def _predict(model, X, queue):
    queue.put(model.predict(X))


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork on this system")
def test_a_forked_child_predicts_the_same(model, data):
    X = np.tile(data[0], (50, 1))
    expected = model.predict(X)
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads, in newer Pythons
        child = context.Process(target=_predict, args=(model, X, queue))
        child.start()
    np.testing.assert_array_equal(queue.get(), expected)
    child.join()
