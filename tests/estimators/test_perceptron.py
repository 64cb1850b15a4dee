"""Perceptron: what the books say of it, averaging, its attributes, and any X."""

import pickle
import sys
import threading

import joblib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from fastnn import Perceptron
from fastnn.engine.perceptron.perceptron import Perceptrons

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

CORNERS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])


@pytest.fixture
def data(rng):
    X = rng.normal(size=(200, 17))
    return X, (X @ rng.normal(size=(17, 3)) + rng.normal(size=(200, 3))).argmax(axis=1)


# -- theory ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize(
    "truth", [[0, 0, 0, 1], [0, 1, 1, 1], [1, 1, 1, 0], [1, 0, 0, 0]], ids=["AND", "OR", "NAND", "NOR"]
)
def test_it_learns_what_a_line_separates(truth, shuffle):
    model = Perceptron(shuffle=shuffle, tol=None, max_iter=100).fit(CORNERS, truth)
    np.testing.assert_array_equal(model.predict(CORNERS), truth)
    assert model.separable_
    assert model.n_mistakes_[0] > 0
    assert model.n_mistakes_[-1] == 0
    assert len(model.n_mistakes_) == model.n_iter_ == 100


@pytest.mark.parametrize("tol", [None, 1e-3])
def test_xor_is_not_separable(tol):
    model = Perceptron(tol=tol, max_iter=100).fit(CORNERS, [0, 1, 1, 0])
    assert not model.separable_
    assert (model.n_mistakes_ > 0).all()


def test_it_says_what_to_do_about_xor():
    with pytest.warns(ConvergenceWarning, match=r"could not separate the data in max_iter=3 .*fastnn\.MLPClassifier"):
        Perceptron(max_iter=3).fit(CORNERS, [0, 1, 1, 0])


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_samples=st.integers(2, 60),
    n_features=st.integers(1, 20),
    margin=st.floats(0.05, 1),
    shuffle=st.booleans(),
)
def test_novikoffs_bound(seed, n_samples, n_features, margin, shuffle):
    """On data that a plane through the origin separates by a margin, (radius / margin)² mistakes at most, in all."""
    rng = np.random.default_rng(seed)
    plane = rng.normal(size=n_features)
    plane /= np.linalg.norm(plane)
    X = rng.normal(size=(n_samples, n_features))
    X += np.where(X @ plane > 0, margin, -margin)[:, None] * plane
    y = X @ plane > 0
    y[:2] = [True, False]
    X[:2] = plane, -plane
    gamma = np.abs(X @ plane).min()
    bound = (np.linalg.norm(X, axis=1).max() / gamma) ** 2
    model = Perceptron(fit_intercept=False, tol=None, max_iter=int(bound) + 2, shuffle=shuffle).fit(X, y)
    assert model.n_mistakes_.sum() <= bound * (1 + 1e-9)
    assert model.separable_
    assert model.score(X, y) == 1


# -- averaging ---------------------------------------------------------------------------------------------------------


def plain_average(X, y, start, n_epochs, alpha, eta=1.0):
    """The mean of w and b after each step from `start` on; L2 shrinks w before the step."""
    w, b = np.zeros(X.shape[1]), 0.0
    total, n, step = np.zeros(X.shape[1] + 1), 0, 0
    for _ in range(n_epochs):
        for x, sign in zip(X, np.where(y, 1, -1), strict=True):
            step += 1
            wrong = sign * (x @ w + b) <= 0
            w = w * (1 - eta * alpha)
            if wrong:
                w, b = w + eta * sign * x, b + eta * sign
            if step >= start:
                total, n = total + np.append(w, b), n + 1
    return total / n


@pytest.mark.parametrize("alpha", [0, 0.01, 0.9])
@pytest.mark.parametrize("start", [1, 50, 333])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_average_is_the_mean_of_all_weights(data, dtype, start, alpha):
    X, y = data[0].astype(dtype), data[1] == 1
    model = Perceptron(average=start, shuffle=False, tol=None, max_iter=3, penalty="l2", alpha=alpha).fit(X, y)
    found = np.append(model.coef_, model.intercept_)
    expected = plain_average(X.astype(float), y, start, 3, alpha)
    np.testing.assert_allclose(
        found, expected, rtol=0, atol=(1e-4 if dtype == "float32" else 1e-11) * abs(expected).max()
    )


def test_average_resumes_from_call_to_call(data):
    X, y = data
    whole = Perceptron(average=True, shuffle=False).partial_fit(X, y, classes=[0, 1, 2])
    pieces = Perceptron(average=True, shuffle=False)
    for part in np.array_split(np.arange(len(X)), 7):
        pieces.partial_fit(X[part], y[part], classes=[0, 1, 2])
    np.testing.assert_allclose(pieces.coef_, whole.coef_, rtol=1e-12)
    np.testing.assert_allclose(pieces.intercept_, whole.intercept_, rtol=1e-12)


def test_average_that_has_not_begun(data):
    late, never = (Perceptron(average=average, max_iter=2, tol=None).fit(*data) for average in (10**6, False))
    np.testing.assert_array_equal(late.coef_, never.coef_)


# -- learning in pieces ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", [np.asarray, sparse.csr_matrix])
def test_pieces_are_one_pass(data, layout):
    X, y = data
    whole = Perceptron(shuffle=False, max_iter=1, tol=None).fit(layout(X), y)
    pieces = Perceptron(shuffle=False)
    for part in np.array_split(np.arange(len(X)), 9):
        pieces.partial_fit(layout(X[part]), y[part], classes=[0, 1, 2])
    np.testing.assert_array_equal(pieces.coef_, whole.coef_)
    np.testing.assert_array_equal(pieces.intercept_, whole.intercept_)
    assert pieces.t_ == whole.t_


