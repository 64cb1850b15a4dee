"""What Perceptron makes of X and y of any kind, of broken ones, and of Ctrl-C."""

import os
import signal
import threading
import time
import tracemalloc

import numpy as np
import pytest
from scipy import sparse

import fastnn
from fastnn import MLPClassifier, MLPRegressor, Perceptron
from fastnn.estimators.perceptron_state import Averages, Running

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def data(rng):
    X = rng.normal(size=(200, 17))
    X[rng.random(X.shape) < 0.5] = 0
    return X, (X @ rng.normal(size=(17, 3)) + rng.normal(size=(200, 3))).argmax(axis=1)


# -- any X -------------------------------------------------------------------------------------------------------------


def read_only(X):
    X = X.copy()
    X.flags.writeable = False
    return X


def unaligned(X):
    held = np.empty(X.nbytes + 1, np.uint8)[1:].view(X.dtype).reshape(X.shape)
    held[:] = X
    return held


def wide_csr(X):
    X = sparse.csr_matrix(X)
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    return X


def mixed_csr(X):
    X = sparse.csr_matrix(X)
    X.indptr = X.indptr.astype(np.int64)
    return X


def reversed_csr(X):
    """The columns of each row backwards, and each number in two halves."""
    X = sparse.csr_matrix(X)
    rows = [np.arange(*X.indptr[i : i + 2])[::-1].repeat(2) for i in range(X.shape[0])]
    order = np.concatenate(rows)
    return sparse.csr_matrix((X.data[order] / 2, X.indices[order], 2 * X.indptr), X.shape)


def frozen_csr(X):
    X = sparse.csr_matrix(X)
    for array in (X.data, X.indices, X.indptr):
        array.flags.writeable = False
    return X


SAME = {
    "Fortran order": np.asfortranarray,
    "every other column": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
    "a part of longer rows": lambda X: np.hstack([X, X])[:, :17],
    "every other row": lambda X: np.repeat(X, 2, axis=0)[::2],
    "backwards": lambda X: X[::-1].copy()[::-1],
    "read-only": read_only,
    "unaligned": unaligned,
    "foreign byte order": lambda X: X.astype(X.dtype.newbyteorder()),
    "list": np.ndarray.tolist,
}
SAME_SPARSE = {
    "csr array": sparse.csr_array,
    "csc": sparse.csc_matrix,
    "coo": sparse.coo_matrix,
    "lil": sparse.lil_matrix,
    "64-bit indices": wide_csr,
    "indices of two types": mixed_csr,
    "columns out of order and twice": reversed_csr,
    "read-only": frozen_csr,
}


@pytest.mark.parametrize("form", SAME.values(), ids=SAME)
def test_same_numbers_in_any_form(data, form):
    X, y = data
    plain = Perceptron(max_iter=4).fit(X, y)
    other = Perceptron(max_iter=4).fit(form(X), y)
    np.testing.assert_array_equal(other.coef_, plain.coef_)
    np.testing.assert_array_equal(other.partial_fit(form(X), y).coef_, plain.partial_fit(X, y).coef_)


@pytest.mark.parametrize("form", SAME_SPARSE.values(), ids=SAME_SPARSE)
def test_same_numbers_in_any_sparse_form(data, form):
    X, y = data
    plain = Perceptron(max_iter=4, penalty="l2").fit(sparse.csr_matrix(X), y)
    other = Perceptron(max_iter=4, penalty="l2").fit(form(X), y)
    np.testing.assert_allclose(other.coef_, plain.coef_, rtol=1e-12)
    np.testing.assert_allclose(other.decision_function(form(X)), plain.decision_function(X), rtol=1e-9)


def test_memory_map(data, tmp_path):
    X, y = data
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    np.testing.assert_array_equal(Perceptron().fit(mapped, y).coef_, Perceptron().fit(X, y).coef_)


@pytest.mark.parametrize("dtype", ["int8", "uint16", "int64", "bool", "float16", "longdouble"])
def test_other_types_are_learnt_from_in_float64(data, dtype):
    X, y = (10 * data[0]).astype(dtype), data[1]
    model = Perceptron(max_iter=3).fit(X, y)
    assert model.coef_.dtype == np.float64
    np.testing.assert_array_equal(model.coef_, Perceptron(max_iter=3).fit(X.astype(float), y).coef_)


@pytest.mark.parametrize("layout", ["dense", "csr"])
def test_no_copy_of_x(rng, layout):
    X, y = rng.normal(size=(40_000, 50)), rng.integers(0, 5, 40_000)
    X = sparse.csr_matrix(X) if layout == "csr" else X
    model = Perceptron(max_iter=3, tol=None, n_jobs=2)
    tracemalloc.start()
    model.fit(X, y)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5e6


# -- bad input ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["fit", "partial_fit", "predict"])
@pytest.mark.parametrize(
    ("array", "place", "value", "message"),
    [
        ("indices", 3, 17, "X.indices must be from 0 to 16"),
        ("indices", 3, -1, "X.indices must be from 0 to 16"),
        ("indptr", 3, 10**6, "X.indptr must be"),
        ("indptr", 0, -5, "X.indptr must be"),
        ("indptr", -1, 10**6, "X.indptr must be"),
        ("indptr", 100, 0, "X.indptr must be"),
    ],
)
def test_indices_that_lead_out_of_a_sparse_matrix(data, array, place, value, message, method):
    X, y = sparse.csr_matrix(data[0]), data[1]
    model = Perceptron(max_iter=2).fit(X, y)
    before = model.coef_.copy()
    getattr(X, array)[place] = value
    with pytest.raises(ValueError, match=message):
        model.predict(X) if method == "predict" else getattr(model, method)(X, y)
    np.testing.assert_array_equal(model.coef_, before)


def broken_csr(shape):
    X = sparse.csr_matrix(np.ones(shape))
    X.indices[:] = 10**8
    return X


@pytest.mark.parametrize(
    ("name", "start", "message"),
    [
        ("coef_init", broken_csr((3, 17)), "coef_init.indices must be from 0 to 16"),
        ("coef_init", np.full((3, 17), np.nan), "coef_init must be finite"),
        ("coef_init", np.full((3, 17), 1e300), "coef_init must be finite in float32, the type of X, got inf"),
        ("coef_init", np.full((3, 17), 10**400, object), "coef_init must be real numbers: int too large"),
        ("coef_init", np.full((3, 17), 1j), "coef_init must be real numbers, got complex128"),
        ("coef_init", np.full((3, 17), "a"), "coef_init must be real numbers, got <U1"),
        ("coef_init", "zeros", r"coef_init must have shape \(3, 17\), got \(\)"),
        ("intercept_init", sparse.csr_matrix(np.ones((1, 3))), r"intercept_init must have shape \(3,\), got \(1, 3\)"),
        ("intercept_init", [np.inf, 0, 0], "intercept_init must be finite"),
        ("intercept_init", np.array([None, 0, 0]), "intercept_init must be"),
    ],
)
def test_bad_starts(data, name, start, message):
    X, y = data
    with pytest.raises(ValueError, match=message):
        Perceptron().fit(X.astype(np.float32), y, **{name: start})


def test_a_sparse_start_is_as_good_as_a_dense_one(data):
    start = sparse.random(3, 17, 0.5, random_state=0)
    sparsely, densely = (Perceptron(max_iter=2).fit(*data, coef_init=coef) for coef in (start, start.toarray()))
    np.testing.assert_array_equal(sparsely.coef_, densely.coef_)


@pytest.mark.parametrize("estimator", [Perceptron, MLPClassifier, MLPRegressor])
def test_whole_numbers_that_no_float_can_hold(estimator):
    X, y, huge = np.eye(4), [0, 1, 0, 1], [[10**400]] * 4
    with pytest.raises(ValueError, match="X"):
        estimator().fit(huge, y)
    with pytest.raises(ValueError, match="sample_weight must be a number for each sample: int too large"):
        estimator().fit(X, y, sample_weight=np.ravel(huge))
    if estimator is MLPRegressor:
        with pytest.raises(ValueError, match="X and y must be numbers that a float can hold: "):
            estimator().fit(X, np.ravel(huge))
        for model in (estimator(max_iter=2), estimator("quantile", quantile=[0.1, 0.9], max_iter=2)):
            with pytest.raises(ValueError, match="y and sample_weight must be numbers that a float can hold: "):
                model.fit(X, y).score(X, np.ravel(huge))


@pytest.mark.parametrize("estimator", [Perceptron, MLPClassifier, MLPRegressor])
def test_texts_that_are_no_numbers(estimator):
    X, y = np.eye(4), [0, 1, 0, 1]
    with pytest.raises(ValueError, match=r"X and y must be numbers|dtype='numeric' is not compatible"):
        estimator().fit(np.full((4, 2), "a"), y)
    with pytest.raises(ValueError, match="sample_weight must be a number for each sample: could not convert"):
        estimator().fit(X, y, sample_weight=["a"] * 4)