def test_a_pickle_does_not_grow(data):
    model = Perceptron(average=True).partial_fit(*data, classes=[0, 1, 2])
    size = len(pickle.dumps(model))
    for _ in range(50):
        model.partial_fit(*data)
    assert len(pickle.dumps(model)) <= size + 8
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.partial_fit(*data).coef_, model.partial_fit(*data).coef_)


def test_sparse_weights(data):
    X, y = data
    model = Perceptron(penalty="l1", alpha=0.1).fit(X, y)
    scores = model.decision_function(X)
    assert sparse.issparse(model.sparsify().coef_)
    np.testing.assert_allclose(model.decision_function(X), scores)
    with pytest.raises(ValueError, match=r"call densify\(\)"):
        model.partial_fit(X, y)
    model.densify().partial_fit(X, y)
    model.sparsify().set_params(warm_start=True).fit(X, y)


def test_weights_may_change_their_form_while_others_use_them(data):
    """sparsify() and densify() from several threads."""
    model, errors = Perceptron(penalty="l1").fit(*data), []

    def change():
        try:
            for _ in range(1500):
                model.sparsify()
                model.densify()
        except Exception as error:
            errors.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=change) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert errors == []


@pytest.mark.parametrize("average", [False, True])
def test_weights_that_cannot_be_written_to_are_copied(data, average, tmp_path):
    joblib.dump(Perceptron(average=average).fit(*data), tmp_path / "model")
    model = joblib.load(tmp_path / "model", mmap_mode="r")
    before = model.coef_.copy()
    kept = model.coef_
    model.partial_fit(*data)
    np.testing.assert_array_equal(kept, before)
    assert not np.array_equal(model.coef_, before)


# -- threads, and kernels ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", [np.asarray, sparse.csr_matrix])
@pytest.mark.parametrize("parameters", [{}, {"penalty": "elasticnet", "average": True}], ids=["plain", "all"])
def test_same_bits_on_any_number_of_threads(rng, layout, parameters):
    X = rng.normal(size=(1500, 30))
    y = rng.integers(0, 7, 1500)
    alone, *others = (
        Perceptron(n_jobs=n, max_iter=20, **parameters).fit(layout(X), y) for n in (1, 2, 3, 16, -1, None)
    )
    for model in others:
        np.testing.assert_array_equal(model.coef_, alone.coef_)
        np.testing.assert_array_equal(model.n_mistakes_, alone.n_mistakes_)


def small_units(n_threads, max_iter=1000, n_samples=120):
    """Three units, whose least epochs take less time than another thread takes to awake, and their weights."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(n_samples, 5)), rng.integers(0, 3, n_samples).astype(np.int32)
    coef, weights = np.zeros((3, 5)), [(1.0, 1.0)] * 3
    settings = SETTINGS | {"n_threads": n_threads, "max_iter": max_iter, "n_train": n_samples}
    return Perceptrons(X, y, None, coef, [0.0] * 3, None, range(3), weights, [7, 8, 9], **settings), coef


def test_a_small_fit_begins_on_one_thread():
    units, coef = small_units(n_threads=2)
    assert units.n_threads == 2
    assert units.runs_alone
    done = units.run(2)
    assert not done
    assert not units.runs_alone
    while not units.run(2):
        pass
    alone, same = small_units(n_threads=1)
    while not alone.run():
        assert alone.runs_alone
    np.testing.assert_array_equal(coef, same)
    assert units.n_mistakes == alone.n_mistakes


def test_a_large_fit_begins_on_all_threads():
    units, _ = small_units(n_threads=2, n_samples=5000)
    assert not units.runs_alone
    assert small_units(n_threads=2, max_iter=3)[0].n_threads == 1


@pytest.mark.parametrize("n_features", [1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 100])
@pytest.mark.parametrize("wide", [False, True])
def test_every_instruction_set_learns_the_same(level, dtype, n_features, wide):
    """On multiples of 1/8 all sums are exact, in any order."""
    rng = np.random.default_rng(n_features)
    X = (rng.integers(-16, 17, (120, n_features)) / 8).astype(dtype)
    y = rng.integers(0, 2, 120).astype(np.int32)
    rows = sparse.csr_matrix(X)
    if wide:
        rows.indices, rows.indptr = rows.indices.astype(np.int64), rows.indptr.astype(np.int64)
    weights = []
    for samples, at in ((X, level), (rows, level), (X, "baseline")):
        coef = np.zeros((1, n_features), dtype)
        unit = Perceptrons(samples, y, None, coef, [0.0], None, [1], [(1.0, 1.0)], [9], level=at, **SETTINGS)
        while not unit.run():
            pass
        weights.append(np.append(coef, unit.finish()))
    np.testing.assert_array_equal(weights[0], weights[1])
    np.testing.assert_array_equal(weights[0], weights[2])
    assert weights[0].any()


SETTINGS = {"eta": 1.0, "intercept_rate": 1.0, "alpha": -1.0, "l1_ratio": 0.0, "tol": -np.inf, "max_iter": 7}
SETTINGS |= {"n_iter_no_change": 5, "step": 1, "average_from": 0, "held_out_weight": 0.0, "n_train": 120}
SETTINGS |= {"segment_epochs": 256, "n_threads": 1}