def test_times_are_not_predicted_from(data):
    with pytest.raises(ValueError, match="X must be numbers, got datetime64"):
        Perceptron(max_iter=2).fit(*data).predict(np.zeros((3, 17), "M8[D]"))


def running(**changes):
    parts = {"coef": np.zeros((3, 17)), "intercept": np.zeros(3), "counts": np.zeros(3, int)} | changes
    averages = Averages(parts["coef"].copy(), np.zeros(3), parts.pop("counts"))
    return Running(**parts, averages=averages)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("coef_", broken_csr((3, 17)), "coef_.indices must be from 0 to 16"),
        ("coef_", np.zeros((2, 17)), r"coef_ must have shape \(3, 17\) for 3 classes, got \(2, 17\)"),
        ("coef_", None, "coef_ must be a matrix of numbers, got None"),
        ("coef_", np.full((3, 17), "a"), "coef_ must be a matrix of numbers"),
        ("intercept_", 0.0, "intercept_ must be an array of 3 numbers, got 0.0"),
        ("intercept_", np.zeros(2), r"intercept_ must be an array of 3 numbers, got float64 of shape \(2,\)"),
        ("classes_", [0, 1, 2], "classes_ must be an array"),
        ("classes_", np.array([0, 1]), r"coef_ must have shape \(1, 17\) for 2 classes"),
        ("classes_", np.array([0]), "classes_ must be an array of at least 2 classes"),
        ("classes_", None, "classes_ must be"),
    ],
)
def test_attributes_that_make_no_model(data, name, value, message, tmp_path):
    X, y = data
    model = Perceptron(max_iter=2).fit(X, y)
    setattr(model, name, value)
    for use in (model.partial_fit, model.score):
        with pytest.raises(ValueError, match=message):
            use(X, y)
    for use in (model.predict, model.decision_function):
        with pytest.raises(ValueError, match=message):
            use(X)
    for use in (model.densify, lambda: fastnn.save(model, tmp_path / "model")):
        with pytest.raises(ValueError, match=message):
            use()
    assert list(tmp_path.iterdir()) == []
    assert model.fit(X, y).score(X, y) > 0.5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        *(({"t_": t}, "t_ must be 1 . the number of samples seen") for t in (-5, 0, np.nan, np.inf, 1e300, None, "a")),
        ({"coef_": np.zeros((3, 17), int)}, "coef_ must be float64 or float32, got int64"),
        ({"_running": 3}, "_running must be what learning with `average`"),
        (
            {"_running": Running(np.zeros((3, 17)), np.zeros(3))},
            "_running must be what learning with `average`",
        ),
        ({"_running": running(coef=np.zeros((3, 16)))}, "_running must have arrays of float64 and shape"),
        (
            {"_running": running(counts=np.array([-1, 0, 0]))},
            "_running must count each unit's steps",
        ),
        ({"_running": running(counts=[1, 1, 1])}, "_running must have arrays of int64"),
    ],
)
def test_what_learning_cannot_go_on_from(data, changes, message, tmp_path):
    model = Perceptron(max_iter=2, average=True).fit(*data)
    vars(model).update(changes)
    with pytest.raises(ValueError, match=message):
        model.partial_fit(*data)
    with pytest.raises(ValueError, match=f"cannot be saved: {message}"):
        fastnn.save(model, tmp_path / "model")


def test_averages_that_are_not_there_begin_anew(data):
    model = Perceptron(max_iter=2, average=True).fit(*data)
    model._running = None
    assert model.partial_fit(*data).score(*data) > 0.5


LABELS = {
    "None": np.array([None, 1] * 100),
    "texts and numbers": np.array([0, "b"] * 100, object),
    "times": np.array(["2020-01-01", "2020-01-02"] * 100, "M8[D]"),
    "anything": np.array([{}, ()] * 100, object),
}


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
@pytest.mark.parametrize("estimator", [Perceptron, MLPClassifier])
def test_labels_of_another_kind(data, estimator, labels):
    X, y = data
    with pytest.raises(ValueError, match="y must be labels that can be compared with the classes"):
        estimator(max_iter=2).fit(X, y).partial_fit(X, labels)
    with pytest.raises(ValueError, match=r"(classes|y) must be labels|Unknown label type"):
        estimator().partial_fit(X, y, classes=labels)
    if labels.dtype == object:
        with pytest.raises(ValueError, match=r"y must be labels of one type|Unknown label type"):
            estimator().fit(X, labels)


def test_class_weights_of_other_labels(data):
    days = np.array(["2020-01-01", "2020-01-02"] * 100, "M8[D]")
    with pytest.raises(ValueError, match=r"class_weight must list .*, got \[0\], .* but not \[datetime"):
        Perceptron(class_weight={0: 2.0}).fit(data[0], days)


@pytest.mark.parametrize("weight", [10**400, None, "a"])
@pytest.mark.parametrize("estimator", [Perceptron, MLPClassifier])
def test_class_weights_that_are_no_numbers(data, estimator, weight):
    with pytest.raises(ValueError, match=r"class_weight\[0\] must be finite"):
        estimator(class_weight={0: weight}).fit(*data)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("layout", [np.asarray, sparse.csr_matrix])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_not_a_finite_number(data, early_stopping, bad, layout, method):
    if early_stopping and method == "partial_fit":
        pytest.skip("it has none")
    X, y = data
    model = Perceptron(max_iter=2, early_stopping=early_stopping).fit(X, y)
    for row in (0, 99, 199):
        broken = X.copy()
        broken[row, 5] = bad
        with pytest.raises(ValueError, match=r"Input X contains (NaN|infinity)"):
            getattr(model, method)(layout(broken), y)
        assert np.isfinite(model.coef_).all()


def test_balanced_weights_of_a_part(data):
    model = Perceptron(class_weight="balanced")
    for _ in range(2):
        with pytest.raises(ValueError, match=r"for partial_fit, .*, got 'balanced': .*compute_class_weight"):
            model.partial_fit(*data, classes=[0, 1, 2])
    model.set_params(class_weight={0: 1.0, 1: 2.0, 2: 3.0}).partial_fit(*data, classes=[0, 1, 2])
    with pytest.raises(ValueError, match="class_weight must not be 'balanced' for partial_fit"):
        model.set_params(class_weight="balanced").partial_fit(*data)


def test_bad_calls(data):
    X, y = data
    with pytest.raises(ValueError, match="early_stopping must be False for partial_fit, got True"):
        Perceptron(early_stopping=True).partial_fit(X, y, classes=[0, 1, 2])
    with pytest.raises(ValueError, match="classes must be given in the first call to partial_fit, got None"):
        Perceptron().partial_fit(X, y)
    with pytest.raises(ValueError, match=r"y must have no other classes than \[0 1\], got \[2\]"):
        Perceptron().partial_fit(X, y, classes=[0, 1])
    with pytest.raises(ValueError, match=r"y must have at least 2 classes, got 1 class: \[0\.\]"):
        Perceptron().fit(X, np.zeros(len(X)))
    with pytest.raises(ValueError, match="Unknown label type"):
        Perceptron().fit(X, X[:, 0])
    with pytest.raises(ValueError, match="n_jobs must be None, at least 1, or negative, got 0"):
        Perceptron(n_jobs=0).fit(X, y)
    with pytest.raises(ValueError, match="X has 3 features, but Perceptron is expecting 17"):
        Perceptron().fit(X, y).partial_fit(X[:, :3], y)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        Perceptron().fit(X, y).partial_fit(X, y[1:])


@pytest.mark.parametrize("name", ["alpha", "eta0", "max_iter", "tol"])
def test_parameters_are_numbers_that_floats_can_hold(data, name):
    with pytest.raises(ValueError, match=f"'{name}' parameter of Perceptron must be"):
        Perceptron(**{name: 10**400}).fit(*data)


def test_a_fit_that_fails_changes_nothing(data):
    X, y = data
    model = Perceptron(max_iter=2).fit(X, y)
    before = dict(vars(model))
    for wrong in ({"sample_weight": np.full(200, 1e308)}, {"sample_weight": [1.0]}):
        with np.errstate(all="ignore"), pytest.raises(ValueError):
            model.fit(1e10 * X, y, **wrong)
        assert vars(model) == before


def test_interrupt(rng):
    X, y = rng.normal(size=(20_000, 50)), rng.integers(0, 3, 20_000)
    model = Perceptron(max_iter=10**9, tol=None)
    pressed = []

    def press():
        pressed.append(time.process_time())
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(0.3, press)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert time.process_time() - pressed[0] < 0.5
    assert not hasattr(model, "coef_")
